//! `odg-bench run`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use odg_profiles::units::{format_bytes, format_rate};
use odg_profiles::{Volume, parse_duration, read_images};

use super::attach::{self, AttachArgs};
use super::{Output, colour, print, print_json, width};
use crate::exit::{self, Failure};
use crate::host;
use crate::provider::attach::{AttachProvider, Given};
use crate::provider::docker::DockerProvider;
use crate::provider::local::LocalProvider;
use crate::provider::{Plan, Provider, choose};
use crate::run::progress::Style;
use crate::run::request::LONGEST;
use crate::run::session::{disk_needed, wanted};
use crate::run::{self, Brings, RunOptions, RunPlan, RunRequest, Scale};

/// Time for what still runs in the background once a run has ended.
const SHUTDOWN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    odg-bench run --profile small\n  \
    odg-bench run --profile medium --scale 0.1 --duration 2m\n  \
    odg-bench run --profile small --window 08:00-09:00 --speedup 30\n  \
    odg-bench run --profile small --volume 300GB/day --output json --quiet\n  \
    odg-bench run --profile large --dry-run\n  \
    odg-bench run --profile medium --endpoints odg.yaml --max-rate 20MB/s --yes")]
pub(super) struct RunArgs {
    /// dev, small, medium, large, or a profile file
    #[arg(long, short)]
    profile: String,
    /// How the stack comes to be
    #[arg(long, value_enum, default_value_t = ProviderName::Auto)]
    provider: ProviderName,
    #[command(flatten)]
    attach: AttachArgs,
    /// Images for --provider docker instead of the profile's: a YAML file of lines `component: reference`
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// Daily volume instead of the profile's, such as 1TB/day, 300GB/day or 11.6MB/s
    #[arg(long, value_parser = volume, allow_hyphen_values = true)]
    volume: Option<Volume>,
    /// Multiply the load: `auto` (full where this machine can carry it) or a number; marks the record
    #[arg(long, default_value = "auto", value_parser = scale, allow_hyphen_values = true)]
    scale: Scale,
    /// How arrivals are spread: constant, poisson (the default), or day
    #[arg(long, value_parser = ["constant", "poisson", "day"])]
    arrivals: Option<String>,
    /// Slice of the day to replay, such as 08:00-09:00; implies --arrivals day
    #[arg(long, value_parser = window)]
    window: Option<(f64, f64)>,
    /// Seconds of the day per second of the run; multiplies every rate
    #[arg(long, default_value = "1", value_parser = positive, allow_hyphen_values = true)]
    speedup: f64,
    /// Measured part, such as 60s or 10m [default: 60s, or the whole window]
    #[arg(long, value_parser = duration, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// Warm-up, cut off from every figure; rounded up to whole seconds [default: 30s]
    #[arg(long, value_parser = duration, allow_hyphen_values = true)]
    warmup: Option<Duration>,
    /// Time for events to arrive after the load has ended
    #[arg(long, default_value = "60s", value_parser = duration, allow_hyphen_values = true)]
    drain: Duration,
    /// Seed of the schedule and the payloads: the same seed offers the same load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Decisions per second for the platform's own services, where they are attached [default: 8, or
    /// less where the load is scaled down]
    #[arg(long, value_name = "RATE", value_parser = positive, allow_hyphen_values = true)]
    decisions: Option<f64>,
    /// Directory under which the run directory is made
    #[arg(long, default_value = "runs")]
    runs_dir: PathBuf,
    /// Print what would start and the load that would be offered, and start nothing
    #[arg(long)]
    dry_run: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderName {
    /// Local where its servers are all real, else docker where an engine and all images are here, else local
    Auto,
    /// Child processes on this machine
    Local,
    /// A deployment that is already there; see --endpoints
    Attach,
    /// Containers of an engine on this machine
    Docker,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = parse_duration(text).map_err(|e| e.to_string())?;
    if parsed > LONGEST {
        return Err("longer than 7 days; give at most 7d".into());
    }
    Ok(parsed)
}

fn volume(text: &str) -> Result<Volume, String> {
    text.parse::<Volume>().map_err(|e| e.to_string())
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 && n <= 1e6 => Ok(n),
        _ => Err("give a number above 0 and at most 1000000, such as 2 or 0.5".into()),
    }
}

fn scale(text: &str) -> Result<Scale, String> {
    if text == "auto" {
        return Ok(Scale::Auto);
    }
    positive(text)
        .map(Scale::Fixed)
        .map_err(|_| "give auto, or a number above 0 and at most 1000000, such as 0.1".to_owned())
}

/// `HH:MM-HH:MM`, as seconds of the day; 24:00 is the day's end.
fn window(text: &str) -> Result<(f64, f64), String> {
    let wrong =
        || "give two times of one day, the first before the second, such as 08:00-09:30".to_owned();
    let time = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (h, m): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (h * 60 + m <= 1440 && m < 60).then(|| f64::from(h * 3600 + m * 60))
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    match (time(from.trim()), time(to.trim())) {
        (Some(from), Some(to)) if from < to => Ok((from, to)),
        _ => Err(wrong()),
    }
}

