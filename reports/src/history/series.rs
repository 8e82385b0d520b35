//! One figure over the runs of an era, and where it changed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::metric::Figures;
use super::{Era, LEVEL, Metric, Options};
use crate::record::RunRecord;
use crate::stats::{SHORTEST, steps};

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Worse by more than the noise threshold.
    Regression,
    /// Better by more than the noise threshold.
    Improvement,
    /// Not by chance, and within the noise threshold.
    Small,
    /// Within the noise threshold by itself, and beyond it together with the changes since the level was best.
    Creep,
}

impl Kind {
    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Regression => "REGRESSION",
            Self::Improvement => "improvement",
            Self::Small => "small change",
            Self::Creep => "CREEP",
        }
    }
}

/// A change of level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its first run.
    pub run_id: String,
    /// When that began.
    pub started_at: String,
    /// The last run before.
    pub last_before: String,
    /// Its first point among those of the era.
    pub point: usize,
    /// Points from there to the era's end.
    pub points: usize,
    /// Level before, in the metric's unit; of a creep the best level of the era since the last acknowledged change.
    pub before: f64,
    /// Level after.
    pub after: f64,
    /// How much worse: relative, of error shares the difference. Negative is better.
    pub worse_by: f64,
    /// p-value, corrected for all places and all series.
    pub p_value: f64,
    /// What it means.
    pub kind: Kind,
    /// Versions that changed with it (`kafka 3.9.1 → 3.9.2`).
    pub with: Vec<String>,
    /// Whether the level has come back since.
    pub repaired: bool,
    /// Whether people know of it.
    pub acknowledged: bool,
    /// Whether it is for the worse and still there, not known to people, and of a metric that raises alarms; however
    /// long ago it began.
    pub open: bool,
    /// Whether it raises an alarm: it is open, and new.
    pub alarm: bool,
}

/// A trend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// Operation, or component.
    pub name: String,
    /// What of it.
    pub metric: Metric,
    /// A value per point of the era, where it has one.
    pub values: Vec<Option<f64>>,
    /// Where its level changed, in order of time.
    pub changes: Vec<Change>,
}

/// Operations, and components, that are followed in an era. A page of more could not be read, and each series more
/// asks the others to be surer.
pub(super) const MOST_FOLLOWED: usize = 1_000;

