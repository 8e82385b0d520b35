//! Several runs one after the other: of one stack, or of two in turn.

use std::path::{Path, PathBuf};

use odg_reports::record::{PairSide, Repeat, RunState, Turn};
use time::OffsetDateTime;

use super::interrupts::Interrupts;
use super::label;
use super::session::RunResult;
use crate::exit::{self, Failure};

/// Most runs of a side: more are a mistyped number.
pub const MOST: u32 = 1_000;

/// A directory of run directories that belong together.
#[derive(Debug, Clone)]
pub struct Group {
    /// `<time>-<profile>-<id>-<what>`.
    pub name: String,
    /// Under the directory for runs.
    pub dir: PathBuf,
}

impl Group {
    /// A new group of runs of `profile`; `what` ends its name. Nothing is made on disk yet.
    pub fn new(runs_dir: &Path, profile: &str, what: &str) -> Self {
        let name = format!("{}-{what}", label::run_id(OffsetDateTime::now_utc(), profile));
        Self { dir: runs_dir.join(&name), name }
    }

    /// Where run `index` of `of` stands in it.
    pub fn place(&self, index: u32, of: u32, turn: Option<Turn>) -> Repeat {
        Repeat { group: self.name.clone(), index, of, turn }
    }
}

/// The seeds of `runs` runs: `first`, and one more each time.
///
/// # Errors
/// Where numbers end before the runs do.
pub fn seeds(first: u64, runs: u32) -> Result<Vec<u64>, Failure> {
    let all = (0..u64::from(runs)).map(|i| first.checked_add(i)).collect::<Option<Vec<_>>>();
    all.ok_or_else(|| {
        Failure::usage(format!(
            "--seed {first} leaves no seeds for {runs} runs; give a smaller one, such as 1"
        ))
    })
}

/// Whose turn it is when two sides alternate, with the number of the pair: A B, B A, A B … In an even number of pairs
/// each side goes first equally often, so that what drifts evenly hits both alike.
pub fn alternate(pairs: u32) -> impl Iterator<Item = (u32, Turn)> {
    (1..=pairs).flat_map(|index| {
        let first = if index % 2 == 1 { PairSide::Base } else { PairSide::Candidate };
        let order = 2 * index - 1;
        [
            (index, Turn { side: first, order }),
            (index, Turn { side: first.other(), order: order + 1 }),
        ]
    })
}

/// What became of a series of runs.
#[derive(Debug)]
pub struct Series {
    /// The runs that left a record, in order.
    pub results: Vec<RunResult>,
    /// How it ended.
    pub ended: Ended,
}

/// How a series of runs ended.
#[derive(Debug)]
pub enum Ended {
    /// Every run was made.
    Complete,
    /// By a signal; the runs after it were not made.
    Interrupted,
    /// A run could not be made, and those after it were not tried.
    Failed(Failure),
}

/// Makes a run of each of `turns` with `make`, until one cannot be made or a signal comes.
pub async fn series<T>(
    turns: impl IntoIterator<Item = T>,
    interrupts: &Interrupts,
    mut make: impl AsyncFnMut(T) -> Result<RunResult, Failure>,
) -> Series {
    let mut results = Vec::new();
    for turn in turns {
        if interrupts.count() > 0 {
            return Series { results, ended: Ended::Interrupted };
        }
        match make(turn).await {
            Ok(result) => {
                let interrupted = result.record.state == RunState::Interrupted;
                results.push(result);
                if interrupted {
                    return Series { results, ended: Ended::Interrupted };
                }
            }
            Err(failure) => return Series { results, ended: Ended::Failed(failure) },
        }
    }
    Series { results, ended: Ended::Complete }
}

impl Series {
    /// The worst exit code of all: what could not be made (3, 2) before FAIL, FAIL before INVALID, INCONCLUSIVE and
    /// an interruption, these before PASS.
    pub fn exit_code(&self) -> u8 {
        let ended = match &self.ended {
            Ended::Complete => exit::PASS,
            Ended::Interrupted => exit::UNCERTAIN,
            Ended::Failed(failure) => failure.code,
        };
        let codes = self.results.iter().map(|result| result.record.exit_code);
        codes.chain([ended]).max_by_key(|code| rank(*code)).unwrap_or(ended)
    }
}

