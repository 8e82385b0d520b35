//! Texts of a record cut to a length that a page can show.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::RecordError;
use crate::record::RunRecord;

/// A text of at most `most` characters; one that was cut ends in `…`.
pub(super) fn text(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The record with none of its texts longer than `most` characters.
pub(super) fn record(record: &RunRecord, most: usize) -> Result<RunRecord, RecordError> {
    let not_made = |e: serde_json::Error| RecordError::Render {
        what: "report.html".to_owned(),
        why: e.to_string(),
    };
    let mut value = serde_json::to_value(record).map_err(not_made)?;
    let mut cut = false;
    walk(&mut value, most, &mut cut);
    let mut record =
        if cut { serde_json::from_value(value).map_err(not_made)? } else { record.clone() };
    // Here foreign texts are keys.
    for operation in &mut record.operations {
        operation.errors = kinds(&operation.errors, most);
    }
    Ok(record)
}

/// Errors by kind, with none of the kinds longer than `most` characters; those that then read alike are one.
pub(crate) fn kinds(errors: &BTreeMap<String, u64>, most: usize) -> BTreeMap<String, u64> {
    let mut short: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, n) in errors {
        let sum = short.entry(text(kind, most)).or_default();
        *sum = sum.saturating_add(*n);
    }
    short
}

fn walk(value: &mut Value, most: usize, cut: &mut bool) {
    match value {
        // A text has at least as many bytes as characters.
        Value::String(long) if long.len() > most => {
            *long = text(long, most);
            *cut = true;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, most, cut)),
        Value::Object(map) => map.values_mut().for_each(|value| walk(value, most, cut)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn only_long_texts_are_cut_and_only_between_characters() {
        assert_eq!(text("größer", 3), "grö…");
        assert_eq!(text("größer", 6), "größer");
        let mut long = testing::record();
        assert_eq!(record(&long, 2_000).unwrap(), long);
        long.host.cpu_model = "µ".repeat(5_000);
        let short = record(&long, 100).unwrap();
        assert_eq!(short.host.cpu_model.chars().count(), 101);
        assert_eq!(short.verdict, long.verdict);
        long.operations[0].errors =
            [("a".repeat(2_000), 1), ("a".repeat(3_000), 2), ("b".into(), 3)].into();
        let short = record(&long, 100).unwrap();
        let kinds: Vec<(usize, u64)> =
            short.operations[0].errors.iter().map(|(k, n)| (k.chars().count(), *n)).collect();
        assert_eq!(kinds, [(101, 3), (1, 3)]);
    }
}
