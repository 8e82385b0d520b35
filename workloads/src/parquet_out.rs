//! Parquet files of the silver and gold layers.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

const SILVER: &str = "message silver {
    REQUIRED BYTE_ARRAY event_id (UTF8);
    REQUIRED BYTE_ARRAY kind (UTF8);
    REQUIRED BYTE_ARRAY domain (UTF8);
    REQUIRED BYTE_ARRAY dataset (UTF8);
    REQUIRED INT64 seq (INTEGER(64,false));
    REQUIRED INT64 intended_us (TIMESTAMP(MICROS,true));
    REQUIRED INT64 bytes;
    REQUIRED BYTE_ARRAY payload;
}";

const GOLD: &str = "message gold {
    REQUIRED BYTE_ARRAY domain (UTF8);
    REQUIRED BYTE_ARRAY dataset (UTF8);
    REQUIRED INT64 events;
    REQUIRED INT64 bytes;
    REQUIRED INT64 first_intended_us (TIMESTAMP(MICROS,true));
    REQUIRED INT64 last_intended_us (TIMESTAMP(MICROS,true));
    OPTIONAL DOUBLE quality_mean;
}";

/// A Parquet file that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("write Parquet: {0}")]
pub struct ParquetOutError(#[from] ParquetError);

/// One event of the silver layer.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow<'a> {
    /// Event id.
    pub event_id: &'a str,
    /// Kind of event.
    pub kind: &'a str,
    /// Domain.
    pub domain: &'a str,
    /// Dataset.
    pub dataset: &'a str,
    /// Sequence number within its key.
    pub seq: u64,
    /// Intended start, in microseconds since the Unix epoch.
    pub intended_us: i64,
    /// Payload, shared, not copied; its length is the column `bytes`.
    pub payload: Bytes,
}

/// One dataset of the gold layer.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateRow<'a> {
    /// Domain.
    pub domain: &'a str,
    /// Dataset.
    pub dataset: &'a str,
    /// Number of events.
    pub events: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Earliest intended start, in microseconds since the Unix epoch.
    pub first_intended_us: i64,
    /// Latest intended start, likewise.
    pub last_intended_us: i64,
    /// Mean quality score from 0 to 1; absent where no report came.
    pub quality_mean: Option<f64>,
}

