//! Rows of a drop, typed as configured, on their way from a file into a snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;

use crate::cell::{Cell, Cells, arrow_type, shorten};
use crate::column_type::ColumnType;
use crate::entity_key::{EntityKey, KeyCells, KeyPart};
use crate::error::Error;
use crate::period::Period;
use crate::problem::{Fault, Position, Problem, ProblemKind, nearest};
use crate::snapshot::spec::{ColumnSpec, TableSpec};

/// The most problems that one error lists, over all files of a drop.
pub const PROBLEMS_SHOWN: usize = 20;
/// The most that one column of one file may take of them.
const SHOWN_PER_COLUMN: u64 = 5;
/// Rows of a batch, and the text it may hold before it is passed on early.
const BATCH_ROWS: usize = 8192;
const BATCH_TEXT_BYTES: usize = 32 << 20;

/// A batch of typed rows and where they come from.
pub(crate) struct Rows {
    /// The columns in the file's order, in the array types of [`arrow_type`].
    pub(crate) batch: RecordBatch,
    /// Index in the table of the first row.
    pub(crate) first_row: u64,
    /// Lines of the rows, when the file is text.
    lines: Vec<u64>,
    /// Which rows of the file's batch these are, where not all of them.
    kept: Option<Vec<usize>>,
}

impl Rows {
    /// The rows for which this is true.
    pub(crate) fn filtered(self, kept: &BooleanArray) -> Result<Self, Error> {
        let batch = filter_record_batch(&self.batch, kept);
        let batch = batch.map_err(|error| Error::Engine(error.to_string()))?;
        let rows = (0..kept.len()).filter(|row| kept.value(*row)).collect();
        Ok(Self { batch, kept: Some(rows), ..self })
    }

    /// The values of a configured column; the header of the file has been matched, so it is there.
    pub(crate) fn cells(&self, column: &str) -> Cells<'_> {
        let array = self.batch.column_by_name(column);
        array.and_then(Cells::new).expect("a batch has every configured column in its array type")
    }

    /// The columns of the key.
    pub(crate) fn key_cells<'a>(&'a self, key: &'a EntityKey) -> KeyCells<'a> {
        KeyCells { key, cells: key.columns().iter().map(|column| self.cells(column)).collect() }
    }

    /// The entity of a row, as problems name it; none where a part of the key is missing.
    pub(crate) fn entity(&self, key: &EntityKey, row: usize) -> Option<String> {
        let cells = self.key_cells(key);
        let parts = cells.cells.iter().map(|part| match part.get(row) {
            Cell::Text(text) => Some(KeyPart::Text(text.into())),
            Cell::Integer(number) => Some(KeyPart::Integer(number)),
            _ => None,
        });
        Some(named(key, &parts.collect::<Option<Vec<_>>>()?))
    }

    pub(crate) fn position(&self, row: usize) -> Position {
        let row = self.kept.as_ref().and_then(|kept| kept.get(row).copied()).unwrap_or(row);
        match self.lines.get(row) {
            Some(line) => Position::Line(*line),
            None => Position::Row(self.first_row + row as u64 + 1),
        }
    }
}

/// Problems of a drop: the first ones in full, all of them counted.
#[derive(Default)]
pub(crate) struct Problems {
    pub(crate) shown: Vec<Problem>,
    pub(crate) count: u64,
    by_column: BTreeMap<(String, Option<String>), u64>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.shown.len() >= PROBLEMS_SHOWN {
            return;
        }
        let seen = self.by_column.entry((problem.file.clone(), problem.column.clone())).or_default();
        *seen += 1;
        if *seen <= SHOWN_PER_COLUMN {
            self.shown.push(problem);
        }
    }
}

/// The table that a file is read as.
pub(crate) struct Target<'a> {
    pub(crate) table: &'a str,
    pub(crate) file: &'a str,
    pub(crate) key: &'a EntityKey,
    /// As of the date of the drop.
    pub(crate) spec: &'a TableSpec,
    pub(crate) at_all_dates: &'a TableSpec,
    pub(crate) as_of: Period,
    /// Whether problems name the entity of a row rather than its position.
    pub(crate) names_entities: bool,
}

