//! Sampling errors that come from a reference's labels.

use std::collections::BTreeMap;

use crate::confusion::{Confusion, ValueMatrix, ratio};
use crate::delong::{self, Components};
use crate::measured::Labelled;
use crate::metric::Metric;
use crate::ranking::{self, Step};

/// What a labelled reference says of the error of metrics on other rows like these.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    /// Standard error of a metric on one row.
    per_row: BTreeMap<Metric, f64>,
    /// DeLong's components and the share of positive rows; `None` with fewer than two rows of a class.
    delong: Option<(Components, f64)>,
}

impl Reference {
    /// As NannyML 0.13.1: the population deviation of a component of each metric over the rows that it is about, and how
    /// large a share of all rows those are.
    ///
    /// The components are 1[right] for accuracy, over all rows; 1[right] for precision, recall and specificity, over the
    /// rows predicted positive, positive, and negative; k·1[true positive] for F1 over the rows that are positive or
    /// predicted so, with k = |those| / (TP + (FP + FN)/2); the share of negative rows ranked below for AUC, over the
    /// positive rows (with classes swapped where more than half are positive); the cell of the confusion matrix, and its
    /// value, for counts and business value. Equal scores count one half, where NannyML takes them in the order of an
    /// unstable sort. Average precision has none.
    pub fn new(rows: &Labelled, values: Option<&ValueMatrix>) -> Self {
        let mut per_row = BTreeMap::new();
        let mut set = |metric, error: Option<f64>| error.map(|error| per_row.insert(metric, error));
        set(Metric::RocAuc, auc_error(&rows.steps));
        if let Some(counts) = rows.confusion() {
            let all = counts.rows();
            let share = |part: f64, of: f64| {
                ratio(part, of).map(|share| (share * (1.0 - share)).max(0.0).sqrt() * (all / of).sqrt())
            };
            set(Metric::Accuracy, share(counts.true_positive + counts.true_negative, all));
            set(Metric::Precision, share(counts.true_positive, counts.predicted_positives()));
            set(Metric::Recall, share(counts.true_positive, counts.positives()));
            set(Metric::Specificity, share(counts.true_negative, counts.negatives()));
            set(Metric::F1, f1_error(counts));
            set(Metric::TruePositive, share(counts.true_positive, all));
            set(Metric::TrueNegative, share(counts.true_negative, all));
            set(Metric::FalsePositive, share(counts.false_positive, all));
            set(Metric::FalseNegative, share(counts.false_negative, all));
            set(Metric::BusinessValue, values.map(|values| value_error(counts, values)));
        }
        let (positives, negatives) = ranking::totals(&rows.steps);
        let delong =
            delong::components(&rows.steps).map(|parts| (parts, positives / (positives + negatives)));
        Self { per_row, delong }
    }

    /// NannyML's standard error of a metric on so many rows: it falls with √n for shares and grows with √n for counts.
    pub fn sampling_error(&self, metric: Metric, rows: f64) -> Option<f64> {
        let error = self.per_row.get(&metric).filter(|_| rows > 0.0)?;
        let is_total = matches!(
            metric,
            Metric::TruePositive
                | Metric::TrueNegative
                | Metric::FalsePositive
                | Metric::FalseNegative
                | Metric::BusinessValue
        );
        Some(if is_total { error * rows.sqrt() } else { error / rows.sqrt() })
    }

    /// DeLong's standard error of the AUC of so many rows with the reference's share of positive rows:
    /// √(S₁₀/(nπ) + S₀₁/(n(1 − π))). `None` with fewer than two reference rows of a class.
    pub fn auc_error(&self, rows: f64) -> Option<f64> {
        let (components, share) = self.delong.filter(|_| rows > 0.0)?;
        Some(components.standard_error(rows * share, rows * (1.0 - share)))
    }
}

/// √ of the variance over the rarer class of the share of the other that is ranked on its wrong side.
fn auc_error(steps: &[Step]) -> Option<f64> {
    let (positives, negatives) = ranking::totals(steps);
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let swapped = positives > negatives;
    let area = ranking::roc_auc(steps)?;
    let (mut below, mut squares) = (0.0, 0.0);
    for step in steps {
        let (own, other) =
            if swapped { (step.negatives, step.positives) } else { (step.positives, step.negatives) };
        let ranked_below = (below + 0.5 * other) / if swapped { positives } else { negatives };
        let mean = if swapped { 1.0 - area } else { area };
        squares += own * (ranked_below - mean).powi(2);
        below += other;
    }
    let own = if swapped { negatives } else { positives };
    Some((squares / own).sqrt() * ((positives + negatives) / own).sqrt())
}

fn f1_error(counts: &Confusion) -> Option<f64> {
    let wrong = counts.false_positive + counts.false_negative;
    let about = counts.true_positive + wrong;
    let scale = ratio(about, counts.true_positive + 0.5 * wrong)?;
    let share = counts.true_positive / about;
    Some(scale * (share * (1.0 - share)).max(0.0).sqrt() * (counts.rows() / about).sqrt())
}

/// Population deviation of the value of a row.
fn value_error(counts: &Confusion, values: &ValueMatrix) -> f64 {
    let (matrix, rows) = (counts.matrix(), counts.rows());
    let cells = || matrix.as_flattened().iter().zip(values.as_flattened());
    let mean = cells().map(|(count, value)| count * value).sum::<f64>() / rows;
    (cells().map(|(count, value)| count * (value - mean).powi(2)).sum::<f64>() / rows).sqrt()
}
