//! Parquet's footer, and the columns that it names.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::reader::ChunkReader;

use crate::format::Format;
use crate::format::columnar::{Batches, guarded};
use crate::format::pages::Pages;
use crate::format::vetting::vet_footer;
use crate::problem::ProblemKind;

const BATCH_ROWS: usize = 8192;

/// The footer of a Parquet file, read once for all its columns.
#[derive(Debug)]
pub(crate) struct Footer(ArrowReaderMetadata);

impl Footer {
    pub(crate) fn read(source: &impl ChunkReader) -> Result<Self, ProblemKind> {
        let load = || {
            vet_footer(source)?;
            ArrowReaderMetadata::load(source, ArrowReaderOptions::default())
        };
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
        let metadata = Arc::clone(self.0.metadata());
        let schema = metadata.file_metadata().schema_descr();
        let mask = ProjectionMask::roots(schema, columns.iter().copied());
        let reader = guarded(Format::Parquet, || {
            let levels = parquet_to_arrow_field_levels(schema, mask, Some(self.schema().fields()))?;
            let pages = Pages { source: Arc::new(source), metadata: Arc::clone(&metadata) };
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, BATCH_ROWS, None)
        })?;
        Ok(Batches::new(Format::Parquet, self.rows(), reader))
    }
}
