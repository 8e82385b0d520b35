//! The machine that a run happens on, and what its processes use of it.

pub mod procfs;
mod sampler;

use std::fs;
use std::path::Path;

use odg_profiles::model::Resources;
use odg_reports::record::Host;

pub use sampler::{GENERATOR, ResourceSampler};

/// Describes this machine. What cannot be read stays empty.
pub fn describe() -> Host {
    let cpuinfo = read("/proc/cpuinfo");
    Host {
        os: os_name(&read("/etc/os-release")),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu_model: cpu_model(&cpuinfo),
        cores: cores(),
        memory_bytes: memory_bytes(),
        virtualisation: virtualisation(&cpuinfo),
    }
}

/// Memory of this machine, in bytes; 0 where it cannot be read.
pub fn memory_bytes() -> u64 {
    procfs::colon_value(&read("/proc/meminfo"), "MemTotal").unwrap_or(0).saturating_mul(1024)
}

/// The mark of a record whose servers ran on less than the profile promises: by how much, of what is less.
/// Memory that firmware and kernel keep for themselves is not missed.
pub fn scaled_mark(cores: u32, memory_bytes: u64, promised: &Resources) -> Option<String> {
    const KEPT: f64 = 0.95;
    let gb = |bytes: u64| (bytes as f64 / 1e9).round();
    let promised_memory = promised.memory.bytes();
    let mut parts = Vec::new();
    if cores < promised.vcpu {
        parts.push(format!("{cores} of {} vCPU", promised.vcpu));
    }
    if memory_bytes > 0 && (memory_bytes as f64) < promised_memory as f64 * KEPT {
        parts.push(format!("{} of {} GB", gb(memory_bytes), gb(promised_memory)));
    }
    (!parts.is_empty()).then(|| format!("scaled host: {}", parts.join(", ")))
}

/// Memory that new work could use without swapping, in bytes; 0 where it cannot be read.
pub fn available_memory_bytes() -> u64 {
    procfs::colon_value(&read("/proc/meminfo"), "MemAvailable").unwrap_or(0).saturating_mul(1024)
}

/// Logical CPUs that this process may use (affinity and cgroup quota included).
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn os_name(release: &str) -> String {
    let value = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    value.unwrap_or("Linux").trim_matches('"').to_owned()
}

/// `model name` on x86; Arm kernels print numbers only, so the architecture stands in.
fn cpu_model(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// The container and the hypervisor, as far as they can be seen from inside.
fn virtualisation(cpuinfo: &str) -> Option<String> {
    let container = if Path::new("/.dockerenv").exists() {
        Some("Docker container")
    } else if Path::new("/run/.containerenv").exists() {
        Some("Podman container")
    } else if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Some("Kubernetes pod")
    } else {
        None
    };
    let guest = cpuinfo.lines().any(|line| {
        line.starts_with("flags") && line.split_ascii_whitespace().any(|flag| flag == "hypervisor")
    });
    let product = read("/sys/class/dmi/id/product_name");
    let hypervisor = guest.then(|| match product.trim() {
        "" => "virtual machine".to_owned(),
        product => format!("virtual machine ({product})"),
    });
    match (container, hypervisor) {
        (Some(container), Some(hypervisor)) => Some(format!("{container}, {hypervisor}")),
        (Some(container), None) => Some(container.to_owned()),
        (None, hypervisor) => hypervisor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let host = describe();
        assert!(!host.os.is_empty() && !host.kernel.is_empty() && !host.cpu_model.is_empty());
        assert!(host.cores >= 1);
        assert!(host.memory_bytes > available_memory_bytes() && available_memory_bytes() > 0);
    }

    #[test]
    fn a_smaller_machine_is_marked_with_what_is_less_and_an_equal_one_is_not() {
        let promised = odg_profiles::Profile::load("small").unwrap().resources;
        let mark = |cores, gb: u64| scaled_mark(cores, gb * 1_000_000_000, &promised);
        assert_eq!(mark(2, 24).as_deref(), Some("scaled host: 2 of 16 vCPU, 24 of 64 GB"));
        assert_eq!(mark(2, 64).as_deref(), Some("scaled host: 2 of 16 vCPU"));
        assert_eq!(mark(16, 32).as_deref(), Some("scaled host: 32 of 64 GB"));
        assert_eq!(mark(16, 63), None);
        assert_eq!(mark(64, 256), None);
    }

    #[test]
    fn names_are_read_as_the_system_writes_them() {
        let release = "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(os_name(release), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(os_name(""), "Linux");
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"),
            "Some CPU @ 2 GHz"
        );
        assert_eq!(cpu_model(""), std::env::consts::ARCH);
    }
}
