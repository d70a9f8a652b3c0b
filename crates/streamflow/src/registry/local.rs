//! The local registry: artefacts under `DATA/models/NAME/VERSION/`, their order and the production version in the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_dataset::Period;
use streamflow_model::{Import, Model, Stored, Task, Trained};

use crate::config::check_model_name;
use crate::storage::{Found, Pulled, Storage};
use crate::store::models::{By, ModelVersion, NewVersion, Origin};
use crate::store::{Changing, Store};

/// The file of an artefact that says what its other files hold.
pub const SUMS: &str = "SHA256SUMS";

/// What that file says: the other files of the artefact, and their SHA-256.
pub fn sums(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines =
        text.lines().map(|line| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned())));
    lines
        .collect::<Option<_>>()
        .with_context(|| format!("{} is damaged: train that version again", file.display()))
}

/// Whether the artefact in a folder has all files that its sums name; the first that is missing, else.
pub fn missing(folder: &Path) -> anyhow::Result<Option<String>> {
    let names = sums(&folder.join(SUMS))?.into_iter().map(|(name, _)| name);
    Ok({ names }.find(|name| !folder.join(name).is_file()))
}

/// A trained model that is to be registered.
pub struct NewModel {
    pub as_of: Period,
    pub seed: u64,
    pub trained: Trained,
    /// The run that trained it, where one did.
    pub run: Option<i64>,
}

/// A model trained elsewhere that is to be registered.
pub struct NewImport {
    /// The last date of its training data, or the snapshot that it was checked on.
    pub as_of: Period,
    pub import: Import,
    /// What is known of it on rows that it was not trained on.
    pub metrics: serde_json::Value,
}

/// The local registry of one data directory.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) store: Store,
    models_dir: PathBuf,
    /// Where registrations and promotions are committed first, where the data directory lies in a bucket.
    storage: Option<Storage>,
}

impl Registry {
    pub fn new(store: Store, data_dir: &Path) -> Self {
        Self { store, models_dir: data_dir.join("models"), storage: None }
    }

    /// The same with the bucket of the data directory.
    #[must_use]
    pub fn in_bucket(self, storage: Option<Storage>) -> Self {
        Self { storage, ..self }
    }

    /// Saves a trained model as the next version of `name`. The first version becomes production. What a run registered
    /// before is not registered again.
    pub async fn register(&self, name: &str, new: NewModel) -> anyhow::Result<i64> {
        if let Some(run) = new.run
            && let Some(version) = self.store.version_of_run(name, run).await?
        {
            return Ok(version);
        }
        check_model_name("the name of the model", name)?;
        let seed = i64::try_from(new.seed)
            .context("the seed is too large to be recorded; expected at most 9223372036854775807")?;
        let metrics = serde_json::to_value(&new.trained.metrics)?;
        let (task, as_of) = (new.trained.record.settings.task, new.as_of.to_string());
        let dir = self.models_dir.join(name);
        let save = move || Incoming::write(dir, |folder| new.trained.save(folder));
        let written = tokio::task::spawn_blocking(save).await??;
        let new = NewVersion { as_of: &as_of, task, seed, metrics: &metrics, run: new.run, origin: None };
        self.place(name, written, &new).await
    }

    /// Saves an imported model as the next version of `name`. The first version becomes production.
    pub async fn register_import(&self, name: &str, new: NewImport) -> anyhow::Result<i64> {
        check_model_name("the name of the model", name)?;
        let (metrics, as_of, record) = (new.metrics, new.as_of.to_string(), new.import.record.clone());
        let origin = Origin { file: record.file, format: record.format, trained_until: record.trained_until };
        let (dir, task) = (self.models_dir.join(name), new.import.model.task());
        let save = move || Incoming::write(dir, |folder| new.import.save(folder));
        let written = tokio::task::spawn_blocking(save).await??;
        let new =
            NewVersion { as_of: &as_of, task, seed: 0, metrics: &metrics, run: None, origin: Some(&origin) };
        self.place(name, written, &new).await
    }

    /// Gives a written artefact its number and makes it visible.
    async fn place(&self, name: &str, written: Incoming, new: &NewVersion<'_>) -> anyhow::Result<i64> {
        self.pull(&mut Pulled::default()).await?;
        let mut registration = self.store.begin_version(name).await?;
        let first = registration.version;
        registration.version = tokio::task::spawn_blocking(move || written.place(first)).await??;
        let version = registration.version;
        if let Some(storage) = &self.storage {
            let record = registration.record_with(new).await?;
            storage.publish_version(name, &self.dir(name, version), version, &record).await?;
        }
        registration.commit(new).await?;
        Ok(version)
    }

