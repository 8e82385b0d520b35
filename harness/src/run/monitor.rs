//! Once a second: takes what was recorded, writes it down, and adds it up.

use std::sync::Arc;
use std::time::Duration;

use odg_reports::record::{ResourceRow, SeriesRow};
use odg_reports::store::{IntervalHistogram, Kind};
use odg_reports::{RecordError, RunWriter};
use odg_workloads::clock::Clock;
use odg_workloads::recorder::{Collected, Recorder, Tally};

use crate::host::ResourceSampler;
use crate::provider::Stack;

/// Length of an interval.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// What is known after the latest interval, for progress.
#[derive(Debug, Clone, Default)]
pub struct Latest {
    /// Rows of the latest interval.
    pub rows: Vec<SeriesRow>,
    /// Resource rows of the latest interval.
    pub resources: Vec<ResourceRow>,
}

/// Collects a run's recordings interval by interval.
pub struct Monitor {
    clock: Clock,
    recorder: Arc<Recorder>,
    sampler: ResourceSampler,
    last_ns: u64,
    /// Sum of everything intended in the measured part, per operation.
    pub totals: Vec<Tally>,
    /// Mean response and service time of each measured interval, in nanoseconds, per operation: for the
    /// confidence of the overall means.
    pub means: Vec<[Vec<f64>; 2]>,
    /// Resource rows of the measured part.
    pub resources: Vec<ResourceRow>,
    /// Most arrivals waiting in lane queues at the end of an interval.
    pub peak_backlog: u64,
    /// What the latest interval said.
    pub latest: Latest,
}

impl Monitor {
    /// A monitor that has collected nothing.
    pub fn new(clock: Clock, recorder: Arc<Recorder>) -> Self {
        let totals: Vec<Tally> = recorder.operations().map(|_| Tally::default()).collect();
        Self {
            clock,
            recorder,
            sampler: ResourceSampler::new(),
            last_ns: 0,
            means: totals.iter().map(|_| [Vec::new(), Vec::new()]).collect(),
            totals,
            resources: Vec::new(),
            peak_backlog: 0,
            latest: Latest::default(),
        }
    }

    /// Whether the current interval is over. Intervals end on whole seconds, so that the end of the
    /// warm-up is the end of one.
    pub fn is_due(&self) -> bool {
        let interval = INTERVAL.as_nanos() as u64;
        self.clock.now_ns() / interval > self.last_ns / interval
    }

    /// Takes one interval and writes it.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub fn tick(&mut self, writer: &mut RunWriter, stack: &Stack) -> Result<(), RecordError> {
        let now_ns = self.clock.now_ns();
        let collected = self.recorder.collect();
        let (start_s, t_s) = (self.last_ns as f64 / 1e9, now_ns as f64 / 1e9);
        let dt_s = t_s - start_s;
        // The interval in which the measured part begins starts at most a few milliseconds late.
        let measured = now_ns > self.recorder.measured_ns().0 + INTERVAL.as_nanos() as u64 / 2;
        let part = |c: &Collected| if measured { c.measured.clone() } else { c.outside.clone() };
        let tallies: Vec<Tally> = collected.iter().map(part).collect();
        let rows: Vec<SeriesRow> = collected
            .iter()
            .zip(&tallies)
            .map(|(c, tally)| {
                let name = self.recorder.operation(c.id).name;
                row(name, tally, c, (t_s, dt_s), measured)
            })
            .collect();
        let histograms: Vec<IntervalHistogram<'_>> = collected
            .iter()
            .zip(&tallies)
            .flat_map(|(c, tally)| {
                let operation = self.recorder.operation(c.id).name;
                [(Kind::Response, &tally.response), (Kind::Service, &tally.service)].map(
                    |(kind, histogram)| IntervalHistogram {
                        operation,
                        kind,
                        start_s,
                        dt_s,
                        histogram,
                    },
                )
            })
            .collect();
        writer.interval(&rows, &histograms)?;
        let groups: Vec<(String, Vec<i32>)> = stack
            .processes()
            .into_iter()
            .map(|(component, pids)| (component.name().to_owned(), pids))
            .collect();
        let resources = self.sampler.sample(t_s, &groups);
        writer.resources(&resources)?;
        for (total, c) in self.totals.iter_mut().zip(&collected) {
            total.merge(&c.measured);
            // A warm-up operation that was in flight when the measured part began.
            total.overlap_ns += c.outside.overlap_ns;
        }
        self.peak_backlog = self.peak_backlog.max(rows.iter().map(|r| r.backlog).sum());
        if measured {
            for (means, row) in self.means.iter_mut().zip(&rows).filter(|(_, r)| r.completed > 0) {
                means[0].push(row.response_mean_us * 1e3);
                means[1].push(row.service_mean_us * 1e3);
            }
        }
        if (self.recorder.measured_ns().0..=self.recorder.measured_ns().1).contains(&now_ns) {
            self.resources.extend(resources.iter().cloned());
        }
        self.latest = Latest { rows, resources };
        self.last_ns = now_ns;
        Ok(())
    }
}

fn row(
    operation: &str,
    tally: &Tally,
    collected: &Collected,
    (t_s, dt_s): (f64, f64),
    measured: bool,
) -> SeriesRow {
    let us = |ns: u64| ns as f64 / 1e3;
    let (response, service) = (&tally.response, &tally.service);
    SeriesRow {
        t_s,
        dt_s,
        operation: operation.into(),
        measured,
        offered: tally.offered,
        completed: tally.completed,
        errors: tally.error_count(),
        bytes: tally.bytes,
        in_flight: collected.in_flight,
        backlog: collected.backlog,
        response_p50_us: us(response.value_at_quantile(0.5)),
        response_p99_us: us(response.value_at_quantile(0.99)),
        response_max_us: us(response.max()),
        response_mean_us: if response.is_empty() { 0.0 } else { response.mean() / 1e3 },
        service_p50_us: us(service.value_at_quantile(0.5)),
        service_p99_us: us(service.value_at_quantile(0.99)),
        service_max_us: us(service.max()),
        service_mean_us: if service.is_empty() { 0.0 } else { service.mean() / 1e3 },
    }
}
