//! p-values of statistics without a tractable distribution, by seeded random relabelling.

use crate::error::Error;
use crate::random::Random;
use crate::sample::Sample;
use crate::shares::whole_totals;
use crate::test_result::TestResult;

/// How many relabellings are drawn, from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutations {
    /// Number of random relabellings; the smallest possible p is 1 / (iterations + 1).
    pub iterations: u32,
    /// Seed; the same seed gives the same p-value on every platform.
    pub seed: u64,
}

impl Permutations {
    /// Share of statistics at least as large as the observed one, the observed among them, so that p is never 0
    /// (B. Phipson and G. Smyth, 2010, doi:10.2202/1544-6115.1585).
    fn p_value(self, at_least: u32) -> f64 {
        (f64::from(at_least) + 1.0) / (f64::from(self.iterations) + 1.0)
    }
}

/// Draws from the urn are sums of this many terms at most: some seconds.
const MOST_STEPS: f64 = 1e9;

/// Permutation test of the total variation distance of two aligned lists of counts.
///
/// The statistic is ½ Σ |p − q| in [0, 1]; rows are relabelled at random, keeping both totals, by drawing the
/// reference's counts from the pooled ones without replacement. O(k √n) per iteration for k categories.
///
/// Source: as `TVD` of Evidently 0.7.23, with its p moved by at most 1 / iterations (see [`Permutations`]).
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::NoObservations`], [`Error::TooManyRows`], [`Error::TooLong`] when iterations ×
/// √(k n) exceeds 10⁹.
pub fn total_variation_test(
    reference: &[u64],
    current: &[u64],
    permutations: Permutations,
) -> Result<TestResult, Error> {
    let (n, m) = whole_totals(reference, current)?;
    let steps = f64::from(permutations.iterations) * (reference.len() as f64 * (n + m) as f64).sqrt();
    if steps > MOST_STEPS {
        return Err(Error::TooLong { statistic: "total_variation_test", rows: n + m });
    }
    // Σ |a m − b n| in whole numbers, so that equal statistics compare as equal.
    let distance =
        |a: u64, b: u64| (i128::from(a) * i128::from(m) - i128::from(b) * i128::from(n)).unsigned_abs();
    let observed: u128 = reference.iter().zip(current).map(|(&a, &b)| distance(a, b)).sum();
    let mut random = Random::new(permutations.seed);
    let mut at_least = 0;
    for _ in 0..permutations.iterations {
        let (mut to_draw, mut pool, mut relabelled) = (n, n + m, 0_u128);
        for (&a, &b) in reference.iter().zip(current) {
            pool -= a + b;
            let drawn = random.hypergeometric(a + b, pool, to_draw);
            to_draw -= drawn;
            relabelled += distance(drawn, a + b - drawn);
        }
        at_least += u32::from(relabelled >= observed);
    }
    let statistic = 0.5 * (observed as f64 / n as f64 / m as f64);
    Ok(TestResult { statistic, p_value: permutations.p_value(at_least) })
}

/// The most rows of both sides the kernel matrix is built for; larger samples are thinned at random.
pub(crate) const MMD_ROWS: usize = 2_000;

/// Squared maximum mean discrepancy with a Gaussian kernel, unbiased, with a permutation p-value.
///
/// MMD² = mean k(x, x') + mean k(y, y') − 2 mean k(x, y), pairs of distinct rows in the first two, k(x, y) =
/// exp(−(x − y)² / 2σ²), σ² = ½ median of the squared distances over all ordered pairs of the reference (each row
/// with itself included; ½ when that is 0). May be slightly negative for equal populations. Symmetric up to σ.
/// Above 2,000 rows on both sides together each side is thinned at random, in proportion: 32 MB and 4 million kernel
/// values per iteration at most.
///
/// Source: A. Gretton et al., "A kernel two-sample test" (2012), JMLR 13:723–773; σ and the median as
/// `empirical_mmd` of Evidently 0.7.23, whose statistic it reproduces up to 2,000 rows.
///
/// # Errors
/// [`Error::TooFewRows`] below 2 rows on a side, [`Error::Infinite`].
pub fn mmd(reference: &Sample, current: &Sample, permutations: Permutations) -> Result<TestResult, Error> {
    for (side, sample) in [("reference", reference), ("current", current)] {
        sample.require_rows(side, 2)?;
        sample.require_finite(side)?;
    }
    let mut random = Random::new(permutations.seed);
    let total = reference.len() as f64 + current.len() as f64;
    let share = (MMD_ROWS as f64 / total).min(1.0);
    let mut values = thin(reference, share, &mut random);
    let n = values.len();
    let gamma = 0.5 / squared_bandwidth(&values);
    values.extend(thin(current, share, &mut random));
    let rows = values.len();
    let mut kernel = vec![0.0; rows * rows];
    for i in 0..rows {
        for j in 0..i {
            let similarity = (-gamma * (values[i] - values[j]).powi(2)).exp();
            kernel[i * rows + j] = similarity;
            kernel[j * rows + i] = similarity;
        }
    }
    let row_sums: Vec<f64> = kernel.chunks_exact(rows).map(|row| row.iter().sum()).collect();
    let mut order: Vec<usize> = (0..rows).collect();
    let statistic = discrepancy(&kernel, &row_sums, &order[..n]);
    let mut at_least = 0;
    for _ in 0..permutations.iterations {
        random.shuffle(&mut order);
        // A relabelling equal to the observed one sums in another order: allow for its rounding.
        at_least += u32::from(discrepancy(&kernel, &row_sums, &order[..n]) >= statistic - 1e-12);
    }
    Ok(TestResult { statistic, p_value: permutations.p_value(at_least) })
}

/// MMD² with the rows `first` as one side and all others as the other.
fn discrepancy(kernel: &[f64], row_sums: &[f64], first: &[usize]) -> f64 {
    let rows = row_sums.len();
    let within_first: f64 =
        first.iter().map(|&i| first.iter().map(|&j| kernel[i * rows + j]).sum::<f64>()).sum();
    let from_first: f64 = first.iter().map(|&i| row_sums[i]).sum();
    let all: f64 = row_sums.iter().sum();
    let between = from_first - within_first;
    let within_second = all - from_first - between;
    let (n, m) = (first.len() as f64, (rows - first.len()) as f64);
    within_first / (n * (n - 1.0)) + within_second / (m * (m - 1.0)) - 2.0 * between / (n * m)
}

/// All rows, or a random `share` of them (at least 2), drawn without replacement.
fn thin(sample: &Sample, share: f64, random: &mut Random) -> Vec<f64> {
    let mut left = sample.len();
    let mut wanted = ((left as f64 * share) as u64).clamp(2, left);
    let mut values = Vec::with_capacity(wanted as usize);
    for (value, count) in sample.iter() {
        left -= count;
        let drawn = random.hypergeometric(count, left, wanted);
        wanted -= drawn;
        values.extend(std::iter::repeat_n(value, drawn as usize));
    }
    values
}

/// ½ median squared distance, the element nearest to the middle (to even positions, as numpy's "nearest").
fn squared_bandwidth(values: &[f64]) -> f64 {
    let mut distances: Vec<f64> =
        values.iter().flat_map(|x| values.iter().map(move |y| (x - y).powi(2))).collect();
    let middle = ((distances.len() - 1) as f64 / 2.0).round_ties_even() as usize;
    let (_, median, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
    if *median == 0.0 { 0.5 } else { 0.5 * *median }
}
