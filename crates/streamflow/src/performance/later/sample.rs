//! The features of some answers of a period, and in what those with a label are not like the others.

use std::collections::HashMap;

use serde::Serialize;
use streamflow_drift::{Column, DriftSettings, compare};
use streamflow_model::{FeatureColumn, MISSING};

use crate::predictions::{Cell, Logged};

/// The column of the answers themselves, which no feature is named like in the log.
const SCORE: &str = "_score";
/// Fewest answers of a side that are compared.
const LEAST_ROWS: usize = 30;
/// Differences that a sentence names.
const NAMED: usize = 5;

/// In what labelled answers are not like the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// A feature, or `score`.
    pub column: String,
    /// The name of the measure, and how large the difference is; none where a share of missing values differs alone.
    pub measure: Option<String>,
    pub effect: Option<f64>,
    /// From where on it counts.
    pub threshold: Option<f64>,
    /// From the others to the labelled ones, in words.
    pub words: String,
}

/// The features of some rows, chosen evenly.
pub struct Sample {
    most: usize,
    one_of: u64,
    names: Vec<String>,
    /// Names of categories by feature; none of a number.
    levels: Vec<Option<Levels>>,
    /// The place of a row, and its values: a number or the code of a category.
    rows: Vec<(usize, Box<[f64]>)>,
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
        if !mixed(place).is_multiple_of(self.one_of) {
            return;
        }
        let value = |(feature, levels): (usize, &mut Option<Levels>)| match (row.values.get(feature), levels)
        {
            (Some(Cell::Number(number)), None) => *number,
            (Some(Cell::Text(text)), Some(levels)) => levels.code(text),
            _ => f64::NAN,
        };
        self.rows.push((place, self.levels.iter_mut().enumerate().map(value).collect()));
        while self.rows.len() > self.most {
            self.one_of *= 2;
            self.rows.retain(|(place, _)| mixed(*place).is_multiple_of(self.one_of));
        }
    }

    /// The features of the rows that are held, as a model takes them, and what was answered.
    pub fn features(&self, scores: &[f64]) -> (Vec<(String, FeatureColumn)>, Vec<f64>) {
        let column = |(feature, name): (usize, &String)| {
            let values = self.rows.iter().map(move |(_, values)| values[feature]);
            let column = match &self.levels[feature] {
                None => FeatureColumn::Numerical(values.collect()),
                Some(levels) => FeatureColumn::Categorical {
                    codes: values.map(code).collect(),
                    levels: levels.names.clone(),
                },
            };
            (name.clone(), column)
        };
        let predictions = self.rows.iter().map(|(place, _)| scores[*place]).collect();
        (self.names.iter().enumerate().map(column).collect(), predictions)
    }

    /// In what the rows with a label differ from the others: the tests and gates of the calibrated profile, over score and
    /// features together. Nothing where one side has fewer than 30 rows.
    ///
    /// # Errors
    /// Values that cannot be compared.
    pub fn differences(&self, scores: &[f64], labels: &[f64]) -> anyhow::Result<Vec<Difference>> {
        let (labelled, others): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|(place, _)| !labels[*place].is_nan());
        if labelled.len().min(others.len()) < LEAST_ROWS {
            return Ok(Vec::new());
        }
        let settings = DriftSettings {
            reference_name: "the other answers".to_owned(),
            current_name: "the labelled answers".to_owned(),
            ..DriftSettings::default()
        };
        let report = compare(&self.columns(&others, scores), &self.columns(&labelled, scores), &settings)?;
        let mut found: Vec<(f64, Difference)> = report
            .drifted()
            .map(|column| {
                let effect = column.effect_size.as_ref();
                let value = effect.and_then(|effect| effect.value);
                let ratio = effect.zip(value).map_or(0.0, |(effect, value)| value.abs() / effect.threshold);
                let name = if column.name == SCORE { "score" } else { &column.name };
                let difference = Difference {
                    column: name.to_owned(),
                    measure: effect.map(|effect| effect.name.clone()),
                    effect: value,
                    threshold: effect.map(|effect| effect.threshold),
                    words: column.explanation.clone(),
                };
                (ratio, difference)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(found.into_iter().map(|(_, difference)| difference).collect())
    }

    fn columns(&self, rows: &[&(usize, Box<[f64]>)], scores: &[f64]) -> Vec<Column> {
        let score = Column::float(SCORE, rows.iter().map(|(place, _)| scores[*place]).collect());
        let feature = |(feature, name): (usize, &String)| {
            let values = rows.iter().map(move |(_, values)| values[feature]);
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

/// A number of which every bit depends on the place (Vigna's SplitMix64).
fn mixed(place: usize) -> u64 {
    let mut bits = (place as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A sentence on the differences; none without any.
pub fn words(differences: &[Difference], labelled: usize, rows: usize) -> Option<String> {
    if differences.is_empty() {
        return None;
    }
    let named: Vec<String> = differences.iter().take(NAMED).map(Difference::shown).collect();
    let more = match differences.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Some(format!(
        "What the labels say holds for the {labelled} labelled answers only, which are not like the other {}: {}{more}.",
        rows - labelled,
        named.join("; ")
    ))
}

impl Difference {
    fn shown(&self) -> String {
        let mut letters = self.words.chars();
        let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
        format!("{} ({first}{})", self.column, letters.as_str().trim_end_matches('.'))
    }
}
