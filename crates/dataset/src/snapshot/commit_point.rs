//! Where a commit is decided elsewhere: a store that several machines share says yes or no before anything is visible here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::checksums::{CHANGED, sha256};
use crate::snapshot::commit::{self, Staging, locate, locate_validation};
use crate::snapshot::forgotten::FORGOTTEN;
use crate::snapshot::ledger::{self, LEDGER, Snapshot};
use crate::snapshot::snapshots::Snapshots;

/// Why a commit was refused elsewhere, in words for people.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// What is about to be committed.
#[derive(Debug)]
pub enum Publication<'a> {
    /// A date that is new or takes the place of another revision.
    Month {
        /// Its manifest.
        snapshot: &'a Snapshot,
        /// The results of its expectations.
        validation: &'a Value,
        /// The name of each table and its file, where it is now.
        files: Vec<(String, PathBuf)>,
    },
    /// A date that is to be removed.
    Removal {
        /// The date.
        as_of: Period,
    },
    /// The list of forgotten entities as it is to be.
    Forgotten {
        /// The document.
        list: &'a Value,
    },
}

type Decide = dyn Fn(&Publication<'_>) -> Result<(), Refusal> + Send + Sync;

/// Asked before every commit, which is made here when it says yes. It blocks as long as it takes.
#[derive(Clone)]
pub struct CommitPoint(Arc<Decide>);

impl CommitPoint {
    /// A commit point that this function decides.
    pub fn new(decide: impl Fn(&Publication<'_>) -> Result<(), Refusal> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(crate) fn ask(&self, publication: &Publication<'_>) -> Result<(), Error> {
        (self.0)(publication).map_err(Error::Refused)
    }
}

impl fmt::Debug for CommitPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitPoint")
    }
}

impl Snapshots {
    /// The same snapshots with a commit point: nothing becomes visible here that it has refused. Where the process stops
    /// after it has agreed, this directory has the old state, until somebody brings the new one.
    #[must_use]
    pub fn with_commit_point(mut self, commit_point: CommitPoint) -> Self {
        self.commit_point = Some(commit_point);
        self
    }

    /// A date with its validation and its files, as a publication has them; none where it is not ingested.
    ///
    /// # Errors
    /// [`Error::Ledger`], [`Error::Io`].
    #[allow(clippy::type_complexity)]
    pub fn published(
        &self,
        as_of: Period,
    ) -> Result<Option<(Snapshot, Value, Vec<(String, PathBuf)>)>, Error> {
        let Some(snapshot) = ledger::read(&self.snapshots, as_of)? else { return Ok(None) };
        let path = locate_validation(&self.snapshots, &snapshot);
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let validation = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Ledger { path, reason: error.to_string() })?;
        let files = files_of(&self.snapshots, &snapshot);
        Ok(Some((snapshot, validation, files)))
    }

    /// The list of forgotten entities as it lies there; none where nobody was forgotten.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Forgotten`].
    pub fn forgotten_list(&self) -> Result<Option<Value>, Error> {
        let path = self.snapshots.join(LEDGER).join(FORGOTTEN);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::Forgotten { path, reason: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Takes over a date that was committed elsewhere. `bring` puts the file of each table into the folder that it is
    /// given, as `TABLE.parquet`; a table whose file here has the checksum already may be left out. False where the date is
    /// that very one already.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a file that is not what the manifest says, [`Error::Refused`] with what `bring` says,
    /// [`Error::Locked`], [`Error::Io`]. After any error the date is what it was.
    pub fn take_over(
        &self,
        snapshot: &Snapshot,
        validation: &Value,
        bring: impl FnOnce(&Path) -> Result<(), Refusal>,
    ) -> Result<bool, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let current = match ledger::read(&self.snapshots, snapshot.as_of) {
            // What cannot be read is written anew.
            Err(Error::Ledger { .. }) => None,
            other => other?,
        };
        if current.as_ref() == Some(snapshot) {
            return Ok(false);
        }
        if current.is_some_and(|current| current.revision == snapshot.revision) {
            // Readers would take the staged files of a revision for those of another one with its number.
            commit::remove(&self.disk, &self.snapshots, snapshot.as_of)?;
        }
        let staging = Staging::create(self, snapshot.as_of, snapshot.revision)?;
        let taken = bring(staging.directory())
            .map_err(Error::Refused)
            .and_then(|()| self.check_brought(snapshot))
            .and_then(|()| staging.commit_here(snapshot, validation));
        if taken.is_err() {
            // Should this fail too, the next opening makes up for it.
            let _ = commit::recover(&self.disk, &self.snapshots);
        }
        taken.map(|()| true)
    }

    fn check_brought(&self, snapshot: &Snapshot) -> Result<(), Error> {
        for (table, path) in files_of(&self.snapshots, snapshot) {
            let expected = snapshot.tables.get(&table).and_then(|table| table.sha256.as_ref());
            let is_intact = match sha256(&path) {
                Ok(found) => expected.is_none_or(|expected| found == *expected),
                Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => false,
                Err(error) => return Err(error),
            };
            if !is_intact {
                let (as_of, reason) = (snapshot.as_of, CHANGED.to_string());
                return Err(Error::Damaged { table, as_of, reason, is_recorded: expected.is_some() });
            }
        }
        Ok(())
    }

    /// Removes a date that was removed elsewhere; false when there is none.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::Io`].
    pub fn withdraw(&self, as_of: Period) -> Result<bool, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        if !commit::exists(&ledger::manifest_path(&self.snapshots, as_of))? {
            return Ok(false);
        }
        commit::remove(&self.disk, &self.snapshots, as_of)?;
        Ok(true)
    }

    /// Takes over the list of forgotten entities.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::Io`].
    pub fn take_over_forgotten(&self, list: &Value) -> Result<(), Error> {
        let _lock = self.lock()?;
        commit::replace(&self.disk, &self.snapshots.join(LEDGER), FORGOTTEN, list)
    }
}

/// The name of each table of a manifest and its file, where it is now.
pub(crate) fn files_of(snapshots: &Path, snapshot: &Snapshot) -> Vec<(String, PathBuf)> {
    let file = |name: &String| Some((name.clone(), locate(snapshots, snapshot, name)?));
    snapshot.tables.keys().filter_map(file).collect()
}
