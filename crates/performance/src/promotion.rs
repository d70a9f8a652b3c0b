//! Whether a candidate may take production's place, judged on the same rows.

use serde::{Deserialize, Serialize};

use crate::delong::{self, AucDifference};
use crate::error::{self, Error};
use crate::interval::normal_quantile;
use crate::mcnemar::McNemar;
use crate::paired_loss::PairedLoss;
use crate::promotion_by_loss::LossDifference;
use crate::scores::{row_brier_score, row_log_loss};

/// Rows that both models scored, with the label where it is known. Neither model may have been trained on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedRows<'a> {
    /// The labels, `None` where they are not known.
    pub labels: &'a [Option<bool>],
    /// Scores of the model in production, NaN where there is none.
    pub production: &'a [f64],
    /// Scores of the candidate, NaN where there is none.
    pub candidate: &'a [f64],
}

/// When a candidate is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromotionRule {
    /// Score from which production predicts positive.
    pub production_threshold: f64,
    /// Score from which the candidate predicts positive.
    pub candidate_threshold: f64,
    /// How much AUC a candidate may lack, at most, to count as not worse.
    pub margin: f64,
}

impl Default for PromotionRule {
    fn default() -> Self {
        Self { production_threshold: 0.5, candidate_threshold: 0.5, margin: 0.01 }
    }
}

/// What the comparison says of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// The lower end of the gain of AUC, or of the gain by a smaller error, is above 0.
    Better,
    /// The lower end is above −margin.
    NotWorse,
    /// These rows cannot tell.
    Undecided,
    /// The upper end is below 0.
    Worse,
}

/// A candidate held against production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionReport {
    /// Rows given.
    pub rows: usize,
    /// Rows compared.
    pub used: usize,
    /// Rows left out because they have no label.
    pub unlabelled: usize,
    /// Labelled rows left out because a model has no score for them.
    pub unscored: usize,
    /// The verdict.
    pub promotion: Promotion,
    /// The verdict in a sentence.
    pub reason: String,
    /// About how many rows like these a decision needs; `None` where it is made, or where no number of them helps.
    pub rows_needed: Option<u64>,
    /// The areas under the ROC curve; `None` without both classes.
    pub auc: Option<AucDifference>,
    /// McNemar's test of the predicted classes, each model at its own threshold; `None` for a regression.
    pub mcnemar: Option<McNemar>,
    /// Difference of the log losses, which sees calibration; `None` without rows.
    pub log_loss: Option<PairedLoss>,
    /// Difference of the Brier scores; `None` without rows.
    pub brier: Option<PairedLoss>,
    /// Difference of the metric that decides where no AUC does: of a regression and of several classes.
    #[serde(default)]
    pub loss: Option<LossDifference>,
}

