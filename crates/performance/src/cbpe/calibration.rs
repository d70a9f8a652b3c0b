//! Scores made into probabilities, where that helps.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::isotonic::Isotonic;
use super::platt::Platt;
use crate::error::{self, Error};
use crate::measured::{CALIBRATION_BINS, Labelled};
use crate::ranking::{self, Step};
use crate::rows::Rows;
use crate::scores::expected_calibration_error;

/// What turns a raw score into a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    /// Scores are taken as they are.
    None,
    /// Isotonic regression.
    Isotonic(Isotonic),
    /// Platt's two parameters.
    Platt(Platt),
}

/// Rows of a reference below which isotonic regression has too few knots.
pub const MIN_ISOTONIC_ROWS: usize = 200;
/// Each fold is a fit.
const MOST_FOLDS: usize = 100;
/// A reference that is ranked better than this is not calibrated: every fold would map to 0 and 1.
const LARGEST_AUC: f64 = 0.999;

impl Calibrator {
    /// Isotonic regression over a labelled reference; no calibration without labelled rows.
    #[must_use]
    pub fn isotonic(reference: &Rows) -> Self {
        isotonic(&Labelled::new(reference).steps)
    }

    /// Platt's calibration over a labelled reference; none without both classes.
    #[must_use]
    pub fn platt(reference: &Rows) -> Self {
        platt(&Labelled::new(reference).steps)
    }

    /// The probability of a score; NaN of NaN.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        match self {
            Self::None => score,
            Self::Isotonic(isotonic) => isotonic.at(score),
            Self::Platt(platt) => platt.at(score),
        }
    }

    /// How it is called in a sentence.
    fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Isotonic(_) => "isotonic regression",
            Self::Platt(_) => "Platt's",
        }
    }
}

fn isotonic(steps: &[Step]) -> Calibrator {
    Isotonic::fit(steps).map_or(Calibrator::None, Calibrator::Isotonic)
}

fn platt(steps: &[Step]) -> Calibrator {
    Platt::fit(steps).map_or(Calibrator::None, Calibrator::Platt)
}

/// A calibrator, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What scores are calibrated with.
    pub calibrator: Calibrator,
    /// Calibration error of the raw scores; `None` without a labelled row.
    pub ece_before: Option<f64>,
    /// Calibration error of scores that were calibrated on other folds; `None` where that was not tried.
    pub ece_after: Option<f64>,
    /// The choice in a sentence.
    pub reason: String,
}

