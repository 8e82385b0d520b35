//! Whether runs were made under the same conditions.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Sample;
use crate::record::{RunRecord, RunState, Verdict};
use crate::units;

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
        write!(f, "{} is {} and, in {}, {}", self.field, self.first, self.run, self.other)
    }
}

/// What differs though it must not, and what may and does.
pub(super) fn check(samples: &[&Sample]) -> (Vec<Mismatch>, Vec<Mismatch>) {
    let Some((first, others)) = samples.split_first() else { return (Vec::new(), Vec::new()) };
    let mut mismatches: Vec<Mismatch> = samples
        .iter()
        .filter(|s| s.record.state != RunState::Complete || s.record.verdict == Verdict::Invalid)
        .map(|s| Mismatch {
            field: "the state of a run".into(),
            first: "required to be complete and not INVALID".into(),
            run: s.record.run_id.clone(),
            other: format!("{:?} and {}", s.record.state, s.record.verdict),
        })
        .collect();
    let mut differences = Vec::new();
    for other in others {
        mismatches.extend(differ(&first.record, &other.record, must_be_equal));
        differences.extend(differ(&first.record, &other.record, may_differ));
    }
    // One line per field and value is enough.
    for list in [&mut mismatches, &mut differences] {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|m| seen.insert((m.field.clone(), m.other.clone())));
    }
    (mismatches, differences)
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

fn must_be_equal(record: &RunRecord) -> BTreeMap<String, String> {
    let c = &record.config;
    let mut all = BTreeMap::from([
        ("profile".to_owned(), record.profile.clone()),
        ("provider".to_owned(), record.provider.clone()),
        ("arrivals".to_owned(), c.arrivals.clone()),
        ("duration".to_owned(), units::seconds(c.duration_s)),
        ("warm-up".to_owned(), units::seconds(c.warmup_s)),
        ("daily volume".to_owned(), units::bytes(c.volume_bytes_per_day)),
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
        ("build".to_owned(), build(record).to_owned()),
    ]);
    for i in &record.implementations {
        all.insert(
            format!("implementation of {}", i.component),
            format!("{} ({})", i.name, i.fidelity),
        );
    }
    all
}

fn build(record: &RunRecord) -> &'static str {
    if record.marks.iter().any(|m| m == "debug build") { "debug" } else { "release" }
}

fn may_differ(record: &RunRecord) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("odg-bench".to_owned(), record.tool_version.clone()),
        ("kernel".to_owned(), record.host.kernel.clone()),
        ("operating system".to_owned(), record.host.os.clone()),
        ("seed".to_owned(), record.config.seed.to_string()),
    ]);
    for i in &record.implementations {
        all.insert(format!("version of {}", i.component), i.version.clone());
    }
    all
}
