//! Where a profile contradicts itself: arithmetic on its own figures, nothing measured.

use serde::Serialize;

use crate::component::{Component, Presence};
use crate::model::{Profile, Quantities, Reach, Service};
use crate::units::{ByteSize, Volume, format_bytes};

/// Two statements of one profile that cannot both hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// Stable identifier.
    pub id: String,
    /// What is promised.
    pub promised: String,
    /// What the profile's other figures come to.
    pub computed: String,
    /// What it means.
    pub meaning: String,
}

/// Every contradiction in the profile's own figures, in a stable order.
pub fn checks(profile: &Profile) -> Vec<Contradiction> {
    let mut found = Vec::new();
    cost(profile, &mut found);
    storage(profile, &mut found);
    storage_against_volume(profile, &mut found);
    gpus(profile, &mut found);
    replicas(profile, &mut found);
    features(profile, &mut found);
    drives(profile, &mut found);
    found
}

fn add(
    found: &mut Vec<Contradiction>,
    id: &str,
    promised: String,
    computed: String,
    meaning: impl Into<String>,
) {
    found.push(Contradiction { id: id.to_owned(), promised, computed, meaning: meaning.into() });
}

/// `+` behind a figure that is a lower bound.
fn plus(at_least: bool) -> &'static str {
    if at_least { "+" } else { "" }
}

fn cost(profile: &Profile, found: &mut Vec<Contradiction>) {
    let cost = &profile.cost;
    let Some(difference) = cost.unexplained_usd().filter(|d| *d != 0) else { return };
    let sum = cost.breakdown_sum().unwrap_or_default();
    add(
        found,
        "cost-sum",
        format!("~${}{} a month", cost.total_usd, plus(cost.at_least)),
        format!("the bill comes to ${sum}"),
        format!("the stated total is off by ${difference}"),
    );
}

/// Bytes of all persistent volumes, with the replicas that are stated.
pub fn claimed_bytes(profile: &Profile) -> u64 {
    profile
        .storage
        .claims
        .values()
        .map(|c| c.size.bytes().saturating_mul(u64::from(c.replicas.unwrap_or(1))))
        .fold(0, u64::saturating_add)
}

fn storage(profile: &Profile, found: &mut Vec<Contradiction>) {
    let (claimed, stated) = (claimed_bytes(profile), profile.resources.storage);
    if claimed <= stated.bytes() {
        return;
    }
    let meaning = if profile.resources.at_least {
        "the + leaves room for it, but the bill pays for the lower bound only"
    } else {
        "the volumes do not fit"
    };
    add(
        found,
        "storage-sum",
        format!("{stated}{}", plus(profile.resources.at_least)),
        format!("the volumes with their replicas come to {}", format_bytes(claimed)),
        meaning,
    );
}

/// Seconds until the MinIO volume is full at a volume, without compression or expiry; absent where
/// the profile states no MinIO volume.
pub(crate) fn minio_lasts(profile: &Profile, volume: Volume) -> Option<f64> {
    let claim = profile.storage.claims.get(&Component::Minio)?;
    let bytes = claim.size.bytes().saturating_mul(u64::from(claim.replicas.unwrap_or(1)));
    Some(bytes as f64 / volume.bytes_per_second())
}

fn storage_against_volume(profile: &Profile, found: &mut Vec<Contradiction>) {
    let volume = profile.volume.default;
    let Some(seconds) = minio_lasts(profile, volume).filter(|s| *s < 86_400.0) else { return };
    add(
        found,
        "storage-day",
        format!("{volume} ({})", profile.volume.class),
        format!("the MinIO volume is full after {:.1} h", seconds / 3600.0),
        "a day's data fits only if it is compressed or expires within the day",
    );
}

/// Replicas × a figure of each, over all services.
fn total(profile: &Profile, replicas: fn(&Service) -> u32, each: fn(&Quantities) -> u64) -> u64 {
    profile
        .services
        .values()
        .filter(|s| s.presence == Presence::Present)
        .filter_map(|s| Some(each(s.limits.as_ref()?).saturating_mul(u64::from(replicas(s)))))
        .fold(0, u64::saturating_add)
}

fn stated_replicas(service: &Service) -> u32 {
    service.replicas.unwrap_or(1)
}

fn most_replicas(service: &Service) -> u32 {
    let scaled = service.autoscaling.as_ref().map_or(0, |a| a.max_replicas);
    scaled.max(stated_replicas(service))
}

fn gpus(profile: &Profile, found: &mut Vec<Contradiction>) {
    let wanted = total(profile, stated_replicas, |q| u64::from(q.gpu.unwrap_or(0)));
    let stated = profile.resources.gpu;
    if wanted <= u64::from(stated) {
        return;
    }
    let meaning = if profile.resources.at_least {
        "the + leaves room for them, but the bill pays for the lower bound only"
    } else {
        "Kubernetes cannot place all replicas: GPUs are not shared by default"
    };
    add(
        found,
        "gpu-sum",
        format!("{stated}{} GPU", plus(profile.resources.at_least)),
        format!("the replicas ask for {wanted}"),
        meaning,
    );
}

