//! What the model knows of its features: names, kinds, the levels of categories and how every value
//! becomes the number the trees compare.
//!
//! A numerical value is itself. A categorical value is the position of its level when the levels are
//! sorted by the share of positive labels among the training rows: with a binary label, the best
//! split of the levels into two sets is then one threshold (Fisher 1958,
//! doi:10.1080/01621459.1958.10501479; Breiman et al. 1984, section 4.2). With a numerical label they are
//! sorted by its mean, for which the same holds, and with several classes by the first principal component
//! of their shares of classes (Coppersmith et al. 1999, doi:10.1023/A:1009869804967). Levels with few training
//! rows share one position, so that a level with a single row cannot carry that row's label. Missing
//! values, and levels that no training row has, are NaN, for which every split has its own direction.

use serde::{Deserialize, Serialize};

use crate::labels::Target;
use crate::level_order::{Counts, order_of};
use crate::{Error, FeatureColumn, FeatureValue, Features, MISSING};

/// Values beyond this are brought back to it, infinities included: the trees' thresholds are finite.
const LARGEST: f64 = 1e300;

/// The features of a model, in the order of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// One entry per feature.
    pub features: Vec<Feature>,
    /// The names of the classes, in the order of their probabilities; empty of a model without several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// One feature as the training rows had it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The name of the feature.
    pub name: String,
    /// The kind of the feature.
    pub kind: Kind,
    /// Share of training rows without a value.
    pub missing_share: f64,
}

/// How a feature's values are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By size.
    Numerical,
    /// By level.
    Categorical {
        /// The levels of the training rows, sorted by name.
        levels: Vec<Level>,
    },
}

/// One level of a categorical feature in the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The name of the level.
    pub name: String,
    /// Training rows that have it.
    pub rows: u64,
    /// The number that stands for it in an encoded row.
    pub position: u32,
}

/// A row of numbers for [`crate::Model::predict_row`].
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedRow {
    /// One number per feature; NaN is missing.
    pub values: Vec<f64>,
    /// Features (as indices) whose level no training row had; they are missing in `values`.
    pub unseen: Vec<usize>,
}

impl Feature {
    /// "numerical" or "categorical".
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Numerical => "numerical",
            Kind::Categorical { .. } => "categorical",
        }
    }
}

impl Schema {
    /// Learns the schema from the training `rows` (indices into `features` and `target`). Levels with
    /// fewer than `min_level_rows` of them share one position.
    pub(crate) fn fit(features: &Features, target: &Target, rows: &[usize], min_level_rows: u64) -> Schema {
        let entry = |(name, column): (&String, &FeatureColumn)| {
            let (kind, missing) = match column {
                FeatureColumn::Numerical(values) => {
                    (Kind::Numerical, rows.iter().filter(|&&row| values[row].is_nan()).count())
                }
                FeatureColumn::Categorical { codes, levels } => (
                    Kind::Categorical { levels: fit_levels(codes, levels, target, rows, min_level_rows) },
                    rows.iter().filter(|&&row| codes[row] == MISSING).count(),
                ),
            };
            Feature { name: name.clone(), kind, missing_share: missing as f64 / rows.len().max(1) as f64 }
        };
        let features = features.names().iter().zip(features.columns()).map(entry).collect();
        Schema { features, classes: target.classes.clone() }
    }

    /// Encodes one row of values given in the order of the schema.
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and [`Error::KindMismatch`]. A missing or unseen value is not an error.
    pub fn encode(&self, values: &[FeatureValue]) -> Result<EncodedRow, Error> {
        if values.len() != self.features.len() {
            return Err(Error::FeatureCount { expected: self.features.len(), given: values.len() });
        }
        let mut encoded = EncodedRow { values: Vec::with_capacity(values.len()), unseen: Vec::new() };
        for (i, (feature, value)) in self.features.iter().zip(values).enumerate() {
            encoded.values.push(match (&feature.kind, value) {
                (_, FeatureValue::Missing) => f64::NAN,
                (Kind::Numerical, FeatureValue::Number(number)) => number.clamp(-LARGEST, LARGEST),
                (Kind::Categorical { levels }, FeatureValue::Boolean(_) | FeatureValue::Text(_)) => {
                    let name = match value {
                        FeatureValue::Text(text) => text,
                        FeatureValue::Boolean(true) => "true",
                        _ => "false",
                    };
                    level_position(levels, name).unwrap_or_else(|| {
                        encoded.unseen.push(i);
                        f64::NAN
                    })
                }
                (_, value) => return Err(mismatch(feature, value_kind(value))),
            });
        }
        Ok(encoded)
    }

