//! One side of a comparison: what was given, and its columns as they are read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use streamflow_dataset::{
    self as dataset, Counted, CsvOptions, Frame, LeftOut, NamedTable, Reading, StoredTable, TableFile,
    Unparseable, ValueCounts,
};
use streamflow_drift::{self as drift, ColumnType, RowFacts, TableProfile};

use crate::columns::{counted_column, drift_columns, row_facts};
use crate::engine::{Engine, Summary, stored};
use crate::error::Error;
use crate::profile::read_profile;
use crate::tables::Options;

/// A table or a profile on a disk, and how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Where it lies.
    pub table: &'a NamedTable,
    /// How its text is written, if it is CSV.
    pub csv: CsvOptions,
}

/// What is compared.
#[derive(Debug)]
pub enum Given<'a> {
    /// Files, of which a profile is one.
    Files(Input<'a>),
    /// A table that was opened, as one of batches in memory is. No engine counts it.
    Table(TableFile),
    /// A table in memory.
    Frame(Frame),
    /// A profile in memory.
    Profile(TableProfile),
}

/// One side of the comparison.
pub(crate) enum Side<'a> {
    Table(TableFile),
    /// A table that an engine counts.
    Engine {
        table: TableFile,
        stored: StoredTable,
        engine: &'a dyn Engine,
    },
    /// A profile, or a table in memory with what its rows say together.
    Columns(Vec<drift::Column>, RowFacts),
}

/// A column of a side, as it was read.
pub(crate) enum ReadColumn<'a> {
    Table(ValueCounts),
    Profile(&'a drift::Column),
    /// A column that an engine could not count whole.
    Bounded(drift::Column),
}

/// The requested columns that a side has read, and the names of those it has yet to read.
pub(crate) struct Columns<'a> {
    pub read: HashMap<String, ReadColumn<'a>>,
    pub deferred: HashSet<String>,
}

impl<'e> Side<'e> {
    pub fn open(given: Given<'_>, options: &Options<'e>) -> Result<Self, Error> {
        let Input { table, csv } = match given {
            Given::Files(input) => input,
            Given::Profile(profile) => return Ok(Self::of_profile(profile)),
            Given::Table(table) => return Ok(Side::Table(table)),
            Given::Frame(frame) => {
                let facts = options.whole_rows.then(|| row_facts(&dataset::RowFacts::of(&frame)));
                return Ok(Side::Columns(drift_columns(frame), facts.unwrap_or_default()));
            }
        };
        let profile = table.file().map(read_profile).transpose()?.flatten();
        Ok(match profile {
            Some(profile) => Self::of_profile(profile),
            None => {
                let file = table.open(csv)?;
                match options.engine {
                    Some(engine) => Side::Engine { stored: stored(&file, table)?, table: file, engine },
                    None => Side::Table(file),
                }
            }
        })
    }

    fn of_profile(profile: TableProfile) -> Self {
        Side::Columns(profile.into_columns(), RowFacts::default())
    }

    pub fn names(&self) -> Vec<String> {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.names().to_vec(),
            Side::Columns(columns, _) => columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    /// The columns that are not compared.
    pub fn left_out(&self) -> &[LeftOut] {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.left_out(),
            Side::Columns(..) => &[],
        }
    }

    /// What the rows say together, where they were seen together.
    pub fn row_facts(&self) -> RowFacts {
        match self {
            Side::Table(table) => table.row_facts().map(row_facts).unwrap_or_default(),
            Side::Columns(_, facts) => facts.clone(),
            Side::Engine { .. } => RowFacts::default(),
        }
    }

    /// Bytes that reading all columns once reads.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.size_bytes(),
            Side::Columns(..) => 0,
        }
    }

    pub fn columns(&mut self, names: &[String], reading: &Reading) -> Result<Columns<'_>, Error> {
        match self {
            Side::Table(table) => {
                let requested = those_of(table, names);
                if requested.is_empty() {
                    return Ok(Columns { read: HashMap::new(), deferred: HashSet::new() });
                }
                let Counted { columns, deferred } = table.count(&requested, reading)?;
                let read = columns.into_iter().map(|column| (column.name.clone(), ReadColumn::Table(column)));
                Ok(Columns { read: read.collect(), deferred: deferred.into_iter().collect() })
            }
            Side::Engine { table, stored, engine } => {
                let requested = those_of(table, names);
                let share = table.size_bytes() / requested.len().max(1) as u64;
                let summaries = engine.summarise(stored, &requested, &|| (reading.progress)(share))?;
                let read = requested.iter().zip(summaries).map(|(&name, summary)| {
                    let column = match summary {
                        Summary::Counted(column) => ReadColumn::Table(column),
                        Summary::Bounded(column) => ReadColumn::Bounded(column),
                    };
                    (name.to_owned(), column)
                });
                Ok(Columns { read: read.collect(), deferred: HashSet::new() })
            }
            Side::Columns(columns, _) => {
                let requested: HashSet<&String> = names.iter().collect();
                let requested = columns.iter().filter(|column| requested.contains(&column.name));
                let read = requested.map(|column| (column.name.clone(), ReadColumn::Profile(column)));
                Ok(Columns { read: read.collect(), deferred: HashSet::new() })
            }
        }
    }
}

/// The names that a table has.
fn those_of<'n>(table: &TableFile, names: &'n [String]) -> Vec<&'n str> {
    let here: HashSet<&str> = table.names().iter().map(String::as_str).collect();
    names.iter().map(String::as_str).filter(|name| here.contains(name)).collect()
}

impl ReadColumn<'_> {
    /// A note on the cells of a column of numbers that are no numbers, if there are any.
    pub fn unparseable(&self, side: &str) -> Option<String> {
        let ReadColumn::Table(ValueCounts { unparseable: Unparseable { cells, examples }, .. }) = self else {
            return None;
        };
        let examples = examples.iter().map(|example| format!("{example:?}")).collect::<Vec<_>>().join(", ");
        let (cells, are) = if *cells == 1 {
            ("1 cell".to_owned(), "is no number")
        } else {
            (format!("{cells} cells"), "are no numbers")
        };
        (!examples.is_empty()).then(|| format!("{cells} in {side} {are} ({examples}): taken as missing"))
    }
}

pub(crate) fn column(
    read: Option<ReadColumn<'_>>,
    declared: Option<ColumnType>,
) -> Result<Option<Cow<'_, drift::Column>>, Error> {
    Ok(match read {
        Some(ReadColumn::Table(column)) => Some(Cow::Owned(counted_column(column, declared)?)),
        Some(ReadColumn::Profile(column)) => Some(Cow::Borrowed(column)),
        Some(ReadColumn::Bounded(column)) => Some(Cow::Owned(column)),
        None => None,
    })
}
