//! One entity leaves all snapshots: each month that has it is committed anew without its rows, as an ingest would.

use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;
use serde_json::Value;

use crate::cell::{Cell, Cells};
use crate::column_type::ColumnType;
use crate::entity_key::{EntityKey, KeyCells};
use crate::error::Error;
use crate::format::columnar::header;
use crate::format::parquet::Footer;
use crate::period::Period;
use crate::snapshot::checksums::{CHANGED, sha256};
use crate::snapshot::commit::{self, Staging, locate, locate_validation};
use crate::snapshot::forgotten::Forgotten;
use crate::snapshot::ledger::{self, Snapshot};
use crate::snapshot::snapshots::Snapshots;
use crate::snapshot::writer::SnapshotWriter;

/// What stands where a forgotten entity was named.
const MASK: &str = "(forgotten)";

/// Rows of an entity in a table of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRows {
    /// The date.
    pub as_of: Period,
    /// The table; none for the validation result, which may list values.
    pub table: Option<String>,
    /// How many rows, or places of the validation result, name it.
    pub rows: u64,
}

impl Snapshots {
    /// Where the snapshots name an entity, which is written as in CSV, or as [`EntityKey::text`] has it where its key has
    /// several columns. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Entity`] for a text that names none; [`Error::Damaged`], [`Error::Io`], [`Error::Ledger`].
    pub fn find_entity(&self, entity: &str) -> Result<Vec<EntityRows>, Error> {
        let entity = self.entity_text(entity)?;
        let entity = self.cell(&entity);
        let mut found = Vec::new();
        for snapshot in ledger::read_all(&self.snapshots)?.values() {
            found.extend(self.rows_of(snapshot, entity)?);
        }
        Ok(found)
    }

    /// An entity as texts spell it that name a value of its key: a number without a sign, blanks or zeros before it.
    ///
    /// # Errors
    /// [`Error::Entity`] or [`Error::EntityPart`] for a text that names none.
    pub fn entity_text(&self, entity: &str) -> Result<String, Error> {
        let key = &self.spec.entity;
        Ok(key.text(&key.parts(entity, &self.spec.key_types())?))
    }

    /// The same of an entity that words name: its text, or `COLUMN=VALUE` for each column of its key.
    ///
    /// # Errors
    /// As [`Snapshots::entity_text`].
    pub fn entity_of_words(&self, words: &[String]) -> Result<String, Error> {
        let key = &self.spec.entity;
        Ok(key.text(&key.parts_of_words(words, &self.spec.key_types())?))
    }

    /// The salted hash under which an entity is known to be forgotten, and whether it is. `salt` is taken where none is yet.
    ///
    /// # Errors
    /// [`Error::Entity`], [`Error::Forgotten`] or [`Error::Io`].
    pub fn forgotten(&self, entity: &str, salt: &str) -> Result<(String, bool), Error> {
        let entity = self.entity_text(entity)?;
        let entity = self.cell(&entity);
        let forgotten = Forgotten::read(&self.snapshots, salt)?;
        Ok((forgotten.hash(entity), forgotten.has(entity)))
    }

    /// Which of these entities are forgotten, in their order. A text that names no entity is none of them.
    ///
    /// # Errors
    /// [`Error::Forgotten`] or [`Error::Io`].
    pub fn forgotten_of(&self, entities: &[&str]) -> Result<Vec<bool>, Error> {
        let forgotten = Forgotten::read(&self.snapshots, "")?;
        if forgotten.is_empty() {
            return Ok(vec![false; entities.len()]);
        }
        let is_forgotten = |entity: &&str| match self.entity_text(entity) {
            Ok(entity) => forgotten.has(self.cell(&entity)),
            Err(_) => false,
        };
        Ok(entities.iter().map(is_forgotten).collect())
    }

