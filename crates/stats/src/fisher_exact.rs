//! Fisher's exact test of a 2×2 table.

use crate::binomial::hypergeometric;
use crate::error::Error;
use crate::test_result::TestResult;

/// Probability, given the margins, of tables no likelier than the observed `[[a, b], [c, d]]`, two-sided.
///
/// The statistic is the sample odds ratio a d / (b c): infinite when only b c is 0, NaN when a margin is empty (p is 1
/// then). Tables within 1e-14 relative of the observed probability count as equally likely, SciPy's rule. Swapping
/// rows or columns keeps p. O(smallest margin).
///
/// Source: R. Fisher (1922), doi:10.2307/2340521. Reproduces `scipy.stats.fisher_exact([[a, b], [c, d]])` of SciPy
/// 1.17.1.
///
/// # Errors
/// [`Error::TooManyRows`] when the table counts more than 2^53 rows.
pub fn fisher_exact(table: [[u64; 2]; 2]) -> Result<TestResult, Error> {
    let [[a, b], [c, d]] = table;
    let limit = crate::Sample::MAX_ROWS;
    let rows = [b, c, d].iter().fold(a, |sum, count| sum.saturating_add(*count));
    if rows > limit {
        return Err(Error::TooManyRows { side: "pooled", limit });
    }
    let (marked, unmarked, drawn) = (a + b, c + d, a + c);
    if marked == 0 || unmarked == 0 || drawn == 0 || b + d == 0 {
        return Ok(TestResult { statistic: f64::NAN, p_value: 1.0 });
    }
    let statistic = (a as f64 * d as f64) / (b as f64 * c as f64);
    let observed = hypergeometric(a, marked, unmarked, drawn);
    let limit = observed * (1.0 + 1e-14);
    let (low, high) = (drawn.saturating_sub(unmarked), marked.min(drawn));
    let mode = (drawn as f64 + 1.0) * (marked as f64 + 1.0) / (rows as f64 + 2.0);
    let mode = (mode as u64).clamp(low, high);
    // Unimodal: on each side of the mode the tables to count are a tail, found by bisection and summed from its
    // largest member outwards.
    let upper = tail(mode, high, limit, |x| hypergeometric(x, marked, unmarked, drawn));
    let lower = if mode == low {
        0.0
    } else {
        tail(0, mode - 1 - low, limit, |x| hypergeometric(mode - 1 - x, marked, unmarked, drawn))
    };
    Ok(TestResult { statistic, p_value: (upper + lower).min(1.0) })
}

/// Σ p(x) over x in first..=last with p(x) ≤ limit, for p falling over that range.
fn tail(first: u64, last: u64, limit: f64, p: impl Fn(u64) -> f64) -> f64 {
    let (mut outside, mut inside) = (first, last + 1);
    // Smallest x with p(x) ≤ limit.
    while outside < inside {
        let middle = outside + (inside - outside) / 2;
        if p(middle) <= limit {
            inside = middle;
        } else {
            outside = middle + 1;
        }
    }
    let mut sum = 0.0;
    for x in inside..=last {
        let term = p(x);
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    sum
}
