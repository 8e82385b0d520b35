//! The interval log of a long run, whose seconds are merged.

use std::fs;

use crate::read::Run;
use crate::record::SeriesRow;
use crate::store::LATENCY_LOG;
use crate::testing;

#[test]
fn the_clusters_of_a_verdict_are_the_intervals_of_the_record() {
    use crate::record::JournalLine;
    use crate::stats::Clusters;
    use crate::store::{IntervalHistogram, Kind};

    let tmp = tempfile::tempdir().unwrap();
    let mut record = testing::record();
    // Long enough that the log merges ten seconds to an interval.
    record.config.duration_s = 9_000.0 - record.config.warmup_s;
    let mut writer = crate::RunWriter::create(tmp.path()).unwrap();
    writer.journal(&JournalLine::Start { record: Box::new(record.clone()) }).unwrap();
    let mut clusters = Clusters::new(record.config.warmup_s + record.config.duration_s);
    for second in 0..47u32 {
        let mut histogram =
            hdrhistogram::Histogram::<u64>::new_with_bounds(256, 1 << 40, 3).unwrap();
        for n in 0..20 + u64::from(second) {
            histogram.record(300 + n * n * 7_919 * u64::from(second % 5 + 1)).unwrap();
        }
        let (start_s, dt_s) = (f64::from(second) + 0.01, 1.0);
        let measured = second >= 5;
        let row = SeriesRow {
            t_s: start_s + dt_s,
            dt_s,
            operation: "s3.put".into(),
            measured,
            ..SeriesRow::default()
        };
        let logged = IntervalHistogram {
            operation: "s3.put",
            kind: Kind::Response,
            start_s,
            dt_s,
            histogram: &histogram,
        };
        writer.interval(&[row], &[logged]).unwrap();
        if measured {
            clusters.add(start_s, dt_s, &histogram, 0);
        }
    }
    writer.finish(&record).unwrap();
    let read = Run::intervals(tmp.path()).unwrap().response.remove("s3.put").unwrap();
    let judged: Vec<_> = clusters.all().into_iter().map(|c| c.counts).collect();
    assert_eq!(judged.len(), 5);
    assert_eq!(read, judged);
}

#[test]
fn the_log_of_a_killed_long_run_says_what_it_lacks() {
    let tmp = tempfile::tempdir().unwrap();
    let (writer, _) = testing::write_without_end(tmp.path());
    drop(writer);
    // As after a kill in the middle of a long interval: its last ten seconds never came.
    let path = tmp.path().join(LATENCY_LOG);
    let log = fs::read_to_string(&path).unwrap();
    let kept = log.lines().filter(|line| {
        !line.starts_with("Tag=") || line.split(',').nth(1).unwrap().parse::<f64>().unwrap() < 55.0
    });
    fs::write(&path, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let run = Run::open(tmp.path()).unwrap();
    let note = "latency.hlog ends 10 s before series.csv; what completed after is in no percentile";
    assert!(run.notes.iter().any(|n| n == note), "{:?}", run.notes);
}
