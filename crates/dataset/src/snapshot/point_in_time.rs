//! The table that a model may see at a date: no row knows anything from after it.
//!
//! A snapshot has at most one row of an entity in each table, so no query is needed: the rows of the
//! result are the sorted entities of the newest snapshot, and each table writes the values of its
//! newest rows into their places, the newest snapshot first, until no place is left.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, StringArray};
use rayon::prelude::*;

use crate::cell::Cells;
use crate::column_type::ColumnType;
use crate::entity_key::{EntityKey, KeyCells};
use crate::error::Error;
use crate::format::columnar::header;
use crate::format::parquet::Footer;
use crate::period::Period;
use crate::snapshot::checksums::{CHANGED, Checked};
use crate::snapshot::commit::locate;
use crate::snapshot::entity_index::{EntityIndex, NOWHERE};
use crate::snapshot::frame::{Column, Frame, Values};
use crate::snapshot::label::Label;
use crate::snapshot::ledger::{self, Snapshot};
use crate::snapshot::slots::Slots;
use crate::snapshot::snapshots::Snapshots;
use crate::snapshot::spec::DatasetSpec;

/// What a point-in-time table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointInTime {
    /// Whether the label is the last column.
    pub labels: bool,
    /// Whether the date itself must have been ingested; otherwise the last one before it will do.
    pub exact: bool,
}

/// How often a read is made again because a replacement has overtaken it.
const ATTEMPTS: usize = 32;

impl Snapshots {
    /// What was known at the end of `as_of`: one row for each entity of the entity table in the last
    /// snapshot at or before the date, ascending by entity, or by its text where its key has several columns.
    ///
    /// The columns are those of the key, the features in the configured order and, if asked for, the label.
    /// A feature has the value of the entity's last row at or before the date in the feature's table,
    /// so an entity that a later snapshot of that table leaves out keeps its older row; without any
    /// row it is missing. The label is that of the snapshot of exactly `as_of`, else missing.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`] naming the dates that exist; [`Error::SnapshotColumn`] when the last
    /// snapshot was ingested under another configuration; [`Error::Io`]; [`Error::Damaged`].
    ///
    /// # Cost
    /// Reads the configured columns of the last snapshot of each table, and older ones only while an
    /// entity has no row yet. Beside the result it holds the entities and one batch of each table.
    pub fn point_in_time(&self, as_of: Period, options: PointInTime) -> Result<Frame, Error> {
        self.consistently(|ledger| self.tables(ledger, as_of, options.exact)?.frame(as_of, options))
    }

    /// The dates whose rows stand in the point-in-time table of exactly `as_of`, that date included: without one of them
    /// the table would be another.
    ///
    /// # Errors
    /// As [`Snapshots::point_in_time`].
    ///
    /// # Cost
    /// Reads the entities of the last snapshot of each table, and of older ones only while one has no row yet.
    pub fn sources(&self, as_of: Period) -> Result<BTreeSet<Period>, Error> {
        self.consistently(|ledger| self.tables(ledger, as_of, true)?.sources())
    }

    /// Reads as of one state of the ledger.
    fn consistently<T>(
        &self,
        read: impl Fn(&BTreeMap<Period, Snapshot>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut overtaken = Error::Overtaken { attempts: ATTEMPTS };
        for _ in 0..ATTEMPTS {
            let ledger = ledger::read_all(&self.snapshots)?;
            match read(&ledger) {
                // The file was moved to its place meanwhile, or is lost.
                Err(gone @ Error::Io { .. }) if gone.io_kind() == Some(ErrorKind::NotFound) => {
                    overtaken = gone;
                }
                // Files of a date that was replaced meanwhile may be of both revisions.
                _ if ledger::read_all(&self.snapshots)? != ledger => {}
                result => return result,
            }
        }
        Err(overtaken)
    }

    /// What is known now: the point-in-time table of the newest date without the label, and the date;
    /// `None` when nothing was ingested yet.
    ///
    /// # Errors
    /// As [`Snapshots::point_in_time`].
    pub fn online_features(&self) -> Result<Option<(Period, Frame)>, Error> {
        let Some(as_of) = self.newest()? else { return Ok(None) };
        let frame = self.point_in_time(as_of, PointInTime { labels: false, exact: true })?;
        Ok(Some((as_of, frame)))
    }

    fn tables<'a>(
        &'a self,
        ledger: &'a BTreeMap<Period, Snapshot>,
        as_of: Period,
        exact: bool,
    ) -> Result<Tables<'a>, Error> {
        let newest = ledger.range(..=as_of).next_back().map(|(_, snapshot)| snapshot);
        let Some(newest) = newest.filter(|snapshot| !exact || snapshot.as_of == as_of) else {
            let available = ledger.keys().copied().collect();
            return Err(Error::NoSnapshot { as_of, exact, available });
        };
        let spec = self.spec.at(newest.as_of);
        check_columns(&spec, newest)?;
        let Self { snapshots, checked, .. } = self;
        Ok(Tables { snapshots, spec, ledger, newest, checked })
    }
}

