//! The features of some answers of a period, and in what those with a label are not like the others.

use std::collections::HashMap;

use streamflow_drift::{Column, DriftSettings, compare};
use streamflow_model::{FeatureColumn, MISSING};

use super::difference::Difference;
use super::hour::Answer;
use crate::predictions::{Cell, Logged};

/// The column of the answers themselves, which no feature is named like in the log.
pub const SCORE: &str = "_score";
/// Fewest answers of a side that are compared.
const LEAST_ROWS: usize = 30;

/// The features of some rows, chosen evenly, and by what the rows are: samples of parts are samples of the whole.
pub struct Sample {
    most: usize,
    one_of: u64,
    names: Vec<String>,
    /// Names of categories by feature; none of a number.
    levels: Vec<Option<Levels>>,
    rows: Vec<SampledRow>,
}

struct SampledRow {
    /// Its place among all rows.
    place: usize,
    /// By which it was chosen.
    number: u64,
    /// A number or the code of a category for each feature.
    values: Box<[f64]>,
}

#[derive(Default)]
struct Levels {
    codes: HashMap<Box<str>, u32>,
    names: Vec<String>,
}

impl Levels {
    fn code(&mut self, text: &str) -> f64 {
        if let Some(code) = self.codes.get(text) {
            return f64::from(*code);
        }
        let code = u32::try_from(self.names.len()).unwrap_or(MISSING);
        self.codes.insert(text.into(), code);
        self.names.push(text.to_owned());
        f64::from(code)
    }
}

impl Sample {
    pub fn new(most: usize) -> Self {
        Self { most, one_of: 1, names: Vec::new(), levels: Vec::new(), rows: Vec::new() }
    }

    /// Takes a row, where it is one of those that are held.
    pub fn add(&mut self, place: usize, row: &Logged) {
        if self.names.is_empty() {
            self.names = row.shape.features.iter().map(|(name, _)| name.clone()).collect();
            let levels = row.shape.features.iter().map(|(_, is_number)| (!is_number).then(Levels::default));
            self.levels = levels.collect();
        }
        let number = number_of(&row.into());
        if !number.is_multiple_of(self.one_of) {
            return;
        }
        let value = |(feature, levels): (usize, &mut Option<Levels>)| match (row.values.get(feature), levels)
        {
            (Some(Cell::Number(number)), None) => *number,
            (Some(Cell::Text(text)), Some(levels)) => levels.code(text),
            _ => f64::NAN,
        };
        let values = self.levels.iter_mut().enumerate().map(value).collect();
        self.rows.push(SampledRow { place, number, values });
        while self.rows.len() > self.most {
            self.thin(self.one_of * 2);
        }
    }

    /// Takes the rows of a sample of the same features, as far as they have a place here.
    pub fn absorb(&mut self, other: &Self, place_of: impl Fn(usize) -> Option<usize>) {
        if self.names.is_empty() {
            self.names.clone_from(&other.names);
            self.levels =
                other.levels.iter().map(|levels| levels.as_ref().map(|_| Levels::default())).collect();
        }
        if self.names != other.names {
            return;
        }
        // Of both the same share, so that none weighs more.
        self.thin(self.one_of.max(other.one_of));
        for row in other.rows.iter().filter(|row| row.number.is_multiple_of(self.one_of)) {
            let Some(place) = place_of(row.place) else { continue };
            let columns = row.values.iter().zip(&other.levels).zip(&mut self.levels);
            let value = |((value, theirs), ours): ((&f64, &Option<Levels>), &mut Option<Levels>)| {
                let name = theirs.as_ref().and_then(|theirs| theirs.names.get(code(*value) as usize));
                match (ours, name) {
                    (Some(ours), Some(name)) => ours.code(name),
                    (Some(_), None) => f64::NAN,
                    (None, _) => *value,
                }
            };
            self.rows.push(SampledRow { place, number: row.number, values: columns.map(value).collect() });
        }
        while self.rows.len() > self.most {
            self.thin(self.one_of * 2);
        }
    }

    /// The rows that have a place among others.
    pub fn select(&self, place_of: impl Fn(usize) -> Option<usize>) -> Self {
        let mut selected = Self::new(self.most);
        selected.absorb(self, place_of);
        selected
    }

    /// Holds one row of so many, a power of two.
    fn thin(&mut self, one_of: u64) {
        if one_of != self.one_of {
            self.one_of = one_of;
            self.rows.retain(|row| row.number.is_multiple_of(one_of));
        }
    }

    /// The features of the rows that are held, as a model takes them, and what was answered.
    pub fn features(&self, scores: &[f64]) -> (Vec<(String, FeatureColumn)>, Vec<f64>) {
        let column = |(feature, name): (usize, &String)| {
            let values = self.rows.iter().map(move |row| row.values[feature]);
            let column = match &self.levels[feature] {
                None => FeatureColumn::Numerical(values.collect()),
                Some(levels) => FeatureColumn::Categorical {
                    codes: values.map(code).collect(),
                    levels: levels.names.clone(),
                },
            };
            (name.clone(), column)
        };
        let predictions = self.rows.iter().map(|row| scores[row.place]).collect();
        (self.names.iter().enumerate().map(column).collect(), predictions)
    }

