//! What a user's profile file can get wrong, and the one line that answers it.

use std::fs;
use std::path::Path;

use odg_profiles::{Presence, Profile, ProfileError, names};
use proptest::prelude::*;

fn refuse(text: &str) -> String {
    match Profile::from_yaml("mine.yaml", text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

/// A file that extends small and goes wrong below.
fn extended(rest: &str) -> String {
    refuse(&format!("name: mine\nextends: small\n{rest}"))
}

#[test]
fn an_unknown_profile_names_the_nearest() {
    let error = Profile::load("smal").map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no profile is called `smal`; the nearest is `small` (dev, small, medium, large, or the path of a YAML file)"
    );
}

#[test]
fn an_unknown_key_names_file_line_and_nearest_word() {
    assert_eq!(
        extended("resources:\n  vcpus: 8\n"),
        "mine.yaml:4: resources: unknown key `vcpus`; the nearest is `vcpu`"
    );
    assert_eq!(
        extended("resorces:\n  vcpu: 8\n"),
        "mine.yaml:3: unknown key `resorces`; the nearest is `resources`"
    );
    assert_eq!(
        extended("components:\n  kafkaa: present\n"),
        "mine.yaml:4: components: unknown word `kafkaa`; the nearest is `kafka`"
    );
    assert_eq!(
        extended("components:\n  kafka: presnt\n"),
        "mine.yaml:4: components.kafka: unknown word `presnt`; the nearest is `present`"
    );
}

#[test]
fn an_impossible_number_names_file_line_and_key() {
    for (rest, place, part) in [
        ("resources: {vcpu: -4}\n", "mine.yaml:3: resources.vcpu:", "-4"),
        ("resources: {vcpu: .nan}\n", "mine.yaml:3: resources.vcpu:", "NaN"),
        ("resources:\n  vcpu: 0\n", "mine.yaml:4: resources.vcpu:", "at least 1"),
        ("limits:\n  redis: {cpu: 0, memory: 1Gi}\n", "mine.yaml:4: limits.redis.cpu:", "zero"),
        ("limits:\n  redis: {cpu: 1, memory: 1Mi}\n", "mine.yaml:4: limits.redis.memory:", "6MiB"),
        ("images:\n  redis: redis\n", "mine.yaml:4: images.redis:", "needs a tag"),
        ("resources:\n  memory: 64 GBs\n", "mine.yaml:4: resources.memory:", "`8MiB`"),
        ("resources:\n  memory: -1\n", "mine.yaml:4: resources.memory:", "negative"),
        ("volume:\n  default: 0TB/day\n", "mine.yaml:4: volume.default:", "more than zero"),
        ("volume:\n  default: .inf\n", "mine.yaml:4: volume.default:", "not a daily volume"),
        (
            "volume:\n  default: 2TB/day\n",
            "mine.yaml:4: volume.default:",
            "class: more than 1TB/day",
        ),
        (
            "services:\n  quality-gate:\n    replicas: 0\n",
            "mine.yaml:5: services.quality-gate.",
            "1",
        ),
        ("cost: {total_usd: 1e99}\n", "mine.yaml:3: cost.total_usd:", "a whole number, 0 or more"),
    ] {
        let message = extended(rest);
        assert!(message.starts_with(place) && message.contains(part), "{rest}: {message}");
        assert!(!message.contains('\n'));
    }
}

#[test]
fn an_impossible_objective_names_file_line_and_reason() {
    let objective = |key: &str, value: &str| {
        let mut fields = vec![
            ("id", "x"),
            ("operation", "s3.get"),
            ("percentile", "99"),
            ("threshold", "1s"),
            ("metric", "response"),
            ("required", "true"),
            ("origin", "derived"),
            ("source", "ours"),
        ];
        for field in &mut fields {
            if field.0 == key {
                field.1 = value;
            }
        }
        let body: Vec<_> = fields.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        extended(&format!("objectives:\n  - {{{}}}\n", body.join(", ")))
    };
    for (key, value, part) in [
        ("percentile", "100.5", "100.5 must be above 0 and at most 100"),
        ("percentile", ".nan", "NaN must be above 0"),
        ("threshold", "0s", "more than zero"),
        ("threshold", "250", "its unit is missing"),
        ("operation", "s3.got", "the nearest is `s3.get`"),
        ("origin", "guessed", "unknown word `guessed`"),
    ] {
        let message = objective(key, value);
        assert!(message.starts_with("mine.yaml:4: objectives.0."), "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn unreadable_yaml_names_file_and_line() {
    for text in
        ["name: [\n", "name: mine\n\tbad: tab\n", "a: b: c\n", "- a list\n", "", "just text"]
    {
        let message = refuse(text);
        assert!(message.starts_with("mine.yaml:"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let missing = refuse("name: mine\n");
    assert!(missing.contains("is missing"), "{missing}");
}

#[test]
fn a_file_may_not_pass_for_a_shipped_profile() {
    assert_eq!(
        refuse("name: large\nextends: small\n"),
        "mine.yaml:1: `large` is a shipped profile; give this one another name"
    );
}

/// A directory that goes away with the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"))
}

fn write(folder: &Path, name: &str, text: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
    path.display().to_string()
}

fn load_error(path: &str) -> ProfileError {
    match Profile::load(path) {
        Ok(_) => panic!("accepted: {path}"),
        Err(error) => error,
    }
}

#[test]
fn a_file_extends_a_shipped_profile_or_a_file_beside_it() {
    let folder = folder();
    write(
        folder.path(),
        "team.yaml",
        b"name: team\nextends: small\ncomponents:\n  trino: absent\n",
    );
    let path = write(
        folder.path(),
        "laptop.yaml",
        b"name: laptop\nextends: team.yaml\nvolume:\n  default: 100GB/day\n  derived: what one disk takes\n",
    );
    let profile = Profile::load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(profile.lineage, ["dev", "small", "team", "laptop"]);
    assert_eq!(profile.presence(odg_profiles::Component::Trino), Presence::Absent);
    assert_eq!(profile.volume.default.to_string(), "100GB/day");
    assert_eq!(profile.provenance["volume.default"].source, "what one disk takes");
    assert!(profile.provenance["components.trino"].source.ends_with("with no source"));
}

#[test]
fn circles_and_unknown_bases_are_refused_where_they_are_stated() {
    let folder = folder();
    let a = write(folder.path(), "a.yaml", b"name: a\nextends: b.yaml\n");
    write(folder.path(), "b.yaml", b"name: b\nextends: ./a.yaml\n");
    let message = load_error(&a).to_string();
    assert!(message.contains("b.yaml:2: `extends: ./a.yaml` goes round in a circle"), "{message}");
    let own = write(folder.path(), "own.yaml", b"name: own\nextends: own.yaml\n");
    assert!(load_error(&own).to_string().contains("circle"));
    assert_eq!(
        refuse("name: mine\nextends: mediun\n"),
        "mine.yaml:2: no profile is called `mediun` to extend; the nearest is `medium`"
    );
    let gone = write(folder.path(), "gone.yaml", b"name: gone\n\nextends: nowhere.yaml\n");
    let message = load_error(&gone).to_string();
    assert!(message.contains("gone.yaml:3: cannot extend"), "{message}");
    assert!(refuse("name: mine\nextends: [small]\n").contains("one profile"));
}

#[test]
fn missing_huge_binary_and_special_files_are_refused() {
    let folder = folder();
    let huge = write(folder.path(), "huge.yaml", &vec![b'#'; (1 << 20) + 1]);
    let binary = write(folder.path(), "binary.yaml", b"name: x\n\xff\xfe\n");
    let directory = folder.path().display().to_string();
    for (path, part) in [
        (huge.as_str(), "larger than"),
        (&binary, "line 2 is not UTF-8"),
        (&directory, "not a regular file"),
        ("/nowhere/at/all.yaml", "cannot be read"),
    ] {
        let message = load_error(path).to_string();
        assert!(message.contains(part), "{message}");
    }
}

fn shipped_text(name: &str) -> &'static str {
    match name {
        "dev" => include_str!("../data/dev.yaml"),
        "small" => include_str!("../data/small.yaml"),
        "medium" => include_str!("../data/medium.yaml"),
        _ => include_str!("../data/large.yaml"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_text_never_panics_and_errors_stay_on_one_line(text in "\\PC{0,200}|[-:{}\\[\\]&*!|>'\"#%@,a-z0-9 \n\t]{0,200}") {
        if let Err(error) = Profile::from_yaml("f.yaml", &text) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn mutated_shipped_profiles_never_panic_and_errors_stay_on_one_line(
        which in 0_usize..4,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let mut bytes = shipped_text(names()[which]).replacen("name: ", "name: x-", 1).into_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Profile::from_yaml("f.yaml", &text) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
