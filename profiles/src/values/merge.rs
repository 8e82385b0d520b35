//! Values files laid on each other as `helm -f A -f B` does it.

use super::yaml::{Entry, Node, Value};

/// `over` laid on `base`: maps are merged key by key, `null` takes a key away, and anything else (lists too)
/// replaces what was there. What `base` has keeps its place; the new follows.
pub fn merge(base: Node, over: Node) -> Node {
    let Node { value, place } = over;
    match (base.value, value) {
        (Value::Map(mut merged), Value::Map(entries)) => {
            for entry in entries {
                let at = merged.iter().position(|e| e.key == entry.key);
                match (at, &entry.node.value) {
                    (Some(at), Value::Null) => {
                        merged.remove(at);
                    }
                    (None, Value::Null) => {}
                    (Some(at), _) => {
                        let old = merged.remove(at);
                        let node = merge(old.node, entry.node);
                        merged.insert(at, Entry { node, ..entry });
                    }
                    (None, _) => {
                        merged.push(Entry { node: without_nulls(entry.node), ..entry });
                    }
                }
            }
            Node { value: Value::Map(merged), place }
        }
        (_, value) => without_nulls(Node { value, place }),
    }
}

/// A map that lands where nothing was has nothing to take away.
pub(super) fn without_nulls(mut node: Node) -> Node {
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
