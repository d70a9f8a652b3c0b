//! The table that a model may see at a date: no row knows anything from after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, ParquetReadOptions, SessionConfig, SessionContext, ident};
use jiff::civil::Date;

use crate::cell::Cells;
use crate::commit::locate;
use crate::error::Error;
use crate::frame::{Column, Frame, ValuesBuilder};
use crate::ledger::{self, Snapshot};
use crate::parquet_cells::plain;
use crate::spec::{ColumnType, DatasetSpec};
use crate::store::Store;

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

impl Store {
    /// What was known at the end of `as_of`: one row for each entity of the entity table in the last
    /// snapshot at or before the date, ascending by entity.
    ///
    /// The columns are the entity, the features in the configured order and, if asked for, the label.
    /// A feature has the value of the entity's last row at or before the date in the feature's table,
    /// so an entity that a later snapshot of that table leaves out keeps its older row; without any
    /// row it is missing. The label is that of the snapshot of exactly `as_of`, else missing.
    ///
    /// May be called inside an asynchronous runtime, whose thread it blocks.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`] naming the dates that exist; [`Error::SnapshotColumn`] when the last
    /// snapshot was ingested under another configuration; [`Error::Io`], [`Error::Engine`].
    ///
    /// # Cost
    /// Reads the last snapshot of each table, and older ones only for entities that it leaves out.
    pub fn point_in_time(&self, as_of: Date, options: PointInTime) -> Result<Frame, Error> {
        let mut overtaken = Error::Engine("the snapshots were not read".to_string());
        for _ in 0..ATTEMPTS {
            let ledger = ledger::read_all(&self.snapshots)?;
            match self.read_point_in_time(&ledger, as_of, options) {
                Err(gone) => overtaken = gone,
                // Files of a date that was replaced meanwhile may be of both revisions.
                Ok(_) if ledger::read_all(&self.snapshots)? != ledger => {
                    overtaken =
                        Error::Engine(format!("the snapshots changed during each of {ATTEMPTS} reads"));
                }
                Ok(result) => return result,
            }
        }
        Err(overtaken)
    }

    /// What is known now: the point-in-time table of the newest date without the label, and the date;
    /// `None` when nothing was ingested yet.
    ///
    /// # Errors
    /// As [`Store::point_in_time`].
    pub fn online_features(&self) -> Result<Option<(Date, Frame)>, Error> {
        let Some(as_of) = self.newest()? else { return Ok(None) };
        let frame = self.point_in_time(as_of, PointInTime { labels: false, exact: true })?;
        Ok(Some((as_of, frame)))
    }

    /// The outer error is that a file has gone, be it lost or moved to its place meanwhile.
    fn read_point_in_time(
        &self,
        ledger: &BTreeMap<Date, Snapshot>,
        as_of: Date,
        options: PointInTime,
    ) -> Result<Result<Frame, Error>, Error> {
        let newest = ledger.range(..=as_of).next_back().map(|(_, snapshot)| snapshot);
        let Some(newest) = newest.filter(|snapshot| !options.exact || snapshot.as_of == as_of) else {
            let available = ledger.keys().copied().collect();
            return Ok(Err(Error::NoSnapshot { as_of, exact: options.exact, available }));
        };
        if let Err(error) = check_columns(&self.spec, newest) {
            return Ok(Err(error));
        }
        let label = options.labels.then(|| (newest.as_of == as_of).then_some(newest));
        let scanned = Mutex::default();
        let query = Query { snapshots: &self.snapshots, spec: &self.spec, ledger, newest, label, scanned };
        let rows = newest.tables.values().map(|table| table.rows).max().unwrap_or(0);
        let batches = block_on(query.run(rows));
        query.check_files()?;
        Ok(batches.and_then(|batches| query.frame(&batches)))
    }
}

/// Runs the query on a runtime and a thread of its own, since a runtime may be running on this one.
/// The engine panics on some damaged files; that must end the query and not the process.
fn block_on<T: Send>(work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(Error::io("start threads for", "the query"))?.block_on(work)
    };
    let result = std::thread::scope(|scope| scope.spawn(run).join());
    result.unwrap_or_else(|_| {
        Err(Error::Engine("it panicked; a snapshot is probably damaged, ingest that month again".to_string()))
    })
}

