//! A file that only grows, and only by whole lines.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::RecordError;

/// Appends whole blocks. A block goes to the kernel in one write, unbuffered here, so it survives
/// the death of this process.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Appender {
    /// Creates a file that must not exist yet.
    pub(super) fn create(path: &Path) -> Result<Self, RecordError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|e| RecordError::io(path, e))?;
        Ok(Self { file, path: path.to_path_buf(), len: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a block, or takes back the part of it that was written.
    pub(super) fn append(&mut self, block: &[u8]) -> Result<(), RecordError> {
        if let Err(error) = self.file.write_all(block) {
            // Best effort: where this fails too, the reader still copes with a torn last line.
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err(RecordError::io(&self.path, error));
        }
        self.len += block.len() as u64;
        Ok(())
    }

    /// Asks the kernel to put the file on the device.
    pub(super) fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(|e| RecordError::io(&self.path, e))
    }
}
