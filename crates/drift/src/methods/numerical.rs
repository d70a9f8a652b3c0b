//! Scores of ordered numbers.

use streamflow_stats::{self as stats, Alternative, Permutations, Sample, Variances};

use super::Score;
use crate::observations::{Numbers, Observations};

/// Evidently's floor under the unit of the distance.
const SMALLEST_STD: f64 = 0.001;

/// p of `scipy.stats.ks_2samp`, two-sided.
pub(super) fn ks(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| Ok(stats::ks_2samp(reference, current)?.p_value))
}

/// W₁ / max(standard deviation of the reference (ddof 0), 0.001).
pub(super) fn wasserstein(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| {
        let unit = reference.variance(0).sqrt().max(SMALLEST_STD);
        Ok(stats::wasserstein_distance(reference, current)? / unit)
    })
}

/// p of `scipy.stats.anderson_ksamp(variant="midrank")`, from 0.001 to 0.25.
pub(super) fn anderson(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| Ok(stats::anderson_ksamp(reference, current)?.p_value))
}

/// p of `scipy.stats.cramervonmises_2samp`.
pub(super) fn cramer_von_mises(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| Ok(stats::cramervonmises_2samp(reference, current)?.p_value))
}

/// p of `scipy.stats.mannwhitneyu(alternative="less")`: downward shifts go unseen, as in Evidently.
pub(super) fn mannw(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| {
        Ok(stats::mannwhitneyu(reference, current, Alternative::Less)?.p_value)
    })
}

/// p of `scipy.stats.ttest_ind`.
pub(super) fn t_test(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| Ok(stats::ttest_ind(reference, current, Variances::Equal)?.p_value))
}

/// `scipy.stats.energy_distance`.
pub(super) fn energy(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, stats::energy_distance)
}

/// p of `scipy.stats.epps_singleton_2samp`.
pub(super) fn epps_singleton(seen: &Observations) -> Result<Score, String> {
    of_samples(seen, |reference, current| Ok(stats::epps_singleton_2samp(reference, current)?.p_value))
}

/// Permutation p of the squared maximum mean discrepancy, 100 relabellings as in Evidently.
pub(super) fn mmd(seen: &Observations) -> Result<Score, String> {
    let permutations = Permutations { iterations: 100, seed: 0 };
    of_samples(seen, |reference, current| Ok(stats::mmd(reference, current, permutations)?.p_value))
}

fn of_samples(
    seen: &Observations,
    score: impl Fn(&Sample, &Sample) -> Result<f64, stats::Error>,
) -> Result<Score, String> {
    let Observations::Numerical(Numbers { reference, current, .. }) = seen else {
        return Err("expected numbers".into());
    };
    score(reference, current).map(Score::of).map_err(|error| error.to_string())
}
