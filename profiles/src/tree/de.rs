//! A [`Node`] as a serde data source: errors name file, line, key and the nearest valid word.

use std::fmt::Display;
use std::sync::Arc;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::{Entry, Node, Value};
use crate::error::ProfileError;
use crate::nearest::nearest;

/// Reads the typed model from the document.
pub(crate) fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, ProfileError> {
    T::deserialize(node).map_err(|error| {
        let (file, line) = error.at.unwrap_or_else(|| (Arc::clone(&node.file), node.line));
        let message = if error.path.is_empty() {
            error.message
        } else {
            format!("{}: {}", error.path, error.message)
        };
        ProfileError::invalid(&file, line, &message)
    })
}

/// An error on its way up; each level adds the key that it is under.
#[derive(Debug)]
pub(crate) struct TreeError {
    message: String,
    path: String,
    at: Option<(Arc<str>, u64)>,
}

impl TreeError {
    fn at(mut self, file: &Arc<str>, line: u64) -> Self {
        self.at.get_or_insert_with(|| (Arc::clone(file), line));
        self
    }

    fn under(mut self, key: &str) -> Self {
        self.path =
            if self.path.is_empty() { key.to_owned() } else { format!("{key}.{}", self.path) };
        self
    }
}

impl Display for TreeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TreeError {}

impl de::Error for TreeError {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), path: String::new(), at: None }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(field, expected.iter().copied()) {
            Some(word) => format!("unknown key `{field}`; the nearest is `{word}`"),
            None => format!("unknown key `{field}`"),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(variant, expected.iter().copied()) {
            Some(word) => format!("unknown word `{variant}`; the nearest is `{word}`"),
            None => format!("unknown word `{variant}`"),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key `{field}` is missing"))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("found {unexpected}, but this must be {}", plain(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }
}

/// What was expected, without the names of Rust's types.
fn plain(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u32" | "u64" => "a whole number, 0 or more".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a string" => "text".to_owned(),
        name if name.starts_with("struct ") => "a map".to_owned(),
        _ => expected,
    }
}

impl Node {
    /// Scalars as text, for fields that hold whatever a setting's value looks like.
    fn text<E: de::Error>(&self, expected: &dyn de::Expected) -> Result<String, E> {
        Ok(match &self.value {
            Value::Bool(b) => b.to_string(),
            Value::Unsigned(n) => n.to_string(),
            Value::Signed(n) => n.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Text(text) => text.clone(),
            Value::Null => return Err(E::invalid_type(Unexpected::Unit, expected)),
            Value::List(_) => return Err(E::invalid_type(Unexpected::Seq, expected)),
            Value::Map(_) => return Err(E::invalid_type(Unexpected::Map, expected)),
        })
    }

    fn any<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Unsigned(n) => visitor.visit_u64(*n),
            Value::Signed(n) => visitor.visit_i64(*n),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), at: 0 }),
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), current: None })
            }
        }
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.any(visitor).map_err(|e| e.at(&self.file, self.line))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        let text = self.text(&visitor);
        text.and_then(|text| visitor.visit_string(text))
            .map_err(|e: TreeError| e.at(&self.file, self.line))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::Text(text) => {
                let word: StrDeserializer<'_, TreeError> = text.as_str().into_deserializer();
                de::Deserializer::deserialize_enum(word, name, variants, visitor)
            }
            _ => Err(de::Error::custom(format!("this must be one of {}", variants.join(", ")))),
        }
        .map_err(|e| e.at(&self.file, self.line))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
    at: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = TreeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, TreeError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let at = self.at;
        self.at += 1;
        seed.deserialize(node).map(Some).map_err(|e| e.under(&at.to_string()))
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, TreeError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.current = Some(entry);
        let key: StrDeserializer<'_, TreeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|e| e.at(&entry.file, entry.line))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeError> {
        match self.current.take() {
            Some(entry) => seed.deserialize(&entry.node).map_err(|e| e.under(&entry.key)),
            None => Err(de::Error::custom("a value was read before its key")),
        }
    }
}
