//! The significance test of categories in the calibrated profile: a two-sample chi-square test that stays valid
//! when categories are rare.
//!
//! Both samples vary here; Evidently's `chisquare` takes the reference as exact and so raises false alarms. A
//! category is rare when fewer than 5 rows are expected on the smaller side (Cochran 1954, doi:10.2307/3001616):
//! - no rare category: Pearson's test of the 2 × k table, asymptotic;
//! - rare ones hold at most a tenth of all rows: they are pooled first, which hides no large effect;
//! - otherwise two categories: Fisher's exact test;
//! - otherwise: the permutation distribution of the total variation distance, 9,999 draws from a fixed seed.
//!
//! Which rule applies depends on the pooled counts only, never on the sides, so the level holds.

use streamflow_stats::{self as stats, Permutations, chi2_contingency, fisher_exact, total_variation_test};

const RARE_EXPECTED: f64 = 5.0;
const POOLABLE_SHARE: f64 = 0.1;
const PERMUTATIONS: Permutations = Permutations { iterations: 9_999, seed: 0x5DEE_CE66_D1CE_4E5B };

/// p of the 2 × k table being two samples of one population; 1 with a single category.
///
/// # Errors
/// A side without observations.
pub(crate) fn contingency_p(reference: &[u64], current: &[u64]) -> Result<f64, stats::Error> {
    let (n, m): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    if n == 0 || m == 0 {
        return Ok(chi2_contingency(reference, current)?.p_value);
    }
    let smaller_share = n.min(m) as f64 / (n + m) as f64;
    let mut common = (Vec::new(), Vec::new());
    let mut rare = (0, 0);
    for (&r, &c) in reference.iter().zip(current) {
        if (r + c) as f64 * smaller_share < RARE_EXPECTED {
            rare = (rare.0 + r, rare.1 + c);
        } else {
            common.0.push(r);
            common.1.push(c);
        }
    }
    let rare_rows = rare.0 + rare.1;
    if rare_rows == 0 {
        return Ok(chi2_contingency(reference, current)?.p_value);
    }
    if common.0.len() >= 2 && rare_rows as f64 <= POOLABLE_SHARE * (n + m) as f64 {
        if rare_rows as f64 * smaller_share < RARE_EXPECTED {
            let rarest = (0..common.0.len()).min_by_key(|&i| common.0[i] + common.1[i]).expect("two or more");
            common.0[rarest] += rare.0;
            common.1[rarest] += rare.1;
        } else {
            common.0.push(rare.0);
            common.1.push(rare.1);
        }
        return Ok(chi2_contingency(&common.0, &common.1)?.p_value);
    }
    if let (&[a, b], &[c, d]) = (reference, current) {
        return Ok(fisher_exact([[a, b], [c, d]])?.p_value);
    }
    Ok(total_variation_test(reference, current, PERMUTATIONS)?.p_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_categories_are_the_chi_square_test() {
        let (reference, current) = ([50, 30, 20], [40, 40, 20]);
        let expected = chi2_contingency(&reference, &current).unwrap().p_value;
        assert_eq!(contingency_p(&reference, &current), Ok(expected));
    }

    #[test]
    fn one_new_row_in_600_is_no_alarm() {
        assert!(contingency_p(&[300, 300, 0], &[299, 300, 1]).unwrap() > 0.5);
    }

    #[test]
    fn rare_categories_that_all_change_are_seen() {
        let reference: Vec<u64> = (0..60).map(|i| u64::from(i < 30)).collect();
        let current: Vec<u64> = (0..60).map(|i| u64::from(i >= 30)).collect();
        // Each label occurs once: every split is equally likely, nothing can be concluded.
        assert_eq!(contingency_p(&reference, &current), Ok(1.0));
        let (reference, current): (Vec<u64>, Vec<u64>) =
            (0..20).map(|i| if i < 10 { (3, 0) } else { (0, 3) }).unzip();
        assert!(contingency_p(&reference, &current).unwrap() < 0.001);
    }

    #[test]
    fn two_rare_categories_are_tested_exactly() {
        let exact = fisher_exact([[8, 2], [1, 5]]).unwrap().p_value;
        assert_eq!(contingency_p(&[8, 2], &[1, 5]), Ok(exact));
    }

    #[test]
    fn an_empty_side_is_refused() {
        assert!(contingency_p(&[3, 4], &[0, 0]).is_err());
    }
}
