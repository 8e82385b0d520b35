//! What a run is asked to do, worked out before anything is started.

use std::time::Duration;

use odg_profiles::units::format_rate;
use odg_profiles::{Component, Presence, Profile, Volume};
use odg_reports::record::{RunConfig, Warning};
use odg_workloads::day::load::{Load, Offered};
use odg_workloads::driver::kafka::KafkaOptions;
use odg_workloads::governance::DECISIONS_PER_S;
use odg_workloads::payload::Pool;
use odg_workloads::schedule::{Arrivals, DAY_S, DaySlice};
use sha2::{Digest, Sha256};

use crate::exit::Failure;
use crate::host;

/// Measured part of a run without `--duration`.
pub const DURATION: Duration = Duration::from_secs(60);
/// Warm-up of a run without `--warmup`. A JVM's compiler needs this long on a busy small machine: latencies
/// still fall by half in the ten seconds before it.
pub const WARMUP: Duration = Duration::from_secs(30);
/// A load that differs by less from the profile's daily volume counts as the full one.
const SAME_LOAD: f64 = 0.01;
/// Longest run, so that a mistyped length is refused and not waited for.
pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Offered bytes per second and core that a machine can carry which hosts the servers and the generator
/// together. Measured: see "How much one machine carries" in docs/performance.md. Only used to choose a
/// scale where none is given, and said wherever it was used.
pub const LOCAL_BYTES_PER_S_PER_CORE: f64 = 10e6;
/// Partitions of each topic where the profile states none.
const PARTITIONS: i32 = 4;

/// The load multiplier as asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Full load where this machine can carry it, else as much as it can.
    Auto,
    /// This much.
    Fixed(f64),
}

/// Options of a run, as typed.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Profile's name or file.
    pub profile: String,
    /// Instead of the profile's daily volume.
    pub volume: Option<Volume>,
    /// Load multiplier.
    pub scale: Scale,
    /// `constant`, `poisson` or `day`; `day` where a window is given, else `poisson`.
    pub arrivals: Option<String>,
    /// Slice of the day.
    pub window: Option<(f64, f64)>,
    /// Time compression.
    pub speedup: f64,
    /// Measured part.
    pub duration: Option<Duration>,
    /// Warm-up; rounded up to whole seconds, the grid of the series.
    pub warmup: Option<Duration>,
    /// Seed.
    pub seed: u64,
    /// Decisions per second that the platform's own services are offered, instead of the usual.
    pub decisions_per_s: Option<f64>,
}

/// A run, ready to be started or printed.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// Profile.
    pub profile: Profile,
    /// Load.
    pub load: Load,
    /// Offered rates.
    pub offered: Offered,
    /// Warm-up.
    pub warmup: Duration,
    /// Partitions of each topic.
    pub partitions: i32,
    /// Kafka client settings.
    pub kafka: KafkaOptions,
    /// Decisions per second that the platform's own services are offered, where they are there.
    pub decisions_per_s: f64,
    /// Mean load ÷ the profile's daily volume, whatever made the difference.
    pub load_factor: f64,
    /// For the record.
    pub config: RunConfig,
    /// Marks that are known already.
    pub marks: Vec<String>,
    /// Warnings that are known already.
    pub warnings: Vec<Warning>,
}

fn warning(code: &str, text: String, action: &str) -> Warning {
    Warning { code: code.into(), text, action: action.into() }
}

