//! How far an area under the ROC curve, or the difference of two, may be off.

use serde::{Deserialize, Serialize};
use streamflow_stats::norm_sf;

use crate::interval::{Interval, normal_quantile};
use crate::ranking::{self, Step};

/// An area under the ROC curve with its sampling error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Auc {
    /// The area.
    pub value: f64,
    /// Standard error; `None` with fewer than two rows of a class.
    pub standard_error: Option<f64>,
    /// value ± 1.96 standard errors, clipped to [0, 1].
    pub interval: Option<Interval>,
    /// The same on the scale of ln(AUC / (1 − AUC)), which keeps to (0, 1) near its ends; `None` at 0 and at 1.
    pub logit_interval: Option<Interval>,
    /// Positive rows.
    pub positives: u64,
    /// Negative rows.
    pub negatives: u64,
}

/// Variances of DeLong's components, those of a positive and of a negative row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Components {
    /// S₁₀: variance over positive rows of the share of negative rows ranked below.
    pub of_positives: f64,
    /// S₀₁: variance over negative rows of the share of positive rows ranked above.
    pub of_negatives: f64,
}

impl Components {
    /// √(S₁₀/P + S₀₁/N) of so many rows of either class.
    pub fn standard_error(&self, positives: f64, negatives: f64) -> f64 {
        (self.of_positives / positives + self.of_negatives / negatives).sqrt()
    }
}

/// DeLong's components of one ranking; `None` with fewer than two rows of a class.
pub(crate) fn components(steps: &[Step]) -> Option<Components> {
    let (positives, negatives) = ranking::totals(steps);
    if positives < 2.0 || negatives < 2.0 {
        return None;
    }
    let area = ranking::roc_auc(steps)?;
    let (mut below, mut above) = (0.0, positives);
    let (mut of_positives, mut of_negatives) = (0.0, 0.0);
    for step in steps {
        above -= step.positives;
        let ranked_below = (below + 0.5 * step.negatives) / negatives - area;
        let ranked_above = (above + 0.5 * step.positives) / positives - area;
        of_positives += step.positives * ranked_below * ranked_below;
        of_negatives += step.negatives * ranked_above * ranked_above;
        below += step.negatives;
    }
    Some(Components {
        of_positives: of_positives / (positives - 1.0),
        of_negatives: of_negatives / (negatives - 1.0),
    })
}

/// The area under the ROC curve with DeLong's standard error √(S₁₀/P + S₀₁/N), ties counting one half.
///
/// `None` without both classes. A perfect ranking has the standard error 0. Linear once sorted.
///
/// Source: E. DeLong, D. DeLong and D. Clarke-Pearson (1988), doi:10.2307/2531595, by the ranks of X. Sun and W. Xu
/// (2014), doi:10.1109/LSP.2014.2337313. Oracle: `pROC::var(roc)` and `ci.auc(roc)` of pROC 1.18.0.
pub(crate) fn auc(steps: &[Step]) -> Option<Auc> {
    let value = ranking::roc_auc(steps)?;
    let (positives, negatives) = ranking::totals(steps);
    let standard_error = components(steps).map(|parts| parts.standard_error(positives, negatives));
    let reach = standard_error.map(|error| normal_quantile() * error);
    let logit = |reach: f64| {
        let slope = value * (1.0 - value);
        let centre = (value / (1.0 - value)).ln();
        let area = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let inside = value > 0.0 && value < 1.0;
        inside.then(|| Interval { low: area(centre - reach / slope), high: area(centre + reach / slope) })
    };
    Some(Auc {
        value,
        standard_error,
        interval: reach.and_then(|reach| Interval::around(value, reach, (0.0, 1.0))),
        logit_interval: reach.and_then(logit),
        positives: positives as u64,
        negatives: negatives as u64,
    })
}

/// Two areas under the ROC curve on the same rows, and their difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AucDifference {
    /// Area of production.
    pub production: f64,
    /// Area of the candidate.
    pub candidate: f64,
    /// Candidate minus production.
    pub difference: f64,
    /// Standard error of the difference; `None` with fewer than two rows of a class.
    pub standard_error: Option<f64>,
    /// Covariance of the two areas; `None` as above.
    pub covariance: Option<f64>,
    /// difference / standard error; `None` without a standard error above 0.
    pub z: Option<f64>,
    /// Two-sided p of no difference; 1 when both rank the rows alike, `None` without a standard error.
    pub p_two_sided: Option<f64>,
    /// One-sided p against "the candidate is no better"; `None` without a standard error above 0.
    pub p_candidate_better: Option<f64>,
    /// difference ± 1.96 standard errors.
    pub interval: Option<Interval>,
}

