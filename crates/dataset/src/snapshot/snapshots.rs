//! The snapshots in a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::checksums::Checked;
use crate::snapshot::commit::{self, Disk};
use crate::snapshot::commit_point::{CommitPoint, Publication};
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
    /// Asked before every commit, where somebody is.
    pub(crate) commit_point: Option<CommitPoint>,
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
        let (checked, commit_point) = (Checked::default(), None);
        let opened = Snapshots { data_dir, snapshots, spec, disk, checked, commit_point };
        match opened.lock() {
            Ok(_lock) => commit::recover(&opened.disk, &opened.snapshots)?,
            // The writer at work has recovered itself.
            Err(Error::Locked { .. }) => {}
            Err(other) => return Err(other),
        }
        Ok(opened)
    }

    /// The snapshots under `DATA_DIR/snapshots` as they lie there: nothing is made, finished or removed.
    ///
    /// # Errors
    /// [`Error::Spec`].
    pub fn look_at(data_dir: &Path, spec: DatasetSpec) -> Result<Snapshots, Error> {
        spec.validate()?;
        let (snapshots, data_dir) = (data_dir.join("snapshots"), data_dir.to_path_buf());
        let (disk, checked, commit_point) = (Disk::default(), Checked::default(), None);
        Ok(Snapshots { data_dir, snapshots, spec, disk, checked, commit_point })
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

    /// Removes the snapshot of a date, all at once; false when there is none. What later snapshots show is changed by it
    /// where one of them takes features from this one: see [`Snapshots::sources`].
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::Io`].
    pub fn remove(&self, as_of: Period) -> Result<bool, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        if !commit::exists(&ledger::manifest_path(&self.snapshots, as_of))? {
            return Ok(false);
        }
        self.ask(&Publication::Removal { as_of })?;
        commit::remove(&self.disk, &self.snapshots, as_of)?;
        Ok(true)
    }

    /// Asks whoever decides about commits, if anybody does.
    pub(crate) fn ask(&self, publication: &Publication<'_>) -> Result<(), Error> {
        self.disk.step()?;
        self.commit_point.as_ref().map_or(Ok(()), |point| point.ask(publication))
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;
    use crate::snapshot::commit::STOPPED;
    use crate::snapshot::point_in_time::PointInTime;

    /// Two dates of a table, of which the second leaves an entity out.
    fn two_months() -> (tempfile::TempDir, Snapshots, [Period; 2]) {
        let spec: DatasetSpec = serde_json::from_value(serde_json::json!({
            "entity": "id",
            "entity_table": "users",
            "label": { "table": "users", "column": "gone" },
            "features": ["hours"],
            "tables": {
                "users": { "columns": { "id": "string", "gone": "boolean" } },
                "usage": { "columns": { "id": "string", "hours": "float" } },
            }
        }))
        .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(directory.path(), spec).unwrap();
        let dates = ["2024-01-31", "2024-02-29"].map(|date| date.parse().unwrap());
        for (date, usage) in dates.iter().zip(["id,hours\na,1\nb,2\n", "id,hours\nb,7\n"]) {
            let drop = tempfile::tempdir().unwrap();
            fs::write(drop.path().join("users.csv"), "id,gone\na,0\nb,1\n").unwrap();
            fs::write(drop.path().join("usage.csv"), usage).unwrap();
            snapshots.ingest(drop.path(), *date, false, &mut |_| {}).unwrap();
        }
        (directory, snapshots, dates)
    }

    fn stop_before(snapshots: &Snapshots, step: u64) {
        snapshots.disk.steps.store(0, SeqCst);
        snapshots.disk.stop_before.store(step, SeqCst);
    }

    #[test]
    fn a_month_that_gives_features_to_a_later_one_is_among_its_sources() {
        let (_directory, snapshots, [first, second]) = two_months();
        assert_eq!(snapshots.sources(second).unwrap(), [first, second].into());
        assert_eq!(snapshots.sources(first).unwrap(), [first].into());
        let third: Period = "2024-03-31".parse().unwrap();
        let drop = tempfile::tempdir().unwrap();
        fs::write(drop.path().join("users.csv"), "id,gone\na,0\nb,1\n").unwrap();
        fs::write(drop.path().join("usage.csv"), "id,hours\na,3\nb,4\n").unwrap();
        snapshots.ingest(drop.path(), third, false, &mut |_| {}).unwrap();
        assert_eq!(snapshots.sources(third).unwrap(), [third].into());
    }

    #[test]
    #[allow(clippy::print_stdout)]
    fn a_removal_stopped_anywhere_leaves_the_month_or_nothing_of_it() {
        let mut faults = 0;
        for step in 1.. {
            let (directory, snapshots, [first, second]) = two_months();
            let whole = PointInTime { labels: true, exact: true };
            let before = snapshots.point_in_time(first, whole).unwrap();
            stop_before(&snapshots, step);
            match snapshots.remove(first) {
                Ok(removed) => {
                    assert!(removed && step > 8, "{step}");
                    println!("stops of removals: {faults} faults, 0 lost");
                    return;
                }
                Err(Error::Io { action: STOPPED, .. }) => faults += 1,
                Err(other) => panic!("{step}: {other}"),
            }
            let again = Snapshots::open(directory.path(), snapshots.spec.clone()).unwrap();
            assert!(again.verify().unwrap().is_intact(), "{step}");
            let dates: Vec<Period> = again.snapshots().unwrap().iter().map(|found| found.as_of).collect();
            match dates.len() {
                2 => assert_eq!(again.point_in_time(first, whole).unwrap(), before),
                _ => assert_eq!(dates, [second]),
            }
            again.remove(first).unwrap();
            assert!(!again.remove(first).unwrap());
            assert!(again.verify().unwrap().is_intact());
            assert!(!directory.path().join("snapshots/usage/as_of=2024-01-31").exists());
        }
    }
}
