//! Cramér–von Mises test of two samples.

use std::f64::consts::PI;

use crate::error::Error;
use crate::sample::{Sample, pooled};
use crate::test_result::TestResult;

/// Up to this many rows on the larger side the p-value is exact: SciPy's rule for `method="auto"`.
const MOST_EXACT_ROWS: u64 = 20;

/// Up to this many rows a side the rank sums fit 128-bit integers.
const MOST_ROWS: u64 = 1 << 30;

/// T = n m / N² Σ (F_reference − F_current)² over the pooled rows, computed from ranks (midranks for ties).
///
/// With U = n Σ (rᵢ − i)² + m Σ (sⱼ − j)², T = U / (n m N) − (4 n m − 1) / (6 N), in whole numbers: SciPy's
/// cancellation does not occur. Symmetric; only the order of values counts, so infinities are values. Exact
/// p-value up to 20 rows on the larger side, else the limit distribution at the standardised T. The limit is the
/// series of S. Csörgő and J. Faraway (1996), doi:10.1111/j.2517-6161.1996.tb02077.x, cut where SciPy cuts it, at
/// terms below 1e-7: p is then good to about 1e-7 absolutely, and 0 means "below that". O(n + m) after sorting.
///
/// Source: T. Anderson (1962), doi:10.1214/aoms/1177704477. Reproduces
/// `scipy.stats.cramervonmises_2samp(reference, current)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] below 2 rows on a side, [`Error::TooManyRows`] above 2^30.
pub fn cramervonmises_2samp(reference: &Sample, current: &Sample) -> Result<TestResult, Error> {
    for (side, sample) in [("reference", reference), ("current", current)] {
        sample.require_rows(side, 2)?;
        if sample.len() > MOST_ROWS {
            return Err(Error::TooManyRows { side, limit: MOST_ROWS });
        }
    }
    let (n, m) = (i128::from(reference.len()), i128::from(current.len()));
    let (product, total) = (n * m, n + m);
    let four_u = four_u(reference, current);
    // 24 n m N T, a whole number.
    let scaled = 6 * four_u - 4 * product * (4 * product - 1);
    let statistic = scaled as f64 / (24 * product * total) as f64;
    let p_value = if n.max(m) <= i128::from(MOST_EXACT_ROWS) {
        exact(scaled, n, m)
    } else {
        asymptotic(statistic, n as f64, m as f64)
    };
    Ok(TestResult { statistic, p_value })
}

/// 4U: doubled ranks are whole even with midranks.
fn four_u(reference: &Sample, current: &Sample) -> i128 {
    let (mut before, mut sums) = ([0_i128; 2], [0_i128; 2]);
    for (_, in_reference, in_current) in pooled(reference, current) {
        let counts = [i128::from(in_reference), i128::from(in_current)];
        let double_rank = 2 * (before[0] + before[1]) + counts[0] + counts[1] + 1;
        for side in 0..2 {
            // Σ (2r − 2i)² over i = before + 1 … before + c, in closed form.
            let c = counts[side];
            let offset = double_rank - 2 * before[side] - c - 1;
            sums[side] += c * offset * offset + c * (c * c - 1) / 3;
        }
        before[0] += counts[0];
        before[1] += counts[1];
    }
    i128::from(reference.len()) * sums[0] + i128::from(current.len()) * sums[1]
}

/// Share of all arrangements whose statistic is at least the observed one (Y. Xiao, A. Gordon and A. Yakovlev,
/// 2006, doi:10.18637/jss.v017.i08): sums of (a v − b u)² along lattice paths from (0, 0) to (m, n).
fn exact(scaled: i128, n: i128, m: i128) -> f64 {
    let product = n * m;
    let lcm = (1..=m).map(|k| k * n).find(|multiple| multiple % m == 0).unwrap_or(product);
    let (a, b) = (lcm / m, lcm / n);
    let threshold = (lcm * lcm * (n + m) * scaled).div_euclid(24 * product * product);
    let (n, m) = (n as usize, m as usize);
    let mut reached = 0_u128;
    // By position v: (sum so far, paths), ascending; sums at the threshold are counted with all their completions.
    let mut row: Vec<Vec<(i128, u128)>> = vec![Vec::new(); m + 1];
    for u in 0..=n {
        let mut from_left = if u == 0 { vec![(0, 1)] } else { Vec::new() };
        for (v, cell) in row.iter_mut().enumerate() {
            let step = (a * v as i128 - b * u as i128).pow(2);
            let mut paths = merge(&from_left, cell);
            paths.iter_mut().for_each(|(sum, _)| *sum += step);
            let kept = paths.partition_point(|(sum, _)| *sum < threshold);
            let completions = choose((n - u + m - v) as u128, (m - v) as u128);
            reached += paths.drain(kept..).map(|(_, count)| count).sum::<u128>() * completions;
            from_left.clone_from(&paths);
            *cell = paths;
        }
    }
    reached as f64 / choose((n + m) as u128, m as u128) as f64
}

fn merge(left: &[(i128, u128)], right: &[(i128, u128)]) -> Vec<(i128, u128)> {
    let mut merged: Vec<(i128, u128)> = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let take_left = j == right.len() || (i < left.len() && left[i].0 <= right[j].0);
        let (sum, count) = if take_left { left[i] } else { right[j] };
        if take_left {
            i += 1
        } else {
            j += 1
        }
        match merged.last_mut() {
            Some(last) if last.0 == sum => last.1 += count,
            _ => merged.push((sum, count)),
        }
    }
    merged
}

fn choose(n: u128, k: u128) -> u128 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

/// 1 − the limit distribution at 1/6 + (T − E T) / √(45 Var T).
fn asymptotic(statistic: f64, n: f64, m: f64) -> f64 {
    let (total, product) = (n + m, n * m);
    let mean = (1.0 + 1.0 / total) / 6.0;
    let variance = (total + 1.0) * (4.0 * product * total - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * total * total * 4.0 * product);
    let standardised = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
    if standardised < 0.003 {
        return 1.0; // The limit is below 1.3e-18 there, and its series divides by the argument.
    }
    (1.0 - limit_cdf(standardised)).max(0.0)
}

/// Σ_k Γ(k + ½) / (Γ(k + 1) π^1.5 √x) √(4k + 1) e^−q K_¼(q), q = (4k + 1)² / 16x.
fn limit_cdf(x: f64) -> f64 {
    let mut sum = 0.0;
    let mut gamma_ratio = PI.sqrt();
    let mut k = 0.0;
    loop {
        let y: f64 = 4.0 * k + 1.0;
        let term = gamma_ratio / (PI.powf(1.5) * x.sqrt()) * y.sqrt() * scaled_bessel(y * y / (16.0 * x));
        sum += term;
        if term < 1e-7 {
            return sum;
        }
        gamma_ratio *= (k + 0.5) / (k + 1.0);
        k += 1.0;
    }
}

/// e^−q K_¼(q) = ∫₀^∞ e^(−q − q cosh t) cosh(t/4) dt by the trapezoidal rule, which converges exponentially on this
/// doubly exponential integrand (error below 1e-30 at this step).
fn scaled_bessel(q: f64) -> f64 {
    const STEP: f64 = 0.125;
    let mut sum = 0.5 * (-2.0 * q).exp();
    let mut t = STEP;
    loop {
        let term = (-q - q * t.cosh()).exp() * (0.25 * t).cosh();
        sum += term;
        if term <= sum * 1e-18 || term == 0.0 {
            return sum * STEP;
        }
        t += STEP;
    }
}