/// DeLong's paired comparison: z = d / √(S₁₀(D)/P + S₀₁(D)/N), with D the differences of the two models' components row
/// by row.
///
/// `None` without both classes. Swapping the models changes the sign of d and z only. Without any variation of D (one
/// model, or one ranking) z is undefined: nothing was tested. O(n log n).
///
/// Source and oracle as of [`auc`]: `pROC::roc.test(production, candidate, method="delong", paired=TRUE)` of pROC 1.18.0,
/// whose z has the other sign.
pub(crate) fn compare(labels: &[bool], production: &[f64], candidate: &[f64]) -> Option<AucDifference> {
    let (first, second) =
        rayon::join(|| Placements::new(labels, production), || Placements::new(labels, candidate));
    let (first, second) = (first?, second?);
    let (positives, negatives) = (first.of_positives.len() as f64, first.of_negatives.len() as f64);
    // S₁₀/P + S₀₁/N of what a row has in the place of its component.
    let spread = |of: &dyn Fn(usize, bool) -> f64| {
        variance(first.of_positives.len(), |row| of(row, true)) / positives
            + variance(first.of_negatives.len(), |row| of(row, false)) / negatives
    };
    let apart = |row, positive| second.at(row, positive) - first.at(row, positive);
    let variance_of_difference = (positives >= 2.0 && negatives >= 2.0).then(|| spread(&apart));
    let covariance = variance_of_difference.map(|apart| {
        let both = spread(&|row, positive| first.at(row, positive))
            + spread(&|row, positive| second.at(row, positive));
        0.5 * (both - apart)
    });
    let standard_error = variance_of_difference.map(f64::sqrt);
    let difference = second.area - first.area;
    let z = standard_error.filter(|error| *error > NO_VARIATION).map(|error| difference / error);
    Some(AucDifference {
        production: first.area,
        candidate: second.area,
        difference,
        standard_error,
        covariance,
        z,
        p_two_sided: match (z, standard_error) {
            (Some(z), _) => Some((2.0 * norm_sf(z.abs())).min(1.0)),
            (None, Some(_)) if difference == 0.0 => Some(1.0),
            _ => None,
        },
        p_candidate_better: z.map(norm_sf),
        interval: standard_error.and_then(|error| {
            Interval::around(difference, normal_quantile() * error, (f64::NEG_INFINITY, f64::INFINITY))
        }),
    })
}

/// Standard errors up to this are rounding.
const NO_VARIATION: f64 = 1e-10;

/// DeLong's components of every row: the share of the other class that it is ranked right against.
struct Placements {
    area: f64,
    of_positives: Vec<f64>,
    of_negatives: Vec<f64>,
}

impl Placements {
    /// `None` without both classes.
    fn new(labels: &[bool], scores: &[f64]) -> Option<Self> {
        let mut ascending: Vec<(f64, usize)> = scores.iter().copied().zip(0..).collect();
        ascending.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let positives = labels.iter().filter(|&&label| label).count() as f64;
        let negatives = labels.len() as f64 - positives;
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let mut placement = vec![0.0; labels.len()];
        let (mut below, mut above, mut pairs) = (0.0, positives, 0.0);
        for tied in ascending.chunk_by(|a, b| a.0 == b.0) {
            let of_tied = tied.iter().filter(|(_, row)| labels[*row]).count() as f64;
            let others = tied.len() as f64 - of_tied;
            above -= of_tied;
            for &(_, row) in tied {
                placement[row] = if labels[row] {
                    (below + 0.5 * others) / negatives
                } else {
                    (above + 0.5 * of_tied) / positives
                };
            }
            pairs += of_tied * (below + 0.5 * others);
            below += others;
        }
        let of = |positive: bool| {
            let rows = placement.iter().zip(labels).filter(|(_, label)| **label == positive);
            rows.map(|(place, _)| *place).collect()
        };
        Some(Self { area: pairs / (positives * negatives), of_positives: of(true), of_negatives: of(false) })
    }

    fn at(&self, row: usize, positive: bool) -> f64 {
        if positive { self.of_positives[row] } else { self.of_negatives[row] }
    }
}

/// Mean squared deviation from the mean, ddof 1.
fn variance(rows: usize, value: impl Fn(usize) -> f64) -> f64 {
    let mean = (0..rows).map(&value).sum::<f64>() / rows as f64;
    (0..rows).map(|row| (value(row) - mean).powi(2)).sum::<f64>() / (rows as f64 - 1.0)
}
