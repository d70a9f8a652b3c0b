//! Whether a candidate's error is smaller than production's, on the same rows: for regressions and several classes.

use serde::{Deserialize, Serialize};
use streamflow_stats::Random;

use crate::bootstrap::{Cells, percentile_intervals};
use crate::error::{self, Error};
use crate::interval::Interval;
use crate::mcnemar::McNemar;
use crate::paired_loss::PairedLoss;
use crate::promotion::{MOST_ROWS, Promotion, PromotionReport};
use crate::words::{signed, significant};

/// The metric of the rows' losses that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossMetric {
    /// The mean of the losses, which are −ln of the probability of the actual class.
    LogLoss,
    /// The root of the mean of the losses, which are squared errors.
    Rmse,
}

impl LossMetric {
    /// Its name in JSON, and in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogLoss => "log_loss",
            Self::Rmse => "rmse",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::LogLoss => "log loss",
            Self::Rmse => "RMSE",
        }
    }

    fn of_mean(self, mean: f64) -> f64 {
        match self {
            Self::LogLoss => mean,
            Self::Rmse => mean.sqrt(),
        }
    }
}

/// The losses of both models on the rows of a table. Neither model may have been trained on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedLosses<'a> {
    /// What the losses are.
    pub metric: LossMetric,
    /// Losses of the model in production, NaN where a row has no label or no prediction.
    pub production: &'a [f64],
    /// Losses of the candidate, likewise.
    pub candidate: &'a [f64],
    /// Rows without a label.
    pub unlabelled: usize,
    /// For each row whether production and candidate predicted the right class; empty for a regression.
    pub right: &'a [(bool, bool)],
}

/// Production's error less that of the candidate; a positive difference speaks for the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossDifference {
    /// The metric.
    pub metric: LossMetric,
    /// Of production.
    pub production: f64,
    /// Of the candidate.
    pub candidate: f64,
    /// Production's less the candidate's.
    pub difference: f64,
    /// Percentile bootstrap of the difference, rows drawn in pairs; `None` with fewer than two rows.
    pub interval: Option<Interval>,
    /// The paired t test of the rows' losses.
    pub paired: PairedLoss,
}

/// When a candidate with a smaller error is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossRule {
    /// By what share of production's error that of the candidate may be larger, at most, to count as not worse.
    pub margin: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for LossRule {
    fn default() -> Self {
        Self { margin: 0.01, seed: 0 }
    }
}

/// Rows, or groups of rows where there are more, that the bootstrap draws from.
const BLOCKS: usize = 4096;

