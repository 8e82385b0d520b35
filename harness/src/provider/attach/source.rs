//! Where settings come from: a YAML file, and environment variables of the same names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use odg_profiles::nearest;
use odg_workloads::secret::Secret;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned};

use super::error::EndpointsError;
use super::settings::{SECTIONS, is_secret};

/// Start of every environment variable that sets an endpoint.
pub const VARIABLES: &str = "ODG_BENCH_ATTACH_";
/// Largest file of endpoints, and largest secret or certificate beside it, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Bits of a file's mode that let others than its owner read it.
const READ_BY_OTHERS: u32 = 0o044;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Line(PathBuf, u64),
    Variable(String),
}

impl Place {
    /// An error about this setting.
    pub(super) fn wrong(&self, message: impl Into<String>) -> EndpointsError {
        let message = message.into();
        match self {
            Self::Line(file, line) => {
                EndpointsError::Line { file: file.clone(), line: *line, message }
            }
            Self::Variable(variable) => {
                EndpointsError::Variable { variable: variable.clone(), message }
            }
        }
    }
}

/// A setting: any of them may be, or hold, a secret.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub value: Secret,
    pub place: Place,
}

/// The settings of one component, by name.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub name: &'static str,
    pub settings: BTreeMap<&'static str, Setting>,
    /// Where the section begins, for what is missing in it.
    pub place: Place,
}

/// Everything that is set, and what a reader should know of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub sections: Vec<Section>,
    /// Secrets that stand in a file that others may read, by setting.
    pub exposed: Vec<String>,
}

impl Settings {
    /// Reads the file, where there is one, and the variables. A setting of the file is stronger than a variable
    /// of its name.
    pub(super) fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, EndpointsError> {
        let mut settings = match file {
            Some(file) => from_file(file)?,
            None => Self::default(),
        };
        settings.add_variables(variables)?;
        Ok(settings)
    }

    fn add_variables(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), EndpointsError> {
        let mut found: Vec<(String, OsString)> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(VARIABLES) && !value.is_empty())
            .collect();
        found.sort();
        for (name, value) in found {
            let place = Place::Variable(name.clone());
            let Some((section, field)) = known_variable(&name) else {
                let all: Vec<String> = all_variables().collect();
                let near = nearest(&name, all.iter().map(String::as_str)).unwrap_or_default();
                return Err(place.wrong(format!("unknown; the nearest is {near}")));
            };
            let Ok(value) = value.into_string() else {
                return Err(place.wrong("its value is not UTF-8 text"));
            };
            let section = match self.sections.iter_mut().find(|s| s.name == section) {
                Some(section) => section,
                None => {
                    let new =
                        Section { name: section, settings: BTreeMap::new(), place: place.clone() };
                    self.sections.push(new);
                    let last = self.sections.len() - 1;
                    &mut self.sections[last]
                }
            };
            let setting = Setting { value: Secret::new(value), place };
            section.settings.entry(field).or_insert(setting);
        }
        Ok(())
    }
}

/// `ODG_BENCH_ATTACH_POSTGRES_URL` for `url` of `postgres`.
pub(super) fn variable(section: &str, field: &str) -> String {
    format!("{VARIABLES}{}_{}", section.to_uppercase(), field.to_uppercase())
}

fn all_variables() -> impl Iterator<Item = String> {
    SECTIONS.iter().flat_map(|(section, fields)| fields.iter().map(|f| variable(section, f)))
}

fn known_variable(name: &str) -> Option<(&'static str, &'static str)> {
    SECTIONS.iter().find_map(|(section, fields)| {
        fields.iter().find(|field| variable(section, field) == name).map(|field| (*section, *field))
    })
}

/// The text of a regular file.
pub(super) fn text_of(path: &Path) -> Result<String, String> {
    // A FIFO or a device would block or never end.
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err("it is not a regular file".into()),
        Ok(_) => {}
        Err(error) => return Err(error.to_string()),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

fn from_file(file: &Path) -> Result<Settings, EndpointsError> {
    let text = text_of(file)
        .map_err(|reason| EndpointsError::Unreadable { file: file.to_path_buf(), reason })?;
    let raw = parse(file, &text)?;
    let mode = fs::metadata(file).map_or(0, |meta| meta.permissions().mode());
    let mut settings = Settings::default();
    for (name, section) in raw.0 {
        let place = Place::Line(file.to_path_buf(), name.referenced.line());
        let Some((known, fields)) = SECTIONS.iter().find(|(known, _)| *known == name.value) else {
            let near = nearest(&name.value, SECTIONS.iter().map(|(known, _)| *known));
            return Err(place.wrong(unknown("component", &name.value, near)));
        };
        let mut own = BTreeMap::new();
        for (key, scalar) in section.0 {
            let place = Place::Line(file.to_path_buf(), key.referenced.line());
            let Some(field) = fields.iter().find(|field| **field == key.value) else {
                let near = nearest(&key.value, fields.iter().copied());
                let message = unknown("key", &key.value, near);
                return Err(place.wrong(format!("{known}: {message}")));
            };
            let value = scalar.0;
            if is_secret(field) && mode & READ_BY_OTHERS != 0 {
                settings.exposed.push(format!("{known}.{field}"));
            }
            own.insert(*field, Setting { value, place });
        }
        settings.sections.push(Section { name: known, settings: own, place });
    }
    Ok(settings)
}

fn unknown(what: &str, word: &str, near: Option<&str>) -> String {
    // A key is no secret, but a file that was cut off or pasted wrongly may have anything in a key's place.
    let shown = word.len() <= 40 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let word = if shown { format!(" `{word}`") } else { String::new() };
    format!("unknown {what}{word}; the nearest is `{}`", near.unwrap_or_default())
}

fn parse(file: &Path, text: &str) -> Result<RawFile, EndpointsError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: 4, max_documents: 1 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line());
        let message = match error.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { .. } => "a key stands twice",
            serde_saphyr::Error::Budget { .. } => {
                "anchors, aliases, several documents and deep nesting are not allowed here"
            }
            // What the parser says may hold a piece of the text, and with it a secret.
            _ => {
                "not valid: this is a map of components, each a map of settings with one value each"
            }
        };
        Place::Line(file.to_path_buf(), line.max(1)).wrong(message)
    })
}

/// Components and their settings, in the file's order.
struct RawFile(Vec<(Spanned<String>, RawSection)>);
struct RawSection(Vec<(Spanned<String>, Scalar)>);
struct Scalar(Secret);

impl<'de> Deserialize<'de> for RawFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entries::new()).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entries::new()).map(Self)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|value| Self(Secret::new(value)))
    }
}

/// Reads a map in order; nothing at all is an empty one.
struct Entries<V>(std::marker::PhantomData<V>);

impl<V> Entries<V> {
    fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = Vec<(Spanned<String>, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
