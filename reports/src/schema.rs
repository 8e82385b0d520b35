//! The published JSON Schema of `run.json`.

use crate::record::RunRecord;

/// The JSON Schema (draft 2020-12) of `run.json`, as committed in `reports/schema/run-1.json`.
#[must_use]
pub fn run_schema() -> String {
    let schema = schemars::schema_for!(RunRecord);
    // Alternate form of a JSON value is indented, and cannot fail.
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/run-1.json");
        if std::env::var_os("ODG_UPDATE_SCHEMA").is_some() {
            std::fs::write(path, run_schema()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            committed,
            run_schema(),
            "run `ODG_UPDATE_SCHEMA=1 cargo test -p odg-reports schema` and commit the file"
        );
    }
}
