//! A Parquet file as text columns, so that CSV and Parquet of one table give the same cases:
//! numbers are written with the fewest digits that read back to the same double. Null and, as
//! pandas writes missing numbers, not-a-number become the empty cell.
//!
//! From: `file`.
//! To: `value`, by way of `RawTable`.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use shared::fault::{Code, Fault};
use shared::identity::Digest;

use super::file::OpenTable;
use super::map::{Select, Selection};
use super::raw::{RawTable, TextColumn, quote};
use super::source::TableSource;

/// Rows decoded at a time.
const BATCH: usize = 65_536;
/// How many times its packed size a file may unpack to.
const UNPACK_FACTOR: u64 = 64;
/// Unpacked size that is accepted of any file, however small.
const UNPACK_FLOOR: u64 = 64 << 20;

/// Reads the columns that `select` chooses from the schema, and the file's hash, which must be
/// the same before and after.
///
/// # Errors
/// The faults of `select`; `FV-DATA-001`, `-002`, `-016`, `-017`.
pub(crate) fn read(
    mut opened: OpenTable,
    source: &TableSource,
    select: &Select<'_>,
) -> Result<(RawTable, Selection, Digest), Vec<Fault>> {
    let single = |fault: Fault| vec![fault];
    let before = opened.hash().map_err(single)?;
    let result = parse(&opened, source, select);
    // A file that is being written also looks malformed; that it changes is the better answer.
    if opened.hash().map_err(single)? != before {
        return Err(vec![opened.changed()]);
    }
    opened.unchanged().map_err(single)?;
    result.map(|(table, selection)| (table, selection, before))
}

fn parse(
    opened: &OpenTable,
    source: &TableSource,
    select: &Select<'_>,
) -> Result<(RawTable, Selection), Vec<Fault>> {
    let single = |fault: Fault| vec![fault];
    let file = opened
        .file
        .try_clone()
        .map_err(|error| vec![opened.unreadable(&error)])?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| vec![malformed(opened, error.to_string())])?;
    limits(opened, source, &builder).map_err(single)?;
    let header: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().trim().to_owned())
        .collect();
    let selection = select(&header)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), selection.column.iter().copied());
    let batches = builder
        .with_projection(mask)
        .with_batch_size(BATCH)
        .build()
        .map_err(|error| vec![malformed(opened, error.to_string())])?;
    let mut table = RawTable {
        column: selection
            .column
            .iter()
            .map(|&index| TextColumn::new(header.get(index).map_or("", String::as_str)))
            .collect(),
        place: Vec::new(),
        noun: "row",
    };
    for batch in batches {
        let batch = batch.map_err(|error| vec![malformed(opened, error.to_string())])?;
        for (column, values) in table.column.iter_mut().zip(batch.columns()) {
            push(column, values, source.caps.field_bytes)
                .map_err(|refusal| vec![refusal.fault(opened, &column.name)])?;
        }
        let next = table.rows() + 1;
        let places =
            (next..next + batch.num_rows()).map(|place| u32::try_from(place).unwrap_or(u32::MAX));
        table.place.extend(places);
    }
    Ok((table, selection))
}

fn malformed(opened: &OpenTable, why: String) -> Fault {
    Fault::new(
        Code::TableMalformed,
        format!("{} is not a well-formed Parquet file", opened.name()),
        why,
        "export the table again",
    )
}

fn limits(
    opened: &OpenTable,
    source: &TableSource,
    builder: &ParquetRecordBatchReaderBuilder<std::fs::File>,
) -> Result<(), Fault> {
    let caps = &source.caps;
    let too_large = |what: String, why: String| {
        Fault::new(
            Code::TableTooLarge,
            format!("{}: {what}", opened.name()),
            why,
            "leave out columns and rows the study does not need",
        )
    };
    let metadata = builder.metadata();
    let rows = metadata.file_metadata().num_rows();
    let rows = u64::try_from(rows)
        .map_err(|_| malformed(opened, "its number of rows is negative".to_owned()))?;
    if rows > caps.rows {
        return Err(too_large(
            format!("{rows} rows"),
            format!("at most {} rows are read", caps.rows),
        ));
    }
    let columns = builder.schema().fields().len();
    if columns > caps.columns {
        return Err(too_large(
            format!("{columns} columns"),
            format!("at most {} columns are read", caps.columns),
        ));
    }
    let unpacked = metadata
        .row_groups()
        .iter()
        .map(|group| u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX))
        .fold(0, u64::saturating_add);
    let allowed = opened
        .size()
        .saturating_mul(UNPACK_FACTOR)
        .max(UNPACK_FLOOR);
    if unpacked > allowed {
        return Err(too_large(
            format!("it unpacks to {unpacked} bytes"),
            format!("a file of its size may unpack to {allowed} bytes"),
        ));
    }
    Ok(())
}

/// Why a column cannot be read.
enum Refusal {
    /// Its type is no table value.
    Type(DataType),
    /// It cannot be decoded.
    Decode(String),
    /// A cell exceeds the limit.
    Long(usize),
}

