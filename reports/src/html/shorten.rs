//! Texts of a record cut to a length that a page can show.

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
    if cut { serde_json::from_value(value).map_err(not_made) } else { Ok(record.clone()) }
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
    }
}
