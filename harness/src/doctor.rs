//! What this machine has for odg-bench, what is missing, and the command that would add it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use odg_profiles::units::format_bytes;
use odg_reports::record::Fidelity;
use serde::Serialize;

use crate::host;
use crate::provider::docker;
use crate::provider::local::{self, Availability, LocalProvider, workdir};
use crate::provider::{Provider, disk};

/// Room below which a run of the small profile (a minute of 1 TB/day, kept several times over) gets tight.
const LITTLE_DISK: u64 = 8 << 30;
/// Memory for the servers of the small profile and the generator.
const LITTLE_MEMORY: u64 = 2 << 30;
/// Servers and generator share them: with one there is none left for pacing.
const FEW_CORES: u32 = 2;

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// There, and enough.
    Found,
    /// Only a fake is there: figures are not publishable as the component.
    FakeOnly,
    /// There, and scarce.
    Scarce,
    /// Not there.
    Missing,
}

impl Status {
    /// The word printed.
    pub fn label(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::FakeOnly => "fake only",
            Self::Scarce => "scarce",
            Self::Missing => "missing",
        }
    }
}

/// One thing looked at.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorRow {
    /// Component in the profile's spelling, or `setpriv`, `docker`, `gpu`, `disk`, `memory`, `cores`.
    pub component: String,
    /// How it stands.
    pub status: Status,
    /// Product or figure.
    pub implementation: String,
    /// Version, where the installation tells.
    pub version: Option<String>,
    /// Program, or directory looked at.
    pub path: Option<PathBuf>,
    /// Real, compatible or fake, for components.
    pub fidelity: Option<Fidelity>,
    /// What would mend it.
    pub fix: Option<String>,
}

/// Looks at everything that a local run needs. Starts no server.
pub fn doctor(provider: &LocalProvider) -> Vec<DoctorRow> {
    let mut rows: Vec<DoctorRow> = provider
        .components()
        .into_iter()
        .filter_map(|component| component_row(&provider.availability(component)))
        .collect();
    rows.push(guard_row());
    rows.push(engine_row());
    rows.push(gpu_row());
    rows.push(cores_row(host::cores()));
    rows.push(memory_row(host::available_memory_bytes()));
    rows.push(disk_row());
    rows
}

/// The best candidate that is there, or the best one with what would add it.
fn component_row(all: &[Availability]) -> Option<DoctorRow> {
    let best = all.first()?;
    let there = all.iter().find(|one| one.missing.is_none());
    let shown = there.unwrap_or(best);
    let status = match there {
        Some(one) if one.choice.fidelity == Fidelity::Fake => Status::FakeOnly,
        Some(_) => Status::Found,
        None => Status::Missing,
    };
    Some(DoctorRow {
        component: shown.choice.component.name().to_owned(),
        status,
        implementation: shown.choice.name.clone(),
        version: shown.choice.version.clone(),
        path: shown.choice.path.clone(),
        fidelity: Some(shown.choice.fidelity),
        fix: best.missing.as_ref().map(|(_, hint)| match status {
            Status::Missing => hint.clone(),
            _ => format!("for {}: {hint}", best.choice.name),
        }),
    })
}

fn machine_row(component: &str, status: Status, implementation: String) -> DoctorRow {
    DoctorRow {
        component: component.to_owned(),
        status,
        implementation,
        version: None,
        path: None,
        fidelity: None,
        fix: None,
    }
}

fn guard_row() -> DoctorRow {
    let path = local::parent_death_guard().map(Path::to_path_buf);
    let (status, what) = match path {
        Some(_) => (Status::Found, "ends the servers with odg-bench"),
        None => (Status::Missing, "servers outlive a kill of odg-bench and its reaper at once"),
    };
    DoctorRow {
        fix: path.is_none().then(|| {
            "ci/setup (Debian: apt-get install util-linux); root needs it to start PostgreSQL"
                .into()
        }),
        path,
        ..machine_row("setpriv", status, what.to_owned())
    }
}

/// For `--provider docker`; a run on processes needs none.
fn engine_row() -> DoctorRow {
    match docker::find_engine() {
        Ok(engine) => {
            let what = format!("{}, API {}", engine.name, engine.api);
            machine_row("docker", Status::Found, what)
        }
        Err(error) => DoctorRow {
            fix: Some(error.to_string()),
            ..machine_row("docker", Status::Missing, "no engine that can be used".to_owned())
        },
    }
}

