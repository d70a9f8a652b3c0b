//! What the training data looked like: the reference that later data and scores are held against.

use serde::{Deserialize, Serialize};
use streamflow_stats::Sample;

use crate::{Answers, FeatureColumn, Features, MISSING};

/// The quantiles that are kept of a numerical feature.
pub const QUANTILES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

/// Number of equal bins of the score histogram over [0, 1].
pub const SCORE_BINS: usize = 20;

/// The training rows' features and the validation rows' scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceProfile {
    /// One entry per feature, over the training rows.
    pub features: Vec<FeatureProfile>,
    /// Number of validation rows with a probability in [i/20, (i+1)/20), the last bin closed; empty without two classes.
    /// Of validation rows, because a model's scores of its own training rows are too certain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub score_histogram: Vec<u64>,
    /// The same of each of several classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_histograms: Vec<ClassHistogram>,
    /// The validation rows' predicted numbers; of a regression only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_histogram: Option<ValueHistogram>,
}

/// The probabilities of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassHistogram {
    /// The class.
    pub class: String,
    /// Rows by probability, as [`ReferenceProfile::score_histogram`].
    pub histogram: Vec<u64>,
}

/// Predicted numbers in 20 bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueHistogram {
    /// The least prediction.
    pub low: f64,
    /// The largest prediction.
    pub high: f64,
    /// Rows in each bin, the last one closed; a single bin where all predictions are the same.
    pub histogram: Vec<u64>,
}

/// One feature of the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureProfile {
    /// The name of the feature.
    pub name: String,
    /// Rows with a value.
    pub count: u64,
    /// Rows without.
    pub missing: u64,
    /// The distribution of the values.
    pub distribution: Distribution,
}

/// The distribution of a feature's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Distribution of a numerical feature. Infinite values count, but not towards mean and std.
    Numerical {
        /// Arithmetic mean; none without finite values.
        mean: Option<f64>,
        /// Standard deviation (ddof 1); none with fewer than two finite values.
        std: Option<f64>,
        /// Finite values at [`QUANTILES`] (NumPy's "linear"); empty without finite values.
        quantiles: Vec<f64>,
    },
    /// Distribution of a categorical feature: rows of each level, most frequent first, then by name.
    Categorical(Vec<LevelCount>),
}

/// One level and its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelCount {
    /// The level.
    pub level: String,
    /// Rows that have it.
    pub rows: u64,
}

impl ReferenceProfile {
    pub(crate) fn new(
        features: &Features,
        rows: &[usize],
        validation: &Answers,
        classes: &[String],
    ) -> ReferenceProfile {
        let profile = |(name, column): (&String, &FeatureColumn)| feature_profile(name, column, rows);
        let features = features.names().iter().zip(features.columns()).map(profile).collect();
        let mut found = ReferenceProfile {
            features,
            score_histogram: Vec::new(),
            class_histograms: Vec::new(),
            value_histogram: None,
        };
        match validation {
            Answers::Probability(all) => found.score_histogram = histogram(all.iter().copied(), 0.0, 1.0),
            Answers::Value(all) => found.value_histogram = value_histogram(all),
            Answers::Probabilities(all) => {
                let of = |(class, name): (usize, &String)| ClassHistogram {
                    class: name.clone(),
                    histogram: histogram(all.iter().map(|row| row[class]), 0.0, 1.0),
                };
                found.class_histograms = classes.iter().enumerate().map(of).collect();
            }
        }
        found
    }
}

/// Rows in bins of equal width from `low` to `high`.
fn histogram(values: impl Iterator<Item = f64>, low: f64, high: f64) -> Vec<u64> {
    let mut bins = vec![0; SCORE_BINS];
    for value in values {
        bins[(((value - low) / (high - low) * SCORE_BINS as f64) as usize).min(SCORE_BINS - 1)] += 1;
    }
    bins
}

fn value_histogram(values: &[f64]) -> Option<ValueHistogram> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    let histogram =
        if low < high { histogram(values.iter().copied(), low, high) } else { vec![values.len() as u64] };
    Some(ValueHistogram { low, high, histogram })
}

fn feature_profile(name: &str, column: &FeatureColumn, rows: &[usize]) -> FeatureProfile {
    let (count, distribution) = match column {
        FeatureColumn::Numerical(values) => {
            let present: Vec<f64> = rows.iter().map(|&row| values[row]).filter(|v| !v.is_nan()).collect();
            (present.len(), numerical(present))
        }
        FeatureColumn::Categorical { codes, levels } => {
            let mut counts = std::collections::BTreeMap::<&str, u64>::new();
            for &row in rows.iter().filter(|&&row| codes[row] != MISSING) {
                *counts.entry(&levels[codes[row] as usize]).or_default() += 1;
            }
            let count: u64 = counts.values().sum();
            let mut levels: Vec<LevelCount> = counts
                .into_iter()
                .map(|(level, rows)| LevelCount { level: level.to_string(), rows })
                .collect();
            levels.sort_by_key(|level| std::cmp::Reverse(level.rows));
            (count as usize, Distribution::Categorical(levels))
        }
    };
    FeatureProfile {
        name: name.to_string(),
        count: count as u64,
        missing: (rows.len() - count) as u64,
        distribution,
    }
}