/// The last snapshot must have all that is configured now.
fn check_columns(spec: &DatasetSpec, newest: &Snapshot) -> Result<(), Error> {
    let label = [(spec.label.table.as_str(), spec.label.column.as_str())];
    let features =
        spec.features.iter().filter_map(|feature| Some((spec.table_of(feature)?, feature.as_str())));
    let needed: Vec<(&str, &str)> = features.chain(label).collect();
    let tables = needed.iter().map(|(table, _)| *table).chain([spec.entity_table.as_str()]);
    let keys = tables.flat_map(|table| spec.entity.columns().iter().map(move |part| (table, part.as_str())));
    for (table, column) in needed.iter().copied().chain(keys) {
        if !has(newest, spec, table, column) {
            let (table, column) = (table.to_string(), column.to_string());
            return Err(Error::SnapshotColumn { table, as_of: newest.as_of, column });
        }
    }
    Ok(())
}

fn has(snapshot: &Snapshot, spec: &DatasetSpec, table: &str, column: &str) -> bool {
    let found = snapshot.tables.get(table).and_then(|table| table.columns.get(column));
    found.is_some() && found.copied() == spec.column_type(table, column)
}

/// The snapshots that one read sees.
struct Tables<'a> {
    snapshots: &'a Path,
    /// As of the newest.
    spec: Cow<'a, DatasetSpec>,
    ledger: &'a BTreeMap<Period, Snapshot>,
    newest: &'a Snapshot,
    checked: &'a Checked,
}

/// Columns of one table that are wanted in the result.
struct Wanted<'a> {
    table: &'a str,
    columns: Vec<&'a str>,
    /// Whether a row of an older snapshot stands in for one that is not there.
    older: bool,
}