/// The last snapshot must have all that is configured now.
fn check_columns(spec: &DatasetSpec, newest: &Snapshot) -> Result<(), Error> {
    let label = [(spec.label.table.as_str(), &spec.label.column)];
    let features = spec.features.iter().filter_map(|feature| Some((spec.table_of(feature)?, feature)));
    let needed = features.chain(label).flat_map(|(table, column)| [(table, column), (table, &spec.entity)]);
    for (table, column) in needed.chain([(spec.entity_table.as_str(), &spec.entity)]) {
        if !has(newest, spec, table, column) {
            let (table, column) = (table.to_string(), column.clone());
            return Err(Error::SnapshotColumn { table, as_of: newest.as_of, column });
        }
    }
    Ok(())
}

fn has(snapshot: &Snapshot, spec: &DatasetSpec, table: &str, column: &str) -> bool {
    let found = snapshot.tables.get(table).and_then(|table| table.columns.get(column));
    found.is_some() && found.copied() == spec.column_type(table, column)
}

/// One point-in-time read. Inside, columns go by position (`e` the entity, `f0`, `f1`, … the features,
/// `l` the label), so that no name of a file can clash with another.
struct Query<'a> {
    snapshots: &'a Path,
    spec: &'a DatasetSpec,
    ledger: &'a BTreeMap<Date, Snapshot>,
    newest: &'a Snapshot,
    /// `None`: no label column; `Some(None)`: one without values.
    label: Option<Option<&'a Snapshot>>,
    /// The files that were read.
    scanned: Mutex<Vec<PathBuf>>,
}

