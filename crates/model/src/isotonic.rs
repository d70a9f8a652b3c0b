//! Corrects the probabilities of two classes by a rising curve through those of rows that were held out.

use serde::{Deserialize, Serialize};
use streamflow_performance::{Calibrator, Isotonic, MIN_ISOTONIC_ROWS, Rows};

use crate::ensemble::sigmoid;

/// What the held-out rows say that probabilities are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsotonicCalibrated {
    /// From the probability of the trees to the corrected one: least squares under the constraint that it never falls,
    /// straight between its knots, constant outside them.
    pub curve: Isotonic,
    /// Held-out rows that say so.
    pub rows: usize,
}

impl IsotonicCalibrated {
    /// Of the log-odds of held-out rows and their labels, 1 or 0 and NaN where there is none. None of fewer than 200 rows,
    /// whose curve would follow single rows, and of rows whose larger scores are not the more likely ones.
    pub fn fit(scores: &[f64], labels: &[f64]) -> Option<IsotonicCalibrated> {
        let known = labels.iter().map(|label| (!label.is_nan()).then_some(*label == 1.0));
        let rows =
            Rows::at_threshold(known.collect(), scores.iter().map(|score| sigmoid(*score)).collect(), 0.5);
        let rows = rows.ok().filter(|rows| rows.labelled() >= MIN_ISOTONIC_ROWS)?;
        let Calibrator::Isotonic(curve) = Calibrator::isotonic(&rows) else { return None };
        let rises = |knots: &[[f64; 2]]| knots.first().zip(knots.last()).is_some_and(|(a, b)| a[1] < b[1]);
        rises(curve.knots()).then(|| IsotonicCalibrated { rows: rows.labelled(), curve })
    }

    /// The corrected probability.
    pub fn apply(&self, probability: f64) -> f64 {
        self.curve.at(probability)
    }

    /// What a stored curve must satisfy so that it is one: a sentence, else.
    pub(crate) fn check(&self) -> Result<(), String> {
        let knots = self.curve.knots();
        let is_share = |value: &f64| (0.0..=1.0).contains(value);
        if knots.is_empty() || !knots.as_flattened().iter().all(is_share) {
            return Err("the knots of its calibration are not all between 0 and 1".to_owned());
        }
        // Equal scores are one knot, but for the last digit that a file may lose.
        match knots.windows(2).find(|pair| pair[0][0] > pair[1][0] || pair[0][1] > pair[1][1]) {
            Some(pair) => Err(format!("its calibration falls from {:?} to {:?}", pair[0], pair[1])),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores and labels, of which the share that `share` says of the probability is positive.
    fn rows(rows: u32, share: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
        let noise = |row: u32| f64::from(row.wrapping_mul(2_654_435_761)) / 4_294_967_296.0;
        let scores: Vec<f64> = (0..rows).map(|row| f64::from(row) / f64::from(rows) * 8.0 - 4.0).collect();
        let label = |(row, score): (u32, &f64)| f64::from(u8::from(noise(row) < share(sigmoid(*score))));
        let labels = (0..rows).zip(&scores).map(label).collect();
        (scores, labels)
    }

    #[test]
    fn the_shares_of_held_out_rows_are_found() {
        let (scores, labels) = rows(40_000, |p| p * p);
        let found = IsotonicCalibrated::fit(&scores, &labels).unwrap();
        for p in [0.05, 0.2, 0.5, 0.8, 0.95] {
            assert!((found.apply(p) - p * p).abs() < 0.03, "{p}: {}", found.apply(p));
        }
        assert_eq!(found.rows, 40_000);
        found.check().unwrap();
    }

    #[test]
    fn too_few_rows_and_rows_that_fall_have_no_curve() {
        let (scores, labels) = rows(199, |p| p);
        assert_eq!(IsotonicCalibrated::fit(&scores, &labels), None);
        let (scores, labels) = rows(1000, |p| f64::from(u8::from(p < 0.5)));
        assert_eq!(IsotonicCalibrated::fit(&scores, &labels), None);
        assert_eq!(IsotonicCalibrated::fit(&scores, &vec![1.0; 1000]), None);
        assert_eq!(IsotonicCalibrated::fit(&scores, &vec![f64::NAN; 1000]), None);
    }

    #[test]
    fn a_stored_curve_that_is_none_is_refused() {
        let check = |knots: &str, expected: &str| {
            let text = format!(r#"{{"curve": {{"knots": {knots}}}, "rows": 500}}"#);
            let found: IsotonicCalibrated = serde_json::from_str(&text).unwrap();
            let error = found.check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("[]", "not all between 0 and 1");
        check("[[0.5, 1.5]]", "not all between 0 and 1");
        check("[[0.5, 0.5], [0.4, 0.6]]", "falls from");
        check("[[0.5, 0.5], [0.6, 0.4]]", "falls from");
    }
}