/// What can be followed in an era: operations in the order of its newest run, then components; and how many
/// operations and components are left out.
pub(super) fn names(era: &Era, records: &[Figures<'_>]) -> (Vec<(String, Metric)>, usize) {
    let used = || era.points.iter().rev().flat_map(|p| &p.runs).map(|i| &records[*i]);
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    let mut left_out = 0;
    for operation in used().flat_map(|r| &r.record.operations) {
        if !seen.insert(operation.name.as_str()) {
            continue;
        }
        if seen.len() > MOST_FOLLOWED {
            left_out += 1;
            continue;
        }
        names.extend(Metric::OF_OPERATIONS.map(|metric| (operation.name.clone(), metric)));
    }
    let mut seen = BTreeSet::new();
    for resource in used().flat_map(|r| &r.record.resources) {
        if !seen.insert(resource.component.as_str()) {
            continue;
        }
        if seen.len() > MOST_FOLLOWED {
            left_out += 1;
            continue;
        }
        names.push((resource.component.clone(), Metric::Cpu));
    }
    // p95 stands in where p99 cannot be claimed, and says nothing beside it.
    let claimed = |name: &str| used().any(|r| Metric::P99.of(r, name).is_some());
    names.retain(|(name, metric)| match metric {
        Metric::P95 => !claimed(name),
        Metric::P99 => claimed(name),
        _ => true,
    });
    (names, left_out)
}

impl Series {
    pub(super) fn of(era: &Era, records: &[Figures<'_>], name: &str, metric: Metric) -> Self {
        let value = |runs: &[usize]| {
            let mut values: Vec<f64> =
                runs.iter().filter_map(|run| metric.of(&records[*run], name)).collect();
            values.sort_unstable_by(f64::total_cmp);
            let n = values.len();
            (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]))
        };
        let values = era.points.iter().map(|point| value(&point.runs)).collect();
        Self { name: name.to_owned(), metric, values, changes: Vec::new() }
    }

    pub(super) fn is_long_enough(&self) -> bool {
        self.values.iter().flatten().count() >= 2 * SHORTEST
    }

    /// Finds its changes, as one of `family` series.
    pub(super) fn look(
        &mut self,
        era: &Era,
        records: &[RunRecord],
        options: &Options,
        family: usize,
    ) {
        let known: Vec<(usize, f64)> =
            self.values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v))).collect();
        let values: Vec<f64> = known.iter().map(|(_, v)| *v).collect();
        let scale = self.metric.scale(&values);
        let scaled: Vec<f64> = values.iter().map(|v| scale.there(*v)).collect();
        let found = steps(&scaled, LEVEL, family, scale.resolution());
        let threshold = self.metric.threshold(options.noise);
        let now = found.last().map(|step| scale.back(step.after));
        self.changes = found
            .iter()
            .map(|step| {
                let (before, after) = (scale.back(step.before), scale.back(step.after));
                let point = known[step.at].0;
                let worse_by = self.metric.worse_by(before, after);
                let kind = if worse_by > threshold {
                    Kind::Regression
                } else if worse_by < -threshold {
                    Kind::Improvement
                } else {
                    Kind::Small
                };
                let repaired = now.is_none_or(|now| self.metric.worse_by(before, now) <= threshold);
                let points = era.points.len() - point;
                let acknowledged = options.acknowledged.knows(era, records, self, point);
                let open =
                    kind == Kind::Regression && !repaired && !acknowledged && self.metric.alarms();
                let first = |point: usize| &records[era.points[point].runs[0]];
                let last = |point: usize| {
                    let runs = &era.points[point].runs;
                    &records[runs[runs.len() - 1]]
                };
                Change {
                    run_id: first(point).run_id.clone(),
                    started_at: first(point).started_at.clone(),
                    last_before: last(known[step.at - 1].0).run_id.clone(),
                    point,
                    points,
                    before,
                    after,
                    worse_by,
                    p_value: step.p_value,
                    kind,
                    with: era
                        .versions
                        .iter()
                        .filter(|v| known[step.at - 1].0 < v.point && v.point <= point)
                        .map(|v| format!("{} {} → {}", v.what, v.before, v.after))
                        .collect(),
                    repaired: kind == Kind::Regression && repaired,
                    acknowledged,
                    open,
                    alarm: open && era.live && points <= options.recent,
                }
            })
            .collect();
        self.look_for_creep(era, options, threshold);
    }

    /// Many small changes for the worse are a large one: the last level is held against the best one of the era since
    /// the last change that people know of.
    fn look_for_creep(&mut self, era: &Era, options: &Options, threshold: f64) {
        let metric = self.metric;
        let known = self.changes.iter().rposition(|c| c.acknowledged);
        let since = known.map_or(0, |at| at + 1);
        let Some((last, earlier)) =
            self.changes.get_mut(since..).and_then(<[Change]>::split_last_mut)
        else {
            return;
        };
        // Levels before each change since then, the last one's included.
        let levels = earlier.iter().map(|c| c.before).chain([last.before]);
        let best = levels.reduce(|a, b| if metric.worse_by(a, b) < 0.0 { b } else { a });
        let Some(best) = best else { return };
        let worse_by = metric.worse_by(best, last.after);
        if last.kind != Kind::Small || last.worse_by <= 0.0 || worse_by <= threshold {
            return;
        }
        last.kind = Kind::Creep;
        (last.before, last.worse_by) = (best, worse_by);
        last.open = metric.alarms();
        last.alarm = last.open && era.live && last.points <= options.recent;
    }

    /// The level at each point, where levels were looked for.
    pub(super) fn levels(&self) -> Vec<Option<f64>> {
        let values: Vec<f64> = self.values.iter().flatten().copied().collect();
        let Some(first) = self.changes.first().map(|c| c.before).or_else(|| self.middle(&values))
        else {
            return vec![None; self.values.len()];
        };
        let level = |i: usize| {
            let last = self.changes.iter().rev().find(|c| c.point <= i);
            last.map_or(first, |c| c.after)
        };
        (0..self.values.len()).map(|i| Some(level(i))).collect()
    }

    /// The mean on the scale on which changes are looked for.
    fn middle(&self, values: &[f64]) -> Option<f64> {
        if !self.is_long_enough() {
            return None;
        }
        let scale = self.metric.scale(values);
        let sum: f64 = values.iter().map(|v| scale.there(*v)).sum();
        Some(scale.back(sum / values.len() as f64))
    }
}
