//! One function per metric of labels and probabilities, with scikit-learn's names.
//!
//! `labels` and `probabilities` are aligned, one per row; rows beyond the shorter of the two are left out. A metric that
//! is undefined for its input is `None`, never a made-up number and never NaN. Golden values: `tools/golden/metrics.py`.

use std::ops::Range;

use streamflow_stats::Sample;

use crate::ranking::{self, Step};

/// Area under the ROC curve: the probability that a positive row scores above a negative one, ties counting one half.
///
/// AUC = Σ ΔP·(N_below + ΔN/2) / (P·N) over distinct scores, with ΔP and ΔN the rows of either class that have the
/// score: the mid-rank form of Mann and Whitney's U (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).
/// `None` without both classes or with a NaN score. In [0, 1], 0.5 for chance. Scores may be any other numbers.
/// O(n).
///
/// Oracle: `sklearn.metrics.roc_auc_score(labels, scores)` of scikit-learn 1.9.1.
#[must_use]
pub fn roc_auc_score(labels: &[bool], scores: &[f64]) -> Option<f64> {
    ranking::roc_auc(&steps(labels, scores)?)
}

/// Average precision: Σ (R_k − R_{k−1}) P_k over falling distinct scores, with recall R and precision P of the rows from
/// that score on; rows of equal score are one step.
///
/// `None` without positive rows or with a NaN score. In (0, 1]; the share of positive rows for chance. O(n).
///
/// Oracle: `sklearn.metrics.average_precision_score(labels, scores)` of scikit-learn 1.9.1.
#[must_use]
pub fn average_precision_score(labels: &[bool], scores: &[f64]) -> Option<f64> {
    ranking::average_precision(&steps(labels, scores)?)
}

fn steps(labels: &[bool], scores: &[f64]) -> Option<Vec<Step>> {
    ranking::of_labels(labels.iter().copied().zip(scores.iter().copied()))
}

/// Harmonic mean of precision and recall: 2TP / (2TP + FP + FN), with a row predicted positive when its probability is at
/// least `threshold`. 0 when there is no true positive, also when nothing is positive or predicted positive.
///
/// Oracle: `sklearn.metrics.f1_score(labels, probabilities >= threshold, zero_division=0)` of scikit-learn 1.9.1.
#[must_use]
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

/// Share of rows predicted right, a row being predicted positive when its probability is at least `threshold`. `None`
/// without rows.
///
/// Oracle: `sklearn.metrics.accuracy_score(labels, probabilities >= threshold)` of scikit-learn 1.9.1.
#[must_use]
pub fn accuracy_score(labels: &[bool], probabilities: &[f64], threshold: f64) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&y, &p)| f64::from(u8::from(y == (p >= threshold)))))
}

/// Mean negative log likelihood, natural log: −mean(y ln p + (1−y) ln(1−p)), with p clipped to [ε, 1−ε], ε = 2⁻⁵².
/// `None` without rows or with a NaN probability. From 0, a wrong certain row costs 36.04.
///
/// Oracle: `sklearn.metrics.log_loss(labels, probabilities, labels=[False, True])` of scikit-learn 1.9.1.
#[must_use]
pub fn log_loss(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&label, &p)| row_log_loss(label, p)))
}

/// The log loss of one row: −ln p of a positive row, −ln(1−p) of a negative one, p clipped as in [`log_loss`].
#[must_use]
pub fn row_log_loss(label: bool, p: f64) -> f64 {
    let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    if label { -p.ln() } else { -(1.0 - p).ln() }
}

/// Mean squared error of the probabilities: mean((p − y)²). `None` without rows or with a NaN probability. In [0, 1].
///
/// Source: G. Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. Oracle:
/// `sklearn.metrics.brier_score_loss(labels, probabilities)` of scikit-learn 1.9.1.
#[must_use]
pub fn brier_score_loss(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    mean(labels.iter().zip(probabilities).map(|(&y, &p)| row_brier_score(y, p)))
}

pub(crate) fn row_brier_score(label: bool, p: f64) -> f64 {
    (p - f64::from(u8::from(label))).powi(2)
}

