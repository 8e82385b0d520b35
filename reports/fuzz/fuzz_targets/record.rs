//! Damaged records: `cargo +nightly fuzz run record` in `reports/`, or with a stable compiler
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run record`.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

#[path = "../drive.rs"]
mod drive;

/// A scratch directory, and a whole record.
type Base = (tempfile::TempDir, drive::Files);

fuzz_target!(|data: &[u8]| {
    static BASE: OnceLock<Base> = OnceLock::new();
    let (dir, record) = BASE.get_or_init(|| {
        let whole = tempfile::tempdir().expect("a scratch directory");
        let record = drive::record(whole.path()).expect("a record can be written");
        (tempfile::tempdir().expect("a scratch directory"), record)
    });
    drive::damaged(dir.path(), record, data);
});
