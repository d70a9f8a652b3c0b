//! The drift of two files of any size: as many columns at a time as a bounded memory holds.
//!
//! Both sides are read at the same time, in one pass as long as the different values of all columns fit. Columns that
//! do not fit are left for another pass. What is in memory is compared on all processors and let go.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, bail};
use rayon::prelude::*;
use streamflow_dataset::{
    Counted, CsvOptions, Frame, LeftOut, Reading, StoredTable, TableFile, Unparseable, ValueCounts,
};
use streamflow_drift::{
    self as drift, ColumnType, ComparedColumn, Comparison, DriftSettings, Report, RowFacts, RuleSet,
    TableProfile, compare_column,
};

use super::columns::{counted_column, drift_columns, row_facts};
use super::engine::{Engine, Summary};
use crate::storage;
use crate::terminal::Terminal;

/// Memory for the values of both sides. Sorting and comparing takes up to three times as much beside it.
pub const MEMORY_BYTES: u64 = 256 << 20;
/// A column of a profile takes at most about a megabyte, so this is a table of a thousand full ones.
const MAX_PROFILE_BYTES: u64 = 1 << 30;

/// Number of processors.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Two files to compare.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    pub reference: Input<'a>,
    pub current: Input<'a>,
    /// Whether rows are looked at as a whole, for those that repeat.
    pub whole_rows: bool,
    /// Who counts the tables, if not this process.
    pub engine: Option<&'a Engine>,
}

/// A table or a profile, and how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub table: &'a storage::Input,
    /// How its text is written, if it is CSV.
    pub csv: CsvOptions,
}

/// The columns of two files.
pub struct Names<'a> {
    /// Those of either that can be compared, in order.
    pub compared: &'a [String],
    /// The others of either, with the reason.
    pub left_out: Vec<&'a LeftOut>,
}

/// Compares two files. `complete` gets the names of all columns before any is read, to check and complete the settings.
pub fn compare(
    files: Files<'_>,
    settings: DriftSettings,
    complete: impl FnOnce(&mut DriftSettings, &Names) -> anyhow::Result<()>,
    terminal: &Terminal,
) -> anyhow::Result<Report> {
    let sides = [Side::open(files.reference, files.engine)?, Side::open(files.current, files.engine)?];
    compare_sides(sides, files.whole_rows, settings, complete, terminal)
}

/// Compares a file with a table in memory, which has features alone: what else the file has is listed and counts for
/// nothing. Otherwise as [`compare`].
pub fn compare_features(
    reference: Input<'_>,
    features: Frame,
    mut settings: DriftSettings,
    complete: impl FnOnce(&mut DriftSettings, &Names) -> anyhow::Result<()>,
    terminal: &Terminal,
) -> anyhow::Result<Report> {
    let (reference, current) = (Side::open(reference, None)?, Side::Columns(drift_columns(features)));
    let known = current.names();
    let others = reference.names().into_iter().filter(|name| !known.contains(name));
    settings.types.extend(others.map(|name| (name, ColumnType::Ignore)));
    compare_sides([reference, current], false, settings, complete, terminal)
}