impl Target<'_> {
    pub(crate) fn problem(
        &self,
        position: Option<Position>,
        column: Option<&str>,
        kind: ProblemKind,
    ) -> Problem {
        let table = Some(self.table.to_string());
        let (file, column) = (self.file.to_string(), column.map(str::to_string));
        Problem { file, table, position, entity: None, column, kind }
    }

    /// What is wrong with a value of a row.
    pub(crate) fn problem_of_row(&self, rows: &Rows, row: usize, column: &str, kind: ProblemKind) -> Problem {
        let entity = if self.names_entities { rows.entity(self.key, row) } else { None };
        Problem { entity, ..self.problem(Some(rows.position(row)), Some(column), kind) }
    }

    /// Counts a fault of the contents among the problems; one of the operating system ends the ingest.
    pub(crate) fn report(&self, fault: Fault, path: &Path, problems: &mut Problems) -> Result<(), Error> {
        match fault {
            Fault::Io { action, source } => Err(Error::io(action, path)(source)),
            Fault::At { position, column, kind } => {
                problems.push(self.problem(position, column.as_deref(), kind));
                Ok(())
            }
        }
    }

    /// Compares the columns of a file with the configured ones; the specs in the file's order, or
    /// nothing when they do not match.
    pub(crate) fn match_header(&self, header: &[String], problems: &mut Problems) -> Option<Vec<ColumnSpec>> {
        let before = problems.count;
        let mut specs = Vec::with_capacity(header.len());
        for (index, name) in header.iter().enumerate() {
            let kind = match self.spec.columns.get(name) {
                _ if name.is_empty() => ProblemKind::UnnamedColumn { index: index + 1 },
                _ if header[..index].contains(name) => ProblemKind::DuplicateColumn,
                Some(spec) => {
                    specs.push(spec.last());
                    continue;
                }
                None if let Some(forms) = self.at_all_dates.columns.get(name) => {
                    ProblemKind::ColumnOfOtherDates {
                        table: self.table.to_string(),
                        dates: forms.dates(),
                        as_of: self.as_of,
                    }
                }
                None => ProblemKind::UnknownColumn {
                    table: self.table.to_string(),
                    nearest: nearest(name, self.spec.columns.keys().map(String::as_str)),
                },
            };
            let column = (!name.is_empty()).then(|| shorten(name));
            problems.push(self.problem(None, column.as_deref(), kind));
        }
        for name in self.spec.columns.keys().filter(|name| !header.contains(name)) {
            let header = shorten(&header.join(", "));
            problems.push(self.problem(None, Some(name), ProblemKind::MissingColumn { header }));
        }
        (problems.count == before).then_some(specs)
    }
}

/// An entity as problems name it: the text of the key, which says the columns where there are several.
pub(crate) fn named(key: &EntityKey, parts: &[KeyPart<'_>]) -> String {
    let text = shorten(&key.text(parts));
    match key.single() {
        Some(column) => format!("{column}={text}"),
        None => text,
    }
}

/// Gathers typed cells into batches.
pub(crate) struct RowsBuilder<'a> {
    target: &'a Target<'a>,
    header: Vec<String>,
    specs: Vec<ColumnSpec>,
    schema: Arc<Schema>,
    columns: Vec<Builder>,
    lines: Vec<u64>,
    text_bytes: usize,
    rows: usize,
    first_row: u64,
}