fn numerical(mut values: Vec<f64>) -> Distribution {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    // Each value is divided first: a sum of huge values would overflow.
    let mean = (!values.is_empty()).then(|| values.iter().map(|v| v / n).sum::<f64>());
    let std = mean.filter(|_| values.len() > 1).map(|mean| {
        (values.iter().map(|v| (v - mean) / (n - 1.0).sqrt()).map(|d| d * d).sum::<f64>()).sqrt()
    });
    let quantiles: Vec<f64> = Sample::from_counts(values.iter().map(|&value| (value, 1)))
        .map_or_else(|_| Vec::new(), |sample| QUANTILES.iter().filter_map(|&q| sample.quantile(q)).collect());
    // JSON has no infinity: a spread beyond the largest double is left out.
    Distribution::Numerical {
        mean: mean.filter(|v| v.is_finite()),
        std: std.filter(|v| v.is_finite()),
        quantiles: if quantiles.iter().all(|q| q.is_finite()) { quantiles } else { Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64]) -> (u64, u64, Option<f64>, Option<f64>, Vec<f64>) {
        let column = FeatureColumn::Numerical(values.to_vec());
        let rows: Vec<usize> = (0..values.len()).collect();
        let FeatureProfile { count, missing, distribution, .. } = feature_profile("x", &column, &rows);
        let Distribution::Numerical { mean, std, quantiles } = distribution else { panic!() };
        (count, missing, mean, std, quantiles)
    }

    #[test]
    fn numbers_are_those_of_numpy() {
        // np.mean, np.std(ddof=1), np.quantile(v, QUANTILES) of [3, 1, 4, 1, 5]
        let (count, missing, mean, std, quantiles) = numbers(&[3.0, f64::NAN, 1.0, 4.0, 1.0, 5.0]);
        assert_eq!((count, missing, mean), (5, 1, Some(2.8)));
        assert!((std.unwrap() - 1.788_854_381_999_831_7).abs() < 1e-15);
        assert_eq!(quantiles, [1.0, 1.0, 1.0, 1.0, 3.0, 4.0, 4.8, 4.96, 5.0]);
    }

    #[test]
    fn odd_columns_have_an_answer() {
        assert_eq!(numbers(&[]), (0, 0, None, None, vec![]));
        assert_eq!(numbers(&[f64::NAN; 3]), (0, 3, None, None, vec![]));
        assert_eq!(numbers(&[f64::INFINITY]), (1, 0, None, None, vec![]));
        assert_eq!(numbers(&[2.0, f64::INFINITY]), (2, 0, Some(2.0), None, vec![2.0; 9]));
        let (_, _, mean, std, quantiles) = numbers(&[f64::MAX, -f64::MAX]);
        assert_eq!((mean, std, quantiles), (Some(0.0), None, vec![]));
    }

    #[test]
    fn levels_are_counted_and_scores_binned() {
        let column = FeatureColumn::Categorical {
            codes: vec![1, 0, 1, MISSING],
            levels: vec!["a".into(), "b".into(), "never".into()],
        };
        let features = Features::new(vec![("x".into(), column)]).unwrap();
        let profile = ReferenceProfile::new(
            &features,
            &[0, 1, 2, 3],
            &Answers::Probability(vec![0.0, 0.049, 0.05, 1.0]),
            &[],
        );
        let Distribution::Categorical(levels) = &profile.features[0].distribution else { panic!() };
        let counts: Vec<_> = levels.iter().map(|l| (l.level.as_str(), l.rows)).collect();
        assert_eq!(counts, [("b", 2), ("a", 1)]);
        assert_eq!(
            (profile.score_histogram[0], profile.score_histogram[1], profile.score_histogram[19]),
            (2, 1, 1)
        );
        assert_eq!(profile.score_histogram.iter().sum::<u64>(), 4);
    }

    #[test]
    fn classes_and_numbers_have_histograms_of_their_own() {
        let features = Features::new(vec![("x".into(), FeatureColumn::Numerical(vec![1.0, 2.0]))]).unwrap();
        let profile =
            |answers| ReferenceProfile::new(&features, &[0, 1], &answers, &["a".into(), "b".into()]);
        let found = profile(Answers::Value(vec![-5.0, 15.0]));
        let ValueHistogram { low, high, histogram } = found.value_histogram.unwrap();
        assert_eq!((low, high, histogram[0], histogram[19]), (-5.0, 15.0, 1, 1));
        let same = profile(Answers::Value(vec![3.0, 3.0])).value_histogram.unwrap();
        assert_eq!(same, ValueHistogram { low: 3.0, high: 3.0, histogram: vec![2] });
        let found = profile(Answers::Probabilities(vec![vec![0.9, 0.1], vec![0.2, 0.8]]));
        let rows = |class: usize, bin: usize| found.class_histograms[class].histogram[bin];
        assert_eq!((rows(0, 18), rows(0, 4), rows(1, 2), rows(1, 16)), (1, 1, 1, 1));
        assert!(found.score_histogram.is_empty());
    }
}
