//! Random draws that depend on their seed alone, on every platform and in every release.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::binomial;
use crate::sample::Sample;

/// A seeded generator; the algorithm (xoshiro256++) and every draw below are part of the results' definition.
#[derive(Debug, Clone)]
pub struct Random(Xoshiro256PlusPlus);

/// A probability far below the rounding of the uniform draw.
const NEGLIGIBLE: f64 = 1e-40;

impl Random {
    /// A generator whose draws depend on the seed alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in 0..bound, `bound` ≥ 1 (bias below bound / 2^64).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fisher–Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// Successes of `trials` with probability `p` each. Expected cost √trials.
    pub fn binomial(&mut self, trials: u64, p: f64) -> u64 {
        if trials == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return trials;
        }
        let n = trials as f64;
        let odds = p / (1.0 - p);
        let mode = (((n + 1.0) * p) as u64).min(trials);
        let at_mode = binomial::binomial(mode as f64, n, p, 1.0 - p);
        self.search_from_mode(mode, at_mode, (0, trials), |x| (trials - x) as f64 / (x + 1) as f64 * odds)
    }

    /// Marked among `drawn` without replacement from `marked` and `unmarked`. Expected cost √drawn.
    pub(crate) fn hypergeometric(&mut self, marked: u64, unmarked: u64, drawn: u64) -> u64 {
        let (low, high) = (drawn.saturating_sub(unmarked), marked.min(drawn));
        if low == high {
            return low;
        }
        let mode = (drawn as f64 + 1.0) * (marked as f64 + 1.0) / ((marked + unmarked) as f64 + 2.0);
        let mode = (mode as u64).clamp(low, high);
        let at_mode = binomial::hypergeometric(mode, marked, unmarked, drawn);
        self.search_from_mode(mode, at_mode, (low, high), |x| {
            // drawn ≤ unmarked + x from the lowest x on.
            let left = (unmarked + x + 1 - drawn) as f64;
            (marked - x) as f64 / (x + 1) as f64 * ((drawn - x) as f64 / left)
        })
    }

    /// Inversion that visits the likeliest values first; `ratio(x)` is P(x + 1) / P(x).
    fn search_from_mode(
        &mut self,
        mode: u64,
        at_mode: f64,
        (low, high): (u64, u64),
        ratio: impl Fn(u64) -> f64,
    ) -> u64 {
        let mut left = self.uniform() - at_mode;
        let (mut down, mut up) = (mode, mode);
        let (mut p_down, mut p_up) = (at_mode, at_mode);
        // Once both terms are this small, the rest of the tails adds nothing that rounding has not taken.
        while left >= 0.0 && (down > low || up < high) && p_down + p_up > NEGLIGIBLE {
            if up < high {
                p_up *= ratio(up);
                up += 1;
                left -= p_up;
                if left < 0.0 {
                    return up;
                }
            }
            if down > low {
                down -= 1;
                p_down /= ratio(down);
                left -= p_down;
                if left < 0.0 {
                    return down;
                }
            }
        }
        // Rounding may leave a few units in the last place of the uniform draw unassigned.
        mode
    }

    /// As many rows as the sample has, drawn from it with replacement. O(n).
    pub(crate) fn resample(&mut self, sample: &Sample) -> Sample {
        let rows = sample.len();
        let distinct = sample.distinct();
        let mut counts = vec![0_u64; distinct];
        if distinct as u64 == rows {
            for _ in 0..rows {
                counts[self.below(rows) as usize] += 1;
            }
        } else {
            self.multinomial(rows, sample.iter().map(|(_, count)| count), rows, &mut counts);
        }
        let drawn = sample.iter().zip(&counts).filter(|(_, count)| **count > 0);
        Sample::from_ascending(drawn.map(|((value, _), count)| (value, *count)), rows)
    }

    /// `rows` draws with replacement from categories of the given weights (summing to `mass`), into `counts`.
    pub fn multinomial(
        &mut self,
        rows: u64,
        weights: impl Iterator<Item = u64>,
        mass: u64,
        counts: &mut [u64],
    ) {
        let (mut rows, mut mass) = (rows, mass);
        for (count, weight) in counts.iter_mut().zip(weights) {
            *count = self.binomial(rows, if mass == 0 { 0.0 } else { weight as f64 / mass as f64 });
            rows -= *count;
            mass -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of `draw` over 20,000 draws, against theirs within five standard errors of the mean.
    fn check(mean: f64, variance: f64, mut draw: impl FnMut(&mut Random) -> u64) {
        let mut random = Random::new(7);
        let draws: Vec<f64> = (0..20_000).map(|_| draw(&mut random) as f64).collect();
        let found = draws.iter().sum::<f64>() / 20_000.0;
        assert!((found - mean).abs() < 5.0 * (variance / 20_000.0).sqrt(), "mean {found} instead of {mean}");
        let spread = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((spread / variance - 1.0).abs() < 0.08, "variance {spread} instead of {variance}");
    }

    #[test]
    fn draws_have_their_mean_and_variance() {
        check(4.5, 8.25, |random| random.below(10));
        check(30.0, 21.0, |random| random.binomial(100, 0.3));
        check(999.0, 0.999, |random| random.binomial(1000, 0.999));
        // n K/N and n K/N (N−K)/N (N−n)/(N−1)
        check(12.0, 12.0 * 0.6 * 20.0 / 49.0, |random| random.hypergeometric(20, 30, 30));
    }

    #[test]
    fn impossible_draws_do_not_happen() {
        let mut random = Random::new(1);
        assert_eq!(random.binomial(0, 0.5), 0);
        assert_eq!(random.binomial(9, 1.0), 9);
        assert_eq!(random.hypergeometric(3, 2, 5), 3);
        for _ in 0..1000 {
            assert!((2..=4).contains(&random.hypergeometric(4, 3, 5)));
        }
    }
}
