//! Turns a drop into the snapshot of a date: everything is read and checked first, and then committed
//! whole or not at all.

mod intake;
mod label_check;
mod reading;
mod source;

use std::path::Path;

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::commit::{self, Staging};
use crate::snapshot::drop_files;
use crate::snapshot::expectations::Validation;
use crate::snapshot::forgotten::Forgotten;
use crate::snapshot::ledger::{self, FORMAT, Snapshot, SnapshotTable};
use crate::snapshot::rows::Problems;
use crate::snapshot::snapshots::Snapshots;
use crate::snapshot::spec::DatasetSpec;
pub use intake::{RowDrop, TableIntake};
use reading::{DropReading, Staged};
use source::Source;

/// How far an ingest has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The table at hand.
    pub table: &'a str,
    /// Its rows so far.
    pub rows: u64,
    /// Bytes read so far, of all files.
    pub bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestReport {
    /// What became of the date.
    pub outcome: Outcome,
    /// The date as it is now.
    pub snapshot: Snapshot,
    /// The results of the expectations; `None` when nothing was read because nothing had changed.
    pub validation: Option<Validation>,
    /// Files of the drop that belong to no table, which were left alone.
    pub ignored_files: Vec<String>,
}

/// What became of the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It holds other data now.
    Replaced,
    /// It held this very drop already.
    Unchanged,
    /// It held this very drop already, with files that were damaged or missing and are written again.
    Mended,
}

impl Snapshots {
    /// Validates the drop in `directory` and commits it as the snapshot of `as_of`, whole or not at
    /// all. The same drop twice changes nothing, unless files of the first are damaged or missing, which are then
    /// written again; another one is refused unless `replace`. With it, files without a checksum are written again too.
    ///
    /// # Errors
    /// [`Error::Rejected`] or [`Error::ExpectationsFailed`] with all that is wrong,
    /// [`Error::Differs`], [`Error::Locked`], [`Error::Io`]. After any error the snapshots are as they
    /// were.
    ///
    /// # Cost
    /// One pass over each file and one more for its hash; memory for the entities (about 100 bytes
    /// each) and for the distinct values of columns that must be unique.
    pub fn ingest(
        &self,
        directory: &Path,
        as_of: Period,
        replace: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<IngestReport, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let spec = self.spec.at(as_of);
        let found = drop_files::find(directory, &spec)?;
        let sources = found.files.into_iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
        let mut problems = Problems::default();
        found.problems.into_iter().for_each(|problem| problems.push(problem));

        let current = self.current(as_of, replace)?;
        if let Some(current) = current.as_ref().filter(|_| problems.count == 0) {
            let came = sources.iter().map(Content::of_source);
            if let Some(snapshot) = self.unchanged(current, &spec, came, replace)? {
                let (outcome, ignored_files) = (Outcome::Unchanged, found.ignored);
                return Ok(IngestReport { outcome, snapshot, validation: None, ignored_files });
            }
        }
        let arrival = Arrival { as_of, current, replace, problems, name: directory.display().to_string() };
        let mut report = self.commit(arrival, progress, |reading| reading.files(&sources))?;
        report.ignored_files = found.ignored;
        Ok(report)
    }

    /// The same of a drop that comes row by row. The same rows in the same order under the same columns are the same drop,
    /// and so is one whose tables come to the bytes that are there.
    ///
    /// # Errors
    /// As [`Snapshots::ingest`], and those of the feed. All of the drop is read before it is known to be the same.
    pub fn ingest_rows(
        &self,
        drop: RowDrop<'_>,
        as_of: Period,
        replace: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<IngestReport, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let (problems, name) = (Problems::default(), drop.name.clone());
        let arrival = Arrival { as_of, current: self.current(as_of, replace)?, replace, problems, name };
        self.commit(arrival, progress, |reading| reading.rows(drop))
    }

    /// What the date holds.
    fn current(&self, as_of: Period, replace: bool) -> Result<Option<Snapshot>, Error> {
        match ledger::read(&self.snapshots, as_of) {
            // Nothing is known of what it holds, so it takes a replacement to write it anew.
            Err(Error::Ledger { .. }) if replace => Ok(None),
            other => other,
        }
    }