    /// Removes the rows of an entity from every table of every date, and has later ingests leave it out. Each date is
    /// without it or as it was, whatever happens: called again, the rest follows. `salt` is random text, taken for the first
    /// entity that is forgotten.
    ///
    /// # Errors
    /// As [`Snapshots::find_entity`], and [`Error::Locked`].
    pub fn forget_entity(&self, entity: &str, salt: &str) -> Result<(), Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let entity = self.entity_text(entity)?;
        let entity = self.cell(&entity);
        // First: what is ingested from here on comes without it.
        Forgotten::read(&self.snapshots, salt)?.add(self, entity)?;
        for snapshot in ledger::read_all(&self.snapshots)?.into_values() {
            let found = self.rows_of(&snapshot, entity)?;
            if found.is_empty() {
                continue;
            }
            if let Err(error) = self.rewrite(snapshot, &found, entity) {
                // Should this fail too, the next opening makes up for it.
                let _ = commit::recover(&self.disk, &self.snapshots);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What names an entity in a row, of the text that [`Snapshots::entity_text`] gives.
    fn cell<'a>(&self, entity: &'a str) -> Cell<'a> {
        let is_integer = self.spec.key_types() == [ColumnType::Integer];
        let number = if is_integer { entity.parse().ok() } else { None };
        number.map_or(Cell::Text(entity), Cell::Integer)
    }

    fn rows_of(&self, snapshot: &Snapshot, entity: Cell<'_>) -> Result<Vec<EntityRows>, Error> {
        let mut found = Vec::new();
        for table in snapshot.tables.keys() {
            let mut rows = 0;
            self.each_batch(snapshot, table, true, &mut |batch, kept| {
                rows += (batch.num_rows() - kept(entity).true_count()) as u64;
                Ok(())
            })?;
            if rows > 0 {
                found.push(EntityRows { as_of: snapshot.as_of, table: Some(table.clone()), rows });
            }
        }
        let rows =
            masked(&mut self.validation(snapshot)?, entity, self.key(snapshot, &self.spec.entity_table));
        if rows > 0 {
            found.push(EntityRows { as_of: snapshot.as_of, table: None, rows });
        }
        Ok(found)
    }

    /// The columns that name entities in a table of a date: those of then, under whatever name, or those of today where
    /// there are more or fewer of them and the table has them.
    fn key<'a>(&'a self, snapshot: &'a Snapshot, table: &str) -> &'a EntityKey {
        let (of_then, of_today) = (snapshot.entity.as_ref(), &self.spec.entity);
        let columns = snapshot.tables.get(table).map(|table| &table.columns);
        let has = |column: &String| columns.is_some_and(|columns| columns.contains_key(column));
        match of_then {
            Some(key) if key.columns().len() == of_today.columns().len() => key,
            Some(key) if !of_today.columns().iter().all(has) => key,
            _ => of_today,
        }
    }

