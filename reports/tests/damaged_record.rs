//! Whatever bytes a record's files hold, it is reported, or refused in one clear line. The fuzz
//! target `fuzz/fuzz_targets/record.rs` does the same for longer.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use proptest::prelude::*;

#[path = "../fuzz/drive.rs"]
mod drive;

/// Pieces that the files' formats mean something by.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::sample::select(vec![
            "1e308",
            "-1e308",
            "NaN",
            "-0",
            "18446744073709551615",
            "-1",
            "1e999",
            "\"",
            "{",
            "}",
            "[]",
            "null",
            "\n",
            ",",
            "\u{0}",
            "\\u0000",
            "\\n",
            "</script><script>",
            "|",
            "`",
            "\"schema_version\":\"2.0\"",
            "Tag=a:response,0.000,1.000,1.000,",
            "HISTFAAAA",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    #[test]
    fn a_damaged_record_is_reported_or_refused_in_one_line(
        file: u8, how: u8, at: u16, rest in prop::collection::vec(piece(), 0..4),
    ) {
        static BASE: std::sync::OnceLock<drive::Files> = std::sync::OnceLock::new();
        let record = BASE.get_or_init(|| drive::record(tempfile::tempdir().unwrap().path()).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let [hi, lo] = at.to_be_bytes();
        let mut data = vec![file, how, hi, lo];
        data.extend(rest.concat());
        drive::damaged(dir.path(), record, &data);
    }
}
