//! Record batches that are in memory already, read as the columns of a file are.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

use crate::format::Format;
use crate::format::columnar::Batches;
use crate::problem::ProblemKind;

/// Rows that are looked at in one go. What has to be copied to be read, as texts with 64-bit offsets have, is copied so
/// many rows at a time.
const ROWS_AT_ONCE: usize = 1 << 16;

/// The batches of a table, all of one schema.
#[derive(Debug)]
pub(crate) struct InMemory {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    rows: u64,
}

impl InMemory {
    pub(crate) fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).fold(0, u64::saturating_add);
        InMemory { schema, batches, rows }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns at these positions, in this order. Nothing is copied: slices share the arrays.
    pub(crate) fn batches(&self, columns: &[usize]) -> Result<Batches, ProblemKind> {
        let damaged = |error: ArrowError| ProblemKind::Damaged {
            format: Format::Arrow,
            reason: crate::cell::shorten(&error.to_string()),
        };
        let projected = self.batches.iter().map(|batch| batch.project(columns));
        let projected = projected.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        let slices = projected.into_iter().flat_map(|batch| {
            let starts = (0..batch.num_rows()).step_by(ROWS_AT_ONCE);
            starts.map(move |start| Ok(batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start))))
        });
        Ok(Batches::new(Format::Arrow, self.rows, slices))
    }
}