impl RunRequest {
    /// Works out rates, lengths and marks for a machine with `cores` cores. `shared` says that the
    /// servers run on the same machine.
    ///
    /// # Errors
    /// An unknown profile, or options that contradict each other: one line that says what to do.
    pub fn plan(&self, cores: u32, shared: bool) -> Result<RunPlan, Failure> {
        let profile = Profile::load(&self.profile)?;
        runnable(&profile)?;
        let volume = self.volume.unwrap_or(profile.volume.default);
        let warmup = self.warmup.unwrap_or(WARMUP);
        let warmup = Duration::from_secs(warmup.as_secs() + u64::from(warmup.subsec_nanos() > 0));
        let (arrivals, duration) = self.timing(warmup)?;
        let length = warmup + duration;
        let has_kafka = profile.presence(Component::Kafka) == Presence::Present;
        let has_nats = profile.presence(Component::Nats) == Presence::Present;
        let mut load = Load {
            bytes_per_day: volume.bytes_per_day() as f64,
            scale: 1.0,
            speedup: self.speedup,
            arrivals,
            length,
            notifications: has_kafka && has_nats,
            seed: self.seed,
        };
        let pool = Pool::day(self.seed);
        let mut marks = Vec::new();
        let mut warnings = Vec::new();
        let mut scale_reason = None;
        match self.scale {
            Scale::Fixed(scale) => {
                load.scale = scale;
                if scale != 1.0 {
                    scale_reason = Some("asked for with --scale".to_owned());
                }
            }
            Scale::Auto if shared => {
                let full = load.offered(&pool).bytes_per_s;
                let carried = f64::from(cores) * LOCAL_BYTES_PER_S_PER_CORE;
                if full > carried {
                    load.scale = round_down(carried / full);
                    let reason = format!(
                        "servers and generator share {cores} cores, which carry about {}; the full load is {}",
                        format_rate(carried),
                        format_rate(full)
                    );
                    warnings.push(warning(
                        "scaled-load",
                        format!("load scaled to {} of the daily volume: {reason}", load.scale),
                        "run on a larger machine, or force the full load with --scale 1",
                    ));
                    scale_reason = Some(reason);
                }
            }
            Scale::Auto => {}
        }
        let offered = load.offered(&pool);
        let load_factor = load.bytes_per_s() / profile.volume.default.bytes_per_second();
        if (load_factor - 1.0).abs() > SAME_LOAD {
            marks.push(format!("scaled load ×{}", three_figures(load_factor)));
        }
        if let Some(min) = profile.volume.min.filter(|min| volume < *min) {
            warnings.push(warning(
                "volume-outside-class",
                format!("{volume} is less than the {min} of profile {}", profile.name),
                "choose the profile with `odg-bench profiles recommend --volume …`",
            ));
        }
        if let Some(max) = profile.volume.max.filter(|max| volume > *max) {
            warnings.push(warning(
                "volume-outside-class",
                format!("{volume} is more than the {max} of profile {}", profile.name),
                "choose the profile with `odg-bench profiles recommend --volume …`",
            ));
        }
        if shared {
            marks.extend(host::scaled_mark(cores, host::memory_bytes(), &profile.resources));
        }
        if cfg!(debug_assertions) {
            marks.push("debug build".into());
            warnings.push(warning(
                "debug-build",
                "odg-bench was built without optimisation: its own costs are several times larger"
                    .into(),
                "build it with `cargo build --release`",
            ));
        }
        let KafkaSettings { partitions, client: kafka, not_applied } = kafka_settings(&profile)?;
        if shared && !not_applied.is_empty() {
            warnings.push(warning(
                "tuning-not-applied",
                format!(
                    "documented tuning that this provider's servers do not run with: {}",
                    not_applied.join(", ")
                ),
                "attach to a deployment that has it",
            ));
        }
        let window = match arrivals {
            Arrivals::Day(slice) => Some(format!("{}-{}", clock(slice.from_s), clock(slice.to_s))),
            _ => None,
        };
        let mut config = RunConfig {
            seed: self.seed,
            arrivals: arrivals.name().into(),
            duration_s: duration.as_secs_f64(),
            warmup_s: warmup.as_secs_f64(),
            volume_bytes_per_day: volume.bytes_per_day() as f64,
            scale: load.scale,
            scale_reason,
            speedup: self.speedup,
            window,
            offered_bytes_per_s: offered.bytes_per_s,
            offered_events_per_s: offered.events_per_s,
            hash: String::new(),
        };
        config.hash = hash(&profile, &config, self.decisions_per_s);
        Ok(RunPlan {
            profile,
            load,
            offered,
            warmup,
            partitions,
            kafka,
            // A load that is scaled down is scaled down for every system; no volume raises this one.
            decisions_per_s: self.decisions_per_s.unwrap_or(DECISIONS_PER_S * load.scale.min(1.0)),
            load_factor,
            config,
            marks,
            warnings,
        })
    }

