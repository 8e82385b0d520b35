//! Where programs are looked for.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use odg_profiles::Component;

/// The environment that a search looks at; a copy, so that a test can have its own.
#[derive(Debug, Clone, Default)]
pub struct Search {
    vars: BTreeMap<OsString, OsString>,
}

/// A component was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFound {
    /// Where it was looked for.
    pub tried: Vec<String>,
    /// Command that would add it.
    pub hint: String,
}

impl Search {
    /// This process's environment.
    pub fn from_env() -> Self {
        Self { vars: env::vars_os().collect() }
    }

    /// An environment of exactly these variables.
    pub fn from_vars<K: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { vars: vars.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }

    /// A variable that is set and not empty.
    pub(super) fn var(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The implementation that `ODG_BENCH_IMPLEMENTATION_<COMPONENT>` asks for.
    pub(super) fn forced(&self, component: Component) -> Option<String> {
        let name = component.name().to_uppercase().replace('-', "_");
        Some(self.var(&format!("ODG_BENCH_IMPLEMENTATION_{name}"))?.to_string_lossy().into_owned())
    }

    /// Where `ci/setup` puts what has no package.
    pub(super) fn tools_dir(&self) -> Option<PathBuf> {
        if let Some(dir) = self.var("ODG_BENCH_TOOLS") {
            return Some(dir.into());
        }
        let data = match self.var("XDG_DATA_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => Path::new(self.var("HOME")?).join(".local/share"),
        };
        Some(data.join("odg-bench"))
    }

    /// A program: the one that `variable` names and no other where it is set, else in the tools directory,
    /// else on the PATH and in the directories of servers.
    pub(super) fn program(&self, name: &str, variable: &str) -> Result<PathBuf, Vec<String>> {
        if let Some(path) = self.var(variable) {
            let path = PathBuf::from(path);
            let tried = format!("{variable}={}", path.display());
            return if is_program(&path) { Ok(path) } else { Err(vec![tried]) };
        }
        let mut tried = vec![format!("${variable}")];
        if let Some(path) = self.tools_dir().map(|dir| dir.join("bin").join(name)) {
            if is_program(&path) {
                return Ok(path);
            }
            tried.push(path.display().to_string());
        }
        tried.push(format!("{name} on the PATH"));
        find_program(name, self.var("PATH")).ok_or(tried)
    }
}

/// Finds a program on a PATH, and where Debian keeps servers, which a user's PATH often leaves out.
pub(super) fn find_program(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let dirs = path.map(env::split_paths).into_iter().flatten();
    dirs.chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| is_program(path))
}

/// Whether a path is a file that may be executed.
pub(super) fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_path_in_the_environment_comes_first_then_the_tools_then_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let (own, tools, path) =
            (dir.path().join("own"), dir.path().join("tools"), dir.path().join("path"));
        program(&own);
        program(&tools.join("bin/tool"));
        program(&path.join("tool"));
        let vars = [("TOOL", &own), ("ODG_BENCH_TOOLS", &tools), ("PATH", &path)];
        let find = |skip| Search::from_vars(vars.into_iter().skip(skip)).program("tool", "TOOL");
        assert_eq!(find(0).unwrap(), own);
        assert_eq!(find(1).unwrap(), tools.join("bin/tool"));
        assert_eq!(find(2).unwrap(), path.join("tool"));
    }

    #[test]
    fn a_named_program_that_is_not_there_is_not_replaced_by_another() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("tool"));
        let search = Search::from_vars([("TOOL", "/no/such/tool".as_ref()), ("PATH", dir.path())]);
        assert_eq!(search.program("tool", "TOOL"), Err(vec!["TOOL=/no/such/tool".to_owned()]));
    }
}
