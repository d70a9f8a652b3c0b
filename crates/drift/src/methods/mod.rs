//! The drift methods: one row each, in one table. Names, defaults and verdicts are those of Evidently 0.7.
//!
//! To add a method: write its score beside its kind (`distances`, `numerical`, `categorical`, `text`) and add a row.

mod categorical;
mod distances;
mod numerical;
pub(crate) mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;
use crate::error::Error;
use crate::observations::{Counts, Observations};

/// A way to hold two sides of a column against each other.
pub struct Method {
    /// The name on the command line and in reports.
    pub name: &'static str,
    /// The column types it may be asked for.
    pub columns: &'static [ColumnType],
    /// What its score is.
    pub score_kind: ScoreKind,
    /// The bound of the score.
    pub threshold: f64,
    /// How the score is held against the bound.
    pub drifted_if: Direction,
    /// One line for help and docs.
    pub doc: &'static str,
    /// Computes the score; the reason when it cannot.
    pub score: fn(&Observations) -> Result<Score, String>,
}

/// What a method's score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// Small means different.
    PValue,
    /// Large means different, 0 equal.
    Distance,
    /// Area under the ROC curve of a classifier that tells the sides apart; 0.5 is chance.
    RocAuc,
}

/// Which side of the threshold is drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// score < threshold
    Below,
    /// score ≤ threshold
    AtMost,
    /// score > threshold
    Above,
    /// score ≥ threshold
    AtLeast,
}

impl Direction {
    /// Tells whether `score` lies on the drift side of `threshold`. NaN never does.
    #[must_use]
    pub fn holds(self, score: f64, threshold: f64) -> bool {
        match self {
            Self::Below => score < threshold,
            Self::AtMost => score <= threshold,
            Self::Above => score > threshold,
            Self::AtLeast => score >= threshold,
        }
    }
}

/// What a method found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// A p-value, a distance or an area; NaN when there is nothing to test (one category).
    pub value: f64,
    /// Bound to use in place of the method's threshold, for a method that derives it from the data.
    pub critical: Option<f64>,
}

impl Score {
    fn of(value: f64) -> Self {
        Self { value, critical: None }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.name).finish()
    }
}

