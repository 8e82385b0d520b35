//! `docs/conformance.md`, made of the catalogue so that it cannot drift.

use std::fmt::Write as _;

use odg_profiles::names;
use odg_profiles::values::promises;
use odg_profiles::{Profile, ProfileError};

use super::manifest::{MAX_DOCUMENT_BYTES, MAX_MANIFEST_BYTES};
use super::requirement;
use super::row::Row;

const HEAD: &str = "# Conformance

This page is made from the code (`harness/src/conformance/docs.rs`); change it there.

`odg-bench conformance --profile P` says which promises of a profile a deployment keeps, at three levels side by side:

- **declared**: what values files say (`--values FILE`, several are merged as Helm merges them);
- **rendered**: what manifests have (`--manifests FILE|DIR|-`, or `--chart DIR`, which runs `helm template`);
- **observed**: what a live cluster shows. No cluster can be given yet, so that its column is NOT VERIFIED.

```sh
odg-bench conformance --profile medium --values values-medium.yaml
helm template odg chart -f values-medium.yaml | odg-bench conformance --profile medium --values values-medium.yaml --manifests -
odg-bench conformance --profile large --chart deploy/helm/opendatagov --values values-large.yaml --out conformance
odg-bench conformance --profile large --values values-large.yaml --explain totals:declared
```

Exit codes: 0 every required promise that could be asked is kept · 1 a required promise is broken · 2 bad usage or input ·
4 nothing required could be judged. `--out DIR` writes `conformance.json` (the certificate; its schema is
`reports/schema/conformance-1.json`), `conformance.html`, `conformance.md` and `conformance-junit.xml`.

## How it is judged

- A finding says what is promised and what was found, and where: more, less, missing, contradictory, unread, or equal.
  *More* keeps a promise; a lower target of autoscaling is more, since it keeps more in reserve.
- A cell is its worst finding that counts. What does not count for the exit code is counted beside it (`+2`): what we
  derived, what depends on the cloud (storage class, node labels), and what the promise does not speak of.
- NOT VERIFIED is what a level cannot show, such as a setting for which a layout has no key. It never makes a PASS.
- The sentence and `scope` in `conformance.json` say which levels and rows were judged; the verdict is about these alone.
- Figures of profiles that the promise writes with a `+` (256+ vCPU) are lower bounds: a sum above them is shown, and does
  not count.
- *Carried* compares the manifest with the values that it should have been made of, where both are given.
- Both layouts of values are recognised: that of the deployment page (`replicas.governanceEngine`) and that of the
  platform's chart (`governance-engine.replicaCount`). Values of both in one set are contradictory: nothing reads both.
- With `--chart`, the chart's own `values.yaml` lies under the values files, and a key that nothing of the chart reads is
  called out.
";

/// The whole page.
///
/// # Errors
/// A shipped profile cannot be loaded.
pub fn page() -> Result<String, ProfileError> {
    let mut out = HEAD.to_owned();
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "\n## Limits\n\n- A values file may have {} MiB, one object of a manifest {} MiB, all manifests together {} MiB. Manifests are \
         read object\n  by object, and only what is asked about is kept.\n- Anchors, aliases and merge keys work; what they expand to \
         is bounded.\n- Kinds of other people (operators) are named, not read: `files.custom`. Velero's schedules and AlertmanagerConfig are \
         read.\n- Sums leave out init containers, jobs and the number of nodes that a DaemonSet runs on; those of *declared* leave out \
         what the values\n  state no resources of. A sum with gaps that fits is NOT VERIFIED.\n- Passwords in the lines of a ConfigMap's text are \
         looked for in URLs only.\n- Whose database or queue it is, is told by the names of objects; what looks like another \
         part's own is named as left over.\n- Nested keys of the chart's layout are not checked. Hidden directories, and directories \
         behind links, are not read.",
        odg_profiles::values::MAX_VALUES_BYTES >> 20,
        MAX_DOCUMENT_BYTES >> 20,
        MAX_MANIFEST_BYTES >> 20
    );
    let _ = writeln!(
        out,
        "\n## Requirements\n\n| requirement | what must hold | declared: asked of values | rendered: asked of manifests | why |\n|---|---|---|---|---|"
    );
    for r in requirement::ALL {
        let cell = |text: Option<&str>| text.unwrap_or("–").replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            r.id,
            cell(Some(r.holds)),
            cell(r.declared),
            cell(r.rendered),
            cell(Some(r.why))
        );
    }
    let _ = writeln!(out, "\n## Rows, and what each profile promises of them\n");
    let mut head = String::from("| row |");
    let mut line = String::from("|---|");
    let mut loaded = Vec::new();
    for name in names() {
        let _ = write!(head, " {name} |");
        line.push_str("---|");
        let profile = Profile::load(name)?;
        let promised = promises(&profile);
        loaded.push((profile, promised));
    }
    let _ = writeln!(out, "{head}\n{line}");
    for row in Row::all() {
        let _ = write!(out, "| `{row}` |");
        for (profile, promised) in &loaded {
            let text = row.promised(profile, promised);
            let _ = write!(out, " {} |", if text.is_empty() { "–" } else { &text });
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\n## Not yet verified against the real component\n\nThe level *observed* has no probe here yet, so that every row is open at it. \
         `odg-bench run` asks PostgreSQL, Redis,\nMinIO, NATS and Kafka real questions (see its feature matrix)."
    );
    Ok(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conformance.md");
        let page = super::page().unwrap();
        if std::env::var_os("ODG_UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let hint = "run `ODG_UPDATE_DOCS=1 cargo test -p odg-bench docs` and commit the file";
        assert!(committed == page, "docs/conformance.md is not current: {hint}");
    }
}