impl Refusal {
    fn fault(self, opened: &OpenTable, column: &str) -> Fault {
        let column = quote(column);
        match self {
            Self::Type(kind) => Fault::new(
                Code::TableMalformed,
                format!("column {column} has the type {kind}"),
                "only numbers, booleans, text, dates and dictionaries of them are read",
                "export the column as a number or as text",
            ),
            Self::Decode(why) => malformed(opened, format!("column {column}: {why}")),
            Self::Long(limit) => Fault::new(
                Code::TableTooLarge,
                format!("column {column} has a cell that is longer than the limit"),
                format!("one cell may have {limit} bytes"),
                "leave out columns the study does not need, or mend the export",
            ),
        }
    }
}

fn push(column: &mut TextColumn, values: &ArrayRef, limit: usize) -> Result<(), Refusal> {
    let kind = values.data_type();
    let cast = |to: &DataType| {
        arrow_cast::cast(values, to).map_err(|error| Refusal::Decode(error.to_string()))
    };
    if let DataType::Dictionary(_, inner) = kind {
        return push(column, &cast(inner)?, limit);
    }
    if kind.is_null() {
        (0..values.len()).for_each(|_| column.push(""));
    } else if matches!(kind, DataType::UInt64) {
        each(column, values.as_primitive::<UInt64Type>().iter());
    } else if kind.is_integer() {
        let whole = cast(&DataType::Int64)?;
        let whole = whole.as_primitive::<Int64Type>();
        if whole.iter().flatten().all(|value| exactly(value).is_some()) {
            let each = whole.iter().map(|value| value.and_then(exactly));
            each.for_each(|value| column.push_number(value));
        } else {
            each(column, whole);
        }
    } else if kind.is_floating() {
        let doubles = cast(&DataType::Float64)?;
        let each = doubles.as_primitive::<Float64Type>().iter();
        each.for_each(|value| column.push_number(value));
    } else if matches!(kind, DataType::Utf8) {
        texts(column, values.as_string::<i32>().iter(), limit)?;
    } else if matches!(kind, DataType::Boolean) {
        each(column, values.as_boolean());
    } else if kind.is_string() || kind.is_decimal() || kind.is_temporal() {
        let cells = cast(&DataType::LargeUtf8)?;
        texts(column, cells.as_string::<i64>().iter(), limit)?;
    } else {
        return Err(Refusal::Type(kind.clone()));
    }
    Ok(())
}

/// A whole number as a double that is written the same.
#[allow(clippy::cast_precision_loss, reason = "doubles hold these exactly")]
fn exactly(value: i64) -> Option<f64> {
    const EXACT: i64 = 1 << 53;
    (-EXACT..=EXACT).contains(&value).then_some(value as f64)
}

fn texts<'a>(
    column: &mut TextColumn,
    cells: impl Iterator<Item = Option<&'a str>>,
    limit: usize,
) -> Result<(), Refusal> {
    for cell in cells {
        let cell = cell.unwrap_or_default();
        if cell.len() > limit {
            return Err(Refusal::Long(limit));
        }
        column.push(cell);
    }
    Ok(())
}

fn each<T: std::fmt::Display>(
    column: &mut TextColumn,
    values: impl IntoIterator<Item = Option<T>>,
) {
    for value in values {
        match value {
            Some(value) => column.push_display(value),
            None => column.push(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
        Int64Array, ListArray, StringArray, UInt64Array,
    };

    use super::*;

    fn read(values: impl Array + 'static) -> Vec<String> {
        let mut column = TextColumn::new("x");
        let values: ArrayRef = Arc::new(values);
        assert!(push(&mut column, &values, 100).is_ok());
        column.cells().map(std::borrow::Cow::into_owned).collect()
    }

    #[test]
    fn every_plain_type_reads_as_csv_would_write_it() {
        assert_eq!(
            read(Float64Array::from(vec![
                Some(0.1),
                None,
                Some(f64::NAN),
                Some(1.0),
                Some(-0.0),
                Some(1e-300)
            ]))[..5],
            ["0.1", "", "", "1", "-0"]
        );
        assert_eq!(read(Float32Array::from(vec![0.5])), ["0.5"]);
        assert_eq!(read(Int8Array::from(vec![Some(-3), None])), ["-3", ""]);
        let large = (1_i64 << 53) + 1;
        assert_eq!(
            read(Int64Array::from(vec![Some(7), None, Some(large)])),
            ["7", "", "9007199254740993"]
        );
        assert_eq!(
            read(UInt64Array::from(vec![u64::MAX])),
            ["18446744073709551615"]
        );
        assert_eq!(
            read(BooleanArray::from(vec![true, false])),
            ["true", "false"]
        );
        assert_eq!(read(StringArray::from(vec![Some("é"), None])), ["é", ""]);
        let dictionary: DictionaryArray<Int32Type> = vec!["f", "m", "f"].into_iter().collect();
        assert_eq!(read(dictionary), ["f", "m", "f"]);
        assert_eq!(read(Date32Array::from(vec![18_690])), ["2021-03-04"]);
    }

    #[test]
    fn lists_and_long_cells_are_refused() {
        let mut column = TextColumn::new("x");
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        let list: ArrayRef = Arc::new(list);
        assert!(matches!(
            push(&mut column, &list, 100),
            Err(Refusal::Type(_))
        ));
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(101)]));
        assert!(matches!(
            push(&mut column, &long, 100),
            Err(Refusal::Long(100))
        ));
    }
}
