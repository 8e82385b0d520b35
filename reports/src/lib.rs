//! The odg-bench run record (`run.json`, `latency.hlog`, `series.csv`, `journal.jsonl`), the
//! statistics it is judged with, and the reports made from it.

pub mod record;
