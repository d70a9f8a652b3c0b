//! The drift of two files of any size: as many columns at a time as a bounded memory holds.
//!
//! Both sides are read at the same time, in one pass as long as the different values of all columns fit. Columns that
//! do not fit are left for another pass. What is in memory is compared on all processors and let go.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, bail};
use rayon::prelude::*;
use streamflow_dataset::{Counted, Reading, TableFile, ValueCounts};
use streamflow_drift::{
    self as drift, ComparedColumn, Comparison, DriftSettings, Report, TableProfile, compare_column,
};

use crate::columns::counted_column;
use crate::terminal::Terminal;

/// For the values of both sides. Sorting and comparing takes up to three times as much beside it.
pub const MEMORY_BYTES: u64 = 256 << 20;
/// A column of a profile takes at most about a megabyte, so this is a table of a thousand full ones.
const MAX_PROFILE_BYTES: u64 = 1 << 30;

/// Processors.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Compares two files, each a table or a profile. `check` is told the names of all columns before any is read.
pub fn compare(
    reference: &Path,
    current: &Path,
    settings: DriftSettings,
    check: impl FnOnce(&DriftSettings, &[String]) -> anyhow::Result<()>,
    terminal: &Terminal,
) -> anyhow::Result<Report> {
    let (mut reference, mut current) = (Side::open(reference)?, Side::open(current)?);
    let mut names = reference.names();
    let known: HashSet<String> = names.iter().cloned().collect();
    names.extend(current.names().into_iter().filter(|name| !known.contains(name)));
    check(&settings, &names)?;
    // Wrong settings are told before an hour of reading.
    let mut comparison = Comparison::new(settings.clone());

    let bar = terminal.progress(reference.size_bytes() + current.size_bytes(), "reading and comparing");
    let mut compared: HashMap<String, ComparedColumn> = HashMap::with_capacity(names.len());
    let mut asked = names.clone();
    while !asked.is_empty() {
        let progress = |bytes| bar.inc(bytes);
        let reading =
            Reading { memory_bytes: MEMORY_BYTES / 2, threads: (threads() / 2).max(1), progress: &progress };
        let (of_reference, of_current) =
            both(|| reference.columns(&asked, &reading), || current.columns(&asked, &reading))?;
        let (pairs, deferred) = pairs(&asked, of_reference, of_current);
        let results: Vec<_> = pairs.into_par_iter().map(|pair| pair.compare(&settings)).collect();
        for result in results {
            let (name, column) = result?;
            compared.insert(name, column);
        }
        bar.inc_length(if deferred.is_empty() { 0 } else { reference.size_bytes() + current.size_bytes() });
        asked = deferred;
    }
    bar.finish_and_clear();
    for name in &names {
        if let Some(column) = compared.remove(name) {
            comparison.add(column)?;
        }
    }
    Ok(comparison.finish())
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
enum Side {
    Table(TableFile),
    Profile(Vec<drift::Column>),
}

/// A column of a side, as it was read.
enum Found {
    Table(ValueCounts),
    Profile(drift::Column),
}

/// What a side has of the columns asked for, and what it has yet to read.
struct Columns {
    found: HashMap<String, Found>,
    deferred: HashSet<String>,
}

impl Side {
    fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(match read_profile(path)? {
            Some(profile) => Side::Profile(profile.into_columns()),
            None => Side::Table(TableFile::open(path)?),
        })
    }

    fn names(&self) -> Vec<String> {
        match self {
            Side::Table(table) => table.names().to_vec(),
            Side::Profile(columns) => columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    /// What reading all columns once reads.
    fn size_bytes(&self) -> u64 {
        match self {
            Side::Table(table) => table.size_bytes(),
            Side::Profile(_) => 0,
        }
    }

    fn columns(&mut self, names: &[String], reading: &Reading) -> anyhow::Result<Columns> {
        match self {
            Side::Table(table) => {
                let here: HashSet<&str> = table.names().iter().map(String::as_str).collect();
                let asked: Vec<&str> =
                    names.iter().map(String::as_str).filter(|name| here.contains(name)).collect();
                if asked.is_empty() {
                    return Ok(Columns { found: HashMap::new(), deferred: HashSet::new() });
                }
                let Counted { columns, deferred } = table.count(&asked, reading)?;
                let found = columns.into_iter().map(|column| (column.name.clone(), Found::Table(column)));
                Ok(Columns { found: found.collect(), deferred: deferred.into_iter().collect() })
            }
            Side::Profile(columns) => {
                let asked: HashSet<&String> = names.iter().collect();
                let found = columns.iter().filter(|column| asked.contains(&column.name));
                let found = found.map(|column| (column.name.clone(), Found::Profile(column.clone())));
                Ok(Columns { found: found.collect(), deferred: HashSet::new() })
            }
        }
    }
}

/// A column of both sides, `None` where a side lacks it.
struct Pair {
    name: String,
    reference: Option<Found>,
    current: Option<Found>,
}

/// Pairs up the columns that no side has yet to read, and names the others.
fn pairs(asked: &[String], mut reference: Columns, mut current: Columns) -> (Vec<Pair>, Vec<String>) {
    let is_deferred = |name: &&String| reference.deferred.contains(*name) || current.deferred.contains(*name);
    let deferred: Vec<String> = asked.iter().filter(is_deferred).cloned().collect();
    let ready: Vec<String> = asked.iter().filter(|name| !is_deferred(name)).cloned().collect();
    let pair = |name: String| Pair {
        reference: reference.found.remove(&name),
        current: current.found.remove(&name),
        name,
    };
    (ready.into_iter().map(pair).collect(), deferred)
}

impl Pair {
    fn compare(self, settings: &DriftSettings) -> anyhow::Result<(String, ComparedColumn)> {
        let column = |found: Option<Found>| match found {
            Some(Found::Table(column)) => counted_column(column).map(Some),
            Some(Found::Profile(column)) => Ok(Some(column)),
            None => Ok(None),
        };
        let (reference, current) = (column(self.reference)?, column(self.current)?);
        Ok((self.name, compare_column(reference.as_ref(), current.as_ref(), settings)?))
    }
}

/// The profile in a file; none when the file begins like something else.
pub fn read_profile(path: &Path) -> anyhow::Result<Option<TableProfile>> {
    let cannot_read = || format!("cannot read {}", path.display());
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
