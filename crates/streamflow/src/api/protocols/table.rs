//! A table as a request brings it: columns by name or in order, whose values lie as they came.

use std::collections::{HashMap, HashSet};

use streamflow_dataset::Cell;

use crate::api::error::ApiError;
use crate::api::json::{Json, shortened};

/// Values of one or more columns.
pub type Block<'a> = Vec<Cell<'a>>;

/// A table in memory.
#[derive(Debug)]
pub struct Table<'a> {
    rows: usize,
    /// Names of the columns; none where they are in the order of the model's features.
    names: Option<Vec<&'a str>>,
    values: Values<'a>,
    /// Whether a text stands for the number that it spells.
    pub is_text: bool,
}

#[derive(Debug)]
enum Values<'a> {
    /// One row after another, of so many values each. A request may say any width of no rows.
    Rows(usize, Block<'a>),
    Columns(Vec<Block<'a>>),
}

impl<'a> Table<'a> {
    /// Rows of `width` values each, one after another; without names they are in the order of the features.
    pub fn of_rows(rows: usize, width: usize, block: Block<'a>, names: Option<Vec<&'a str>>) -> Self {
        Self { rows, names, values: Values::Rows(width, block), is_text: false }
    }

    /// Columns with their names.
    ///
    /// # Errors
    /// Columns of different lengths, two of one name.
    pub fn of_columns(columns: Vec<(&'a str, Block<'a>)>) -> Result<Self, ApiError> {
        let mut names = Vec::with_capacity(columns.len());
        let mut blocks = Vec::with_capacity(columns.len());
        let mut known = HashSet::with_capacity(columns.len());
        let first = columns.first().map(|(name, block)| (*name, block.len()));
        for (name, block) in columns {
            if let Some((first, rows)) = first.filter(|(_, rows)| *rows != block.len()) {
                return Err(ApiError::Input(format!(
                    "column {:?} has {} rows and column {:?} has {rows}; expected as many in each",
                    shortened(name),
                    block.len(),
                    shortened(first)
                )));
            }
            if !known.insert(name) {
                return Err(ApiError::Input(format!("column {:?} is given twice", shortened(name))));
            }
            names.push(name);
            blocks.push(block);
        }
        let rows = first.map_or(0, |(_, rows)| rows);
        Ok(Self { rows, names: Some(names), values: Values::Columns(blocks), is_text: false })
    }

    /// Rows that are lists of values, in the order of the features or of the names.
    ///
    /// # Errors
    /// A row that is no list, is of another length than the first, or holds a list.
    pub fn of_lists(
        lists: &'a [Json<'a>],
        names: Option<Vec<&'a str>>,
        what: &str,
    ) -> Result<Self, ApiError> {
        let expected = names.as_ref().map(Vec::len);
        let mut width = expected;
        let mut block = Block::new();
        for (row, list) in lists.iter().enumerate() {
            let Some(values) = list.list() else {
                let given = list.shown();
                return Err(ApiError::Input(format!(
                    "{what}[{row}]: expected a list of values, got {given}"
                )));
            };
            let width = *width.get_or_insert(values.len());
            if values.len() != width {
                let number = values.len();
                return Err(ApiError::Input(format!("{what}[{row}] has {number} values; expected {width}")));
            }
            for (column, value) in values.iter().enumerate() {
                block.push(cell(value, || format!("{what}[{row}][{column}]"))?);
            }
        }
        Ok(Self::of_rows(lists.len(), width.unwrap_or(0), block, names))
    }

    /// Rows that are objects. Only members that `is_wanted` are columns; what a row lacks of them is missing, and a name
    /// that no row has is no column.
    ///
    /// # Errors
    /// A row that is no object, or holds a list or an object; more columns than `most`, each of which has all rows.
    pub fn of_records(
        records: &'a [Json<'a>],
        what: &str,
        most: usize,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, ApiError> {
        let mut places = HashMap::new();
        let mut columns: Vec<(&'a str, Block<'a>)> = Vec::new();
        for (row, record) in records.iter().enumerate() {
            let Some(members) = record.object() else {
                let given = record.shown();
                return Err(ApiError::Input(format!("{what}[{row}]: expected an object, got {given}")));
            };
            for (name, value) in members.iter().filter(|(name, _)| is_wanted(name)) {
                let name: &'a str = name;
                let place = *places.entry(name).or_insert_with(|| {
                    columns.push((name, Block::with_capacity(records.len())));
                    columns.len() - 1
                });
                let block = &mut columns[place].1;
                block.resize(row, Cell::Missing);
                block.push(cell(value, || format!("{what}[{row}].{}", shortened(name)))?);
            }
            if columns.len() > most {
                return Err(ApiError::Input(format!(
                    "{what}: the rows have more columns than the model has features"
                )));
            }
        }
        for (_, block) in &mut columns {
            block.resize(records.len(), Cell::Missing);
        }
        let mut table = Self::of_columns(columns)?;
        table.rows = records.len();
        Ok(table)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        match &self.values {
            Values::Rows(width, _) => *width,
            Values::Columns(columns) => columns.len(),
        }
    }

    /// Names of the columns, where they have names.
    pub fn names(&self) -> Option<&[&'a str]> {
        self.names.as_deref()
    }

    /// A value.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'a> {
        match &self.values {
            Values::Rows(width, block) => block[row * width + column],
            Values::Columns(columns) => columns[column][row],
        }
    }
}

/// A value of a table.
///
/// # Errors
/// A list or an object, by its place.
pub fn cell<'a>(value: &'a Json<'a>, place: impl Fn() -> String) -> Result<Cell<'a>, ApiError> {
    Ok(match value {
        Json::Null => Cell::Missing,
        Json::Bool(value) => Cell::Boolean(*value),
        Json::Integer(number) => Cell::Integer(*number),
        Json::Large(number) => Cell::Float(*number as f64),
        Json::Number(number) => Cell::Float(*number),
        Json::Text(text) => Cell::Text(text),
        Json::List(_) | Json::Object(_) => {
            let given = value.shown();
            return Err(ApiError::Input(format!("{}: expected a value, got {given}", place())));
        }
    })
}
