//! Anderson–Darling test of two samples.

use crate::error::Error;
use crate::sample::{Sample, pooled};
use crate::sum::Sum;
use crate::test_result::TestResult;

/// A² of two samples with midranks, standardised: (A² − 1) / σ. Weighs the tails more than Kolmogorov–Smirnov.
///
/// Any real number, larger for more different samples; symmetric; only the order of values counts, so infinities
/// are values. The p-value is interpolated in Scholz and Stephens' table by a quadratic of the log level and clipped
/// to [0.001, 0.25], as SciPy does. O(n + m), σ included, after sorting.
///
/// Source: F. Scholz and M. Stephens (1987), doi:10.1080/01621459.1987.10478517, eq. 7 and table 2. Reproduces
/// `scipy.stats.anderson_ksamp([reference, current], variant="midrank")` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty or fewer than 4 rows are pooled, [`Error::Degenerate`] when all values
/// are equal.
pub fn anderson_ksamp(reference: &Sample, current: &Sample) -> Result<TestResult, Error> {
    reference.require_rows("reference", 1)?;
    current.require_rows("current", 1)?;
    let rows = reference.len() + current.len();
    if rows < 4 {
        return Err(Error::TooFewRows { side: "pooled", rows, needed: 4 });
    }
    let constant = |sample: &Sample| sample.distinct() == 1;
    if constant(reference) && constant(current) && reference.min() == current.min() {
        return Err(Error::Degenerate {
            statistic: "anderson_ksamp",
            needed: "more than one distinct value over both samples",
        });
    }
    let a2 = a_squared(reference, current);
    let statistic = (a2 - 1.0) / variance(reference.len() as f64, current.len() as f64, rows).sqrt();
    Ok(TestResult { statistic, p_value: p_value(statistic) })
}

fn a_squared(reference: &Sample, current: &Sample) -> f64 {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let (mut of_reference, mut of_pooled) = (0.0, 0.0);
    let mut sum = Sum::default();
    for (_, in_reference, in_current) in pooled(reference, current) {
        let (in_reference, ties) = (in_reference as f64, (in_reference + in_current) as f64);
        let below = of_reference + in_reference / 2.0;
        let pooled_below = of_pooled + ties / 2.0;
        let difference = total * below - pooled_below * n;
        let weight = pooled_below * (total - pooled_below) - total * ties / 4.0;
        sum.add(ties / total * difference * difference / weight);
        of_reference += in_reference;
        of_pooled += ties;
    }
    // The other sample's differences are these with the opposite sign: one sum serves both.
    sum.value() * (1.0 / n + 1.0 / m) * (total - 1.0) / total
}

/// Variance of A² for k = 2 samples (eq. 4 of the source).
fn variance(n: f64, m: f64, rows: u64) -> f64 {
    let total = rows as f64;
    let k = 2.0;
    let big_h = 1.0 / n + 1.0 / m;
    // The source's double sum g is H⁽²⁾(N) − (H(N) + H(N − 1))/N: both sides are coefficients of ln²(1 − x)/(1 − x).
    let h = harmonic(rows - 1, 1);
    let g = harmonic(rows, 2) - (2.0 * h + 1.0 / total) / total;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * big_h;
    let b =
        (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * big_h - 8.0 * h + 4.0 * g - 6.0;
    let c =
        (6.0 * h + 2.0 * g - 2.0) * k * k + (4.0 * h - 4.0 * g + 6.0) * k + (2.0 * h - 6.0) * big_h + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (a * total.powi(3) + b * total * total + c * total + d) / ((total - 1.0) * (total - 2.0) * (total - 3.0))
}

/// Σ 1/i^power for i = 1 … n, power 1 or 2: summed up to a thousand, from there on by Euler and Maclaurin, whose first
/// term left out is below 1e-20.
fn harmonic(n: u64, power: i32) -> f64 {
    const SUMMED: u64 = 1_000;
    const EULER: f64 = 0.577_215_664_901_532_9;
    if n <= SUMMED {
        return (1..=n).rev().map(|i| (i as f64).powi(-power)).collect::<Sum>().value();
    }
    let x = 1.0 / n as f64;
    if power == 1 {
        (n as f64).ln() + EULER + x / 2.0 - x * x / 12.0 + x.powi(4) / 120.0
    } else {
        std::f64::consts::PI.powi(2) / 6.0 - x + x * x / 2.0 - x.powi(3) / 6.0 + x.powi(5) / 30.0
    }
}

fn p_value(statistic: f64) -> f64 {
    /// Critical values at 0.25 and 0.001 for one degree of freedom (k − 1 = 1): b₀ + b₁ + b₂ of table 2.
    const LOWEST: f64 = 0.675 - 0.245 - 0.105;
    const HIGHEST: f64 = 3.085 + 3.615 - 0.154;
    /// Least-squares quadratic of ln(level) in the seven critical values of that table, highest power first.
    const QUADRATIC: [f64; 3] = [0.018198094574111258, -1.0082265644652506, -1.0777702798204873];
    if statistic < LOWEST {
        0.25
    } else if statistic > HIGHEST {
        0.001
    } else {
        QUADRATIC.iter().fold(0.0, |sum, coefficient| sum * statistic + coefficient).exp()
    }
}
