//! Puts a finished directory in the place of an older one, in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use tempfile::TempDir;

use super::PublishError;
use super::manifest::{files, is_site, read_sums};
use crate::error::RecordError;

/// Whether what is at `out` may be replaced: nothing, an empty directory, or a site of ours and nothing else.
pub(super) fn check(out: &Path) -> Result<(), PublishError> {
    let not_ours = || PublishError::NotOurs { path: out.to_path_buf() };
    match fs::symlink_metadata(out) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(RecordError::io(out, e).into()),
        Ok(there) if !there.is_dir() => return Err(not_ours()),
        Ok(_) => {}
    }
    let mut entries = fs::read_dir(out).map_err(|e| RecordError::io(out, e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    if !is_site(out) {
        return Err(not_ours());
    }
    let (sums, _) = read_sums(out)?;
    match files(out)?.into_iter().find(|place| !sums.contains_key(place)) {
        Some(place) => Err(PublishError::Foreign { path: out.join(place) }),
        None => Ok(()),
    }
}

/// A directory beside the place that it is for, removed unless it got there.
pub(super) struct Staging(TempDir);

impl Staging {
    pub(super) fn beside(out: &Path) -> Result<Self, PublishError> {
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|e| RecordError::io(parent, e))?;
        let dir = tempfile::Builder::new()
            .prefix(".odg-bench-site-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(parent)
            .map_err(|e| RecordError::io(parent, e))?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts the directory at `out`. What was there goes with the staging directory.
    pub(super) fn take_the_place_of(self, out: &Path) -> Result<(), PublishError> {
        // What came in while the new site was made is not lost either.
        check(out)?;
        let here = self.0.path().to_path_buf();
        if !out.exists() {
            fs::rename(&here, out).map_err(|e| RecordError::io(out, e))?;
            let _: PathBuf = self.0.keep();
            return Ok(());
        }
        match renameat2(AT_FDCWD, &here, AT_FDCWD, out, RenameFlags::RENAME_EXCHANGE) {
            Ok(()) => {
                // What is at the staging place now is the older site.
                self.0.close().map_err(|e| RecordError::io(&here, e))?;
                Ok(())
            }
            // Some network file systems cannot exchange: then there is an instant without a site.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                let old = here.with_extension("old");
                fs::rename(out, &old).map_err(|e| RecordError::io(out, e))?;
                if let Err(e) = fs::rename(&here, out) {
                    // Back to where it was; the first error is the one to tell.
                    let _ = fs::rename(&old, out);
                    return Err(RecordError::io(out, e).into());
                }
                let _: PathBuf = self.0.keep();
                fs::remove_dir_all(&old).map_err(|e| RecordError::io(&old, e))?;
                Ok(())
            }
            Err(e) => Err(RecordError::io(out, e.into()).into()),
        }
    }
}
