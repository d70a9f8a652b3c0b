//! The snapshots in a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::checksums::Checked;
use crate::snapshot::commit::{self, Disk};
use crate::snapshot::ledger::{self, LEDGER, Snapshot};
use crate::snapshot::spec::DatasetSpec;

/// The snapshots of a dataset.
///
/// Reading takes no lock: what the ledger names is complete, and a read that a replacement has
/// overtaken is made again. Writing takes the lock file of the data directory.
#[derive(Debug)]
pub struct Snapshots {
    data_dir: PathBuf,
    pub(crate) snapshots: PathBuf,
    pub(crate) spec: DatasetSpec,
    pub(crate) disk: Disk,
    pub(crate) checked: Checked,
}

impl Snapshots {
    /// Opens the snapshots under `DATA_DIR/snapshots`, makes its directories where they are missing, and
    /// finishes an ingest that a crash has cut off.
    ///
    /// # Errors
    /// [`Error::Spec`], [`Error::Io`], or [`Error::Ledger`] when a manifest is damaged.
    pub fn open(data_dir: &Path, spec: DatasetSpec) -> Result<Snapshots, Error> {
        spec.validate()?;
        let snapshots = data_dir.join("snapshots");
        let ledger = snapshots.join(LEDGER);
        std::fs::create_dir_all(&ledger).map_err(Error::io("create", ledger))?;
        let (data_dir, disk) = (data_dir.to_path_buf(), Disk::default());
        let opened = Snapshots { data_dir, snapshots, spec, disk, checked: Checked::default() };
        match opened.lock() {
            Ok(_lock) => commit::recover(&opened.disk, &opened.snapshots)?,
            // The writer at work has recovered itself.
            Err(Error::Locked { .. }) => {}
            Err(other) => return Err(other),
        }
        Ok(opened)
    }

    /// The configuration it was opened with.
    pub fn spec(&self) -> &DatasetSpec {
        &self.spec
    }

    /// Every ingested date, ascending.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Ledger`].
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        Ok(ledger::read_all(&self.snapshots)?.into_values().collect())
    }

    /// The last ingested date, if any.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Ledger`].
    pub fn newest(&self) -> Result<Option<Period>, Error> {
        Ok(ledger::read_all(&self.snapshots)?.into_keys().next_back())
    }

    /// The lock of writers, held as long as the file is open; it ends with the process, however that
    /// ends.
    ///
    /// # Errors
    /// [`Error::Locked`] when another writer holds it.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.data_dir.join(".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path }),
            Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
        }
    }
}
