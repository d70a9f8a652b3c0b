//! The local registry: artefacts under `DATA/models/NAME/VERSION/`, their order and the production version in the store.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_dataset::Period;
use streamflow_model::{Model, Trained};

use crate::store::Store;
use crate::store::models::ModelVersion;

/// The local registry of one data directory.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Store,
    models_dir: PathBuf,
}

impl Registry {
    pub fn new(store: Store, data_dir: &Path) -> Self {
        Self { store, models_dir: data_dir.join("models") }
    }

    /// Saves a trained model as the next version of `name`. The first version becomes production.
    pub async fn register(
        &self,
        name: &str,
        as_of: Period,
        seed: u64,
        trained: Trained,
    ) -> anyhow::Result<i64> {
        let registration = self.store.begin_version(name).await?;
        let version = registration.version;
        let dir = self.dir(name, version);
        let (task, metrics) = (trained.record.settings.task, serde_json::to_value(&trained.metrics)?);
        tokio::task::spawn_blocking(move || write(&trained, &dir)).await??;
        let seed = i64::try_from(seed)
            .context("the seed is too large to be recorded; expected at most 9223372036854775807")?;
        registration.commit(&as_of.to_string(), task, seed, &metrics).await?;
        Ok(version)
    }

    /// The production version of `name`, if any was trained.
    pub async fn production(&self, name: &str) -> anyhow::Result<Option<ModelVersion>> {
        Ok(self.store.production(name).await?)
    }

    /// All versions, by name and newest first.
    pub async fn versions(&self) -> anyhow::Result<Vec<ModelVersion>> {
        Ok(self.store.model_versions().await?)
    }

    /// Reads the artefact of a version.
    pub async fn load(&self, name: &str, version: i64) -> anyhow::Result<Model> {
        let dir = self.dir(name, version);
        tokio::task::spawn_blocking(move || Model::load(&dir)).await?.with_context(|| {
            format!(
                "version {version} of {name} cannot be served; promote another (`streamflow models ls`) or train again"
            )
        })
    }

    /// Makes `version` the production version, after reading it once: a broken artefact is never promoted.
    pub async fn promote(&self, name: &str, version: i64) -> anyhow::Result<()> {
        let known: Vec<i64> =
            self.versions().await?.into_iter().filter(|v| v.name == name).map(|v| v.version).collect();
        if !known.contains(&version) {
            let known = known.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none: run `streamflow train`".to_owned() } else { known };
            bail!("model {name} has no version {version}; its versions are {known}");
        }
        self.load(name, version).await?;
        Ok(self.store.promote(name, version).await?)
    }

    /// Returns to the version that was in production before and gives its number.
    pub async fn rollback(&self, name: &str) -> anyhow::Result<i64> {
        let Some(previous) = self.store.previous_production(name).await? else {
            bail!("model {name} has no earlier production version to return to; see `streamflow models ls`");
        };
        self.load(name, previous).await?;
        self.store.demote(name).await?;
        Ok(previous)
    }

    fn dir(&self, name: &str, version: i64) -> PathBuf {
        self.models_dir.join(name).join(version.to_string())
    }
}

/// Writes the artefact of a version that is not registered yet.
fn write(trained: &Trained, dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        // Left by a process that stopped between writing the artefact and registering it: nobody has seen it.
        std::fs::remove_dir_all(dir)
            .with_context(|| format!("cannot replace the unregistered {}", dir.display()))?;
    }
    trained.save(dir).with_context(|| format!("cannot write the model to {}", dir.display()))
}
