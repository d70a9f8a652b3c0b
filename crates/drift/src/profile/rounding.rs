//! A grid of numbers that does not depend on the data: 64-bit floats with fewer mantissa bits.
//!
//! Dropping mantissa bits rounds toward zero: a value `x` becomes `r` with |x − r| < 2^−bits · |x|, zero stays zero and
//! small whole numbers stay what they are. Each grid holds every coarser one, so rounding to 20 bits and then to 12 is
//! rounding to 12. The number of bits is the largest that leaves at most a given number of different values; more data
//! can only lower it. That is why counts of parts, merged in any order, are the counts of the whole. (Collapsing
//! buckets pairwise until they fit is the idea of UDDSketch: Epicoco and others 2020, doi:10.1109/ACCESS.2020.3015599;
//! binary digits in place of logarithms make it exact on every machine.)

/// Mantissa bits of a 64-bit float: with all of them nothing is rounded.
pub(crate) const ALL_BITS: u32 = f64::MANTISSA_DIGITS - 1;

/// `value` with its first `bits` mantissa bits, the others zero. A tiny negative number becomes −0, which is a grid
/// point of its own.
pub(crate) fn round_toward_zero(value: f64, bits: u32) -> f64 {
    f64::from_bits(value.to_bits() & (u64::MAX << (ALL_BITS - bits)))
}

/// Rounds ascending `counts` (by [`f64::total_cmp`]) and adds up what becomes equal.
pub(crate) fn round_counts(mut counts: Vec<(f64, u64)>, bits: u32) -> Vec<(f64, u64)> {
    if bits < ALL_BITS {
        counts.iter_mut().for_each(|(value, _)| *value = round_toward_zero(*value, bits));
    }
    counts.dedup_by(|later, kept| {
        let equal = later.0.to_bits() == kept.0.to_bits();
        kept.1 += if equal { later.1 } else { 0 };
        equal
    });
    counts
}

/// Rounds ascending `counts`, different and on the grid of `bits`, to the finest grid on which they are at most
/// `limit` different values; no coarser than 0 bits (powers of two), on which they are fewer than 4,096. Linear.
pub(crate) fn fit(counts: Vec<(f64, u64)>, bits: u32, limit: usize) -> (u32, Vec<(f64, u64)>) {
    if counts.len() <= limit {
        return (bits, counts);
    }
    // Neighbours stay different as long as the highest bit in which they differ is kept.
    let mut neighbours_by_bit = [0_usize; 64];
    for pair in counts.windows(2) {
        let differing = pair[0].0.to_bits() ^ pair[1].0.to_bits();
        neighbours_by_bit[(63 - differing.leading_zeros().min(63)) as usize] += 1;
    }
    let distinct = |bits: u32| 1 + neighbours_by_bit[(ALL_BITS - bits) as usize..].iter().sum::<usize>();
    let bits = (0..bits).rev().find(|&bits| distinct(bits) <= limit).unwrap_or(0);
    (bits, round_counts(counts, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_bits_rounds_toward_zero() {
        for (value, bits, expected) in [
            (5.0, 2, 5.0),
            (5.0, 1, 4.0),
            (-7.9, 2, -7.0),
            (0.0, 0, 0.0),
            (1e300, ALL_BITS, 1e300),
            (f64::MAX, 0, 2_f64.powi(1023)),
            (5e-324, 3, 0.0),
        ] {
            assert_eq!(round_toward_zero(value, bits), expected, "{value} to {bits} bits");
        }
        assert!(round_toward_zero(-5e-324, 3).is_sign_negative());
    }

    #[test]
    fn the_finest_grid_that_fits_is_taken() {
        let counts: Vec<(f64, u64)> = (8..16).map(|i| (f64::from(i), 1)).collect();
        assert_eq!(fit(counts.clone(), ALL_BITS, 8), (ALL_BITS, counts.clone()));
        assert_eq!(fit(counts.clone(), ALL_BITS, 7), (2, vec![(8.0, 2), (10.0, 2), (12.0, 2), (14.0, 2)]));
        assert_eq!(fit(counts.clone(), ALL_BITS, 3), (1, vec![(8.0, 4), (12.0, 4)]));
        assert_eq!(fit(counts, ALL_BITS, 1), (0, vec![(8.0, 8)]));
        let signs = vec![(-5e-324, 1), (0.0, 1), (5e-324, 1)];
        assert_eq!(fit(signs, ALL_BITS, 2), (51, vec![(-0.0, 1), (0.0, 2)]));
    }
}
