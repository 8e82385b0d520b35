//! What the fuzz target and the property test do with bytes that nobody promised anything about:
//! they put them into a record, and every report of it must be made, or one clear line be given.

use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use odg_reports::record::{JournalLine, OperationSummary, ResourceRow, RunRecord, SeriesRow};
use odg_reports::store::{IntervalHistogram, Kind};
use odg_reports::{Run, RunWriter, html, junit, markdown, openmetrics, plots, terminal};

const TEMPLATE: &str = include_str!("../examples/record.json");
const FILES: [&str; 4] = ["run.json", "journal.jsonl", "series.csv", "latency.hlog"];

/// Names and contents of a record's files.
pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

/// A small record, whole.
pub(crate) fn record(dir: &Path) -> Result<Files, Box<dyn std::error::Error>> {
    let mut record: RunRecord = serde_json::from_str(TEMPLATE)?;
    let mut writer = RunWriter::create(dir)?;
    writer.journal(&JournalLine::Start { record: Box::new(record.clone()) })?;
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?;
    for us in 1..40 {
        histogram.record(us * us * 10_000)?;
    }
    for second in 0..3u32 {
        let start_s = f64::from(second);
        let names = ["bus.publish", "s3.put"];
        let rows = names.map(|name| SeriesRow {
            t_s: start_s + 1.0,
            dt_s: 1.0,
            operation: name.into(),
            measured: second > 0,
            completed: 39,
            ..SeriesRow::default()
        });
        let histograms = names.map(|operation| IntervalHistogram {
            operation,
            kind: Kind::Response,
            start_s,
            dt_s: 1.0,
            histogram: &histogram,
        });
        writer.interval(&rows, &histograms)?;
        writer.resources(&[ResourceRow {
            t_s: start_s + 1.0,
            component: "kafka".into(),
            ..ResourceRow::default()
        }])?;
    }
    for name in ["bus.publish", "s3.put"] {
        let summary = OperationSummary { name: name.into(), ..OperationSummary::default() };
        record.operations.push(summary);
    }
    writer.finish(&record)?;
    FILES.iter().map(|name| Ok((*name, fs::read(dir.join(name))?))).collect()
}

/// Damages `record` as `data` says, and reads and reports it from `dir`. The first byte chooses the
/// file, the second what is done to it (written over, put in, put in its place, or cut off there), the
/// next two where; the rest is put there.
///
/// # Panics
/// Where a reader or a report breaks a promise.
pub(crate) fn damaged(dir: &Path, record: &[(&str, Vec<u8>)], data: &[u8]) {
    let [file, how, hi, lo, rest @ ..] = data else { return };
    let damaged = usize::from(*file) % FILES.len();
    for (at, (name, content)) in record.iter().enumerate() {
        let mut content = content.clone();
        if at == damaged {
            let place = usize::from(u16::from_be_bytes([*hi, *lo])) % (content.len() + 1);
            match how % 4 {
                0 => {
                    let end = (place + rest.len()).min(content.len());
                    content.splice(place..end, rest.iter().copied());
                }
                1 => drop(content.splice(place..place, rest.iter().copied())),
                2 => content = rest.to_vec(),
                _ => content.truncate(place),
            }
        }
        fs::write(dir.join(name), content).expect("a scratch directory can be written");
    }
    // Every other time as after a kill: without run.json.
    if how & 4 != 0 {
        fs::remove_file(dir.join(FILES[0])).expect("it was just written");
    }
    match Run::open(dir) {
        Ok(run) => report(&run),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
        }
    }
}

fn report(run: &Run) {
    let charts = plots::charts(run).expect("every chart can be drawn");
    let page = html::html_report(run, charts).expect("the page can be made");
    assert!(page.len() <= 5_000_000, "{} bytes of HTML", page.len());
    assert_eq!(page.matches("<script").count(), 1, "only the page's own script");
    assert!(markdown::markdown_report(run).len() < 65_536);
    assert!(openmetrics::openmetrics(&run.record, run.measured_s()).ends_with("# EOF\n"));
    assert!(junit::junit(&run.record).ends_with("</testsuites>\n"));
    assert!(terminal::one_screen(&run.record, 80, false).lines().count() <= 24);
}
