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

/// What follows the name of a table in the names of its files.
const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".csv.zst", ".parquet"];

/// Looks for the file of every table.
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
    for table in spec.in_order() {
        let files: Vec<String> = ENDINGS
            .iter()
            .map(|ending| format!("{table}{ending}"))
            .filter(|name| names.contains(name))
            .collect();
        used.extend(files.iter().cloned());
        let kind = match files.as_slice() {
            [file] => {
                found.files.push(DropFile { table: table.to_owned(), path: directory.join(file) });
                continue;
            }
            [] => missing(table, &names, spec),
            _ => ProblemKind::TwoFiles { files },
        };
        let (file, table) = (format!("{table}.csv"), Some(table.to_owned()));
        found.problems.push(Problem { file, table, position: None, entity: None, column: None, kind });
    }
    found.ignored = names.into_iter().filter(|name| !used.contains(name) && !name.starts_with('.')).collect();
    Ok(found)
}

/// A table without a file, with what was probably meant.
fn missing(table: &str, names: &BTreeSet<String>, spec: &DatasetSpec) -> ProblemKind {
    let own = names.iter().find(|name| name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')));
    if let Some(found) = own {
        let [first, second, third, last] = ENDINGS.map(|ending| format!("{table}{ending}"));
        let expected = format!("{first}, {second}, {third} or {last}");
        return ProblemKind::OtherFormat { found: found.clone(), expected };
    }
    let candidates = names.iter().filter(|name| !is_file_of_a_table(name, spec));
    let nearest = nearest(&format!("{table}.csv"), candidates.map(String::as_str));
    ProblemKind::MissingFile { nearest }
}

fn is_file_of_a_table(name: &str, spec: &DatasetSpec) -> bool {
    name.split_once('.').is_some_and(|(table, _)| spec.tables.contains_key(table))
}