    fn timing(&self, warmup: Duration) -> Result<(Arrivals, Duration), Failure> {
        let name = self.arrivals.as_deref().unwrap_or(match self.window {
            Some(_) => "day",
            None => "poisson",
        });
        if name != "day" {
            if self.window.is_some() {
                return Err(Failure::usage(format!(
                    "--window cuts a day, and --arrivals {name} has none; drop one, or use --arrivals day"
                )));
            }
            let arrivals = if name == "constant" { Arrivals::Constant } else { Arrivals::Poisson };
            return Ok((arrivals, self.duration.unwrap_or(DURATION)));
        }
        let (from_s, to_s) = self.window.unwrap_or((0.0, DAY_S));
        let slice = DaySlice { from_s, to_s, speedup: self.speedup };
        if (to_s - from_s) / self.speedup > LONGEST.as_secs_f64() {
            return Err(Failure::usage(format!(
                "the window takes more than {} days at speed-up {}: raise --speedup or narrow --window",
                LONGEST.as_secs() / 86_400,
                self.speedup
            )));
        }
        let whole = slice.run_time();
        let asked = match self.duration {
            Some(duration) => duration,
            None => whole.checked_sub(warmup).unwrap_or_default(),
        };
        if asked < Duration::from_secs(1) {
            return Err(Failure::usage(format!(
                "the window takes {:.1} s at speed-up {} and the warm-up {} s; nothing is left to \
                 measure: widen --window, or lower --speedup or --warmup",
                whole.as_secs_f64(),
                self.speedup,
                warmup.as_secs()
            )));
        }
        if warmup + asked > whole + Duration::from_millis(1) {
            return Err(Failure::usage(format!(
                "warm-up and duration take {:.1} s, and the window only {:.1} s at speed-up {}: widen \
                 --window, or lower --speedup or --duration",
                (warmup + asked).as_secs_f64(),
                whole.as_secs_f64(),
                self.speedup
            )));
        }
        Ok((Arrivals::Day(slice), asked))
    }
}

/// The day workload needs these; a profile without them describes something that it cannot load.
fn runnable(profile: &Profile) -> Result<(), Failure> {
    let present = |component| profile.presence(component) == Presence::Present;
    for component in [Component::Postgresql, Component::Redis, Component::Minio] {
        if !present(component) {
            return Err(Failure::usage(format!(
                "profile {}: the workload needs {}, which the profile does not have; set components.{}: present",
                profile.name,
                component.name(),
                component.name()
            )));
        }
    }
    if !present(Component::Kafka) && !present(Component::Nats) {
        return Err(Failure::usage(format!(
            "profile {}: the workload needs kafka or nats as its event bus, and the profile has neither",
            profile.name
        )));
    }
    Ok(())
}

/// Three significant figures, as people write them.
fn three_figures(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 2.0);
    ((value / unit).round() * unit * 1e9).round() / 1e9
}

/// Two significant decimals, never up.
fn round_down(scale: f64) -> f64 {
    let unit = 10f64.powf(scale.log10().floor() - 1.0);
    ((scale / unit).floor() * unit * 1e9).round() / 1e9
}

/// `HH:MM` of a second of the day.
fn clock(second: f64) -> String {
    let minutes = (second / 60.0).round() as u64;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Settings of servers that the workload loads.
const OURS: [&str; 3] = ["kafka.", "postgres.", "minio."];

/// What a profile's documented tuning comes to.
struct KafkaSettings {
    partitions: i32,
    client: KafkaOptions,
    /// Settings of [`OURS`] that no provider or client here applies.
    not_applied: Vec<String>,
}

/// The profile's documented Kafka tuning, as client settings.
fn kafka_settings(profile: &Profile) -> Result<KafkaSettings, Failure> {
    let mut partitions = PARTITIONS;
    let mut options = KafkaOptions::default();
    let mut not_applied = Vec::new();
    for tuning in &profile.tuning {
        let number = |most: u64| {
            tuning.value.parse::<u64>().ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                Failure::usage(format!(
                    "profile {}: tuning {}: {:?} is not a number from 1 to {most}",
                    profile.name, tuning.setting, tuning.value
                ))
            })
        };
        match tuning.setting.as_str() {
            "kafka.config.num.partitions" => partitions = number(1_000)? as i32,
            "kafka.config.linger.ms" => options.linger = Duration::from_millis(number(60_000)?),
            "kafka.config.batch.size" => options.batch_bytes = number(1 << 30)? as u32,
            "kafka.config.buffer.memory" => {
                options.queue_kbytes = (number(1 << 40)? / 1024).max(1) as u32;
            }
            // The publisher always compresses with snappy.
            "kafka.config.compression.type" if tuning.value == "snappy" => {}
            setting if OURS.iter().any(|server| setting.starts_with(server)) => {
                not_applied.push(format!("{setting}={}", tuning.value));
            }
            _ => {}
        }
    }
    Ok(KafkaSettings { partitions, client: options, not_applied })
}

