//! What a command is told to read: a path, a glob, a folder in Hive's layout, or any of these in a bucket.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_bucket::{Cache, Cached, Glob, Location, Object, is_url, partitions};
use streamflow_dataset::{CsvOptions, TableFile};

use super::open_bucket;
use crate::config::StorageConfig;
use crate::files::below;
use crate::terminal::{Terminal, stderr};

/// A table: one file, or the parts of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As it was named.
    pub name: PathBuf,
    files: Files,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Files {
    /// As it lies on the disk: a file, or a folder of parts.
    Path(PathBuf),
    /// Files with their names.
    Parts(Vec<(String, PathBuf)>),
}

impl Input {
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
    pub fn open(&self, csv: CsvOptions) -> Result<TableFile, streamflow_dataset::Error> {
        match &self.files {
            Files::Path(path) => TableFile::open_as(path, csv),
            Files::Parts(parts) => {
                TableFile::open_parts(&self.name.display().to_string(), parts.clone(), csv)
            }
        }
    }
}

/// Finds tables, and fetches those that lie in buckets.
pub struct Inputs<'a> {
    pub config: StorageConfig,
    pub terminal: &'a Terminal,
}

impl Inputs<'_> {
    /// The table of a name.
    ///
    /// # Errors
    /// What the store refuses; a name that leads to no file.
    pub async fn find(&self, name: &Path) -> anyhow::Result<Input> {
        let files = match name.to_str() {
            Some(url) if url.starts_with("file:///") => local(Path::new(&url["file://".len()..]))?,
            Some(url) if is_url(url) => self.fetched(url).await?,
            _ => local(name)?,
        };
        Ok(Input { name: name.to_path_buf(), files })
    }

    async fn fetched(&self, url: &str) -> anyhow::Result<Files> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        let location = Location::parse(&format!("{scheme}://{bucket}"))?;
        let bucket = open_bucket(&location, &self.config)?;
        let (glob, path) = (Glob::parse(path), path.trim_end_matches('/'));
        let base = glob.as_ref().map_or(path, Glob::base);
        let inner = |object: &Object| -> Option<String> {
            let below = if base.is_empty() {
                Some(object.path.as_str())
            } else {
                object.path.strip_prefix(base)?.strip_prefix('/')
            };
            below.map(str::to_owned)
        };
        let is_part = |object: &Object| {
            let is_meant = |inner: String| match &glob {
                Some(glob) => glob.matches(&inner),
                None => is_part_of_table(&inner),
            };
            object.size_bytes > 0 && inner(object).is_some_and(is_meant)
        };
        let whole = if glob.is_none() && !path.is_empty() { bucket.head(path).await? } else { None };
        let objects: Vec<Object> = match whole {
            Some(object) => vec![object],
            None => bucket.list(base).await?.into_iter().filter(is_part).collect(),
        };
        if objects.is_empty() {
            bail!(
                "{url} leads to no object with anything in it; see what lies there with the store's own tools"
            );
        }
        tell_partitions(url, objects.iter().filter_map(inner));
        let total = objects.iter().map(|object| object.size_bytes).sum();
        let bar = self.terminal.progress(total, "fetching");
        let cache = Cache::new(self.config.cache_dir().join("tables"), self.config.cache_max_bytes.get());
        let cached = cache.files(&bucket, &objects, &|bytes| bar.inc(bytes)).await?;
        bar.finish_and_clear();
        Ok(Files::Parts(cached.into_iter().map(|Cached { shown, file }| (shown, file)).collect()))
    }
}

/// Files of the writer's notes, such as `_SUCCESS`, are no parts.
fn is_part_of_table(path: &str) -> bool {
    !path.split('/').any(|part| part.starts_with(['.', '_']))
}

/// What Hive's layout keeps in the names of folders alone is no column of the files.
fn tell_partitions(name: &str, paths: impl Iterator<Item = String>) {
    let mut columns: Vec<String> =
        paths.flat_map(|path| partitions(&path)).map(|(column, _)| column).collect();
    columns.sort_unstable();
    columns.dedup();
    if !columns.is_empty() {
        let columns = columns.join(", ");
        stderr(&format!(
            "{name} is partitioned by {columns}, which says where a row lies and is not compared"
        ));
    }
}

fn local(path: &Path) -> anyhow::Result<Files> {
    if path.exists() {
        return if path.is_dir() { folder(path) } else { Ok(Files::Path(path.to_path_buf())) };
    }
    let Some((text, glob)) = path.to_str().and_then(|text| Some((text, Glob::parse(text)?))) else {
        return Ok(Files::Path(path.to_path_buf()));
    };
    let base = match glob.base() {
        "" if text.starts_with('/') => Path::new("/"),
        "" => Path::new("."),
        base => Path::new(base),
    };
    let matches: Vec<(String, PathBuf)> = below(base)
        .with_context(|| format!("cannot look for {text}"))?
        .into_iter()
        .filter(|(inner, _)| glob.matches(inner))
        .collect();
    if matches.is_empty() {
        bail!("no file matches {text}; quote a pattern so that the shell leaves it alone");
    }
    tell_partitions(text, matches.iter().map(|(inner, _)| inner.clone()));
    Ok(Files::Parts(matches.into_iter().map(|(_, path)| (path.display().to_string(), path)).collect()))
}

/// A folder of parts, or one whose folders are partitions.
fn folder(path: &Path) -> anyhow::Result<Files> {
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let is_partition = entries.flatten().any(|entry| {
        entry.file_name().to_string_lossy().split_once('=').is_some_and(|(column, _)| !column.is_empty())
            && entry.path().is_dir()
    });
    if !is_partition {
        return Ok(Files::Path(path.to_path_buf()));
    }
    let parts: Vec<(String, PathBuf)> =
        below(path)?.into_iter().filter(|(inner, _)| is_part_of_table(inner)).collect();
    tell_partitions(&path.display().to_string(), parts.iter().map(|(inner, _)| inner.clone()));
    Ok(Files::Parts(parts.into_iter().map(|(_, path)| (path.display().to_string(), path)).collect()))
}
