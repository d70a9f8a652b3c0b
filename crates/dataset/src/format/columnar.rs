//! Tables whose columns are stored apart: files of Parquet and Arrow, and batches in memory, read as one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use parquet::file::reader::ChunkReader;

use crate::format::Format;
use crate::format::allowance::EXCEEDED;
use crate::format::arrow::ArrowFile;
use crate::format::in_memory::InMemory;
use crate::format::parquet::Footer;
use crate::format::plain_array::plain;
use crate::problem::ProblemKind;

/// What a file says about its columns, read once for all of them.
#[derive(Debug)]
pub(crate) enum Columnar {
    Parquet(Footer),
    Arrow(ArrowFile),
    Memory(InMemory),
}

impl Columnar {
    pub(crate) fn read(format: Format, source: &impl ChunkReader) -> Result<Self, ProblemKind> {
        match format {
            Format::Arrow => ArrowFile::read(source).map(Columnar::Arrow),
            Format::Parquet | Format::Csv => Footer::read(source).map(Columnar::Parquet),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        match self {
            Columnar::Parquet(footer) => footer.schema(),
            Columnar::Arrow(file) => file.schema(),
            Columnar::Memory(table) => table.schema(),
        }
    }

    /// How many rows the file says it has.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Columnar::Parquet(footer) => footer.rows(),
            Columnar::Arrow(file) => file.rows(),
            Columnar::Memory(table) => table.rows(),
        }
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> Vec<String> {
        header(self.schema())
    }

    /// The columns that are the index of a pandas data frame rather than columns of it, as the file's own
    /// metadata has it. An index that counts rows is not stored as a column and not listed.
    pub(crate) fn pandas_index(&self) -> Vec<String> {
        let pandas = match self {
            Columnar::Parquet(footer) => footer.key_value("pandas"),
            Columnar::Arrow(_) | Columnar::Memory(_) => {
                self.schema().metadata().get("pandas").map(String::as_str)
            }
        };
        let json: serde_json::Value =
            pandas.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let index = json["index_columns"].as_array();
        index.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_string())).collect()
    }

    /// How many columns are best read at the same time: each pass over an Arrow file reads all of its blocks.
    pub(crate) fn together(&self) -> usize {
        match self {
            Columnar::Parquet(_) | Columnar::Memory(_) => 1,
            Columnar::Arrow(_) => 8,
        }
    }

    /// Starts reading the columns at these positions; batches of Parquet have them in the file's order, those of
    /// Arrow in this order.
    pub(crate) fn batches<R>(&self, source: R, columns: &[usize]) -> Result<Batches, ProblemKind>
    where
        R: ChunkReader + 'static,
    {
        match self {
            Columnar::Parquet(footer) => footer.batches(source, columns),
            Columnar::Arrow(file) => file.batches(source, columns),
            Columnar::Memory(table) => table.batches(columns),
        }
    }
}

/// The names of the columns of a file.
pub(crate) fn header(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Batches whose arrays are boolean, 64-bit integer, 64-bit float, UTF-8 or 32-bit date.
pub(crate) struct Batches {
    format: Format,
    /// Rows that the file says are still to come.
    left: u64,
    reader: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
}

impl Batches {
    /// `rows` are as many as the file says.
    pub(crate) fn new(
        format: Format,
        rows: u64,
        reader: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static,
    ) -> Self {
        Batches { format, left: rows, reader: Box::new(reader) }
    }

    /// The next rows and how many they are. A file whose columns have other rows than it says is damaged: one column
    /// would end before another, or the table before its end.
    pub(crate) fn advance(&mut self) -> Result<Option<(usize, Vec<ArrayRef>)>, ProblemKind> {
        let batch = guarded(self.format, || self.reader.next().transpose())?;
        let rows = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        let left = self.left.checked_sub(rows).filter(|left| batch.is_some() || *left == 0);
        self.left = left.ok_or_else(|| {
            let reason = "a column has not as many rows as the file".to_string();
            ProblemKind::Damaged { format: self.format, reason }
        })?;
        let Some(batch) = batch else { return Ok(None) };
        let plain = |array| guarded(self.format, || plain(array));
        let arrays = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
        Ok(Some((batch.num_rows(), arrays)))
    }
}

/// What the crates put before an error, from the outermost on.
const PREFIXES: [&str; 3] = ["External error: ", "Parquet argument error: ", "Parquet error: "];

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread decodes a file of columns. A panic meanwhile is one of the decoder on a damaged file, which becomes
/// an error: a program's panic hook has nothing to tell.
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Runs a decoder. Its bounds are checked by panics in places, and a flipped bit in a file must be
/// an error of the file rather than the end of the process; nothing of the decoder is used after one.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    format: Format,
    decode: impl FnOnce() -> Result<T, E>,
) -> Result<T, ProblemKind> {
    DECODING.set(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    let reason = match decoded {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => {
            let text = error.to_string();
            if text.contains(EXCEEDED) {
                return Err(ProblemKind::OverAllowance);
            }
            // The names of the types through which an error has come tell nobody anything.
            let text =
                PREFIXES.iter().fold(text.as_str(), |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
            crate::cell::shorten(text)
        }
        Err(_) => "its parts contradict each other".to_string(),
    };
    Err(ProblemKind::Damaged { format, reason })
}
