//! Whether the objects that the records of a bucket name are what was written.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use streamflow_bucket::{Bucket, Error, Held, Kind, RecordFile};
use streamflow_dataset::Period;

use super::{Storage, models, months};

/// How often a set is looked at anew because another writer has changed it meanwhile.
const ATTEMPTS: usize = 3;
const REMEDY: &str = "put it there again from a working copy that has it (`streamflow data push --repair`)";

/// What the records of a bucket name, held against it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Objects {
    /// Where they lie.
    pub location: String,
    /// Records of months and of models.
    pub records: usize,
    /// Objects that those name.
    pub named: usize,
    /// Objects that are what was written.
    pub intact: usize,
    /// What is not, each with its remedy.
    pub faults: Vec<String>,
}

impl Objects {
    /// The count, and the remedy where one is needed.
    pub fn summary(&self) -> String {
        let Self { location, named, intact, faults, .. } = self;
        let wrong = match faults.len() {
            0 => String::new(),
            faults => format!("; {faults} faults: {REMEDY}"),
        };
        format!(
            "{intact} of {named} objects that the records in {location} name are as they were written{wrong}."
        )
    }
}

/// Reads every object of every month and every model that a bucket has. `here` are the months of the working copy, which
/// the bucket must have.
///
/// # Errors
/// What the store refuses.
pub async fn verify_objects(bucket: &Bucket, here: &[Period]) -> Result<Objects, Error> {
    let listed = bucket.list(Storage::LEDGER).await?;
    let mut keys: BTreeSet<String> =
        listed.into_iter().map(|object| object.path).filter(|key| months::date_of(key).is_some()).collect();
    keys.extend(here.iter().map(|as_of| months::record_key(*as_of)));
    let mut objects = Objects { location: bucket.location().to_string(), ..Objects::default() };
    for registry in bucket.list(models::REGISTRY).await? {
        match models::artefacts(bucket, &registry.path).await {
            Ok(artefacts) => keys.extend(artefacts),
            Err(error) if error.kind() == Kind::Damaged => objects.faults.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    for key in keys {
        hold(bucket, &key, &mut objects).await?;
    }
    Ok(objects)
}

/// Looks at the objects of one record.
async fn hold(bucket: &Bucket, key: &str, objects: &mut Objects) -> Result<(), Error> {
    objects.records += 1;
    let mut before: Option<Held> = None;
    for attempt in 1.. {
        let held = match bucket.record(key).await {
            Ok(Some(held)) => held,
            Ok(None) => {
                objects.faults.push(format!("{} is missing", bucket.location().shown(key)));
                return Ok(());
            }
            Err(error) if error.kind() == Kind::Damaged => {
                objects.faults.push(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let files: &[RecordFile] = if held.record.removed { &[] } else { &held.record.files };
        let mut faults = Vec::new();
        for file in files {
            faults.extend(fault_of(bucket, file).await?);
        }
        // A writer that takes the set's place removes what the record before named.
        if faults.is_empty() || before.as_ref() == Some(&held) || attempt == ATTEMPTS {
            objects.named += files.len();
            objects.intact += files.len() - faults.len();
            objects.faults.extend(faults);
            break;
        }
        before = Some(held);
    }
    Ok(())
}

/// What is wrong with an object.
async fn fault_of(bucket: &Bucket, file: &RecordFile) -> Result<Option<String>, Error> {
    let shown = bucket.location().shown(&file.key);
    Ok(match bucket.checksum(&file.key).await? {
        None => Some(format!("{shown} is missing")),
        Some(sha256) if sha256 != file.sha256 => {
            Some(format!("{shown} is damaged: its SHA-256 is {sha256}; expected {}", file.sha256))
        }
        Some(_) => None,
    })
}

/// What a push has found of sets that lie in the bucket already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Objects that were missing or damaged and were sent anew.
    pub mended: Vec<String>,
    /// Objects that are missing or damaged and were not sent, each with the remedy.
    pub faults: Vec<String>,
}

impl Storage {
    /// Looks at the objects of a record, of which `ours` are the paths and files here. With `repair` each is read, and sent
    /// again where it is not what the record says and ours is; without, one that is missing or of another size is named.
    pub(super) async fn look_after(
        &self,
        held: &Held,
        ours: &[(String, PathBuf)],
        repair: bool,
        found: &mut Found,
    ) -> anyhow::Result<()> {
        for file in &held.record.files {
            let fault = match repair {
                true => self.note(fault_of(&self.bucket, file).await)?,
                false => self.note(self.absent(file).await)?,
            };
            let Some(fault) = fault else { continue };
            let from = ours.iter().find(|(path, _)| *path == file.path).map(|(_, from)| from);
            match from {
                Some(from) if repair && streamflow_bucket::sha256_of(from)?.0 == file.sha256 => {
                    self.note(self.bucket.upload(from, &file.key).await)?;
                    found.mended.push(self.location().shown(&file.key));
                }
                _ if repair => found.faults.push(format!(
                    "{fault}; the working copy has another: push from one that has it, or ingest that month again"
                )),
                _ => found.faults.push(format!("{fault}; {REMEDY}")),
            }
        }
        Ok(())
    }

    /// What a look at an object without reading it finds wrong.
    async fn absent(&self, file: &RecordFile) -> Result<Option<String>, Error> {
        let shown = self.location().shown(&file.key);
        Ok(match self.bucket.head(&file.key).await? {
            None => Some(format!("{shown} is missing")),
            Some(object) if object.size_bytes != file.size_bytes => Some(format!(
                "{shown} is damaged: it has {} bytes; expected {}",
                object.size_bytes, file.size_bytes
            )),
            Some(_) => None,
        })
    }
}
