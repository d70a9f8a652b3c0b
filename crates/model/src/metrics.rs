//! How good a classifier's probabilities are, on rows it was not trained on.
//!
//! One function per metric, with scikit-learn's names. `labels` and `probabilities` are aligned, one
//! per row; probabilities lie in [0, 1]. A metric that is undefined for its input is `None`, never a
//! made-up number. Golden values: `tools/golden/metrics.py`.

use serde::{Deserialize, Serialize};

/// The metrics of a trained model on its validation rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// [`roc_auc_score`].
    pub auc: f64,
    /// [`f1_score`] at `threshold`.
    pub f1: f64,
    /// [`accuracy_score`] at `threshold`.
    pub accuracy: f64,
    /// [`log_loss`].
    pub log_loss: f64,
    /// [`brier_score_loss`].
    pub brier_score: f64,
    /// [`expected_calibration_error`] over ten bins.
    pub expected_calibration_error: f64,
    /// Share of positive labels among the validation rows.
    pub positive_rate: f64,
    /// Probability from which a row is predicted positive; chosen on training rows only.
    pub threshold: f64,
    /// Labelled rows trained on.
    pub n_train: usize,
    /// Labelled rows these metrics were measured on.
    pub n_validation: usize,
}

/// Number of bins of [`Metrics::expected_calibration_error`].
pub const CALIBRATION_BINS: usize = 10;

/// Area under the ROC curve: the probability that a positive row scores above a negative one, ties
/// counting one half.
///
/// AUC = (R − P(P+1)/2) / (P·N), with R the sum of the positives' mid-ranks (Hanley and McNeil 1982,
/// doi:10.1148/radiology.143.1.7063747). `None` without both classes. In [0, 1], 0.5 for chance. Scores
/// may be any non-NaN numbers. O(n log n).
///
/// Oracle: `sklearn.metrics.roc_auc_score(labels, scores)`.
pub fn roc_auc_score(labels: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..labels.len().min(scores.len())).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut rank_sum, mut positives) = (0.0, 0.0);
    let mut start = 0;
    while start < order.len() {
        let score = scores[order[start]];
        let ties = order[start..].iter().take_while(|&&row| scores[row] == score).count().max(1);
        let mid_rank = start as f64 + (ties as f64 + 1.0) / 2.0;
        let tied_positives = order[start..start + ties].iter().filter(|&&row| labels[row]).count();
        rank_sum += mid_rank * tied_positives as f64;
        positives += tied_positives as f64;
        start += ties;
    }
    let negatives = order.len() as f64 - positives;
    (positives > 0.0 && negatives > 0.0)
        .then(|| (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Harmonic mean of precision and recall: 2TP / (2TP + FP + FN), with a row predicted positive when
/// its probability is at least `threshold`. 0 when there is no true positive, also when nothing is
/// positive or predicted positive.
///
/// Oracle: `sklearn.metrics.f1_score(labels, probabilities >= threshold, zero_division=0)`.
pub fn f1_score(labels: &[bool], probabilities: &[f64], threshold: f64) -> f64 {
    let (mut hits, mut errors) = (0_u64, 0_u64);
    for (&label, &p) in labels.iter().zip(probabilities) {
        match (label, p >= threshold) {
            (true, true) => hits += 1,
            (true, false) | (false, true) => errors += 1,
            (false, false) => {}
        }
    }
    if hits == 0 { 0.0 } else { 2.0 * hits as f64 / (2 * hits + errors) as f64 }
}

/// Share of rows predicted right, a row being predicted positive when its probability is at least
/// `threshold`. `None` without rows.
///
/// Oracle: `sklearn.metrics.accuracy_score(labels, probabilities >= threshold)`.
pub fn accuracy_score(labels: &[bool], probabilities: &[f64], threshold: f64) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&y, &p)| f64::from(u8::from(y == (p >= threshold)))))
}