impl<'a> RowsBuilder<'a> {
    /// `specs` are those of the columns of `header`, in its order.
    pub(crate) fn new(target: &'a Target<'a>, header: Vec<String>, specs: Vec<ColumnSpec>) -> Self {
        let fields = header.iter().zip(&specs);
        let fields: Vec<Field> =
            fields.map(|(name, spec)| Field::new(name, arrow_type(spec.column_type), true)).collect();
        let columns = specs.iter().map(|spec| Builder::new(spec.column_type)).collect();
        RowsBuilder {
            target,
            header,
            specs,
            schema: Arc::new(Schema::new(fields)),
            columns,
            lines: Vec::new(),
            text_bytes: 0,
            rows: 0,
            first_row: 0,
        }
    }

    pub(crate) fn column_type(&self, column: usize) -> ColumnType {
        self.specs[column].column_type
    }

    /// What is wrong with a whole row.
    pub(crate) fn problem(&self, position: Position, kind: ProblemKind) -> Problem {
        self.target.problem(Some(position), None, kind)
    }

    /// Adds a cell to the row at hand: what was read, or what is wrong with it. The columns of a row are pushed before
    /// [`RowsBuilder::end_row`].
    pub(crate) fn push(
        &mut self,
        column: usize,
        position: Position,
        cell: Result<Cell<'_>, ProblemKind>,
        problems: &mut Problems,
    ) {
        let spec = self.specs[column];
        let name = &self.header[column];
        let kind = match cell {
            Ok(Cell::Missing) if self.target.key.has(name) => ProblemKind::MissingEntity,
            Ok(Cell::Missing) if !spec.nullable => ProblemKind::MissingValue,
            Ok(cell) => {
                if let Cell::Text(text) = cell {
                    self.text_bytes += text.len();
                }
                self.columns[column].push(cell);
                return;
            }
            Err(kind) => kind,
        };
        problems.push(self.target.problem(Some(position), Some(name), kind));
        self.columns[column].push(Cell::Missing);
    }

    /// Ends a row; `line` is that of a text file.
    pub(crate) fn end_row(&mut self, line: Option<u64>) {
        self.lines.extend(line);
        self.rows += 1;
    }

    /// Whether the batch should be passed on.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES
    }

    /// Rows so far, those passed on included.
    pub(crate) fn total_rows(&self) -> u64 {
        self.first_row + self.rows as u64
    }

    /// The rows gathered since the last call; may be none.
    pub(crate) fn take(&mut self) -> Result<Rows, Error> {
        let arrays = self.columns.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|error| Error::Engine(error.to_string()))?;
        let rows =
            Rows { batch, first_row: self.first_row, lines: std::mem::take(&mut self.lines), kept: None };
        self.first_row += self.rows as u64;
        self.rows = 0;
        self.text_bytes = 0;
        Ok(rows)
    }
}

enum Builder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Date(Date32Builder),
}

impl Builder {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Boolean => Builder::Boolean(BooleanBuilder::new()),
            ColumnType::Integer => Builder::Integer(Int64Builder::new()),
            ColumnType::Float => Builder::Float(Float64Builder::new()),
            ColumnType::String => Builder::Text(StringBuilder::new()),
            ColumnType::Date => Builder::Date(Date32Builder::new()),
        }
    }

    /// The cell is of the builder's type or missing: that is what reading it as the type means.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Builder::Boolean(builder), Cell::Boolean(value)) => builder.append_value(value),
            (Builder::Boolean(builder), _) => builder.append_null(),
            (Builder::Integer(builder), Cell::Integer(value)) => builder.append_value(value),
            (Builder::Integer(builder), _) => builder.append_null(),
            (Builder::Float(builder), Cell::Float(value)) => builder.append_value(value),
            (Builder::Float(builder), _) => builder.append_null(),
            (Builder::Text(builder), Cell::Text(value)) => builder.append_value(value),
            (Builder::Text(builder), _) => builder.append_null(),
            (Builder::Date(builder), Cell::Date(value)) => builder.append_value(value),
            (Builder::Date(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Boolean(builder) => Arc::new(builder.finish()),
            Builder::Integer(builder) => Arc::new(builder.finish()),
            Builder::Float(builder) => Arc::new(builder.finish()),
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Date(builder) => Arc::new(builder.finish()),
        }
    }
}
