//! The ledger: one small JSON manifest for each ingested date, beside the data.
//!
//! A manifest is the commit point of an ingest: a date is ingested exactly when its manifest is there,
//! and a reader reads only files that a manifest names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::column_type::ColumnType;
use crate::entity_key::EntityKey;
use crate::error::Error;
use crate::period::Period;
use crate::snapshot::spec::TableSpec;

/// The name of the ledger's directory; engines that read Hive layouts skip names that start with `_`.
pub(crate) const LEDGER: &str = "_ledger";

/// The format of the manifests that are written. Format 1 has neither the field itself, nor `entity`,
/// nor the `sha256` of a table.
pub(crate) const FORMAT: u32 = 2;

/// One ingested date: the manifest in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version of the manifest's format.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The date that the drop describes.
    pub as_of: Period,
    /// What names an entity in every table; not recorded in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityKey>,
    /// 1 at first, one more with each replacement.
    pub revision: u64,
    /// The validation result, relative to the directory of the snapshots.
    pub validation: String,
    /// The tables.
    pub tables: BTreeMap<String, SnapshotTable>,
}

/// One table of an ingested date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotTable {
    /// The name of the file that it was read from.
    pub source: String,
    /// The SHA-256 of that file, in hexadecimal digits.
    pub source_sha256: String,
    /// The size of that file.
    pub source_size_bytes: u64,
    /// The number of rows.
    pub rows: u64,
    /// Rows of the drop that are not in it, because their entities were to be forgotten: it was rewritten without them, or
    /// ingested without.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten_rows: u64,
    /// The Parquet file, relative to the directory of the snapshots.
    pub path: String,
    /// The size of the Parquet file.
    pub size_bytes: u64,
    /// The SHA-256 of the Parquet file, in hexadecimal digits; not recorded in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The columns and their types.
    pub columns: BTreeMap<String, ColumnType>,
}

impl Snapshot {
    /// Rows of all tables that were left out because their entities were to be forgotten.
    pub fn forgotten_rows(&self) -> u64 {
        self.tables.values().fold(0, |rows, table| rows.saturating_add(table.forgotten_rows))
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().fold(0, |rows, table| rows.saturating_add(table.rows))
    }

    /// The columns of a table as a manifest records them.
    pub(crate) fn columns(spec: &TableSpec) -> BTreeMap<String, ColumnType> {
        spec.columns.iter().map(|(name, column)| (name.clone(), column.last().column_type)).collect()
    }

    /// The Parquet file of a table, relative to the directory of the snapshots.
    pub(crate) fn table_path(table: &str, as_of: Period) -> String {
        format!("{table}/{}/part-0.parquet", folder(as_of))
    }

    /// The validation result, relative to the directory of the snapshots.
    pub(crate) fn validation_path(as_of: Period) -> String {
        format!("{LEDGER}/{}.validation.json", folder(as_of))
    }
}

/// What every format of a manifest has.
#[derive(Deserialize)]
struct Versioned {
    #[serde(default = "first_format")]
    format: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn first_format() -> u32 {
    1
}

/// The folder of a date, and how the names of its files in the ledger begin.
pub(crate) fn folder(as_of: Period) -> String {
    format!("as_of={}", as_of.file_name())
}

/// The manifest of a date, whether it exists or not.
pub(crate) fn manifest_path(snapshots: &Path, as_of: Period) -> PathBuf {
    snapshots.join(LEDGER).join(format!("{}.json", folder(as_of)))
}

/// The manifest of a date; `None` when the date is not ingested.
pub(crate) fn read(snapshots: &Path, as_of: Period) -> Result<Option<Snapshot>, Error> {
    let path = manifest_path(snapshots, as_of);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let damaged = |reason: String| Error::Ledger { path: path.clone(), reason };
    // A later format may lack what this one needs, so its number is read first.
    let Versioned { format } = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if format > FORMAT {
        return Err(Error::NewerLedger { path, format, newest: FORMAT });
    }
    let snapshot: Snapshot = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if snapshot.as_of != as_of {
        return Err(damaged(format!("it speaks of {}", snapshot.as_of)));
    }
    Ok(Some(snapshot))
}

/// All manifests, ascending by date.
pub(crate) fn read_all(snapshots: &Path) -> Result<BTreeMap<Period, Snapshot>, Error> {
    read_each(snapshots)?.into_iter().map(|(as_of, read)| Ok((as_of, read?))).collect()
}

/// The same, with what is wrong where a manifest cannot be read.
pub(crate) fn read_each(snapshots: &Path) -> Result<BTreeMap<Period, Result<Snapshot, Error>>, Error> {
    let directory = snapshots.join(LEDGER);
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(&directory).map_err(Error::io("list", &directory))? {
        let name = entry.map_err(Error::io("list", &directory))?.file_name();
        let date = name.to_str().and_then(|name| name.strip_prefix("as_of=")?.strip_suffix(".json"));
        let Some(as_of) = date.and_then(Period::from_file_name) else { continue };
        if let Some(read) = read(snapshots, as_of).transpose() {
            all.insert(as_of, read);
        }
    }
    Ok(all)
}