fn gpu_row() -> DoctorRow {
    match odg_kernels::device::discover() {
        Ok(devices) => {
            let names: Vec<String> = devices
                .iter()
                .map(|device| format!("{} ({})", device.name, format_bytes(device.memory_bytes)))
                .collect();
            DoctorRow {
                version: devices.first().map(|device| format!("CUDA {}", device.driver_version)),
                ..machine_row("gpu", Status::Found, names.join(", "))
            }
        }
        Err(error) => DoctorRow {
            fix: Some(error.to_string()),
            ..machine_row("gpu", Status::Missing, "none".to_owned())
        },
    }
}

fn cores_row(cores: u32) -> DoctorRow {
    let scarce = cores < FEW_CORES;
    DoctorRow {
        fix: scarce
            .then(|| format!("give it {FEW_CORES} cores or scale the load down with --scale")),
        ..machine_row("cores", scarcity(scarce), cores.to_string())
    }
}

fn memory_row(available: u64) -> DoctorRow {
    let scarce = available < LITTLE_MEMORY;
    DoctorRow {
        fix: scarce.then(|| format!("free some: a run wants {}", format_bytes(LITTLE_MEMORY))),
        ..machine_row("memory", scarcity(scarce), format!("{} available", format_bytes(available)))
    }
}

fn disk_row() -> DoctorRow {
    let parent = workdir::default_parent();
    let mut row = match disk::free_bytes(&parent) {
        Ok(free) => {
            let scarce = free < LITTLE_DISK;
            DoctorRow {
                fix: scarce.then(|| {
                    "free some space or name another disk in ODG_BENCH_WORK_DIR".to_owned()
                }),
                ..machine_row("disk", scarcity(scarce), format!("{} free", format_bytes(free)))
            }
        }
        Err(error) => DoctorRow {
            fix: Some(error.to_string()),
            ..machine_row("disk", Status::Missing, "none".to_owned())
        },
    };
    if disk::is_memory(&parent) {
        row.status = Status::Scarce;
        row.fix = Some(
            "it is memory (tmpfs), which flatters: name a disk in ODG_BENCH_WORK_DIR".to_owned(),
        );
    }
    row.path = Some(parent);
    row
}

fn scarcity(scarce: bool) -> Status {
    if scarce { Status::Scarce } else { Status::Found }
}

/// The rows as a table for people; what would mend a row stands under it.
pub fn render(rows: &[DoctorRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut what = row.implementation.clone();
        if let Some(version) = &row.version {
            what = format!("{what} {version}");
        }
        if let Some(fidelity) = row.fidelity.filter(|_| row.status != Status::Missing) {
            what = format!("{what} [{fidelity}]");
        }
        let path =
            row.path.as_ref().map(|path| format!("  {}", path.display())).unwrap_or_default();
        let _ = writeln!(text, "{:<12} {:<10} {what}{path}", row.component, row.status.label());
        if let Some(fix) = &row.fix {
            let _ = writeln!(text, "{:<12} {:<10} {fix}", "", "→");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use odg_profiles::Component;

    use super::*;
    use crate::provider::local::Search;

    fn row(rows: &[DoctorRow], component: &str) -> DoctorRow {
        rows.iter().find(|row| row.component == component).cloned().unwrap()
    }

    #[test]
    fn a_bare_machine_is_told_what_is_missing_and_the_command_that_adds_it() {
        let provider = LocalProvider::new(Search::from_vars([
            ("ODG_BENCH_REDIS", "/no/such/redis-server"),
            ("ODG_BENCH_TOOLS", "/no/such/tools"),
        ]));
        let rows = doctor(&provider);
        let redis = row(&rows, "redis");
        assert_eq!(redis.status, Status::Missing);
        assert!(redis.fix.unwrap().contains("ci/setup"));
        for component in ["kafka", "minio"] {
            let row = row(&rows, component);
            assert_eq!((row.status, row.fidelity), (Status::FakeOnly, Some(Fidelity::Fake)));
            assert!(row.fix.unwrap().contains("ci/setup --with-"));
        }
        let text = render(&rows);
        assert!(text.contains("fake only") && text.contains("ci/setup --with-kafka"), "{text}");
    }

    #[test]
    fn every_component_and_every_scarce_thing_of_the_machine_has_a_row() {
        let provider = LocalProvider::from_env();
        let rows = doctor(&provider);
        for component in provider.components().into_iter().map(Component::name) {
            row(&rows, component);
        }
        for thing in ["setpriv", "docker", "gpu", "cores", "memory", "disk"] {
            row(&rows, thing);
        }
        assert_eq!(cores_row(1).status, Status::Scarce);
        assert_eq!(memory_row(1 << 20).status, Status::Scarce);
        assert_eq!(memory_row(64 << 30).status, Status::Found);
    }
}
