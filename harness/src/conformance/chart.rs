//! A chart's directory: its own values, and which top-level keys it reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use odg_profiles::values::yaml::{self, Aliases, Duplicates, Node, YamlError};

/// Largest file of a chart that is looked into, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// Most templates that are looked into.
const MAX_TEMPLATES: usize = 5_000;

/// A chart that cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// It is no chart.
    #[error("{dir}: this is no chart's directory: it has no Chart.yaml")]
    NoChart {
        /// The directory.
        dir: String,
    },
    /// A file cannot be read.
    #[error("{file}: cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// Broken YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
}

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// Its directory.
    pub dir: PathBuf,
    /// Its own values, with their file's name, where it has any.
    pub values: Option<(String, String)>,
    /// Top-level keys that something of it reads.
    pub reads: Vec<String>,
}

impl Chart {
    /// Looks into a chart's directory.
    ///
    /// # Errors
    /// It is no chart, or a file of it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, ChartError> {
        let about = dir.join("Chart.yaml");
        if !about.is_file() {
            return Err(ChartError::NoChart { dir: dir.display().to_string() });
        }
        let name: Arc<str> = Arc::from(about.display().to_string());
        let mut aliases = Aliases::default();
        let about = yaml::parse(&name, &text(&about)?, 0, Duplicates::LastWins, &mut aliases)?
            .unwrap_or_else(Node::empty);
        let mut reads = BTreeSet::from(["global".to_owned()]);
        for dependency in about.get("dependencies").map(Node::items).unwrap_or_default() {
            let own = dependency.get("alias").or_else(|| dependency.get("name"));
            reads.extend(own.and_then(Node::scalar));
            // `condition: kafka.enabled` reads it too.
            let condition = dependency.get("condition").and_then(Node::scalar).unwrap_or_default();
            let keys = condition.split(',').filter_map(|c| c.trim().split('.').next());
            reads.extend(keys.filter(|k| !k.is_empty()).map(str::to_owned));
        }
        for path in entries(&dir.join("charts")) {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            reads.insert(match name.strip_suffix(".tgz") {
                // `kafka-32.1.0.tgz`: the version begins at the first hyphen before a digit.
                Some(archive) => archive
                    .match_indices('-')
                    .find(|(at, _)| archive[at + 1..].starts_with(|c: char| c.is_ascii_digit()))
                    .map_or(archive, |(at, _)| &archive[..at])
                    .to_owned(),
                None => name,
            });
        }
        let mut left = MAX_TEMPLATES;
        templates(&dir.join("templates"), &mut left, &mut reads)?;
        let values = dir.join("values.yaml");
        let values = match values.is_file() {
            true => Some((values.display().to_string(), text(&values)?)),
            false => None,
        };
        Ok(Self { dir: dir.to_path_buf(), values, reads: reads.into_iter().collect() })
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    found.sort();
    found
}

fn text(file: &Path) -> Result<String, ChartError> {
    let failed = |why: String| ChartError::Unreadable { file: file.display().to_string(), why };
    let meta = fs::metadata(file).map_err(|e| failed(e.to_string()))?;
    if meta.len() > MAX_FILE {
        return Err(failed(format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    fs::read_to_string(file).map_err(|e| failed(e.to_string()))
}

fn templates(dir: &Path, left: &mut usize, reads: &mut BTreeSet<String>) -> Result<(), ChartError> {
    for path in entries(dir) {
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        // A link may lead round in a circle.
        if path.is_dir() && !path.is_symlink() {
            templates(&path, left, reads)?;
        } else if path.is_file() {
            named(&text(&path)?, reads);
        }
    }
    Ok(())
}

/// Keys in `.Values.kafka.x` and `index .Values "governance-engine"`.
fn named(template: &str, reads: &mut BTreeSet<String>) {
    for after in template.split(".Values").skip(1) {
        let name = match after.strip_prefix('.') {
            Some(rest) => rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next(),
            None => after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()),
        };
        reads.extend(name.filter(|n| !n.is_empty()).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chart_reads_is_found_in_its_dependencies_and_templates() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "Chart.yaml",
            "dependencies:\n  - {name: kafka, condition: kafka.enabled}\n  - {name: postgresql, alias: db}\n",
        );
        write("charts/minio-14.8.5.tgz", "");
        write("charts/governance-engine/Chart.yaml", "name: governance-engine\n");
        write(
            "templates/a.yaml",
            "x: {{ .Values.ingress.enabled }}\ny: {{ index .Values \"quality-gate\" }}\n",
        );
        write("values.yaml", "kafka: {enabled: true}\n");
        let chart = Chart::open(dir.path()).unwrap();
        let expected =
            ["db", "global", "governance-engine", "ingress", "kafka", "minio", "quality-gate"];
        assert_eq!(chart.reads, expected);
        assert!(chart.values.unwrap().1.contains("kafka"));
    }

    #[test]
    fn a_directory_without_chart_yaml_is_refused_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let error = Chart::open(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("it has no Chart.yaml") && !error.contains('\n'), "{error}");
    }
}
