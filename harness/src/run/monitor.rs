//! Once a second: takes what was recorded, writes it down, and adds it up.

use std::sync::Arc;
use std::time::Duration;

use odg_reports::record::{ResourceRow, SeriesRow};
use odg_reports::stats::Clusters;
use odg_reports::store::{IntervalHistogram, Kind};
use odg_reports::summary::IntervalMean;
use odg_reports::{RecordError, RunWriter};
use odg_workloads::clock::Clock;
use odg_workloads::recorder::{Collected, OperationId, Recorder, Tally};

use crate::host::{GENERATOR, ResourceSampler};
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
    objectives: Vec<Option<OperationId>>,
    last_ns: u64,
    /// Sum of everything intended in the measured part, per operation.
    pub totals: Vec<Tally>,
    /// Sum of everything intended before it, per operation.
    pub outside: Vec<Tally>,
    /// Mean response and service time of each measured interval, per operation: for the confidence of the
    /// overall means.
    pub means: Vec<[Vec<IntervalMean>; 2]>,
    /// Operations of each interval of the log, per objective: operations within an interval depend on each
    /// other.
    pub clusters: Vec<Clusters>,
    /// Resource rows of the measured part.
    pub resources: Vec<ResourceRow>,
    /// Largest resident set of this process over the whole run, in bytes.
    pub peak_rss_bytes: u64,
    /// Most arrivals waiting in lane queues at the end of an interval.
    pub peak_backlog: u64,
    /// What the latest interval said.
    pub latest: Latest,
}

impl Monitor {
    /// A monitor that has collected nothing. `objectives` are their operations, where they are driven;
    /// `planned_s` is the run's length with its warm-up, in seconds.
    pub fn new(
        clock: Clock,
        recorder: Arc<Recorder>,
        objectives: Vec<Option<OperationId>>,
        planned_s: f64,
    ) -> Self {
        let totals: Vec<Tally> = recorder.operations().map(|_| Tally::default()).collect();
        Self {
            clock,
            recorder,
            sampler: ResourceSampler::new(),
            last_ns: 0,
            means: totals.iter().map(|_| [Vec::new(), Vec::new()]).collect(),
            outside: totals.clone(),
            totals,
            clusters: objectives.iter().map(|_| Clusters::new(planned_s)).collect(),
            objectives,
            peak_rss_bytes: 0,
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

    /// 99th percentile of an operation's response time so far, in nanoseconds; `None` without samples.
    pub fn p99_ns(&self, operation: &str) -> Option<u64> {
        let response = &self.totals[self.recorder.find(operation)?.index()].response;
        (!response.is_empty()).then(|| response.value_at_quantile(0.99))
    }

    /// Takes one interval and writes it.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub fn tick(&mut self, writer: &mut RunWriter, stack: &Stack) -> Result<(), RecordError> {
        let now_ns = self.clock.now_ns();
        let collected = self.recorder.collect();
        let (start_s, t_s) = (self.last_ns as f64 / 1e9, now_ns as f64 / 1e9);
        let measured_from = self.recorder.measured_ns().0;
        // The interval in which the measured part begins holds a few operations of either part. Each goes
        // where its intended start puts it, so that the files add up to the record.
        let mut rows = Vec::new();
        for measured in [false, true] {
            let part =
                |c: &'_ Collected| if measured { c.measured.clone() } else { c.outside.clone() };
            let tallies: Vec<Tally> = collected.iter().map(part).collect();
            let begun =
                if measured { now_ns > measured_from } else { self.last_ns < measured_from };
            if begun || tallies.iter().any(|t| t.offered + t.completed + t.error_count() > 0) {
                rows = self.write_part(writer, &collected, &tallies, (start_s, t_s), measured)?;
            }
        }
        let groups: Vec<(String, Vec<i32>)> = stack
            .processes()
            .into_iter()
            .map(|(component, pids)| (component.name().to_owned(), pids))
            .collect();
        let mut resources = stack.resources(t_s);
        resources.extend(self.sampler.sample(t_s, &groups));
        writer.resources(&resources)?;
        for ((total, outside), c) in self.totals.iter_mut().zip(&mut self.outside).zip(&collected) {
            total.merge(&c.measured);
            outside.merge(&c.outside);
        }
        for (operation, clusters) in self.objectives.iter().zip(&mut self.clusters) {
            let Some(tally) = operation.map(|id| &collected[id.index()].measured) else { continue };
            let failed = tally.error_count() + tally.out_of_range[0];
            clusters.add(start_s, t_s - start_s, &tally.response, failed);
        }
        self.peak_backlog = self.peak_backlog.max(rows.iter().map(|r| r.backlog).sum());
        // A row tells of the interval before it, and comes a few milliseconds after its end; those that an
        // engine counts have times of their own.
        let (from, to) = self.recorder.measured_ns();
        let half = INTERVAL.as_secs_f64() / 2.0;
        let measured = from as f64 / 1e9 + half..=to as f64 / 1e9 + half;
        self.resources.extend(resources.iter().filter(|row| measured.contains(&row.t_s)).cloned());
        let own = resources.iter().find(|row| row.component == GENERATOR);
        self.peak_rss_bytes = self.peak_rss_bytes.max(own.map_or(0, |row| row.rss_bytes));
        self.latest = Latest { rows, resources };
        self.last_ns = now_ns;
        Ok(())
    }

    /// Writes the rows and histograms of one part of the run, and keeps the measured means.
    fn write_part(
        &mut self,
        writer: &mut RunWriter,
        collected: &[Collected],
        tallies: &[Tally],
        (start_s, t_s): (f64, f64),
        measured: bool,
    ) -> Result<Vec<SeriesRow>, RecordError> {
        let dt_s = t_s - start_s;
        let name = |c: &Collected| self.recorder.operation(c.id).name;
        let rows: Vec<SeriesRow> = collected
            .iter()
            .zip(tallies)
            .map(|(c, tally)| row(name(c), tally, c, (t_s, dt_s), measured))
            .collect();
        let histograms: Vec<IntervalHistogram<'_>> = collected
            .iter()
            .zip(tallies)
            .flat_map(|(c, tally)| {
                let operation = name(c);
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
        if measured {
            for (means, row) in self.means.iter_mut().zip(&rows).filter(|(_, r)| r.completed > 0) {
                means[0].push(IntervalMean::response(row));
                means[1].push(IntervalMean::service(row));
            }
        }
        Ok(rows)
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
