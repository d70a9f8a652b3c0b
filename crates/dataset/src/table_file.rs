//! Any CSV or Parquet file as a table, without a configuration: types are inferred as pandas does.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::file::reader::ChunkReader;

use crate::cell::Cells;
use crate::csv_records::{Located, Records, Step};
use crate::error::{Error, Problem, ProblemKind, nearest};
use crate::frame::{Column, Frame, Values, ValuesBuilder};
use crate::infer::{Guess, read_as};
use crate::parquet_cells::{ParquetCells, plain_type};
use crate::source::{self, Format};
use crate::spec::ColumnType;

/// Reads a CSV or Parquet file whole. The format is decided by the first bytes.
///
/// CSV types are those of pandas' `read_csv`: a column is whole numbers, floats, booleans or text, the
/// first of these that all its values are; whole numbers with a missing value are floats; a column
/// without any value is floats; `""`, `NA`, `NaN`, `null`, `None` and the like are missing. Unlike
/// there, booleans with a missing value stay booleans. Timestamps of Parquet become dates.
///
/// # Errors
/// [`Error::Table`] naming what is wrong and where; [`Error::Io`].
pub fn read_table(path: &Path) -> Result<Frame, Error> {
    TableFile::open(path)?.read()
}

/// The same for a file that is in memory; `name` is for error messages.
///
/// # Errors
/// As [`read_table`].
pub fn read_bytes(name: &str, bytes: Vec<u8>) -> Result<Frame, Error> {
    TableFile::from_bytes(name, bytes)?.read()
}

/// A table in a file whose columns are read as they are needed, so that files larger than memory can
/// be compared column by column.
#[derive(Debug)]
pub struct TableFile {
    name: String,
    source: Source,
    format: Format,
    names: Vec<String>,
    /// Of CSV columns; Parquet files know their own.
    types: Vec<ColumnType>,
    rows: u64,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

/// Why reading stopped.
enum Stop {
    Io(std::io::Error),
    Located(Located),
    Column(String, ProblemKind),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::Io(error)
    }
}

impl From<ProblemKind> for Stop {
    fn from(kind: ProblemKind) -> Self {
        Stop::Located((None, kind))
    }
}

impl TableFile {
    /// Looks at a file: its format, its columns and, in one pass over CSV text, their types.
    ///
    /// # Errors
    /// As [`read_table`].
    pub fn open(path: &Path) -> Result<TableFile, Error> {
        let (_, format) = source::open(path)?;
        Self::inspect(path.display().to_string(), Source::File(path.to_path_buf()), format)
    }

    /// The same for a file that is in memory; `name` is for error messages.
    ///
    /// # Errors
    /// As [`read_table`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<TableFile, Error> {
        let format = source::recognise(&bytes).map_err(|kind| {
            Error::from(Problem { file: name.to_string(), table: None, position: None, column: None, kind })
        })?;
        Self::inspect(name.to_string(), Source::Bytes(Bytes::from(bytes)), format)
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads all columns.
    ///
    /// # Errors
    /// As [`read_table`].
    pub fn read(&self) -> Result<Frame, Error> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        self.read_columns(&names)
    }

    /// Reads the named columns, in the order asked for; memory is for these alone.
    ///
    /// # Errors
    /// As [`read_table`], and [`ProblemKind::NoSuchColumn`].
    pub fn read_columns(&self, names: &[&str]) -> Result<Frame, Error> {
        let result = self.positions(names).and_then(|positions| match (&self.source, self.format) {
            (Source::File(path), Format::Csv) => self.read_csv(File::open(path)?, &positions),
            (Source::Bytes(bytes), Format::Csv) => self.read_csv(Cursor::new(bytes.clone()), &positions),
            (Source::File(path), Format::Parquet) => self.read_parquet(File::open(path)?, &positions),
            (Source::Bytes(bytes), Format::Parquet) => self.read_parquet(bytes.clone(), &positions),
        });
        result.map_err(|stop| self.error(stop))
    }

    fn inspect(name: String, source: Source, format: Format) -> Result<TableFile, Error> {
        let mut table = TableFile { name, source, format, names: Vec::new(), types: Vec::new(), rows: 0 };
        let result = match (&table.source, format) {
            (Source::File(path), Format::Csv) => File::open(path).map_err(Stop::Io).and_then(inspect_csv),
            (Source::Bytes(bytes), Format::Csv) => inspect_csv(Cursor::new(bytes.clone())),
            (Source::File(path), Format::Parquet) => {
                File::open(path).map_err(Stop::Io).and_then(inspect_parquet)
            }
            (Source::Bytes(bytes), Format::Parquet) => inspect_parquet(bytes.clone()),
        };
        let Inspected { names, types, rows } = result.map_err(|stop| table.error(stop))?;
        table.names = names;
        table.types = types;
        table.rows = rows;
        Ok(table)
    }

    fn positions(&self, names: &[&str]) -> Result<Vec<usize>, Stop> {
        let find = |name: &&str| {
            self.names.iter().position(|candidate| candidate == name).ok_or_else(|| {
                let nearest = nearest(name, self.names.iter().map(String::as_str));
                Stop::Column(crate::cell::shorten(name), ProblemKind::NoSuchColumn { nearest })
            })
        };
        names.iter().map(find).collect()
    }

    fn read_csv(&self, source: impl Read, positions: &[usize]) -> Result<Frame, Stop> {
        let mut records = open_csv(source)?;
        // The file may have got another header since it was opened.
        let types = |position: &usize| self.types.get(*position).filter(|_| *position < records.header.len());
        let types: Option<Vec<ColumnType>> =
            positions.iter().map(|position| types(position).copied()).collect();
        let types = types.ok_or(ProblemKind::Changed)?;
        let mut builders: Vec<ValuesBuilder> = types.iter().map(|t| ValuesBuilder::new(*t)).collect();
        let mut rows = 0;
        while next_record(&mut records)? {
            rows += 1;
            for ((builder, position), column_type) in builders.iter_mut().zip(positions).zip(&types) {
                builder.push(read_as(records.field(*position), *column_type));
            }
        }
        Ok(self.frame(positions, builders, rows))
    }

    fn read_parquet<R: ChunkReader + 'static>(&self, source: R, positions: &[usize]) -> Result<Frame, Stop> {
        let cells = ParquetCells::open(source)?;
        if cells.header() != self.names {
            return Err(ProblemKind::Changed.into());
        }
        let mut types = Vec::new();
        for position in positions {
            let found = cells.schema().field(*position).data_type();
            let plain = plain_type(found).and_then(|plain| column_type(&plain)).ok_or_else(|| {
                let found = crate::cell::shorten(&found.to_string());
                Stop::Column(self.names[*position].clone(), ProblemKind::UnsupportedParquetType { found })
            })?;
            types.push(plain);
        }
        // Batches have the columns in the file's order.
        let mut order: Vec<usize> = positions.to_vec();
        order.sort_unstable();
        order.dedup();
        let mut builders: Vec<ValuesBuilder> = types.iter().map(|t| ValuesBuilder::new(*t)).collect();
        let mut batches = cells.batches(&order)?;
        let mut rows = 0;
        while let Some((count, arrays)) = batches.advance()? {
            rows += count;
            for (builder, position) in builders.iter_mut().zip(positions) {
                let place = order.binary_search(position).unwrap_or_default();
                let Some(cells) = arrays.get(place).and_then(Cells::new) else {
                    return Err(ProblemKind::Changed.into());
                };
                (0..count).for_each(|row| builder.push(cells.get(row)));
            }
        }
        let mut frame = self.frame(positions, builders, rows);
        frame.columns.iter_mut().for_each(|column| whole_numbers_as_pandas(&mut column.values));
        Ok(frame)
    }

    fn frame(&self, positions: &[usize], builders: Vec<ValuesBuilder>, rows: usize) -> Frame {
        let columns = positions.iter().zip(builders);
        let columns = columns.map(|(position, builder)| Column {
            name: self.names[*position].clone(),
            values: builder.finish(),
        });
        Frame { columns: columns.collect(), rows }
    }

    fn error(&self, stop: Stop) -> Error {
        let (position, column, kind) = match stop {
            Stop::Io(error) => return Error::io("read", self.name.clone())(error),
            Stop::Located((position, kind)) => (position, None, kind),
            Stop::Column(column, kind) => (None, Some(column), kind),
        };
        Problem { file: self.name.clone(), table: None, position, column, kind }.into()
    }
}

