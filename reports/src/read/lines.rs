//! What every file of a record is read with: its lines, and words for what is wrong with them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::error::RecordError;
use crate::record::SCHEMA_VERSION;

/// serde_json's message without its own "at line … column …".
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

pub(super) fn check_version(path: &Path, line: usize, found: &str) -> Result<(), RecordError> {
    let major = |v: &str| v.split('.').next().and_then(|m| m.parse::<u32>().ok());
    match (major(found), major(SCHEMA_VERSION)) {
        (None, _) => Err(RecordError::corrupt(
            path,
            line,
            format!("schema_version {found:?} is not a version number"),
        )),
        (Some(theirs), Some(ours)) if theirs > ours => Err(RecordError::NewerSchema {
            path: path.to_path_buf(),
            found: found.to_owned(),
            known: SCHEMA_VERSION,
        }),
        _ => Ok(()),
    }
}

/// Calls `each` with every line (number from 1, text, whether it ends in a newline). A file whose
/// last line has no newline was cut by a killed process.
pub(super) fn lines(
    path: &Path,
    mut each: impl FnMut(usize, &str, bool) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(|e| RecordError::io(path, e))? == 0 {
            return Ok(());
        }
        number += 1;
        let whole = buffer.last() == Some(&b'\n');
        if whole {
            buffer.pop();
        }
        match std::str::from_utf8(&buffer) {
            Ok(line) => each(number, line, whole)?,
            // A cut can fall inside a character.
            Err(_) if !whole => each(number, "", false)?,
            Err(_) => return Err(RecordError::corrupt(path, number, "not UTF-8 text")),
        }
    }
}

pub(super) fn torn(path: &Path, line: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("line {line} of {name}, the last, was cut off and is left out")
}