impl Tables<'_> {
    fn frame(&self, as_of: Period, options: PointInTime) -> Result<Frame, Error> {
        let spec = &*self.spec;
        let index = self.entities()?;
        let mut wanted = self.features();
        let key = &spec.entity;
        if key.single().is_none() {
            let columns = key.columns().iter().map(String::as_str).collect();
            wanted.push(Wanted { table: &spec.entity_table, columns, older: false });
        }
        let labelled = options.labels && self.newest.as_of == as_of;
        if labelled {
            let Label { table, column, .. } = &spec.label;
            wanted.push(Wanted { table, columns: vec![column], older: false });
        }
        let filled: Vec<Vec<Values>> =
            wanted.par_iter().map(|wanted| self.fill(wanted, &index)).collect::<Result<_, _>>()?;
        let names = wanted.iter().flat_map(|wanted| &wanted.columns).map(|name| name.to_string());
        let mut found: BTreeMap<String, Values> = names.zip(filled.into_iter().flatten()).collect();
        let rows = index.len();
        let mut columns = Vec::with_capacity(found.len() + 2);
        if let Some(column) = key.single() {
            found.insert(column.to_string(), index.into_values());
        }
        for feature in
            key.columns().iter().chain(&spec.features).chain(labelled.then_some(&spec.label.column))
        {
            let values = found.remove(feature).expect("each column belongs to a table, which was read");
            columns.push(Column { name: feature.clone(), values });
        }
        if options.labels && !labelled {
            let values = Values::Boolean(vec![None; rows]);
            columns.push(Column { name: spec.label.column.clone(), values });
        }
        Ok(Frame { columns, rows })
    }

    /// The tables that have features.
    fn features(&self) -> Vec<Wanted<'_>> {
        let tables = self.spec.tables.keys();
        let wanted = tables.map(|table| Wanted { table, columns: self.features_of(table), older: true });
        wanted.filter(|wanted| !wanted.columns.is_empty()).collect()
    }

    /// The dates of the rows that the features are taken from.
    fn sources(&self) -> Result<BTreeSet<Period>, Error> {
        let index = self.entities()?;
        let mut sources = BTreeSet::from([self.newest.as_of]);
        for wanted in self.features() {
            let mut places = index.places();
            for snapshot in self.snapshots_of(&wanted) {
                if places.is_full() {
                    break;
                }
                places.restart();
                self.read(snapshot, wanted.table, &[], |rows| {
                    let taken = places.take(&rows.entities).map_err(|reason| rows.damaged(reason))?;
                    if taken.iter().any(|row| *row != NOWHERE) {
                        sources.insert(snapshot.as_of);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(sources)
    }

    /// The snapshots in which the values of a table are looked for, the newest first.
    fn snapshots_of(&self, wanted: &Wanted) -> impl Iterator<Item = &Snapshot> {
        let key = self.spec.entity.columns();
        let has_all = move |snapshot: &&Snapshot| {
            let mut needed = wanted.columns.iter().copied().chain(key.iter().map(String::as_str));
            needed.all(|column| has(snapshot, &self.spec, wanted.table, column))
        };
        let older = self.ledger.range(..self.newest.as_of).rev().map(|(_, snapshot)| snapshot);
        let older = older.filter(has_all).take(if wanted.older { usize::MAX } else { 0 });
        std::iter::once(self.newest).chain(older)
    }

    fn features_of(&self, table: &str) -> Vec<&str> {
        let features = self.spec.features.iter();
        features.filter(|feature| self.spec.table_of(feature) == Some(table)).map(String::as_str).collect()
    }

    fn entities(&self) -> Result<EntityIndex, Error> {
        let table = self.spec.entity_table.as_str();
        let types = self.spec.key_types();
        let mut index = EntityIndex::new(if let [single] = types[..] { single } else { ColumnType::String });
        self.read(self.newest, table, &[], |rows| {
            index.push(&rows.entities).map_err(|reason| rows.damaged(reason))
        })?;
        index.sort().map_err(|reason| self.damaged(self.newest, table, reason))
    }

    /// The values of some columns of a table, in the order of the index.
    fn fill(&self, wanted: &Wanted, index: &EntityIndex) -> Result<Vec<Values>, Error> {
        let types = wanted.columns.iter().map(|column| self.spec.column_type(wanted.table, column));
        let types: Vec<ColumnType> = types.map(|found| found.unwrap_or(ColumnType::String)).collect();
        let mut slots: Vec<Slots> = types.iter().map(|found| Slots::new(*found, index.len())).collect();
        let mut places = index.places();
        for snapshot in self.snapshots_of(wanted) {
            if places.is_full() {
                break;
            }
            places.restart();
            self.read(snapshot, wanted.table, &wanted.columns, |rows| {
                let taken = places.take(&rows.entities).map_err(|reason| rows.damaged(reason))?;
                for (slots, array) in slots.iter_mut().zip(&rows.columns) {
                    slots.fill(taken, array).map_err(|reason| rows.damaged(reason))?;
                }
                Ok(())
            })?;
        }
        Ok(slots.into_iter().map(Slots::finish).collect())
    }

    /// Passes the entities and some columns of a table on, a batch at a time.
    fn read(
        &self,
        snapshot: &Snapshot,
        table: &str,
        columns: &[&str],
        mut sink: impl FnMut(Batch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let damaged = |reason: String| self.damaged(snapshot, table, reason);
        let path = locate(self.snapshots, snapshot, table)
            .ok_or_else(|| damaged("the ledger does not name it".to_string()))?;
        if let Some(table) = snapshot.tables.get(table)
            && !self.checked.is_intact(&path, table)?
        {
            return Err(damaged(CHANGED.to_string()));
        }
        let file = std::fs::File::open(&path).map_err(Error::io("read", &path))?;
        let footer = Footer::read(&file).map_err(|kind| damaged(kind.to_string()))?;
        let header = header(footer.schema());
        let position = |name: &str| {
            let found = header.iter().position(|column| column == name);
            found.ok_or_else(|| damaged(format!("it has no column {name}")))
        };
        let key = &self.spec.entity;
        let mut wanted = Vec::new();
        for column in key.columns().iter().map(String::as_str).chain(columns.iter().copied()) {
            wanted.push(position(column)?);
        }
        let mut read: Vec<usize> = wanted.clone();
        read.sort_unstable();
        read.dedup();
        let order = wanted.iter().map(|column| read.binary_search(column).unwrap_or_default());
        let order: Vec<usize> = order.collect();
        let mut batches = footer.batches(file, &read).map_err(|kind| damaged(kind.to_string()))?;
        while let Some((_, arrays)) = batches.advance().map_err(|kind| damaged(kind.to_string()))? {
            let mut parts: Vec<ArrayRef> = order.iter().map(|place| arrays[*place].clone()).collect();
            let columns = parts.split_off(key.columns().len());
            let entities = entities(key, parts).map_err(damaged)?;
            sink(Batch { entities, columns, damaged: &damaged })?;
        }
        Ok(())
    }

    fn damaged(&self, snapshot: &Snapshot, table: &str, reason: String) -> Error {
        let is_recorded = snapshot.tables.get(table).is_some_and(|table| table.sha256.is_some());
        Error::Damaged { table: table.to_string(), as_of: snapshot.as_of, reason, is_recorded }
    }
}

/// What names the entity of each row: the column of the key, or the texts of its parts.
fn entities(key: &EntityKey, mut parts: Vec<ArrayRef>) -> Result<ArrayRef, String> {
    if key.single().is_some() {
        return parts.pop().ok_or_else(|| "it has no entities".to_string());
    }
    let rows = parts.first().map_or(0, |part| part.len());
    let cells = parts
        .iter()
        .map(|part| Cells::new(part).ok_or_else(|| format!("its entities are {}", part.data_type())));
    let cells = KeyCells { key, cells: cells.collect::<Result<_, _>>()? };
    let text = |row| cells.with(row, |cell| cell.text());
    Ok(Arc::new((0..rows).map(text).collect::<StringArray>()))
}

/// Rows of a snapshot's file.
struct Batch<'a> {
    entities: ArrayRef,
    /// The columns that were asked for, in that order.
    columns: Vec<ArrayRef>,
    damaged: &'a dyn Fn(String) -> Error,
}

impl Batch<'_> {
    fn damaged(&self, reason: String) -> Error {
        (self.damaged)(reason)
    }
}
