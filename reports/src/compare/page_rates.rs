//! How often whole pages of comparisons are wrong, and how often they see what is there.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::record::{OperationSummary, PairSide, Repeat, Turn};
use crate::stats::{Estimate, synthetic::normal};
use crate::testing;

const OPERATIONS: usize = 12;

/// How the runs of a machine differ from each other, on the log scale.
struct Machine {
    /// Level of a whole run, the same for all its figures.
    run: f64,
    /// Each figure by itself.
    figure: f64,
}

/// A run whose operation 0 takes `factor` as long as usual, at a level that its machine has at the time.
fn sample(rng: &mut ChaCha8Rng, machine: &Machine, level: f64, factor: f64, id: usize) -> Sample {
    let mut record = testing::record();
    record.run_id = id.to_string();
    record.ledger.balanced = true;
    let names: Vec<String> = (0..OPERATIONS).map(|number| format!("operation{number}")).collect();
    let summary =
        |name: &String| OperationSummary { name: name.clone(), completed: 1, ..Default::default() };
    record.operations = names.iter().map(summary).collect();
    let run = level + machine.run * normal(rng);
    let mut estimates = BTreeMap::new();
    for (number, name) in names.iter().enumerate() {
        for metric in Metric::ALL {
            let shift = if number == 0 && metric != Metric::Rate { factor.ln() } else { 0.0 };
            let value = 15.0 + shift + run + machine.figure * normal(rng);
            let variance = machine.figure.powi(2);
            estimates.insert((name.clone(), metric), Estimate { value, variance, df: 6.0 });
        }
    }
    Sample { record, killed: false, estimates }
}

fn runs(rng: &mut ChaCha8Rng, machine: &Machine, n: usize, factor: f64, id: usize) -> Vec<Sample> {
    (0..n).map(|i| sample(rng, machine, 0.0, factor, id + i)).collect()
}

/// Pairs on a machine whose level wanders by far more than its runs differ.
fn pairs(rng: &mut ChaCha8Rng, machine: &Machine, n: usize, factor: f64) -> [Vec<Sample>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for pair in 0..n {
        let level = 0.2 * normal(rng);
        for (side, factor) in [(PairSide::Base, 1.0), (PairSide::Candidate, factor)] {
            let mut one = sample(rng, machine, level, factor, 2 * pair + side as usize);
            let (index, order) = (pair as u32 + 1, 2 * pair as u32 + side as u32);
            one.record.repeat = Some(Repeat {
                group: "g".into(),
                index,
                of: n as u32,
                turn: Some(Turn { side, order }),
            });
            sides[side as usize].push(one);
        }
    }
    sides
}

fn alarmed(comparison: &Comparison) -> bool {
    let alarm = |row: &Row| matches!(row.change, Change::Regression | Change::Improvement);
    comparison.rows.iter().any(alarm)
}

/// Any change at all counts, so that the noise threshold hides no false alarm.
const NO_THRESHOLD: Options = Options { noise: 1e-9, force: false, allow_single: false };
const TRIALS: u64 = 400;
/// Of 400 pages 5 % are 20; 33 are exceeded once in 300 times.
const MOST_FALSE: usize = 33;

#[test]
fn pages_of_equal_runs_raise_an_alarm_at_most_as_often_as_stated() {
    for (n, machine) in [
        (2, Machine { run: 0.03, figure: 0.01 }),
        (4, Machine { run: 0.0, figure: 0.02 }),
        (10, Machine { run: 0.02, figure: 0.02 }),
    ] {
        let false_pages = (0..TRIALS).filter(|&seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (a, b) = (runs(&mut rng, &machine, n, 1.0, 0), runs(&mut rng, &machine, n, 1.0, n));
            alarmed(&compare(("a", &a), ("b", &b), NO_THRESHOLD).unwrap())
        });
        let false_pages = false_pages.count();
        assert!(false_pages <= MOST_FALSE, "{n} runs a side: {false_pages} of {TRIALS} pages");
    }
}

#[test]
fn several_candidates_of_one_base_raise_an_alarm_no_more_often_than_one() {
    let machine = Machine { run: 0.0, figure: 0.02 };
    let false_commands = (0..TRIALS).filter(|&seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let base = runs(&mut rng, &machine, 4, 1.0, 0);
        let others: Vec<Vec<Sample>> =
            (1..=3).map(|side| runs(&mut rng, &machine, 4, 1.0, side * 4)).collect();
        let others: Vec<(&str, &[Sample])> = others.iter().map(|side| ("b", &side[..])).collect();
        compare_all(("a", &base), &others, NO_THRESHOLD).unwrap().iter().any(alarmed)
    });
    let false_commands = false_commands.count();
    assert!(false_commands <= MOST_FALSE, "{false_commands} of {TRIALS} commands");
}

#[test]
fn pages_of_equal_pairs_raise_an_alarm_at_most_as_often_as_stated() {
    let machine = Machine { run: 0.01, figure: 0.01 };
    for n in [2, 5] {
        let false_pages = (0..TRIALS).filter(|&seed| {
            let [a, b] = pairs(&mut ChaCha8Rng::seed_from_u64(seed), &machine, n, 1.0);
            let comparison = compare(("a", &a), ("b", &b), NO_THRESHOLD).unwrap();
            assert_eq!(comparison.pairs.as_ref().unwrap().count, n);
            alarmed(&comparison)
        });
        let false_pages = false_pages.count();
        assert!(false_pages <= MOST_FALSE, "{n} pairs: {false_pages} of {TRIALS} pages");
    }
}

#[test]
fn a_page_of_48_rows_sees_five_percent_with_ten_runs_a_side_and_a_tenth_with_ten_pairs() {
    let trials = 100;
    let seen = |pages: usize| pages * 10 >= trials as usize * 8;
    let machine = Machine { run: 0.01, figure: 0.01 };
    let five = (0..trials).filter(|&seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (a, b) = (runs(&mut rng, &machine, 10, 1.0, 0), runs(&mut rng, &machine, 10, 1.05, 10));
        // Five per cent can only be called under a threshold that is below it.
        let options = Options { noise: 0.02, ..Options::default() };
        compare(("a", &a), ("b", &b), options).unwrap().is_worse()
    });
    let five = five.count();
    assert!(seen(five), "5 %: {five} of {trials}");
    let tenth = (0..trials).filter(|&seed| {
        let [a, b] = pairs(&mut ChaCha8Rng::seed_from_u64(seed), &machine, 10, 1.1);
        compare(("a", &a), ("b", &b), Options::default()).unwrap().is_worse()
    });
    let tenth = tenth.count();
    assert!(seen(tenth), "10 %, in pairs: {tenth} of {trials}");
}
