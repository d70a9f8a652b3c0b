//! The features of kept answers as a table, one row an entity.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context as _;
use streamflow_dataset::{Column, Frame, MISSING, Values};
use streamflow_live::entity_hash;

use super::read::{Window, read};
use super::record::{Cell, Record};

/// Entities that are held; of more a sample is taken, so that memory stays bounded whatever is asked.
const MOST_ENTITIES: usize = 1_000_000;

/// Who was asked about in a window, with the features that were given last.
#[derive(Debug, Default)]
pub struct Asked {
    /// The features, in the order of the model.
    features: Vec<String>,
    /// One row an entity.
    rows: Vec<Vec<Cell>>,
    /// Answers of the window by versions with these features.
    pub answers: u64,
    /// Answers of the window by versions with other features, which are left out.
    pub left_out: u64,
    /// The versions that answered.
    pub versions: BTreeSet<String>,
    /// One entity of so many is in the rows; 1 for all.
    pub one_of: u64,
}

/// The answers of versions that have the same features.
struct Group {
    rows: HashMap<u64, (i64, Vec<Cell>)>,
    answers: u64,
    versions: BTreeSet<String>,
    newest_us: i64,
    one_of: u64,
}

/// Reads the answers of a model in a window. An entity counts once, with its last values; an answer that names no entity
/// counts once for the same values. Where the versions of the window have different features, those of the newest answer
/// count.
///
/// # Errors
/// A file of the log that is damaged, by its name.
pub fn asked(folder: &Path, window: Window, model: &str) -> anyhow::Result<Asked> {
    asked_of(folder, window, model, MOST_ENTITIES)
}

fn asked_of(folder: &Path, window: Window, model: &str, most: usize) -> anyhow::Result<Asked> {
    let mut groups: HashMap<Vec<String>, Group> = HashMap::new();
    let mut answers = 0;
    let taken = read(folder, window, |row| {
        if row.shape.model == model {
            let features: Vec<String> = row.shape.features.iter().map(|(name, _)| name.clone()).collect();
            groups.entry(features).or_insert_with(Group::new).add(row, most);
            answers += 1;
        }
        Ok(())
    });
    taken.context("the log of predictions cannot be read")?;
    let newest = groups.into_iter().max_by_key(|(_, group)| group.newest_us);
    let Some((features, group)) = newest else { return Ok(Asked::default()) };
    let mut rows: Vec<(u64, Vec<Cell>)> =
        group.rows.into_iter().map(|(hash, (_, values))| (hash, values)).collect();
    rows.sort_unstable_by_key(|(hash, _)| *hash);
    Ok(Asked {
        features,
        rows: rows.into_iter().map(|(_, values)| values).collect(),
        answers: group.answers,
        left_out: answers - group.answers,
        versions: group.versions,
        one_of: group.one_of,
    })
}

impl Group {
    fn new() -> Self {
        let (rows, versions) = (HashMap::new(), BTreeSet::new());
        Self { rows, answers: 0, versions, newest_us: i64::MIN, one_of: 1 }
    }

    fn add(&mut self, row: Record, most: usize) {
        self.answers += 1;
        self.newest_us = self.newest_us.max(row.time_us);
        if !self.versions.contains(&row.shape.version) {
            self.versions.insert(row.shape.version.clone());
        }
        let hash = match &row.entity {
            Some(entity) => entity_hash(0, entity.as_bytes()),
            None => entity_hash(1, format!("{:?}", row.values).as_bytes()),
        };
        if !hash.is_multiple_of(self.one_of) {
            return;
        }
        let kept = self.rows.entry(hash).or_insert_with(|| (i64::MIN, Vec::new()));
        if row.time_us >= kept.0 {
            *kept = (row.time_us, row.values);
        }
        while self.rows.len() > most {
            self.one_of *= 2;
            let one_of = self.one_of;
            self.rows.retain(|hash, _| hash.is_multiple_of(one_of));
        }
    }
}

impl Asked {
    /// The entities that there are in the table.
    pub fn entities(&self) -> usize {
        self.rows.len()
    }

    /// The table. Texts that all say true or false are truth values where `is_boolean` says so of the feature.
    pub fn frame(&self, is_boolean: impl Fn(&str) -> bool) -> Frame {
        let column = |(place, name): (usize, &String)| {
            let cells: Vec<&Cell> =
                self.rows.iter().map(|row| row.get(place).unwrap_or(&Cell::Missing)).collect();
            Column { name: name.clone(), values: values(&cells, is_boolean(name)) }
        };
        Frame { columns: self.features.iter().enumerate().map(column).collect(), rows: self.rows.len() }
    }
}

