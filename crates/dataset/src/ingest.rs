//! Turns a drop into the snapshot of a date: everything is read and checked first, and then committed
//! whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::civil::Date;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use crate::cell::{Cell, Cells};
use crate::commit::{Disk, Staging};
use crate::drop_files::{self, DropFile};
use crate::error::{Error, Position, ProblemKind};
use crate::expectation::{Entities, ExpectationResult, TableCheck, Validation, entity_key};
use crate::ledger::{self, Snapshot, SnapshotTable};
use crate::rows::{Problems, Rows, Target};
use crate::store::Store;
use crate::{commit, table_rows};

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
}

impl Store {
    /// Validates the drop in `directory` and commits it as the snapshot of `as_of`, whole or not at
    /// all. The same drop twice changes nothing; another one is refused unless `replace`.
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
        as_of: Date,
        replace: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<IngestReport, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let found = drop_files::find(directory, &self.spec)?;
        let sources = found.files.into_iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
        let mut problems = Problems::default();
        found.problems.into_iter().for_each(|problem| problems.push(problem));

        let current = ledger::read(&self.snapshots, as_of)?;
        if let Some(current) = current.as_ref().filter(|_| problems.count == 0) {
            let differences = self.differences(current, &sources);
            if differences.is_empty() {
                let snapshot = current.clone();
                let outcome = Outcome::Unchanged;
                return Ok(IngestReport {
                    outcome,
                    snapshot,
                    validation: None,
                    ignored_files: found.ignored,
                });
            }
            if !replace {
                return Err(Error::Differs { as_of, differences });
            }
        }
        let revision = current.as_ref().map_or(1, |current| current.revision + 1);
        let staging = Staging::create(&self.disk, &self.snapshots, as_of, revision)?;
        let mut reading = Reading { store: self, directory, staging: &staging, problems, progress };
        let committed = reading.tables(&sources, as_of).and_then(|(tables, validation)| {
            let validation_path = Snapshot::validation_path(as_of);
            let snapshot = Snapshot { as_of, revision, validation: validation_path, tables };
            staging.commit(&snapshot, &validation.to_json())?;
            Ok((snapshot, validation))
        });
        let (snapshot, validation) = match committed {
            Ok(committed) => committed,
            Err(error) => {
                // Should this fail too, the next opening of the store makes up for it.
                let _ = commit::recover(&self.disk, &self.snapshots);
                return Err(error);
            }
        };
        let outcome = if current.is_some() { Outcome::Replaced } else { Outcome::Created };
        Ok(IngestReport { outcome, snapshot, validation: Some(validation), ignored_files: found.ignored })
    }

    /// What a drop would change, in words; nothing when it is the one ingested.
    fn differences(&self, current: &Snapshot, sources: &[Source]) -> Vec<String> {
        let mut differences = Vec::new();
        for source in sources {
            let name = &source.file.table;
            let Some(table) = current.tables.get(name) else {
                differences.push(format!("{name} (not ingested then)"));
                continue;
            };
            if table.source_sha256 != source.sha256 {
                differences.push(format!("{name} (other content)"));
            } else if table.columns != Snapshot::columns(&self.spec.tables[name]) {
                differences.push(format!("{name} (columns declared otherwise)"));
            }
        }
        let dropped = current.tables.keys().filter(|name| !self.spec.tables.contains_key(*name));
        differences.extend(dropped.map(|name| format!("{name} (not configured any more)")));
        differences
    }
}

