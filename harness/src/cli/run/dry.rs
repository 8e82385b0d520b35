//! What a run would start, create and offer: `--dry-run`.

use std::fmt::Write as _;

use odg_profiles::units::{format_bytes, format_rate};
use odg_reports::units;
use serde::Serialize;

use super::super::{Output, attach, print, print_json};
use super::RunArgs;
use super::prepare::Prepared;
use crate::exit::{self, Failure};
use crate::provider::Plan;
use crate::run::RunPlan;
use crate::run::repeat::seeds;
use crate::run::session::{disk_needed, marks};

/// Adds a line; writing to a String cannot fail.
macro_rules! say {
    ($text:expr, $($line:tt)*) => {
        let _ = writeln!($text, $($line)*);
    };
}

/// What repeating comes to.
#[derive(Serialize)]
struct Repeats {
    runs: u32,
    /// The first and the last.
    seeds: (u64, u64),
    /// Seconds of all runs together.
    load_s: f64,
    /// Likewise.
    drain_s_at_most: f64,
}

impl Repeats {
    fn of(args: &RunArgs, plan: &RunPlan, runs: u32) -> Result<Self, Failure> {
        let seeds = seeds(args.seed, runs)?;
        Ok(Self {
            runs,
            seeds: (args.seed, seeds.last().copied().unwrap_or(args.seed)),
            load_s: plan.load.length.as_secs_f64() * f64::from(runs),
            drain_s_at_most: args.drain.as_secs_f64() * f64::from(runs),
        })
    }
}

/// Prints it.
pub(super) fn run(args: &RunArgs, prepared: &Prepared, chosen: &Plan) -> Result<u8, Failure> {
    let (plan, provider, output) = (&prepared.plan, prepared.provider.as_ref(), args.output);
    let repeat = args.repeat.map(|runs| Repeats::of(args, plan, runs)).transpose()?;
    let stays = provider.outlives_run();
    let provider = provider.name();
    let created = if stays { attach::created(plan.load.carries) } else { Vec::new() };
    if output == Output::Json {
        let mut all = serde_json::json!({
            "profile": plan.profile.name,
            "provider": provider,
            "would_start": chosen.choices,
            "would_create": created,
            "not_started_here": chosen.unsupported,
            "config": plan.config,
            "offered_per_s": {
                "events": plan.offered.events_per_s,
                "bytes": plan.offered.bytes_per_s,
                "object_reads": plan.offered.gets_per_s,
                "lookups": plan.offered.lookups_per_s,
                "sessions": plan.offered.sessions_per_s,
                "notifications": plan.offered.notifications_per_s,
            },
            "disk_bytes_needed": disk_needed(plan),
            "marks": marks(plan, chosen),
            "warnings": plan.warnings,
        });
        if let Some(repeat) = repeat {
            all["repeat"] = serde_json::json!(repeat);
        }
        print_json(&all)?;
        return Ok(exit::PASS);
    }
    let mut text = String::new();
    say!(text, "Profile {}, provider {}: nothing was started.\n", plan.profile.name, provider);
    say!(text, "{}", if stays { "Would attach to:" } else { "Would start:" });
    for choice in &chosen.choices {
        if stays {
            say!(text, "  {}", choice.name);
            continue;
        }
        let version = choice.version.as_deref().unwrap_or("version known once it runs");
        let note = choice.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        say!(
            text,
            "  {:<12} {} ({version}), {}{note}",
            choice.component.name(),
            choice.name,
            choice.fidelity
        );
    }
    let unsupported: Vec<&str> = chosen.unsupported.iter().map(|c| c.name()).collect();
    if !unsupported.is_empty() {
        let not = if stays { "not among the endpoints" } else { "not started by this provider" };
        say!(text, "Promised, and {not}: {}", unsupported.join(", "));
    }
    if stays && plan.read_only {
        say!(text, "\nWould only ask each who it is: nothing would be created, no load offered.");
    } else if stays {
        say!(text, "\nWould create, and remove again:");
    }
    for one in &created {
        say!(text, "  {:<12} {:<19} {}", one.component, one.kind, one.name);
    }
    let offered = &plan.offered;
    say!(
        text,
        "\nWould offer for {:.0} s, after {:.0} s of warm-up, {} arrivals, seed {}:",
        plan.config.duration_s,
        plan.config.warmup_s,
        plan.config.arrivals,
        plan.config.seed
    );
    say!(
        text,
        "  {:>10.1} events/s, {} ({} per day × {} × speed-up {})",
        offered.events_per_s,
        format_rate(offered.bytes_per_s),
        format_bytes(plan.config.volume_bytes_per_day as u64),
        plan.config.scale,
        plan.config.speedup,
    );
    for (rate, what) in [
        (offered.gets_per_s, "object reads/s"),
        (offered.lookups_per_s, "look-ups/s"),
        (offered.sessions_per_s, "session operations/s"),
        (offered.notifications_per_s, "notifications/s"),
    ] {
        say!(text, "  {rate:>10.1} {what}");
    }
    if let Some(repeat) = repeat {
        say!(
            text,
            "\nWould do that {} times, seeds {} to {}: {} of load and at most {} of draining, beside starting, \
             probing and stopping each time.",
            repeat.runs,
            repeat.seeds.0,
            repeat.seeds.1,
            units::seconds(repeat.load_s),
            units::seconds(repeat.drain_s_at_most)
        );
    }
    if !stays {
        say!(text, "\nWould need {} of disk.", format_bytes(disk_needed(plan)));
    }
    for warning in &plan.warnings {
        say!(text, "Warning: {}; {}", warning.text, warning.action);
    }
    say!(text, "\nWould judge:");
    for objective in &plan.profile.objectives {
        say!(text, "  {}, {}", objective.describe(), objective.origin.label());
    }
    print(&text)?;
    Ok(exit::PASS)
}
