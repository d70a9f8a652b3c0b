//! Versions of models in the bucket.
//!
//! `models/NAME/VERSION.json` is the record of an artefact; `registry/NAME.json` says which versions there are and
//! which were in production, and is the commit point of a registration, a promotion, a rollback and a removal.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamflow_bucket::{Bucket, Change, Error, Held, Kind, NewFile};

use super::{Found, Pulled, Storage};
use crate::files::below;

pub(super) const REGISTRY: &str = "registry";

/// A version as the database has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionRow {
    pub version: i64,
    pub as_of: String,
    pub task: String,
    pub seed: i64,
    pub metrics: Value,
    pub created_at: String,
    /// Where it comes from, if it was imported.
    pub origin: Option<Value>,
}

/// A version went into production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    pub version: i64,
    pub at: String,
    pub actor: String,
}

/// What the registry has of one name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    pub versions: Vec<VersionRow>,
    /// The last is in production.
    pub promotions: Vec<Promotion>,
}

fn registry_key(name: &str) -> String {
    format!("{REGISTRY}/{name}.json")
}

fn artefact_key(name: &str, version: i64) -> String {
    format!("models/{name}/{version}.json")
}

/// The name of a registry's key.
fn name_of(key: &str) -> Option<&str> {
    key.strip_prefix(REGISTRY)?.strip_prefix('/')?.strip_suffix(".json")
}

fn record_of(key: &str, held: &Held) -> Result<ModelRecord, Error> {
    serde_json::from_value(held.record.body.clone()).map_err(|error| {
        let remedy = "put it there again (`streamflow data push`)";
        Error::new(Kind::Damaged, format!("{key} cannot be read"), error.to_string(), remedy)
    })
}

/// The keys of the artefacts that the registry under a key names.
pub(super) async fn artefacts(bucket: &Bucket, key: &str) -> Result<Vec<String>, Error> {
    let Some(name) = name_of(key) else { return Ok(Vec::new()) };
    let Some(held) = bucket.record(key).await? else { return Ok(Vec::new()) };
    let versions = record_of(key, &held)?.versions;
    Ok(versions.iter().map(|row| artefact_key(name, row.version)).collect())
}

impl Storage {
    /// Commits a version: its artefact first, which nobody is told of, then the registry that names it.
    ///
    /// # Errors
    /// [`Kind::Lost`] where another writer has registered one meanwhile.
    pub async fn publish_version(
        &self,
        name: &str,
        artefact: &Path,
        version: i64,
        registry: &ModelRecord,
    ) -> anyhow::Result<()> {
        let files = below(artefact)?;
        let ended = self.send_version(name, files.into_iter().collect(), version).await;
        self.note(ended)?;
        Ok(self.publish_registry(name, registry).await?)
    }

    async fn send_version(
        &self,
        name: &str,
        files: Vec<(String, std::path::PathBuf)>,
        version: i64,
    ) -> Result<(), Error> {
        let key = artefact_key(name, version);
        let there = self.bucket.record(&registry_key(name)).await?;
        if let Some(held) = &there
            && record_of(&key, held)?.versions.iter().any(|row| row.version == version)
        {
            let what = format!("version {version} of {name} was not registered");
            let reason = format!("another writer ({}) has registered one of that number", held.record.by);
            let remedy = "nothing was changed; run the command again, which takes it over first";
            return Err(Error::new(Kind::Lost, what, reason, remedy));
        }
        // One that no registry names was left by a writer that stopped.
        let expected = self.bucket.record(&key).await?;
        let file = |(path, from): (String, std::path::PathBuf)| NewFile {
            key: format!("models/{name}/{version}/{path}"),
            path,
            from,
        };
        let change = Change {
            key: &key,
            what: format!("version {version} of {name}"),
            expected: expected.as_ref(),
            by: self.by.clone(),
            removed: false,
            files: files.into_iter().map(file).collect(),
            body: Value::Null,
        };
        self.bucket.commit(change).await.map(drop)
    }

    /// Commits what the registry has of a name.
    ///
    /// # Errors
    /// [`Kind::Lost`] where another writer has changed it meanwhile.
    pub async fn publish_registry(&self, name: &str, registry: &ModelRecord) -> Result<(), Error> {
        let body = serde_json::to_value(registry).expect("rows have text keys");
        let ended = self.publish_document(&registry_key(name), body).await;
        self.note(ended)
    }

