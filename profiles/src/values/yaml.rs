//! Foreign YAML (values files, manifests) as a tree whose values know their file and line.
//!
//! Anchors, aliases and merge keys work, since Helm has them; what they may expand to is bounded, so that a small
//! file cannot fill the memory.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned};

/// Deepest nesting; Kubernetes' own objects stay under 20.
const MAX_DEPTH: usize = 64;
/// Most values in one document.
const MAX_NODES: usize = 500_000;
/// Most values that the aliases of everything that is read together may expand to.
const MAX_EXPANDED: usize = 200_000;
/// Longest message that still reads as one line.
const MAX_MESSAGE: usize = 300;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

/// A YAML value.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, 0 or more.
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the file's order.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// What a key that stands twice in one map is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// An error: one of the two is a slip.
    Refused,
    /// The last one counts, as for Helm and the API server.
    LastWins,
}

/// What aliases may still expand to. One is shared by all documents that are read together, since a limit for each
/// would let many small documents fill the memory.
#[derive(Debug)]
pub struct Aliases {
    left: usize,
}

impl Default for Aliases {
    fn default() -> Self {
        Self { left: MAX_EXPANDED }
    }
}

/// Text that cannot be read as YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct YamlError {
    /// The file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

impl YamlError {
    /// One line, whatever a file contained.
    pub fn at(file: &Arc<str>, line: u64, message: &str) -> Self {
        let one_line = message.chars().map(|c| if c.is_control() { ' ' } else { c });
        let message = one_line.take(MAX_MESSAGE).collect();
        Self { file: Arc::clone(file), line: line.max(1), message }
    }
}

impl Value {
    /// What it is, for messages.
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// An empty map that stands nowhere.
    pub fn empty() -> Self {
        Self { value: Value::Map(Vec::new()), place: Place { file: Arc::from(""), line: 1 } }
    }

    /// Value under `key`, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|e| e.key == key).map(|e| &e.node)
    }

    /// Value along keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Entries of a map; none where it is no map.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Items of a list; none where it is no list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, where it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as it is written; nothing for null, lists and maps.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(b) => Some(b.to_string()),
            Value::Unsigned(n) => Some(n.to_string()),
            Value::Signed(n) => Some(n.to_string()),
            Value::Float(x) => Some(x.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A whole number, 0 or more; a text of digits is none, as for Kubernetes.
    pub fn whole(&self) -> Option<u64> {
        match self.value {
            Value::Unsigned(n) => Some(n),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.value {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }
}

/// Reads one document; none where it says nothing. `before` is the number of lines in the file before `text`.
///
/// # Errors
/// Broken YAML, several documents, or a limit; file and line are in the error.
pub fn parse(
    file: &Arc<str>,
    text: &str,
    before: u64,
    duplicates: Duplicates,
    aliases: &mut Aliases,
) -> Result<Option<Node>, YamlError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 10_000,
            max_anchors: 10_000,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: aliases.left,
        },
        duplicate_keys: match duplicates {
            Duplicates::Refused => DuplicateKeyPolicy::Error,
            Duplicates::LastWins => DuplicateKeyPolicy::LastWins,
        },
        merge_keys: MergeKeyPolicy::Merge,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        // Helm's parser reads `off` and `no` as false.
        strict_booleans: false,
        emit_comments: false,
    };
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if !text.lines().any(says) {
        return Ok(None);
    }
    let root: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| yaml_error(file, &error, before))?;
    aliases.left = aliases.left.saturating_sub(expanded(&root));
    let node = place(root, file, before);
    Ok((!matches!(node.value, Value::Null)).then_some(node))
}

fn yaml_error(file: &Arc<str>, error: &serde_saphyr::Error, before: u64) -> YamlError {
    let line = error.location().map_or(1, |at| at.line());
    let mut options = serde_saphyr::RenderOptions::default();
    options.snippets = serde_saphyr::SnippetMode::Off;
    let text = match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => {
            format!("it breaks a limit that keeps hostile files harmless ({breach:?})")
        }
        serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases expand to more than {MAX_EXPANDED} values")
        }
        _ => error.render_with_options(options),
    };
    // The place is said already, with the file; how to loosen the parser is no help to a reader.
    let text = [" at line ", ", set DuplicateKeyPolicy", " by configured policy"]
        .iter()
        .fold(text.as_str(), |text, tail| text.split(tail).next().unwrap_or_default());
    YamlError::at(file, line + before, &format!("not valid YAML: {}", text.trim()))
}

