//! The promise's decision matrix and its table of feature requirements.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::checks::minio_lasts;
use crate::component::Component;
use crate::model::Profile;
use crate::nearest::nearest;
use crate::units::Volume;

/// The shipped profiles, smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Dev,
    Small,
    Medium,
    Large,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

/// Something that a deployment must offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Development on one machine.
    LocalDev,
    /// Production use.
    Production,
    /// Several regions.
    MultiRegion,
    /// A row of the feature matrix.
    Component(Component),
}

impl Need {
    /// All needs: the three that are no component, then the feature matrix in its order.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::LocalDev, Self::Production, Self::MultiRegion]
            .into_iter()
            .chain(Component::ALL.into_iter().map(Self::Component))
    }

    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalDev => "local-dev",
            Self::Production => "production",
            Self::MultiRegion => "multi-region",
            Self::Component(Component::CosmosFederation) => "cosmos",
            Self::Component(component) => component.name(),
        }
    }

    /// Smallest profile that offers it. AI experts: the requirements table says medium, although the
    /// component table calls them optional in small.
    const fn minimum(self) -> Level {
        match self {
            Self::LocalDev => Level::Dev,
            Self::Production => Level::Small,
            Self::MultiRegion => Level::Large,
            Self::Component(component) => match component {
                Component::Postgresql | Component::Redis | Component::Minio | Component::Nats => {
                    Level::Dev
                }
                Component::Kafka | Component::Trino | Component::Airflow | Component::Datahub => {
                    Level::Small
                }
                Component::Qdrant | Component::AiExperts | Component::Gpu => Level::Medium,
                Component::MultiAz | Component::CosmosFederation => Level::Large,
            },
        }
    }

    /// Section of the promise that says so.
    const fn section(self) -> &'static str {
        match self {
            Self::Production => "Decision Matrix",
            Self::LocalDev
            | Self::MultiRegion
            | Self::Component(
                Component::Datahub
                | Component::AiExperts
                | Component::Gpu
                | Component::MultiAz
                | Component::CosmosFederation,
            ) => "Feature Requirements",
            Self::Component(_) => "Components by Profile",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A word that names no need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no need is called `{word}`; the nearest is `{nearest}`")]
pub struct UnknownNeed {
    /// The word.
    pub word: String,
    /// The nearest name.
    pub nearest: &'static str,
}

impl FromStr for Need {
    type Err = UnknownNeed;

    fn from_str(word: &str) -> Result<Self, UnknownNeed> {
        let wanted = word.trim();
        Self::all()
            .find(|need| need.name() == wanted)
            .or_else(|| wanted.parse().ok().map(Self::Component))
            .ok_or_else(|| UnknownNeed {
                word: wanted.to_owned(),
                nearest: nearest(wanted, Self::all().map(Self::name)).unwrap_or_default(),
            })
    }
}

/// Which profile to choose, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// Name of the profile.
    pub profile: &'static str,
    /// Why, in the order of the decision matrix; what decided it is among them.
    pub reasons: Vec<String>,
    /// What to know before choosing it.
    pub warnings: Vec<String>,
}

/// Bytes per day at the two borders of the decision matrix.
const ONE_TB: u64 = 1_000_000_000_000;
const TEN_TB: u64 = 10 * ONE_TB;

/// Follows the decision matrix, then raises the profile to what the needs ask for. Less than 1 TB/day
/// is small, 1 to 10 TB/day (both included) medium, more is large.
pub fn recommend(volume: Volume, needs: &[Need]) -> Recommendation {
    let mut reasons = Vec::new();
    let mut warnings = Vec::new();
    let local = needs.contains(&Need::LocalDev);
    let production = needs.contains(&Need::Production);
    let mut level = if local && !production {
        reasons.push("not for production: dev (Decision Matrix)".to_owned());
        Level::Dev
    } else {
        if local {
            warnings.push(
                "local-dev and production exclude each other; production was followed".to_owned(),
            );
        } else if !production {
            reasons.push(
                "for production, as nothing else was said (add local-dev for a laptop)".to_owned(),
            );
        }
        by_volume(volume, &mut reasons, &mut warnings)
    };
    for need in needs {
        let minimum = need.minimum();
        reasons.push(format!("{need} needs at least {} ({})", minimum.name(), need.section()));
        level = level.max(minimum);
    }
    if local && !production && level > Level::Dev {
        warnings.push(format!(
            "dev does not offer all of this; {} runs on Kubernetes, not on one machine",
            level.name()
        ));
    }
    if needs.contains(&Need::Component(Component::AiExperts)) {
        warnings.push(
            "Components by Profile calls AI experts optional in small; Feature Requirements asks for medium"
                .to_owned(),
        );
    }
    if let Ok(profile) = Profile::load(level.name()) {
        capacity(&profile, volume, &mut warnings);
    }
    Recommendation { profile: level.name(), reasons, warnings }
}