impl PromotionRule {
    /// Compares a candidate with production. The AUC decides, with DeLong's paired variance; the losses and McNemar's
    /// test stand beside it. O(n log n).
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotAProbability`], [`Error::Setting`] for a threshold that is NaN or a margin that
    /// is NaN or negative.
    pub fn compare(&self, rows: &PairedRows) -> Result<PromotionReport, Error> {
        self.check(rows)?;
        let scored = |row: &usize| !rows.production[*row].is_nan() && !rows.candidate[*row].is_nan();
        let labelled: Vec<usize> = (0..rows.labels.len()).filter(|&row| rows.labels[row].is_some()).collect();
        let used: Vec<usize> = labelled.iter().copied().filter(scored).collect();
        let labels: Vec<bool> = used.iter().map(|&row| rows.labels[row] == Some(true)).collect();
        let production: Vec<f64> = used.iter().map(|&row| rows.production[row]).collect();
        let candidate: Vec<f64> = used.iter().map(|&row| rows.candidate[row]).collect();
        let auc = delong::compare(&labels, &production, &candidate);
        let losses = |loss: fn(bool, f64) -> f64| {
            let pairs = labels.iter().zip(production.iter().zip(&candidate));
            let differences: Vec<f64> =
                pairs.map(|(&label, (&old, &new))| loss(label, old) - loss(label, new)).collect();
            PairedLoss::new(&differences)
        };
        let right = (0..used.len()).map(|row| {
            let right = |score: f64, threshold: f64| (score >= threshold) == labels[row];
            let old = right(production[row], self.production_threshold);
            (old, right(candidate[row], self.candidate_threshold))
        });
        let (promotion, reason, rows_needed) = self.decide(auc.as_ref(), used.len());
        Ok(PromotionReport {
            rows: rows.labels.len(),
            used: used.len(),
            unlabelled: rows.labels.len() - labelled.len(),
            unscored: labelled.len() - used.len(),
            promotion,
            reason,
            rows_needed,
            auc,
            mcnemar: Some(McNemar::of(right)),
            log_loss: losses(row_log_loss),
            brier: losses(row_brier_score),
            loss: None,
        })
    }

    fn check(&self, rows: &PairedRows) -> Result<(), Error> {
        let labels = ("the labels", rows.labels.len());
        error::aligned(("the scores of production", rows.production.len()), labels)?;
        error::aligned(("the scores of the candidate", rows.candidate.len()), labels)?;
        error::probabilities("score of production", rows.production)?;
        error::probabilities("score of the candidate", rows.candidate)?;
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            let expected = "an AUC difference of at least 0";
            return Err(Error::Setting { name: "the margin", value: self.margin, expected });
        }
        for (name, value) in [
            ("the threshold of production", self.production_threshold),
            ("the threshold of the candidate", self.candidate_threshold),
        ] {
            if value.is_nan() {
                return Err(Error::Setting {
                    name,
                    value,
                    expected: "the score from which a row is positive",
                });
            }
        }
        Ok(())
    }

    fn decide(&self, auc: Option<&AucDifference>, rows: usize) -> (Promotion, String, Option<u64>) {
        let undecided = |reason: &str| (Promotion::Undecided, reason.to_owned(), None);
        let Some(auc) = auc else {
            return undecided(if rows == 0 {
                "No row has a label and both scores."
            } else {
                "All labels are of one class, so no AUC is defined."
            });
        };
        let Some((error, interval)) = auc.standard_error.zip(auc.interval) else {
            return undecided("A class has fewer than two rows, so the difference has no known error.");
        };
        if auc.z.is_none() {
            return undecided("Both models rank these rows alike, so the difference has no variance.");
        }
        let found = format!(
            "The AUC changes from {:.3} to {:.3}, by {:+.3} (95 % from {:+.3} to {:+.3})",
            auc.production, auc.candidate, auc.difference, interval.low, interval.high
        );
        if interval.low > 0.0 {
            return (Promotion::Better, format!("{found}: the candidate is better."), None);
        }
        if interval.high < 0.0 {
            return (Promotion::Worse, format!("{found}: the candidate is worse."), None);
        }
        if interval.low > -self.margin {
            let reason = format!("{found}: the candidate is not worse by {} or more.", self.margin);
            return (Promotion::NotWorse, reason, None);
        }
        let needed = rows as f64 * (normal_quantile() * error / auc.difference).powi(2);
        if needed > MOST_ROWS {
            let reason = format!("{found}: these rows cannot tell, and no realistic number of them would.");
            return (Promotion::Undecided, reason, None);
        }
        let reason = format!("{found}: these rows cannot tell; about {needed:.0} like them would.");
        (Promotion::Undecided, reason, Some(needed.ceil() as u64))
    }
}

/// A number of rows that nobody will wait for.
pub(crate) const MOST_ROWS: f64 = 1e9;

#[cfg(test)]
mod tests {
    use streamflow_stats::Random;

    use super::*;

    /// Rows of both classes; each model's scores separate them by so much, with noise of its own.
    fn rows(count: usize, production: f64, candidate: f64) -> (Vec<Option<bool>>, Vec<f64>, Vec<f64>) {
        let labels: Vec<Option<bool>> = (0..count).map(|row| Some(row % 2 == 0)).collect();
        let mut random = Random::new(11);
        let mut scores = |by: f64| -> Vec<f64> {
            let of =
                |label: &Option<bool>| 0.5 * random.uniform() + if *label == Some(true) { by } else { 0.0 };
            labels.iter().map(of).collect()
        };
        let (production, candidate) = (scores(production), scores(candidate));
        (labels, production, candidate)
    }

    #[test]
    fn the_interval_decides() {
        let check = |count, production, candidate, margin, expected, words: &str| {
            let (labels, old, new) = rows(count, production, candidate);
            let rule = PromotionRule { margin, ..PromotionRule::default() };
            let rows = PairedRows { labels: &labels, production: &old, candidate: &new };
            let report = rule.compare(&rows).unwrap();
            assert_eq!(report.promotion, expected, "{}", report.reason);
            assert!(report.reason.contains(words), "{}", report.reason);
            assert_eq!(
                report.rows_needed.is_some(),
                report.promotion == Promotion::Undecided && report.auc.is_some_and(|auc| auc.z.is_some())
            );
        };
        check(2000, 0.1, 0.2, 0.01, Promotion::Better, "the candidate is better");
        check(2000, 0.2, 0.1, 0.01, Promotion::Worse, "the candidate is worse");
        check(2000, 0.1, 0.1, 0.2, Promotion::NotWorse, "not worse by 0.2 or more");
        check(60, 0.1, 0.11, 0.01, Promotion::Undecided, "like them would");
        check(3, 0.1, 0.2, 0.01, Promotion::Undecided, "fewer than two rows");
        check(1, 0.1, 0.2, 0.01, Promotion::Undecided, "one class");
        check(0, 0.1, 0.2, 0.01, Promotion::Undecided, "No row has a label and both scores");
    }

    #[test]
    fn worse_within_the_margin_is_worse() {
        let (labels, old, new) = rows(20_000, 0.2, 0.19);
        let rule = PromotionRule { margin: 0.5, ..PromotionRule::default() };
        let report =
            rule.compare(&PairedRows { labels: &labels, production: &old, candidate: &new }).unwrap();
        assert_eq!(report.promotion, Promotion::Worse, "{}", report.reason);
    }

    #[test]
    fn rows_without_label_or_score_are_left_out_and_counted() {
        let labels = [Some(true), None, Some(false), Some(false), Some(true)];
        let production = [0.9, 0.4, f64::NAN, 0.2, 0.3];
        let candidate = [0.8, 0.4, 0.1, 0.1, f64::NAN];
        let rows = PairedRows { labels: &labels, production: &production, candidate: &candidate };
        let report = PromotionRule::default().compare(&rows).unwrap();
        assert_eq!((report.rows, report.used, report.unlabelled, report.unscored), (5, 2, 1, 2));
    }

    #[test]
    fn a_rule_without_sense_is_refused() {
        let rows = PairedRows { labels: &[], production: &[], candidate: &[] };
        for rule in [
            PromotionRule { margin: -0.1, ..PromotionRule::default() },
            PromotionRule { margin: f64::NAN, ..PromotionRule::default() },
            PromotionRule { candidate_threshold: f64::NAN, ..PromotionRule::default() },
        ] {
            assert!(matches!(rule.compare(&rows), Err(Error::Setting { .. })), "{rule:?}");
        }
        let rows = PairedRows { labels: &[None], production: &[2.0], candidate: &[0.5] };
        let error = PromotionRule::default().compare(&rows).unwrap_err();
        assert_eq!(error.to_string().split(',').next(), Some("row 0 has the score of production 2"));
    }
}