struct Inspected {
    names: Vec<String>,
    types: Vec<ColumnType>,
    rows: u64,
}

fn open_csv<R: Read>(source: R) -> Result<Records<R>, Stop> {
    Records::open(source).map_err(|error| match error {
        Ok(error) => Stop::Io(error),
        Err(located) => Stop::Located(located),
    })
}

/// Whether there is another record; a faulty one ends the reading.
fn next_record<R: Read>(records: &mut Records<R>) -> Result<bool, Stop> {
    match records.advance()? {
        Step::Record => Ok(true),
        Step::Faulty(located) => Err(Stop::Located(located)),
        Step::End => Ok(false),
    }
}

fn inspect_csv(source: impl Read) -> Result<Inspected, Stop> {
    let mut records = open_csv(source)?;
    let names = column_names(&records.header)?;
    let mut guesses = vec![Guess::default(); names.len()];
    let mut rows = 0;
    while next_record(&mut records)? {
        rows += 1;
        for (column, guess) in guesses.iter_mut().enumerate() {
            guess.see(records.field(column));
        }
    }
    Ok(Inspected { names, types: guesses.iter().map(Guess::column_type).collect(), rows })
}

fn inspect_parquet<R: ChunkReader + 'static>(source: R) -> Result<Inspected, Stop> {
    let cells = ParquetCells::open(source)?;
    let names = column_names(&cells.header())?;
    Ok(Inspected { names, types: Vec::new(), rows: cells.rows() })
}

/// The names of a header; one without a name gets pandas' `Unnamed: N`.
fn column_names(header: &[String]) -> Result<Vec<String>, Stop> {
    let mut names = Vec::with_capacity(header.len());
    let mut seen = std::collections::HashSet::new();
    for (index, name) in header.iter().enumerate() {
        let name = if name.is_empty() { format!("Unnamed: {index}") } else { name.clone() };
        if !seen.insert(name.clone()) {
            return Err(Stop::Column(crate::cell::shorten(&name), ProblemKind::DuplicateColumn));
        }
        names.push(name);
    }
    Ok(names)
}

fn column_type(plain: &datafusion::arrow::datatypes::DataType) -> Option<ColumnType> {
    use datafusion::arrow::datatypes::DataType;
    match plain {
        DataType::Boolean => Some(ColumnType::Boolean),
        DataType::Int64 => Some(ColumnType::Integer),
        DataType::Float64 => Some(ColumnType::Float),
        DataType::Utf8 => Some(ColumnType::String),
        DataType::Date32 => Some(ColumnType::Date),
        _ => None,
    }
}

/// Whole numbers with a missing value become floats, as they do from CSV.
fn whole_numbers_as_pandas(values: &mut Values) {
    if let Values::Integer(numbers) = values
        && numbers.iter().any(Option::is_none)
    {
        let floats = numbers.iter().map(|number| number.map_or(f64::NAN, |number| number as f64));
        *values = Values::Float(floats.collect());
    }
}
