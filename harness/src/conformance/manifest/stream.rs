//! Manifests of any size, one document at a time.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use odg_profiles::values::yaml::{self, Aliases, Duplicates, YamlError};
use sha2::{Digest, Sha256};

use super::inventory::Inventory;

/// Largest single object, in bytes. etcd takes 1.5 MB; a custom resource definition comes near it.
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;
/// Most text of all manifests together, in bytes: fifty times what an umbrella chart of 20 parts renders to.
pub const MAX_MANIFEST_BYTES: u64 = 32 << 20;

/// Most directories in each other.
const MAX_DIRECTORIES: u8 = 16;
/// Most files of one directory and those in it.
const MAX_FILES: usize = 50_000;

/// Manifests that cannot be read, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read at all.
    #[error("{file}: cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// A limit.
    #[error("{file}:{line}: {what}")]
    TooLarge {
        /// The file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Which limit, and what to do.
        what: String,
    },
    /// Broken YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A document that is no object.
    #[error("{file}:{line}: {what}")]
    NoObject {
        /// The file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What it is instead.
        what: String,
    },
}

/// Where manifests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or all `.yaml`, `.yml` and `.json` files of a directory and of those in it, in the order of their names.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// Reads manifests; answers what is in them and the SHA-256 of each file.
///
/// # Errors
/// One line with file and line: unreadable, broken YAML, no object, larger than the limits.
pub fn read(sources: &[Source]) -> Result<(Inventory, Vec<(String, String)>), ManifestError> {
    let mut inventory = Inventory::default();
    let mut hashes = Vec::new();
    let mut left = Left { bytes: MAX_MANIFEST_BYTES, aliases: Aliases::default() };
    for source in sources {
        match source {
            Source::Stdin => {
                let input = std::io::stdin().lock();
                hashes.push(one("-", input, &mut left, &mut inventory)?);
            }
            Source::Path(path) => {
                for file in files(path)? {
                    hashes.push(opened(&file, &mut left, &mut inventory)?);
                }
            }
        }
    }
    inventory.settle();
    Ok((inventory, hashes))
}

/// What may still be read of all manifests together.
struct Left {
    bytes: u64,
    aliases: Aliases,
}

fn opened(
    file: &Path,
    left: &mut Left,
    inventory: &mut Inventory,
) -> Result<(String, String), ManifestError> {
    let name = file.display().to_string();
    let failed = |e: std::io::Error| ManifestError::Unreadable {
        file: file.display().to_string(),
        why: e.to_string(),
    };
    let meta = std::fs::metadata(file).map_err(failed)?;
    // A file that is too large is not read at all; a pipe's size is unknown until it ends.
    if meta.is_file() && meta.len() > left.bytes {
        return Err(too_large(&name, 1));
    }
    one(&name, std::fs::File::open(file).map_err(failed)?, left, inventory)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let failed = |e: std::io::Error| ManifestError::Unreadable {
        file: path.display().to_string(),
        why: e.to_string(),
    };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    below(path, MAX_DIRECTORIES, &mut found)?;
    if found.is_empty() {
        let why = "the directory has no .yaml, .yml or .json file".to_owned();
        return Err(ManifestError::Unreadable { file: path.display().to_string(), why });
    }
    found.sort();
    Ok(found)
}

/// Adds the manifests of a directory and of those in it. Directories behind links, and hidden ones, are passed over.
fn below(dir: &Path, depth: u8, found: &mut Vec<PathBuf>) -> Result<(), ManifestError> {
    let unreadable =
        |why: String| ManifestError::Unreadable { file: dir.display().to_string(), why };
    let failed = |e: std::io::Error| unreadable(e.to_string());
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if kind.is_dir() {
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if depth == 0 {
                let limit = format!("it has more than {MAX_DIRECTORIES} directories in each other");
                return Err(unreadable(limit));
            }
            below(&path, depth - 1, found)?;
            continue;
        }
        let ending = path.extension().and_then(|e| e.to_str());
        if matches!(ending, Some("yaml" | "yml" | "json")) && path.is_file() {
            if found.len() >= MAX_FILES {
                return Err(unreadable(format!("it has more than {MAX_FILES} manifests")));
            }
            found.push(path);
        }
    }
    Ok(())
}

fn too_large(file: &str, line: u64) -> ManifestError {
    let what = format!(
        "the manifests are larger than {} MiB together; give the deployment's own manifests only",
        MAX_MANIFEST_BYTES >> 20
    );
    ManifestError::TooLarge { file: file.to_owned(), line, what }
}

fn one(
    name: &str,
    input: impl Read,
    left: &mut Left,
    inventory: &mut Inventory,
) -> Result<(String, String), ManifestError> {
    let file: Arc<str> = Arc::from(name);
    let mut input = BufReader::new(input);
    let mut hash = Sha256::new();
    let (mut document, mut before, mut line) = (String::new(), 0_u64, 0_u64);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        // One more than is left shows that there is more.
        let read = (&mut input)
            .take(left.bytes + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|e| ManifestError::Unreadable { file: name.to_owned(), why: e.to_string() })?;
        if read == 0 {
            break;
        }
        let rest = left.bytes.checked_sub(read as u64);
        left.bytes = rest.ok_or_else(|| too_large(name, line + 1))?;
        hash.update(&bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| ManifestError::Unreadable {
            file: name.to_owned(),
            why: format!("line {} is not UTF-8 text", line + 1),
        })?;
        if ends_document(text) {
            document_read(&file, &document, before, &mut left.aliases, inventory)?;
            document.clear();
            before = line;
            // What follows the mark on its line belongs to the next document.
            document.push_str(text);
        } else {
            document.push_str(text);
        }
        line += 1;
        if document.len() > MAX_DOCUMENT_BYTES {
            let what = format!(
                "one document is larger than {} MiB, more than a cluster can store",
                MAX_DOCUMENT_BYTES >> 20
            );
            return Err(ManifestError::TooLarge { file: name.to_owned(), line, what });
        }
    }
    document_read(&file, &document, before, &mut left.aliases, inventory)?;
    Ok((name.to_owned(), format!("{:x}", hash.finalize())))
}

/// A line that begins with `---` begins a document, wherever it stands: the lines of a block text are indented.
fn ends_document(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn document_read(
    file: &Arc<str>,
    text: &str,
    before: u64,
    aliases: &mut Aliases,
    inventory: &mut Inventory,
) -> Result<(), ManifestError> {
    match yaml::parse(file, text, before, Duplicates::LastWins, aliases)? {
        Some(node) => super::object::add(&node, inventory, 0).map_err(|(place, what)| {
            ManifestError::NoObject { file: place.file.to_string(), line: place.line, what }
        }),
        None => Ok(()),
    }
}