/// A file of a drop as it was when the ingest began.
struct Source {
    file: DropFile,
    sha256: String,
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Source {
    fn open(file: DropFile) -> Result<Source, Error> {
        let (size_bytes, modified) = stamp(&file.path)?;
        let sha256 = sha256(&file.path)?;
        Ok(Source { file, sha256, size_bytes, modified })
    }

    fn name(&self) -> String {
        self.file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>), Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The reading of a drop into its staging directory.
struct Reading<'a> {
    store: &'a Store,
    directory: &'a Path,
    staging: &'a Staging<'a>,
    problems: Problems,
    progress: &'a mut dyn FnMut(Progress),
}

impl Reading<'_> {
    /// Reads, checks and stages every table; the entity table is the first source.
    fn tables(
        &mut self,
        sources: &[Source],
        as_of: Date,
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
            if *name == self.store.spec.entity_table {
                entities = outcome.entities.into_keys().collect();
            }
            results.extend(outcome.results);
            let entry = SnapshotTable {
                source: source.name(),
                source_sha256: source.sha256.clone(),
                source_size_bytes: source.size_bytes,
                rows: outcome.rows,
                path: Snapshot::table_path(name, as_of),
                size_bytes: outcome.size_bytes,
                columns: Snapshot::columns(&self.store.spec.tables[name]),
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
        let Reading { store, staging, problems, progress, .. } = self;
        let name = source.file.table.as_str();
        let spec = &store.spec.tables[name];
        let file = source.name();
        let target = Target { table: name, file: &file, entity: &store.spec.entity, spec };
        let mut check = TableCheck::new(name, spec, entities);
        let mut keys = EntityKeys::default();
        let mut writer = SnapshotWriter::new(&store.disk, staging.table_path(name));
        let mut sink = |rows: Rows, bytes: u64, problems: &mut Problems| {
            keys.add(&rows, &target, problems)?;
            check.update(&rows)?;
            writer.write(&rows)?;
            let rows = rows.first_row + rows.batch.num_rows() as u64;
            progress(Progress {
                table: name,
                rows,
                bytes: done_bytes + bytes.min(source.size_bytes),
                total_bytes,
            });
            Ok(())
        };
        let before = problems.count;
        let rows = table_rows::read(&source.file.path, &target, problems, &mut sink)?;
        if rows == 0 && *name == store.spec.entity_table && problems.count == before {
            problems.push(target.problem(None, None, ProblemKind::NoEntities));
        }
        if stamp(&source.file.path)? != (source.size_bytes, source.modified) {
            problems.push(target.problem(None, None, ProblemKind::Changed));
        }
        let size_bytes = writer.finish()?;
        Ok(TableOutcome { rows, size_bytes, entities: keys.first, results: check.finish() })
    }
}

struct TableOutcome {
    rows: u64,
    size_bytes: u64,
    entities: HashMap<u128, Position>,
    results: Vec<ExpectationResult>,
}

/// The entities of a table, each of which may have one row.
#[derive(Default)]
struct EntityKeys {
    first: HashMap<u128, Position>,
}

impl EntityKeys {
    fn add(&mut self, rows: &Rows, target: &Target, problems: &mut Problems) -> Result<(), Error> {
        let array = rows.batch.column_by_name(target.entity);
        let cells = array
            .and_then(Cells::new)
            .ok_or_else(|| Error::Engine(format!("the entity column of {} was not read", target.table)))?;
        for row in 0..rows.batch.num_rows() {
            let cell = cells.get(row);
            if cell == Cell::Missing {
                continue;
            }
            let position = rows.position(row);
            let first = *self.first.entry(entity_key(cell)).or_insert(position);
            if first != position {
                let kind = ProblemKind::DuplicateEntity { value: cell.to_text(), first };
                problems.push(target.problem(Some(position), Some(target.entity), kind));
            }
        }
        Ok(())
    }
}

/// Writes the Parquet file of a table, once its columns are known.
struct SnapshotWriter<'a> {
    disk: &'a Disk,
    path: PathBuf,
    writer: Option<ArrowWriter<File>>,
}

/// Rows of a row group: what the writer holds in memory before it writes.
const ROW_GROUP_ROWS: usize = 1 << 17;

impl<'a> SnapshotWriter<'a> {
    fn new(disk: &'a Disk, path: PathBuf) -> Self {
        SnapshotWriter { disk, path, writer: None }
    }

    fn write(&mut self, rows: &Rows) -> Result<(), Error> {
        if self.writer.is_none() {
            let file = self.disk.create_file(&self.path)?;
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                .build();
            let writer = ArrowWriter::try_new(file, rows.batch.schema(), Some(properties)).map_err(engine)?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write(&rows.batch)).map_err(engine)
    }

    /// Makes the file last; its size, 0 when there was no table to write.
    fn finish(self) -> Result<u64, Error> {
        let Some(writer) = self.writer else { return Ok(0) };
        let file = writer.into_inner().map_err(engine)?;
        self.disk.sync_file(&file, &self.path)?;
        Ok(file.metadata().map_err(Error::io("read", &self.path))?.len())
    }
}