fn values(cells: &[&Cell], is_boolean: bool) -> Values {
    if !cells.iter().any(|cell| matches!(cell, Cell::Text(_))) {
        let number = |cell: &&Cell| if let Cell::Number(number) = cell { *number } else { f64::NAN };
        return Values::Float(cells.iter().map(number).collect());
    }
    let truths: Option<Vec<Option<bool>>> = cells.iter().map(|cell| truth(cell)).collect();
    if let Some(truths) = truths.filter(|_| is_boolean) {
        return Values::Boolean(truths);
    }
    let (mut levels, mut places) = (Vec::new(), HashMap::new());
    let mut code = |text: String| {
        *places.entry(text).or_insert_with_key(|text| {
            levels.push(text.clone());
            u32::try_from(levels.len() - 1).unwrap_or(MISSING)
        })
    };
    let code_of = |cell: &&Cell| match cell {
        Cell::Missing => MISSING,
        Cell::Number(number) => code(number.to_string()),
        Cell::Text(text) => code(text.to_string()),
    };
    let codes = cells.iter().map(code_of).collect();
    Values::Text { codes, levels }
}

/// None for a value that is no truth value; the inner none is a missing one.
fn truth(cell: &Cell) -> Option<Option<bool>> {
    match cell {
        Cell::Missing => Some(None),
        Cell::Text(text) => text.parse().ok().map(Some),
        Cell::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::record::Shape;
    use super::super::writer::write_file;
    use super::*;

    /// 2024-03-01T07:30:00Z.
    const TIME_US: i64 = 1_709_278_200_000_000;

    fn row(shape: &Arc<Shape>, after_us: i64, entity: Option<&str>, hours: f64) -> Record {
        Record {
            shape: shape.clone(),
            time_us: TIME_US + after_us,
            request_id: None,
            entity: entity.map(Into::into),
            protocol: "predict",
            latency_us: 1,
            score: 0.5,
            prediction: None,
            features_sent: 0,
            probabilities: [].into(),
            values: vec![Cell::Number(hours), Cell::Text("true".into())],
        }
    }

    fn shape(model: &str, version: &str, second: &str) -> Arc<Shape> {
        let features = vec![("hours".to_owned(), true), (second.to_owned(), false)];
        let (model, version, as_of) = (model.to_owned(), version.to_owned(), "2024-02-29".to_owned());
        Arc::new(Shape { model, version, as_of, classes: Vec::new(), features })
    }

    fn log(files: &[Vec<Record>]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (number, rows) in files.iter().enumerate() {
            let path = dir.path().join(format!("date=2024-03-01/hour=07/part-{number}.parquet"));
            write_file(&path, &rows[0].shape, rows).unwrap();
        }
        dir
    }

    #[test]
    fn an_entity_counts_once_with_what_was_given_last() {
        let [first, second] = ["1", "2"].map(|version| shape("churn", version, "tv"));
        let (other, older) = (shape("sales", "1", "tv"), shape("churn", "0", "radio"));
        let dir = log(&[
            vec![row(&first, 5, Some("a"), 3.0), row(&first, 1, Some("a"), 2.0), row(&first, 1, None, 7.0)],
            vec![row(&second, 2, Some("b"), f64::NAN), row(&second, 3, None, 7.0)],
            vec![row(&other, 9, Some("c"), 1.0)],
            vec![row(&older, 0, Some("d"), 1.0)],
        ]);
        let found = asked(dir.path(), Window::ALL, "churn").unwrap();
        assert_eq!((found.entities(), found.answers, found.left_out, found.one_of), (3, 5, 1, 1));
        assert_eq!(found.versions.iter().collect::<Vec<_>>(), ["1", "2"]);
        let frame = found.frame(|_| true);
        let Some(Values::Float(hours)) = frame.column("hours").map(|column| &column.values) else { panic!() };
        let mut known: Vec<f64> = hours.iter().copied().filter(|hours| !hours.is_nan()).collect();
        known.sort_by(f64::total_cmp);
        assert_eq!((known, hours.len()), (vec![3.0, 7.0], 3));
        assert_eq!(frame.column("tv").unwrap().values, Values::Boolean(vec![Some(true); 3]));
        let levels = vec!["true".to_owned()];
        assert_eq!(
            found.frame(|_| false).column("tv").unwrap().values,
            Values::Text { codes: vec![0; 3], levels }
        );
        assert_eq!(asked(dir.path(), Window::ALL, "nobody").unwrap().entities(), 0);
    }

    #[test]
    fn of_more_entities_than_are_held_a_sample_is_taken() {
        let shape = shape("churn", "1", "tv");
        let rows = (0..2000).map(|user| row(&shape, user, Some(&user.to_string()), 1.0)).collect();
        let dir = log(&[rows]);
        let found = asked_of(dir.path(), Window::ALL, "churn", 500).unwrap();
        assert!(found.one_of >= 4 && (200..=500).contains(&found.entities()), "{}", found.entities());
        assert_eq!(found.answers, 2000);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = log(&[vec![row(&shape("churn", "1", "tv"), 0, None, 1.0)]]);
        std::fs::write(dir.path().join("date=2024-03-01/hour=07/part-9.parquet"), "PAR1").unwrap();
        let error = format!("{:#}", asked(dir.path(), Window::ALL, "churn").unwrap_err());
        assert!(
            error.contains("the log of predictions cannot be read") && error.contains("part-9.parquet"),
            "{error}"
        );
    }
}
