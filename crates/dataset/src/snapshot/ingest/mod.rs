//! Turns a drop into the snapshot of a date: everything is read and checked first, and then committed
//! whole or not at all.

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
use crate::snapshot::ledger::{self, FORMAT, Snapshot};
use crate::snapshot::rows::Problems;
use crate::snapshot::snapshots::Snapshots;
use crate::snapshot::spec::DatasetSpec;
use reading::DropReading;
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
            let differences = differences(&spec, current, &sources);
            if differences.is_empty() && self.is_whole(current, replace)? {
                let snapshot = current.clone();
                let (outcome, ignored_files) = (Outcome::Unchanged, found.ignored);
                return Ok(IngestReport { outcome, snapshot, validation: None, ignored_files });
            }
            if !replace && !differences.is_empty() {
                return Err(Error::Differs { as_of, differences });
            }
        }
        let revision = current.as_ref().map_or(1, |current| current.revision + 1);
        let staging = Staging::create(self, as_of, revision)?;
        let (spec, disk) = (&*spec, &self.disk);
        // Without one nothing is forgotten, and no hash is asked for.
        let forgotten = Forgotten::read(&self.snapshots, "")?;
        let reading = DropReading {
            spec,
            at_all_dates: &self.spec,
            as_of,
            disk,
            directory,
            staging: &staging,
            forgotten: &forgotten,
            problems,
            progress,
        };
        let (snapshot, validation) = match self.commit(reading, &sources, as_of, revision) {
            Ok(committed) => committed,
            Err(error) => {
                // Should this fail too, the next opening makes up for it.
                let _ = commit::recover(&self.disk, &self.snapshots);
                return Err(error);
            }
        };
        let outcome = match &current {
            None => Outcome::Created,
            Some(current) if differences(spec, current, &sources).is_empty() => Outcome::Mended,
            Some(_) => Outcome::Replaced,
        };
        Ok(IngestReport { outcome, snapshot, validation: Some(validation), ignored_files: found.ignored })
    }

    /// What the date holds.
    fn current(&self, as_of: Period, replace: bool) -> Result<Option<Snapshot>, Error> {
        match ledger::read(&self.snapshots, as_of) {
            // Nothing is known of what it holds, so it takes a replacement to write it anew.
            Err(Error::Ledger { .. }) if replace => Ok(None),
            other => other,
        }
    }

    fn commit(
        &self,
        mut reading: DropReading,
        sources: &[Source],
        as_of: Period,
        revision: u64,
    ) -> Result<(Snapshot, Validation), Error> {
        let (tables, validation) = reading.tables(sources)?;
        let snapshot = Snapshot {
            format: FORMAT,
            as_of,
            entity: Some(self.spec.entity.clone()),
            revision,
            validation: Snapshot::validation_path(as_of),
            tables,
        };
        reading.staging.commit(&snapshot, &validation.to_json())?;
        Ok((snapshot, validation))
    }
}

/// What a drop would change, in words; nothing when it is the one ingested.
fn differences(spec: &DatasetSpec, current: &Snapshot, sources: &[Source]) -> Vec<String> {
    let mut differences = Vec::new();
    for source in sources {
        let name = &source.file.table;
        let Some(table) = current.tables.get(name) else {
            differences.push(format!("{name} (not ingested then)"));
            continue;
        };
        if table.source_sha256 != source.sha256 {
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
