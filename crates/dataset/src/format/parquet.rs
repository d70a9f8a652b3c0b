//! The values of any flat Parquet file, brought to the five array types of this crate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use crate::cell::arrow_type;
use crate::column_type::ColumnType;
use crate::problem::ProblemKind;

const BATCH_ROWS: usize = 8192;

/// The footer of a Parquet file, read once for all its columns.
#[derive(Debug)]
pub(crate) struct Footer(ArrowReaderMetadata);

impl Footer {
    pub(crate) fn read(source: &impl ChunkReader) -> Result<Self, ProblemKind> {
        guarded(|| ArrowReaderMetadata::load(source, ArrowReaderOptions::default())).map(Footer)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> Vec<String> {
        self.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Starts reading the columns at these positions; batches have them in the file's order.
    pub(crate) fn batches<R>(&self, source: R, columns: &[usize]) -> Result<Batches, ProblemKind>
    where
        R: ChunkReader + 'static,
    {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.0.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        let reader = guarded(|| builder.with_batch_size(BATCH_ROWS).with_projection(mask).build())?;
        Ok(Batches { reader })
    }
}

/// Batches whose arrays are boolean, 64-bit integer, 64-bit float, UTF-8 or 32-bit date.
pub(crate) struct Batches {
    reader: ParquetRecordBatchReader,
}

impl Batches {
    /// The next rows and how many they are.
    pub(crate) fn advance(&mut self) -> Result<Option<(usize, Vec<ArrayRef>)>, ProblemKind> {
        let Some(batch) = guarded(|| self.reader.next().transpose())? else { return Ok(None) };
        let arrays = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
        Ok(Some((batch.num_rows(), arrays)))
    }
}

/// Runs the decoder. Its bounds are checked by panics in places, and a flipped bit in a file must be
/// an error of the file rather than the end of the process; nothing of the decoder is used after one.
fn guarded<T, E: std::fmt::Display>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, ProblemKind> {
    let reason = match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => crate::cell::shorten(&error.to_string()),
        Err(_) => "its pages contradict each other".to_string(),
    };
    Err(ProblemKind::DamagedParquet { reason })
}

/// The type that the values of a Parquet column are brought to; `None` when they have no place in a flat
/// table. Times of day are cut off timestamps.
pub(crate) fn plain_type(found: &DataType) -> Option<ColumnType> {
    use DataType::*;
    match found {
        Boolean => Some(ColumnType::Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Some(ColumnType::Integer),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => {
            Some(ColumnType::Float)
        }
        Utf8 | LargeUtf8 | Utf8View | Null => Some(ColumnType::String),
        Date32 | Date64 | Timestamp(..) => Some(ColumnType::Date),
        Dictionary(_, values) => plain_type(values),
        _ => None,
    }
}

/// Why a column has no [`plain_type`].
pub(crate) fn unsupported(found: &DataType) -> ProblemKind {
    ProblemKind::UnsupportedParquetType { found: crate::cell::shorten(&found.to_string()) }
}

/// Brings an array to its [`plain_type`].
fn plain(array: &ArrayRef) -> Result<ArrayRef, ProblemKind> {
    let found = array.data_type();
    let mut wanted = plain_type(found).map(arrow_type).ok_or_else(|| unsupported(found))?;
    if let DataType::UInt64 = found
        && array.as_primitive::<UInt64Type>().iter().flatten().any(|value| i64::try_from(value).is_err())
    {
        wanted = DataType::Float64;
    }
    if *found == wanted {
        return Ok(Arc::clone(array));
    }
    // Not safe in arrow's sense: a value that does not fit is an error instead of missing.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    guarded(|| cast_with_options(array, &wanted, &options))
}