pub(super) fn execute(args: &RunArgs) -> Result<u8, Failure> {
    if args.duration.is_some_and(|d| d < Duration::from_secs(1)) {
        return Err(Failure::usage("--duration is less than 1 s, one interval; give at least 1s"));
    }
    let given = given(args)?;
    let request = RunRequest {
        profile: args.profile.clone(),
        volume: args.volume,
        scale: args.scale,
        arrivals: args.arrivals.clone(),
        window: args.window,
        speedup: args.speedup,
        duration: args.duration,
        warmup: args.warmup,
        seed: args.seed,
        max_rate: args.attach.max_rate.map(Volume::bytes_per_second),
        read_only: args.attach.read_only,
        strict: args.attach.strict,
        brings: given.as_ref().map_or(Brings::Everything, Given::brings),
        decisions_per_s: args.decisions,
    };
    let shared = given.as_ref().is_none_or(Given::is_local);
    let mut plan = request.plan(host::cores(), shared)?;
    if args.images.is_some() && (args.provider == ProviderName::Local || given.is_some()) {
        return Err(Failure::usage("--images is for --provider docker; nothing else has images"));
    }
    if let Some(given) = &given {
        plan.warnings.extend(attach::exposed(given, args.attach.endpoints.as_deref()));
        plan.warnings.extend(attach::kept(given, &plan));
    }
    let mapped = args.images.as_deref().map(read_images).transpose()?.unwrap_or_default();
    let docker = DockerProvider::new(&plan.profile, mapped);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::stack(format!("cannot start threads: {e}")))?;
    let provider: Box<dyn Provider> = match (&given, args.provider) {
        (Some(given), _) => Box::new(AttachProvider::new(given.clone())),
        (None, ProviderName::Local) => Box::new(LocalProvider::from_env()),
        (None, ProviderName::Docker) => Box::new(docker),
        // Attaching without endpoints was refused.
        (None, ProviderName::Auto | ProviderName::Attach) => {
            let wanted = wanted(&plan.profile);
            let choosing = choose::auto(LocalProvider::from_env(), docker, &wanted);
            let (provider, reason) = runtime.block_on(choosing);
            if !args.quiet {
                eprintln!("  {reason}");
            }
            provider
        }
    };
    if args.dry_run {
        let chosen = runtime.block_on(provider.plan(&wanted(&plan.profile)))?;
        return dry_run(&plan, &chosen, provider.as_ref(), args.output);
    }
    if let Some(given) = given.filter(|_| !plan.read_only) {
        attach::consent(&given, &plan, args.attach.yes)?;
    }
    let options = RunOptions {
        runs_dir: args.runs_dir.clone(),
        drain: args.drain,
        style: Style::detect(args.quiet),
        command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
    };
    let result = runtime.block_on(run::run(&plan, provider.as_ref(), &options));
    // A client library's blocking call may still wait for a server that is gone.
    runtime.shutdown_timeout(SHUTDOWN);
    let result = result?;
    match args.output {
        Output::Json => print_json(&result.record)?,
        Output::Text => {
            let screen = odg_reports::terminal::one_screen(&result.record, width(), colour());
            let report = result.dir.join("report.html");
            print(&format!("{screen}Report: {}\n", report.display()))?;
        }
    }
    Ok(result.record.exit_code)
}

/// The endpoints to attach to, where that is asked for.
fn given(args: &RunArgs) -> Result<Option<Given>, Failure> {
    let attach = args.provider == ProviderName::Attach || args.attach.endpoints.is_some();
    match (attach, args.provider, args.attach.wants_attach()) {
        (true, ProviderName::Auto | ProviderName::Attach, _) => {
            Ok(Some(Given::load(args.attach.endpoints.as_deref())?))
        }
        (_, _, Some(option)) => Err(Failure::usage(format!(
            "{option} is for --provider attach, not for a stack that is started"
        ))),
        (_, _, None) => Ok(None),
    }
}

/// Adds a line; writing to a String cannot fail.
macro_rules! say {
    ($text:expr, $($line:tt)*) => {
        let _ = writeln!($text, $($line)*);
    };
}

fn dry_run(
    plan: &RunPlan,
    chosen: &Plan,
    provider: &dyn Provider,
    output: Output,
) -> Result<u8, Failure> {
    let stays = provider.outlives_run();
    let provider = provider.name();
    let created = if stays { attach::created(plan.load.carries) } else { Vec::new() };
    if output == Output::Json {
        print_json(&serde_json::json!({
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
            "marks": plan.marks,
            "warnings": plan.warnings,
        }))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_people_type_them() {
        assert_eq!(window("08:00-09:30"), Ok((28_800.0, 34_200.0)));
        assert_eq!(window("00:00-24:00"), Ok((0.0, 86_400.0)));
        for bad in
            ["", "8-9", "09:00-08:00", "08:00-08:00", "08:00-25:00", "08:70-09:00", "a:b-c:d"]
        {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn impossible_numbers_are_refused_with_an_example() {
        for bad in ["0", "-1", "NaN", "inf", "1e9", "fast"] {
            assert!(positive(bad).unwrap_err().contains("such as"), "{bad}");
            assert!(scale(bad).is_err(), "{bad}");
        }
        assert_eq!(scale("auto"), Ok(Scale::Auto));
        assert_eq!(scale("0.1"), Ok(Scale::Fixed(0.1)));
        assert!(duration("8d").is_err());
    }
}