fn compare_sides(
    [mut reference, mut current]: [Side<'_>; 2],
    whole_rows: bool,
    mut settings: DriftSettings,
    complete: impl FnOnce(&mut DriftSettings, &Names) -> anyhow::Result<()>,
    terminal: &Terminal,
) -> anyhow::Result<Report> {
    let mut names = reference.names();
    let known: HashSet<String> = names.iter().cloned().collect();
    names.extend(current.names().into_iter().filter(|name| !known.contains(name)));
    let left_out = [&reference, &current].into_iter().flat_map(Side::left_out);
    let left_out = left_out.filter(|column| !names.contains(&column.name)).collect();
    complete(&mut settings, &Names { compared: &names, left_out })?;
    // Wrong settings are refused before an hour of reading.
    let mut comparison = Comparison::new(settings.clone());

    for (name, reason) in unknown_to_evidently(&settings, [&reference, &current]) {
        names.retain(|other| *other != name);
        comparison.leave_out(&name, &reason);
    }

    let bar = terminal.progress(reference.size_bytes() + current.size_bytes(), "reading and comparing");
    let mut compared: HashMap<String, ComparedColumn> = HashMap::with_capacity(names.len());
    let mut pending = names.clone();
    while !pending.is_empty() {
        let progress = |bytes| bar.inc(bytes);
        let reading = Reading {
            memory_bytes: MEMORY_BYTES / 2,
            threads: (threads() / 2).max(1),
            whole_rows,
            progress: &progress,
        };
        let (from_reference, from_current) =
            both(|| reference.columns(&pending, &reading), || current.columns(&pending, &reading))?;
        let (pairs, deferred) = pairs(&pending, from_reference, from_current);
        let results: Vec<_> = pairs.into_par_iter().map(|pair| pair.compare(&settings)).collect();
        for result in results {
            let (name, column) = result?;
            compared.insert(name, column);
        }
        bar.inc_length(if deferred.is_empty() { 0 } else { reference.size_bytes() + current.size_bytes() });
        pending = deferred;
    }
    bar.finish_and_clear();
    for name in &names {
        if let Some(column) = compared.remove(name) {
            comparison.add(column)?;
        }
    }
    for column in [&reference, &current].into_iter().flat_map(Side::left_out) {
        comparison.leave_out(&column.name, &column.reason.to_string());
    }
    comparison.rows(reference.row_facts(), current.row_facts());
    Ok(comparison.finish()?)
}

/// The columns that Evidently leaves out for their type in a Parquet or Arrow file, with the reason; none under other
/// rules.
fn unknown_to_evidently(settings: &DriftSettings, sides: [&Side<'_>; 2]) -> Vec<(String, String)> {
    let unusual = |side: &Side<'_>| match side {
        Side::Table(table) | Side::Engine { table, .. } if settings.profile == RuleSet::Evidently => {
            table.unusual_numbers()
        }
        Side::Table(_) | Side::Engine { .. } | Side::Columns(_) => Vec::new(),
    };
    let reason = |found: String| format!("numbers of the type {found} are left out, as Evidently does");
    sides.into_iter().flat_map(unusual).map(|(name, found)| (name, reason(found))).collect()
}

/// Does the work of both sides at the same time.
fn both<T: Send>(
    reference: impl FnOnce() -> anyhow::Result<T> + Send,
    current: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, T)> {
    std::thread::scope(|scope| {
        let reference = scope.spawn(reference);
        let current = current();
        Ok((reference.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?, current?))
    })
}

/// One side of the comparison.
enum Side<'a> {
    Table(TableFile),
    /// A table that an engine counts.
    Engine {
        table: TableFile,
        stored: StoredTable,
        engine: &'a Engine,
    },
    /// A profile, or a table in memory.
    Columns(Vec<drift::Column>),
}

/// A column of a side, as it was read.
enum ReadColumn<'a> {
    Table(ValueCounts),
    Profile(&'a drift::Column),
    /// A column that an engine could not count whole.
    Bounded(drift::Column),
}

/// The requested columns that a side has read, and the names of those it has yet to read.
struct Columns<'a> {
    read: HashMap<String, ReadColumn<'a>>,
    deferred: HashSet<String>,
}

impl<'e> Side<'e> {
    fn open(input: Input<'_>, engine: Option<&'e Engine>) -> anyhow::Result<Self> {
        let profile = input.table.file().map(read_profile).transpose()?.flatten();
        Ok(match profile {
            Some(profile) => Side::Columns(profile.into_columns()),
            None => {
                let table = input.table.open(input.csv)?;
                match engine {
                    Some(engine) => Side::Engine { stored: stored(&table, input.table)?, table, engine },
                    None => Side::Table(table),
                }
            }
        })
    }

    fn names(&self) -> Vec<String> {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.names().to_vec(),
            Side::Columns(columns) => columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    /// The columns that are not compared.
    fn left_out(&self) -> &[LeftOut] {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.left_out(),
            Side::Columns(_) => &[],
        }
    }

    /// What the rows say together, where they were seen together.
    fn row_facts(&self) -> RowFacts {
        let Side::Table(table) = self else { return RowFacts::default() };
        table.row_facts().map(row_facts).unwrap_or_default()
    }

    /// Bytes that reading all columns once reads.
    fn size_bytes(&self) -> u64 {
        match self {
            Side::Table(table) | Side::Engine { table, .. } => table.size_bytes(),
            Side::Columns(_) => 0,
        }
    }