/// Values that stand elsewhere than they are used: what aliases expanded to.
fn expanded(raw: &Spanned<Raw>) -> usize {
    let at = |l: &serde_saphyr::Location| (l.line(), l.column());
    let own = usize::from(at(&raw.referenced) != at(&raw.defined));
    let below: usize = match &raw.value {
        Raw::List(items) => items.iter().map(expanded).sum(),
        Raw::Map(entries) => entries.iter().map(|(_, value)| expanded(value)).sum(),
        _ => 0,
    };
    own + below
}

fn place(raw: Spanned<Raw>, file: &Arc<str>, before: u64) -> Node {
    let at = |line: u64| Place { file: Arc::clone(file), line: line + before };
    let here = at(raw.referenced.line());
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(b) => Value::Bool(b),
        Raw::Unsigned(n) => Value::Unsigned(n),
        Raw::Signed(n) => Value::Signed(n),
        Raw::Float(x) => Value::Float(x),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => {
            Value::List(items.into_iter().map(|item| place(item, file, before)).collect())
        }
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| Entry {
                place: at(key.referenced.line()),
                key: key.value,
                node: place(value, file, before),
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { value, place: here }
}

/// A YAML value with the place of each part, as the parser hands it over.
enum Raw {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
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

    // A number past 64 bits is none that anything here could mean; its text is kept for the message.
    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Text(String::from_utf8_lossy(value).into_owned()))
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

    fn read(text: &str) -> Result<Option<Node>, YamlError> {
        parse(&Arc::from("f.yaml"), text, 10, Duplicates::Refused, &mut Aliases::default())
    }

    #[test]
    fn a_value_knows_its_line_in_the_whole_file() {
        let node = read("a: 1\nb:\n  c: [2,\n    3]\n").unwrap().unwrap();
        let c = node.at(&["b", "c"]).unwrap();
        assert_eq!(c.place.to_string(), "f.yaml:13");
        assert_eq!(c.items()[1].place.line, 14);
        assert_eq!(node.entries()[1].place.line, 12);
    }

    #[test]
    fn anchors_aliases_and_merge_keys_mean_what_they_mean_to_helm() {
        let text = "x: &x {cpu: 1, memory: 2Gi}\ny: *x\nz:\n  <<: *x\n  cpu: 3\n";
        let node = read(text).unwrap().unwrap();
        assert_eq!(node.at(&["y", "memory"]).and_then(Node::text), Some("2Gi"));
        assert_eq!(node.at(&["z", "memory"]).and_then(Node::text), Some("2Gi"));
        assert_eq!(node.at(&["z", "cpu"]).and_then(Node::whole), Some(3));
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_fills_the_memory() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("f.yaml:"), "{error}");
        assert!(error.contains("expand to more than") || error.contains("limit"), "{error}");
    }

    #[test]
    fn aliases_of_many_documents_share_one_allowance() {
        let items = vec!["x"; 1000].join(", ");
        let text = format!("a: &a [{items}]\nb: [{}]\n", vec!["*a"; 30].join(", "));
        let mut aliases = Aliases::default();
        let mut read = || parse(&Arc::from("f"), &text, 0, Duplicates::LastWins, &mut aliases);
        assert!(read().is_ok());
        let refused = (0..20).find_map(|_| read().err()).unwrap().to_string();
        assert!(refused.contains("alias replay limit"), "{refused}");
    }

    #[test]
    fn words_that_helm_reads_as_true_or_false_are_read_so() {
        let node = read("a: off\nb: Yes\nc: \"no\"\nd: on\n").unwrap().unwrap();
        let flag = |key: &str| node.get(key).and_then(Node::flag);
        assert_eq!((flag("a"), flag("b"), flag("d")), (Some(false), Some(true), Some(true)));
        assert_eq!(node.get("c").and_then(Node::text), Some("no"));
    }

    #[test]
    fn broken_yaml_names_the_line_in_the_whole_file() {
        for (text, line) in
            [("a: 1\nb: [1, 2\nc: 3\n", 12), ("a: 1\na: 2\n", 12), ("a: 1\n---\nb: 2\n", 12)]
        {
            let error = read(text).unwrap_err();
            assert!(error.line >= line && error.line <= line + 2, "{error}");
            assert!(error.message.starts_with("not valid YAML: "), "{error}");
        }
        assert!(read("a: *nobody\n").is_err());
        assert!(read(&"[".repeat(1000)).is_err());
    }

    #[test]
    fn a_document_that_says_nothing_is_none() {
        for text in ["", "# only a note\n\n", "~\n", "---\n"] {
            assert!(read(text).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_where_that_is_asked_for() {
        let text = "a: 1\nb: 2\na: 3\n";
        let mut aliases = Aliases::default();
        let node = parse(&Arc::from("f"), text, 0, Duplicates::LastWins, &mut aliases);
        let node = node.unwrap().unwrap();
        assert_eq!(node.get("a").and_then(Node::whole), Some(3));
    }
}
