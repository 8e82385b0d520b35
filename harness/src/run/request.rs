//! What a run is asked to do, worked out before anything is started.

use std::time::Duration;

use odg_profiles::units::format_rate;
use odg_profiles::{Component, Presence, Profile, Volume};
use odg_reports::record::{RunConfig, Warning};
use odg_workloads::day::Carries;
use odg_workloads::day::load::{Load, Offered};
use odg_workloads::driver::kafka::KafkaOptions;
use odg_workloads::governance::DECISIONS_PER_S;
use odg_workloads::payload::Pool;
use odg_workloads::schedule::{Arrivals, DAY_S, DaySlice};
use sha2::{Digest, Sha256};

use crate::exit::Failure;

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
/// Measured part of a run that only reads: one interval.
const READ_ONLY: Duration = Duration::from_secs(1);
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
    /// Most bytes of events per second, on average; scales the load down to it.
    pub max_rate: Option<f64>,
    /// Ask and list only: nothing is created, and no load offered.
    pub read_only: bool,
    /// A required promise that could not be asked fails.
    pub strict: bool,
    /// The components that the provider can bring: every one that the profile promises, or those that a stack
    /// was attached with.
    pub brings: Brings,
}

/// What a provider brings of the components that the workload uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// All that the profile promises.
    Everything,
    /// These, and nothing else.
    Only {
        /// Those that carry the day workload.
        carries: Carries,
        /// Whether some of the platform's own services are there, which have a workload of their own.
        services: bool,
    },
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
    /// Copies of each partition; -1 for what the cluster has as its default.
    pub replication: i32,
    /// Ask and list only.
    pub read_only: bool,
    /// A required promise that could not be asked fails.
    pub strict: bool,
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
        let carries = self.carries(&profile)?;
        let volume = self.volume.unwrap_or(profile.volume.default);
        let warmup = self.warmup.unwrap_or(WARMUP);
        let warmup = Duration::from_secs(warmup.as_secs() + u64::from(warmup.subsec_nanos() > 0));
        let (arrivals, duration) = self.timing(warmup)?;
        // Nothing is offered to a stack that is only read: its workload ends as it begins.
        let (warmup, duration) =
            if self.read_only { (Duration::ZERO, READ_ONLY) } else { (warmup, duration) };
        let length = warmup + duration;
        let mut load = Load {
            bytes_per_day: volume.bytes_per_day() as f64,
            scale: 1.0,
            speedup: self.speedup,
            arrivals,
            length,
            carries: if self.read_only { Carries::NOTHING } else { carries },
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
                    // An address on this machine may be a forwarded port of another one.
                    let presumed = match self.brings {
                        Brings::Everything => "",
                        Brings::Only { .. } => "if the servers run on this machine, ",
                    };
                    let reason = format!(
                        "{presumed}servers and generator share {cores} cores, which carry about {}; the full load is {}",
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
        let unlimited = load.offered(&pool).bytes_per_s;
        if let Some(most) = self.max_rate.filter(|most| unlimited > *most) {
            load.scale = round_down(load.scale * most / unlimited);
            scale_reason = Some(format!(
                "--max-rate {}; the load would have been {}",
                format_rate(most),
                format_rate(unlimited)
            ));
        }
        let offered = load.offered(&pool);
        let load_factor = load.bytes_per_s() / profile.volume.default.bytes_per_second();
        if self.read_only {
            marks.push("read-only".into());
        } else if (load_factor - 1.0).abs() > SAME_LOAD {
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
        marks.extend(self.subset(&profile));
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
            load_hash: None,
        };
        let load_hash = load_hash(&profile, &config, self.decisions_per_s);
        config.hash = hash(&profile, &config, self.decisions_per_s);
        config.load_hash = Some(load_hash);
        Ok(RunPlan {
            profile,
            load,
            offered,
            warmup,
            partitions,
            replication: match self.brings {
                Brings::Everything => 1,
                // As many copies as that deployment keeps: fewer may be refused by its writes.
                Brings::Only { .. } => -1,
            },
            read_only: self.read_only,
            strict: self.strict,
            kafka,
            // A load that is scaled down is scaled down for every system; no volume raises this one.
            decisions_per_s: self.decisions_per_s.unwrap_or(DECISIONS_PER_S * load.scale.min(1.0)),
            load_factor,
            config,
            marks,
            warnings,
        })
    }

    /// The components that carry the load: those that the profile promises and the provider brings.
    fn carries(&self, profile: &Profile) -> Result<Carries, Failure> {
        let promised = promised(profile);
        match self.brings {
            Brings::Everything => runnable(profile).map(|()| promised),
            Brings::Only { carries: given, services } => {
                let carries = promised.and(given);
                if carries == Carries::NOTHING && !services && !self.read_only {
                    return Err(Failure::usage(format!(
                        "none of the endpoints is a component that profile {} promises and that \
                         carries load; give at least one of them",
                        profile.name
                    )));
                }
                Ok(carries)
            }
        }
    }

    /// The mark of a stack that lacks components that the profile promises.
    fn subset(&self, profile: &Profile) -> Option<String> {
        let Brings::Only { carries: given, .. } = self.brings else { return None };
        let promised = promised(profile);
        let missing: Vec<String> = [
            (promised.postgres && !given.postgres, Component::Postgresql),
            (promised.redis && !given.redis, Component::Redis),
            (promised.s3 && !given.s3, Component::Minio),
            (promised.nats && !given.nats, Component::Nats),
            (promised.kafka && !given.kafka, Component::Kafka),
        ]
        .into_iter()
        .filter(|(missing, _)| *missing)
        .map(|(_, component)| format!("no {}", component.name()))
        .collect();
        (!missing.is_empty()).then(|| format!("subset: {}", missing.join(", ")))
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

/// The components of the workload that a profile promises.
fn promised(profile: &Profile) -> Carries {
    let present = |component| profile.presence(component) == Presence::Present;
    Carries {
        postgres: present(Component::Postgresql),
        redis: present(Component::Redis),
        nats: present(Component::Nats),
        kafka: present(Component::Kafka),
        s3: present(Component::Minio),
    }
}

/// On a stack that the harness starts the day workload needs these; a profile without them describes something
/// that it cannot load.
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

/// Two significant decimals, never up by more than the rounding of the arithmetic: the last digit of a rate
/// differs from seed to seed, and runs that are repeated keep one scale.
fn round_down(scale: f64) -> f64 {
    let unit = 10f64.powf(scale.log10().floor() - 1.0);
    ((scale / unit * (1.0 + 1e-9)).floor() * unit * 1e9).round() / 1e9
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

/// The same without the seed and what it draws: runs of one load have it in common, whatever their seeds.
fn load_hash(profile: &Profile, config: &RunConfig, decisions_per_s: Option<f64>) -> String {
    let config = RunConfig {
        seed: 0,
        // A rate limit gives another multiplier for another seed.
        scale: 0.0,
        scale_reason: None,
        offered_bytes_per_s: 0.0,
        offered_events_per_s: 0.0,
        ..config.clone()
    };
    hash(profile, &config, decisions_per_s)
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
mod tests;