/// A Parquet file, snappy, with one row group, that holds `rows`.
///
/// # Errors
/// Where the Parquet library refuses (a row group beyond its limits).
pub fn silver_parquet(rows: &[EventRow<'_>]) -> Result<Vec<u8>, ParquetOutError> {
    let payload: usize = rows.iter().map(|row| row.payload.len()).sum();
    write(SILVER, payload + 64 * rows.len() + 4096, |group| {
        text(group, rows, |row| row.event_id)?;
        text(group, rows, |row| row.kind)?;
        text(group, rows, |row| row.domain)?;
        text(group, rows, |row| row.dataset)?;
        int(group, rows, |row| row.seq.cast_signed())?;
        int(group, rows, |row| row.intended_us)?;
        int(group, rows, |row| signed(row.payload.len() as u64))?;
        let payloads: Vec<_> =
            rows.iter().map(|row| ByteArray::from(row.payload.clone())).collect();
        column::<ByteArrayType>(group, &payloads, None)
    })
}

/// A Parquet file, snappy, with one row group, that holds `rows`.
///
/// # Errors
/// As [`silver_parquet`].
pub fn gold_parquet(rows: &[AggregateRow<'_>]) -> Result<Vec<u8>, ParquetOutError> {
    write(GOLD, 96 * rows.len() + 4096, |group| {
        text(group, rows, |row| row.domain)?;
        text(group, rows, |row| row.dataset)?;
        int(group, rows, |row| signed(row.events))?;
        int(group, rows, |row| signed(row.bytes))?;
        int(group, rows, |row| row.first_intended_us)?;
        int(group, rows, |row| row.last_intended_us)?;
        let means: Vec<f64> = rows.iter().filter_map(|row| row.quality_mean).collect();
        let present: Vec<i16> = rows.iter().map(|r| i16::from(r.quality_mean.is_some())).collect();
        column::<DoubleType>(group, &means, Some(&present))
    })
}

type Group<'g, 'w> = &'g mut SerializedRowGroupWriter<'w, Vec<u8>>;

fn write(
    schema: &str,
    capacity: usize,
    fill: impl FnOnce(Group<'_, '_>) -> Result<(), ParquetError>,
) -> Result<Vec<u8>, ParquetOutError> {
    let schema = Arc::new(parse_message_type(schema)?);
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    // Unique values: a dictionary would be built, found useless and thrown away.
    for unique in ["event_id", "seq", "intended_us", "payload"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(unique), false);
    }
    let properties = properties
        .set_column_statistics_enabled(ColumnPath::from("payload"), EnabledStatistics::None)
        .set_created_by(concat!("odg-bench ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let buffer = Vec::with_capacity(capacity);
    let mut writer = SerializedFileWriter::new(buffer, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    fill(&mut group)?;
    group.close()?;
    Ok(writer.into_inner()?)
}

fn column<T: DataType>(
    group: Group<'_, '_>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("more columns than the schema has".to_owned()))?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

fn text<'r, R>(
    group: Group<'_, '_>,
    rows: &'r [R],
    of: impl Fn(&'r R) -> &'r str,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(of(row))).collect();
    column::<ByteArrayType>(group, &values, None)
}

fn int<R>(group: Group<'_, '_>, rows: &[R], of: impl Fn(&R) -> i64) -> Result<(), ParquetError> {
    let values: Vec<i64> = rows.iter().map(of).collect();
    column::<Int64Type>(group, &values, None)
}

/// A count as Parquet's signed integer; nothing counted here comes near the limit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Row, RowAccessor};
    use proptest::prelude::*;

    use super::{AggregateRow, EventRow, gold_parquet, silver_parquet};

    fn read(file: Vec<u8>) -> Vec<Row> {
        let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
        reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_silver_row_reads_back_byte_for_byte(
            events in prop::collection::vec(
                (".{0,12}", any::<u64>(), 0..i64::MAX, prop::collection::vec(any::<u8>(), 0..300)), 0..40),
        ) {
            let rows: Vec<EventRow<'_>> = events
                .iter()
                .map(|(id, seq, at, payload)| EventRow {
                    event_id: id, kind: "dataset", domain: "sales", dataset: "d-1", seq: *seq,
                    intended_us: *at, payload: Bytes::from(payload.clone()),
                })
                .collect();
            let read = read(silver_parquet(&rows).unwrap());
            prop_assert_eq!(read.len(), rows.len());
            for (read, row) in read.iter().zip(&rows) {
                prop_assert_eq!(read.get_string(0).unwrap(), row.event_id);
                prop_assert_eq!(read.get_string(1).unwrap(), row.kind);
                prop_assert_eq!(read.get_string(3).unwrap(), row.dataset);
                prop_assert_eq!(read.get_ulong(4).unwrap(), row.seq);
                prop_assert_eq!(read.get_timestamp_micros(5).unwrap(), row.intended_us);
                prop_assert_eq!(read.get_long(6).unwrap(), row.payload.len() as i64);
                prop_assert_eq!(read.get_bytes(7).unwrap().data(), &row.payload[..]);
            }
        }
    }

    #[test]
    fn a_gold_row_reads_back_and_a_missing_quality_stays_missing() {
        let row = |dataset, quality_mean| AggregateRow {
            domain: "sales",
            dataset,
            events: 7,
            bytes: 4096,
            first_intended_us: 1,
            last_intended_us: 2,
            quality_mean,
        };
        let read = read(gold_parquet(&[row("a", Some(0.75)), row("b", None)]).unwrap());
        assert_eq!(read[0].get_string(1).unwrap(), "a");
        assert_eq!(read[0].get_long(2).unwrap(), 7);
        assert_eq!(read[0].get_long(3).unwrap(), 4096);
        assert!((read[0].get_double(6).unwrap() - 0.75).abs() < f64::EPSILON);
        assert!(read[1].get_double(6).is_err());
    }

    #[test]
    fn compressible_payloads_come_out_smaller() {
        let payload = Bytes::from(vec![b'a'; 1 << 20]);
        let row = EventRow {
            event_id: "e",
            kind: "k",
            domain: "d",
            dataset: "s",
            seq: 1,
            intended_us: 1,
            payload,
        };
        assert!(silver_parquet(&[row]).unwrap().len() < 1 << 18);
    }
}
