//! Counts of right and wrong predictions, and the metrics that are ratios of them.

use serde::{Deserialize, Serialize};

/// How often each class was predicted for each class; real numbers, since estimated counts are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// Positive rows predicted positive.
    pub true_positive: f64,
    /// Negative rows predicted negative.
    pub true_negative: f64,
    /// Negative rows predicted positive.
    pub false_positive: f64,
    /// Positive rows predicted negative.
    pub false_negative: f64,
}

/// What a count is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// All rows.
    All,
    /// The rows of the actual class.
    True,
    /// The rows of the predicted class.
    Predicted,
}

/// What one prediction is worth: `[[true negative, false positive], [false negative, true positive]]`.
pub type ValueMatrix = [[f64; 2]; 2];

impl Confusion {
    /// Counts pairs of label and predicted class.
    #[must_use]
    pub fn of(pairs: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counts = [[0_u64; 2]; 2];
        for (label, predicted) in pairs {
            counts[usize::from(label)][usize::from(predicted)] += 1;
        }
        Self::from_matrix(counts.map(|row| row.map(|count| count as f64)))
    }

    /// Expected counts of pairs of the probability of a positive label and the predicted class.
    #[must_use]
    pub fn expected(pairs: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut counts = [[0.0; 2]; 2];
        for (p, predicted) in pairs {
            counts[1][usize::from(predicted)] += p;
            counts[0][usize::from(predicted)] += 1.0 - p;
        }
        Self::from_matrix(counts)
    }

    /// From the order of [`ValueMatrix`]: actual class down, predicted class across.
    pub(crate) fn from_matrix(counts: [[f64; 2]; 2]) -> Self {
        let [[true_negative, false_positive], [false_negative, true_positive]] = counts;
        Self { true_positive, true_negative, false_positive, false_negative }
    }

    /// `[[true negative, false positive], [false negative, true positive]]`.
    #[must_use]
    pub fn matrix(&self) -> [[f64; 2]; 2] {
        [[self.true_negative, self.false_positive], [self.false_negative, self.true_positive]]
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> f64 {
        self.positives() + self.negatives()
    }

    /// Rows of the positive class.
    #[must_use]
    pub fn positives(&self) -> f64 {
        self.true_positive + self.false_negative
    }

    /// Rows of the negative class.
    #[must_use]
    pub fn negatives(&self) -> f64 {
        self.true_negative + self.false_positive
    }

    /// Rows predicted positive.
    #[must_use]
    pub fn predicted_positives(&self) -> f64 {
        self.true_positive + self.false_positive
    }

    /// TP / (TP + FP); `None` when nothing is predicted positive.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.predicted_positives())
    }

