//! A table by its name on a disk: a file, a folder of parts, a glob, or a folder in Hive's layout.

use std::path::{Path, PathBuf};

use crate::count::table_file::TableFile;
use crate::pattern::{Glob, is_part_of_table, partitions};
use crate::{CsvOptions, Error};

/// A table: one file, or the parts of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTable {
    /// As it was named.
    pub name: PathBuf,
    files: Files,
    partitions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Files {
    /// As it lies on the disk: a file, or a folder of parts.
    Path(PathBuf),
    /// Files with their names.
    Parts(Vec<(String, PathBuf)>),
}

impl NamedTable {
    /// Finds what lies at a path, or what a glob matches. A path where nothing lies is told by [`NamedTable::open`].
    ///
    /// # Errors
    /// A folder that cannot be listed; a glob that no file matches.
    pub fn find(name: &Path) -> Result<Self, Error> {
        let of = |files| Ok(Self { name: name.to_path_buf(), files, partitions: Vec::new() });
        if name.is_dir() && has_partitions(name)? {
            let parts = below(name)?.into_iter().filter(|(inner, _)| is_part_of_table(inner));
            return Ok(Self::of_found(name, parts.collect()));
        }
        if name.exists() {
            return of(Files::Path(name.to_path_buf()));
        }
        let Some((text, glob)) = name.to_str().and_then(|text| Some((text, Glob::parse(text)?))) else {
            return of(Files::Path(name.to_path_buf()));
        };
        let base = match glob.base() {
            "" if text.starts_with('/') => Path::new("/"),
            "" => Path::new("."),
            base => Path::new(base),
        };
        let found: Vec<_> = below(base)?.into_iter().filter(|(inner, _)| glob.matches(inner)).collect();
        match found.is_empty() {
            true => Err(Error::NoMatch { pattern: text.to_owned() }),
            false => Ok(Self::of_found(name, found)),
        }
    }

    /// A table whose parts lie in these files; each has the name that it is known by, and its path below the table's.
    pub fn of_parts(
        name: &Path,
        parts: Vec<(String, PathBuf)>,
        inner: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut columns: Vec<String> =
            inner.into_iter().flat_map(|path| partitions(&path)).map(|(column, _)| column).collect();
        columns.sort_unstable();
        columns.dedup();
        Self { name: name.to_path_buf(), files: Files::Parts(parts), partitions: columns }
    }

    fn of_found(name: &Path, found: Vec<(String, PathBuf)>) -> Self {
        let parts = found.iter().map(|(_, path)| (path.display().to_string(), path.clone())).collect();
        Self::of_parts(name, parts, found.into_iter().map(|(inner, _)| inner))
    }

    /// The columns that Hive's layout keeps in the names of folders alone: they say where a row lies, and the files do not
    /// have them.
    pub fn partitions(&self) -> &[String] {
        &self.partitions
    }

    /// The one file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.files {
            Files::Path(path) => Some(path),
            Files::Parts(parts) => match parts.as_slice() {
                [(_, path)] => Some(path),
                _ => None,
            },
        }
    }

    /// Looks at the table.
    ///
    /// # Errors
    /// As [`TableFile::open`].
    pub fn open(&self, csv: CsvOptions) -> Result<TableFile, Error> {
        match &self.files {
            Files::Path(path) => TableFile::open_as(path, csv),
            Files::Parts(parts) => {
                TableFile::open_parts(&self.name.display().to_string(), parts.clone(), csv)
            }
        }
    }
}

/// Whether a folder has folders in Hive's layout.
fn has_partitions(folder: &Path) -> Result<bool, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let is_partition = |name: &str| name.split_once('=').is_some_and(|(column, _)| !column.is_empty());
    Ok(entries
        .flatten()
        .any(|entry| is_partition(&entry.file_name().to_string_lossy()) && entry.path().is_dir()))
}

/// Every file below a folder, by its path from there and in its order.
fn below(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                folders.push((format!("{prefix}{name}/"), path));
            } else {
                found.push((format!("{prefix}{name}"), path));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
