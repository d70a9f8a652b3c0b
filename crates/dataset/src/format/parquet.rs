//! The values of any flat Parquet file, brought to the five array types of this crate.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use crate::format::plain_array::plain;
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

    /// The columns that are the index of a pandas data frame rather than columns of it, as the file's own
    /// metadata has it. An index that counts rows is not stored as a column and not listed.
    pub(crate) fn pandas_index(&self) -> Vec<String> {
        let metadata = self.0.metadata().file_metadata().key_value_metadata();
        let pandas = metadata.into_iter().flatten().find(|entry| entry.key == "pandas");
        let json = pandas.and_then(|entry| serde_json::from_str(entry.value.as_deref()?).ok());
        let json: serde_json::Value = json.unwrap_or_default();
        let index = json["index_columns"].as_array();
        index.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_string())).collect()
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
        let arrays =
            batch.columns().iter().map(|array| guarded(|| plain(array))).collect::<Result<_, _>>()?;
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
