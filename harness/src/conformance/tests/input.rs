use super::*;
use crate::conformance::manifest::{MAX_MANIFEST_BYTES, Source, read as read_sources};
use std::io::Write as _;

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n";

#[test]
fn broken_input_is_one_line_with_file_and_line() {
    for (text, line, word) in [
        (format!("{POD}---\nkind: [\n"), 6, "not valid YAML"),
        ("just text\n".to_owned(), 1, "no Kubernetes object"),
        (format!("{POD}---\n- a\n"), 6, "a list"),
        ("kind: Pod\nmetadata: {name: x}\n".to_owned(), 1, "apiVersion"),
        ("apiVersion: v1\nkind: Pod\n".to_owned(), 1, "metadata.name"),
        ("a: &a [x, x]\nb: *c\n".to_owned(), 2, "not valid YAML"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains('\n'), "{error}");
        let place: Vec<&str> = error.split(".yaml:").collect();
        let number: u64 = place[1].split(':').next().unwrap().parse().unwrap();
        assert!((line..line + 3).contains(&number), "line {line}: {error}");
    }
}

#[test]
fn documents_lists_and_json_are_all_read() {
    let text = format!(
        "# nothing\n---\n{POD}---\n---\n{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{{\"apiVersion\": \"v1\", \
         \"kind\": \"Service\", \"metadata\": {{\"name\": \"s\"}}, \"spec\": {{\"selector\": {{\"a\": \"b\"}}}}}}]}}\n"
    );
    let all = inventory(&text);
    assert_eq!((all.objects, all.workloads.len(), all.services.len()), (2, 1, 1));
}

#[test]
fn a_block_text_with_dashes_is_no_border_and_lines_are_the_files() {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  x: |\n    ---\n    a: [\n---\n{POD}"
    );
    let all = inventory(&text);
    assert_eq!(all.objects, 2);
    assert_eq!(all.workloads[0].seen.place.line, 9);
}

#[test]
fn a_manifest_over_the_limit_is_refused_without_being_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.yaml");
    let file = std::fs::File::create(&path).unwrap();
    // A file with a hole: as long as a manifest of 100 MB, without its bytes on the disk.
    file.set_len(100_000_000).unwrap();
    let error = read_sources(&[Source::Path(path)]).unwrap_err().to_string();
    assert!(error.contains("larger than 32 MiB") && error.contains("big.yaml:1"), "{error}");
}

#[test]
fn a_stream_whose_length_nobody_knows_is_cut_at_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut pipe = std::fs::File::create(path).unwrap();
            let object = format!("---\n{POD}");
            let comment = format!("# {}\n", "x".repeat(65_000));
            let mut written = 0_u64;
            // The reader hangs up at its limit.
            while written < 2 * MAX_MANIFEST_BYTES {
                if pipe
                    .write_all(object.as_bytes())
                    .and_then(|()| pipe.write_all(comment.as_bytes()))
                    .is_err()
                {
                    break;
                }
                written += (object.len() + comment.len()) as u64;
            }
            written
        })
    };
    let error = read_sources(&[Source::Path(path)]).unwrap_err().to_string();
    assert!(error.contains("larger than 32 MiB"), "{error}");
    assert!(writer.join().unwrap() < 2 * MAX_MANIFEST_BYTES);
}

#[test]
fn one_document_larger_than_a_cluster_stores_is_refused() {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n{}",
        "  k: vvvvvvvvvvvvvv\n".repeat(300_000)
    );
    let error = read(&text).unwrap_err().to_string();
    assert!(error.contains("larger than 4 MiB"), "{error}");
}

#[test]
fn a_level_without_material_is_not_verified_with_what_to_give() {
    let made = certificate("small", &Material::default());
    assert_eq!(made.verdict, Verdict::Inconclusive);
    for row in &made.matrix {
        for cell in &row.cells {
            assert_eq!(cell.verdict, Verdict::NotVerified);
        }
        assert!(row.cells[2].reason.starts_with("no cluster was given"), "{}", row.cells[2].reason);
    }
}

#[test]
fn directories_in_a_directory_are_read_and_links_to_directories_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("odg/templates");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("a.yaml"), POD).unwrap();
    std::fs::write(deep.join("note.txt"), "none").unwrap();
    std::os::unix::fs::symlink(dir.path(), deep.join("round")).unwrap();
    let (all, files) = read_sources(&[Source::Path(dir.path().to_path_buf())]).unwrap();
    assert_eq!((all.objects, files.len()), (1, 1));
}

#[test]
fn a_manifest_of_ten_thousand_lines_is_judged_whole() {
    let mut text = String::new();
    for at in 0..1_250 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{at}, labels: {{app: x}}}}\nspec: {{containers: [{{name: c, image: i}}]}}\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {{name: s{at}}}\nspec: {{selector: {{app: x}}}}\n"
        ));
    }
    assert!(text.lines().count() >= 10_000);
    let findings = judge_manifests("small", &text);
    let is = |f: &&Finding| f.requirement == "wiring.service" && f.subject.is_empty();
    assert_eq!(findings.iter().find(is).unwrap().found, "1250 do");
}
