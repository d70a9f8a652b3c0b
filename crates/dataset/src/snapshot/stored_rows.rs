//! The rows of one table of a snapshot, as they are stored.

use crate::batches::TableRows;
use crate::error::Error;
use crate::format::CsvOptions;
use crate::period::Period;
use crate::snapshot::checksums::CHANGED;
use crate::snapshot::commit::locate;
use crate::snapshot::ledger::{self, Snapshot};
use crate::snapshot::snapshots::Snapshots;

impl Snapshots {
    /// The snapshot of a date, where it is ingested.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Ledger`].
    pub fn snapshot(&self, as_of: Period) -> Result<Option<Snapshot>, Error> {
        ledger::read(&self.snapshots, as_of)
    }

    /// The rows of a table of a snapshot in the order of its file, whose bytes are held against their checksum. Who reads
    /// several tables asks afterwards whether the snapshot is still the same: a replacement may have come between.
    ///
    /// # Errors
    /// [`Error::Damaged`], also for a file that is not there and for a table that the snapshot does not name;
    /// [`Error::Io`].
    pub fn stored_rows(&self, snapshot: &Snapshot, table: &str) -> Result<TableRows, Error> {
        let entry = snapshot.tables.get(table);
        let damaged = |reason: &str| Error::Damaged {
            table: table.to_owned(),
            as_of: snapshot.as_of,
            reason: reason.to_owned(),
            is_recorded: entry.is_some_and(|entry| entry.sha256.is_some()),
        };
        let (Some(entry), Some(path)) = (entry, locate(&self.snapshots, snapshot, table)) else {
            return Err(damaged("its ledger entry does not name the table"));
        };
        match self.checked.is_intact(&path, entry) {
            Ok(true) => TableRows::open(&path, CsvOptions::default()),
            Ok(false) => Err(damaged(CHANGED)),
            Err(gone) if gone.io_kind() == Some(std::io::ErrorKind::NotFound) => {
                Err(damaged("its file is not there"))
            }
            Err(other) => Err(other),
        }
    }
}
