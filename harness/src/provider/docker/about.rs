//! What a reader of the record must know about containers: which image ran, on what, with which limits.

use odg_profiles::ImageReference;
use odg_reports::record::Warning;

use super::DockerProvider;
use super::container::Site;
use super::engine::Engine;
use crate::provider::who::Who;

/// What is known of one component's container before its server has answered.
pub(super) struct About {
    /// The image that runs, where it is not the profile's.
    other: Option<ImageReference>,
    /// The version that the image claims.
    labelled: Option<String>,
    /// Image, engine and limits.
    note: String,
}

impl About {
    pub(super) fn new(provider: &DockerProvider, site: &Site<'_>) -> Self {
        let engine = site.engine;
        let limits = site.limits.map_or_else(
            || "no limits, the profile states none".to_owned(),
            |limits| limits.to_string(),
        );
        let image = format!("{} ({})", site.reference, site.image.identity);
        let image = provider.image_in_words(site.component, &image);
        Self {
            other: provider.replaced(site.component).map(|_| site.reference.clone()),
            labelled: site.image.version.clone(),
            note: format!("{image} on {} with API {}; {limits}", engine.name, engine.api),
        }
    }

    /// Name, version and note of what answered. Product and version are what the server says by its protocol; the
    /// image's word counts only where the protocol has none, and is marked as that.
    pub(super) fn and_who(self, who: &Who, not_held: &[&str]) -> (String, String, String) {
        let name = match &self.other {
            Some(image) => format!("{} (image {image})", who.name),
            None => who.name.clone(),
        };
        let mut note = self.note;
        if !not_held.is_empty() {
            note.push_str(&format!("; not held by the engine: {}", not_held.join(", ")));
        }
        if let Some(said) = &who.note {
            note.push_str(&format!("; {said}"));
        }
        let version = match (&who.version, self.labelled) {
            (Some(version), Some(labelled)) if !same(version, &labelled) => {
                note.push_str(&format!("; its image says {labelled}"));
                version.clone()
            }
            (Some(version), _) => version.clone(),
            (None, Some(labelled)) => format!("{labelled} (by its image)"),
            (None, None) => "unknown".to_owned(),
        };
        (name, version, note)
    }
}

/// Whether two versions agree in every part that both of them have: 16 is 16.4, and 16.1 is not 16.10.
fn same(one: &str, other: &str) -> bool {
    fn parts(version: &str) -> impl Iterator<Item = &str> {
        version.split([' ', '-', '+']).next().unwrap_or_default().trim_start_matches('v').split('.')
    }
    parts(one).zip(parts(other)).all(|(one, other)| one == other)
}

/// What concerns the whole record, said once.
pub(super) fn warnings(engine: &Engine, replaced: &[String], not_held: &[String]) -> Vec<Warning> {
    let mut all = Vec::new();
    if !replaced.is_empty() {
        all.push(Warning {
            code: "other-images".into(),
            text: format!("images other than the profile's ran: {}", replaced.join("; ")),
            action: "say so beside published figures, or run without --images".into(),
        });
    }
    if !not_held.is_empty() {
        all.push(Warning {
            code: "limits-not-held".into(),
            text: format!(
                "the container engine did not set limits that the profile asks for: {}",
                not_held.join(", ")
            ),
            action: "let its kernel account for them (`docker info` warns of what it lacks), or read the figures \
                     as those of containers without these limits"
                .into(),
        });
    }
    let mut missing = Vec::new();
    if !engine.is_podman() {
        missing.push(
            "docker-proxy, which copies every byte between clients and containers, is in no row",
        );
    }
    if engine.cgroup_v1 {
        missing.push("under cgroup v1 block I/O leaves out what is written through the page cache");
    }
    if !missing.is_empty() {
        all.push(Warning {
            code: "container-figures".into(),
            text: format!("figures of containers are not whole: {}", missing.join("; ")),
            action: "compare resources of containers only with those of containers".into(),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use odg_reports::record::Fidelity;

    use super::*;

    fn about(other: Option<&str>, labelled: &str) -> About {
        About {
            other: other.map(|image| image.parse().unwrap()),
            labelled: Some(labelled.to_owned()),
            note: "image x".to_owned(),
        }
    }

    fn who(version: Option<&str>) -> Who {
        Who {
            name: "PostgreSQL".to_owned(),
            version: version.map(str::to_owned),
            fidelity: Fidelity::Real,
            note: None,
        }
    }

    #[test]
    fn what_the_server_says_counts_and_an_image_that_says_otherwise_is_quoted() {
        let said = who(Some("15.20 (Debian)"));
        let (name, version, note) =
            about(Some("house/postgres:16"), "16").and_who(&said, &["swap"]);
        assert_eq!(name, "PostgreSQL (image house/postgres:16)");
        assert_eq!(version, "15.20 (Debian)");
        assert_eq!(note, "image x; not held by the engine: swap; its image says 16");
    }

    #[test]
    fn versions_are_compared_part_by_part_as_far_as_both_go() {
        for (one, other) in
            [("16", "16.4"), ("16.4 (Debian 16.4-1)", "16"), ("7.2.4", "7.2.4-alpine")]
        {
            assert!(same(one, other) && same(other, one), "{one} {other}");
        }
        for (one, other) in [("16.1", "16.10"), ("15.20", "16"), ("1", "16")] {
            assert!(!same(one, other) && !same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn a_version_that_only_the_image_gives_is_marked() {
        let (name, version, note) = about(None, "3.1").and_who(&who(None), &[]);
        let got = (name.as_str(), version.as_str(), note.as_str());
        assert_eq!(got, ("PostgreSQL", "3.1 (by its image)", "image x"));
    }
}