    fn columns(&mut self, names: &[String], reading: &Reading) -> anyhow::Result<Columns<'_>> {
        match self {
            Side::Table(table) => {
                let here: HashSet<&str> = table.names().iter().map(String::as_str).collect();
                let requested: Vec<&str> =
                    names.iter().map(String::as_str).filter(|name| here.contains(name)).collect();
                if requested.is_empty() {
                    return Ok(Columns { read: HashMap::new(), deferred: HashSet::new() });
                }
                let Counted { columns, deferred } = table.count(&requested, reading)?;
                let read = columns.into_iter().map(|column| (column.name.clone(), ReadColumn::Table(column)));
                Ok(Columns { read: read.collect(), deferred: deferred.into_iter().collect() })
            }
            Side::Engine { table, stored, engine } => {
                let here: HashSet<&str> = table.names().iter().map(String::as_str).collect();
                let requested: Vec<&str> =
                    names.iter().map(String::as_str).filter(|name| here.contains(name)).collect();
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
            Side::Columns(columns) => {
                let requested: HashSet<&String> = names.iter().collect();
                let requested = columns.iter().filter(|column| requested.contains(&column.name));
                let read = requested.map(|column| (column.name.clone(), ReadColumn::Profile(column)));
                Ok(Columns { read: read.collect(), deferred: HashSet::new() })
            }
        }
    }
}

/// A column of both sides, `None` where a side lacks it.
struct Pair<'a> {
    name: String,
    reference: Option<ReadColumn<'a>>,
    current: Option<ReadColumn<'a>>,
}

/// Pairs up the columns that no side has yet to read, and names the others.
fn pairs<'a>(
    requested: &[String],
    mut reference: Columns<'a>,
    mut current: Columns<'a>,
) -> (Vec<Pair<'a>>, Vec<String>) {
    let is_deferred = |name: &&String| reference.deferred.contains(*name) || current.deferred.contains(*name);
    let deferred: Vec<String> = requested.iter().filter(is_deferred).cloned().collect();
    let ready: Vec<String> = requested.iter().filter(|name| !is_deferred(name)).cloned().collect();
    let pair = |name: String| Pair {
        reference: reference.read.remove(&name),
        current: current.read.remove(&name),
        name,
    };
    (ready.into_iter().map(pair).collect(), deferred)
}

impl Pair<'_> {
    fn compare(self, settings: &DriftSettings) -> anyhow::Result<(String, ComparedColumn)> {
        let notes = [(&self.reference, "reference"), (&self.current, "current")]
            .map(|(read, side)| read.as_ref().and_then(|read| read.unparseable(side)));
        let declared = settings.types.get(&self.name).copied();
        let (reference, current) = (column(self.reference, declared)?, column(self.current, declared)?);
        let mut compared = compare_column(reference.as_deref(), current.as_deref(), settings)?;
        notes.into_iter().flatten().for_each(|note| compared.note(note));
        Ok((self.name, compared))
    }
}

impl ReadColumn<'_> {
    /// A note on the cells of a column of numbers that are no numbers, if there are any.
    fn unparseable(&self, side: &str) -> Option<String> {
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

fn column(
    read: Option<ReadColumn<'_>>,
    declared: Option<ColumnType>,
) -> anyhow::Result<Option<Cow<'_, drift::Column>>> {
    Ok(match read {
        Some(ReadColumn::Table(column)) => Some(Cow::Owned(counted_column(column, declared)?)),
        Some(ReadColumn::Profile(column)) => Some(Cow::Borrowed(column)),
        Some(ReadColumn::Bounded(column)) => Some(Cow::Owned(column)),
        None => None,
    })
}

/// What an engine needs of a table.
pub fn stored(table: &TableFile, input: &storage::Input) -> anyhow::Result<StoredTable> {
    table.stored().with_context(|| {
        format!(
            "{} is not files of Parquet, which is what an engine reads; write the table as Parquet, or have this machine count it, without an engine",
            input.name.display()
        )
    })
}

/// The profile in a file; none when the file begins like something else.
pub fn read_profile(path: &Path) -> anyhow::Result<Option<TableProfile>> {
    let cannot_read = || format!("cannot read {}", path.display());
    // Whatever cannot be read a second time, as a pipe, is not begun here.
    if !path.metadata().with_context(cannot_read)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).with_context(cannot_read)?;
    let mut text = Vec::new();
    file.by_ref().take(64).read_to_end(&mut text).with_context(cannot_read)?;
    if !TableProfile::is_profile(&text) {
        return Ok(None);
    }
    file.take(MAX_PROFILE_BYTES).read_to_end(&mut text).with_context(cannot_read)?;
    if text.len() as u64 > MAX_PROFILE_BYTES {
        bail!("{} is larger than a profile can be ({MAX_PROFILE_BYTES} bytes)", path.display());
    }
    let text = String::from_utf8(text).with_context(|| format!("{} is not UTF-8", path.display()))?;
    let profile = TableProfile::from_json(&text).with_context(|| path.display().to_string())?;
    Ok(Some(profile))
}
