//! Parquet's footer, and the columns that it names.

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use crate::format::Format;
use crate::format::columnar::{Batches, guarded};
use crate::problem::ProblemKind;

const BATCH_ROWS: usize = 8192;

/// The footer of a Parquet file, read once for all its columns.
#[derive(Debug)]
pub(crate) struct Footer(ArrowReaderMetadata);

impl Footer {
    pub(crate) fn read(source: &impl ChunkReader) -> Result<Self, ProblemKind> {
        let load = || ArrowReaderMetadata::load(source, ArrowReaderOptions::default());
        let footer = guarded(Format::Parquet, load).map(Footer)?;
        let (rows, all) = (footer.rows(), footer.0.metadata().file_metadata().num_rows());
        if u64::try_from(all) != Ok(rows) {
            let reason = format!("its row groups have {rows} rows and the file {all}");
            return Err(ProblemKind::Damaged { format: Format::Parquet, reason });
        }
        Ok(footer)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    /// How many rows its row groups say they have.
    pub(crate) fn rows(&self) -> u64 {
        let groups = self.0.metadata().row_groups().iter();
        let rows = groups.map(|group| u64::try_from(group.num_rows()).unwrap_or_default());
        rows.fold(0, u64::saturating_add)
    }

    /// What the writer noted under this key.
    pub(crate) fn key_value(&self, key: &str) -> Option<&str> {
        let metadata = self.0.metadata().file_metadata().key_value_metadata();
        metadata.into_iter().flatten().find(|entry| entry.key == key)?.value.as_deref()
    }

    /// Starts reading the columns at these positions; batches have them in the file's order.
    pub(crate) fn batches<R>(&self, source: R, columns: &[usize]) -> Result<Batches, ProblemKind>
    where
        R: ChunkReader + 'static,
    {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.0.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        let reader =
            guarded(Format::Parquet, || builder.with_batch_size(BATCH_ROWS).with_projection(mask).build())?;
        Ok(Batches::new(Format::Parquet, self.rows(), reader))
    }
}
