//! Reads the file of a drop as the configured table, a batch at a time.

use std::fs::File;
use std::path::Path;

use arrow_schema::SchemaRef;

use crate::cell::{Cell, Cells, parse};
use crate::csv_records::{Records, Step};
use crate::error::{Error, Position, ProblemKind};
use crate::parquet_cells::{ParquetCells, plain_type};
use crate::rows::{Problems, Rows, RowsBuilder, Target};
use crate::source::{self, Format};
use crate::spec::{ColumnSpec, ColumnType};

/// Receives the batches of a table; told the bytes read so far.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Rows, u64, &mut Problems) -> Result<(), Error>;

/// Reads a whole table and passes its batches on; the first one, which may have no rows, comes as
/// soon as the columns are known to match. What is wrong goes to `problems`, and reading goes on.
pub(crate) fn read(path: &Path, target: &Target, problems: &mut Problems, sink: Sink) -> Result<u64, Error> {
    let (file, format) = match source::open(path) {
        Ok(opened) => opened,
        Err(Error::Table(problem)) => {
            problems.push(target.problem(None, None, problem.kind));
            return Ok(0);
        }
        Err(other) => return Err(other),
    };
    match format {
        Format::Csv => read_csv(path, file, target, problems, sink),
        Format::Parquet => read_parquet(file, target, problems, sink),
    }
}

fn read_csv(
    path: &Path,
    file: File,
    target: &Target,
    problems: &mut Problems,
    sink: Sink,
) -> Result<u64, Error> {
    let mut records = match Records::open(file) {
        Ok(records) => records,
        Err(Ok(error)) => return Err(Error::io("read", path)(error)),
        Err(Err((position, kind))) => {
            problems.push(target.problem(position, None, kind));
            return Ok(0);
        }
    };
    let header = records.header.clone();
    let Some(specs) = target.match_header(&header, problems) else { return Ok(0) };
    let mut rows = RowsBuilder::new(target, &header, specs);
    sink(rows.take()?, 0, problems)?;
    loop {
        match records.advance().map_err(Error::io("read", path))? {
            Step::Record => {
                let line = records.line();
                for column in 0..header.len() {
                    let text = records.field(column);
                    let cell = parse(text, rows.column_type(column)).ok_or_else(|| text.to_string());
                    rows.push(column, Position::Line(line), cell, problems);
                }
                rows.end_row(Some(line));
            }
            Step::Faulty((position, kind)) => problems.push(target.problem(position, None, kind)),
            Step::End => break,
        }
        if rows.is_full() {
            sink(rows.take()?, records.consumed(), problems)?;
        }
    }
    let total = rows.total_rows();
    sink(rows.take()?, records.consumed(), problems)?;
    Ok(total)
}

fn read_parquet(file: File, target: &Target, problems: &mut Problems, sink: Sink) -> Result<u64, Error> {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let result = try_read_parquet(file, size, target, problems, sink);
    match result {
        Ok(total) => Ok(total),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Problem(kind)) => {
            problems.push(target.problem(None, None, kind));
            Ok(0)
        }
    }
}

enum Stop {
    Error(Error),
    Problem(ProblemKind),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl From<ProblemKind> for Stop {
    fn from(kind: ProblemKind) -> Self {
        Stop::Problem(kind)
    }
}

fn try_read_parquet(
    file: File,
    size: u64,
    target: &Target,
    problems: &mut Problems,
    sink: Sink,
) -> Result<u64, Stop> {
    let cells = ParquetCells::open(file)?;
    let header = cells.header();
    let Some(specs) = target.match_header(&header, problems) else { return Ok(0) };
    if !types_match(cells.schema(), &specs, target, problems) {
        return Ok(0);
    }
    let mut rows = RowsBuilder::new(target, &header, specs);
    sink(rows.take()?, 0, problems)?;
    let everything: Vec<usize> = (0..header.len()).collect();
    let mut batches = cells.batches(&everything)?;
    while let Some((count, arrays)) = batches.advance()? {
        let columns: Vec<Cells> = arrays.iter().filter_map(Cells::new).collect();
        for row in 0..count {
            let position = Position::Row(rows.total_rows() + 1);
            for (column, cells) in columns.iter().enumerate() {
                let found = cells.get(row);
                let cell = convert(found, rows.column_type(column)).ok_or_else(|| found.to_text());
                rows.push(column, position, cell, problems);
            }
            rows.end_row(None);
        }
        sink(rows.take()?, size, problems)?;
    }
    Ok(rows.total_rows())
}

/// Whether each Parquet type can hold values of the configured type.
fn types_match(schema: &SchemaRef, specs: &[ColumnSpec], target: &Target, problems: &mut Problems) -> bool {
    use arrow_schema::DataType;
    let before = problems.count;
    for (field, spec) in schema.fields().iter().zip(specs) {
        let found = || crate::cell::shorten(&field.data_type().to_string());
        let expected = spec.column_type;
        let kind = match plain_type(field.data_type()) {
            None => ProblemKind::UnsupportedParquetType { found: found() },
            // Text may spell a value of any type.
            Some(DataType::Utf8) => continue,
            Some(plain) => match (plain, expected) {
                (DataType::Boolean, ColumnType::Boolean)
                | (DataType::Int64 | DataType::Float64, ColumnType::Integer | ColumnType::Float)
                | (DataType::Int64 | DataType::Float64, ColumnType::Boolean)
                | (DataType::Date32, ColumnType::Date) => continue,
                _ => ProblemKind::WrongParquetType { found: found(), expected: expected.expected() },
            },
        };
        problems.push(target.problem(None, Some(field.name()), kind));
    }
    problems.count == before
}

/// A value of a Parquet file as one of the configured type; `None` when it is none.
fn convert(cell: Cell<'_>, wanted: ColumnType) -> Option<Cell<'_>> {
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
