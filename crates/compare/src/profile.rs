//! Profiles: read from files, and made of tables.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use streamflow_dataset::{LeftOut, Reading, StoredTable, TableFile};
use streamflow_drift::TableProfile;

use crate::columns::{counted_column, drift_columns};
use crate::engine::{Engine, Summary, stored};
use crate::error::Error;
use crate::side::{Given, Input};
use crate::tables::{MEMORY_BYTES, Options, threads};

/// A column of a profile takes at most about a megabyte, so this is a table of a thousand full ones.
const MAX_PROFILE_BYTES: u64 = 1 << 30;

/// The profile in a file; none when the file begins like something else.
///
/// # Errors
/// A file that cannot be read, or begins as a profile and is none.
pub fn read_profile(path: &Path) -> Result<Option<TableProfile>, Error> {
    let cannot_read = |source| Error::Read { path: path.to_owned(), source };
    let wrong = |reason| Error::Profile { path: path.to_owned(), reason };
    // Whatever cannot be read a second time, as a pipe, is not begun here.
    if !path.metadata().map_err(cannot_read)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(cannot_read)?;
    let mut text = Vec::new();
    file.by_ref().take(64).read_to_end(&mut text).map_err(cannot_read)?;
    if !TableProfile::is_profile(&text) {
        return Ok(None);
    }
    file.take(MAX_PROFILE_BYTES).read_to_end(&mut text).map_err(cannot_read)?;
    if text.len() as u64 > MAX_PROFILE_BYTES {
        return Err(wrong(format!("it is larger than a profile can be ({MAX_PROFILE_BYTES} bytes)")));
    }
    let text = String::from_utf8(text).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    TableProfile::from_json(&text).map(Some).map_err(|error| wrong(error.to_string()))
}

/// The profile of a table, and the columns that it leaves out.
///
/// # Errors
/// A table that cannot be read; what the engine answers.
pub fn profile(given: Given<'_>, options: Options<'_>) -> Result<(TableProfile, Vec<LeftOut>), Error> {
    let input = match given {
        Given::Files(input) => input,
        Given::Profile(profile) => return Ok((profile, Vec::new())),
        Given::Table(table) => return of_table(table, options),
        Given::Frame(frame) => return Ok((TableProfile::of(&drift_columns(frame))?, Vec::new())),
    };
    match input.table.file().map(read_profile).transpose()?.flatten() {
        Some(profile) => Ok((profile, Vec::new())),
        None => of_files(input, options),
    }
}

fn of_files(
    Input { table: named, csv }: Input<'_>,
    options: Options<'_>,
) -> Result<(TableProfile, Vec<LeftOut>), Error> {
    let table = named.open(csv)?;
    if let Some(engine) = options.engine {
        let left_out = table.left_out().to_vec();
        return Ok((of_stored(&stored(&table, named)?, engine)?, left_out));
    }
    of_table(table, options)
}

/// The profile of a table that this process counts.
fn of_table(mut table: TableFile, options: Options<'_>) -> Result<(TableProfile, Vec<LeftOut>), Error> {
    let left_out = table.left_out().to_vec();
    let columns = counted(&mut table, options)?;
    let mut profile = TableProfile::default();
    for column in table.names().iter().filter_map(|name| columns.get(name)) {
        profile.add(column)?;
    }
    Ok((profile, left_out))
}

/// The columns of a table, each as its profile at once: that is small, however long the column.
fn counted(
    table: &mut TableFile,
    options: Options<'_>,
) -> Result<HashMap<String, streamflow_drift::Column>, Error> {
    let mut columns = HashMap::new();
    let mut pending = table.names().to_vec();
    while !pending.is_empty() {
        options.expect(table.size_bytes());
        let names: Vec<&str> = pending.iter().map(String::as_str).collect();
        let progress = |bytes| options.done(bytes);
        let reading = Reading {
            memory_bytes: MEMORY_BYTES,
            threads: threads(),
            whole_rows: false,
            progress: &progress,
        };
        let counted = table.count(&names, &reading)?;
        for column in counted.columns {
            let column = TableProfile::of(&[counted_column(column, None)?])?.into_columns();
            columns.extend(column.into_iter().map(|column| (column.name.clone(), column)));
        }
        pending = counted.deferred;
    }
    Ok(columns)
}

/// The profile of a table that an engine counts.
fn of_stored(table: &StoredTable, engine: &dyn Engine) -> Result<TableProfile, Error> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut profile = TableProfile::default();
    for summary in engine.summarise(table, &names, &|| {})? {
        let column = match summary {
            Summary::Counted(column) => counted_column(column, None)?,
            Summary::Bounded(column) => column,
        };
        profile.add(&column)?;
    }
    Ok(profile)
}
