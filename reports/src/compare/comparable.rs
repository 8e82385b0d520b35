//! Whether runs were made under the same conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Sample;
use crate::escape;
use crate::record::{RunRecord, RunState, Verdict};

/// A condition in which a run differs from the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The condition.
    pub field: String,
    /// What it is in the first run.
    pub first: String,
    /// The run that differs.
    pub run: String,
    /// What it is there.
    pub other: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Records can be edited by anyone: nothing of them may move a terminal's cursor or fill its screen.
        let part = |text: &str| -> String { escape::terminal(text).chars().take(80).collect() };
        let (first, other) = (part(&self.first), part(&self.other));
        write!(f, "{} is {first} and, in {}, {other}", part(&self.field), part(&self.run))
    }
}

/// What differs though it must not, and what may and does. Without candidates the base's runs are compared with each
/// other.
pub(super) fn check(
    base: &[&Sample],
    candidate: &[&Sample],
    noise: f64,
) -> (Vec<Mismatch>, Vec<Mismatch>) {
    let samples: Vec<&Sample> = base.iter().chain(candidate).copied().collect();
    let Some((first, others)) = samples.split_first() else { return (Vec::new(), Vec::new()) };
    let mut mismatches: Vec<Mismatch> = samples
        .iter()
        .filter(|s| s.record.state != RunState::Complete || s.record.verdict == Verdict::Invalid)
        .map(|s| Mismatch {
            field: "the state of a run".into(),
            first: "required to be complete and not INVALID".into(),
            run: s.record.run_id.clone(),
            other: if s.killed {
                "killed before it had ended".into()
            } else {
                format!("{:?} and {}", s.record.state, s.record.verdict)
            },
        })
        .collect();
    let mut differences = Vec::new();
    let mut seen = BTreeSet::new();
    mismatches.extend(samples.iter().filter(|s| !seen.insert(&s.record.run_id)).map(|s| {
        Mismatch {
            field: "a run".into(),
            first: "required to be counted once".into(),
            run: s.record.run_id.clone(),
            other: "is given twice".into(),
        }
    }));
    for other in others {
        mismatches.extend(differ(&first.record, &other.record, must_be_equal));
        differences.extend(differ(&first.record, &other.record, may_differ));
    }
    mismatches.extend(other_load(&samples));
    mismatches.extend(other_rate(base, candidate, noise));
    // One line per field and value is enough.
    for list in [&mut mismatches, &mut differences] {
        let mut seen = BTreeSet::new();
        list.retain(|m| {
            let state = m.field == "the state of a run";
            seen.insert((m.field.clone(), m.other.clone(), state.then(|| m.run.clone())))
        });
    }
    (mismatches, differences)
}

/// Runs of one seed must have one hash: it covers the profile and everything that shapes the load, and the seed. Runs
/// of other seeds must agree in the hash without it.
fn other_load(samples: &[&Sample]) -> Vec<Mismatch> {
    let mut hashes: BTreeMap<u64, &str> = BTreeMap::new();
    // Without the seed there is one hash; records from before it was written have none.
    let mut seedless: Option<&str> = None;
    let mut mismatches = Vec::new();
    for sample in samples {
        let config = &sample.record.config;
        let first = *hashes.entry(config.seed).or_insert(&config.hash);
        if first != config.hash {
            mismatches.push(Mismatch {
                field: "the hash of profile and load".into(),
                first: first.to_owned(),
                run: sample.record.run_id.clone(),
                other: config.hash.clone(),
            });
        }
        let Some(hash) = &config.load_hash else { continue };
        let first = *seedless.get_or_insert(hash);
        if first != hash {
            mismatches.push(Mismatch {
                field: "the hash of profile and load without the seed".into(),
                first: first.to_owned(),
                run: sample.record.run_id.clone(),
                other: hash.clone(),
            });
        }
    }
    mismatches
}

/// The seed draws the events' sizes, and with them how many make up the daily volume: sides of other seeds are offered
/// a little more or less. What is half the noise threshold could be taken for a change of the stack.
fn other_rate(base: &[&Sample], candidate: &[&Sample], noise: f64) -> Option<Mismatch> {
    let rate = |side: &[&Sample]| {
        side.iter().map(|s| s.record.config.offered_events_per_s).sum::<f64>() / side.len() as f64
    };
    let (a, b) = (rate(base), rate(candidate));
    let run = candidate.first()?.record.run_id.clone();
    let near = (b / a - 1.0).abs() <= noise / 2.0;
    // Sides that offer no events at all are alike too.
    let far = a != b && !near;
    far.then(|| Mismatch {
        field: "the mean of offered events per second (give both sides the same seeds)".into(),
        first: format!("{a:.1}"),
        run,
        other: format!("{b:.1}"),
    })
}

fn differ(
    first: &RunRecord,
    other: &RunRecord,
    conditions: fn(&RunRecord) -> BTreeMap<String, String>,
) -> Vec<Mismatch> {
    let (here, mut there) = (conditions(first), conditions(other));
    let mut differing = Vec::new();
    let mut add = |field: String, first: String, second: String| {
        differing.push(Mismatch { field, first, run: other.run_id.clone(), other: second });
    };
    for (field, value) in here {
        let found = there.remove(&field).unwrap_or_else(|| "absent".into());
        if found != value {
            add(field, value, found);
        }
    }
    for (field, value) in there {
        add(field, "absent".into(), value);
    }
    differing
}

/// The conditions of a run, without which nothing can be compared with it.
pub(crate) fn must_be_equal(record: &RunRecord) -> BTreeMap<String, String> {
    let c = &record.config;
    let mut all = BTreeMap::from([
        ("profile".to_owned(), record.profile.clone()),
        ("provider".to_owned(), record.provider.clone()),
        ("arrivals".to_owned(), c.arrivals.clone()),
        ("duration in seconds".to_owned(), c.duration_s.to_string()),
        ("warm-up in seconds".to_owned(), c.warmup_s.to_string()),
        ("daily volume in bytes".to_owned(), c.volume_bytes_per_day.to_string()),
        // The last digits come from sums in another order.
        ("offered bytes per second".to_owned(), format!("{:.6e}", c.offered_bytes_per_s)),
        ("scale".to_owned(), c.scale.to_string()),
        ("speed-up".to_owned(), c.speedup.to_string()),
        ("window".to_owned(), c.window.clone().unwrap_or_else(|| "none".into())),
        ("CPU model".to_owned(), record.host.cpu_model.clone()),
        ("cores".to_owned(), record.host.cores.to_string()),
        // A machine's memory varies by a few pages from boot to boot.
        (
            "memory".to_owned(),
            format!("{:.0} GiB", record.host.memory_bytes as f64 / 1_073_741_824.0),
        ),
        ("marks".to_owned(), record.marks.join(", ")),
    ]);
    for i in &record.implementations {
        all.insert(
            format!("implementation of {}", i.component),
            format!("{} ({})", i.name, i.fidelity),
        );
    }
    all
}

/// What changes from night to night and may be what made a difference.
pub(crate) fn may_differ(record: &RunRecord) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("odg-bench".to_owned(), record.tool_version.clone()),
        ("schema of the record".to_owned(), record.schema_version.clone()),
        ("kernel".to_owned(), record.host.kernel.clone()),
        ("operating system".to_owned(), record.host.os.clone()),
        ("seed".to_owned(), record.config.seed.to_string()),
    ]);
    for i in &record.implementations {
        all.insert(format!("version of {}", i.component), i.version.clone());
    }
    all
}
