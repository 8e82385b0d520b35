//! `odg-bench conformance`: values and manifests against a profile, by the real program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use odg_reports::conformance::{Certificate, Level};
use odg_reports::record::Verdict;
use odg_tests::program::{program, stderr};

fn fixture(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/values");
    dir.join(name).to_string_lossy().into_owned()
}

fn run(arguments: &[&str]) -> Output {
    // No helm, whatever this machine has.
    let ended = Command::new(program()).arg("conformance").args(arguments).env("PATH", "").output();
    ended.unwrap_or_else(|e| panic!("start odg-bench: {e}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn certificate(output: &Output) -> Certificate {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}; {}", stderr(output)))
}

#[test]
fn the_pages_small_values_keep_what_small_promises_and_the_certificate_says_so() {
    let out = tempfile::tempdir().unwrap();
    let (values, dir) = (fixture("page-small.yaml"), out.path().to_string_lossy().into_owned());
    let ended =
        run(&["--profile", "small", "--values", &values, "--output", "json", "--out", &dir]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let printed = certificate(&ended);
    assert_eq!(printed.verdict, Verdict::Pass);
    assert_eq!(printed.inputs[0].sha256.len(), 64);
    let observed = &printed.matrix[0].cells[2];
    assert_eq!((observed.level, observed.verdict), (Level::Observed, Verdict::NotVerified));
    assert!(observed.reason.contains("no cluster was given"));
    let written = fs::read(out.path().join("conformance.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Certificate>(&written).unwrap(), printed);
    for file in ["conformance.html", "conformance.md", "conformance-junit.xml"] {
        assert!(fs::metadata(out.path().join(file)).unwrap().len() > 1000, "{file}");
    }
}

#[test]
fn a_broken_promise_ends_with_one_and_names_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let over = dir.path().join("over.yaml");
    fs::write(&over, "# less\nreplicas:\n  qualityGate: 0\n").unwrap();
    let (base, over) = (fixture("page-small.yaml"), over.to_string_lossy().into_owned());
    let ended = run(&["--profile", "small", "--values", &base, "--values", &over]);
    assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
    let screen = stdout(&ended);
    assert!(screen.contains("FAIL") && screen.contains("over.yaml:3"), "{screen}");
}

#[test]
fn manifests_are_read_from_standard_input_and_a_cell_can_be_explained() {
    let mut child = Command::new(program())
        .args(["conformance", "--profile", "small", "--manifests", "-", "--only", "kafka"])
        .args(["--explain", "kafka:rendered"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let kafka = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: odg-kafka}\nspec:\n  selector: {matchLabels: {app: kafka}}\n  \
        template: {metadata: {labels: {app: kafka}}, spec: {containers: [{name: kafka, image: apache/kafka:3.9.1}]}}\n";
    child.stdin.take().unwrap().write_all(kafka.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", stdout(&ended));
    let told = stdout(&ended);
    for part in ["Kafka · rendered: PASS", "StatefulSet/odg-kafka (-:1)", "Components by Profile"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn bad_input_is_one_line_and_exit_code_two() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> String {
        let path: PathBuf = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let broken = file("broken.yaml", "a: 1\nb: [1\n");
    let list = file("list.yaml", "- a\n");
    let empty = file("empty.yaml", "# nothing\n");
    let chart = dir.path().join("chart");
    fs::create_dir(&chart).unwrap();
    fs::write(chart.join("Chart.yaml"), "name: x\nversion: 1.0.0\n").unwrap();
    let chart = chart.to_string_lossy().into_owned();
    for (arguments, word) in [
        (vec!["--values", &broken], "broken.yaml:"),
        (vec!["--values", &list], "list.yaml:1: values are a map"),
        (vec!["--values", &empty], "says nothing"),
        (vec!["--values", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
        (vec!["--manifests", &list], "list.yaml:1: this is a list"),
        (vec!["--manifests", &empty], "no object"),
        (vec!["--chart", &chart], "helm is not installed"),
        (vec!["--chart", "/nowhere"], "no Chart.yaml"),
        (vec![], "nothing to judge"),
    ] {
        let mut all = vec!["--profile", "small"];
        all.extend(arguments);
        let ended = run(&all);
        let said = stderr(&ended);
        assert_eq!(ended.status.code(), Some(2), "{all:?}: {said}");
        assert!(said.contains(word) && said.lines().count() == 1, "{all:?}: {said}");
    }
    let unknown = run(&["--profile", "small", "--values", &broken, "--only", "kafk"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("the nearest is `kafka`"), "{}", stderr(&unknown));
}

#[test]
fn what_nobody_could_judge_ends_with_four_and_is_no_pass() {
    let values = fixture("page-small.yaml");
    let ended = run(&[
        "--profile",
        "small",
        "--values",
        &values,
        "--level",
        "observed",
        "--output",
        "json",
    ]);
    assert_eq!(ended.status.code(), Some(4), "{}", stderr(&ended));
    assert_eq!(certificate(&ended).verdict, Verdict::Inconclusive);
}
