//! A data directory is copied to where none is: into the working copy of a bucket, and out of it again.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::digest;
use super::manifest::DATA;
use super::stage::{Origin, Stage};
use crate::config::Config;
use crate::files::{link_or_copy, sync};

/// Copies a data directory that others may be using, whole or not at all; every file that the ledger or an artefact knows
/// is held against its checksum on the way.
///
/// # Errors
/// A place that is taken; a directory that is none or is damaged.
pub async fn copy_data(config: &Config, from: &Path, to: &Path) -> anyhow::Result<()> {
    let is_taken = fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || to.is_file() {
        bail!(
            "{} is there already and is not written over; remove it, or leave the copy out where it is the one that is meant",
            to.display()
        );
    }
    let origin =
        Origin { config: config.clone(), data_dir: from.to_owned(), report_dir: config.report_dir(None) };
    let stage = Stage::gather(&origin).await?;
    let to = to.to_owned();
    tokio::task::spawn_blocking(move || copy_stage(&stage, &to)).await?
}

fn copy_stage(stage: &Stage, to: &Path) -> anyhow::Result<()> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let aside = parent.join(format!(".{name}.copying-{}", std::process::id()));
    let copied = (|| {
        let prefix = format!("{DATA}/");
        for (path, file) in &stage.files {
            let Some(inner) = path.strip_prefix(&prefix) else { continue };
            if let Some(expected) = stage.expected.get(path)
                && digest::of_file(file)?.sha256 != *expected
            {
                bail!(
                    "{} is not what was written (SHA-256): `streamflow data verify` says more",
                    file.display()
                );
            }
            let place = aside.join(inner);
            link_or_copy(file, &place)?;
            sync(&place)?;
        }
        // An empty folder that stands there makes place.
        let _ = fs::remove_dir(to);
        fs::rename(&aside, to).with_context(|| format!("cannot move the copy to {}", to.display()))?;
        sync(parent)
    })();
    if copied.is_err() {
        // The first error is the one to tell; what is left has a name that nobody reads.
        let _ = fs::remove_dir_all(&aside);
    }
    copied
}
