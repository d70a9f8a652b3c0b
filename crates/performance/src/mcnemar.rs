//! What users will notice of a change of models: the predictions that one gets right and the other wrong.

use serde::{Deserialize, Serialize};
use streamflow_stats::{binom_cdf, binom_pmf};

use crate::interval::{Interval, normal_quantile};

/// McNemar's test of two models on the same rows, each at its own threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that both predict right.
    pub both_right: u64,
    /// Rows that only production predicts right.
    pub only_production: u64,
    /// Rows that only the candidate predicts right.
    pub only_candidate: u64,
    /// Rows that neither predicts right.
    pub none_right: u64,
    /// Two-sided exact p: 2 P(X ≤ min(b, c)) with X of Binomial(b + c, ½), at most 1.
    pub p_exact: f64,
    /// 2 P(X ≤ min(b, c)) − P(X = min(b, c)), which keeps nearer to its level; `None` without discordant rows.
    pub p_mid: Option<f64>,
    /// `p_exact` below 25 discordant rows, else `p_mid`.
    pub p_value: f64,
    /// Accuracy of the candidate minus that of production; `None` without rows.
    pub accuracy_difference: Option<f64>,
    /// Standard error of it: √(b + c − (c − b)²/n) / n.
    pub standard_error: Option<f64>,
    /// difference ± 1.96 standard errors.
    pub interval: Option<Interval>,
}

/// Discordant rows from which the mid-p is shown.
const MID_P_FROM: u64 = 25;

impl McNemar {
    /// Tests the four counts.
    ///
    /// Source: Q. McNemar (1947), doi:10.1007/BF02295996; mid-p as M. Fagerland, S. Lydersen and P. Laake (2013),
    /// doi:10.1186/1471-2288-13-91; the interval is Wald's. Oracle: `statsmodels.stats.contingency_tables.mcnemar(table,
    /// exact=True)` of statsmodels 0.15.0.
    #[must_use]
    pub fn new(both_right: u64, only_production: u64, only_candidate: u64, none_right: u64) -> Self {
        let discordant = only_production + only_candidate;
        let fewer = only_production.min(only_candidate);
        let tail = 2.0 * binom_cdf(fewer, discordant, 0.5);
        let p_exact = tail.min(1.0);
        let p_mid = (discordant > 0).then(|| (tail - binom_pmf(fewer, discordant, 0.5)).min(1.0));
        let rows = (both_right + discordant + none_right) as f64;
        let ahead = only_candidate as f64 - only_production as f64;
        let accuracy_difference = (rows > 0.0).then(|| ahead / rows);
        let standard_error = (rows > 0.0).then(|| (discordant as f64 - ahead * ahead / rows).sqrt() / rows);
        Self {
            both_right,
            only_production,
            only_candidate,
            none_right,
            p_exact,
            p_mid,
            p_value: p_mid.filter(|_| discordant >= MID_P_FROM).unwrap_or(p_exact),
            accuracy_difference,
            standard_error,
            interval: accuracy_difference.zip(standard_error).and_then(|(difference, error)| {
                Interval::around(difference, normal_quantile() * error, (-1.0, 1.0))
            }),
        }
    }

    /// Counts rows, each given by whether production and whether the candidate is right.
    pub(crate) fn of(rows: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counts = [[0; 2]; 2];
        for (production, candidate) in rows {
            counts[usize::from(production)][usize::from(candidate)] += 1;
        }
        Self::new(counts[1][1], counts[1][0], counts[0][1], counts[0][0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_shown_is_exact_below_25_discordant_rows() {
        // statsmodels 0.15.0: mcnemar(table, exact=True); 2 * scipy.stats.binom.cdf(k, b + c, 0.5) - binom.pmf(k, b + c, 0.5), k = min(b, c)
        let check = |b, c, exact: f64, mid: Option<f64>| {
            let test = McNemar::new(40, b, c, 5);
            assert!((test.p_exact - exact).abs() < 1e-12, "{test:?}");
            assert_eq!(test.p_mid.is_some(), mid.is_some());
            assert!(mid.is_none_or(|mid| (test.p_mid.unwrap() - mid).abs() < 1e-12), "{test:?}");
            assert_eq!(test.p_value, if b + c < 25 { test.p_exact } else { test.p_mid.unwrap() });
        };
        check(0, 0, 1.0, None);
        check(1, 0, 1.0, Some(0.5));
        check(8, 16, 0.151_589_632_034_301_76, Some(0.107_752_144_336_700_38));
        check(8, 17, 0.107_752_144_336_700_44, Some(0.075_518_697_500_228_83));
        check(20, 20, 1.0, Some(1.0));
    }

    #[test]
    fn no_rows_have_no_accuracy() {
        let test = McNemar::new(0, 0, 0, 0);
        assert_eq!((test.accuracy_difference, test.standard_error, test.interval), (None, None, None));
        assert_eq!(test.p_value, 1.0);
    }
}
