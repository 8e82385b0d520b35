//! YAML text to a [`Node`], with limits that keep hostile files harmless.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned};

use super::{Entry, Node, Value};
use crate::error::ProfileError;
use crate::nearest::nearest;
use crate::provenance::{Origin, Provenance};

/// Largest profile file: a hundred times what the shipped ones need.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Deepest nesting; the model needs 6.
const MAX_DEPTH: usize = 24;

/// Most values in one file.
const MAX_NODES: usize = 50_000;

/// Reads `text`, which came from `file` and is the profile `stated_in`.
pub(crate) fn parse(file: &str, stated_in: &str, text: &str) -> Result<Node, ProfileError> {
    if text.len() > MAX_BYTES {
        return Err(ProfileError::Unreadable {
            file: file.to_owned(),
            reason: format!("it has {} bytes; a profile may have {MAX_BYTES}", text.len()),
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
    };
    let root: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| yaml_error(file, &error))?;
    let line = root.referenced.line();
    if text.trim().is_empty() {
        return Err(ProfileError::invalid(
            file,
            line,
            "it is empty; a profile starts with `name:`",
        ));
    }
    if !matches!(root.value, Raw::Map(_)) {
        return Err(ProfileError::invalid(
            file,
            line,
            "a profile is a YAML map that starts with `name:`",
        ));
    }
    let file: Arc<str> = Arc::from(file);
    let unsourced = Provenance {
        origin: Origin::Derived,
        source: format!("stated in {file}, with no source"),
        stated_in: stated_in.to_owned(),
    };
    annotate(root, &file, &Arc::new(unsourced), false)
}

fn yaml_error(file: &str, error: &serde_saphyr::Error) -> ProfileError {
    let line = error.location().map_or(1, |at| at.line());
    let mut options = serde_saphyr::RenderOptions::default();
    options.snippets = serde_saphyr::SnippetMode::Off;
    let text = match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => limit(breach),
        _ => error.render_with_options(options),
    };
    // The place is said already, with the file; how to loosen the parser is no help to a reader.
    let text = [" at line ", ", set DuplicateKeyPolicy", " by configured policy"]
        .iter()
        .fold(text.as_str(), |text, tail| text.split(tail).next().unwrap_or_default());
    ProfileError::invalid(file, line, &format!("not valid YAML: {}", text.trim()))
}

/// Which limit a file breaks.
fn limit(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => {
            "anchors (&) and aliases (*) are not allowed in a profile".to_owned()
        }
        BudgetBreach::Documents { .. } => "a profile is one document; remove the `---`".to_owned(),
        BudgetBreach::Depth { .. } => format!("it is nested deeper than {MAX_DEPTH} levels"),
        BudgetBreach::Nodes { .. } => format!("it has more than {MAX_NODES} values"),
        other => format!("it breaks a limit of the parser ({other:?})"),
    }
}

/// Adds file and provenance to every value, and takes the provenance keys out.
fn annotate(
    raw: Spanned<Raw>,
    file: &Arc<str>,
    above: &Arc<Provenance>,
    in_list: bool,
) -> Result<Node, ProfileError> {
    let line = raw.referenced.line();
    let mut provenance = Arc::clone(above);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(b) => Value::Bool(b),
        Raw::Unsigned(n) => Value::Unsigned(n),
        Raw::Signed(n) => Value::Signed(n),
        Raw::Float(x) => Value::Float(x),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| annotate(item, file, above, true))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Map(mut entries) => {
            let mut single = Vec::new();
            if !in_list {
                let stated = take_provenance(&mut entries, file, above)?;
                provenance = stated.section;
                single = stated.single;
            }
            let mut out = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let own = single.iter().find(|(name, _)| *name == key.value);
                let below = Arc::clone(own.map_or(&provenance, |(_, own)| own));
                out.push(Entry {
                    file: Arc::clone(file),
                    line: key.referenced.line(),
                    node: annotate(value, file, &below, in_list)?,
                    key: key.value,
                });
            }
            Value::Map(out)
        }
    };
    Ok(Node { value, file: Arc::clone(file), line, provenance })
}

/// What a map says about where its values come from: all of them, and single ones.
struct Stated {
    section: Arc<Provenance>,
    single: Vec<(String, Arc<Provenance>)>,
}

/// A map's keys and values, in order.
type RawEntries = Vec<(Spanned<String>, Spanned<Raw>)>;

