//! What is drawn of a classifier: curves with a bounded number of points, and histograms.

use serde::{Deserialize, Serialize};

use crate::interval::{Interval, wilson};
use crate::measured::Labelled;
use crate::ranking::{self, Step};
use crate::scores::{quantile_bins, uniform_bins};

/// One threshold of a classifier, and what it does there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// Score from which a row is predicted positive; `None` above all scores, where nothing is.
    pub threshold: Option<f64>,
    /// Share of positive rows predicted positive: recall.
    pub true_positive_rate: f64,
    /// Share of negative rows predicted positive.
    pub false_positive_rate: f64,
    /// Share of positive predictions that are right; `None` where nothing is predicted positive.
    pub precision: Option<f64>,
}

/// One bin of a calibration curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Rows of the bin.
    pub rows: usize,
    /// Mean score.
    pub mean_score: f64,
    /// Share of positive rows.
    pub positive_rate: f64,
    /// Wilson's interval of that share; calibrated scores have their mean in most of these.
    pub interval: Option<Interval>,
}

/// One bin of a score histogram over [0, 1]; the upper end belongs to the next bin, 1 to the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreBin {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Positive rows.
    pub positives: u64,
    /// Negative rows.
    pub negatives: u64,
}

impl Labelled {
    /// The thresholds of an ROC curve, from "nothing is positive" at (0, 0) to "everything is" at (1, 1), with the
    /// precision of each, so that it serves the precision-recall curve too. Empty without both classes.
    ///
    /// Of more than `points` distinct scores about that many are kept, evenly along the curve, so that rare positives
    /// are drawn as finely as frequent negatives. Straight lines between points are exact where ties made them.
    #[must_use]
    pub fn operating_points(&self, points: usize) -> Vec<OperatingPoint> {
        let (positives, negatives) = ranking::totals(&self.steps);
        if positives == 0.0 || negatives == 0.0 {
            return Vec::new();
        }
        let point = |threshold, hits: f64, alarms: f64| OperatingPoint {
            threshold,
            true_positive_rate: hits / positives,
            false_positive_rate: alarms / negatives,
            precision: (hits + alarms > 0.0).then(|| hits / (hits + alarms)),
        };
        let mut curve = vec![point(None, 0.0, 0.0)];
        // The curve runs two units: one up, one to the right.
        let spacing = if self.steps.len() <= points { 0.0 } else { 2.0 / points.max(1) as f64 };
        let (mut hits, mut alarms, mut next) = (0.0, 0.0, spacing);
        for (index, step) in self.steps.iter().enumerate().rev() {
            hits += step.positives;
            alarms += step.negatives;
            let run = hits / positives + alarms / negatives;
            if run >= next || index == 0 {
                curve.push(point(Some(step.score), hits, alarms));
                next = run + spacing;
            }
        }
        curve
    }

    /// Mean score against share of positive rows, in at most `bins` bins of equal frequency; equal scores share one.
    #[must_use]
    pub fn calibration_curve(&self, bins: usize) -> Vec<CalibrationBin> {
        let ranges = quantile_bins(&self.scores, bins).into_iter().filter(|range| !range.is_empty());
        let bin = |range: std::ops::Range<usize>| {
            let rows = range.len() as f64;
            let positives = self.labels[range.clone()].iter().filter(|&&label| label).count() as f64;
            CalibrationBin {
                rows: range.len(),
                mean_score: self.scores[range].iter().sum::<f64>() / rows,
                positive_rate: positives / rows,
                interval: wilson(positives, rows),
            }
        };
        ranges.map(bin).collect()
    }

    /// Rows of either class in `bins` bins of equal width over [0, 1].
    #[must_use]
    pub fn score_histogram(&self, bins: usize) -> Vec<ScoreBin> {
        let steps: Vec<f64> = self.steps.iter().map(|step| step.score).collect();
        let sum = |steps: &[Step], of: fn(&Step) -> f64| steps.iter().map(of).sum::<f64>() as u64;
        let bin = |(index, range): (usize, std::ops::Range<usize>)| {
            let inside = &self.steps[range];
            ScoreBin {
                low: index as f64 / bins as f64,
                high: (index + 1) as f64 / bins as f64,
                positives: sum(inside, |step| step.positives),
                negatives: sum(inside, |step| step.negatives),
            }
        };
        uniform_bins(&steps, bins).into_iter().enumerate().map(bin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Rows;

    fn labelled(rows: &[(bool, f64)]) -> Labelled {
        let (labels, scores) = rows.iter().map(|&(label, score)| (Some(label), score)).unzip();
        Labelled::new(&Rows::at_threshold(labels, scores, 0.5).unwrap())
    }

    #[test]
    fn the_curve_has_every_threshold_of_few_rows() {
        let rows = labelled(&[(false, 0.1), (true, 0.4), (false, 0.4), (true, 0.8)]);
        let found: Vec<_> = rows
            .operating_points(100)
            .iter()
            .map(|point| {
                (point.threshold, point.false_positive_rate, point.true_positive_rate, point.precision)
            })
            .collect();
        let expected = [
            (None, 0.0, 0.0, None),
            (Some(0.8), 0.0, 0.5, Some(1.0)),
            (Some(0.4), 0.5, 1.0, Some(2.0 / 3.0)),
            (Some(0.1), 1.0, 1.0, Some(0.5)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn curves_of_many_rows_are_bounded() {
        let rows: Vec<(bool, f64)> =
            (0..20_000_u32).map(|row| (row % 7 == 0, f64::from(row * 7919 % 19_997) / 20_000.0)).collect();
        let rows = labelled(&rows);
        let curve = rows.operating_points(200);
        assert!((150..=202).contains(&curve.len()), "{}", curve.len());
        let last = curve.last().unwrap();
        assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
        // Trapezoids under what is drawn are the area within the width of a point.
        let area: f64 = curve
            .windows(2)
            .map(|pair| {
                let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
                0.5 * width * (pair[0].true_positive_rate + pair[1].true_positive_rate)
            })
            .sum();
        assert!((area - rows.auc().unwrap().value).abs() < 1e-3, "{area}");
    }

    #[test]
    fn one_class_has_no_curve_but_bins() {
        let rows = labelled(&[(true, 0.0), (true, 0.55), (true, 1.0)]);
        assert_eq!(rows.operating_points(10), []);
        let counts: Vec<u64> = rows.score_histogram(2).iter().map(|bin| bin.positives).collect();
        assert_eq!(counts, [1, 2]);
        let none = labelled(&[]);
        assert_eq!(none.calibration_curve(10), []);
        assert_eq!(none.score_histogram(4).len(), 4);
        assert_eq!(rows.score_histogram(0), []);
    }

    #[test]
    fn equal_scores_share_a_calibration_bin() {
        let rows = labelled(&[(false, 0.3), (true, 0.3), (true, 0.3), (false, 0.3), (true, 0.9)]);
        let curve = rows.calibration_curve(4);
        let found: Vec<_> = curve.iter().map(|bin| (bin.rows, bin.mean_score, bin.positive_rate)).collect();
        assert_eq!(found, [(4, 0.3, 0.5), (1, 0.9, 1.0)]);
    }
}
