//! Where servers are looked for: the places of the `local` provider, in its order.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A variable that is set and not empty.
fn var(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What was found, or `None` where a missing server is allowed.
fn or_skip(found: Option<PathBuf>, name: &str) -> Option<PathBuf> {
    if found.is_none() {
        let hint = format!(
            "{name} is not installed: run ci/setup, or set ODG_BENCH_TEST_ALLOW_MISSING=1 to skip"
        );
        assert!(var("ODG_BENCH_TEST_ALLOW_MISSING").is_some(), "{hint}");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = var("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| is_program(path))
}

/// Where `ci/setup` puts what has no package.
fn tools() -> PathBuf {
    var("ODG_BENCH_TOOLS").map(PathBuf::from).unwrap_or_else(|| {
        let home = || PathBuf::from(var("HOME").unwrap_or_default()).join(".local/share");
        var("XDG_DATA_HOME").map_or_else(home, PathBuf::from).join("odg-bench")
    })
}

/// A program: the one that `variable` names and no other, else in the tools directory, else on the PATH.
pub(super) fn program(name: &str, variable: &str) -> Option<PathBuf> {
    let found = match var(variable).map(PathBuf::from) {
        Some(named) => Some(named).filter(|path| is_program(path)),
        None => {
            let tool = tools().join("bin").join(name);
            Some(tool).filter(|path| is_program(path)).or_else(|| on_path(name))
        }
    };
    or_skip(found, name)
}

/// The directory of `initdb` and `postgres`; of several, the newest major version.
pub(super) fn postgres_bin() -> Option<PathBuf> {
    let complete = |dir: &PathBuf| ["initdb", "postgres"].iter().all(|p| is_program(&dir.join(p)));
    let found = match var("ODG_BENCH_POSTGRES_BIN").map(PathBuf::from) {
        Some(named) => Some(named).filter(complete),
        None => versions(Path::new("/usr/lib/postgresql"))
            .into_iter()
            .map(|home| home.join("bin"))
            .chain(on_path("postgres").and_then(|path| Some(path.parent()?.to_path_buf())))
            .find(complete),
    };
    or_skip(found, "postgres")
}

/// `java`, and the directory of Kafka's jars.
pub(super) fn kafka() -> Option<(PathBuf, PathBuf)> {
    let from_home = var("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let java = from_home.filter(|java| is_program(java)).or_else(|| on_path("java"));
    let java = or_skip(java, "java")?;
    let homes = match var("ODG_BENCH_KAFKA_HOME") {
        Some(home) => vec![PathBuf::from(home)],
        None => versions(&tools().join("kafka")),
    };
    let libs = homes.into_iter().map(|home| home.join("libs")).find(|libs| libs.is_dir());
    Some((java, or_skip(libs, "Apache Kafka")?))
}

/// Directories named by a version, newest first.
fn versions(parent: &Path) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> =
        fs::read_dir(parent).into_iter().flatten().flatten().map(|e| e.path()).collect();
    let key = |home: &PathBuf| -> Vec<u32> {
        let name = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    homes.sort_by_key(|home| std::cmp::Reverse(key(home)));
    homes
}
