//! Objects that were fetched are kept on the disk, within a bound, and are not fetched again while they are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bucket::{Bucket, Object};
use crate::digest::sha256_of_text;
use crate::error::Error;

/// A folder of fetched objects.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
}

/// An object on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// As people write the object.
    pub shown: String,
    /// The file.
    pub file: PathBuf,
}

impl Cache {
    /// A cache in a folder, which is made when it is first needed.
    pub fn new(folder: PathBuf, max_bytes: u64) -> Self {
        Self { folder, max_bytes }
    }

    /// Gives the objects as files, fetching those that are not there as they are now; older ones are deleted until the
    /// others fit. What is asked for is kept whatever its size.
    ///
    /// # Errors
    /// What the store or the disk refuses.
    pub async fn files(
        &self,
        bucket: &Bucket,
        objects: &[Object],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Cached>, Error> {
        let mut files = Vec::with_capacity(objects.len());
        for object in objects {
            let shown = bucket.location().shown(&object.path);
            let file = self.folder.join(name_of(bucket, object));
            let known = fs::metadata(&file).is_ok_and(|found| found.len() == object.size_bytes);
            if known && object.e_tag.is_some() {
                touch(&file);
                progress(object.size_bytes);
            } else {
                bucket.download(&object.path, object.e_tag.as_deref(), &file, progress).await?;
            }
            files.push(Cached { shown, file });
        }
        self.shrink(&files);
        Ok(files)
    }

    /// Deletes what was used longest ago until the rest fits, but nothing that is kept. What cannot be deleted stays.
    fn shrink(&self, kept: &[Cached]) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), entry.path()));
        }
        found.sort_unstable();
        let mut total: u64 = found.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in found {
            if total <= self.max_bytes {
                return;
            }
            if !kept.iter().any(|cached| cached.file == path) && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }
}

/// The name of an object's file: what it is and which one, and its own name for its ending.
fn name_of(bucket: &Bucket, object: &Object) -> String {
    let url = bucket.location().shown(&object.path);
    let e_tag = object.e_tag.as_deref().unwrap_or("");
    let digest = sha256_of_text(&format!("{}\n{url}\n{e_tag}", bucket.endpoint()));
    let name: String = Path::new(&object.path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    format!("{}-{}", &digest[..24], &name[name.len().saturating_sub(80)..])
}

fn touch(file: &Path) {
    // A file that cannot be touched is deleted earlier than it should be, and fetched again.
    let _ = fs::File::options().append(true).open(file).and_then(|file| file.set_modified(SystemTime::now()));
}
