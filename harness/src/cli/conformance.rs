//! `odg-bench conformance`.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use odg_profiles::Profile;
use odg_profiles::values::{MAX_VALUES_BYTES, Values};
use odg_reports::conformance::{self as certificate, Certificate, Input, Level, Subject};
use odg_reports::record::Verdict;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Output, colour, print, print_json, width};
use crate::conformance::helm::{self, System, Template};
use crate::conformance::manifest::{self, Source};
use crate::conformance::{Chart, Material, Row, certify};
use crate::exit::{self, Failure};

/// Name of the release that is rendered, as on the deployment page.
const RELEASE: &str = "odg";
/// Namespace, where a profile names none.
const NAMESPACE: &str = "opendatagov";

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    odg-bench conformance --profile medium --values values-medium.yaml\n  \
    helm template odg chart | odg-bench conformance --profile medium --manifests -\n  \
    odg-bench conformance --profile large --chart chart --values values-large.yaml --out conformance\n  \
    odg-bench conformance --profile large --values values-large.yaml --explain totals:declared\n\n\
    Exit codes: 0 every required promise that could be asked is kept · 1 one is broken · \
    2 bad usage or input · 4 nothing required could be judged")]
pub(super) struct ConformanceArgs {
    /// dev, small, medium, large, or a profile file
    #[arg(long)]
    profile: String,
    /// Values files, merged in this order as Helm merges them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    values: Vec<PathBuf>,
    /// Manifests: files, directories, or - for standard input
    #[arg(long, value_name = "FILE|DIR|-", num_args = 1..)]
    manifests: Vec<PathBuf>,
    /// A chart: its values lie under the values files, and `helm template` renders it unless --manifests is given
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Levels to ask; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    level: Vec<LevelArg>,
    /// Rows to look at, such as kafka or storage; all by default
    #[arg(long, value_name = "ROW", value_delimiter = ',', num_args = 1..)]
    only: Vec<Row>,
    /// Show everything about a cell, such as kafka:rendered, or about a row
    #[arg(long, value_name = "ROW[:LEVEL]", conflicts_with = "output", value_parser = cell)]
    explain: Option<(Row, Option<LevelArg>)>,
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Write conformance.json, .html, .md and -junit.xml into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    /// What values files say
    Declared,
    /// What manifests have
    Rendered,
    /// What a live cluster shows
    Observed,
}

impl LevelArg {
    const fn level(self) -> Level {
        match self {
            Self::Declared => Level::Declared,
            Self::Rendered => Level::Rendered,
            Self::Observed => Level::Observed,
        }
    }
}

fn cell(text: &str) -> Result<(Row, Option<LevelArg>), String> {
    match text.split_once([':', '/']) {
        Some((row, level)) => Ok((row.parse()?, Some(LevelArg::from_str(level, true)?))),
        None => Ok((text.parse()?, None)),
    }
}

pub(super) fn execute(args: &ConformanceArgs) -> Result<u8, Failure> {
    let profile = Profile::load(&args.profile)?;
    let levels: Vec<Level> = match args.level.as_slice() {
        [] => Level::ALL.to_vec(),
        some => some.iter().map(|l| l.level()).collect(),
    };
    if args.values.is_empty() && args.manifests.is_empty() && args.chart.is_none() {
        return Err(Failure::usage(
            "nothing to judge: give --values FILE, --manifests FILE|DIR|- or --chart DIR",
        ));
    }
    if let Some((row, level)) = &args.explain {
        outside(*row, level.as_ref().map(|l| l.level()), &args.only, &levels)?;
    }
    let mut subject = Subject {
        profile: profile.name.clone(),
        title: profile.title.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        asked_at: now()?,
        inputs: Vec::new(),
        tools: Vec::new(),
    };
    let material = material(args, &profile, &levels, &mut subject)?;
    let made = certify(&profile, &material, &levels, &args.only, subject);
    let paths = args.out.as_ref().map(|dir| certificate::render(&made, dir)).transpose();
    let paths = paths.map_err(|e| Failure::usage(format!("cannot write the certificate: {e}")))?;
    match (args.output, args.explain) {
        (_, Some((row, level))) => {
            let levels = level.map_or_else(|| Level::ALL.to_vec(), |l| vec![l.level()]);
            let parts: Vec<String> = levels
                .iter()
                .map(|level| certificate::explain(&made, row.name(), *level))
                .collect();
            print(&parts.join("\n"))?;
        }
        (Output::Json, None) => print_json(&made)?,
        (Output::Text, None) => {
            let mut text = certificate::text(&made, width(), colour());
            if let Some(paths) = paths {
                text.push_str(&format!("\nPage: {}\n", paths.html.display()));
            }
            print(&text)?;
        }
    }
    Ok(code(&made))
}

/// Refuses to explain what is not looked at: it would read as if nothing was promised of it.
fn outside(row: Row, level: Option<Level>, only: &[Row], levels: &[Level]) -> Result<(), Failure> {
    if !only.is_empty() && !only.contains(&row) {
        return Err(Failure::usage(format!(
            "--explain {row}: --only leaves this row out; add it there, or leave --only away"
        )));
    }
    match level.filter(|level| !levels.contains(level)) {
        Some(level) => Err(Failure::usage(format!(
            "--explain {row}:{}: --level leaves this level out",
            level.name()
        ))),
        None => Ok(()),
    }
}

fn code(made: &Certificate) -> u8 {
    match made.verdict {
        Verdict::Pass => exit::PASS,
        Verdict::Fail => exit::FAIL,
        Verdict::NotVerified | Verdict::Inconclusive | Verdict::Invalid => exit::UNCERTAIN,
    }
}

