//! Chance that is the same on every machine: ChaCha8 with a stream a user and purpose, and distributions whose
//! every operation is defined to the bit (`libm` in place of the platform's mathematics).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Streams that one user number owns: one for the traits and one for each month.
const STREAMS_A_USER: u64 = 256;

/// The root of all draws of one sample.
pub struct Seed {
    key: u64,
    generator: ChaCha8Rng,
}

impl Seed {
    /// The ChaCha key is the seed's eight little-endian bytes and a fixed tag.
    pub fn new(seed: u64) -> Self {
        let mut key = *b"........streamflow sample no. 01";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self { key: seed, generator: ChaCha8Rng::from_seed(key) }
    }

    /// The seed itself.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Draws for what a user is for life.
    pub fn traits(&self, user_number: u64) -> Draws {
        self.stream(user_number * STREAMS_A_USER)
    }

    /// Draws for what happens to a user in the month `index`, below 255.
    pub fn month(&self, user_number: u64, index: u32) -> Draws {
        self.stream(user_number * STREAMS_A_USER + 1 + u64::from(index))
    }

    fn stream(&self, stream: u64) -> Draws {
        let mut generator = self.generator.clone();
        generator.set_stream(stream);
        Draws(generator)
    }
}

/// An endless row of independent draws.
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// Uniform in [0, 1): the 53 high bits of one 64-bit word.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`; always one draw.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Standard normal by Box and Muller (1958), doi:10.1214/aoms/1177706645; always two draws.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Poisson with the given mean by inversion, cut at 60; always one draw, so later draws do not move.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        let uniform = self.uniform();
        let mut probability = libm::exp(-mean);
        let mut cumulative = probability;
        let mut count = 0;
        while uniform >= cumulative && count < 60 {
            count += 1;
            probability *= mean / f64::from(count);
            cumulative += probability;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of `n` draws.
    fn moments(n: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let value = draw();
            sum += value;
            squares += value * value;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut draws = Seed::new(7).traits(0);
        let n = 100_000;
        let mut check = |name: &str, expected: (f64, f64), draw: &mut dyn FnMut(&mut Draws) -> f64| {
            let (mean, variance) = moments(n, || draw(&mut draws));
            let tolerance = 5.0 * libm::sqrt(expected.1 / f64::from(n));
            assert!((mean - expected.0).abs() < tolerance, "{name}: mean {mean}");
            assert!((variance / expected.1 - 1.0).abs() < 0.03, "{name}: variance {variance}");
        };
        check("uniform", (0.5, 1.0 / 12.0), &mut |d| d.uniform());
        check("normal", (0.0, 1.0), &mut |d| d.normal());
        check("poisson 0.3", (0.3, 0.3), &mut |d| f64::from(d.poisson(0.3)));
        check("poisson 5", (5.0, 5.0), &mut |d| f64::from(d.poisson(5.0)));
        check("chance", (0.2, 0.16), &mut |d| f64::from(u8::from(d.chance(0.2))));
    }

    /// Independent of the crate's version: RFC 7539's state with 8 rounds and an all-zero key has a published
    /// first word (draft-strombergson-chacha-test-vectors, TC1, 256-bit key, 8 rounds: 3e00ef2f 895f40d6 …).
    #[test]
    fn generator_is_chacha8() {
        let mut generator = ChaCha8Rng::from_seed([0; 32]);
        let first = generator.next_u64().to_le_bytes();
        assert_eq!(first, [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
    }

    #[test]
    fn streams_differ_by_seed_user_and_month() {
        let first = |mut draws: Draws| draws.0.next_u64();
        let words = [
            first(Seed::new(1).traits(0)),
            first(Seed::new(2).traits(0)),
            first(Seed::new(1).traits(1)),
            first(Seed::new(1).month(0, 0)),
            first(Seed::new(1).month(0, 119)),
        ];
        let distinct: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(distinct.len(), words.len());
    }
}
