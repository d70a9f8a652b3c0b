//! What a backup is made of: a set of files that fit together, put beside the data while others read and write it.
//!
//! Nothing is held up: the database is copied as it is at one moment, files that never change in their place are linked,
//! and the samples are copied as a crash would have left them. The database comes first, so that every model and every
//! report that it names is among the files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_dataset::Error;

use super::lock::Upkeep;
use super::manifest::{CONFIG, DATA, REPORTS};
use crate::config::Config;
use crate::drift::{ReportFolder, Rules};
use crate::files::{below, link_or_copy};
use crate::predictions::{self, Window};
use crate::registry::{SUMS, missing, sums};
use crate::store::inspect::is_there;
use crate::store::{self, DATABASE, copy::Copied};
use crate::workspace::snapshots;

/// Where the set is put, in the data directory: on its file system, for the links.
const STAGE: &str = ".backup";
/// Folders of the data directory.
const SNAPSHOTS: &str = "snapshots";
const MODELS: &str = "models";
const METRICS: &str = "metrics";
/// Where remote write keeps how far it has sent, in the folder of the metrics.
const SENT: &str = "remote_write";

/// What is backed up.
#[derive(Debug, Clone)]
pub struct Origin {
    pub config: Config,
    pub data_dir: PathBuf,
    pub report_dir: PathBuf,
}

/// The set; its folder is removed with the value.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    /// The files, by their path in the backup.
    pub files: BTreeMap<String, PathBuf>,
    /// What the ledger and the models say of their files: the SHA-256 by path in the backup.
    pub expected: BTreeMap<String, String>,
    /// The version of the database.
    pub database: i64,
    /// Reports that runs name, where none at all is there.
    pub lost_reports: Vec<String>,
    /// One set at a time.
    _lock: Upkeep,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left is removed by the next backup.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Stage {
    /// Gathers the files of a data directory that others may be using.
    pub async fn gather(origin: &Origin) -> anyhow::Result<Self> {
        let data_dir = &origin.data_dir;
        if !is_there(&origin.config.store, data_dir) {
            bail!(
                "{} holds nothing to back up: it has no {DATABASE}; is --data-dir right?",
                data_dir.display()
            );
        }
        let lock = Upkeep::begin(data_dir)?;
        let dir = data_dir.join(STAGE);
        clear(&dir)?;
        let mut stage = Self {
            dir,
            files: BTreeMap::new(),
            expected: BTreeMap::new(),
            database: 0,
            lost_reports: Vec::new(),
            _lock: lock,
        };
        let data = stage.dir.join(DATA);
        fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
        let copied = store::copy::copy(&origin.config.store, data_dir, &data).await?;
        stage.database = copied.version;
        let origin = origin.clone();
        tokio::task::spawn_blocking(move || {
            stage.snapshots(&origin, &copied)?;
            stage.models(&origin, &copied)?;
            metrics(&origin.data_dir.join(METRICS), &data.join(METRICS))?;
            predictions_log(&predictions::folder(&origin.data_dir), &predictions::folder(&data))?;
            stage.reports(&origin, copied.reports)?;
            if let Some(file) = &origin.config.file {
                // Not linked: an editor may write to it.
                fs::copy(file, stage.dir.join(CONFIG))
                    .with_context(|| format!("cannot copy {}", file.display()))?;
            }
            stage.files = below(&stage.dir)?;
            Ok(stage)
        })
        .await?
    }

    fn snapshots(&mut self, origin: &Origin, copied: &Copied) -> anyhow::Result<()> {
        if !origin.data_dir.join(SNAPSHOTS).is_dir() && copied.forgotten.is_empty() {
            return Ok(());
        }
        let snapshots = snapshots(&origin.data_dir, origin.config.dataset.clone())?;
        let place = self.dir.join(DATA).join(SNAPSHOTS);
        // The copy of the database is older: all that it has receipts of were in the list by then.
        snapshots
            .check_forgotten(&copied.forgotten)
            .context("no backup was made, so that the last one stays")?;
        let tables = snapshots.copy_to(&place).map_err(|error| match &error {
            Error::Io { source, .. } if is_gone(source) => anyhow::Error::new(error).context(
                "a file of the snapshots is missing, and no backup was made, so that the last one stays: `streamflow data \
                 verify` names it, and ingesting that month again writes it anew",
            ),
            _ => error.into(),
        })?;
        for table in tables {
            if let Some(sha256) = table.sha256 {
                self.expected.insert(format!("{DATA}/{SNAPSHOTS}/{}", table.path), sha256);
            }
        }
        Ok(())
    }

    /// The artefacts that the copy of the database names.
    fn models(&mut self, origin: &Origin, copied: &Copied) -> anyhow::Result<()> {
        for (name, version) in &copied.models {
            let place = format!("{MODELS}/{name}/{version}");
            let from = origin.data_dir.join(&place);
            let files = below(&from).with_context(|| format!("version {version} of {name} is damaged"))?;
            for (path, file) in &files {
                link_or_copy(file, &self.dir.join(DATA).join(&place).join(path))?;
            }
            let Some(listed) = files.get(SUMS) else {
                bail!(
                    "version {version} of {name} is damaged: {} has no {SUMS}; restore it, or train again",
                    from.display()
                );
            };
            if let Some(file) = missing(&from)? {
                bail!(
                    "version {version} of {name} is damaged: {} is missing, and no backup was made, so that the last one \
                     stays; restore it, or train again",
                    from.join(file).display()
                );
            }
            for (path, sha256) in sums(listed)? {
                self.expected.insert(format!("{DATA}/{place}/{path}"), sha256);
            }
        }
        Ok(())
    }

    fn reports(&mut self, origin: &Origin, named: Vec<String>) -> anyhow::Result<()> {
        let folder = ReportFolder::new(origin.report_dir.clone(), Rules::from(&origin.config.monitor));
        let names = folder.names()?;
        if names.is_empty() {
            self.lost_reports = named;
        }
        for (name, _) in names {
            for file in folder.files(&name)? {
                let target = self.dir.join(REPORTS).join(file.file_name().unwrap_or_default());
                match link_or_copy(&file, &target) {
                    Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_gone) => {}
                    linked => linked?,
                }
            }
        }
        Ok(())
    }
}

/// A report may be removed while it is listed, and one of another release may lack a form.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// The samples, and before them how far they were sent: what was sent meanwhile is sent again after a restore, nothing
/// is left out.
fn metrics(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !["blocks", "wal"].iter().any(|part| from.join(part).is_dir()) {
        return Ok(());
    }
    let sent = from.join(SENT);
    let positions = if sent.is_dir() { below(&sent)? } else { BTreeMap::new() };
    let kept = to.with_extension(SENT);
    for (path, file) in &positions {
        link_or_copy(file, &kept.join(path))?;
    }
    streamflow_tsdb::copy_in_use(from, to)?;
    if !positions.is_empty() {
        fs::rename(&kept, to.join(SENT)).with_context(|| format!("cannot rename {}", kept.display()))?;
    }
    Ok(())
}

/// The log of predictions: its files never change in their place. What is deleted meanwhile for its age is left out.
fn predictions_log(from: &Path, to: &Path) -> anyhow::Result<()> {
    let _reading = predictions::reading(from)?;
    for file in predictions::files(from, Window::ALL)? {
        let Ok(path) = file.strip_prefix(from) else { continue };
        match link_or_copy(&file, &to.join(path)) {
            Err(_) if !file.exists() => {}
            linked => linked?,
        }
    }
    Ok(())
}

/// Removes what a backup that was cut off has left.
fn clear(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
