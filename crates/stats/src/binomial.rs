//! Poisson, binomial and hypergeometric probabilities accurate to the last digits, also far in the tails.
//!
//! Saddle-point form of C. Loader, "Fast and accurate computation of binomial probabilities" (2000): the large
//! logarithms that cancel in `ln n! − ln k! − …` are replaced by Stirling's error and a deviance, both small.

use std::f64::consts::PI;

/// `ln n! − [(n + ½) ln n − n + ½ ln 2π]` for real `n > 0`.
pub(crate) fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        // Numbers this small cancel little.
        return libm::lgamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * (2.0 * PI).ln();
    }
    // Bernoulli numbers over 2j(2j − 1): five terms reach 1e-17 from n = 16.
    const SERIES: [f64; 6] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let square = 1.0 / (n * n);
    SERIES.iter().rev().fold(0.0, |sum, term| sum * square + term) / n
}

/// `x ln(x / mean) + mean − x`, without cancellation where `x` is near `mean`.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let ratio = difference / (x + mean);
    let mut sum = difference * ratio;
    let mut power = 2.0 * x * ratio;
    let mut odd = 3.0;
    loop {
        power *= ratio * ratio;
        let next = sum + power / odd;
        if next == sum {
            return sum;
        }
        sum = next;
        odd += 2.0;
    }
}

/// `mean^x e^−mean / Γ(x + 1)` for real `x ≥ 0`: the Poisson probability when `x` is whole.
pub(crate) fn poisson(x: f64, mean: f64) -> f64 {
    if x == 0.0 {
        return (-mean).exp();
    }
    if mean == 0.0 {
        return 0.0;
    }
    (-stirling_error(x) - deviance(x, mean)).exp() / (2.0 * PI * x).sqrt()
}

/// Probability of `x` successes in `n` trials of success probability `p`, with `q = 1 − p` given exactly.
pub(crate) fn binomial(x: f64, n: f64, p: f64, q: f64) -> f64 {
    if p <= 0.0 || q <= 0.0 {
        return f64::from(u8::from(if p <= 0.0 { x == 0.0 } else { x == n }));
    }
    if x == 0.0 {
        return if p < 0.1 { (n * (-p).ln_1p()).exp() } else { q.powf(n) };
    }
    if x == n {
        return if q < 0.1 { (n * (-q).ln_1p()).exp() } else { p.powf(n) };
    }
    if x < 0.0 || x > n {
        return 0.0;
    }
    let log = stirling_error(n)
        - stirling_error(x)
        - stirling_error(n - x)
        - deviance(x, n * p)
        - deviance(n - x, n * q);
    log.exp() / (2.0 * PI * x * ((n - x) / n)).sqrt()
}

/// Probability of `x` marked among `drawn`, drawn without replacement from `marked` and `unmarked`.
pub(crate) fn hypergeometric(x: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let total = marked + unmarked;
    if x > marked || x > drawn || drawn - x > unmarked {
        return 0.0;
    }
    if total == 0 || drawn == 0 || drawn == total {
        return 1.0;
    }
    let (p, q) = (drawn as f64 / total as f64, (total - drawn) as f64 / total as f64);
    binomial(x as f64, marked as f64, p, q) * binomial((drawn - x) as f64, unmarked as f64, p, q)
        / binomial(drawn as f64, total as f64, p, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found:e} instead of {expected:e}");
    }

    #[test]
    fn tails_are_scipys() {
        // scipy 1.17.1: poisson.pmf(3, 2.5), binom.pmf(7, 20, .3), hypergeom.pmf(3, 20, 7, 12); the two tails from
        // mpmath 1.3.0 at 40 digits, since scipy's poisson.pmf(1400, 1000) is off by 2e-12.
        close(poisson(3.0, 2.5), 0.213_763_017_249_736_48);
        close(poisson(1400.0, 1000.0), 1.466_773_344_196_568_3e-33);
        close(binomial(7.0, 20.0, 0.3, 0.7), 0.164_261_985_217_236_6);
        close(binomial(51_000.0, 100_000.0, 0.5, 0.5), 5.194_659_209_889_301e-12);
        close(hypergeometric(3, 7, 13, 12), 0.198_658_410_732_714_17);
    }

    #[test]
    fn impossible_and_certain_events() {
        assert_eq!(binomial(0.0, 5.0, 0.0, 1.0), 1.0);
        assert_eq!(binomial(5.0, 5.0, 1.0, 0.0), 1.0);
        assert_eq!(binomial(6.0, 5.0, 0.5, 0.5), 0.0);
        assert_eq!(hypergeometric(4, 3, 5, 4), 0.0);
        assert_eq!(hypergeometric(3, 3, 5, 8), 1.0);
        assert_eq!(poisson(0.0, 0.0), 1.0);
    }
}