fn by_volume(volume: Volume, reasons: &mut Vec<String>, warnings: &mut Vec<String>) -> Level {
    let (level, class) = match volume.bytes_per_day() {
        bytes if bytes < ONE_TB => (Level::Small, "less than 1 TB/day"),
        bytes if bytes <= TEN_TB => (Level::Medium, "1 to 10 TB/day"),
        _ => (Level::Large, "more than 10 TB/day"),
    };
    reasons.push(format!("{volume} is {class}: {} (Decision Matrix)", level.name()));
    if volume.bytes_per_day() == ONE_TB {
        warnings.push(
            "1 TB/day is the lower edge of medium; a run of small offers exactly this, the upper edge of its class"
                .to_owned(),
        );
    }
    level
}

/// What the profile's own figures say about the volume.
fn capacity(profile: &Profile, volume: Volume, warnings: &mut Vec<String>) {
    if profile.volume.min.is_none()
        && profile.volume.max.is_none()
        && volume > profile.volume.default
    {
        warnings.push(format!(
            "{} promises no daily volume; {volume} may be more than it can take",
            profile.name
        ));
    }
    if let Some(seconds) = minio_lasts(profile, volume).filter(|s| *s < 86_400.0) {
        warnings.push(format!(
            "its MinIO volume holds {:.1} h of {volume} without compression or expiry",
            seconds / 3600.0
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Presence;
    use crate::load::names;

    fn at(volume: &str, needs: &[&str]) -> Recommendation {
        let needs: Vec<Need> = needs.iter().map(|n| n.parse().unwrap()).collect();
        recommend(volume.parse().unwrap(), &needs)
    }

    #[test]
    fn the_decision_matrix_holds_at_its_borders() {
        for (volume, profile) in [
            ("1MB/day", "small"),
            ("999999999999B/day", "small"),
            ("1TB/day", "medium"),
            ("3TB/day", "medium"),
            ("10TB/day", "medium"),
            ("10000000000001B/day", "large"),
            ("12TB/day", "large"),
        ] {
            assert_eq!(at(volume, &[]).profile, profile, "{volume}");
            assert_eq!(at(volume, &["production"]).profile, profile, "{volume}");
        }
        assert_eq!(at("12TB/day", &["local-dev"]).profile, "dev");
    }

    #[test]
    fn the_feature_requirements_table_holds() {
        for (need, profile) in [
            ("local-dev", "dev"),
            ("datahub", "small"),
            ("ai-experts", "medium"),
            ("gpu", "medium"),
            ("multi-az", "large"),
            ("multi-region", "large"),
            ("cosmos", "large"),
            ("cosmos-federation", "large"),
        ] {
            assert_eq!(at("1MB/day", &["local-dev", need]).profile, profile, "{need}");
        }
    }

    #[test]
    fn a_component_needs_the_smallest_profile_whose_data_has_it() {
        for component in Component::ALL {
            let smallest = names()
                .iter()
                .find(|n| Profile::load(n).unwrap().presence(component) == Presence::Present)
                .unwrap();
            assert_eq!(Need::Component(component).minimum().name(), *smallest, "{component}");
        }
    }

    #[test]
    fn the_larger_of_volume_and_needs_wins_and_both_are_given_as_reasons() {
        let both = at("3TB/day", &["gpu", "multi-az"]);
        assert_eq!(both.profile, "large");
        let reasons = both.reasons.join("\n");
        for part in [
            "3TB/day is 1 to 10 TB/day",
            "gpu needs at least medium",
            "multi-az needs at least large",
        ] {
            assert!(reasons.contains(part), "{part} in {reasons}");
        }
    }

    #[test]
    fn contradicting_or_impossible_wishes_are_warned_of() {
        assert!(!at("1MB/day", &["local-dev", "production"]).warnings.is_empty());
        assert!(at("1MB/day", &["local-dev", "kafka"]).warnings[0].contains("Kubernetes"));
        assert!(at("1TB/day", &[]).warnings[0].contains("edge"));
        assert!(at("5TB/day", &["local-dev"]).warnings[0].contains("no daily volume"));
    }

    #[test]
    fn an_unknown_need_is_answered_with_the_nearest_word() {
        let error = "multiaz".parse::<Need>().unwrap_err();
        assert_eq!(error.to_string(), "no need is called `multiaz`; the nearest is `multi-az`");
    }
}
