//! Which records of the bucket the working copy has, by their ETags: what did not change is not read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use crate::files::write_aside;

/// Its name in the working copy.
const FILE: &str = ".bucket.json";

#[derive(Debug)]
pub(super) struct Seen {
    file: PathBuf,
    e_tags: Mutex<BTreeMap<String, String>>,
}

impl Seen {
    /// What is noted in a working copy; one that cannot be read says nothing, and everything is read again.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the working copy {}", folder.display()))?;
        let file = folder.join(FILE);
        let noted = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self { file, e_tags: Mutex::new(noted.unwrap_or_default()) })
    }

    /// Whether the working copy has the record with this ETag.
    pub fn has(&self, key: &str, e_tag: Option<&str>) -> bool {
        let e_tags = self.e_tags.lock().unwrap_or_else(PoisonError::into_inner);
        e_tag.is_some() && e_tags.get(key).map(String::as_str) == e_tag
    }

    /// Notes what the working copy has. A note that cannot be written is made again with the next pull.
    pub fn note(&self, key: &str, e_tag: &str) {
        let mut e_tags = self.e_tags.lock().unwrap_or_else(PoisonError::into_inner);
        e_tags.insert(key.to_owned(), e_tag.to_owned());
        let bytes = serde_json::to_vec_pretty(&*e_tags).expect("texts are JSON");
        if let Err(error) = write_aside(&self.file, &bytes) {
            tracing::warn!("cannot write {}: {error}", self.file.display());
        }
    }

    /// Notes that the working copy has it no longer.
    pub fn forget(&self, key: &str) {
        self.e_tags.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Keys below a prefix that the working copy once had.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let e_tags = self.e_tags.lock().unwrap_or_else(PoisonError::into_inner);
        e_tags.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }
}
