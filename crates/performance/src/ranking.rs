//! Rows sorted by score once, and the metrics that are one scan of them.
//!
//! The rows of a class may be fractions: where labels are estimated, a row counts as positive with its probability. So
//! realised, estimated and resampled metrics are the same functions.

use streamflow_stats::Sample;

/// The rows that share one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub score: f64,
    pub positives: f64,
    pub negatives: f64,
}

impl Step {
    pub fn rows(&self) -> f64 {
        self.positives + self.negatives
    }
}

/// The steps of labelled rows, by ascending score; `None` when a score is NaN. Linear: both classes are sorted apart,
/// by radix, and merged.
pub(crate) fn of_labels(rows: impl Iterator<Item = (bool, f64)>) -> Option<Vec<Step>> {
    let (mut positives, mut negatives) = (Vec::new(), Vec::new());
    for (label, score) in rows {
        if label { positives.push(score) } else { negatives.push(score) }
    }
    let sorted = |scores| Sample::new(scores).ok();
    let (positives, negatives) = rayon::join(|| sorted(positives), || sorted(negatives));
    let (positives, negatives) = (positives?, negatives?);
    let mut steps = Vec::with_capacity(positives.distinct().max(negatives.distinct()));
    let (mut above, mut below) = (positives.iter().peekable(), negatives.iter().peekable());
    loop {
        let score = match (above.peek(), below.peek()) {
            (None, None) => return Some(steps),
            (Some(&(score, _)), None) | (None, Some(&(score, _))) => score,
            (Some(&(left, _)), Some(&(right, _))) => f64::min(left, right),
        };
        let positives = above.next_if(|&(value, _)| value == score).map_or(0, |(_, count)| count) as f64;
        let negatives = below.next_if(|&(value, _)| value == score).map_or(0, |(_, count)| count) as f64;
        steps.push(Step { score, positives, negatives });
    }
}

/// The steps of rows that are positive with a probability each, given as (score, probability); scores are not NaN.
pub(crate) fn of_probabilities(mut rows: Vec<(f64, f64)>) -> Vec<Step> {
    // Also by probability, so that the order of the rows does not show in the last digit.
    rows.sort_unstable_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)).then(a.1.total_cmp(&b.1)));
    let step = |rows: &[(f64, f64)]| Step {
        score: rows[0].0,
        positives: rows.iter().map(|row| row.1).sum(),
        negatives: rows.iter().map(|row| 1.0 - row.1).sum(),
    };
    rows.chunk_by(|a, b| a.0 == b.0).map(step).collect()
}

/// Positives and negatives of all steps.
pub(crate) fn totals(steps: &[Step]) -> (f64, f64) {
    steps.iter().fold((0.0, 0.0), |(p, n), step| (p + step.positives, n + step.negatives))
}

/// See [`roc_auc_score`](crate::roc_auc_score).
pub(crate) fn roc_auc(steps: &[Step]) -> Option<f64> {
    let (mut below, mut pairs, mut positives) = (0.0, 0.0, 0.0);
    for step in steps {
        pairs += step.positives * (below + 0.5 * step.negatives);
        below += step.negatives;
        positives += step.positives;
    }
    (positives > 0.0 && below > 0.0).then(|| (pairs / (positives * below)).clamp(0.0, 1.0))
}

/// See [`average_precision_score`](crate::average_precision_score).
pub(crate) fn average_precision(steps: &[Step]) -> Option<f64> {
    let (mut positives, mut rows, mut sum) = (0.0, 0.0, 0.0);
    for step in steps.iter().rev() {
        positives += step.positives;
        rows += step.rows();
        if step.positives > 0.0 {
            sum += step.positives * positives / rows;
        }
    }
    (positives > 0.0).then(|| (sum / positives).clamp(0.0, 1.0))
}

/// Largest distance between the two classes' distribution functions of the score. In [0, 1]; `None` without both
/// classes. Oracle: `scipy.stats.ks_2samp(scores[labels], scores[~labels]).statistic` of SciPy 1.17.1.
pub(crate) fn kolmogorov_smirnov(steps: &[Step]) -> Option<f64> {
    let (positives, negatives) = totals(steps);
    let (mut p, mut n, mut largest) = (0.0, 0.0, 0.0_f64);
    for step in steps {
        p += step.positives;
        n += step.negatives;
        largest = largest.max((p / positives - n / negatives).abs());
    }
    (positives > 0.0 && negatives > 0.0).then_some(largest)
}

/// Neighbouring steps joined until about `groups` are left, each with at most its share of either class. What resampling
/// works on: cheap, and fine where positives are rare.
pub(crate) fn grouped(steps: &[Step], groups: usize) -> Vec<Step> {
    if steps.len() <= groups {
        return steps.to_vec();
    }
    let (positives, negatives) = totals(steps);
    let mut joined: Vec<Step> = Vec::with_capacity(groups + 1);
    let (mut seen, mut last) = (0.0, usize::MAX);
    for step in steps {
        let group = (0.5 * groups as f64 * seen) as usize;
        match joined.last_mut() {
            Some(open) if group == last => {
                open.positives += step.positives;
                open.negatives += step.negatives;
            }
            _ => joined.push(*step),
        }
        last = group;
        seen += step.positives / positives.max(1.0) + step.negatives / negatives.max(1.0);
    }
    joined
}
