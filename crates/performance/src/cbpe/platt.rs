//! Platt's calibration: two parameters, for references too small for isotonic regression.

use serde::{Deserialize, Serialize};

use crate::ranking::{self, Step};

/// p = σ(slope · ln(s / (1 − s)) + intercept); slope 1 and intercept 0 change nothing.
///
/// The variant on log odds, so that a calibrated model stays as it is. Targets are Platt's: (P + 1)/(P + 2) for positive
/// and 1/(N + 2) for negative rows, which keeps the fit finite when the score separates the classes.
///
/// Source: J. Platt, "Probabilistic outputs for support vector machines" (1999); fit as H. Lin, C. Lin and R. Weng
/// (2007), doi:10.1007/s10994-007-5018-6. Oracle: the root of the loss's gradient by `scipy.optimize.root` of SciPy 1.17.1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    slope: f64,
    intercept: f64,
}

/// Rows of one score: its log odds, and how much weight says yes and no.
struct Point {
    odds: f64,
    yes: f64,
    no: f64,
}

impl Platt {
    /// Fits scores in [0, 1]; `None` without both classes.
    pub(crate) fn fit(steps: &[Step]) -> Option<Self> {
        let (positives, negatives) = ranking::totals(steps);
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let (of_positive, of_negative) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let point = |step: &Step| {
            let yes = step.positives * of_positive + step.negatives * of_negative;
            Point { odds: log_odds(step.score), yes, no: step.rows() - yes }
        };
        let points: Vec<Point> = steps.iter().map(point).collect();
        let mut now = Self { slope: 1.0, intercept: 0.0 };
        let mut loss = now.loss(&points);
        // Newton's method with halved steps; the loss is convex, so some ten steps reach the last digits.
        for _ in 0..100 {
            let step = now.newton_step(&points);
            if step.0.abs().max(step.1.abs()) < 1e-12 {
                break;
            }
            let moved = |size: f64| Self {
                slope: now.slope + size * step.0,
                intercept: now.intercept + size * step.1,
            };
            let mut size = 1.0;
            // Near the end the loss changes by less than its rounding.
            while moved(size).loss(&points) > loss * (1.0 + 1e-14) && size > 1e-10 {
                size *= 0.5;
            }
            now = moved(size);
            loss = now.loss(&points);
        }
        Some(now)
    }

    /// −H⁻¹ g of the loss.
    fn newton_step(&self, points: &[Point]) -> (f64, f64) {
        // A trace of ridge keeps the matrix regular when all scores are equal.
        let (mut xx, mut x, mut one) = (1e-12, 0.0, 1e-12);
        let (mut slope, mut intercept) = (0.0, 0.0);
        for &Point { odds, yes, no } in points {
            let p = self.of_odds(odds);
            let weight = (yes + no) * p * (1.0 - p);
            xx += weight * odds * odds;
            x += weight * odds;
            one += weight;
            slope += (yes - (yes + no) * p) * odds;
            intercept += yes - (yes + no) * p;
        }
        let determinant = xx * one - x * x;
        ((one * slope - x * intercept) / determinant, (xx * intercept - x * slope) / determinant)
    }

    /// Cross entropy of the targets.
    fn loss(&self, points: &[Point]) -> f64 {
        let of = |&Point { odds, yes, no }: &Point| {
            let z = self.slope * odds + self.intercept;
            // ln(1 + e^z) a row, less z for yes, without overflow.
            (yes + no) * (z.max(0.0) + (-z.abs()).exp().ln_1p()) - yes * z
        };
        points.iter().map(of).sum()
    }

    fn of_odds(&self, odds: f64) -> f64 {
        1.0 / (1.0 + (-(self.slope * odds + self.intercept)).exp())
    }

    /// The probability of a score; NaN of NaN.
    pub(crate) fn at(&self, score: f64) -> f64 {
        self.of_odds(log_odds(score))
    }
}

/// ln(s / (1 − s)), finite also for scores of 0 and 1.
fn log_odds(score: f64) -> f64 {
    let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    (score / (1.0 - score)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(labels: &[bool], scores: &[f64]) -> Option<Platt> {
        let rows = labels.iter().copied().zip(scores.iter().copied());
        Platt::fit(&ranking::of_labels(rows).unwrap())
    }

    #[test]
    fn the_fit_is_scipys() {
        // scipy 1.17.1: scipy.optimize.root(gradient, [1, 0], tol=1e-13) of the cross entropy above
        let check = |labels: &[u8], scores: &[f64], slope: f64, intercept: f64| {
            let labels: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
            let fit = fit(&labels, scores).unwrap();
            assert!((fit.slope - slope).abs() < 1e-6 && (fit.intercept - intercept).abs() < 1e-6, "{fit:?}");
        };
        check(
            &[0, 0, 1, 0, 1, 1, 0, 1],
            &[0.1, 0.3, 0.35, 0.4, 0.6, 0.7, 0.75, 0.9],
            0.587_708_095_667_559_5,
            -0.037_339_963_334_559_065,
        );
        check(
            &[0, 0, 0, 1, 1],
            &[0.01, 0.02, 0.05, 0.8, 0.999],
            0.265_574_789_492_510_73,
            -0.168_772_161_982_757_27,
        );
    }

    #[test]
    fn odd_references_have_a_fit_or_none() {
        assert_eq!(fit(&[true, true], &[0.2, 0.3]), None);
        assert_eq!(fit(&[], &[]), None);
        let constant = fit(&[true, false, false, false], &[0.5; 4]).unwrap();
        // Targets 2/3 and 1/5: their mean is 0.3167.
        assert!((constant.at(0.5) - (2.0 / 3.0 + 3.0 / 5.0) / 4.0).abs() < 1e-9, "{constant:?}");
        let certain = fit(&[true, false], &[1.0, 0.0]).unwrap();
        assert!(certain.at(1.0) > 0.6 && certain.at(0.0) < 0.4, "{certain:?}");
        assert!(certain.at(f64::NAN).is_nan());
    }
}