impl Calibration {
    /// Decides whether calibrating helps rows that the calibrator did not see: each fold is calibrated on the others, and
    /// the pooled calibration error (ten bins of equal frequency) must fall. The calibrator itself is then fitted to the
    /// whole reference: isotonic regression from 200 labelled rows on, Platt's below.
    ///
    /// `folds` has one number per row, ten different ones as a rule, that depend on the entity and not on the row order.
    /// A reference with one class or an AUC above 0.999 is not calibrated. O(folds · n).
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::Setting`] for more than 100 folds.
    pub fn decide(reference: &Rows, folds: &[u32]) -> Result<Self, Error> {
        error::aligned(("the folds", folds.len()), ("the rows of the reference", reference.len()))?;
        let different: BTreeSet<u32> = folds.iter().copied().collect();
        if different.len() > MOST_FOLDS {
            let (value, expected) = (different.len() as f64, "at most 100; 10 is usual");
            return Err(Error::Setting { name: "the number of folds", value, expected });
        }
        let rows = ascending(reference, folds);
        let labels: Vec<bool> = rows.iter().map(|row| row.label).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
        let ece_before = expected_calibration_error(&labels, &scores, CALIBRATION_BINS);
        let steps = steps(rows.iter());
        let fit = if rows.len() < MIN_ISOTONIC_ROWS { platt } else { isotonic };
        let calibrated = match refusal(ranking::roc_auc(&steps), rows.len()) {
            Some(refusal) => Err(refusal),
            None => out_of_fold(&rows, fit).ok_or("all rows of the reference are in one fold".to_owned()),
        };
        let calibrated = match calibrated {
            Ok(calibrated) => calibrated,
            Err(refusal) => {
                let reason = format!("Scores are not calibrated: {refusal}.");
                return Ok(Self { calibrator: Calibrator::None, ece_before, ece_after: None, reason });
            }
        };
        let ece_after = expected_calibration_error(&labels, &calibrated, CALIBRATION_BINS);
        let (before, after) = (ece_before.unwrap_or(0.0), ece_after.unwrap_or(f64::INFINITY));
        let helps = before > after;
        let calibrator = if helps { fit(&steps) } else { Calibrator::None };
        let choice =
            if helps { format!("calibrated by {}", calibrator.name()) } else { "not calibrated".to_owned() };
        let reason = format!(
            "Scores are {choice}: calibrating on other folds changes the calibration error from {before:.4} to {after:.4}."
        );
        Ok(Self { calibrator, ece_before, ece_after, reason })
    }
}

/// Why a reference cannot be calibrated; `None` when it can.
fn refusal(auc: Option<f64>, rows: usize) -> Option<String> {
    match auc {
        None => Some(format!("the {rows} labelled rows of the reference lack a class")),
        Some(auc) if auc > LARGEST_AUC => {
            Some(format!("the reference has an AUC of {auc:.4}, above {LARGEST_AUC}"))
        }
        Some(_) => None,
    }
}

/// A labelled row with a score.
#[derive(Clone, Copy)]
struct FoldedRow {
    label: bool,
    score: f64,
    fold: u32,
}

/// The labelled rows with a score, sorted by it once for all folds.
fn ascending(reference: &Rows, folds: &[u32]) -> Vec<FoldedRow> {
    let rows = reference.labels().iter().zip(reference.scores()).zip(folds);
    let labelled = rows.filter_map(|((label, &score), &fold)| {
        // Plus 0 makes one value of −0 and 0.
        label.filter(|_| !score.is_nan()).map(|label| FoldedRow { label, score: score + 0.0, fold })
    });
    let mut rows: Vec<FoldedRow> = labelled.collect();
    rows.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
    rows
}

/// The steps of ascending rows.
fn steps<'a>(rows: impl Iterator<Item = &'a FoldedRow>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for row in rows {
        if steps.last().is_none_or(|last| last.score != row.score) {
            steps.push(Step { score: row.score, positives: 0.0, negatives: 0.0 });
        }
        if let Some(last) = steps.last_mut() {
            *(if row.label { &mut last.positives } else { &mut last.negatives }) += 1.0;
        }
    }
    steps
}

/// Each row's probability by the calibrator of all other folds; `None` with a single fold.
fn out_of_fold(rows: &[FoldedRow], fit: fn(&[Step]) -> Calibrator) -> Option<Vec<f64>> {
    let folds: BTreeSet<u32> = rows.iter().map(|row| row.fold).collect();
    if folds.len() < 2 {
        return None;
    }
    let calibrators: BTreeMap<u32, Calibrator> = folds
        .into_par_iter()
        .map(|fold| (fold, fit(&steps(rows.iter().filter(|row| row.fold != fold)))))
        .collect();
    Some(rows.iter().map(|row| calibrators[&row.fold].probability(row.score)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels that are positive with the probability `share(score)`, spread evenly; ten folds by row.
    fn reference(rows: u32, share: impl Fn(f64) -> f64) -> (Rows, Vec<u32>) {
        let noise = |row: u32| f64::from(row.wrapping_mul(2_654_435_761)) / 4_294_967_296.0;
        let scores: Vec<f64> = (0..rows).map(|row| (f64::from(row) + 0.5) / f64::from(rows)).collect();
        let labels = (0..rows).zip(&scores).map(|(row, &score)| Some(noise(row) < share(score))).collect();
        (Rows::at_threshold(labels, scores, 0.5).unwrap(), (0..rows).map(|row| row * 7 % 10).collect())
    }

    #[test]
    fn only_what_helps_is_calibrated() {
        let check = |(rows, folds): (Rows, Vec<u32>), expected: &str, words: &str| {
            let found = Calibration::decide(&rows, &folds).unwrap();
            assert_eq!(found.calibrator.name(), expected, "{}", found.reason);
            assert!(found.reason.contains(words), "{}", found.reason);
            assert_eq!(found.ece_before.is_some(), !rows.is_empty());
        };
        check(reference(2000, |s| s * s), "isotonic regression", "calibrated by isotonic regression");
        check(reference(2000, |s| s), "none", "not calibrated: calibrating on other folds");
        check(reference(150, |s| s * s * s), "Platt's", "by Platt's");
        check(reference(500, |_| 0.0), "none", "lack a class");
        check(reference(500, |s| f64::from(u8::from(s > 0.5))), "none", "AUC of 1.0000");
        let (rows, _) = reference(500, |s| s);
        check((rows, vec![3; 500]), "none", "in one fold");
        check((Rows::default(), vec![]), "none", "the 0 labelled rows");
        assert!(Calibration::decide(&Rows::default(), &[1]).is_err());
        let (rows, _) = reference(500, |s| s);
        let error = Calibration::decide(&rows, &(0..500).collect::<Vec<u32>>()).unwrap_err();
        assert_eq!(error.to_string(), "the number of folds is 500, expected at most 100; 10 is usual");
    }
}