/// Mean negative log likelihood, natural log: −mean(y ln p + (1−y) ln(1−p)), with p clipped to
/// [ε, 1−ε], ε = 2⁻⁵². `None` without rows.
///
/// Oracle: `sklearn.metrics.log_loss(labels, probabilities, labels=[False, True])`.
pub fn log_loss(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&label, &p)| {
        let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        if label { -p.ln() } else { -(1.0 - p).ln() }
    }))
}

/// Mean squared error of the probabilities: mean((p − y)²) (Brier 1950,
/// doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2). `None` without rows.
///
/// Oracle: `sklearn.metrics.brier_score_loss(labels, probabilities)`.
pub fn brier_score_loss(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&y, &p)| (p - f64::from(u8::from(y))).powi(2)))
}

/// Expected calibration error over `bins` bins of equal frequency: Σ (n_b/n) |mean label − mean
/// probability| (Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602).
///
/// Bin edges are the probabilities' quantiles ("linear"), a probability on an edge belonging to the
/// bin below, so equal probabilities share a bin whatever the row order. `None` without rows or bins.
/// In [0, 1], 0 is best; a perfectly calibrated model still shows about √(p(1−p)·2/π / (n/bins)).
///
/// Oracle: `sklearn.calibration.calibration_curve(labels, probabilities, n_bins=bins,
/// strategy="quantile")`, its differences weighted with the bins' counts.
pub fn expected_calibration_error(labels: &[bool], probabilities: &[f64], bins: usize) -> Option<f64> {
    let mut order: Vec<usize> = (0..labels.len().min(probabilities.len())).collect();
    order.sort_unstable_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    if order.is_empty() || bins == 0 {
        return None;
    }
    let sorted: Vec<f64> = order.iter().map(|&row| probabilities[row]).collect();
    let (mut total, mut start) = (0.0, 0);
    for bin in 1..=bins {
        let end = if bin == bins {
            sorted.len()
        } else {
            let edge = quantile(&sorted, bin as f64 / bins as f64);
            sorted.partition_point(|&p| p <= edge).max(start)
        };
        let difference: f64 =
            order[start..end].iter().map(|&row| f64::from(u8::from(labels[row])) - probabilities[row]).sum();
        total += difference.abs();
        start = end;
    }
    Some(total / order.len() as f64)
}

/// The threshold with the largest [`f1_score`]; of several, the lowest. `None` without positive rows.
/// O(n log n).
pub fn best_f1_threshold(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..labels.len().min(probabilities.len())).collect();
    order.sort_unstable_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let positives = order.iter().filter(|&&row| labels[row]).count();
    let (mut hits, mut best) = (0, None);
    for (i, &row) in order.iter().enumerate() {
        hits += usize::from(labels[row]);
        let last_of_ties = order.get(i + 1).is_none_or(|&next| probabilities[next] != probabilities[row]);
        if !last_of_ties || hits == 0 {
            continue;
        }
        // 2TP + FP + FN = predicted positive + positive.
        let f1 = 2.0 * hits as f64 / (i + 1 + positives) as f64;
        if best.is_none_or(|(best_f1, _)| f1 >= best_f1) {
            best = Some((f1, probabilities[row]));
        }
    }
    best.map(|(_, threshold)| threshold)
}

