//! Reads the files of a drop into its staging directory: one pass over each checks and writes it.

use std::collections::{BTreeMap, HashMap};

use super::Progress;
use super::intake::{Came, RowDrop, TableIntake};
use super::label_check::LabelCheck;
use super::source::Source;
use crate::cell::Cell;
use crate::error::Error;
use crate::period::Period;
use crate::problem::{Position, ProblemKind};
use crate::snapshot::commit::{Disk, Staging};
use crate::snapshot::drop_table::{self, Sink};
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
    /// The drop, as messages have it.
    pub(super) name: &'a str,
    pub(super) staging: &'a Staging<'a>,
    pub(super) forgotten: &'a Forgotten,
    pub(super) problems: Problems,
    pub(super) progress: &'a mut dyn FnMut(Progress),
}

/// Every table of a drop, staged and found good.
pub(super) type Staged = (BTreeMap<String, SnapshotTable>, Validation);

/// What gives the rows of a table.
type Read<'a> = &'a mut dyn FnMut(&Target, &mut Problems, Sink) -> Result<Came, Error>;

/// Where the rows of a table come from.
struct Origin<'a> {
    table: &'a str,
    /// As messages have it.
    name: &'a str,
    /// Whether a row of it is found by its entity, and not by its position.
    names_entities: bool,
    /// Bytes of the tables before it, its own, and those of all: 0 where nobody knows.
    done_bytes: u64,
    size_bytes: u64,
    total_bytes: u64,
}

impl DropReading<'_> {
    /// Reads, checks and stages every table; the entity table is the first source.
    pub(super) fn files(&mut self, sources: &[Source]) -> Result<Staged, Error> {
        let mut tables = Tables::default();
        let total_bytes = sources.iter().map(|source| source.size_bytes).sum();
        let mut done_bytes = 0;
        for source in sources {
            let (table, name, size_bytes) = (&source.file.table, &source.name(), source.size_bytes);
            let origin = Origin { table, name, names_entities: false, done_bytes, size_bytes, total_bytes };
            let mut read = |target: &Target, problems: &mut Problems, sink: Sink| {
                let rows = drop_table::read(&source.file.path, target, problems, sink)?;
                if source.has_changed()? {
                    problems.push(target.problem(None, None, ProblemKind::Changed));
                }
                Ok(Came { rows, sha256: source.sha256.clone(), size_bytes })
            };
            self.table(&origin, &mut tables, &mut read)?;
            done_bytes += size_bytes;
        }
        self.judged(tables)
    }

    /// The same of a drop that comes row by row.
    pub(super) fn rows(&mut self, drop: RowDrop<'_>) -> Result<Staged, Error> {
        let mut tables = Tables::default();
        let mut done_bytes = 0;
        for table in self.spec.in_order() {
            let name = drop.origins.get(table).map_or(table, String::as_str);
            let origin = Origin {
                table,
                name,
                names_entities: true,
                done_bytes,
                size_bytes: u64::MAX,
                total_bytes: 0,
            };
            let mut read = |target: &Target, problems: &mut Problems, sink: Sink| {
                let mut intake = TableIntake::new(target, problems, sink);
                (drop.feed)(&mut intake)?;
                intake.finish()
            };
            done_bytes += self.table(&origin, &mut tables, &mut read)?;
        }
        self.judged(tables)
    }

    /// The tables, where nothing is wrong with any of them.
    fn judged(&mut self, tables: Tables) -> Result<Staged, Error> {
        if self.problems.count > 0 {
            return Err(Error::Rejected {
                name: self.name.to_owned(),
                problems: std::mem::take(&mut self.problems.shown),
                count: self.problems.count,
            });
        }
        let validation = Validation { results: tables.results };
        if !validation.success() {
            return Err(Error::ExpectationsFailed(Box::new(validation)));
        }
        Ok((tables.entries, validation))
    }

    /// Stages one table; the bytes that came of it.
    fn table(&mut self, origin: &Origin, tables: &mut Tables, read: Read) -> Result<u64, Error> {
        let name = origin.table;
        let outcome = self.stage(origin, &tables.entities, read)?;
        if *name == self.spec.entity_table {
            tables.entities = outcome.entities.into_keys().collect();
        }
        tables.results.extend(outcome.results);
        let size_bytes = outcome.came.size_bytes;
        let entry = SnapshotTable {
            source: origin.name.to_owned(),
            source_sha256: outcome.came.sha256,
            source_size_bytes: size_bytes,
            rows: outcome.came.rows - outcome.forgotten_rows,
            forgotten_rows: outcome.forgotten_rows,
            path: Snapshot::table_path(name, self.as_of),
            size_bytes: outcome.written.size_bytes,
            sha256: Some(outcome.written.sha256),
            columns: Snapshot::columns(&self.spec.tables[name]),
        };
        tables.entries.insert(name.to_owned(), entry);
        Ok(size_bytes)
    }

    fn stage(&mut self, origin: &Origin, entities: &Entities, read: Read) -> Result<TableOutcome, Error> {
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
        let name = origin.table;
        let spec = &dataset.tables[name];
        let target = Target {
            table: name,
            file: origin.name,
            key: &dataset.entity,
            spec,
            at_all_dates: &at_all_dates.tables[name],
            as_of: *as_of,
            names_entities: origin.names_entities,
        };
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
            let bytes = origin.done_bytes + bytes.min(origin.size_bytes);
            progress(Progress { table: name, rows, bytes, total_bytes: origin.total_bytes });
            Ok(())
        };
        let before = problems.count;
        let came = read(&target, problems, &mut sink)?;
        if came.rows == 0 && *name == dataset.entity_table && problems.count == before {
            problems.push(target.problem(None, None, ProblemKind::NoEntities));
        }
        let written = writer.finish()?;
        let results = check.finish();
        Ok(TableOutcome { came, forgotten_rows, written, entities: entities.first, results })
    }
}

/// The tables so far.
#[derive(Default)]
struct Tables {
    entries: BTreeMap<String, SnapshotTable>,
    results: Vec<ExpectationResult>,
    /// Those of the entity table.
    entities: Entities,
}

/// What became of one table.
struct TableOutcome {
    came: Came,
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
