//! Container images: the reference type, and the file that maps components to other images.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::component::Component;
use crate::error::ProfileError;
use crate::tree::{self, MAX_BYTES};
use crate::units::serde_as_text;

/// Longest reference that engines take.
const MAX_REFERENCE: usize = 255;

/// A pinned container image: `[registry/]name:tag`, `[registry/]name@sha256:…`, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference(String);

/// A text that pins no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no pinned image: {reason}, such as `postgres:16` or `registry.example/postgres:16@sha256:…`"
)]
pub struct ImageError {
    text: String,
    reason: &'static str,
}

impl ImageReference {
    /// The whole reference.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before tag and digest.
    pub fn name(&self) -> &str {
        split(&self.0).0
    }

    /// The tag, where one is given.
    pub fn tag(&self) -> Option<&str> {
        split(&self.0).1
    }

    /// The digest (`sha256:…`), where one is given.
    pub fn digest(&self) -> Option<&str> {
        split(&self.0).2
    }
}

/// Name, tag and digest. A colon before the last slash is a registry's port.
fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let path = rest.rfind('/').map_or(0, |at| at + 1);
    match rest[path..].find(':') {
        Some(at) => (&rest[..path + at], Some(&rest[path + at + 1..]), digest),
        None => (rest, None, digest),
    }
}

impl FromStr for ImageReference {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let text = text.trim();
        let fault = |reason| {
            let text = text.chars().take(MAX_REFERENCE).collect();
            Err(ImageError { text, reason })
        };
        if text.len() > MAX_REFERENCE {
            return fault("it is longer than 255 characters");
        }
        let (name, tag, digest) = split(text);
        let of = |extra: &'static str| {
            move |b: u8| b.is_ascii_alphanumeric() || extra.as_bytes().contains(&b)
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, path)
            }
            _ => ("", name),
        };
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let parts = path.split('/').all(|part| !part.is_empty() && part.bytes().all(lower));
        if !parts || !registry.bytes().all(of(".:-")) {
            return fault("its name must be of a-z, 0-9 and . _ - /");
        }
        if tag.is_none() && digest.is_none() {
            return fault("it needs a tag or a digest");
        }
        if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.bytes().all(of("._-"))) {
            return fault("its tag must be 1 to 128 of a-z, A-Z, 0-9 and . _ -");
        }
        let hex = |digest: &str| {
            digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64
                    && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        };
        if digest.is_some_and(|digest| !hex(digest)) {
            return fault("its digest must be sha256: and 64 of 0-9 and a-f");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(ImageReference, "an image reference like `postgres:16`");

/// Reads a YAML map from component to image, for registries that hold the images under other names.
///
/// # Errors
/// One line with file, line and the nearest valid word: an unreadable file, invalid YAML, a word that is no
/// component, a reference that pins nothing.
pub fn read_images(path: &Path) -> Result<BTreeMap<Component, ImageReference>, ProfileError> {
    let file = path.display().to_string();
    let unreadable = |reason: String| ProfileError::Unreadable { file: file.clone(), reason };
    let meta = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?;
    if !meta.is_file() {
        return Err(unreadable("it is not a regular file".into()));
    }
    if meta.len() > MAX_BYTES as u64 {
        return Err(unreadable(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
    images_from_yaml(&file, &text)
}

fn images_from_yaml(
    file: &str,
    text: &str,
) -> Result<BTreeMap<Component, ImageReference>, ProfileError> {
    let says = text.lines().any(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    if !says {
        let message = "it is empty; write lines like `postgresql: registry.example/postgres:16`";
        return Err(ProfileError::invalid(file, 1, message));
    }
    tree::from_node(&tree::parse(file, file, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_taken_apart_also_with_a_registrys_port() {
        let text = format!("registry.example:5000/team/postgres:16@{DIGEST}");
        let image: ImageReference = text.parse().unwrap();
        assert_eq!(image.name(), "registry.example:5000/team/postgres");
        assert_eq!((image.tag(), image.digest()), (Some("16"), Some(DIGEST)));
        let image: ImageReference = format!("localhost:5000/redis@{DIGEST}").parse().unwrap();
        assert_eq!((image.name(), image.tag()), ("localhost:5000/redis", None));
    }

    #[test]
    fn what_pins_no_image_is_refused() {
        for bad in [
            "",
            "postgres",
            "localhost:5000/redis",
            "Postgres:16",
            "postgres:",
            "a b:1",
            "a//b:1",
            "a:1@sha256:12",
            "--privileged:1x y",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_names_images_by_component() {
        let text =
            "# ours\npostgresql: odgbench/postgres:15.13-debian\nkafka: odgbench/kafka:3.9.2\n";
        let images = images_from_yaml("images.yaml", text).unwrap();
        assert_eq!(images[&Component::Kafka].as_str(), "odgbench/kafka:3.9.2");
        assert_eq!(images.len(), 2);
    }

    #[test]
    fn a_wrong_file_is_one_line_with_its_place_and_the_nearest_word() {
        for (text, line, word) in [
            ("postgresql: a:1\npostgres: a:1\n", 2, "postgresql"),
            ("kafka: a:1\nredis: a\n", 2, "tag"),
            ("kafka: [a:1]\n", 1, "image reference"),
            ("kafka: a:1\nkafka: b:1\n", 2, "kafka"),
            ("kafka: a:1\n- redis", 2, "YAML"),
            ("\n# nothing\n", 1, "empty"),
        ] {
            let error = images_from_yaml("images.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("images.yaml:{line}: ")), "{error}");
            assert!(error.contains(word) && !error.contains('\n'), "{error}");
        }
    }
}
