//! Distances between binned distributions. The bins are those of [`crate::binning`].

use streamflow_stats as stats;

use super::{Score, counts};
use crate::binning::{bins, distinct_value_bins};
use crate::observations::{Counts, Observations};

/// An empty bin gets this share, or a millionth of the smallest share when that is no larger.
const EMPTY_BIN_SHARE: f64 = 0.0001;

/// Square root of the Jensen–Shannon divergence, natural logarithm; 0 to 0.8326. Empty bins stay empty.
pub(super) fn jensenshannon(seen: &Observations) -> Result<Score, String> {
    let table = table(seen)?;
    let floats = |counts: &[u64]| counts.iter().map(|&n| n as f64).collect::<Vec<_>>();
    let distance = stats::jensenshannon(&floats(&table.reference), &floats(&table.current));
    distance.map(Score::of).map_err(|error| error.to_string())
}

/// Σ (r − c) ln(r / c) over the filled shares, which then sum to a little over 1: Evidently does not renormalise.
pub(super) fn psi(seen: &Observations) -> Result<Score, String> {
    let (reference, current) = filled_shares(seen)?;
    Ok(Score::of(reference.iter().zip(&current).map(|(r, c)| (r - c) * (r / c).ln()).sum()))
}

/// Σ r ln(r / c) over the filled shares, renormalised.
pub(super) fn kl_div(seen: &Observations) -> Result<Score, String> {
    let (reference, current) = filled_shares(seen)?;
    let (r_sum, c_sum): (f64, f64) = (reference.iter().sum(), current.iter().sum());
    let terms = reference.iter().zip(&current).map(|(r, c)| {
        let (r, c) = (r / r_sum, c / c_sum);
        r * (r / c).ln()
    });
    Ok(Score::of(terms.sum()))
}

/// √(1 − Σ √(r c)); for numbers the bins are Sturges's over the list of distinct values.
pub(super) fn hellinger(seen: &Observations) -> Result<Score, String> {
    let table = match seen {
        Observations::Numerical(numbers) => distinct_value_bins(numbers),
        _ => counts(seen)?,
    };
    let (n, m) = (total(&table.reference), total(&table.current));
    let overlap: f64 = table
        .reference
        .iter()
        .zip(&table.current)
        .map(|(&r, &c)| (r as f64 / n * (c as f64 / m)).sqrt())
        .sum();
    Ok(Score::of((1.0 - overlap.clamp(0.0, 1.0)).sqrt()))
}

fn table(seen: &Observations) -> Result<Counts, String> {
    match seen {
        Observations::Numerical(numbers) => Ok(bins(numbers)),
        _ => counts(seen),
    }
}

fn filled_shares(seen: &Observations) -> Result<(Vec<f64>, Vec<f64>), String> {
    let table = table(seen)?;
    Ok((filled(&table.reference), filled(&table.current)))
}

fn filled(counts: &[u64]) -> Vec<f64> {
    let total = total(counts);
    let shares = counts.iter().map(|&n| n as f64 / total);
    let smallest = shares.clone().filter(|&share| share > 0.0).fold(1.0, f64::min);
    let fill = if smallest <= EMPTY_BIN_SHARE { smallest / 1e6 } else { EMPTY_BIN_SHARE };
    shares.map(|share| if share == 0.0 { fill } else { share }).collect()
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}