    /// Encodes the schema's columns of `features`, found by name, for the given rows. Returns one
    /// vector per feature of the schema and the number of unseen values in each.
    ///
    /// # Errors
    /// [`Error::MissingFeature`] and [`Error::KindMismatch`]. Other columns are ignored.
    pub(crate) fn encode_columns(
        &self,
        features: &Features,
        rows: &[usize],
    ) -> Result<(Vec<Vec<f64>>, Vec<u64>), Error> {
        let mut columns = Vec::with_capacity(self.features.len());
        let mut unseen = vec![0; self.features.len()];
        for (feature, unseen) in self.features.iter().zip(&mut unseen) {
            let column = features.column(&feature.name).ok_or_else(|| Error::MissingFeature {
                feature: feature.name.clone(),
                expected: feature.kind_name(),
            })?;
            columns.push(match (&feature.kind, column) {
                (Kind::Numerical, FeatureColumn::Numerical(values)) => {
                    rows.iter().map(|&row| values[row].clamp(-LARGEST, LARGEST)).collect()
                }
                (Kind::Categorical { levels }, FeatureColumn::Categorical { codes, levels: names }) => {
                    let positions: Vec<Option<f64>> =
                        names.iter().map(|name| level_position(levels, name)).collect();
                    let mut encode = |&row: &usize| match codes[row] {
                        MISSING => f64::NAN,
                        code => positions[code as usize].unwrap_or_else(|| {
                            *unseen += 1;
                            f64::NAN
                        }),
                    };
                    rows.iter().map(&mut encode).collect()
                }
                (_, FeatureColumn::Numerical(_)) => return Err(mismatch(feature, "numerical")),
                (_, FeatureColumn::Categorical { .. }) => return Err(mismatch(feature, "categorical")),
            });
        }
        Ok((columns, unseen))
    }
}

fn mismatch(feature: &Feature, given: &'static str) -> Error {
    Error::KindMismatch { feature: feature.name.clone(), expected: feature.kind_name(), given }
}

fn value_kind(value: &FeatureValue) -> &'static str {
    match value {
        FeatureValue::Missing => "missing",
        FeatureValue::Number(_) => "a number",
        FeatureValue::Boolean(_) => "a boolean",
        FeatureValue::Text(_) => "a text",
    }
}

fn level_position(levels: &[Level], name: &str) -> Option<f64> {
    let found = levels.binary_search_by(|level| level.name.as_str().cmp(name)).ok()?;
    Some(f64::from(levels[found].position))
}