    /// The production version of `name`, if any was trained.
    pub async fn production(&self, name: &str) -> anyhow::Result<Option<ModelVersion>> {
        Ok(self.store.production(name).await?)
    }

    /// The number of a version; that of production where none is given.
    ///
    /// # Errors
    /// A name or a number that the registry does not have.
    pub async fn resolve(&self, name: &str, version: Option<i64>) -> anyhow::Result<i64> {
        let versions = self.versions().await?;
        let mut of_name = versions.iter().filter(|found| found.name == name);
        let found =
            of_name.clone().find(|found| version.map_or(found.production, |number| found.version == number));
        match (found, version, of_name.next()) {
            (Some(found), ..) => Ok(found.version),
            (None, _, None) => {
                bail!("there is no model {name:?} in the registry; see `streamflow models ls`")
            }
            (None, Some(version), _) => {
                bail!("model {name} has no version {version}; see `streamflow models ls`")
            }
            (None, None, _) => {
                bail!("model {name} has no version in production; name one, see `streamflow models ls`")
            }
        }
    }

    /// All versions, by name and newest first.
    pub async fn versions(&self) -> anyhow::Result<Vec<ModelVersion>> {
        Ok(self.store.model_versions().await?)
    }

    /// How a version came to be, in a few words: `trained, 327 trees, sigmoid`, or `imported XGBoost UBJSON`.
    pub async fn how(&self, version: &ModelVersion) -> String {
        if let Some(Origin { format, .. }) = &version.origin {
            return format!("imported {format}");
        }
        let dir = self.dir(&version.name, version.version);
        match tokio::task::spawn_blocking(move || Trained::record_of(&dir)).await {
            Ok(Ok(Some(record))) => record.summary(),
            _ => "trained, by a record that cannot be read".to_owned(),
        }
    }

