//! `helm template`, through a runner that tests replace.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::manifest::MAX_MANIFEST_BYTES;

/// Longest that helm may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Most of helm's last words that are kept, in bytes.
const MAX_WORDS: u64 = 4096;

/// Helm did not render, in one line.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// There is no helm.
    #[error(
        "helm is not installed (no `helm` on the PATH): install it, or run `helm template` elsewhere and give its output with --manifests"
    )]
    NotInstalled,
    /// It could not be run.
    #[error("helm could not be run: {0}")]
    Io(#[from] io::Error),
    /// It refused.
    #[error("helm template failed: {0}")]
    Refused(String),
    /// It did not end.
    #[error("helm did not end within {} s", LIMIT.as_secs())]
    TooSlow,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// With success.
    pub success: bool,
    /// The end of what it said on standard error.
    pub words: String,
}

/// Runs programs.
pub trait Runner {
    /// Runs `program` with its standard output in `output`.
    ///
    /// # Errors
    /// It is not there, cannot be run, or does not end.
    fn run(&self, program: &str, arguments: &[OsString], output: File) -> Result<Ran, HelmError>;
}

/// Runs real programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Runner for System {
    fn run(&self, program: &str, arguments: &[OsString], output: File) -> Result<Ran, HelmError> {
        let mut words = tempfile::tempfile()?;
        let watched = output.try_clone()?;
        let spawned = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(words.try_clone()?)
            .spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(HelmError::NotInstalled);
            }
            other => other?,
        };
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // What is too large to be read must not fill the disk either.
            let flood = watched.metadata()?.len() > 2 * MAX_MANIFEST_BYTES;
            if flood || Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                return Err(if flood {
                    HelmError::Refused(format!(
                        "it printed more than {} MiB",
                        MAX_MANIFEST_BYTES >> 19
                    ))
                } else {
                    HelmError::TooSlow
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let length = words.metadata()?.len();
        words.seek(io::SeekFrom::Start(length.saturating_sub(MAX_WORDS)))?;
        let mut text = Vec::new();
        words.read_to_end(&mut text)?;
        Ok(Ran { success: status.success(), words: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// What `helm template` is to render.
#[derive(Debug)]
pub struct Template<'a> {
    /// The chart's directory.
    pub chart: &'a Path,
    /// Name of the release.
    pub release: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Values files, in order.
    pub values: &'a [PathBuf],
}

/// Renders a chart into `output`; answers helm's version.
///
/// # Errors
/// See [`HelmError`].
pub fn template(
    runner: &dyn Runner,
    wanted: &Template<'_>,
    output: &mut File,
) -> Result<String, HelmError> {
    let mut version = tempfile::tempfile()?;
    runner.run("helm", &["version".into(), "--short".into()], version.try_clone()?)?;
    version.rewind()?;
    let mut told = String::new();
    version.take(200).read_to_string(&mut told)?;
    let mut arguments: Vec<OsString> = vec![
        "template".into(),
        wanted.release.into(),
        wanted.chart.into(),
        "--namespace".into(),
        wanted.namespace.into(),
    ];
    for file in wanted.values {
        arguments.extend(["--values".into(), file.into()]);
    }
    let ran = runner.run("helm", &arguments, output.try_clone()?)?;
    if !ran.success {
        let words: Vec<&str> = ran.words.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        return Err(HelmError::Refused(words.join("; ")));
    }
    output.rewind()?;
    Ok(format!("helm {}", told.trim()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use super::*;

    /// Answers as helm did, and keeps what it was asked.
    struct Recorded {
        success: bool,
        asked: RefCell<Vec<String>>,
    }

    impl Runner for Recorded {
        fn run(
            &self,
            program: &str,
            arguments: &[OsString],
            mut output: File,
        ) -> Result<Ran, HelmError> {
            let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
            self.asked.borrow_mut().push(format!("{program} {}", words.join(" ")));
            if words[0] == "version" {
                writeln!(output, "v3.17.0+g301108e")?;
                return Ok(Ran { success: true, words: String::new() });
            }
            writeln!(output, "kind: ConfigMap")?;
            let words = "Error: parse error at (x/y.yaml:3)\n\nUse --debug\n".to_owned();
            Ok(Ran { success: self.success, words })
        }
    }

    fn run(runner: &Recorded) -> (Result<String, HelmError>, String) {
        let mut output = tempfile::tempfile().unwrap();
        let wanted = Template {
            chart: Path::new("chart"),
            release: "odg",
            namespace: "opendatagov",
            values: &[PathBuf::from("a.yaml"), PathBuf::from("b.yaml")],
        };
        let told = template(runner, &wanted, &mut output);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        (told, text)
    }

    #[test]
    fn helm_is_asked_for_the_release_with_the_values_in_their_order() {
        let runner = Recorded { success: true, asked: RefCell::default() };
        let (told, text) = run(&runner);
        assert_eq!(told.unwrap(), "helm v3.17.0+g301108e");
        assert_eq!(text, "kind: ConfigMap\n");
        let asked =
            "helm template odg chart --namespace opendatagov --values a.yaml --values b.yaml";
        assert_eq!(runner.asked.borrow()[1], asked);
    }

    #[test]
    fn what_helm_refuses_is_one_line_with_its_words() {
        let runner = Recorded { success: false, asked: RefCell::default() };
        let error = run(&runner).0.unwrap_err().to_string();
        assert_eq!(error, "helm template failed: Error: parse error at (x/y.yaml:3); Use --debug");
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_what_to_do() {
        let output = tempfile::tempfile().unwrap();
        let error = System.run("odg-bench-has-no-such-program", &[], output).unwrap_err();
        assert!(error.to_string().contains("--manifests"), "{error}");
    }
}
