//! The offered load in words: planned and realised, and how it compares with the daily volume.

use crate::record::{OperationSummary, RunRecord};
use crate::units;

/// The operation whose arrivals and bytes the planned load is about.
const PUBLISH: &str = "bus.publish";

/// Offered load ÷ daily volume, as rates: 1 is the full volume.
pub(crate) fn factor_of(record: &RunRecord) -> f64 {
    record.config.scale * record.config.speedup
}

/// Whether the load was not the full one.
pub(crate) fn is_scaled(factor: f64) -> bool {
    factor.is_finite() && (factor - 1.0).abs() > 1e-6
}

/// A load factor (`×0.05`), to three significant digits.
pub(crate) fn times(factor: f64) -> String {
    let digits = 10f64.powf(2.0 - factor.abs().log10().floor());
    let rounded = (factor * digits).round() / digits;
    format!("×{}", if rounded.is_finite() { rounded } else { factor })
}

/// The sentence for a load that was not the full one.
pub(crate) fn other_volume(factor: f64) -> String {
    let mut text = format!("the load was {} of the daily volume", times(factor));
    if factor < 1.0 {
        text.push_str("; the full volume was not offered");
    }
    text
}

/// What was planned, and what completed in the measured part.
pub(crate) struct Load {
    /// `11.46 of 11.57 MB/s planned`, or only what was planned where nothing was measured.
    pub(crate) bytes: String,
    /// `1,127 of 1,131 events/s`, likewise.
    pub(crate) events: String,
    /// Realised and planned apart (`11.46 MB/s`, `11.57 MB/s`), where something was measured.
    pub(crate) apart: Option<(String, String)>,
}

/// Planned and realised load over `measured_s` seconds.
pub(crate) fn load(record: &RunRecord, measured_s: f64) -> Load {
    let c = &record.config;
    let published = |o: &&OperationSummary| o.name == PUBLISH && o.completed > 0;
    let planned_events = units::rate(c.offered_events_per_s);
    let Some(publish) = record.operations.iter().find(published).filter(|_| measured_s > 0.0)
    else {
        return Load {
            bytes: format!("{} planned", units::bytes_per_s(c.offered_bytes_per_s)),
            events: format!("{planned_events} events/s"),
            apart: None,
        };
    };
    let (realised, planned, unit) =
        units::bytes_per_s_beside(publish.bytes as f64 / measured_s, c.offered_bytes_per_s);
    let events = units::rate(publish.completed as f64 / measured_s);
    Load {
        bytes: format!("{realised} of {planned} {unit} planned"),
        events: format!("{events} of {planned_events} events/s"),
        apart: Some((format!("{realised} {unit}"), format!("{planned} {unit}"))),
    }
}

/// The daily volume and the share of it that was offered (`1.00 TB/day ×0.05`).
pub(crate) fn volume(record: &RunRecord) -> String {
    let volume = units::bytes(record.config.volume_bytes_per_day);
    format!("{volume}/day {}", times(factor_of(record)))
}

/// The load in one line.
pub(crate) fn line(record: &RunRecord, measured_s: f64) -> String {
    let load = load(record, measured_s);
    format!("{} ({}), {}, {}", load.bytes, volume(record), load.events, record.config.arrivals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn realised_load_stands_beside_the_planned_one() {
        let mut record = testing::record();
        record.operations[0].bytes = 687_600_000;
        record.operations[0].completed = 53_400;
        let got = line(&record, 60.0);
        assert_eq!(
            got,
            "11.46 of 11.57 MB/s planned (1.00 TB/day ×1), 890 of 900 events/s, poisson"
        );
    }

    #[test]
    fn where_nothing_was_measured_only_the_plan_is_claimed() {
        let record = testing::record();
        assert!(line(&record, 0.0).starts_with("11.6 MB/s planned"));
        assert!(load(&record, 60.0).apart.is_none());
    }

    #[test]
    fn the_daily_volume_is_multiplied_by_scale_and_speedup() {
        let mut record = testing::record();
        (record.config.scale, record.config.speedup) = (0.05, 1.0);
        assert!(is_scaled(factor_of(&record)));
        assert_eq!(volume(&record), "1.00 TB/day ×0.05");
        (record.config.scale, record.config.speedup) = (1.0 / 60.0, 60.0);
        assert!(!is_scaled(factor_of(&record)));
        assert_eq!(times(1.0 / 3.0), "×0.333");
        assert_eq!(times(0.0), "×0");
        assert_eq!(times(60.0), "×60");
    }
}