    /// TP / (TP + FN); `None` without positive rows.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.positives())
    }

    /// TN / (TN + FP); `None` without negative rows.
    #[must_use]
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negative, self.negatives())
    }

    /// (TP + TN) / rows; `None` without rows.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positive + self.true_negative, self.rows())
    }

    /// Mean of recall and specificity; `None` unless both are defined.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(0.5 * (self.recall()? + self.specificity()?))
    }

    /// (1 + β²) TP / ((1 + β²) TP + β² FN + FP): F1 at β = 1, recall counting twice as much at β = 2. `None` when nothing
    /// is positive or predicted positive, 0 when something is and nothing is hit.
    ///
    /// Source: C. van Rijsbergen, "Information Retrieval" (1979), chapter 7. Oracle: `sklearn.metrics.fbeta_score` of
    /// scikit-learn 1.9.1.
    #[must_use]
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        let square = beta * beta;
        let hits = (1.0 + square) * self.true_positive;
        ratio(hits, hits + square * self.false_negative + self.false_positive)
    }

    /// Matthews' correlation of label and prediction: (TP·TN − FP·FN) / √(P·N·P̂·N̂). In [−1, 1]; `None` when a class is
    /// absent or never predicted (scikit-learn gives 0 then).
    ///
    /// Source: B. Matthews (1975), doi:10.1016/0005-2795(75)90109-9. Oracle: `sklearn.metrics.matthews_corrcoef`.
    #[must_use]
    pub fn mcc(&self) -> Option<f64> {
        let called = self.predicted_positives();
        let margins = [self.positives(), self.negatives(), called, self.rows() - called];
        let product: f64 = margins.iter().map(|margin| margin.max(0.0).sqrt()).product();
        let covariance = self.true_positive * self.true_negative - self.false_positive * self.false_negative;
        ratio(covariance, product).map(|mcc| mcc.clamp(-1.0, 1.0))
    }

    /// Cohen's kappa: (p_o − p_e) / (1 − p_e), agreement beyond that of independent draws with the same shares. In
    /// [−1, 1]; `None` when such draws always agree.
    ///
    /// Source: J. Cohen (1960), doi:10.1177/001316446002000104. Oracle: `sklearn.metrics.cohen_kappa_score`.
    #[must_use]
    pub fn cohen_kappa(&self) -> Option<f64> {
        let rows = self.rows();
        let (positives, called) = (self.positives() / rows, self.predicted_positives() / rows);
        let by_chance = positives * called + (1.0 - positives) * (1.0 - called);
        ratio(self.accuracy()? - by_chance, 1.0 - by_chance)
    }

    /// Share of positive rows; `None` without rows.
    #[must_use]
    pub fn positive_rate(&self) -> Option<f64> {
        ratio(self.positives(), self.rows())
    }

    /// Share of rows predicted positive; `None` without rows.
    #[must_use]
    pub fn predicted_positive_rate(&self) -> Option<f64> {
        ratio(self.predicted_positives(), self.rows())
    }

    /// The matrix with each count divided as asked; `None` where there is nothing to divide by.
    #[must_use]
    pub fn normalised(&self, by: Normalise) -> [[Option<f64>; 2]; 2] {
        let matrix = self.matrix();
        let total = |actual: usize, predicted: usize| match by {
            Normalise::All => self.rows(),
            Normalise::True => matrix[actual][0] + matrix[actual][1],
            Normalise::Predicted => matrix[0][predicted] + matrix[1][predicted],
        };
        [0, 1]
            .map(|actual| [0, 1].map(|predicted| ratio(matrix[actual][predicted], total(actual, predicted))))
    }

    /// ΣΣ value·count: what all predictions together are worth.
    #[must_use]
    pub fn business_value(&self, values: &ValueMatrix) -> f64 {
        let matrix = self.matrix();
        (0..4).map(|cell| values[cell / 2][cell % 2] * matrix[cell / 2][cell % 2]).sum()
    }

    /// ΣΣ value·share within the predicted class: the value of an average negative and an average positive prediction,
    /// added. `None` without rows; a class that is never predicted adds nothing.
    #[must_use]
    pub fn business_value_per_prediction(&self, values: &ValueMatrix) -> Option<f64> {
        let shares = self.normalised(Normalise::Predicted);
        let worth = |cell: usize| values[cell / 2][cell % 2] * shares[cell / 2][cell % 2].unwrap_or(0.0);
        (self.rows() > 0.0).then(|| (0..4).map(worth).sum())
    }
}

/// `None` when there is nothing to divide by.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_divided_by_what_was_asked() {
        let counts = Confusion::from_matrix([[6.0, 2.0], [0.0, 0.0]]);
        let check = |by, expected: [[Option<f64>; 2]; 2]| assert_eq!(counts.normalised(by), expected);
        check(Normalise::All, [[Some(0.75), Some(0.25)], [Some(0.0), Some(0.0)]]);
        check(Normalise::True, [[Some(0.75), Some(0.25)], [None, None]]);
        check(Normalise::Predicted, [[Some(1.0), Some(1.0)], [Some(0.0), Some(0.0)]]);
        assert_eq!(Confusion::default().normalised(Normalise::All), [[None; 2]; 2]);
    }

    #[test]
    fn values_follow_the_matrix() {
        let values = [[1.0, -10.0], [-50.0, 100.0]];
        let counts = Confusion::from_matrix([[6.0, 2.0], [2.0, 8.0]]);
        assert_eq!(counts.business_value(&values), 6.0 - 20.0 - 100.0 + 800.0);
        // 6/8·1 − 2/8·50 of the negative predictions, −2/10·10 + 8/10·100 of the positive ones.
        assert_eq!(counts.business_value_per_prediction(&values), Some(0.75 - 12.5 - 2.0 + 80.0));
        assert_eq!(Confusion::default().business_value(&values), 0.0);
        assert_eq!(Confusion::default().business_value_per_prediction(&values), None);
    }

    #[test]
    fn nothing_is_made_up_without_rows() {
        let none = Confusion::default();
        let ratios = [
            none.precision(),
            none.recall(),
            none.specificity(),
            none.accuracy(),
            none.balanced_accuracy(),
            none.f_beta(1.0),
            none.mcc(),
            none.cohen_kappa(),
            none.positive_rate(),
            none.predicted_positive_rate(),
        ];
        assert_eq!(ratios, [None; 10]);
    }
}
