//! What every file of a record is read with: its lines, and words for what is wrong with them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
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
    each: impl FnMut(usize, &str, bool) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    lines_of(path, LONGEST, each)
}

/// Bytes of a line that is read at all: a second of a thousand operations takes one.
const LONGEST: u64 = 64 << 20;

fn lines_of(
    path: &Path,
    longest: u64,
    mut each: impl FnMut(usize, &str, bool) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        buffer.clear();
        // A file of one endless line is not to fill the memory.
        let mut limited = reader.by_ref().take(longest + 1);
        if limited.read_until(b'\n', &mut buffer).map_err(|e| RecordError::io(path, e))? == 0 {
            return Ok(());
        }
        number += 1;
        if buffer.len() as u64 > longest {
            return Err(RecordError::corrupt(
                path,
                number,
                format!("a line of more than {longest} bytes"),
            ));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_longer_than_any_run_writes_is_refused_by_its_number() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("long");
        std::fs::write(&path, "1234567\n12345678\n").unwrap();
        let mut seen = Vec::new();
        let mut read = |longest| {
            seen.clear();
            lines_of(&path, longest, |number, line, whole| {
                seen.push((number, line.len(), whole));
                Ok(())
            })
        };
        assert!(read(9).is_ok());
        let error = read(8).unwrap_err().to_string();
        assert!(error.contains("line 2: a line of more than 8 bytes"), "{error}");
        assert_eq!(seen, [(1, 7, true)]);
    }
}
