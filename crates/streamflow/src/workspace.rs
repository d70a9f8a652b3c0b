//! What the parts of a running StreamFlow share, opened once: configuration, database, registry, snapshots, reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use streamflow_dataset::{DatasetSpec, Error, Snapshots};

use crate::config::{Config, Place};
use crate::drift::{ReportFolder, Rules};
use crate::registry::Registry;
use crate::storage::{Found, Pulled, Storage};
use crate::store::Store;

/// A data directory and its configuration. Cloning is cheap.
#[derive(Clone)]
pub struct Workspace {
    pub config: Arc<Config>,
    pub data_dir: PathBuf,
    pub store: Store,
    pub registry: Registry,
    pub snapshots: Arc<Snapshots>,
    pub reports: ReportFolder,
    /// The bucket that `data_dir` is the working copy of, where it is one.
    pub storage: Option<Storage>,
}

impl Workspace {
    /// Opens what lies in `data_dir`, creating what is missing there. Reports are kept in `report_dir`.
    ///
    /// # Errors
    /// A folder that cannot be written to; a database or an unfinished commit that cannot be read.
    pub async fn open(config: Arc<Config>, data_dir: PathBuf, report_dir: PathBuf) -> anyhow::Result<Self> {
        Self::open_at(config, Place::folder(data_dir), report_dir).await
    }

    /// The same where the data directory may be the working copy of a bucket, of which nothing is asked yet.
    ///
    /// # Errors
    /// As [`Workspace::open`]; settings of the bucket that contradict themselves.
    pub async fn open_at(config: Arc<Config>, place: Place, report_dir: PathBuf) -> anyhow::Result<Self> {
        let storage = Storage::open(&place, &config.storage)?;
        let data_dir = place.folder;
        let (dir, spec) = (data_dir.clone(), config.dataset.clone());
        let snapshots = tokio::task::spawn_blocking(move || snapshots(&dir, spec)).await??;
        let snapshots = match &storage {
            Some(storage) => snapshots.with_commit_point(storage.commit_point()),
            None => snapshots,
        };
        let store = Store::of(&config.store, &data_dir).await?;
        let registry = Registry::new(store.clone(), &data_dir).in_bucket(storage.clone());
        let reports = ReportFolder::new(report_dir, Rules::from(&config.monitor));
        Ok(Self { config, data_dir, store, registry, snapshots: Arc::new(snapshots), reports, storage })
    }

    /// The same whose registry and runs are written through `store`.
    pub fn writing_by(&self, store: Store) -> Self {
        let registry = Registry::new(store.clone(), &self.data_dir).in_bucket(self.storage.clone());
        Self { registry, store, ..self.clone() }
    }

    /// Brings what others have committed to the bucket, where the data directory lies in one.
    ///
    /// # Errors
    /// What the store refuses; what came and is not what was written. What came before is here.
    pub async fn pull(&self) -> anyhow::Result<Pulled> {
        let mut pulled = Pulled::default();
        let Some(storage) = &self.storage else { return Ok(pulled) };
        storage.pull_months(&self.snapshots, &mut pulled).await?;
        self.registry.pull(&mut pulled).await?;
        pulled.files += storage.pull_reports(self.reports.path()).await?;
        Ok(pulled)
    }

    /// Sends reports and closed hours of kept answers to the bucket, where the data directory lies in one; with `again` also
    /// those that were there and are not any more.
    ///
    /// # Errors
    /// What the store refuses; what was sent before is there.
    pub async fn send_files(&self, again: bool) -> anyhow::Result<usize> {
        let Some(storage) = &self.storage else { return Ok(0) };
        let reports = storage.push_reports(self.reports.path(), again).await?;
        Ok(reports + storage.push_predictions(jiff::Timestamp::now(), again).await?)
    }

    /// Puts everything of the working copy into the bucket that it lacks, checked. With `repair`, files of months and
    /// models that are missing or damaged there are sent anew.
    ///
    /// # Errors
    /// What the store refuses; what was committed before is there.
    pub async fn push(&self, repair: bool) -> anyhow::Result<Pushed> {
        let Some(storage) = &self.storage else { return Ok(Pushed::default()) };
        let mut found = Found::default();
        let months = storage.push_months(&self.snapshots, repair, &mut found).await?;
        let versions = self.registry.push(repair, &mut found).await?;
        Ok(Pushed { months, versions, files: self.send_files(true).await?, found })
    }
}

/// What a push has put into the bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    pub months: Vec<String>,
    pub versions: Vec<String>,
    /// Reports and files of kept answers.
    pub files: usize,
    /// What was there already and is missing or damaged.
    #[serde(flatten)]
    pub found: Found,
}

/// The snapshots of a data directory, for work that needs nothing else of it.
pub fn snapshots(data_dir: &Path, spec: DatasetSpec) -> anyhow::Result<Snapshots> {
    match Snapshots::open(data_dir, spec) {
        Err(error @ Error::Io { .. }) => Err(error).with_context(|| {
            format!(
                "the data directory {} cannot be used; choose one you may write to with --data-dir",
                data_dir.display()
            )
        }),
        opened => Ok(opened?),
    }
}

/// The same without changing anything there: what a crash has cut off is neither finished nor removed.
pub fn look_at(data_dir: &Path, spec: DatasetSpec) -> anyhow::Result<Snapshots> {
    Ok(Snapshots::look_at(data_dir, spec)?)
}
