use super::*;

fn finding(row: &str, level: Level, verdict: Verdict, required: bool) -> Finding {
    Finding {
        requirement: "service.replicas".into(),
        subject: "governance-engine".into(),
        row: row.into(),
        level,
        verdict,
        required,
        relation: if verdict == Verdict::Pass { Relation::Equal } else { Relation::Less },
        promised: "3".into(),
        found: "<b>2 | x".into(),
        source: "Medium Profile".into(),
        place: "values.yaml:7".into(),
        asked: "how many replicas?".into(),
        evidence: String::new(),
    }
}

fn certificate(findings: Vec<Finding>) -> Certificate {
    let subject = Subject {
        profile: "medium".into(),
        title: "Enterprise".into(),
        tool_version: "0.1.0".into(),
        asked_at: "2026-01-01T00:00:00Z".into(),
        inputs: vec![Input {
            kind: "values".into(),
            name: "v.yaml".into(),
            sha256: "ab".repeat(32),
        }],
        tools: Vec::new(),
    };
    let row = |row: &str, promised: &str| RowPromise {
        row: row.into(),
        label: row.to_uppercase(),
        promised: promised.into(),
    };
    let rows = [row("kafka", "present"), row("replicas", "3"), row("silent", "")];
    let unasked = [(Level::Observed, "no cluster was given".to_owned())];
    Certificate::new(subject, Vec::new(), &rows, findings, &unasked, Vec::new())
}

fn cell<'a>(certificate: &'a Certificate, row: &str, level: Level) -> &'a Cell {
    let row = certificate.matrix.iter().find(|r| r.row == row).unwrap();
    row.cells.iter().find(|c| c.level == level).unwrap()
}

#[test]
fn a_cell_is_its_worst_required_finding_and_a_pass_needs_one_that_passed() {
    let made = certificate(vec![
        finding("kafka", Level::Declared, Verdict::Pass, true),
        finding("kafka", Level::Declared, Verdict::Fail, false),
        finding("replicas", Level::Rendered, Verdict::Fail, true),
        finding("replicas", Level::Rendered, Verdict::Pass, true),
    ]);
    let declared = cell(&made, "kafka", Level::Declared);
    assert_eq!((declared.verdict, declared.noted), (Verdict::Pass, 1));
    assert_eq!(cell(&made, "replicas", Level::Rendered).verdict, Verdict::Fail);
    assert_eq!(cell(&made, "replicas", Level::Declared).verdict, Verdict::NotVerified);
    let observed = cell(&made, "kafka", Level::Observed);
    assert_eq!((observed.verdict, observed.asked), (Verdict::NotVerified, 0));
    assert_eq!(made.verdict, Verdict::Fail);
    assert!(made.matrix.iter().all(|r| r.row != "silent"), "a row with nothing to say");
}

#[test]
fn nothing_that_was_judged_is_never_a_pass() {
    assert_eq!(certificate(vec![]).verdict, Verdict::Inconclusive);
    let open = certificate(vec![finding("kafka", Level::Declared, Verdict::NotVerified, true)]);
    assert_eq!(open.verdict, Verdict::Inconclusive);
    let optional = certificate(vec![finding("kafka", Level::Declared, Verdict::Pass, false)]);
    assert_eq!(optional.verdict, Verdict::Inconclusive);
    let kept = certificate(vec![
        finding("kafka", Level::Declared, Verdict::Pass, true),
        finding("replicas", Level::Declared, Verdict::Fail, false),
    ]);
    assert_eq!(kept.verdict, Verdict::Pass);
}

#[test]
fn every_format_says_what_is_broken_and_escapes_what_it_quotes() {
    let dir = tempfile::tempdir().unwrap();
    let made = certificate(vec![
        finding("replicas", Level::Declared, Verdict::Fail, true),
        finding("kafka", Level::Rendered, Verdict::NotVerified, true),
        finding("kafka", Level::Rendered, Verdict::Fail, false),
    ]);
    let paths = render(&made, dir.path()).unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let html = read(&paths.html);
    assert!(html.contains("&lt;b&gt;2 | x") && !html.contains("<b>2"), "{html}");
    assert!(html.contains("values.yaml:7") && html.contains("no cluster was given"));
    let markdown = read(&paths.markdown);
    assert!(markdown.contains("❌ FAIL") && markdown.contains(r"&lt;b&gt;2 \| x"), "{markdown}");
    let junit = read(&paths.junit);
    assert!(junit.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"2\""), "{junit}");
    let back: Certificate = serde_json::from_str(&read(&paths.json)).unwrap();
    assert_eq!(back, made);
    let screen = text(&made, 100, false);
    assert!(screen.contains("Not as promised") && screen.contains("values.yaml:7"), "{screen}");
}

#[test]
fn the_sentence_and_the_certificate_say_how_little_was_judged() {
    let made = certificate(vec![finding("kafka", Level::Declared, Verdict::Pass, true)]);
    assert_eq!(made.scope.levels, [Level::Declared, Level::Rendered]);
    assert!(made.sentence.contains("observed not verified"), "{}", made.sentence);
    let scope = Scope { levels: vec![Level::Declared], rows: vec!["kafka".into()] };
    let told = matrix::sentence(Verdict::Pass, "small", &scope, &made.findings);
    let part = "(declared only; rendered and observed not verified; of all rows only kafka)";
    assert!(told.contains(part), "{told}");
}

#[test]
fn explaining_a_cell_shows_every_requirement_with_its_source_and_place() {
    let made = certificate(vec![
        finding("replicas", Level::Declared, Verdict::Fail, true),
        finding("replicas", Level::Rendered, Verdict::Pass, true),
    ]);
    let told = explain(&made, "replicas", Level::Declared);
    for part in ["FAIL", "how many replicas?", "Medium Profile", "values.yaml:7", "less"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(told.matches("service.replicas").count(), 1, "one level only");
}
