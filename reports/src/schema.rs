//! The published JSON Schemas of `run.json` and `conformance.json`.

use crate::conformance::Certificate;
use crate::record::RunRecord;

/// The JSON Schema (draft 2020-12) of `run.json`, as committed in `reports/schema/run-1.json`.
#[must_use]
pub fn run_schema() -> String {
    let schema = schemars::schema_for!(RunRecord);
    // Alternate form of a JSON value is indented, and cannot fail.
    format!("{:#}\n", schema.as_value())
}

/// The JSON Schema (draft 2020-12) of `conformance.json`, as committed in `reports/schema/conformance-1.json`.
#[must_use]
pub fn conformance_schema() -> String {
    let schema = schemars::schema_for!(Certificate);
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_current() {
        for (name, schema) in
            [("run-1.json", run_schema()), ("conformance-1.json", conformance_schema())]
        {
            let path = format!("{}/schema/{name}", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("ODG_UPDATE_SCHEMA").is_some() {
                std::fs::write(&path, &schema).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                committed, schema,
                "run `ODG_UPDATE_SCHEMA=1 cargo test -p odg-reports schema` and commit the file"
            );
        }
    }
}
