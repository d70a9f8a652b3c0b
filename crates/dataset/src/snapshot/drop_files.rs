//! Which files of a drop hold which tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::problem::{Problem, ProblemKind, nearest};
use crate::snapshot::spec::DatasetSpec;

/// The file of a table.
#[derive(Debug)]
pub(crate) struct DropFile {
    pub(crate) table: String,
    pub(crate) path: PathBuf,
}

/// The files of a drop.
#[derive(Debug, Default)]
pub(crate) struct DropFiles {
    /// The entity table first, then by name.
    pub(crate) files: Vec<DropFile>,
    pub(crate) problems: Vec<Problem>,
    /// Files that belong to no table.
    pub(crate) ignored: Vec<String>,
}

/// Looks for `TABLE.csv` or `TABLE.parquet` of every table.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be listed.
pub(crate) fn find(directory: &Path, spec: &DatasetSpec) -> Result<DropFiles, Error> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(Error::io("list the drop", directory))? {
        let entry = entry.map_err(Error::io("list the drop", directory))?;
        names.insert(entry.file_name().to_string_lossy().into_owned());
    }
    let mut found = DropFiles::default();
    let mut used = BTreeSet::new();
    let others = spec.tables.keys().filter(|table| **table != spec.entity_table);
    for table in std::iter::once(&spec.entity_table).chain(others) {
        let (csv, parquet) = (format!("{table}.csv"), format!("{table}.parquet"));
        let name = match (names.contains(&csv), names.contains(&parquet)) {
            (true, false) => csv,
            (false, true) => parquet,
            (both, _) => {
                let candidates = names.iter().filter(|name| !is_file_of_a_table(name, spec));
                let nearest = nearest(&csv, candidates.map(String::as_str));
                let kind = if both { ProblemKind::TwoFiles } else { ProblemKind::MissingFile { nearest } };
                let table = Some(table.clone());
                used.extend([csv.clone(), parquet]);
                found.problems.push(Problem { file: csv, table, position: None, column: None, kind });
                continue;
            }
        };
        found.files.push(DropFile { table: table.clone(), path: directory.join(&name) });
        used.insert(name);
    }
    found.ignored = names.into_iter().filter(|name| !used.contains(name) && !name.starts_with('.')).collect();
    Ok(found)
}

fn is_file_of_a_table(name: &str, spec: &DatasetSpec) -> bool {
    name.rsplit_once('.').is_some_and(|(table, _)| spec.tables.contains_key(table))
}
