//! Tests on counts by category. Numbers with few distinct values are categories too.

use streamflow_stats::{self as stats, Permutations};

use super::{Score, counts};
use crate::observations::Observations;

/// Goodness of fit of the current counts to the reference's, scaled to the current size and taken as exact.
pub(super) fn chisquare(seen: &Observations) -> Result<Score, String> {
    let counts = counts(seen)?;
    let (reference_len, current_len) = (total(&counts.reference), total(&counts.current));
    let scale = current_len / reference_len;
    let expected: Vec<f64> = counts.reference.iter().map(|&n| n as f64 * scale).collect();
    let observed: Vec<f64> = counts.current.iter().map(|&n| n as f64).collect();
    let test = stats::chisquare(&observed, &expected).map_err(|error| error.to_string())?;
    Ok(Score::of(test.p_value))
}

/// Two proportions, pooled, two-sided: the first category against all others, however many there are.
pub(super) fn z(seen: &Observations) -> Result<Score, String> {
    let counts = counts(seen)?;
    let (reference_len, current_len) = (counts.reference.iter().sum(), counts.current.iter().sum());
    let (reference_first, current_first) = (counts.reference[0], counts.current[0]);
    let test = stats::proportions_ztest(
        reference_len - reference_first,
        reference_len,
        current_len - current_first,
        current_len,
    );
    Ok(Score::of(test.map_err(|error| error.to_string())?.p_value))
}

/// G of the current counts against the reference's, which Evidently does not scale.
pub(super) fn g_test(seen: &Observations) -> Result<Score, String> {
    let counts = counts(seen)?;
    let floats = |counts: &[u64]| counts.iter().map(|&n| n as f64).collect::<Vec<_>>();
    let test = stats::g_test(&floats(&counts.current), &floats(&counts.reference));
    Ok(Score::of(test.map_err(|error| error.to_string())?.p_value))
}

/// Fisher's exact test of two categories, a single one being compared with an empty second.
pub(super) fn fisher_exact(seen: &Observations) -> Result<Score, String> {
    let counts = counts(seen)?;
    if counts.labels.len() > 2 {
        return Err(format!("fisher_exact compares two categories, found {}", counts.labels.len()));
    }
    let (reference_len, current_len): (u64, u64) =
        (counts.reference.iter().sum(), counts.current.iter().sum());
    if reference_len != current_len {
        return Err(format!(
            "fisher_exact needs equally many values, found {reference_len} and {current_len}"
        ));
    }
    let (r, c) = (counts.reference[0], counts.current[0]);
    let test = stats::fisher_exact([[c, current_len - c], [r, reference_len - r]]);
    Ok(Score::of(test.map_err(|error| error.to_string())?.p_value))
}

/// Permutation p of the total variation distance, 1,000 relabellings as in Evidently.
pub(super) fn total_variation(seen: &Observations) -> Result<Score, String> {
    let counts = counts(seen)?;
    let permutations = Permutations { iterations: 1_000, seed: 0 };
    let test = stats::total_variation_test(&counts.reference, &counts.current, permutations);
    Ok(Score::of(test.map_err(|error| error.to_string())?.p_value))
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}
