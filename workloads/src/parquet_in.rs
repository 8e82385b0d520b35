//! Reads silver Parquet files back, to aggregate them for the gold layer.

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use serde::Deserialize;

/// Columns of a silver file, by place.
const KIND: usize = 1;
const DOMAIN: usize = 2;
const DATASET: usize = 3;
const INTENDED: usize = 5;
const BYTES: usize = 6;
const PAYLOAD: usize = 7;

/// Events of one dataset in some silver files.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Domain.
    pub domain: String,
    /// Number of events.
    pub events: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Earliest intended start, in microseconds since the Unix epoch.
    pub first_us: i64,
    /// Latest, likewise.
    pub last_us: i64,
    /// Sum of quality scores.
    pub quality_sum: f64,
    /// Number of quality reports.
    pub quality_reports: u64,
}

#[derive(Deserialize)]
struct Score {
    dq_score: f64,
}

/// Adds the events of a silver file to the aggregates, by dataset. `quality_kind` is the `kind` of rows
/// whose payload is a quality report.
///
/// # Errors
/// Where `file` is not a silver Parquet file.
pub fn aggregate_silver(
    file: Bytes,
    quality_kind: &str,
    into: &mut BTreeMap<String, Aggregate>,
) -> Result<u64, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let mut events = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let kinds = column::<ByteArrayType>(&*group, KIND)?;
        let domains = column::<ByteArrayType>(&*group, DOMAIN)?;
        let datasets = column::<ByteArrayType>(&*group, DATASET)?;
        let intended = column::<Int64Type>(&*group, INTENDED)?;
        let bytes = column::<Int64Type>(&*group, BYTES)?;
        let payloads = column::<ByteArrayType>(&*group, PAYLOAD)?;
        for row in 0..kinds.len() {
            let dataset = text(&datasets[row])?;
            if !into.contains_key(dataset) {
                let domain = text(&domains[row])?.to_owned();
                into.insert(
                    dataset.to_owned(),
                    Aggregate {
                        domain,
                        events: 0,
                        bytes: 0,
                        first_us: i64::MAX,
                        last_us: i64::MIN,
                        quality_sum: 0.0,
                        quality_reports: 0,
                    },
                );
            }
            let Some(aggregate) = into.get_mut(dataset) else { continue };
            aggregate.events += 1;
            aggregate.bytes += u64::try_from(bytes[row]).unwrap_or(0);
            aggregate.first_us = aggregate.first_us.min(intended[row]);
            aggregate.last_us = aggregate.last_us.max(intended[row]);
            if text(&kinds[row])? == quality_kind
                && let Ok(score) = serde_json::from_slice::<Score>(payloads[row].data())
            {
                aggregate.quality_sum += score.dq_score;
                aggregate.quality_reports += 1;
            }
            events += 1;
        }
    }
    Ok(events)
}

fn text(value: &ByteArray) -> Result<&str, ParquetError> {
    value.as_utf8()
}

fn column<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(place)?);
    let mut values = Vec::with_capacity(rows);
    while values.len() < rows {
        let (_, read, _) = reader.read_records(rows - values.len(), None, None, &mut values)?;
        if read == 0 {
            return Err(ParquetError::General(format!(
                "column {place} ends after {} of {rows} rows",
                values.len()
            )));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet_out::{EventRow, silver_parquet};

    fn row(dataset: &'static str, kind: &'static str, payload: &'static str) -> EventRow<'static> {
        let payload = Bytes::from_static(payload.as_bytes());
        EventRow { event_id: "x", kind, domain: "sales", dataset, seq: 1, intended_us: 5, payload }
    }

    #[test]
    fn what_silver_holds_is_aggregated_by_dataset() {
        let rows = [
            row("a", "dataset.writes", "1234"),
            row("b", "quality.reports", r#"{"dq_score":0.5}"#),
            row("a", "quality.reports", r#"{"dq_score":0.25}"#),
            row("a", "quality.reports", r#"{"dq_score":0.75}"#),
        ];
        let file = Bytes::from(silver_parquet(&rows).unwrap());
        let mut aggregates = BTreeMap::new();
        assert_eq!(aggregate_silver(file, "quality.reports", &mut aggregates).unwrap(), 4);
        let a = &aggregates["a"];
        assert_eq!((a.events, a.quality_reports, a.quality_sum), (3, 2, 1.0));
        assert_eq!((a.first_us, a.last_us, aggregates["b"].bytes), (5, 5, 16));
    }

    #[test]
    fn a_file_that_is_not_parquet_is_refused() {
        assert!(aggregate_silver(Bytes::from_static(b"PAR?"), "", &mut BTreeMap::new()).is_err());
    }
}