/// The `q`-quantile of an ascending, non-empty slice, NumPy's "linear" method and arithmetic.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor();
    let (low, high) = (sorted[below as usize], sorted[position.ceil() as usize]);
    let t = position - below;
    // NumPy interpolates from the nearer end, which keeps quantiles monotone in q.
    if t < 0.5 { low + (high - low) * t } else { high - (high - low) * (1.0 - t) }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        labels: Vec<bool>,
        probabilities: Vec<f64>,
        threshold: f64,
        expected: std::collections::BTreeMap<String, Option<f64>>,
        tolerance: f64,
    }

    #[test]
    fn values_are_those_of_scikit_learn() {
        let golden: Golden = serde_json::from_str(include_str!("../tests/golden/metrics.json")).unwrap();
        assert!(golden.cases.len() >= 9);
        for case in &golden.cases {
            let (y, p, t) = (&case.labels, &case.probabilities, case.threshold);
            let measured = [
                ("roc_auc_score", roc_auc_score(y, p)),
                ("f1_score", Some(f1_score(y, p, t))),
                ("accuracy_score", accuracy_score(y, p, t)),
                ("log_loss", log_loss(y, p)),
                ("brier_score_loss", brier_score_loss(y, p)),
                ("expected_calibration_error", expected_calibration_error(y, p, CALIBRATION_BINS)),
                ("best_f1", best_f1_threshold(y, p).map(|t| f1_score(y, p, t))),
            ];
            assert_eq!(case.expected.len(), measured.len(), "{}", case.name);
            for (metric, value) in measured {
                match (value, case.expected[metric]) {
                    (None, None) => {}
                    (Some(value), Some(expected)) => assert!(
                        (value - expected).abs() <= case.tolerance * expected.abs().max(1e-3),
                        "{} {metric}: {value} instead of {expected}",
                        case.name
                    ),
                    other => panic!("{} {metric}: {other:?}", case.name),
                }
            }
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert_eq!(roc_auc_score(&[], &[]), None);
        assert_eq!(f1_score(&[], &[], 0.5), 0.0);
        assert_eq!(accuracy_score(&[], &[], 0.5), None);
        assert_eq!(log_loss(&[], &[]), None);
        assert_eq!(brier_score_loss(&[], &[]), None);
        assert_eq!(expected_calibration_error(&[], &[], 10), None);
        assert_eq!(expected_calibration_error(&[true], &[0.5], 0), None);
        assert_eq!(best_f1_threshold(&[false], &[0.5]), None);
    }

    fn rows() -> impl Strategy<Value = Vec<(bool, f64)>> {
        // Few distinct values, so that ties are common.
        prop::collection::vec((any::<bool>(), (0_u8..=20).prop_map(|v| f64::from(v) / 20.0)), 0..60)
    }

    proptest! {
        #[test]
        fn auc_is_a_probability_of_order(rows in rows()) {
            let (labels, scores): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
            let Some(auc) = roc_auc_score(&labels, &scores) else { return Ok(()) };
            let pairs: Vec<f64> = (0..labels.len()).filter(|&i| labels[i]).flat_map(|i| {
                let scores = &scores;
                (0..labels.len()).filter(|&j| !labels[j]).map(move |j| match scores[i].total_cmp(&scores[j]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                }).collect::<Vec<f64>>()
            }).collect();
            prop_assert!((0.0..=1.0).contains(&auc));
            prop_assert!((auc - pairs.iter().sum::<f64>() / pairs.len() as f64).abs() < 1e-12);
            let monotone: Vec<f64> = scores.iter().map(|s| (3.0 * s - 1.0).exp()).collect();
            prop_assert_eq!(roc_auc_score(&labels, &monotone), Some(auc));
            let reversed: Vec<f64> = scores.iter().map(|s| -s).collect();
            prop_assert!((roc_auc_score(&labels, &reversed).unwrap() - (1.0 - auc)).abs() < 1e-12);
        }

        #[test]
        fn row_order_does_not_matter(rows in rows(), by in 0_usize..60) {
            let mut turned = rows.clone();
            if !turned.is_empty() { let by = by % turned.len(); turned.rotate_left(by); }
            let (y, p): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
            let (y2, p2): (Vec<bool>, Vec<f64>) = turned.into_iter().unzip();
            prop_assert_eq!(roc_auc_score(&y, &p), roc_auc_score(&y2, &p2));
            prop_assert_eq!(best_f1_threshold(&y, &p), best_f1_threshold(&y2, &p2));
            match (expected_calibration_error(&y, &p, 10), expected_calibration_error(&y2, &p2, 10)) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12 && (0.0..=1.0).contains(&a)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }

        #[test]
        fn no_threshold_beats_the_best(rows in rows(), other in 0.0_f64..1.0) {
            let (y, p): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
            if let Some(best) = best_f1_threshold(&y, &p) {
                prop_assert!(f1_score(&y, &p, best) >= f1_score(&y, &p, other));
            }
        }
    }
}