fn replicas(profile: &Profile, found: &mut Vec<Contradiction>) {
    type Replicas = fn(&Service) -> u32;
    let states: [(&str, &str, Replicas); 2] = [
        ("", "at the stated replicas", stated_replicas),
        ("-autoscaled", "at the most replicas that autoscaling allows", most_replicas),
    ];
    let r = &profile.resources;
    let meaning = "the services alone may use more than there is, before any database";
    let mut exceeded = [false; 2];
    for (suffix, when, replicas) in states {
        let cores = total(profile, replicas, |q| q.cpu.millicores());
        if cores > u64::from(r.vcpu) * 1000 && !exceeded[0] {
            exceeded[0] = true;
            add(
                found,
                &format!("cpu-sum{suffix}"),
                format!("{}{} vCPU", r.vcpu, plus(r.at_least)),
                format!("the services' limits come to {} {when}", cores / 1000),
                meaning,
            );
        }
        let memory = total(profile, replicas, |q| q.memory.bytes());
        if memory > r.memory.bytes() && !exceeded[1] {
            exceeded[1] = true;
            add(
                found,
                &format!("memory-sum{suffix}"),
                format!("{}{}", r.memory, plus(r.at_least)),
                format!("the services' limits come to {} {when}", ByteSize::new(memory)),
                meaning,
            );
        }
    }
    for (name, service) in &profile.services {
        let (Some(scaling), Some(stated)) = (&service.autoscaling, service.replicas) else {
            continue;
        };
        if !(scaling.min_replicas..=scaling.max_replicas).contains(&stated) {
            add(
                found,
                &format!("replicas-{name}"),
                format!("{stated} replicas"),
                format!("autoscaling keeps {} to {}", scaling.min_replicas, scaling.max_replicas),
                "autoscaling will change the stated number at once",
            );
        }
    }
}

fn features(profile: &Profile, found: &mut Vec<Contradiction>) {
    if profile.presence(Component::AiExperts) == Presence::Optional
        && profile.presence(Component::Gpu) == Presence::Absent
    {
        add(
            found,
            "ai-experts-gpu",
            "AI Experts are optional".to_owned(),
            "GPU is absent, and Feature Requirements asks for medium".to_owned(),
            "switched on, they would run without a GPU",
        );
    }
    if profile.network.multi_region == Reach::Capable && !profile.multi_region.enabled {
        add(
            found,
            "multi-region-capable",
            format!("network: {}", profile.network.label),
            "Feature Requirements asks for large".to_owned(),
            "no figure or setting of the profile is about a second region",
        );
    }
    let (regions, instances) = (profile.multi_region.regions.len(), profile.cosmos.instances.len());
    if profile.cosmos.enabled && regions != instances {
        add(
            found,
            "cosmos-regions",
            format!("{regions} regions"),
            format!("{instances} COSMOS instances"),
            "a region without an instance is not federated",
        );
    }
    if profile.volume.max == Some(profile.volume.default) && profile.volume.class.starts_with('<') {
        add(
            found,
            "volume-edge",
            profile.volume.class.clone(),
            format!("a run offers {} by default", profile.volume.default),
            "the offered volume is the upper edge of the class, where the promise is hardest",
        );
    }
}

/// `4 servers × 4 drives` in the note of `minio.replicas` against replicas × drives of each.
fn drives(profile: &Profile, found: &mut Vec<Contradiction>) {
    let setting = |name: &str| profile.tuning.iter().find(|t| t.setting == name);
    let (Some(replicas), Some(per_node)) =
        (setting("minio.replicas"), setting("minio.drivesPerNode"))
    else {
        return;
    };
    let (Ok(nodes), Ok(each)) = (replicas.value.parse::<u64>(), per_node.value.parse::<u64>())
    else {
        return;
    };
    let numbers: Vec<u64> = replicas
        .note
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    if let [servers, drives] = numbers[..] {
        let (noted, set) = (servers.saturating_mul(drives), nodes.saturating_mul(each));
        if noted != set {
            add(
                found,
                "minio-drives",
                format!("{noted} drives ({})", replicas.note),
                format!("{nodes} replicas with {each} drives each are {set}"),
                "replicas counts drives in the note and servers in the setting",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(name: &str) -> Vec<String> {
        checks(&Profile::load(name).unwrap()).into_iter().map(|c| c.id).collect()
    }

    fn one(name: &str, id: &str) -> Contradiction {
        checks(&Profile::load(name).unwrap()).into_iter().find(|c| c.id == id).unwrap()
    }

    #[test]
    fn each_profile_shows_exactly_its_known_contradictions() {
        assert_eq!(ids("dev"), Vec::<String>::new());
        assert_eq!(ids("small"), ["storage-day", "ai-experts-gpu", "volume-edge"]);
        assert_eq!(
            ids("medium"),
            ["storage-day", "gpu-sum", "cpu-sum-autoscaled", "multi-region-capable"]
        );
        assert_eq!(
            ids("large"),
            [
                "cost-sum",
                "storage-sum",
                "storage-day",
                "gpu-sum",
                "cpu-sum-autoscaled",
                "memory-sum-autoscaled",
                "cosmos-regions",
                "minio-drives",
            ]
        );
    }

    #[test]
    fn the_figures_are_those_worked_out_by_hand() {
        assert_eq!(one("large", "cost-sum").computed, "the bill comes to $15120");
        assert_eq!(one("medium", "gpu-sum").computed, "the replicas ask for 2");
        assert_eq!(one("large", "gpu-sum").computed, "the replicas ask for 6");
        assert!(one("medium", "cpu-sum-autoscaled").computed.contains("come to 88 "));
        assert!(one("large", "cpu-sum-autoscaled").computed.contains("come to 344 "));
        assert!(one("large", "memory-sum-autoscaled").computed.contains("come to 1376GiB "));
        assert!(one("large", "minio-drives").computed.ends_with("are 64"));
    }

    #[test]
    fn claimed_storage_is_the_sum_of_volumes_and_replicas() {
        let gib = |name: &str| claimed_bytes(&Profile::load(name).unwrap()) >> 30;
        assert_eq!(gib("dev"), 0);
        assert_eq!(gib("small"), 90);
        assert_eq!(gib("medium"), 750);
        // 3 × 500 + 5000 + 5 × 1000 + 3 × 500.
        assert_eq!(gib("large"), 13_000);
    }
}
