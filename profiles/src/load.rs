//! From a name or a path to a resolved profile.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::ProfileError;
use crate::model::Profile;
use crate::nearest::nearest;
use crate::tree::{self, MAX_BYTES, Node, Value};
use crate::{rows, validate};

/// The shipped profiles, smallest first.
const SHIPPED: [(&str, &str); 4] = [
    ("dev", include_str!("../data/dev.yaml")),
    ("small", include_str!("../data/small.yaml")),
    ("medium", include_str!("../data/medium.yaml")),
    ("large", include_str!("../data/large.yaml")),
];

/// Longest chain of `extends`.
const MAX_LINEAGE: usize = 8;

/// Names of the shipped profiles, smallest first.
pub fn names() -> &'static [&'static str] {
    &["dev", "small", "medium", "large"]
}

/// Text of a shipped profile.
fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

impl Profile {
    /// Loads a shipped profile by name, or a profile file by path. A file may extend a shipped profile
    /// or another file (a relative path starts at the file that names it).
    ///
    /// # Errors
    /// One line that names the file, the line and the nearest valid word: unknown name, unreadable
    /// file, invalid YAML, unknown key, a figure that cannot be, an unknown or circular base.
    pub fn load(name_or_path: &str) -> Result<Self, ProfileError> {
        let (tree, lineage) = match Source::find(name_or_path, None) {
            Some(source) => resolve(&source, &mut Vec::new())?,
            None => {
                return Err(ProfileError::Unknown {
                    name: name_or_path.to_owned(),
                    nearest: nearest_name(name_or_path),
                });
            }
        };
        finish(&tree, lineage)
    }

    /// Reads a profile from text; `file` is the name that errors show.
    ///
    /// # Errors
    /// As [`Profile::load`].
    pub fn from_yaml(file: &str, text: &str) -> Result<Self, ProfileError> {
        let (tree, lineage) =
            resolve_text(&Source::File(PathBuf::from(file)), text, &mut Vec::new())?;
        finish(&tree, lineage)
    }
}

fn nearest_name(name: &str) -> String {
    nearest(name, names().iter().copied()).unwrap_or_default().to_owned()
}

fn finish(tree: &Node, lineage: Vec<String>) -> Result<Profile, ProfileError> {
    let mut profile: Profile = tree::from_node(tree)?;
    validate::validate(&profile, tree)?;
    profile.lineage = lineage;
    if let (Some(uptime), Some(node)) =
        (&mut profile.uptime, tree.get("uptime").and_then(|n| n.get("percent")))
    {
        uptime.origin = node.provenance.origin;
        uptime.source.clone_from(&node.provenance.source);
    }
    profile.rows = rows::rows(tree, &profile);
    profile.provenance = rows::provenance(&profile.rows);
    Ok(profile)
}

/// Where a profile's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Shipped(&'static str),
    File(PathBuf),
}

impl Source {
    /// A shipped name, or something that looks like a path or is one.
    fn find(name: &str, beside: Option<&Path>) -> Option<Self> {
        if let Some((name, _)) = SHIPPED.iter().find(|(n, _)| *n == name) {
            return Some(Self::Shipped(name));
        }
        let path = match beside.and_then(Path::parent) {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        let like_a_path =
            name.contains('/') || [".yaml", ".yml"].iter().any(|end| name.ends_with(end));
        (like_a_path || path.is_file()).then_some(Self::File(path))
    }

    fn label(&self) -> String {
        match self {
            Self::Shipped(name) => format!("{name}.yaml"),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn read(&self) -> Result<String, ProfileError> {
        let path = match self {
            Self::Shipped(name) => return Ok(shipped(name).unwrap_or_default().to_owned()),
            Self::File(path) => path,
        };
        let unreadable = |reason: String| ProfileError::Unreadable { file: self.label(), reason };
        // A FIFO or a device would block or never end.
        match std::fs::metadata(path) {
            Ok(meta) if !meta.is_file() => {
                return Err(unreadable("it is not a regular file".into()));
            }
            Ok(_) => {}
            Err(error) => return Err(unreadable(error.to_string())),
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() > MAX_BYTES {
            return Err(unreadable(format!("it is larger than {MAX_BYTES} bytes")));
        }
        String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
            unreadable(format!("line {line} is not UTF-8 text"))
        })
    }
}

/// Reads a profile and lays it on what it extends. `above` holds the profiles that wait for this one.
fn resolve(source: &Source, above: &mut Vec<Source>) -> Result<(Node, Vec<String>), ProfileError> {
    let text = source.read()?;
    resolve_text(source, &text, above)
}

fn resolve_text(
    source: &Source,
    text: &str,
    above: &mut Vec<Source>,
) -> Result<(Node, Vec<String>), ProfileError> {
    let file = source.label();
    let stated_in = match source {
        Source::Shipped(name) => (*name).to_owned(),
        Source::File(_) => file.clone(),
    };
    let mut tree = tree::parse(&file, &stated_in, text)?;
    check_name(source, &tree)?;
    let own_name = match tree.get("name").map(|n| &n.value) {
        Some(Value::Text(name)) => name.clone(),
        _ => stated_in,
    };
    let Some(extends) = tree.remove("extends") else { return Ok((tree, vec![own_name])) };
    let wrong = |message: String| ProfileError::invalid(&file, extends.line, &message);
    let Value::Text(base) = &extends.node.value else {
        return Err(wrong("`extends` must be the name or the path of one profile".into()));
    };
    let beside = match source {
        Source::File(path) => Some(path.as_path()),
        Source::Shipped(_) => None,
    };
    let base_source = Source::find(base, beside).ok_or_else(|| {
        wrong(format!(
            "no profile is called `{base}` to extend; the nearest is `{}`",
            nearest_name(base)
        ))
    })?;
    above.push(source.clone());
    if above.iter().any(|waiting| same(waiting, &base_source)) {
        return Err(wrong(format!("`extends: {base}` goes round in a circle")));
    }
    if above.len() >= MAX_LINEAGE {
        return Err(wrong(format!("more than {MAX_LINEAGE} profiles extend each other")));
    }
    let (mut base_tree, mut lineage) = match resolve(&base_source, above) {
        // The line that names a missing file says more than the file's own name.
        Err(ProfileError::Unreadable { file: missing, reason }) => {
            return Err(wrong(format!("cannot extend {missing}: {reason}")));
        }
        other => other?,
    };
    if tree.get("name").is_none() {
        // A profile never goes by the name of another.
        base_tree.remove("name");
    }
    lineage.push(own_name);
    Ok((tree::merge(base_tree, tree), lineage))
}

/// Two ways to one file.
fn same(a: &Source, b: &Source) -> bool {
    match (a, b) {
        (Source::File(a), Source::File(b)) => match (a.canonicalize(), b.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => a == b,
        },
        _ => a == b,
    }
}

/// A file may not pass for a shipped profile: its results would be taken for that profile's.
fn check_name(source: &Source, tree: &Node) -> Result<(), ProfileError> {
    let (Source::File(_), Some(node)) = (source, tree.get("name")) else { return Ok(()) };
    match &node.value {
        Value::Text(name) if shipped(name).is_some() => Err(ProfileError::invalid(
            &node.file,
            node.line,
            &format!("`{name}` is a shipped profile; give this one another name"),
        )),
        _ => Ok(()),
    }
}
