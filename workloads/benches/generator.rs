//! What the generator costs: recording, and the whole path against the null target.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use odg_workloads::clock::Clock;
use odg_workloads::event::STAMP_LEN;
use odg_workloads::ledger::{Hop, Ledger};
use odg_workloads::null::{CEILING_EVENT_BYTES, NullRun};
use odg_workloads::pacer::{lag_histogram, pace, request_realtime};
use odg_workloads::payload::{EventSource, KEYS, Pool};
use odg_workloads::recorder::{Operation, Outcome, Recorder, Span, empty_histogram};
use odg_workloads::schedule::{Arrivals, Merged, Schedule};

fn generator(c: &mut Criterion) {
    let mut group = c.benchmark_group("generator");
    group.throughput(Throughput::Elements(1));

    let mut histogram = empty_histogram();
    let mut value = 1_000u64;
    group.bench_function("record one value in a histogram", |b| {
        b.iter(|| {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 34;
            histogram.record(value + 1_000)
        });
    });

    let operation = Operation { name: "null.publish", component: "", description: "" };
    let recorder = Recorder::new(vec![operation], (0, u64::MAX));
    let lane = recorder.operations().next().map(|(id, _)| recorder.lane(id));
    if let Some(lane) = lane {
        let mut t = 0u64;
        group.bench_function("record an operation (lock, two histograms, counters)", |b| {
            b.iter(|| {
                t += 977;
                lane.offer(t);
                lane.begin();
                let span =
                    Span { intended_ns: t, start_ns: t + 300, end_ns: t + 40_000 + t % 8_192 };
                lane.end(span, Outcome::Completed { bytes: 1024 }, 0);
            });
        });
    }

    let mut schedule = Schedule::new(Arrivals::Poisson, 1e9, Duration::from_secs(86_400), 1, 0);
    group.bench_function("schedule one Poisson arrival", |b| b.iter(|| schedule.next()));

    let mut source = EventSource::new(Pool::fixed(CEILING_EVENT_BYTES, 1), 1);
    let mut frame = Vec::with_capacity(CEILING_EVENT_BYTES + STAMP_LEN);
    group.bench_function("make and checksum a 1 KiB event", |b| {
        b.iter(|| source.next_into(1, 2, &mut frame));
    });

    let ledger = Ledger::new(KEYS);
    let mut sequence = 0;
    group.bench_function("enter an event in the ledger at one hop", |b| {
        b.iter(|| {
            ledger.reached(Hop::Sent, 7, sequence);
            sequence += 1;
        });
    });

    let clock = Clock::starting_in(Duration::ZERO);
    group.bench_function("read the clock", |b| b.iter(|| clock.now_ns()));

    group.bench_function("whole path, 1 KiB events, null target", |b| {
        b.iter_custom(|count| {
            let mut run = NullRun::new(Pool::fixed(CEILING_EVENT_BYTES, 1), 1);
            run.send(1_000);
            let start = Instant::now();
            run.send(count);
            start.elapsed()
        });
    });
    group.finish();
}

/// Lag of the pacing thread. What criterion calls time is the 99th percentile of the lag over half a second
/// of a Poisson schedule, not the time of an iteration.
fn pacing(c: &mut Criterion) {
    const RATE: f64 = 10_000.0;
    const LENGTH: Duration = Duration::from_millis(500);
    let mut group = c.benchmark_group("pacing");
    group.sample_size(20);
    group.bench_function("p99 lag at 10,000 arrivals/s", |b| {
        b.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for seed in 0..iterations {
                let lag = std::thread::spawn(move || {
                    request_realtime();
                    let schedule = Schedule::new(Arrivals::Poisson, RATE, LENGTH, seed, 0);
                    let clock = Clock::starting_in(Duration::from_millis(1));
                    let stop = AtomicBool::new(false);
                    let mut lag = lag_histogram();
                    pace(Merged::new(vec![schedule]), &clock, &stop, |arrival, now| {
                        lag.saturating_record(now - arrival.intended_ns);
                    });
                    lag.value_at_quantile(0.99)
                });
                total += Duration::from_nanos(lag.join().unwrap_or(u64::MAX));
            }
            total
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4));
    targets = generator, pacing
}
criterion_main!(benches);
