//! What a command is told to read: a path, a glob, a folder in Hive's layout, or any of these in a bucket.

use std::path::Path;

use anyhow::bail;
use streamflow_bucket::{Cache, Cached, Location, Object, is_url};
use streamflow_dataset::{Glob, NamedTable, is_part_of_table};

use super::open_bucket;
use crate::config::StorageConfig;
use crate::terminal::{Terminal, stderr};

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
    pub async fn find(&self, name: &Path) -> anyhow::Result<NamedTable> {
        let table = match name.to_str() {
            Some(url) if url.starts_with("file:///") => {
                let mut found = NamedTable::find(Path::new(&url["file://".len()..]))?;
                found.name = name.to_path_buf();
                found
            }
            Some(url) if is_url(url) => self.fetched(url).await?,
            _ => NamedTable::find(name)?,
        };
        if !table.partitions().is_empty() {
            let columns = table.partitions().join(", ");
            let name = name.display();
            stderr(&format!(
                "{name} is partitioned by {columns}, which says where a row lies and is not compared"
            ));
        }
        Ok(table)
    }

    async fn fetched(&self, url: &str) -> anyhow::Result<NamedTable> {
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
        let total = objects.iter().map(|object| object.size_bytes).sum();
        let bar = self.terminal.progress(total, "fetching");
        let cache = Cache::new(self.config.cache_dir().join("tables"), self.config.cache_max_bytes.get());
        let cached = cache.files(&bucket, &objects, &|bytes| bar.inc(bytes)).await?;
        bar.finish_and_clear();
        let parts = cached.into_iter().map(|Cached { shown, file }| (shown, file)).collect();
        Ok(NamedTable::of_parts(Path::new(url), parts, objects.iter().filter_map(inner)))
    }
}