fn rank(code: u8) -> u8 {
    match code {
        exit::PASS => 0,
        exit::UNCERTAIN => 1,
        exit::FAIL => 2,
        exit::USAGE => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use odg_reports::record::RunRecord;

    use super::*;

    fn result(exit_code: u8, state: &str) -> RunResult {
        let record: RunRecord = serde_json::from_value(serde_json::json!({
            "schema_version": "1.1", "tool_version": "0", "run_id": "r", "started_at": "", "state": state,
            "command": [], "profile": "small", "provider": "local",
            "config": {
                "seed": 1, "arrivals": "poisson", "duration_s": 1.0, "warmup_s": 0.0, "volume_bytes_per_day": 1.0,
                "scale": 1.0, "speedup": 1.0, "offered_bytes_per_s": 1.0, "offered_events_per_s": 1.0, "hash": ""
            },
            "implementations": [],
            "host": {"os": "", "kernel": "", "cpu_model": "", "cores": 1, "memory_bytes": 1},
            "stack_ready_ms": 0, "marks": [], "operations": [],
            "ledger": {"hops": [], "rejected": 0, "balanced": true, "checks": []},
            "generator": {
                "lag": {
                    "count": 0, "min_ns": 0, "mean_ns": 0.0, "p50_ns": 0, "p90_ns": 0, "p95_ns": 0, "p99_ns": 0,
                    "p999_ns": 0, "max_ns": 0, "out_of_range": 0
                },
                "scheduled": 0, "dispatched": 0, "dropped": 0, "held": 1.0, "ceiling_events_per_s": 1.0,
                "utilisation": 0.0, "cpu_cores": 0.0, "peak_rss_bytes": 0, "realtime_pacing": false,
                "peak_backlog": 0
            },
            "resources": [], "objectives": [], "features": [], "verdict": "pass", "reasons": [],
            "exit_code": exit_code, "warnings": [], "events": []
        }))
        .unwrap();
        RunResult { record, dir: PathBuf::from("r") }
    }

    async fn made(outcomes: Vec<Result<RunResult, Failure>>) -> Series {
        let interrupts = Interrupts::listen();
        series(outcomes, &interrupts, async |outcome| outcome).await
    }

    #[tokio::test]
    async fn a_run_that_cannot_be_made_ends_the_series_and_keeps_what_was_measured() {
        let stack = || Err(Failure::stack("no Redis"));
        let one = made(vec![Ok(result(1, "complete")), stack(), Ok(result(0, "complete"))]).await;
        assert_eq!((one.results.len(), one.exit_code()), (1, exit::STACK));
        assert!(matches!(&one.ended, Ended::Failed(failure) if failure.message == "no Redis"));
    }

    #[tokio::test]
    async fn an_interrupted_run_is_the_last_and_is_kept() {
        let outcomes = vec![
            Ok(result(0, "complete")),
            Ok(result(4, "interrupted")),
            Ok(result(0, "complete")),
        ];
        let cut = made(outcomes).await;
        assert!(matches!(cut.ended, Ended::Interrupted));
        assert_eq!((cut.results.len(), cut.exit_code()), (2, exit::UNCERTAIN));
    }

    #[tokio::test]
    async fn the_worst_run_decides_and_a_failure_is_worse_than_an_uncertainty() {
        for (codes, worst) in [
            (vec![0, 0], exit::PASS),
            (vec![0, 4, 0], exit::UNCERTAIN),
            (vec![4, 1, 4], exit::FAIL),
        ] {
            let all = codes.iter().map(|&code| Ok(result(code, "complete"))).collect();
            assert_eq!(made(all).await.exit_code(), worst, "{codes:?}");
        }
        // A component that died fails its run, and the next one gets a fresh stack.
        let died = made(vec![Ok(result(1, "aborted")), Ok(result(0, "complete"))]).await;
        assert_eq!((died.results.len(), died.exit_code()), (2, exit::FAIL));
    }

    #[test]
    fn sides_take_turns_and_each_goes_first_equally_often() {
        let order: Vec<(u32, &str, u32)> =
            alternate(4).map(|(pair, turn)| (pair, turn.side.label(), turn.order)).collect();
        let (a, b) = ("base", "candidate");
        let wanted = [
            (1, a, 1),
            (1, b, 2),
            (2, b, 3),
            (2, a, 4),
            (3, a, 5),
            (3, b, 6),
            (4, b, 7),
            (4, a, 8),
        ];
        assert_eq!(order, wanted);
    }

    #[test]
    fn seeds_follow_each_other_and_end_with_the_numbers() {
        assert_eq!(seeds(7, 3).unwrap(), [7, 8, 9]);
        assert!(seeds(u64::MAX, 2).unwrap_err().message.contains("--seed"));
        assert_eq!(seeds(u64::MAX, 1).unwrap(), [u64::MAX]);
    }
}
