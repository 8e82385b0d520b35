//! The reader of `latency.hlog`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::OperationHistograms;
use super::heat::Heat;
use super::histogram::Decoder;
use super::lines::{lines, torn};
use crate::error::RecordError;
use crate::stats::Counts;
use crate::store::{Kind, hlog};

/// One line of the log.
pub(crate) struct Interval<'a> {
    pub(crate) operation: &'a str,
    pub(crate) kind: Kind,
    pub(crate) warmup: bool,
    pub(crate) start_s: f64,
    pub(crate) dt_s: f64,
    pub(crate) counts: Counts,
}

/// What the whole log says about one operation.
#[derive(Default)]
pub(super) struct Merged {
    /// Of the measured part.
    pub(super) response: Counts,
    /// Of the measured part.
    pub(super) service: Counts,
    /// Response times over time, warm-up and all.
    pub(super) heat: Heat,
}

/// What the whole log says.
#[derive(Default)]
pub(super) struct Log {
    pub(super) operations: BTreeMap<String, Merged>,
    /// End of the last interval, in seconds since the epoch.
    pub(super) end_s: f64,
}

/// Merges the log by operation; only those in `wanted`, where there is such a set.
pub(super) fn read(
    path: &Path,
    notes: &mut Vec<String>,
    wanted: Option<&BTreeSet<&str>>,
) -> Result<Log, RecordError> {
    let mut log = Log::default();
    let mut end_s: f64 = 0.0;
    let chosen = |operation: &str, _: Kind, _: bool| wanted.is_none_or(|w| w.contains(operation));
    each_interval(path, notes, chosen, |i| {
        end_s = end_s.max(i.start_s + i.dt_s);
        if !log.operations.contains_key(i.operation) {
            log.operations.insert(i.operation.to_owned(), Merged::default());
        }
        let Some(merged) = log.operations.get_mut(i.operation) else { return };
        if i.kind == Kind::Response {
            merged.heat.add(i.start_s, i.dt_s, &i.counts);
        }
        if !i.warmup {
            let sum = match i.kind {
                Kind::Response => &mut merged.response,
                Kind::Service => &mut merged.service,
            };
            merge(sum, i.counts);
        }
    })?;
    log.end_s = end_s;
    Ok(log)
}

/// What each interval of the measured part recorded of response times, by operation, in order of time.
pub(super) fn response_intervals(
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, Vec<Counts>>, RecordError> {
    let mut intervals: BTreeMap<String, Vec<Counts>> = BTreeMap::new();
    let wanted = |_: &str, kind: Kind, warmup: bool| kind == Kind::Response && !warmup;
    each_interval(path, notes, wanted, |i| {
        intervals.entry(i.operation.to_owned()).or_default().push(i.counts);
    })?;
    Ok(intervals)
}

/// Calls `each` with every interval of which operation, kind and "is it of the warm-up" are
/// `wanted`, in file order.
pub(crate) fn each_interval(
    path: &Path,
    notes: &mut Vec<String>,
    wanted: impl Fn(&str, Kind, bool) -> bool,
    mut each: impl FnMut(Interval<'_>),
) -> Result<(), RecordError> {
    let mut decoder = Decoder::default();
    let mut with_end = String::new();
    lines(path, |number, line, whole| {
        if !whole {
            notes.push(torn(path, number));
            return Ok(());
        }
        if line.is_empty() || line.starts_with(['#', '"']) {
            return Ok(());
        }
        let wrong = |what: String| RecordError::corrupt(path, number, what);
        with_end.clear();
        with_end.push_str(line);
        with_end.push('\n');
        let Some(Ok(LogEntry::Interval(interval))) =
            IntervalLogIterator::new(with_end.as_bytes()).next()
        else {
            return Err(wrong("not a line of an HdrHistogram log".to_owned()));
        };
        let tag = interval.tag().map_or("", |t| t.as_str());
        let (warmup, name) = match tag.strip_prefix(hlog::WARMUP) {
            Some(name) => (true, name),
            None => (false, tag),
        };
        let Some((operation, kind)) = split_tag(name) else {
            return Err(wrong(format!("tag {tag:?} names no operation and kind")));
        };
        if !wanted(operation, kind, warmup) {
            return Ok(());
        }
        let bytes = STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|e| wrong(format!("histogram is not base64 ({e})")))?;
        let counts = decoder
            .decode(&bytes)
            .map_err(|e| wrong(format!("histogram cannot be decoded ({e})")))?;
        each(Interval {
            operation,
            kind,
            warmup,
            start_s: interval.start_timestamp().as_secs_f64(),
            dt_s: interval.duration().as_secs_f64(),
            counts,
        });
        Ok(())
    })
}

fn split_tag(tag: &str) -> Option<(&str, Kind)> {
    let (operation, kind) = tag.rsplit_once(':')?;
    let kind = [Kind::Response, Kind::Service].into_iter().find(|k| k.label() == kind)?;
    (!operation.is_empty()).then_some((operation, kind))
}

/// Adds counts to a sum, both in ascending order of value.
fn merge(sum: &mut Counts, more: Counts) {
    if sum.is_empty() {
        *sum = more;
        return;
    }
    let mut merged = Counts::with_capacity(sum.len() + more.len());
    let mut old = sum.iter().copied().peekable();
    for (value, n) in more {
        while let Some(before) = old.next_if(|(v, _)| *v < value) {
            merged.push(before);
        }
        let same = old.next_if(|(v, _)| *v == value).map_or(0, |(_, n)| n);
        merged.push((value, n.saturating_add(same)));
    }
    merged.extend(old);
    *sum = merged;
}

/// Counts as a histogram that grows as it needs to, three significant digits. `None` where a value
/// or a count is beyond what one can hold.
fn histogram(counts: &Counts) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new(3).ok()?;
    let mut total: u64 = 0;
    for (value, n) in counts {
        total = total.checked_add(*n)?;
        histogram.record_n(*value, *n).ok()?;
    }
    Some(histogram)
}

/// Both histograms of an operation.
pub(super) fn histograms(merged: &Merged) -> Option<OperationHistograms> {
    Some(OperationHistograms {
        response: histogram(&merged.response)?,
        service: histogram(&merged.service)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_counts_are_those_of_both_and_stay_in_order() {
        let mut sum = vec![(1, 1), (5, 2), (9, u64::MAX)];
        merge(&mut sum, vec![(0, 7), (5, 3), (9, 1), (12, 4)]);
        assert_eq!(sum, [(0, 7), (1, 1), (5, 5), (9, u64::MAX), (12, 4)]);
    }

    #[test]
    fn a_tag_names_an_operation_and_a_kind() {
        assert_eq!(split_tag("s3.put:service"), Some(("s3.put", Kind::Service)));
        for bad in ["", ":response", "s3.put", "s3.put:", "s3.put:other"] {
            assert_eq!(split_tag(bad), None, "{bad}");
        }
    }
}
