//! A YAML document that remembers, for every value, its file, its line and where it comes from.
//!
//! A map may hold keys that are not data. `source` is the section of the promise that everything below
//! is from; `sources` maps a neighbouring key to the section of that one. `derived` is the reason why
//! everything below is ours, or maps a neighbouring key to the reason for that one. Maps inside lists
//! are plain data.

mod de;
mod parse;

use std::sync::Arc;

pub(crate) use de::from_node;
pub(crate) use parse::{MAX_BYTES, parse};

use crate::provenance::Provenance;

/// A value of the document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) file: Arc<str>,
    pub(crate) line: u64,
    pub(crate) provenance: Arc<Provenance>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value. Order is the document's.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) file: Arc<str>,
    pub(crate) line: u64,
    pub(crate) node: Node,
}

impl Node {
    /// Value under `key`, where this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            _ => None,
        }
    }

    /// Takes `key` out of the map.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.value {
            Value::Map(entries) => {
                let at = entries.iter().position(|e| e.key == key)?;
                Some(entries.remove(at))
            }
            _ => None,
        }
    }

    /// Deepest node on the way along `path` (keys, and indices into lists): where an error about the
    /// path should point.
    pub(crate) fn locate(&self, path: &[&str]) -> &Node {
        let Some((first, rest)) = path.split_first() else { return self };
        let child = match &self.value {
            Value::List(items) => first.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => self.get(first),
        };
        child.map_or(self, |node| node.locate(rest))
    }
}

/// Field that names an item of a list of settings.
const SETTING: &str = "setting";

/// `over` laid on `base`: maps are merged key by key, lists of settings setting by setting, `null` takes a
/// key away, and anything else (other lists too) replaces what was there. What `base` has keeps its place;
/// the new follows.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    let Node { value, file, line, provenance } = over;
    match (base.value, value) {
        (Value::Map(mut merged), Value::Map(entries)) => {
            for entry in entries {
                let at = merged.iter().position(|e| e.key == entry.key);
                match (at, matches!(entry.node.value, Value::Null)) {
                    (Some(at), true) => {
                        merged.remove(at);
                    }
                    (None, true) => {}
                    (Some(at), false) => {
                        let old = merged.remove(at);
                        let node = merge(old.node, entry.node);
                        merged.insert(at, Entry { node, ..entry });
                    }
                    (None, false) => {
                        merged.push(Entry { node: without_nulls(entry.node), ..entry })
                    }
                }
            }
            Node { value: Value::Map(merged), file, line, provenance }
        }
        (Value::List(mut merged), Value::List(items)) if are_settings(&merged, &items) => {
            for item in items {
                match merged.iter().position(|old| setting(old) == setting(&item)) {
                    Some(at) => merged[at] = item,
                    None => merged.push(item),
                }
            }
            Node { value: Value::List(merged), file, line, provenance }
        }
        (_, value) => without_nulls(Node { value, file, line, provenance }),
    }
}

/// Whether both are lists of settings, with something in them: an empty list takes all away.
fn are_settings(base: &[Node], over: &[Node]) -> bool {
    !over.is_empty() && base.iter().chain(over).all(|item| setting(item).is_some())
}

fn setting(item: &Node) -> Option<&str> {
    match &item.get(SETTING)?.value {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

/// A map that lands where nothing was has nothing to take away.
fn without_nulls(mut node: Node) -> Node {
    if let Value::Map(entries) = node.value {
        let kept = entries
            .into_iter()
            .filter(|e| !matches!(e.node.value, Value::Null))
            .map(|e| Entry { node: without_nulls(e.node), ..e })
            .collect();
        node.value = Value::Map(kept);
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, text: &str) -> Node {
        parse(name, name, text).unwrap()
    }

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Map(entries) => {
                let inner: Vec<String> =
                    entries.iter().map(|e| format!("{}:{}", e.key, show(&e.node))).collect();
                format!("{{{}}}", inner.join(","))
            }
            Value::List(items) => {
                format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(","))
            }
            Value::Text(text) => text.clone(),
            Value::Unsigned(n) => n.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn maps_merge_deeply_lists_replace_and_null_takes_away() {
        let base = tree("a", "x: {p: 1, q: {r: 2, s: 3}}\nlist: [1, 2]\ngone: 4\nkept: 5\n");
        let over =
            tree("b", "list: [9]\nx: {q: {s: 7, t: 8}}\ngone: ~\nnew: {u: ~, v: 1}\nnever: ~\n");
        assert_eq!(show(&merge(base, over)), "{x:{p:1,q:{r:2,s:7,t:8}},list:[9],kept:5,new:{v:1}}");
    }

    #[test]
    fn settings_merge_one_by_one_and_an_empty_list_takes_them_away() {
        let base = tree("a", "t: [{setting: x, value: 1}, {setting: y, value: 2}]\n");
        let over = tree("b", "t: [{setting: z, value: 4}, {setting: y, value: 3}]\n");
        let merged = "{t:[{setting:x,value:1},{setting:y,value:3},{setting:z,value:4}]}";
        assert_eq!(show(&merge(base.clone(), over)), merged);
        assert_eq!(show(&merge(base, tree("c", "t: []\n"))), "{t:[]}");
    }

    #[test]
    fn a_merged_value_keeps_the_file_and_the_source_that_state_it() {
        let base = tree("a", "s:\n  source: Section A\n  kept: 1\n  changed: 2\n");
        let over = tree("b", "s:\n  source: Section B\n  changed: 3\n");
        let merged = merge(base, over);
        let section = merged.get("s").unwrap();
        let (kept, changed) = (section.get("kept").unwrap(), section.get("changed").unwrap());
        assert_eq!(
            (kept.provenance.source.as_str(), kept.provenance.stated_in.as_str()),
            ("Section A", "a")
        );
        assert_eq!(
            (changed.provenance.source.as_str(), changed.provenance.stated_in.as_str()),
            ("Section B", "b")
        );
        assert_eq!((&*changed.file, changed.line), ("b", 3));
    }
}
