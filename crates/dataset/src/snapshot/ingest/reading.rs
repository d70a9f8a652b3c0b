//! Reads the files of a drop into its staging directory: one pass over each checks and writes it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Progress;
use super::label_check::LabelCheck;
use super::source::Source;
use crate::cell::Cell;
use crate::error::Error;
use crate::period::Period;
use crate::problem::{Position, ProblemKind};
use crate::snapshot::commit::{Disk, Staging};
use crate::snapshot::drop_table;
use crate::snapshot::expectations::{ExpectationResult, TableCheck, Validation};
use crate::snapshot::fingerprint::{Entities, fingerprint};
use crate::snapshot::forgotten::Forgotten;
use crate::snapshot::ledger::{Snapshot, SnapshotTable};
use crate::snapshot::rows::{Problems, Rows, Target};
use crate::snapshot::spec::DatasetSpec;
use crate::snapshot::writer::{SnapshotWriter, Written};

/// The reading of a drop into its staging directory.
pub(super) struct DropReading<'a> {
    /// As of the date.
    pub(super) spec: &'a DatasetSpec,
    pub(super) at_all_dates: &'a DatasetSpec,
    pub(super) as_of: Period,
    pub(super) disk: &'a Disk,
    pub(super) directory: &'a Path,
    pub(super) staging: &'a Staging<'a>,
    pub(super) forgotten: &'a Forgotten,
    pub(super) problems: Problems,
    pub(super) progress: &'a mut dyn FnMut(Progress),
}

impl DropReading<'_> {
    /// Reads, checks and stages every table; the entity table is the first source.
    pub(super) fn tables(
        &mut self,
        sources: &[Source],
    ) -> Result<(BTreeMap<String, SnapshotTable>, Validation), Error> {
        let mut tables = BTreeMap::new();
        let mut results = Vec::new();
        let mut entities = Entities::new();
        let total_bytes = sources.iter().map(|source| source.size_bytes).sum();
        let mut done_bytes = 0;
        for source in sources {
            let name = &source.file.table;
            let outcome = self.table(source, &entities, done_bytes, total_bytes)?;
            done_bytes += source.size_bytes;
            if *name == self.spec.entity_table {
                entities = outcome.entities.into_keys().collect();
            }
            results.extend(outcome.results);
            let entry = SnapshotTable {
                source: source.name(),
                source_sha256: source.sha256.clone(),
                source_size_bytes: source.size_bytes,
                rows: outcome.rows,
                forgotten_rows: outcome.forgotten_rows,
                path: Snapshot::table_path(name, self.as_of),
                size_bytes: outcome.written.size_bytes,
                sha256: Some(outcome.written.sha256),
                columns: Snapshot::columns(&self.spec.tables[name]),
            };
            tables.insert(name.clone(), entry);
        }
        if self.problems.count > 0 {
            return Err(Error::Rejected {
                directory: self.directory.to_path_buf(),
                problems: std::mem::take(&mut self.problems.shown),
                count: self.problems.count,
            });
        }
        let validation = Validation { results };
        if !validation.success() {
            return Err(Error::ExpectationsFailed(Box::new(validation)));
        }
        Ok((tables, validation))
    }

    fn table(
        &mut self,
        source: &Source,
        entities: &Entities,
        done_bytes: u64,
        total_bytes: u64,
    ) -> Result<TableOutcome, Error> {
        let DropReading {
            spec: dataset,
            at_all_dates,
            as_of,
            disk,
            staging,
            forgotten,
            problems,
            progress,
            ..
        } = self;
        let name = source.file.table.as_str();
        let spec = &dataset.tables[name];
        let file = source.name();
        let (at_all_dates, as_of) = (&at_all_dates.tables[name], *as_of);
        let target = Target { table: name, file: &file, key: &dataset.entity, spec, at_all_dates, as_of };
        let mut check = TableCheck::new(name, spec, entities);
        let mut entities = FirstRows::default();
        let mut labels = LabelCheck::new(&dataset.label, name);
        let mut writer = SnapshotWriter::new(disk, staging.table_path(name));
        let mut forgotten_rows = 0;
        let mut sink = |rows: Rows, bytes: u64, problems: &mut Problems| {
            let last_row = rows.first_row + rows.batch.num_rows() as u64;
            let rows = if forgotten.is_empty() {
                rows
            } else {
                let kept = forgotten.kept(&rows.key_cells(target.key), rows.batch.num_rows());
                forgotten_rows += kept.false_count() as u64;
                rows.filtered(&kept)?
            };
            entities.add(&rows, &target, problems);
            if let Some(labels) = &mut labels {
                labels.add(&rows, &target, problems);
            }
            check.update(&rows);
            writer.write(&rows.batch)?;
            let rows = last_row;
            let bytes = done_bytes + bytes.min(source.size_bytes);
            progress(Progress { table: name, rows, bytes, total_bytes });
            Ok(())
        };
        let before = problems.count;
        let rows = drop_table::read(&source.file.path, &target, problems, &mut sink)?;
        if rows == 0 && *name == dataset.entity_table && problems.count == before {
            problems.push(target.problem(None, None, ProblemKind::NoEntities));
        }
        if source.has_changed()? {
            problems.push(target.problem(None, None, ProblemKind::Changed));
        }
        let written = writer.finish()?;
        let rows = rows - forgotten_rows;
        Ok(TableOutcome { rows, forgotten_rows, written, entities: entities.first, results: check.finish() })
    }
}

/// What became of one table.
struct TableOutcome {
    rows: u64,
    forgotten_rows: u64,
    written: Written,
    entities: HashMap<u128, Position>,
    results: Vec<ExpectationResult>,
}

/// The first row of each entity of a table, which may have no other.
#[derive(Default)]
struct FirstRows {
    first: HashMap<u128, Position>,
}

impl FirstRows {
    fn add(&mut self, rows: &Rows, target: &Target, problems: &mut Problems) {
        let cells = rows.key_cells(target.key);
        for row in 0..rows.batch.num_rows() {
            cells.with(row, |cell| {
                if cell == Cell::Missing {
                    return;
                }
                let position = rows.position(row);
                let first = *self.first.entry(fingerprint(cell)).or_insert(position);
                if first != position {
                    let kind = ProblemKind::DuplicateEntity { value: cell.to_text(), first };
                    problems.push(target.problem(Some(position), Some(&target.key.to_string()), kind));
                }
            });
        }
    }
}