/// The levels the rows have, with their positions in the order of their labels.
fn fit_levels(codes: &[u32], names: &[String], target: &Target, rows: &[usize], min_rows: u64) -> Vec<Level> {
    // By level name: two codes may carry the same name.
    let mut counts = std::collections::BTreeMap::<&str, Counts>::new();
    let mut all = Counts::new(target);
    for &row in rows.iter().filter(|&&row| codes[row] != MISSING) {
        let level = counts.entry(&names[codes[row] as usize]).or_insert_with(|| Counts::new(target));
        level.add(target.values[row]);
        all.add(target.values[row]);
    }
    // One entry per position: the levels with enough rows by name, and the rare ones together.
    let mut rare = Counts::new(target);
    counts.values().filter(|level| level.rows < min_rows).for_each(|level| rare.merge(level));
    let mut entries: Vec<(Option<&str>, &Counts)> = counts
        .iter()
        .filter(|(_, level)| level.rows >= min_rows)
        .map(|(&name, level)| (Some(name), level))
        .collect();
    if rare.rows > 0 {
        entries.push((None, &rare));
    }
    let positions: std::collections::BTreeMap<Option<&str>, u32> =
        order_of(entries, &all).into_iter().zip(0..).collect();
    let level = |(name, level): (&&str, &Counts)| Level {
        name: (*name).to_string(),
        rows: level.rows,
        position: positions[&(level.rows >= min_rows).then_some(*name)],
    };
    counts.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[Option<&str>]) -> FeatureColumn {
        let mut levels: Vec<String> = values.iter().flatten().map(|v| v.to_string()).collect();
        levels.sort();
        levels.dedup();
        let code =
            |v: &Option<&str>| v.map_or(MISSING, |v| levels.iter().position(|l| l == v).unwrap() as u32);
        let codes = values.iter().map(code).collect();
        FeatureColumn::Categorical { codes, levels }
    }

    fn plans() -> (Features, Schema) {
        // Positive shares: basic 0, family 1/2, premium 1; "trial" has one row, positive.
        let values = ["basic", "basic", "family", "family", "premium", "premium", "trial"];
        let mut plan: Vec<Option<&str>> = values.iter().map(|v| Some(*v)).collect();
        plan.push(None);
        let labels = [false, false, true, false, true, true, true, false];
        let hours = vec![1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5.0, 6.0, 7.0, 8.0];
        let features = Features::new(vec![
            ("plan".to_string(), text(&plan)),
            ("hours".to_string(), FeatureColumn::Numerical(hours)),
        ])
        .unwrap();
        let rows: Vec<usize> = (0..8).collect();
        let target = Target::of_training(&labels.map(Some).to_vec().into(), &rows);
        let schema = Schema::fit(&features, &target, &rows, 2);
        (features, schema)
    }

    #[test]
    fn levels_are_ordered_by_their_share_of_positives() {
        let (features, schema) = plans();
        let (columns, unseen) = schema.encode_columns(&features, &(0..8).collect::<Vec<_>>()).unwrap();
        assert_eq!(columns[0][..7], [0.0, 0.0, 1.0, 1.0, 3.0, 3.0, 2.0]);
        assert!(columns[0][7].is_nan());
        assert_eq!(columns[1][1..3], [1e300, -1e300]);
        assert!(columns[1][3].is_nan());
        assert_eq!(unseen, [0, 0]);
        assert_eq!(schema.features[0].missing_share, 1.0 / 8.0);
    }

    #[test]
    fn rare_levels_share_a_position() {
        let plan = ["a", "b", "c", "d", "e", "e", "e", "e"].map(Some);
        let features = Features::new(vec![("plan".to_string(), text(&plan))]).unwrap();
        let labels = [true, false, true, false, false, false, false, false];
        let rows: Vec<usize> = (0..8).collect();
        let target = Target::of_training(&labels.map(Some).to_vec().into(), &rows);
        let schema = Schema::fit(&features, &target, &rows, 2);
        let Kind::Categorical { levels } = &schema.features[0].kind else { panic!() };
        assert_eq!(levels.iter().map(|l| l.position).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
    }

    #[test]
    fn one_row_encodes_as_its_column_does() {
        use FeatureValue::{Boolean, Missing, Number, Text};
        let (_, schema) = plans();
        let check = |values: &[FeatureValue], expected: [f64; 2], unseen: &[usize]| {
            let row = schema.encode(values).unwrap();
            let same = |a: &f64, b: &f64| a == b || (a.is_nan() && b.is_nan());
            assert!(row.values.iter().zip(&expected).all(|(a, b)| same(a, b)), "{row:?}");
            assert_eq!(row.unseen, unseen);
        };
        check(&[Text("premium"), Number(2.5)], [3.0, 2.5], &[]);
        check(&[Missing, Missing], [f64::NAN; 2], &[]);
        check(&[Text("gift"), Number(f64::NAN)], [f64::NAN; 2], &[0]);
        check(&[Text(""), Number(f64::INFINITY)], [f64::NAN, 1e300], &[0]);
        check(&[Boolean(true), Number(0.0)], [f64::NAN, 0.0], &[0]);
    }

    #[test]
    fn another_kind_is_an_error_that_names_it() {
        use FeatureValue::{Boolean, Number, Text};
        let (features, schema) = plans();
        let error = |values: &[FeatureValue]| schema.encode(values).unwrap_err().to_string();
        let trained = "but the model was trained with it as";
        assert_eq!(
            error(&[Number(1.0), Number(1.0)]),
            format!("feature \"plan\" is a number, {trained} categorical")
        );
        assert_eq!(
            error(&[Text("a"), Text("b")]),
            format!("feature \"hours\" is a text, {trained} numerical")
        );
        assert_eq!(
            error(&[Text("a"), Boolean(true)]),
            format!("feature \"hours\" is a boolean, {trained} numerical")
        );
        assert_eq!(error(&[Text("a")]), "1 feature values were given, but the model has 2 features");
        let swapped = Features::new(vec![
            ("plan".to_string(), features.columns()[1].clone()),
            ("hours".to_string(), features.columns()[0].clone()),
        ])
        .unwrap();
        let error = schema.encode_columns(&swapped, &[0]).unwrap_err().to_string();
        assert_eq!(error, format!("feature \"plan\" is numerical, {trained} categorical"));
        let without = Features::new(vec![("plan".to_string(), features.columns()[0].clone())]).unwrap();
        let error = schema.encode_columns(&without, &[0]).unwrap_err().to_string();
        assert_eq!(
            error,
            "feature \"hours\" is not among the given columns; the model was trained with it as numerical"
        );
    }
}