/// Expected calibration error over `bins` bins of equal frequency: Σ (n_b/n) |mean label − mean probability|.
///
/// Bin edges are the probabilities' quantiles ("linear"), a probability on an edge belonging to the bin below, so equal
/// probabilities share a bin whatever the row order. `None` without rows or bins or with a NaN probability. In [0, 1], 0
/// is best; a perfectly calibrated model still shows about √(p(1−p)·2/π / (n/bins)).
///
/// Source: M. Naeini, G. Cooper and M. Hauskrecht (2015), doi:10.1609/aaai.v29i1.9602. Oracle:
/// `sklearn.calibration.calibration_curve(labels, probabilities, n_bins=bins, strategy="quantile")` of scikit-learn
/// 1.9.1, its differences weighted with the bins' counts.
#[must_use]
pub fn expected_calibration_error(labels: &[bool], probabilities: &[f64], bins: usize) -> Option<f64> {
    let mut order: Vec<usize> = (0..labels.len().min(probabilities.len())).collect();
    order.sort_unstable_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let sorted: Vec<f64> = order.iter().map(|&row| probabilities[row]).collect();
    let labels: Vec<bool> = order.iter().map(|&row| labels[row]).collect();
    calibration_gap(&labels, &sorted, &quantile_bins(&sorted, bins))
}

/// Σ (n_b/n) |mean label − mean probability| over bins of rows that are sorted by probability.
pub(crate) fn calibration_gap(labels: &[bool], sorted: &[f64], bins: &[Range<usize>]) -> Option<f64> {
    if sorted.is_empty() || bins.is_empty() {
        return None;
    }
    let gap = |bin: &Range<usize>| -> f64 {
        bin.clone().map(|row| f64::from(u8::from(labels[row])) - sorted[row]).sum::<f64>().abs()
    };
    known(bins.iter().map(gap).sum::<f64>() / sorted.len() as f64)
}

/// Bins of equal frequency over ascending values; a value on an edge belongs to the bin below, so that some bins may be
/// empty. No bins over values that are NaN.
pub(crate) fn quantile_bins(sorted: &[f64], bins: usize) -> Vec<Range<usize>> {
    let Ok(sample) = Sample::from_counts(sorted.iter().map(|&value| (value, 1))) else { return Vec::new() };
    edges(sorted.len(), bins, |bin, start| {
        let edge = sample.quantile(bin as f64 / bins as f64).unwrap_or(f64::INFINITY);
        sorted.partition_point(|&p| p <= edge).max(start)
    })
}

/// Bins of equal width over [0, 1] of ascending probabilities; a probability on an edge belongs to the bin above.
pub(crate) fn uniform_bins(sorted: &[f64], bins: usize) -> Vec<Range<usize>> {
    edges(sorted.len(), bins, |bin, start| {
        sorted.partition_point(|&p| p < bin as f64 / bins as f64).max(start)
    })
}

fn edges(rows: usize, bins: usize, end: impl Fn(usize, usize) -> usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::with_capacity(bins);
    let mut start = 0;
    for bin in 1..=bins {
        let end = if bin == bins { rows } else { end(bin, start) };
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// The threshold with the largest [`f1_score`]; of several, the lowest. `None` without positive rows or with a NaN
/// probability. O(n).
#[must_use]
pub fn best_f1_threshold(labels: &[bool], probabilities: &[f64]) -> Option<f64> {
    let steps = steps(labels, probabilities)?;
    let positives: f64 = steps.iter().map(|step| step.positives).sum();
    let (mut hits, mut called, mut best) = (0.0, 0.0, None);
    for step in steps.iter().rev() {
        hits += step.positives;
        called += step.rows();
        // 2TP + FP + FN = predicted positive + positive.
        let f1 = 2.0 * hits / (called + positives);
        if hits > 0.0 && best.is_none_or(|(best_f1, _)| f1 >= best_f1) {
            best = Some((f1, step.score));
        }
    }
    best.map(|(_, threshold)| threshold)
}

/// Plain mean in row order; `None` without rows or when it is NaN.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    if n == 0 { None } else { known(values.sum::<f64>() / n as f64) }
}

/// `None` for NaN.
pub(crate) fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::measured::CALIBRATION_BINS;

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