    /// # Errors
    /// A version of `name` that predicts something else than the label is for: versions of one name are compared.
    pub async fn check_task(&self, name: &str, expected: Task) -> anyhow::Result<()> {
        let versions = self.versions().await?;
        versions
            .iter()
            .filter(|version| version.name == name)
            .try_for_each(|version| version.check_task(expected))
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
    pub async fn promote(&self, name: &str, version: i64, by: By<'_>) -> anyhow::Result<()> {
        let known: Vec<i64> =
            self.versions().await?.into_iter().filter(|v| v.name == name).map(|v| v.version).collect();
        if !known.contains(&version) {
            let known = known.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none: run `streamflow train`".to_owned() } else { known };
            bail!("model {name} has no version {version}; its versions are {known}");
        }
        self.load(name, version).await?;
        self.pull(&mut Pulled::default()).await?;
        match self.store.begin_promotion(name, version, by).await? {
            Some(changing) => self.make(name, changing).await,
            None => Ok(()),
        }
    }

    /// Returns to the version that was in production before and gives its number.
    pub async fn rollback(&self, name: &str, by: By<'_>) -> anyhow::Result<i64> {
        self.pull(&mut Pulled::default()).await?;
        let Some(previous) = self.store.previous_production(name).await? else {
            bail!("model {name} has no earlier production version to return to; see `streamflow models ls`");
        };
        self.load(name, previous).await?;
        let changing = self.store.begin_rollback(name, previous, by).await?;
        self.make(name, changing).await?;
        Ok(previous)
    }

    /// Commits a change: to the bucket first, where the data directory lies in one, and nobody changes the registry between.
    async fn make(&self, name: &str, mut changing: Changing) -> anyhow::Result<()> {
        if let Some(storage) = &self.storage {
            storage.publish_registry(name, &changing.record().await?).await?;
        }
        Ok(changing.commit().await?)
    }

    /// Reads all that is known of a version.
    pub async fn stored(&self, name: &str, version: i64) -> anyhow::Result<Stored> {
        let dir = self.dir(name, version);
        let stored = tokio::task::spawn_blocking(move || Stored::load(&dir)).await?;
        stored.with_context(|| format!("version {version} of {name} cannot be read"))
    }

    /// Deletes a version, its row first: from then on nobody is told of the artefact. False where it is needed.
    pub async fn remove(&self, name: &str, version: i64, by: By<'_>) -> anyhow::Result<bool> {
        let Some(changing) = self.store.begin_removal(name, version, by).await? else { return Ok(false) };
        self.make(name, changing).await?;
        if let Some(storage) = &self.storage {
            storage.remove_version(name, version).await;
        }
        remove_artefact(&self.dir(name, version))?;
        Ok(true)
    }

    /// Deletes the artefacts of versions that were taken out of the registry by a process that stopped before it came to
    /// them. A version that is registered has its number from a later training.
    pub async fn finish_removals(&self) -> anyhow::Result<()> {
        let registered: Vec<String> = self
            .versions()
            .await?
            .iter()
            .map(|found| format!("{} version {}", found.name, found.version))
            .collect();
        for subject in self.store.forgotten_versions().await? {
            let Some((name, version)) = subject.rsplit_once(" version ") else { continue };
            let Ok(version) = version.parse() else { continue };
            if !registered.contains(&subject) {
                remove_artefact(&self.dir(name, version))?;
            }
        }
        Ok(())
    }

    /// Takes over what the bucket's registries have.
    pub async fn pull(&self, pulled: &mut Pulled) -> anyhow::Result<()> {
        let Some(storage) = &self.storage else { return Ok(()) };
        for (name, held, record) in storage.pull_registries(pulled).await? {
            // What another has committed since is taken over with the next look.
            if self.store.take_over_models(&name, &record, storage.is_newest(&name, &held)).await? {
                storage.registry_taken(&name, &held);
            }
        }
        Ok(())
    }

    /// Puts versions into the bucket that it lacks; with `repair` also what is missing or damaged of those that it has.
    pub async fn push(&self, repair: bool, found: &mut Found) -> anyhow::Result<Vec<String>> {
        let Some(storage) = &self.storage else { return Ok(Vec::new()) };
        let (mut names, mut pushed) = (BTreeSet::new(), Vec::new());
        names.extend(self.versions().await?.into_iter().map(|version| version.name));
        for name in names {
            let record = self.store.model_record(&name).await?;
            pushed.extend(storage.push_registry(&name, &record, repair, found).await?);
        }
        Ok(pushed)
    }

    fn dir(&self, name: &str, version: i64) -> PathBuf {
        self.models_dir.join(name).join(version.to_string())
    }
}

fn remove_artefact(dir: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// An artefact that has no number yet, in a folder beside those that have one.
struct Incoming {
    models: PathBuf,
    folder: PathBuf,
}

impl Incoming {
    fn write(
        models: PathBuf,
        save: impl FnOnce(&Path) -> Result<(), streamflow_model::Error>,
    ) -> anyhow::Result<Self> {
        let folder = models.join(format!(".incoming-{}", std::process::id()));
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove the unfinished {}", folder.display()))?;
        }
        save(&folder).with_context(|| format!("cannot write the model to {}", folder.display()))?;
        Ok(Self { models, folder })
    }

    /// Gives the artefact the first number from `first` on whose folder is free, or holds the same model: a folder that
    /// the database does not know is somebody's all the same, and is never written over.
    fn place(self, first: i64) -> anyhow::Result<i64> {
        let sums = |folder: &Path| std::fs::read(folder.join(SUMS)).ok();
        for version in first.. {
            let place = self.models.join(version.to_string());
            if !place.exists() {
                std::fs::rename(&self.folder, &place)
                    .with_context(|| format!("cannot move the model to {}", place.display()))?;
                return Ok(version);
            }
            // Left by a process that stopped between writing the artefact and registering it.
            if sums(&place).is_some_and(|found| Some(found) == sums(&self.folder)) {
                std::fs::remove_dir_all(&self.folder)
                    .with_context(|| format!("cannot remove {}", self.folder.display()))?;
                return Ok(version);
            }
        }
        bail!("model numbers are used up")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_never_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, sums: Option<&str>| {
            let folder = dir.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            if let Some(sums) = sums {
                std::fs::write(folder.join(SUMS), sums).unwrap();
            }
            folder
        };
        let incoming =
            |sums| Incoming { models: dir.path().to_path_buf(), folder: folder(".incoming", Some(sums)) };
        folder("2", Some("another"));
        folder("3", None);
        for (sums, first, expected) in [("mine", 1, 1), ("mine", 2, 4), ("mine", 4, 4), ("new", 1, 5)] {
            assert_eq!(incoming(sums).place(first).unwrap(), expected, "{sums} from {first}");
            assert!(!dir.path().join(".incoming").exists());
        }
        assert_eq!(std::fs::read(dir.path().join("2").join(SUMS)).unwrap(), b"another");
    }
}
