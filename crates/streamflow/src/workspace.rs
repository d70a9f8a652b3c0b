//! What the parts of a running StreamFlow share, opened once: configuration, database, registry, snapshots, reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use streamflow_dataset::{DatasetSpec, Error, Snapshots};

use crate::config::Config;
use crate::drift::{ReportFolder, Rules};
use crate::registry::Registry;
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
}

impl Workspace {
    /// Opens what lies in `data_dir`, creating what is missing there. Reports are kept in `report_dir`.
    ///
    /// # Errors
    /// A folder that cannot be written to; a database or an unfinished commit that cannot be read.
    pub async fn open(config: Arc<Config>, data_dir: PathBuf, report_dir: PathBuf) -> anyhow::Result<Self> {
        let (dir, spec) = (data_dir.clone(), config.dataset.clone());
        let snapshots = tokio::task::spawn_blocking(move || snapshots(&dir, spec)).await??;
        let store = Store::of(&config.store, &data_dir).await?;
        let registry = Registry::new(store.clone(), &data_dir);
        let reports = ReportFolder::new(report_dir, Rules::from(&config.monitor));
        Ok(Self { config, data_dir, store, registry, snapshots: Arc::new(snapshots), reports })
    }
}

impl Workspace {
    /// The same whose registry and runs are written through `store`.
    pub fn writing_by(&self, store: Store) -> Self {
        Self { registry: Registry::new(store.clone(), &self.data_dir), store, ..self.clone() }
    }
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
