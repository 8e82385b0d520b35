//! Room on disk, looked at before anything is started.

use std::path::Path;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;

use super::ProviderError;

/// Bytes free for this user on the disk that holds `path`.
///
/// # Errors
/// The path does not exist or cannot be looked at.
pub fn free_bytes(path: &Path) -> Result<u64, ProviderError> {
    let stat = statvfs(path).map_err(|errno| {
        ProviderError::io(format!("look at the disk of {}", path.display()), errno.into())
    })?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Refuses when less than `needed_bytes` are free on the disk that holds `path`, with what to do about it.
///
/// # Errors
/// [`ProviderError::DiskFull`] with both figures, or the path cannot be looked at.
pub fn require(path: &Path, needed_bytes: u64, remedy: &'static str) -> Result<(), ProviderError> {
    let free = free_bytes(path)?;
    if free < needed_bytes {
        return Err(ProviderError::DiskFull {
            path: path.to_path_buf(),
            free_bytes: free,
            needed_bytes,
            remedy,
        });
    }
    Ok(())
}

/// Whether `path` lies in memory (tmpfs): durable writes cost nothing there, so figures flatter.
pub fn is_memory(path: &Path) -> bool {
    statfs(path).is_ok_and(|stat| stat.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_refused_with_both_figures() {
        let dir = tempfile::tempdir().unwrap();
        require(dir.path(), 1, "help").unwrap();
        let error = require(dir.path(), u64::MAX, "help").unwrap_err();
        assert!(
            matches!(error, ProviderError::DiskFull { needed_bytes: u64::MAX, free_bytes, .. } if free_bytes > 0)
        );
        let text = error.to_string();
        assert!(text.contains("needed") && text.ends_with("; help"), "{text}");
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error_and_not_zero() {
        assert!(matches!(free_bytes(Path::new("/no/such/dir")), Err(ProviderError::Io { .. })));
    }
}