    /// What the bucket's registries have that the working copy does not, each with the name of its model; the artefacts of
    /// its versions are here when it returns. The database is to be told, and then [`Storage::registry_taken`].
    pub async fn pull_registries(
        &self,
        pulled: &mut Pulled,
    ) -> anyhow::Result<Vec<(String, Held, ModelRecord)>> {
        let mut changed = Vec::new();
        let mut keys: Vec<(String, Option<String>)> = self
            .note(self.bucket.list(REGISTRY).await)?
            .into_iter()
            .map(|object| (object.path, object.e_tag))
            .collect();
        // A listing may be old.
        keys.extend(self.seen.keys(REGISTRY).into_iter().map(|key| (key, None)));
        keys.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        keys.dedup_by(|later, first| later.0 == first.0);
        for (key, e_tag) in keys {
            let Some(name) = name_of(&key) else { continue };
            if self.seen.has(&key, e_tag.as_deref()) {
                continue;
            }
            let Some(held) = self.note(self.bucket.record(&key).await)? else { continue };
            if self.seen.has(&key, Some(&held.e_tag)) {
                continue;
            }
            let record = record_of(&key, &held)?;
            for row in &record.versions {
                if self.bring_version(name, row.version).await? {
                    pulled.versions.push(format!("{name} version {}", row.version));
                }
            }
            changed.push((name.to_owned(), held, record));
        }
        Ok(changed)
    }

    /// Whether the bucket's registry of a name is still the one that was read.
    pub async fn is_newest(&self, name: &str, read: &Held) -> anyhow::Result<bool> {
        let now = self.note(self.bucket.record(&registry_key(name)).await)?;
        Ok(now.is_some_and(|now| now.e_tag == read.e_tag))
    }

    /// Notes that the database has what the registry of a name says.
    pub fn registry_taken(&self, name: &str, held: &Held) {
        self.seen.note(&registry_key(name), &held.e_tag);
    }

    /// Brings an artefact, unless it is here already.
    async fn bring_version(&self, name: &str, version: i64) -> anyhow::Result<bool> {
        let place = self.folder().join("models").join(name).join(version.to_string());
        let key = artefact_key(name, version);
        let held = self.note(self.bucket.record(&key).await)?;
        let held = held.with_context(|| {
            format!(
                "{} lacks {key}, which its registry names; put it back with `streamflow data push`",
                self.location()
            )
        })?;
        if place.is_dir() {
            let is_it = held.record.files.iter().all(|file| {
                streamflow_bucket::sha256_of(&place.join(&file.path)).is_ok_and(|(sha, _)| sha == file.sha256)
            });
            if is_it {
                return Ok(false);
            }
            // A folder that the registry does not mean is of a registration that was never committed.
            let aside = place.with_file_name(format!(".replaced-{version}-{}", std::process::id()));
            std::fs::rename(&place, &aside)?;
            std::fs::remove_dir_all(&aside)?;
        }
        let fetched = self
            .folder()
            .join("models")
            .join(name)
            .join(format!(".fetched-{version}-{}", std::process::id()));
        self.note(self.bucket.fetch(&key, held, &fetched, &|_| true).await)?;
        std::fs::rename(&fetched, &place)
            .with_context(|| format!("cannot move the model to {}", place.display()))?;
        Ok(true)
    }

    /// Removes what the bucket has of a version that no registry names any more. What cannot be removed does no harm.
    pub async fn remove_version(&self, name: &str, version: i64) {
        let key = artefact_key(name, version);
        let Ok(Some(held)) = self.bucket.record(&key).await else { return };
        let change = Change {
            key: &key,
            what: format!("the removal of version {version} of {name}"),
            expected: Some(&held),
            by: self.by.clone(),
            removed: true,
            files: Vec::new(),
            body: Value::Null,
        };
        let _ = self.bucket.commit(change).await;
    }

    /// Puts the versions of a name into the bucket that its registry lacks, and its registry; with `repair` also the files of
    /// those that it has, where they are missing or damaged there.
    pub async fn push_registry(
        &self,
        name: &str,
        registry: &ModelRecord,
        repair: bool,
        found: &mut Found,
    ) -> anyhow::Result<Vec<String>> {
        let key = registry_key(name);
        let there = self.note(self.bucket.record(&key).await)?;
        let known = there.as_ref().map(|held| record_of(&key, held)).transpose()?.unwrap_or_default();
        let mut pushed = Vec::new();
        for row in &registry.versions {
            let folder = self.folder().join("models").join(name).join(row.version.to_string());
            let files: Vec<_> = below(&folder)?.into_iter().collect();
            if known.versions.iter().any(|other| other.version == row.version) {
                let artefact = self.note(self.bucket.record(&artefact_key(name, row.version)).await)?;
                if let Some(held) = artefact {
                    self.look_after(&held, &files, repair, found).await?;
                }
                continue;
            }
            self.note(self.send_version(name, files, row.version).await)?;
            pushed.push(format!("{name} version {}", row.version));
        }
        if known != *registry {
            if let Some(held) = &there {
                self.seen.note(&key, &held.e_tag);
            }
            self.publish_registry(name, registry).await?;
        }
        Ok(pushed)
    }
}
