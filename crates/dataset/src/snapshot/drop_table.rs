//! Reads the file of a drop as the configured table, a batch at a time.

use std::io::Read;
use std::path::Path;

use arrow_schema::SchemaRef;

use crate::cell::{Cell, Cells, parse, shorten};
use crate::column_type::ColumnType;
use crate::error::Error;
use crate::format::columnar::{Batches, Columnar};
use crate::format::csv::records::{Records, Step};
use crate::format::plain_array::{plain_type, unsupported};
use crate::format::{self, Format};
use crate::problem::{Fault, Position, ProblemKind};
use crate::snapshot::rows::{Problems, Rows, RowsBuilder, Target};
use crate::snapshot::spec::ColumnSpec;

/// Receives the batches of a table; told the bytes read so far.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Rows, u64, &mut Problems) -> Result<(), Error>;

/// Reads a whole table and passes its batches on; the first one, which may have no rows, comes as
/// soon as the columns are known to match. What is wrong goes to `problems`, and reading goes on.
pub(crate) fn read(path: &Path, target: &Target, problems: &mut Problems, sink: Sink) -> Result<u64, Error> {
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(fault) => return target.report(fault, path, problems).map(|()| 0),
    };
    let header = reader.header();
    let Some(specs) = target.match_header(&header, problems) else { return Ok(0) };
    if let Reader::Columnar { columns, .. } = &reader
        && !types_match(columns.schema(), &specs, target, problems)
    {
        return Ok(0);
    }
    let mut rows = RowsBuilder::new(target, header, specs);
    sink(rows.take()?, 0, problems)?;
    loop {
        let more = match reader.fill(&mut rows, problems) {
            Ok(more) => more,
            Err(fault) => return target.report(fault, path, problems).map(|()| 0),
        };
        let total = rows.total_rows();
        sink(rows.take()?, reader.consumed(), problems)?;
        if !more {
            return Ok(total);
        }
    }
}

/// A file that is being read.
enum Reader {
    Csv(Records<Box<dyn Read + Send>>),
    Columnar { columns: Columnar, batches: Batches, size_bytes: u64 },
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Fault> {
        let (file, format, coding) = format::open(path)?;
        Ok(match format {
            Format::Csv => Reader::Csv(Records::open(coding.reader(file).map_err(Fault::io("read"))?)?),
            Format::Parquet | Format::Arrow => {
                let size_bytes = file.metadata().map_err(Fault::io("read"))?.len();
                let columns = Columnar::read(format, &file)?;
                let everything: Vec<usize> = (0..columns.header().len()).collect();
                let batches = columns.batches(file, &everything)?;
                Reader::Columnar { columns, batches, size_bytes }
            }
        })
    }

    fn header(&self) -> Vec<String> {
        match self {
            Reader::Csv(records) => records.header.clone(),
            Reader::Columnar { columns, .. } => columns.header(),
        }
    }

    /// Bytes read so far, about.
    fn consumed(&self) -> u64 {
        match self {
            Reader::Csv(records) => records.consumed(),
            Reader::Columnar { size_bytes, .. } => *size_bytes,
        }
    }

    /// Reads the next rows; whether there may be more.
    fn fill(&mut self, rows: &mut RowsBuilder, problems: &mut Problems) -> Result<bool, Fault> {
        match self {
            Reader::Csv(records) => fill_from_csv(records, rows, problems),
            Reader::Columnar { batches, .. } => fill_from_batches(batches, rows, problems),
        }
    }
}

fn fill_from_csv(
    records: &mut Records<impl Read>,
    rows: &mut RowsBuilder,
    problems: &mut Problems,
) -> Result<bool, Fault> {
    while !rows.is_full() {
        match records.advance()? {
            Step::Record => {
                let line = records.line();
                for column in 0..records.header.len() {
                    let text = records.field(column);
                    let column_type = rows.column_type(column);
                    let cell = parse(text, column_type).ok_or_else(|| wrong_type(text, column_type));
                    rows.push(column, Position::Line(line), cell, problems);
                }
                rows.end_row(Some(line));
            }
            Step::Faulty(kind) => problems.push(rows.problem(Position::Line(records.line()), kind)),
            Step::End => return Ok(false),
        }
    }
    Ok(true)
}

fn fill_from_batches(
    batches: &mut Batches,
    rows: &mut RowsBuilder,
    problems: &mut Problems,
) -> Result<bool, Fault> {
    let Some((count, arrays)) = batches.advance()? else { return Ok(false) };
    let columns: Vec<Cells> = arrays.iter().filter_map(Cells::new).collect();
    for row in 0..count {
        let position = Position::Row(rows.total_rows() + 1);
        for (column, cells) in columns.iter().enumerate() {
            let found = cells.get(row);
            let column_type = rows.column_type(column);
            let cell = convert(found, column_type).ok_or_else(|| wrong_type(&found.to_text(), column_type));
            rows.push(column, position, cell, problems);
        }
        rows.end_row(None);
    }
    Ok(true)
}

/// A value that is none of the configured type.
fn wrong_type(value: &str, column_type: ColumnType) -> ProblemKind {
    ProblemKind::WrongType { value: shorten(value), expected: column_type.expected() }
}

/// Whether each Parquet type can hold values of the configured type.
fn types_match(schema: &SchemaRef, specs: &[ColumnSpec], target: &Target, problems: &mut Problems) -> bool {
    use ColumnType::{Boolean, Date, Float, Integer, String};
    let before = problems.count;
    for (field, spec) in schema.fields().iter().zip(specs) {
        let kind = match (plain_type(field.data_type()), spec.column_type) {
            (None, _) => unsupported(field.data_type()),
            // Text may spell a value of any type.
            (Some(String), _)
            | (Some(Boolean), Boolean)
            | (Some(Integer | Float), Integer | Float | Boolean)
            | (Some(Date), Date) => continue,
            (_, expected) => {
                let found = shorten(&field.data_type().to_string());
                ProblemKind::WrongParquetType { found, expected: expected.expected() }
            }
        };
        problems.push(target.problem(None, Some(field.name()), kind));
    }
    problems.count == before
}

/// A value of a Parquet file, or of another system, as one of the configured type; `None` when it is none.
pub(crate) fn convert(cell: Cell<'_>, wanted: ColumnType) -> Option<Cell<'_>> {
    // Every float in this range that has no fraction is a 64-bit integer.
    const RANGE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    match (cell, wanted) {
        (Cell::Text(text), wanted) => parse(text, wanted),
        (Cell::Float(value), _) if value.is_nan() => Some(Cell::Missing),
        (Cell::Integer(value), ColumnType::Float) => Some(Cell::Float(value as f64)),
        (Cell::Integer(0) | Cell::Float(0.0), ColumnType::Boolean) => Some(Cell::Boolean(false)),
        (Cell::Integer(1) | Cell::Float(1.0), ColumnType::Boolean) => Some(Cell::Boolean(true)),
        (Cell::Float(value), ColumnType::Integer) => {
            (value.fract() == 0.0 && RANGE.contains(&value)).then_some(Cell::Integer(value as i64))
        }
        (Cell::Missing, _)
        | (Cell::Boolean(_), ColumnType::Boolean)
        | (Cell::Integer(_), ColumnType::Integer)
        | (Cell::Float(_), ColumnType::Float)
        | (Cell::Date(_), ColumnType::Date) => Some(cell),
        _ => None,
    }
}