impl LossRule {
    /// Compares a candidate with production by their losses. The interval of the metric's difference decides; the paired
    /// t test stands beside it, and McNemar's test of right and wrong predictions where there are classes. O(n).
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::Setting`] for a margin that is NaN or negative.
    pub fn compare(&self, rows: &PairedLosses) -> Result<PromotionReport, Error> {
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            let expected = "a share of production's error of at least 0";
            return Err(Error::Setting { name: "the margin", value: self.margin, expected });
        }
        let all = rows.production.len();
        error::aligned(("the losses of the candidate", rows.candidate.len()), ("those of production", all))?;
        let is_used = |row: &usize| !rows.production[*row].is_nan() && !rows.candidate[*row].is_nan();
        let used: Vec<usize> = (0..all).filter(is_used).collect();
        let pairs: Vec<(f64, f64)> =
            used.iter().map(|&row| (rows.production[row], rows.candidate[row])).collect();
        let loss = self.difference(rows.metric, &pairs);
        let right = used.iter().filter_map(|&row| rows.right.get(row).copied());
        let (promotion, reason, rows_needed) = self.decide(loss.as_ref(), used.len());
        Ok(PromotionReport {
            rows: all,
            used: used.len(),
            unlabelled: rows.unlabelled,
            unscored: all - used.len() - rows.unlabelled.min(all - used.len()),
            promotion,
            reason,
            rows_needed,
            auc: None,
            mcnemar: (!rows.right.is_empty()).then(|| McNemar::of(right)),
            log_loss: loss.filter(|loss| loss.metric == LossMetric::LogLoss).map(|loss| loss.paired),
            brier: None,
            loss,
        })
    }

    fn difference(&self, metric: LossMetric, pairs: &[(f64, f64)]) -> Option<LossDifference> {
        let differences: Vec<f64> = pairs.iter().map(|(old, new)| old - new).collect();
        let paired = PairedLoss::new(&differences)?;
        let mean =
            |side: fn(&(f64, f64)) -> f64| streamflow_stats::sum(pairs.iter().map(side)) / pairs.len() as f64;
        let (production, candidate) =
            (metric.of_mean(mean(|pair| pair.0)), metric.of_mean(mean(|pair| pair.1)));
        Some(LossDifference {
            metric,
            production,
            candidate,
            difference: production - candidate,
            interval: self.interval(metric, pairs),
            paired,
        })
    }

    /// Rows are drawn one by one, or in groups of which each has every 4,096th row.
    fn interval(&self, metric: LossMetric, pairs: &[(f64, f64)]) -> Option<Interval> {
        if pairs.len() < 2 {
            return None;
        }
        let mut sums = vec![(0.0, 0.0, 0.0); BLOCKS.min(pairs.len())];
        for (row, (old, new)) in pairs.iter().enumerate() {
            let block = row % BLOCKS;
            sums[block] = (sums[block].0 + old, sums[block].1 + new, sums[block].2 + 1.0);
        }
        let cells = Cells::new(vec![1; sums.len()]);
        let [interval] = percentile_intervals(self.seed, |random: &mut Random| {
            let (mut old, mut new, mut rows) = (0.0, 0.0, 0.0);
            for (times, sum) in cells.draw(random).into_iter().zip(&sums) {
                let times = times as f64;
                old += times * sum.0;
                new += times * sum.1;
                rows += times * sum.2;
            }
            let difference = metric.of_mean(old / rows) - metric.of_mean(new / rows);
            [Some(difference).filter(|difference| difference.is_finite())]
        });
        interval
    }

    fn decide(&self, loss: Option<&LossDifference>, rows: usize) -> (Promotion, String, Option<u64>) {
        let undecided = |reason: &str| (Promotion::Undecided, reason.to_owned(), None);
        let Some(loss) = loss else {
            return undecided("No row has a label and both predictions.");
        };
        let Some(interval) = loss.interval else {
            return undecided("There are fewer than two rows, so the difference has no known error.");
        };
        if interval.low == interval.high && loss.difference == 0.0 {
            return undecided("Both models are as wrong on every row, so the difference has no variance.");
        }
        let words = loss.metric.words();
        // As people read a change: what is negative is a smaller error.
        let found = format!(
            "The {words} changes from {} to {}, by {} (95 % from {} to {})",
            significant(loss.production),
            significant(loss.candidate),
            signed(-loss.difference),
            signed(-interval.high),
            signed(-interval.low)
        );
        if interval.low > 0.0 {
            return (Promotion::Better, format!("{found}: the candidate is better."), None);
        }
        if interval.high < 0.0 {
            return (Promotion::Worse, format!("{found}: the candidate is worse."), None);
        }
        if interval.low > -self.margin * loss.production {
            let percent = 100.0 * self.margin;
            let reason = format!("{found}: the candidate is not worse by {percent:.1} % or more.");
            return (Promotion::NotWorse, reason, None);
        }
        let half = 0.5 * (interval.high - interval.low);
        let needed = rows as f64 * (half / loss.difference).powi(2);
        if needed > MOST_ROWS {
            let reason = format!("{found}: these rows cannot tell, and no realistic number of them would.");
            return (Promotion::Undecided, reason, None);
        }
        let reason = format!("{found}: these rows cannot tell; about {needed:.0} like them would.");
        (Promotion::Undecided, reason, Some(needed.ceil() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squared errors of two models, of which the second one is `factor` times as wrong.
    fn losses(rows: usize, factor: f64) -> (Vec<f64>, Vec<f64>) {
        let mut random = Random::new(7);
        let mut unit = || random.below(1 << 53) as f64 / (1_u64 << 53) as f64 + 0.01;
        (0..rows).map(|_| (unit().powi(2), unit().powi(2) * factor)).unzip()
    }

    #[track_caller]
    fn check(rows: usize, factor: f64, expected: Promotion, words: &str) -> PromotionReport {
        let (production, candidate) = losses(rows, factor);
        let rows = PairedLosses {
            metric: LossMetric::Rmse,
            production: &production,
            candidate: &candidate,
            unlabelled: 0,
            right: &[],
        };
        let report = LossRule::default().compare(&rows).unwrap();
        assert_eq!(report.promotion, expected, "{}", report.reason);
        assert!(report.reason.contains(words), "{}", report.reason);
        assert_eq!(report.mcnemar, None);
        report
    }

    #[test]
    fn a_smaller_error_is_better() {
        let better = check(5000, 0.5, Promotion::Better, "the candidate is better");
        let loss = better.loss.unwrap();
        // Root of the mean of squares: E[u²] of a uniform number is 1/3.
        assert!((loss.production - (1.0_f64 / 3.0).sqrt()).abs() < 0.02, "{loss:?}");
        assert!(loss.interval.unwrap().contains(loss.difference) && loss.paired.p_two_sided.unwrap() < 1e-9);
        check(5000, 2.0, Promotion::Worse, "the candidate is worse");
        check(100_000, 1.0, Promotion::NotWorse, "not worse by 1.0 %");
        check(50, 1.0, Promotion::Undecided, "cannot tell");
        check(0, 1.0, Promotion::Undecided, "No row has a label");
        check(1, 1.0, Promotion::Undecided, "fewer than two rows");
    }

    #[test]
    fn rows_without_a_loss_are_left_out_and_equal_models_are_undecided() {
        let rows = PairedLosses {
            metric: LossMetric::LogLoss,
            production: &[0.5, f64::NAN, 0.25],
            candidate: &[0.5, f64::NAN, 0.25],
            unlabelled: 1,
            right: &[(true, false), (true, true), (true, true)],
        };
        let report = LossRule::default().compare(&rows).unwrap();
        assert_eq!((report.rows, report.used, report.unlabelled, report.unscored), (3, 2, 1, 0));
        assert_eq!(report.promotion, Promotion::Undecided);
        assert!(report.reason.contains("as wrong on every row"), "{}", report.reason);
        assert_eq!(report.mcnemar.unwrap().only_production, 1);
        assert!(LossRule { margin: -1.0, seed: 0 }.compare(&rows).is_err());
    }

    /// `scipy.stats.bootstrap((old, new), lambda a, b: a.mean() - b.mean(), paired=True, method="percentile")` agrees with
    /// Student's interval where losses are not heavy-tailed; so must ours, in groups of rows too.
    #[test]
    fn groups_of_rows_give_the_interval_of_rows() {
        let (production, candidate) = losses(40_000, 0.9);
        let rows = PairedLosses {
            metric: LossMetric::LogLoss,
            production: &production,
            candidate: &candidate,
            unlabelled: 0,
            right: &[],
        };
        let loss = LossRule::default().compare(&rows).unwrap().loss.unwrap();
        let (found, student) = (loss.interval.unwrap(), loss.paired.interval.unwrap());
        let width = student.high - student.low;
        assert!((found.low - student.low).abs() < 0.1 * width, "{found:?} {student:?}");
        assert!((found.high - student.high).abs() < 0.1 * width, "{found:?} {student:?}");
    }
}