fn engine(error: parquet::errors::ParquetError) -> Error {
    Error::Engine(error.to_string())
}

#[cfg(test)]
mod tests {
    //! An ingest that stops before any of its steps, and a recovery that stops before any of its.

    use std::fs;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;
    use crate::frame::Frame;
    use crate::point_in_time::PointInTime;
    use crate::spec::DatasetSpec;

    const DATE: Date = Date::constant(2024, 1, 31);

    fn spec() -> DatasetSpec {
        serde_json::from_value(serde_json::json!({
            "entity": "id",
            "entity_table": "users",
            "label": { "table": "labels", "column": "gone" },
            "features": ["hours"],
            "tables": {
                "users": { "columns": { "id": "string" } },
                "usage": { "columns": { "id": "string", "hours": "float" } },
                "labels": { "columns": { "id": "string", "gone": "boolean" } },
            }
        }))
        .unwrap()
    }

    fn drop_with(hours: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("users.csv"), "id\na\nb\n").unwrap();
        fs::write(directory.path().join("usage.csv"), format!("id,hours\nb,7\na,{hours}\n")).unwrap();
        fs::write(directory.path().join("labels.csv"), format!("id,gone\nb,0\na,{}\n", hours == "1"))
            .unwrap();
        directory
    }

    fn content(store: &Store) -> Option<Frame> {
        match store.point_in_time(DATE, PointInTime { labels: true, exact: true }) {
            Ok(frame) => Some(frame),
            Err(Error::NoSnapshot { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    }

    /// Every file under a directory with its bytes.
    fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.insert(path.clone(), Vec::new());
                files.extend(tree(&path));
            } else {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
        files
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for (path, bytes) in tree(from) {
            let target = to.join(path.strip_prefix(from).unwrap());
            if path.is_dir() {
                fs::create_dir_all(target).unwrap()
            } else {
                fs::write(target, bytes).unwrap()
            }
        }
    }

    fn check_stops(previous: bool) {
        let (old, new) = (drop_with("1"), drop_with("2"));
        let reference = tempfile::tempdir().unwrap();
        let store = Store::open(reference.path(), spec()).unwrap();
        store.ingest(new.path(), DATE, false, &mut |_| {}).unwrap();
        let (old_content, new_content) = (previous.then(|| content_of(&old)), content(&store));

        let mut seen = [0, 0];
        for stop in 1.. {
            let data = tempfile::tempdir().unwrap();
            let store = Store::open(data.path(), spec()).unwrap();
            if previous {
                store.ingest(old.path(), DATE, false, &mut |_| {}).unwrap();
            }
            store.disk.stop_before.store(store.disk.steps.load(SeqCst) + stop, SeqCst);
            match store.ingest(new.path(), DATE, true, &mut |_| {}) {
                Ok(_) => break,
                Err(Error::Stopped(_)) => {}
                Err(other) => panic!("step {stop}: {other}"),
            }
            // What readers see at once is what they see after recovery: all of the old or of the new.
            let before = content(&store);
            assert!(before == old_content || before == new_content, "step {stop}: {before:?}");
            seen[usize::from(before == new_content)] += 1;
            check_recovery_stops(data.path(), stop);
            drop(store);
            let store = Store::open(data.path(), spec()).unwrap();
            assert_eq!(content(&store), before, "step {stop}");
            assert!(
                !tree(data.path()).keys().any(|path| path.to_string_lossy().contains(".ingest-")),
                "step {stop}"
            );
            store.ingest(new.path(), DATE, true, &mut |_| {}).unwrap();
            assert_eq!(content(&store), new_content, "step {stop}");
        }
        assert!(seen[0] > 10 && seen[1] > 10, "the commit point is among the steps: {seen:?}");
    }

    fn content_of(drop: &tempfile::TempDir) -> Frame {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), spec()).unwrap();
        store.ingest(drop.path(), DATE, false, &mut |_| {}).unwrap();
        content(&store).unwrap()
    }

    /// Recovery from the state in `data`, stopped before each of its steps and made again, ends where
    /// one that was not stopped ends.
    fn check_recovery_stops(data: &Path, ingest_stop: u64) {
        let recovered = |stop: Option<u64>| {
            let copied = tempfile::tempdir().unwrap();
            copy(data, copied.path());
            let snapshots = copied.path().join("snapshots");
            let disk = Disk::default();
            disk.stop_before.store(stop.unwrap_or(0), SeqCst);
            let finished = commit::recover(&disk, &snapshots).is_ok();
            commit::recover(&Disk::default(), &snapshots).unwrap();
            let files = tree(copied.path()).into_iter();
            let relative =
                files.map(|(path, bytes)| (path.strip_prefix(copied.path()).unwrap().to_path_buf(), bytes));
            (finished, relative.collect::<BTreeMap<_, _>>())
        };
        let (_, expected) = recovered(None);
        for stop in 1.. {
            let (finished, found) = recovered(Some(stop));
            assert_eq!(found, expected, "ingest stopped at {ingest_stop}, recovery at {stop}");
            if finished {
                break;
            }
        }
    }

    #[test]
    fn a_first_ingest_stopped_anywhere_is_there_or_not() {
        check_stops(false);
    }

    #[test]
    fn a_replacement_stopped_anywhere_leaves_the_old_or_the_new() {
        check_stops(true);
    }

    #[test]
    fn a_failed_ingest_leaves_every_byte_as_it_was() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), spec()).unwrap();
        store.ingest(drop_with("1").path(), DATE, false, &mut |_| {}).unwrap();
        let before = tree(data.path());
        for hours in ["many", "2\nb,3,4", "2\na,3"] {
            let error = store.ingest(drop_with(hours).path(), DATE, true, &mut |_| {}).unwrap_err();
            assert!(matches!(error, Error::Rejected { .. }), "{error}");
            assert_eq!(tree(data.path()), before);
        }
        let error = store.ingest(drop_with("2").path(), DATE, false, &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Differs { .. }), "{error}");
        assert_eq!(tree(data.path()), before);
    }

    #[test]
    fn a_table_that_a_replacement_leaves_out_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let mut wider = spec();
        wider.tables.insert("extra".to_string(), wider.tables["users"].clone());
        let drop = drop_with("1");
        fs::copy(drop.path().join("users.csv"), drop.path().join("extra.csv")).unwrap();
        let store = Store::open(data.path(), wider).unwrap();
        store.ingest(drop.path(), DATE, false, &mut |_| {}).unwrap();
        assert!(data.path().join("snapshots/extra/as_of=2024-01-31/part-0.parquet").exists());

        let store = Store::open(data.path(), spec()).unwrap();
        let error = store.ingest(drop.path(), DATE, false, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("extra (not configured any more)"), "{error}");
        store.ingest(drop.path(), DATE, true, &mut |_| {}).unwrap();
        assert!(!data.path().join("snapshots/extra/as_of=2024-01-31").exists());
    }

    #[test]
    fn a_second_writer_is_told_of_the_first() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), spec()).unwrap();
        let other = Store::open(data.path(), spec()).unwrap();
        let lock = store.lock().unwrap();
        let drop = drop_with("1");
        assert!(matches!(other.ingest(drop.path(), DATE, false, &mut |_| {}), Err(Error::Locked { .. })));
        // Opening and reading do not wait for it.
        assert_eq!(Store::open(data.path(), spec()).unwrap().newest().unwrap(), None);
        std::mem::drop(lock);
        other.ingest(drop.path(), DATE, false, &mut |_| {}).unwrap();
    }

    #[test]
    fn readers_of_a_date_that_is_being_replaced_see_one_revision() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), spec()).unwrap();
        let drops = [drop_with("1"), drop_with("2")];
        store.ingest(drops[0].path(), DATE, false, &mut |_| {}).unwrap();
        let expected = [content_of(&drops[0]), content_of(&drops[1])];
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for turn in 1..=20 {
                    store.ingest(drops[turn % 2].path(), DATE, true, &mut |_| {}).unwrap();
                }
            });
            while !writer.is_finished() {
                match store.point_in_time(DATE, PointInTime { labels: true, exact: true }) {
                    Ok(frame) => assert!(expected.contains(&frame), "{frame:?}"),
                    // Overtaken by every attempt: said so rather than mixed.
                    Err(error) => assert!(matches!(error, Error::Io { .. } | Error::Engine(_)), "{error}"),
                }
            }
        });
    }
}
