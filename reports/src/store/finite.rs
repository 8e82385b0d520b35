//! JSON has no NaN: figures that are not finite become 0 before they are written. Those of rows are
//! counted as they come, and the record that ends the run says how many there were in all.

use crate::record::{LatencySummary, ResourceRow, RunRecord, SeriesRow, Warning};

/// The row as it can be written; what was not finite is added to `fixed`.
pub(super) fn series_row(mut r: SeriesRow, fixed: &mut u64) -> SeriesRow {
    let mut fix = Fix::default();
    for figure in [
        &mut r.t_s,
        &mut r.dt_s,
        &mut r.response_p50_us,
        &mut r.response_p99_us,
        &mut r.response_max_us,
        &mut r.response_mean_us,
        &mut r.service_p50_us,
        &mut r.service_p99_us,
        &mut r.service_max_us,
        &mut r.service_mean_us,
    ] {
        fix.figure(figure);
        *figure = figure.max(0.0);
    }
    *fixed += fix.fixed;
    r
}

/// Likewise.
pub(super) fn resource_row(mut r: ResourceRow, fixed: &mut u64) -> ResourceRow {
    let mut fix = Fix::default();
    fix.figure(&mut r.t_s);
    fix.figure(&mut r.cpu_cores);
    *fixed += fix.fixed;
    r
}

/// The record as it can be written, with a warning where it or one of the rows before (`fixed`) was
/// not finite.
pub(super) fn run_record(mut r: RunRecord, fixed: u64) -> RunRecord {
    let mut fix = Fix { fixed };
    let c = &mut r.config;
    for figure in [
        &mut c.duration_s,
        &mut c.warmup_s,
        &mut c.volume_bytes_per_day,
        &mut c.scale,
        &mut c.speedup,
        &mut c.offered_bytes_per_s,
        &mut c.offered_events_per_s,
    ] {
        fix.figure(figure);
    }
    for operation in &mut r.operations {
        fix.latency(&mut operation.response);
        fix.latency(&mut operation.service);
        if let Some(law) = &mut operation.littles_law {
            fix.figure(&mut law.measured_in_flight);
            fix.figure(&mut law.expected_in_flight);
            fix.figure(&mut law.relative_error);
        }
    }
    let g = &mut r.generator;
    fix.latency(&mut g.lag);
    for figure in [&mut g.held, &mut g.ceiling_events_per_s, &mut g.utilisation, &mut g.cpu_cores] {
        fix.figure(figure);
    }
    for resource in &mut r.resources {
        fix.figure(&mut resource.cpu_cores_mean);
        fix.figure(&mut resource.cpu_cores_max);
    }
    for objective in &mut r.objectives {
        fix.option(&mut objective.ratio);
        fix.option(&mut objective.design_effect);
    }
    for feature in &mut r.features {
        fix.figure(&mut feature.took_ms);
    }
    for event in &mut r.events {
        fix.figure(&mut event.t_s);
    }
    if fix.fixed > 0 {
        r.warnings.push(Warning {
            code: "not_finite".to_owned(),
            text: format!("{} figures were not finite and are shown as 0", fix.fixed),
            action: "Read a 0 in series.csv or run.json as absent where it cannot be.".to_owned(),
        });
    }
    r
}

#[derive(Default)]
struct Fix {
    fixed: u64,
}

impl Fix {
    fn figure(&mut self, figure: &mut f64) {
        if !figure.is_finite() {
            *figure = 0.0;
            self.fixed += 1;
        }
    }

    fn option(&mut self, figure: &mut Option<f64>) {
        if figure.is_some_and(|f| !f.is_finite()) {
            *figure = None;
        }
    }

    fn latency(&mut self, latency: &mut LatencySummary) {
        self.figure(&mut latency.mean_ns);
        self.option(&mut latency.mean_ci95_ns);
    }
}
