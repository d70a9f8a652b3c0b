//! A drop whose rows come from elsewhere than files, such as the tables of a database.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::cell::{Cell, shorten};
use crate::column_type::ColumnType;
use crate::entity_key::{EntityKey, KeyPart};
use crate::error::Error;
use crate::problem::{Position, ProblemKind};
use crate::snapshot::drop_table::{Sink, convert};
use crate::snapshot::fingerprint::hex;
use crate::snapshot::rows::{Problems, RowsBuilder, Target, named};

/// Bytes that are hashed at a time.
const HASHED_BYTES: usize = 1 << 16;

/// A drop that comes row by row.
pub struct RowDrop<'a> {
    /// What it is, as messages have it.
    pub name: String,
    /// What each table is read from, such as `users_snapshots`, by the name of the table; the table's own name for others.
    pub origins: BTreeMap<String, String>,
    /// Gives the columns and then the rows of a table when its turn comes, the entity table first. Where it fails,
    /// nothing is ingested; [`Error::Came`] is for its own failures.
    pub feed: &'a mut dyn FnMut(&mut TableIntake<'_>) -> Result<(), Error>,
}

/// One table on its way into a snapshot: its columns, then its rows cell by cell.
///
/// The values are hashed as they come, after they were brought to the configured types: the same columns and rows in the
/// same order have the same checksum, whatever carried them.
pub struct TableIntake<'a> {
    target: &'a Target<'a>,
    problems: &'a mut Problems,
    sink: Sink<'a>,
    rows: Option<RowsBuilder<'a>>,
    columns: Vec<Column>,
    key: Vec<LastPart>,
    /// The column of the next cell.
    next: usize,
    /// Problems that were listed before the row at hand.
    shown_before: usize,
    bytes: u64,
    hasher: Sha256,
    unhashed: Vec<u8>,
}

/// A column of the rows that come.
struct Column {
    name: String,
    column_type: ColumnType,
    /// Its place in the key.
    of_key: Option<usize>,
}

/// A part of the key of the row at hand.
#[derive(Default)]
struct LastPart {
    text: String,
    integer: Option<i64>,
    is_there: bool,
}

/// What came of a table.
pub(super) struct Came {
    pub(super) rows: u64,
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
}

impl<'a> TableIntake<'a> {
    pub(super) fn new(target: &'a Target<'a>, problems: &'a mut Problems, sink: Sink<'a>) -> Self {
        let key = target.key.columns().iter().map(|_| LastPart::default()).collect();
        TableIntake {
            target,
            problems,
            sink,
            rows: None,
            columns: Vec::new(),
            key,
            next: 0,
            shown_before: 0,
            bytes: 0,
            hasher: Sha256::new(),
            unhashed: Vec::new(),
        }
    }

    /// The name of the table.
    pub fn table(&self) -> &str {
        self.target.table
    }

    /// The columns that the configuration has of the table at the date of the drop, with their types.
    pub fn configured(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.target.spec.columns.iter().map(|(name, forms)| (name.as_str(), forms.last().column_type))
    }

    /// What names an entity.
    pub fn key(&self) -> &EntityKey {
        self.target.key
    }