/// SHA-256 over the profile and everything that shapes the load.
fn hash(profile: &Profile, config: &RunConfig, decisions_per_s: Option<f64>) -> String {
    let mut shaped = serde_json::json!({ "profile": profile, "config": config });
    if let Some(rate) = decisions_per_s {
        shaped["decisions_per_s"] = rate.into();
    }
    let digest = Sha256::digest(shaped.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(profile: &str) -> RunRequest {
        RunRequest {
            profile: profile.into(),
            volume: None,
            scale: Scale::Auto,
            arrivals: None,
            window: None,
            speedup: 1.0,
            duration: None,
            warmup: None,
            seed: 1,
            decisions_per_s: None,
        }
    }

    #[test]
    fn small_runs_unscaled_on_two_cores_and_offers_a_terabyte_a_day() {
        let plan = request("small").plan(2, true).unwrap();
        assert_eq!(plan.load.scale, 1.0);
        assert!((plan.offered.bytes_per_s / 1e6 - 11.574).abs() < 0.01);
        assert!(
            plan.marks.iter().any(|m| m.starts_with("scaled host: 2 of 16 vCPU")),
            "{:?}",
            plan.marks
        );
        assert!(plan.config.scale_reason.is_none());
    }

    #[test]
    fn medium_on_two_cores_is_scaled_and_says_so_everywhere() {
        let plan = request("medium").plan(2, true).unwrap();
        assert!(plan.load.scale < 0.5);
        assert!(plan.marks.iter().any(|m| m.starts_with("scaled load")));
        assert!(plan.config.scale_reason.is_some());
        assert!(plan.warnings.iter().any(|w| w.code == "scaled-load"));
        let forced = RunRequest { scale: Scale::Fixed(1.0), ..request("medium") };
        assert_eq!(forced.plan(2, true).unwrap().load.scale, 1.0);
    }

    #[test]
    fn a_window_implies_the_day_curve_and_sets_the_length() {
        let asked = RunRequest {
            window: Some((8.0 * 3600.0, 9.0 * 3600.0)),
            speedup: 60.0,
            ..request("small")
        };
        let plan = asked.plan(2, true).unwrap();
        assert_eq!(plan.config.arrivals, "day");
        assert_eq!(plan.config.window.as_deref(), Some("08:00-09:00"));
        assert_eq!(plan.config.duration_s, 30.0);
    }

    #[test]
    fn a_load_other_than_the_daily_volume_is_marked_whatever_made_it_so() {
        let slower = RunRequest { speedup: 0.5, ..request("small") };
        let volume = Some("250GB/day".parse().unwrap());
        let smaller = RunRequest { volume, ..request("small") };
        let both = RunRequest { scale: Scale::Fixed(2.0), volume, ..request("small") };
        for (asked, mark) in [(slower, "×0.5"), (smaller, "×0.25"), (both, "×0.5")] {
            let plan = asked.plan(2, true).unwrap();
            assert!(plan.marks.contains(&format!("scaled load {mark}")), "{:?}", plan.marks);
        }
        assert!(request("small").plan(2, true).unwrap().marks.iter().all(|m| !m.contains("load")));
    }

    #[test]
    fn options_that_contradict_each_other_are_refused_in_one_line() {
        let window = Some((0.0, 600.0));
        for bad in [
            RunRequest { window, arrivals: Some("poisson".into()), ..request("small") },
            RunRequest { window, speedup: 100.0, ..request("small") },
            RunRequest { window, speedup: 1e-15, ..request("small") },
            RunRequest { window, duration: Some(Duration::from_secs(1200)), ..request("small") },
            request("smal"),
        ] {
            let failure = bad.plan(2, true).unwrap_err();
            assert_eq!(failure.code, crate::exit::USAGE);
            assert!(!failure.message.contains('\n'), "{failure}");
        }
    }

    #[test]
    fn documented_kafka_tuning_reaches_the_client() {
        assert_eq!(request("medium").plan(64, true).unwrap().partitions, 10);
        let large = request("large").plan(256, true).unwrap();
        assert_eq!(large.kafka.linger, Duration::from_millis(10));
        assert_eq!(large.kafka.queue_kbytes, 65_536);
    }

    #[test]
    fn the_hash_changes_with_anything_that_shapes_the_load() {
        let base = request("small").plan(2, true).unwrap().config.hash;
        assert_eq!(base, request("small").plan(2, true).unwrap().config.hash);
        let seed = RunRequest { seed: 2, ..request("small") };
        let slower = RunRequest { scale: Scale::Fixed(0.5), ..request("small") };
        for other in [seed, slower, request("dev")] {
            assert_ne!(base, other.plan(2, true).unwrap().config.hash);
        }
    }

    #[test]
    fn scales_are_rounded_down_to_two_figures() {
        assert_eq!(round_down(0.2073), 0.20);
        assert_eq!(round_down(0.0199), 0.019);
        assert_eq!(round_down(0.999), 0.99);
    }
}