    /// What the date holds, where that is what comes.
    ///
    /// # Errors
    /// [`Error::Differs`] where it is not, and may not be replaced.
    fn unchanged<'a>(
        &self,
        current: &Snapshot,
        spec: &DatasetSpec,
        came: impl Iterator<Item = Content<'a>>,
        replace: bool,
    ) -> Result<Option<Snapshot>, Error> {
        let differences = differences(spec, current, came);
        if differences.is_empty() && self.is_whole(current, replace)? {
            return Ok(Some(current.clone()));
        }
        if !replace && !differences.is_empty() {
            return Err(Error::Differs { as_of: current.as_of, differences });
        }
        Ok(None)
    }

    /// Stages what `read` gives and commits it, or leaves everything as it was.
    fn commit(
        &self,
        arrival: Arrival,
        progress: &mut dyn FnMut(Progress),
        read: impl FnOnce(&mut DropReading) -> Result<Staged, Error>,
    ) -> Result<IngestReport, Error> {
        let report = self.stage(arrival, progress, read);
        if !matches!(&report, Ok(report) if report.outcome != Outcome::Unchanged) {
            // Should this fail too, the next opening makes up for it.
            let _ = commit::recover(&self.disk, &self.snapshots);
        }
        report
    }

    fn stage(
        &self,
        arrival: Arrival,
        progress: &mut dyn FnMut(Progress),
        read: impl FnOnce(&mut DropReading) -> Result<Staged, Error>,
    ) -> Result<IngestReport, Error> {
        let Arrival { as_of, current, replace, problems, name } = arrival;
        let spec = self.spec.at(as_of);
        let revision = current.as_ref().map_or(1, |current| current.revision + 1);
        let staging = Staging::create(self, as_of, revision)?;
        // Without one nothing is forgotten, and no hash is asked for.
        let forgotten = Forgotten::read(&self.snapshots, "")?;
        let mut reading = DropReading {
            spec: &spec,
            at_all_dates: &self.spec,
            as_of,
            disk: &self.disk,
            name: &name,
            staging: &staging,
            forgotten: &forgotten,
            problems,
            progress,
        };
        let (tables, validation) = read(&mut reading)?;
        let came = || tables.iter().map(|(name, table)| Content::of_table(name, table));
        let mut outcome = Outcome::Created;
        if let Some(current) = &current {
            let ignored_files = Vec::new();
            if let Some(snapshot) = self.unchanged(current, &spec, came(), replace)? {
                let (outcome, validation) = (Outcome::Unchanged, None);
                return Ok(IngestReport { outcome, snapshot, validation, ignored_files });
            }
            let is_same = differences(&spec, current, came()).is_empty();
            outcome = if is_same { Outcome::Mended } else { Outcome::Replaced };
        }
        let snapshot = Snapshot {
            format: FORMAT,
            as_of,
            entity: Some(self.spec.entity.clone()),
            revision,
            validation: Snapshot::validation_path(as_of),
            tables,
        };
        staging.commit(&snapshot, &validation.to_json())?;
        Ok(IngestReport { outcome, snapshot, validation: Some(validation), ignored_files: Vec::new() })
    }
}

/// A drop that has come and is to be read.
struct Arrival {
    as_of: Period,
    /// What the date holds.
    current: Option<Snapshot>,
    replace: bool,
    problems: Problems,
    /// The drop, as messages have it.
    name: String,
}

/// What a table of a drop holds, by its checksums.
struct Content<'a> {
    table: &'a str,
    source_sha256: &'a str,
    /// Of the file that it becomes, where that is known.
    sha256: Option<&'a str>,
}

impl<'a> Content<'a> {
    fn of_source(source: &'a Source) -> Self {
        Content { table: &source.file.table, source_sha256: &source.sha256, sha256: None }
    }

    fn of_table(name: &'a str, table: &'a SnapshotTable) -> Self {
        Content { table: name, source_sha256: &table.source_sha256, sha256: table.sha256.as_deref() }
    }

    fn is_that_of(&self, table: &SnapshotTable) -> bool {
        table.source_sha256 == self.source_sha256
            || (self.sha256.is_some() && table.sha256.as_deref() == self.sha256)
    }
}

/// What a drop would change, in words; nothing when it is the one ingested.
fn differences<'a>(
    spec: &DatasetSpec,
    current: &Snapshot,
    came: impl Iterator<Item = Content<'a>>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for content in came {
        let name = content.table;
        let Some(table) = current.tables.get(name) else {
            differences.push(format!("{name} (not ingested then)"));
            continue;
        };
        if !content.is_that_of(table) {
            differences.push(format!("{name} (other content)"));
        } else if table.columns != Snapshot::columns(&spec.tables[name]) {
            differences.push(format!("{name} (columns declared otherwise)"));
        }
    }
    let dropped = current.tables.keys().filter(|name| !spec.tables.contains_key(*name));
    differences.extend(dropped.map(|name| format!("{name} (not configured any more)")));
    differences
}

#[cfg(test)]
mod tests;