    fn validation(&self, snapshot: &Snapshot) -> Result<Value, Error> {
        let path = locate_validation(&self.snapshots, snapshot);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Ledger { path, reason: error.to_string() })
    }

    /// Commits a date anew without the entity; tables that do not have it keep their files.
    fn rewrite(&self, mut snapshot: Snapshot, found: &[EntityRows], entity: Cell<'_>) -> Result<(), Error> {
        let mut validation = self.validation(&snapshot)?;
        masked(&mut validation, entity, self.key(&snapshot, &self.spec.entity_table));
        let revision = snapshot.revision + 1;
        let staging = Staging::create(self, snapshot.as_of, revision)?;
        for rows in found {
            let Some(name) = &rows.table else { continue };
            let mut writer = SnapshotWriter::new(&self.disk, staging.table_path(name));
            self.each_batch(&snapshot, name, false, &mut |batch, kept| {
                let batch = filter_record_batch(batch, &kept(entity));
                writer.write(&batch.map_err(|error| Error::Engine(error.to_string()))?)
            })?;
            let written = writer.finish()?;
            if let Some(table) = snapshot.tables.get_mut(name) {
                table.rows = table.rows.saturating_sub(rows.rows);
                table.forgotten_rows = table.forgotten_rows.saturating_add(rows.rows);
                table.size_bytes = written.size_bytes;
                table.sha256 = Some(written.sha256);
            }
        }
        snapshot.revision = revision;
        snapshot.format = ledger::FORMAT;
        snapshot.entity.get_or_insert_with(|| self.spec.entity.clone());
        staging.commit(&snapshot, &validation)
    }

    /// Passes a table on, a batch at a time, with what tells which rows are of another entity than one.
    fn each_batch(
        &self,
        snapshot: &Snapshot,
        table: &str,
        entities_only: bool,
        sink: &mut BatchSink<'_>,
    ) -> Result<(), Error> {
        let entry = &snapshot.tables[table];
        let damaged = |reason: String| Error::Damaged {
            table: table.to_string(),
            as_of: snapshot.as_of,
            reason,
            is_recorded: entry.sha256.is_some(),
        };
        let path =
            locate(&self.snapshots, snapshot, table).unwrap_or_else(|| self.snapshots.join(&entry.path));
        // What is damaged must not be written anew with a checksum that is right.
        if entry.sha256.is_some() && Some(sha256(&path)?) != entry.sha256 {
            return Err(damaged(CHANGED.to_string()));
        }
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let footer = Footer::read(&file).map_err(|kind| damaged(kind.to_string()))?;
        let header = header(footer.schema());
        let key = self.key(snapshot, table);
        let mut places = Vec::new();
        for name in key.columns() {
            let place = header.iter().position(|column| column == name);
            places.push(place.ok_or_else(|| damaged(format!("it has no column {name}")))?);
        }
        let mut columns: Vec<usize> =
            if entities_only { places.clone() } else { (0..header.len()).collect() };
        columns.sort_unstable();
        let in_batch = |place: &usize| columns.binary_search(place).unwrap_or_default();
        let key_columns: Vec<usize> = places.iter().map(in_batch).collect();
        let mut batches = footer.batches(file, &columns).map_err(|kind| damaged(kind.to_string()))?;
        while let Some((_, arrays)) = batches.advance().map_err(|kind| damaged(kind.to_string()))? {
            let fields = columns.iter().zip(&arrays);
            let fields =
                fields.map(|(column, array)| Field::new(&header[*column], array.data_type().clone(), true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let batch = RecordBatch::try_new(schema, arrays.clone());
            let batch = batch.map_err(|error| Error::Engine(error.to_string()))?;
            let mut cells = Vec::new();
            for array in key_columns.iter().map(|column| &arrays[*column]) {
                let of_array = Cells::new(array);
                cells.push(
                    of_array.ok_or_else(|| damaged(format!("its entities are {}", array.data_type())))?,
                );
            }
            let cells = KeyCells { key, cells };
            let kept = |entity: Cell<'_>| -> BooleanArray {
                let is_kept = |row| Some(!cells.with(row, |found| is_same(found, entity)));
                (0..batch.num_rows()).map(is_kept).collect()
            };
            sink(&batch, &kept)?;
        }
        Ok(())
    }
}

/// Takes a batch, and what tells which of its rows are of another entity.
type BatchSink<'a> = dyn FnMut(&RecordBatch, &dyn Fn(Cell<'_>) -> BooleanArray) -> Result<(), Error> + 'a;

/// The same entity, also where a file of before keeps numbers that are text now.
fn is_same(found: Cell<'_>, entity: Cell<'_>) -> bool {
    match (found, entity) {
        (Cell::Text(text), Cell::Integer(number)) => text.parse() == Ok(number),
        (Cell::Integer(number), Cell::Text(text)) => text.parse() == Ok(number),
        (found, entity) => found == entity,
    }
}