    /// Says which columns the rows have, in which order. Where they are not those of the configuration, that is counted
    /// among the problems of the drop and false: no row is to be given then.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(&mut self, header: &[String]) -> Result<bool, Error> {
        let Some(specs) = self.target.match_header(header, self.problems) else { return Ok(false) };
        let place = |name: &String| self.target.key.columns().iter().position(|of_key| of_key == name);
        let columns = header.iter().zip(&specs).map(|(name, spec)| Column {
            name: name.clone(),
            column_type: spec.column_type,
            of_key: place(name),
        });
        self.columns = columns.collect();
        for column in &self.columns {
            let text = format!("{} {}\n", column.column_type.name(), column.name);
            self.unhashed.extend_from_slice(text.as_bytes());
        }
        let mut rows = RowsBuilder::new(self.target, header.to_vec(), specs);
        (self.sink)(rows.take()?, 0, self.problems)?;
        self.rows = Some(rows);
        self.shown_before = self.problems.shown.len();
        Ok(true)
    }

    /// Adds the next cell of the row at hand, as it came: it is brought to the configured type, or counted among the
    /// problems of the drop.
    ///
    /// # Panics
    /// Before [`TableIntake::begin`] was content, and beyond its columns.
    pub fn push(&mut self, cell: Cell<'_>) {
        let column_type = self.columns[self.next].column_type;
        match convert(cell, column_type) {
            Some(cell) => self.place(Ok(cell)),
            None => {
                let what = format!("{:?} is not {}", shorten(&cell.to_text()), expected(column_type));
                self.place(Err(ProblemKind::Told(what)));
            }
        }
    }

    /// Counts the next cell of the row at hand among the problems of the drop: what is wrong with it, what was expected,
    /// and the remedy.
    ///
    /// # Panics
    /// As [`TableIntake::push`].
    pub fn refuse(&mut self, what: String) {
        self.place(Err(ProblemKind::Told(what)));
    }

    /// Counts something that is wrong with a column, or with the whole table, among the problems of the drop.
    pub fn problem(&mut self, column: Option<&str>, what: String) {
        self.problems.push(self.target.problem(None, column, ProblemKind::Told(what)));
    }

    /// Ends the row at hand, all of whose cells were added.
    ///
    /// # Errors
    /// Those of writing.
    ///
    /// # Panics
    /// As [`TableIntake::push`], and where cells are missing.
    pub fn end_row(&mut self) -> Result<(), Error> {
        assert_eq!(self.next, self.columns.len(), "a row has a cell for each column");
        self.name_entity();
        self.next = 0;
        self.shown_before = self.problems.shown.len();
        if self.unhashed.len() >= HASHED_BYTES {
            self.hasher.update(&self.unhashed);
            self.unhashed.clear();
        }
        let rows = self.rows.as_mut().expect("a row is given after the columns");
        rows.end_row(None);
        if rows.is_full() {
            (self.sink)(rows.take()?, self.bytes, self.problems)?;
        }
        Ok(())
    }

    /// Says how many bytes came since the last call, for the progress and the ledger.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn finish(mut self) -> Result<Came, Error> {
        let mut total = 0;
        if let Some(rows) = &mut self.rows {
            total = rows.total_rows();
            (self.sink)(rows.take()?, self.bytes, self.problems)?;
        } else if self.problems.count == 0 {
            return Err(Error::Engine(format!("no columns were given of {}", self.target.table)));
        }
        self.hasher.update(&self.unhashed);
        Ok(Came { rows: total, sha256: hex(self.hasher), size_bytes: self.bytes })
    }

    fn place(&mut self, cell: Result<Cell<'_>, ProblemKind>) {
        let (at, column) = (self.next, &self.columns[self.next]);
        self.next += 1;
        if let Some(part) = column.of_key.map(|place| &mut self.key[place]) {
            part.set(cell.as_ref().copied().unwrap_or(Cell::Missing));
        }
        if let Ok(cell) = &cell {
            hashed(*cell, &mut self.unhashed);
        }
        let rows = self.rows.as_mut().expect("a cell is given after the columns");
        let position = Position::Row(rows.total_rows() + 1);
        rows.push(at, position, cell, self.problems);
    }

    /// Gives the problems of the row at hand its entity: nobody finds a row of another system by its number.
    fn name_entity(&mut self) {
        if self.problems.shown.len() == self.shown_before || self.key.iter().any(|part| !part.is_there) {
            return;
        }
        let parts: Vec<KeyPart<'_>> = self.key.iter().map(LastPart::part).collect();
        let entity = named(self.target.key, &parts);
        for problem in &mut self.problems.shown[self.shown_before..] {
            problem.entity = Some(entity.clone());
        }
    }
}

impl LastPart {
    fn set(&mut self, cell: Cell<'_>) {
        self.text.clear();
        self.integer = None;
        self.is_there = cell != Cell::Missing;
        match cell {
            Cell::Text(text) => self.text.push_str(text),
            Cell::Integer(number) => self.integer = Some(number),
            _ => {}
        }
    }

    fn part(&self) -> KeyPart<'_> {
        match self.integer {
            Some(number) => KeyPart::Integer(number),
            None => KeyPart::Text(self.text.as_str().into()),
        }
    }
}

/// Adds a value to what is hashed: its type, and its bytes, so that no two rows come to the same.
fn hashed(cell: Cell<'_>, bytes: &mut Vec<u8>) {
    match cell {
        Cell::Missing => bytes.push(0),
        Cell::Boolean(value) => bytes.extend_from_slice(&[1, u8::from(value)]),
        Cell::Integer(value) => {
            bytes.push(2);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Cell::Float(value) => {
            bytes.push(3);
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Cell::Text(text) => {
            bytes.push(4);
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Cell::Date(days) => {
            bytes.push(5);
            bytes.extend_from_slice(&days.to_le_bytes());
        }
    }
}

/// What a value of another system must be; what is missing there has no value, which is no text.
fn expected(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "text",
        ColumnType::Integer => "a whole number of 64 bits such as 12 (NULL for missing)",
        ColumnType::Float => "a number such as 12.5 (NULL for missing)",
        ColumnType::Boolean => "true or false, or 1 or 0 (NULL for missing)",
        ColumnType::Date => "a date such as 2024-01-31 (NULL for missing)",
    }
}