impl Query<'_> {
    async fn run(&self, rows: u64) -> Result<Vec<RecordBatch>, Error> {
        // Splitting small tables costs more than it gains.
        let partitions =
            if rows < 100_000 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        // With text as views into pages, which is the engine's default, the joins of a million
        // entities took more than 24 GB instead of 0.7.
        let config = SessionConfig::new()
            .with_target_partitions(partitions)
            .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
        let context = SessionContext::new_with_config(config);
        let entity = || ident(&self.spec.entity);
        let entities =
            self.scan(&context, self.newest, &self.spec.entity_table, vec![entity().alias("e")]).await?;
        let mut joined = entities.clone();
        let mut output = vec![ident("e")];
        for (number, table) in self.spec.tables.keys().enumerate() {
            let features: Vec<(usize, &String)> = self.features_of(table).collect();
            if features.is_empty() {
                continue;
            }
            let key = format!("e{number}");
            let rows = self.last_rows(&context, &entities, table, &key, &features).await?;
            joined = joined.join(rows, JoinType::Left, &["e"], &[&key], None)?;
        }
        output.extend((0..self.spec.features.len()).map(|index| ident(format!("f{index}"))));
        if let Some(Some(snapshot)) = self.label {
            let columns = vec![entity().alias("el"), ident(&self.spec.label.column).alias("l")];
            let labels = self.scan(&context, snapshot, &self.spec.label.table, columns).await?;
            joined = joined.join(labels, JoinType::Left, &["e"], &["el"], None)?;
            output.push(ident("l"));
        }
        Ok(joined.select(output)?.sort(vec![ident("e").sort(true, true)])?.collect().await?)
    }

    /// The features of a table with their positions.
    fn features_of(&self, table: &str) -> impl Iterator<Item = (usize, &String)> {
        let features = self.spec.features.iter().enumerate();
        features.filter(move |(_, feature)| self.spec.table_of(feature) == Some(table))
    }

    /// The last row of each entity in a table, with the entity under the name `key`.
    async fn last_rows(
        &self,
        context: &SessionContext,
        entities: &DataFrame,
        table: &str,
        key: &str,
        features: &[(usize, &String)],
    ) -> Result<DataFrame, Error> {
        let columns = || -> Vec<Expr> {
            let features = features.iter().map(|(index, feature)| ident(*feature).alias(format!("f{index}")));
            std::iter::once(ident(&self.spec.entity).alias(key)).chain(features).collect()
        };
        let mut last = self.scan(context, self.newest, table, columns()).await?;
        let older = self.ledger.range(..self.newest.as_of).rev().map(|(_, snapshot)| snapshot);
        let mut older = older
            .filter(|snapshot| features.iter().all(|(_, feature)| has(snapshot, self.spec, table, feature)));
        let Some(mut snapshot) = older.next() else { return Ok(last) };
        let mut covered = last.clone();
        let mut left = entities.clone();
        loop {
            let batches = left.join(covered, JoinType::LeftAnti, &["e"], &[key], None)?.collect().await?;
            if batches.iter().all(|batch| batch.num_rows() == 0) {
                return Ok(last);
            }
            left = context.read_batches(batches)?;
            let rows = self.scan(context, snapshot, table, columns()).await?;
            let rows = rows.join(left.clone(), JoinType::LeftSemi, &[key], &["e"], None)?;
            last = last.union(rows.clone())?;
            covered = rows;
            let Some(next) = older.next() else { return Ok(last) };
            snapshot = next;
        }
    }

    async fn scan(
        &self,
        context: &SessionContext,
        snapshot: &Snapshot,
        table: &str,
        columns: Vec<Expr>,
    ) -> Result<DataFrame, Error> {
        let path = locate(self.snapshots, snapshot, table)
            .ok_or_else(|| Error::Engine(format!("{table} is not in the snapshot of {}", snapshot.as_of)))?;
        let path = std::path::absolute(&path).map_err(Error::io("find", &path))?;
        let url = file_url(&path);
        self.scanned.lock().expect("nothing panics while it holds the lock").push(path);
        let rows = context.read_parquet(url, ParquetReadOptions::default()).await?;
        Ok(rows.select(columns)?)
    }

    /// To the engine, a file that is not there is a table without rows. A file never comes back to
    /// where it was staged, so one that is still there was there all the time.
    fn check_files(&self) -> Result<(), Error> {
        let scanned = self.scanned.lock().expect("nothing panics while it holds the lock");
        scanned.iter().try_for_each(|path| {
            std::fs::metadata(path).map_err(Error::io("read", path))?;
            Ok(())
        })
    }

    fn frame(&self, batches: &[RecordBatch]) -> Result<Frame, Error> {
        let spec = self.spec;
        let mut names = vec![(spec.entity.clone(), spec.column_type(&spec.entity_table, &spec.entity))];
        for feature in &spec.features {
            let table = spec.table_of(feature).unwrap_or_default();
            names.push((feature.clone(), spec.column_type(table, feature)));
        }
        if let Some(Some(_)) = self.label {
            names.push((spec.label.column.clone(), Some(ColumnType::Boolean)));
        }
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut columns = Vec::with_capacity(names.len());
        for (index, (name, column_type)) in names.into_iter().enumerate() {
            let mut values = ValuesBuilder::new(column_type.unwrap_or(ColumnType::String));
            for batch in batches {
                let array = plain(batch.column(index)).map_err(|kind| Error::Engine(kind.to_string()))?;
                let cells = Cells::new(&array).ok_or_else(|| Error::Engine(format!("{name} is not flat")))?;
                (0..batch.num_rows()).for_each(|row| values.push(cells.get(row)));
            }
            columns.push(Column { name, values: values.finish() });
        }
        if let Some(None) = self.label {
            let mut values = ValuesBuilder::new(ColumnType::Boolean);
            (0..rows).for_each(|_| values.push(crate::cell::Cell::Missing));
            columns.push(Column { name: spec.label.column.clone(), values: values.finish() });
        }
        Ok(Frame { columns, rows })
    }
}

/// The URL of a file. As a path, the engine would take `*` or `[` in a directory's name as a pattern.
fn file_url(path: &Path) -> String {
    let mut url = "file://".to_string();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~=".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}
