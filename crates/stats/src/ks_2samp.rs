//! Kolmogorov–Smirnov test of two samples.

use crate::error::Error;
use crate::kolmogorov::kolmogorov_sf;
use crate::sample::{Sample, pooled};
use crate::test_result::TestResult;

/// Up to this many rows on the larger side the p-value is exact: SciPy's rule for `method="auto"`.
const MOST_EXACT_ROWS: u64 = 10_000;

/// D = sup |F_reference(x) − F_current(x)| over all x, two-sided.
///
/// Statistic in [0, 1], 0 for equal samples; symmetric in its arguments and unchanged by any increasing transform.
/// Exact p-value up to 10,000 rows on the larger side (lattice paths, counting every arrangement as if without
/// ties: conservative with ties), else the distribution of one sample of n₁n₂/(n₁ + n₂) rows, rounded. Infinities
/// count as values. O(n₁ + n₂) after sorting, O(n₁n₂) for an exact p-value of unequal sizes.
///
/// Source: J. Hodges, "The significance probability of the Smirnov two-sample test" (1958),
/// doi:10.1007/BF02589501. Reproduces `scipy.stats.ks_2samp(reference, current)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty.
pub fn ks_2samp(reference: &Sample, current: &Sample) -> Result<TestResult, Error> {
    reference.require_rows("reference", 1)?;
    current.require_rows("current", 1)?;
    let (n, m) = (reference.len(), current.len());
    let statistic = largest_difference(reference, current);
    if n.max(m) <= MOST_EXACT_ROWS
        && let Some(exact) = exact(n, m, statistic)
    {
        return Ok(exact);
    }
    let effective = n as f64 * m as f64 / (n as f64 + m as f64);
    let p_value = kolmogorov_sf(effective.round_ties_even().max(1.0), statistic).clamp(0.0, 1.0);
    Ok(TestResult { statistic, p_value })
}

fn largest_difference(reference: &Sample, current: &Sample) -> f64 {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (mut of_reference, mut of_current, mut largest) = (0_u64, 0_u64, 0.0_f64);
    for (_, in_reference, in_current) in pooled(reference, current) {
        of_reference += in_reference;
        of_current += in_current;
        // Cross-multiplied: whole numbers, exact up to 2^53, and no division per value.
        largest = largest.max((of_reference as f64 * m - of_current as f64 * n).abs());
    }
    largest / n / m
}

/// Statistic snapped to the lattice k / lcm(n, m), and its exact p-value; `None` where rounding left [0, 1].
fn exact(n: u64, m: u64, statistic: f64) -> Option<TestResult> {
    let divisor = greatest_common_divisor(n, m);
    let lcm = n / divisor * m;
    let steps = (statistic * lcm as f64).round_ties_even();
    let statistic = steps / lcm as f64;
    let p_value = if steps == 0.0 {
        1.0
    } else if n == m {
        equal_sizes(n as f64, steps)
    } else {
        outside_band(n.max(m), n.min(m), divisor, steps as i64)
    };
    (0.0..=1.0).contains(&p_value).then_some(TestResult { statistic, p_value })
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// P(D ≥ h/n) = 2 [C(2n, n−h) − C(2n, n−2h) + …] / C(2n, n), nested so that no term cancels another.
fn equal_sizes(n: f64, h: f64) -> f64 {
    let mut p = 0.0;
    let mut k = (n / h).floor();
    while k >= 0.0 {
        // C(2n, n − (k + 1)h) / C(2n, n − kh), factor by factor.
        let mut ratio = 1.0;
        let mut j = 0.0;
        while j < h {
            ratio = (n - k * h - j) * ratio / (n + k * h + j + 1.0);
            j += 1.0;
        }
        p = ratio * (1.0 - p);
        k -= 1.0;
    }
    2.0 * p
}

/// Share of the lattice paths from (0, 0) to (n, m), n > m, that somewhere reach |x/n − y/m| ≥ h/lcm.
///
/// A uniform path arrives at (x, y) from the left with probability x/(x + y), so the share that has already left
/// the band is the average of its two predecessors' shares with these weights; outside the band it is 1.
fn outside_band(n: u64, m: u64, divisor: u64, h: i64) -> f64 {
    let (step_x, step_y) = ((m / divisor) as i64, (n / divisor) as i64);
    let inverse: Vec<f64> = (0..=n + m).map(|sum| 1.0 / sum.max(1) as f64).collect();
    let mut share = vec![1.0_f64; m as usize + 1];
    let mut first = 0_usize;
    for x in 0..=n as i64 {
        let centre = x * step_x;
        // Cells of this column strictly inside the band: centre − h < y·step_y < centre + h.
        let low = (centre - h).div_euclid(step_y) + 1;
        let high = ((centre + h - 1).div_euclid(step_y)).min(m as i64);
        let low = low.max(0) as usize;
        share[first.min(low)..low].fill(1.0);
        first = low;
        let mut below = if low == 0 && x == 0 { 0.0 } else { 1.0 };
        for (y, cell) in share.iter_mut().enumerate().take(high.max(-1).wrapping_add(1) as usize).skip(low) {
            let weight = inverse[x as usize + y];
            below = if x == 0 && y == 0 {
                0.0
            } else {
                let from_left = if x == 0 { 0.0 } else { *cell * (x as f64 * weight) };
                let from_below = if y == 0 { 0.0 } else { below * (y as f64 * weight) };
                from_left + from_below
            };
            *cell = below;
        }
    }
    share[m as usize]
}