/// Takes an entity out of the values that a validation result lists as not expected in the column of `key`, which are cut as
/// messages cut them; how often it stood there.
fn masked(validation: &mut Value, entity: Cell<'_>, key: &EntityKey) -> u64 {
    // A value of one of several columns names no entity.
    let Some(column) = key.single() else { return 0 };
    let entity = entity.to_json();
    let mut count = 0;
    for result in validation["results"].as_array_mut().into_iter().flatten() {
        if result["expectation_config"]["kwargs"]["column"] != column {
            continue;
        }
        let listed = result["result"]["partial_unexpected_list"].as_array_mut();
        for item in listed.into_iter().flatten().filter(|item| **item == entity) {
            *item = Value::from(MASK);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;
    use crate::snapshot::commit::STOPPED;
    use crate::snapshot::ingest::Outcome;
    use crate::snapshot::spec::DatasetSpec;

    const SALT: &str = "5a17";

    fn spec(entity: &str) -> DatasetSpec {
        serde_json::from_value(serde_json::json!({
            "entity": "id",
            "entity_table": "users",
            "label": { "table": "users", "column": "gone" },
            "features": ["hours"],
            "tables": {
                "users": { "columns": { "id": entity, "gone": "boolean" } },
                "usage": {
                    "columns": { "id": entity, "hours": "float" },
                    "expectations": [
                        { "expect": "expect_column_values_to_be_in_set", "column": "id", "value_set": [], "mostly": 0 },
                        { "expect": "expect_column_values_to_exist_in_table", "column": "id", "table": "users" }
                    ]
                }
            }
        }))
        .unwrap()
    }

    fn drop_of(third: &str) -> tempfile::TempDir {
        let drop = tempfile::tempdir().unwrap();
        fs::write(drop.path().join("users.csv"), format!("id,gone\n1,0\n2,1\n{third},0\n")).unwrap();
        fs::write(drop.path().join("usage.csv"), format!("id,hours\n{third},1\n2,7\n1,3\n")).unwrap();
        drop
    }

    fn dates() -> [Period; 2] {
        ["2024-01-31", "2024-02-29"].map(|date| date.parse().unwrap())
    }

    fn two_months(entity: &str, third: &str) -> (tempfile::TempDir, Snapshots) {
        let directory = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(directory.path(), spec(entity)).unwrap();
        for date in dates() {
            snapshots.ingest(drop_of(third).path(), date, false, &mut |_| {}).unwrap();
        }
        (directory, snapshots)
    }

    fn named(snapshots: &Snapshots, entity: &str) -> u64 {
        snapshots.find_entity(entity).unwrap().iter().map(|found| found.rows).sum()
    }

    #[test]
    fn a_forgotten_entity_leaves_all_months_and_comes_back_with_none() {
        for (entity, third) in [("string", "ada"), ("integer", "77")] {
            let (_directory, snapshots) = two_months(entity, third);
            // Two tables and the list of unexpected values, twice.
            assert_eq!((named(&snapshots, third), named(&snapshots, "2")), (6, 6));
            snapshots.forget_entity(third, SALT).unwrap();
            assert_eq!((named(&snapshots, third), named(&snapshots, "2")), (0, 6));
            assert!(snapshots.verify().unwrap().is_intact());
            for snapshot in snapshots.snapshots().unwrap() {
                assert_eq!((snapshot.revision, snapshot.rows(), snapshot.forgotten_rows()), (2, 4, 2));
            }
            let (hash, is_forgotten) = snapshots.forgotten(third, "another salt is not taken").unwrap();
            assert!(is_forgotten && snapshots.forgotten(third, SALT).unwrap().0 == hash);
            assert!(!snapshots.forgotten("2", SALT).unwrap().1);
            assert_eq!(snapshots.forgotten_of(&["2", third, "", third]).unwrap(), [false, true, false, true]);
            let [first, _] = dates();
            let again =
                |replace| snapshots.ingest(drop_of(third).path(), first, replace, &mut |_| {}).unwrap();
            assert_eq!(again(false).outcome, Outcome::Unchanged);
            // The same drop, read anew: a file of it is gone.
            fs::remove_file(snapshots.snapshots.join("usage/as_of=2024-01-31/part-0.parquet")).unwrap();
            let mended = again(false);
            assert_eq!((mended.outcome, mended.snapshot.forgotten_rows()), (Outcome::Mended, 2));
            let later = "2024-03-31".parse().unwrap();
            let ingested = snapshots.ingest(drop_of(third).path(), later, false, &mut |_| {}).unwrap();
            assert_eq!((ingested.snapshot.rows(), ingested.snapshot.forgotten_rows()), (4, 2));
            assert_eq!(named(&snapshots, third), 0);
        }
    }

    #[test]
    #[allow(clippy::print_stdout)]
    fn forgetting_stopped_anywhere_leaves_each_month_whole_and_goes_on() {
        let mut faults = 0;
        for step in 1.. {
            let (directory, snapshots) = two_months("string", "ada");
            snapshots.disk.steps.store(0, SeqCst);
            snapshots.disk.stop_before.store(step, SeqCst);
            match snapshots.forget_entity("ada", SALT) {
                Ok(()) => {
                    assert!(step > 40, "{step}");
                    println!("stops of forgetting: {faults} faults, 0 lost");
                    return;
                }
                Err(Error::Io { action: STOPPED, .. }) => faults += 1,
                Err(other) => panic!("{step}: {other}"),
            }
            let again = Snapshots::open(directory.path(), spec("string")).unwrap();
            assert!(again.verify().unwrap().is_intact(), "{step}");
            assert!([0, 3, 6].contains(&named(&again, "ada")) && named(&again, "2") == 6, "{step}");
            again.forget_entity("ada", SALT).unwrap();
            assert_eq!((named(&again, "ada"), named(&again, "2")), (0, 6), "{step}");
            assert!(again.verify().unwrap().is_intact(), "{step}");
        }
    }

    #[test]
    fn a_damaged_month_is_not_written_anew() {
        let (_directory, snapshots) = two_months("string", "ada");
        let file = snapshots.snapshots.join("usage/as_of=2024-02-29/part-0.parquet");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(matches!(snapshots.forget_entity("ada", SALT), Err(Error::Damaged { .. })));
        let numbers = two_months("integer", "7").1;
        assert_eq!(
            ["044", " +44 ", "-044"].map(|text| numbers.entity_text(text).unwrap()),
            ["44", "44", "-44"]
        );
        assert_eq!(snapshots.entity_text("044").unwrap(), "044");
        assert!(matches!(numbers.find_entity("ada"), Err(Error::Entity { .. })));
    }

    #[test]
    fn a_list_of_the_forgotten_that_is_damaged_lets_nobody_back() {
        let (_directory, snapshots) = two_months("string", "ada");
        snapshots.forget_entity("ada", SALT).unwrap();
        snapshots.forget_entity("2", SALT).unwrap();
        let file = snapshots.snapshots.join("_ledger/forgotten.json");
        let good = fs::read_to_string(&file).unwrap();
        let hash = snapshots.forgotten("ada", "").unwrap().0;
        assert_eq!(snapshots.forgotten_of(&["3", "ada"]).unwrap(), [false, true]);
        let hashes = [hash.clone(), snapshots.forgotten("2", "").unwrap().0];
        let later = "2024-03-31".parse().unwrap();
        let refused = |what: &str| {
            let ingested = snapshots.ingest(drop_of("ada").path(), later, false, &mut |_| {});
            assert!(matches!(ingested, Err(Error::Forgotten { .. })), "{what}");
            assert!(matches!(snapshots.check_forgotten(&hashes), Err(Error::Forgotten { .. })), "{what}");
            let verified = snapshots.verify().unwrap();
            assert!(!verified.is_intact() && !snapshots.survey().unwrap().is_intact(), "{what}");
        };
        let other = if hash.starts_with('0') { "1" } else { "0" };
        fs::write(&file, good.replace(&hash, &format!("{other}{}", &hash[1..]))).unwrap();
        refused("a digit is another");
        let mut value: Value = serde_json::from_str(&good).unwrap();
        value["hashes"] = serde_json::json!([]);
        fs::write(&file, value.to_string()).unwrap();
        refused("it is empty");
        value.as_object_mut().unwrap().remove("sha256");
        fs::write(&file, value.to_string()).unwrap();
        refused("it is empty and has no checksum");
        fs::remove_file(&file).unwrap();
        refused("it is gone");

        // A release of before wrote no checksum; what it lacks is seen with the receipts alone.
        value["hashes"] = serde_json::json!([&hash]);
        fs::write(&file, value.to_string()).unwrap();
        assert!(snapshots.forgotten("ada", "").unwrap().1 && snapshots.verify().unwrap().is_intact());
        snapshots.check_forgotten(&hashes[..1]).unwrap();
        let error = snapshots.check_forgotten(&hashes).unwrap_err().to_string();
        assert!(error.contains("it lacks 1 of 2 entities"), "{error}");
        let mut verified = snapshots.verify().unwrap();
        verified.hold_to(&snapshots, &hashes);
        assert!(!verified.is_intact());
    }
}
