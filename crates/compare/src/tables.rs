//! Two tables of any size: as many columns at a time as a bounded memory holds.
//!
//! Both sides are read at the same time, in one pass as long as the different values of all columns fit. Columns that
//! do not fit are left for another pass. What is in memory is compared on all processors and let go.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroUsize;

use rayon::prelude::*;
use streamflow_dataset::Reading;
use streamflow_drift::{ComparedColumn, Comparison, DriftSettings, Report, RuleSet, compare_column};

use crate::engine::Engine;
use crate::error::Error;
use crate::names::Names;
use crate::side::{Columns, Given, ReadColumn, Side, column};

/// Memory for the values of both sides. Sorting and comparing takes up to three times as much beside it.
pub const MEMORY_BYTES: u64 = 256 << 20;

/// Who is told how far the reading is.
pub trait Progress: fmt::Debug + Sync {
    /// So many bytes more will be read.
    fn expect(&self, bytes: u64);
    /// So many bytes were read.
    fn done(&self, bytes: u64);
}

/// How two tables are compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Whether rows are looked at as a whole, for those that repeat.
    pub whole_rows: bool,
    /// Who counts the tables, if not this process.
    pub engine: Option<&'a dyn Engine>,
    /// Who is told how far it is.
    pub progress: Option<&'a dyn Progress>,
}

impl Options<'_> {
    pub(crate) fn expect(&self, bytes: u64) {
        if let Some(progress) = self.progress {
            progress.expect(bytes);
        }
    }

    pub(crate) fn done(&self, bytes: u64) {
        if let Some(progress) = self.progress {
            progress.done(bytes);
        }
    }
}

/// Number of processors.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// A report without what a history does not keep: drawings, values and notes.
pub fn essentials(mut report: Report) -> Report {
    for column in &mut report.columns {
        (column.reference, column.current, column.distribution) = (None, None, None);
        column.notes.clear();
    }
    report
}

/// Compares a reference with a current table. `complete` gets the names of all columns before any is read, to check and
/// complete the settings: wrong ones are refused before an hour of reading.
///
/// # Errors
/// What `complete` refuses; a table that cannot be read; as [`Comparison`].
pub fn compare<E: From<Error>>(
    [reference, current]: [Given<'_>; 2],
    mut settings: DriftSettings,
    options: Options<'_>,
    complete: impl FnOnce(&mut DriftSettings, &Names<'_>) -> Result<(), E>,
) -> Result<Report, E> {
    let sides = [Side::open(reference, &options)?, Side::open(current, &options)?];
    let mut names = sides[0].names();
    let known: HashSet<String> = names.iter().cloned().collect();
    names.extend(sides[1].names().into_iter().filter(|name| !known.contains(name)));
    let left_out = sides.iter().flat_map(Side::left_out).filter(|column| !names.contains(&column.name));
    let left_out = left_out.collect();
    complete(&mut settings, &Names { compared: &names, left_out })?;
    Ok(compare_sides(sides, names, &settings, options)?)
}

fn compare_sides(
    [mut reference, mut current]: [Side<'_>; 2],
    mut names: Vec<String>,
    settings: &DriftSettings,
    options: Options<'_>,
) -> Result<Report, Error> {
    let mut comparison = Comparison::new(settings.clone());
    for (name, reason) in unknown_to_evidently(settings, [&reference, &current]) {
        names.retain(|other| *other != name);
        comparison.leave_out(&name, &reason);
    }
    let mut compared: HashMap<String, ComparedColumn> = HashMap::with_capacity(names.len());
    let mut pending = names.clone();
    while !pending.is_empty() {
        options.expect(reference.size_bytes() + current.size_bytes());
        let progress = |bytes| options.done(bytes);
        let reading = Reading {
            memory_bytes: MEMORY_BYTES / 2,
            threads: (threads() / 2).max(1),
            whole_rows: options.whole_rows,
            progress: &progress,
        };
        let (from_reference, from_current) =
            both(|| reference.columns(&pending, &reading), || current.columns(&pending, &reading))?;
        let (pairs, deferred) = pairs(&pending, from_reference, from_current);
        let results: Vec<_> = pairs.into_par_iter().map(|pair| pair.compare(settings)).collect();
        for result in results {
            let (name, column) = result?;
            compared.insert(name, column);
        }
        pending = deferred;
    }
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
        Side::Table(_) | Side::Engine { .. } | Side::Columns(..) => Vec::new(),
    };
    let reason = |found: String| format!("numbers of the type {found} are left out, as Evidently does");
    sides.into_iter().flat_map(unusual).map(|(name, found)| (name, reason(found))).collect()
}

/// Does the work of both sides at the same time.
fn both<T: Send>(
    reference: impl FnOnce() -> Result<T, Error> + Send,
    current: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, T), Error> {
    std::thread::scope(|scope| {
        let reference = scope.spawn(reference);
        let current = current();
        Ok((reference.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?, current?))
    })
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
    fn compare(self, settings: &DriftSettings) -> Result<(String, ComparedColumn), Error> {
        let notes = [(&self.reference, "reference"), (&self.current, "current")]
            .map(|(read, side)| read.as_ref().and_then(|read| read.unparseable(side)));
        let declared = settings.types.get(&self.name).copied();
        let (reference, current) = (column(self.reference, declared)?, column(self.current, declared)?);
        let mut compared = compare_column(reference.as_deref(), current.as_deref(), settings)?;
        notes.into_iter().flatten().for_each(|note| compared.note(note));
        Ok((self.name, compared))
    }
}