    /// Rows whose features are held.
    pub fn held(&self) -> usize {
        self.rows.len()
    }

    /// In what the rows with a label differ from the others: the tests and gates of the calibrated profile, over score and
    /// features together. Nothing where one side has fewer than 30 rows.
    ///
    /// # Errors
    /// Values that cannot be compared.
    pub fn differences(&self, scores: &[f64], labels: &[f64]) -> anyhow::Result<Vec<Difference>> {
        let (labelled, others): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|row| !labels[row.place].is_nan());
        if labelled.len().min(others.len()) < LEAST_ROWS {
            return Ok(Vec::new());
        }
        let settings = DriftSettings {
            reference_name: "the other answers".to_owned(),
            current_name: "the labelled answers".to_owned(),
            ..DriftSettings::default()
        };
        let report = compare(&self.columns(&others, scores), &self.columns(&labelled, scores), &settings)?;
        let mut found: Vec<Difference> = report.drifted().map(Difference::of).collect();
        found.sort_by(|a, b| b.size().total_cmp(&a.size()));
        Ok(found)
    }

    fn columns(&self, rows: &[&SampledRow], scores: &[f64]) -> Vec<Column> {
        let score = Column::float(SCORE, rows.iter().map(|row| scores[row.place]).collect());
        let feature = |(feature, name): (usize, &String)| {
            let values = rows.iter().map(move |row| row.values[feature]);
            match &self.levels[feature] {
                None => Column::float(name, values.collect()),
                Some(levels) => Column {
                    name: name.clone(),
                    values: streamflow_drift::Values::Text {
                        codes: values.map(code).collect(),
                        levels: levels.names.clone(),
                    },
                },
            }
        };
        std::iter::once(score).chain(self.names.iter().enumerate().map(feature)).collect()
    }
}

/// The code of a category as it is held.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was made of such a code")]
fn code(value: f64) -> u32 {
    if value.is_nan() { MISSING } else { value as u32 }
}

/// A number of which every bit depends on when, to whom and about whom the answer was given (Vigna's SplitMix64).
fn number_of(answer: &Answer<'_>) -> u64 {
    let whom = answer.entity.unwrap_or_default().rotate_left(32) ^ answer.request.unwrap_or_default();
    let mut bits = (answer.time_us.cast_unsigned() ^ whom).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::predictions::Shape;

    fn row(shape: &Arc<Shape>, number: i64) -> Logged {
        Logged {
            shape: shape.clone(),
            time_us: number,
            request_id: None,
            entity: Some((number % 7).to_string().into()),
            protocol: "predict",
            latency_us: 1,
            score: number as f64,
            prediction: None,
            features_sent: 0,
            probabilities: [].into(),
            values: vec![
                Cell::Number(number as f64),
                Cell::Text(["a", "b", "c"][number as usize % 3].into()),
            ],
        }
    }

    /// Rows by what they say, whichever place and code they have.
    fn told(sample: &Sample, scores: &[f64]) -> Vec<(i64, String)> {
        let (features, predictions) = sample.features(scores);
        let FeatureColumn::Categorical { codes, levels } = &features[1].1 else { panic!() };
        let told = predictions.iter().zip(codes).map(|(p, code)| (*p as i64, levels[*code as usize].clone()));
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    }

    #[test]
    fn samples_of_hours_are_the_sample_of_the_day() {
        let features = vec![("x".to_owned(), true), ("plan".to_owned(), false)];
        let [model, version, as_of] = ["churn", "1", "2024-02-29"].map(str::to_owned);
        let shape = Arc::new(Shape { model, version, as_of, classes: Vec::new(), features });
        let scores: Vec<f64> = (0..3000).map(f64::from).collect();
        // One hour has far more answers than the other.
        let hours = [0..2700, 2700..3000];
        let mut whole = Sample::new(400);
        let mut parts = Sample::new(400);
        for hour in hours {
            let mut part = Sample::new(300);
            for (place, number) in hour.clone().enumerate() {
                whole.add(number as usize, &row(&shape, number));
                part.add(place, &row(&shape, number));
            }
            parts.absorb(&part, |place| Some(hour.start as usize + place));
        }
        assert_eq!((whole.one_of, parts.one_of), (8, 16), "the fuller hour decides");
        let found = told(&parts, &scores);
        assert!(found.iter().all(|one| told(&whole, &scores).contains(one)), "{found:?}");
        let (many, few): (Vec<_>, Vec<_>) = found.iter().partition(|(number, _)| *number < 2700);
        assert!(
            (120..220).contains(&many.len()) && (8..32).contains(&few.len()),
            "{} {}",
            many.len(),
            few.len()
        );
        assert!(found.iter().all(|(number, plan)| *plan == ["a", "b", "c"][*number as usize % 3]));
        let before = parts.rows.len();
        parts.absorb(&whole, |_| None);
        assert_eq!(parts.rows.len(), before, "rows without a place are left out");
    }
}