impl Method {
    /// The method of that name.
    ///
    /// # Errors
    /// [`Error::UnknownMethod`] with every known name.
    pub fn find(name: &str) -> Result<&'static Self, Error> {
        METHODS.iter().find(|method| method.name == name).ok_or_else(|| Error::UnknownMethod {
            name: name.to_owned(),
            expected: METHODS.iter().map(|method| method.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Refuses a column type the method is not made for.
    pub(crate) fn accept(&self, kind: ColumnType) -> Result<(), String> {
        if self.columns.contains(&kind) {
            return Ok(());
        }
        let expected: Vec<_> = self.columns.iter().map(|kind| kind.as_str()).collect();
        Err(format!(
            "{} is not for {} columns, only for {}",
            self.name,
            kind.as_str(),
            expected.join(" and ")
        ))
    }
}

const NUMERICAL: &[ColumnType] = &[ColumnType::Numerical];
const CATEGORICAL: &[ColumnType] = &[ColumnType::Categorical];
const BOTH: &[ColumnType] = &[ColumnType::Numerical, ColumnType::Categorical];
const TEXT: &[ColumnType] = &[ColumnType::Text];

/// Every method.
#[rustfmt::skip]
pub static METHODS: &[Method] = &[
    Method { name: "ks", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::AtMost, doc: "Kolmogorov–Smirnov, two-sided; Evidently's default for numbers up to 1,000 rows", score: numerical::ks },
    Method { name: "wasserstein", columns: NUMERICAL, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::AtLeast, doc: "Wasserstein distance in standard deviations of the reference; Evidently's default for numbers over 1,000 rows", score: numerical::wasserstein },
    Method { name: "chisquare", columns: CATEGORICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::Below, doc: "chi-square against the reference's shares taken as exact; Evidently's default for categories up to 1,000 rows", score: categorical::chisquare },
    Method { name: "z", columns: CATEGORICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::Below, doc: "proportions of the first category; Evidently's default for two categories up to 1,000 rows", score: categorical::z },
    Method { name: "jensenshannon", columns: BOTH, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::AtLeast, doc: "Jensen–Shannon distance, natural logarithm; Evidently's default for categories over 1,000 rows", score: distances::jensenshannon },
    Method { name: "psi", columns: BOTH, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::AtLeast, doc: "population stability index", score: distances::psi },
    Method { name: "kl_div", columns: BOTH, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::AtLeast, doc: "Kullback–Leibler divergence of the current side from the reference", score: distances::kl_div },
    Method { name: "hellinger", columns: BOTH, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::AtLeast, doc: "Hellinger distance", score: distances::hellinger },
    Method { name: "anderson", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::Below, doc: "Anderson–Darling, midranks; p between 0.001 and 0.25", score: numerical::anderson },
    Method { name: "cramer_von_mises", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::AtMost, doc: "Cramér–von Mises, two-sided", score: numerical::cramer_von_mises },
    Method { name: "mannw", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::Below, doc: "Mann–Whitney, one-sided: sees upward shifts only", score: numerical::mannw },
    Method { name: "t_test", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::Below, doc: "Student's t, equal variances, two-sided", score: numerical::t_test },
    Method { name: "ed", columns: NUMERICAL, score_kind: ScoreKind::Distance, threshold: 0.1, drifted_if: Direction::Above, doc: "energy distance, in the square root of the column's unit", score: numerical::energy },
    Method { name: "es", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.05, drifted_if: Direction::Below, doc: "Epps–Singleton at 0.4 and 0.8", score: numerical::epps_singleton },
    Method { name: "empirical_mmd", columns: NUMERICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::Below, doc: "maximum mean discrepancy, Gaussian kernel, permutation p", score: numerical::mmd },
    Method { name: "g_test", columns: CATEGORICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::Below, doc: "G test against the reference's counts; both sides need equally many rows", score: categorical::g_test },
    Method { name: "fisher_exact", columns: CATEGORICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::Below, doc: "Fisher's exact test of two categories; both sides need equally many rows", score: categorical::fisher_exact },
    Method { name: "TVD", columns: CATEGORICAL, score_kind: ScoreKind::PValue, threshold: 0.1, drifted_if: Direction::Below, doc: "total variation distance, permutation p", score: categorical::total_variation },
    Method { name: "perc_text_content_drift", columns: TEXT, score_kind: ScoreKind::RocAuc, threshold: 0.95, drifted_if: Direction::Above, doc: "a classifier of the texts beats 95 of 100 guessing ones; Evidently's default for text up to 1,000 rows", score: text::perc_content_drift },
    Method { name: "abs_text_content_drift", columns: TEXT, score_kind: ScoreKind::RocAuc, threshold: 0.55, drifted_if: Direction::Above, doc: "ROC AUC of a classifier of the texts; Evidently's default for text over 1,000 rows", score: text::abs_content_drift },
];

/// The table row of a name that is in the table.
pub(crate) fn known(name: &str) -> &'static Method {
    Method::find(name).expect("the name is a row of METHODS")
}

/// Counts of any observations: one category per distinct number.
fn counts(seen: &Observations) -> Result<Counts, String> {
    match seen {
        Observations::Numerical(numbers) => Ok(numbers.counts()),
        Observations::Categorical(counts) => Ok(counts.clone()),
        Observations::Text(_) => Err("expected categories, found text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for method in METHODS {
            assert!(std::ptr::eq(Method::find(method.name).unwrap(), method), "{}", method.name);
        }
        let error = Method::find("kolmogorov").unwrap_err().to_string();
        assert!(
            error.starts_with("unknown drift method \"kolmogorov\", expected one of ks, wasserstein,"),
            "{error}"
        );
    }

    #[test]
    fn a_bound_counts_by_its_comparison_and_nan_never_does() {
        use Direction::{Above, AtLeast, AtMost, Below};
        for (comparison, low, at, high) in [
            (Below, true, false, false),
            (AtMost, true, true, false),
            (Above, false, false, true),
            (AtLeast, false, true, true),
        ] {
            let held = [0.09, 0.1, 0.11, f64::NAN].map(|score| comparison.holds(score, 0.1));
            assert_eq!(held, [low, at, high, false], "{comparison:?}");
        }
    }
}