fn now() -> Result<String, Failure> {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).map_err(Failure::usage)?;
    now.format(&Rfc3339).map_err(Failure::usage)
}

fn material(
    args: &ConformanceArgs,
    profile: &Profile,
    levels: &[Level],
    subject: &mut Subject,
) -> Result<Material, Failure> {
    let chart = args.chart.as_deref().map(Chart::open).transpose().map_err(Failure::usage)?;
    let mut texts = Vec::new();
    if let Some((name, text)) = chart.as_ref().and_then(|c| c.values.clone()) {
        texts.push((name, text));
    }
    let own = texts.len();
    for file in &args.values {
        texts.push((file.display().to_string(), values_text(file)?));
    }
    let mut material = Material::default();
    if !texts.is_empty() {
        for (name, text) in &texts {
            let sha256 = format!("{:x}", Sha256::digest(text.as_bytes()));
            subject.inputs.push(Input { kind: "values".to_owned(), name: name.clone(), sha256 });
        }
        let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let values = Values::read(files).map_err(Failure::usage)?;
        if values.layouts.is_empty() {
            return Err(Failure::usage(format!("{}: it says nothing", texts[0].0)));
        }
        material.values = Some(values);
    }
    if !levels.contains(&Level::Rendered) {
        material.chart_reads = chart.map(|c| c.reads);
        return Ok(material);
    }
    if !args.manifests.is_empty() {
        let source = |path: &PathBuf| match path.as_os_str() == "-" {
            true => Source::Stdin,
            false => Source::Path(path.clone()),
        };
        let sources: Vec<Source> = args.manifests.iter().map(source).collect();
        let (inventory, hashes) = manifest::read(&sources).map_err(Failure::usage)?;
        add(&mut subject.inputs, "manifests", hashes);
        material.inventory = Some(inventory);
    } else if let Some(chart) = &chart {
        let rendered = NamedTempFile::new()
            .map_err(|e| Failure::usage(format!("cannot make a file for what helm prints: {e}")))?;
        let mut output = rendered.reopen().map_err(|e| Failure::usage(e.to_string()))?;
        let copies = copies(&texts[own..])?;
        let values: Vec<PathBuf> = copies.iter().map(|c| c.path().to_path_buf()).collect();
        let wanted = Template {
            chart: &chart.dir,
            release: RELEASE,
            namespace: profile.platform.namespace.as_deref().unwrap_or(NAMESPACE),
            values: &values,
        };
        subject.tools.push(helm::template(&System, &wanted, &mut output).map_err(Failure::usage)?);
        let sources = [Source::Path(rendered.path().to_path_buf())];
        let (inventory, hashes) = manifest::read(&sources).map_err(Failure::usage)?;
        let name = chart.dir.display().to_string();
        let hashes = hashes.into_iter().map(|(_, hash)| (name.clone(), hash)).collect();
        add(&mut subject.inputs, "chart", hashes);
        material.inventory = Some(inventory);
    }
    if material.inventory.as_ref().is_some_and(|i| i.objects == 0) {
        return Err(Failure::usage("the manifests have no object in them"));
    }
    material.chart_reads = chart.map(|c| c.reads);
    Ok(material)
}

/// The values that were read, in files of their own: helm must render what is judged, and a FIFO can be read only once.
fn copies(texts: &[(String, String)]) -> Result<Vec<NamedTempFile>, Failure> {
    let copy = |(name, text): &(String, String)| {
        let failed = |e: std::io::Error| Failure::usage(format!("{name}: cannot be copied: {e}"));
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(file)
    };
    texts.iter().map(copy).collect()
}

fn add(inputs: &mut Vec<Input>, kind: &str, hashes: Vec<(String, String)>) {
    let input = |(name, sha256)| Input { kind: kind.to_owned(), name, sha256 };
    inputs.extend(hashes.into_iter().map(input));
}

/// Text of a values file. A FIFO is read too: `--values <(…)` is how people pass what they have just made.
fn values_text(file: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::usage(format!("{}: cannot be read: {why}", file.display()));
    let opened = fs::File::open(file).map_err(|e| failed(e.to_string()))?;
    let mut bytes = Vec::new();
    opened
        .take(MAX_VALUES_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(e.to_string()))?;
    if bytes.len() > MAX_VALUES_BYTES {
        return Err(failed(format!("it is larger than {} MiB", MAX_VALUES_BYTES >> 20)));
    }
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
        failed(format!("line {line} is not UTF-8 text"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_gets_the_very_text_that_was_read_from_a_fifo() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("values");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || fs::write(path, "kafka: {enabled: true}\n").unwrap())
        };
        let texts = vec![("values".to_owned(), values_text(&path).unwrap())];
        writer.join().unwrap();
        let copies = copies(&texts).unwrap();
        assert_eq!(fs::read_to_string(copies[0].path()).unwrap(), texts[0].1);
        assert_eq!(texts[0].1, "kafka: {enabled: true}\n");
    }

    #[test]
    fn what_is_left_out_is_not_explained() {
        let row = |name: &str| name.parse::<Row>().unwrap();
        let (kafka, levels) = (row("kafka"), [Level::Declared]);
        assert!(outside(row("redis"), None, &[kafka], &Level::ALL).is_err());
        assert!(outside(kafka, Some(Level::Rendered), &[], &levels).is_err());
        assert!(outside(kafka, Some(Level::Declared), &[kafka], &levels).is_ok());
    }
}