fn take_provenance(
    entries: &mut RawEntries,
    file: &Arc<str>,
    above: &Arc<Provenance>,
) -> Result<Stated, ProfileError> {
    let mut stated = Stated { section: Arc::clone(above), single: Vec::new() };
    let keys = [
        ("source", Origin::Documented),
        ("sources", Origin::Documented),
        ("derived", Origin::Derived),
    ];
    for (key, origin) in keys {
        let Some((line, value)) = take(entries, key) else { continue };
        let with = |source| {
            let stated_in = above.stated_in.clone();
            Arc::new(Provenance { origin, source, stated_in })
        };
        match value {
            Raw::Text(text) if key != "sources" => stated.section = with(text),
            Raw::Map(notes) if key != "source" => {
                for (name, note) in notes {
                    let text = single(key, &name, note.value, entries, file)?;
                    stated.single.push((name.value, with(text)));
                }
            }
            _ => {
                let message = match key {
                    "source" => "`source` must be text: a section of the promise",
                    "sources" => "`sources` must be a map from key to a section of the promise",
                    _ => "`derived` must be a reason, or a map from key to reason",
                };
                return Err(ProfileError::invalid(file, line, message));
            }
        }
    }
    Ok(stated)
}

/// The note on one key, which must be beside it.
fn single(
    key: &str,
    name: &Spanned<String>,
    note: Raw,
    entries: &RawEntries,
    file: &str,
) -> Result<String, ProfileError> {
    let line = name.referenced.line();
    let name = &name.value;
    let beside = || entries.iter().map(|(k, _)| k.value.as_str());
    if !beside().any(|k| k == name) {
        let hint =
            nearest(name, beside()).map_or_else(String::new, |n| format!("; the nearest is `{n}`"));
        let message = format!("`{key}` names `{name}`, which is not beside it{hint}");
        return Err(ProfileError::invalid(file, line, &message));
    }
    match note {
        Raw::Text(text) => Ok(text),
        _ => Err(ProfileError::invalid(file, line, &format!("`{key}` of `{name}` must be text"))),
    }
}

fn take(entries: &mut RawEntries, key: &str) -> Option<(u64, Raw)> {
    let at = entries.iter().position(|(k, _)| k.value == key)?;
    let (key, value) = entries.remove(at);
    Some((key.referenced.line(), value.value))
}

/// A YAML value with the place of each part.
enum Raw {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(RawEntries),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(u64::try_from(value).map_or(Raw::Signed(value), Raw::Unsigned))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse("f.yaml", "f", text).unwrap_err().to_string()
    }

    #[test]
    fn every_value_knows_its_line() {
        let root = parse("f.yaml", "f", "a: 1\nb:\n  c: 2\n  d:\n    - 3\n    - 4\n").unwrap();
        assert_eq!(root.locate(&["b", "c"]).line, 3);
        assert_eq!(root.locate(&["b", "d", "1"]).line, 6);
        let Value::Map(entries) = &root.value else { panic!("a map") };
        assert_eq!(entries[1].line, 2);
    }

    #[test]
    fn anchors_merge_keys_and_deep_nesting_are_refused() {
        let deep = format!("a: {}1{}\n", "[".repeat(60), "]".repeat(60));
        for (text, what) in [
            ("a: &x 1\nb: *x\n", "f.yaml:1: not valid YAML: anchors"),
            ("a: {<<: {b: 1}}\n", "f.yaml:1: not valid YAML: YAML merge keys are not allowed"),
            ("a: 1\na: 2\n", "f.yaml:2: not valid YAML: duplicate mapping key: a"),
            ("a: 1\n---\nb: 2\n", "f.yaml:2: not valid YAML: a profile is one document"),
            (&deep, "f.yaml:1: not valid YAML: it is nested deeper than 24 levels"),
        ] {
            assert!(message(text).starts_with(what), "{}", message(text));
        }
    }

    #[test]
    fn a_file_over_one_mebibyte_is_refused_before_it_is_parsed() {
        let text = "#".repeat(MAX_BYTES + 1);
        assert_eq!(
            message(&text),
            "f.yaml: cannot be read: it has 1048577 bytes; a profile may have 1048576"
        );
    }

    #[test]
    fn a_derived_note_on_a_key_that_is_not_there_names_the_nearest() {
        assert_eq!(
            message("volume:\n  default: 1\n  derived:\n    defualt: why\n"),
            "f.yaml:4: `derived` names `defualt`, which is not beside it; the nearest is `default`"
        );
    }
}
