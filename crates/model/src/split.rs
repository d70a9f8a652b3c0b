//! Which entities are held out: a stable function of the seed and the entity, of nothing else.
//!
//! So a user held out this month is held out next month, for the candidate and for the model it is
//! compared with, whatever the order or number of rows. Any language can reproduce it:
//!
//! ```python
//! h = hashlib.sha256(f"{seed}:{entity}".encode()).digest()
//! validation = int.from_bytes(h[:8], "big") / 2**64 < 0.25
//! ```

use sha2::{Digest, Sha256};

/// A number in [0, 1) that depends only on `seed` and `entity`: the first eight bytes, big endian,
/// of the SHA-256 of `"{seed}:{entity}"` (UTF-8, the seed in decimal), divided by 2⁶⁴.
pub fn split_position(seed: u64, entity: &str) -> f64 {
    position(&format!("{seed}:{entity}"))
}

/// Tells whether an entity is a validation entity: [`split_position`] below `validation_share`.
pub fn is_validation(seed: u64, entity: &str, validation_share: f64) -> bool {
    split_position(seed, entity) < validation_share
}

/// The cross-validation fold of a training entity, in `0..folds`. Another text than the split's is
/// hashed: the training entities' split positions are not uniform any more.
pub(crate) fn fold(seed: u64, entity: &str, folds: usize) -> usize {
    ((position(&format!("{seed}:fold:{entity}")) * folds as f64) as usize).min(folds - 1)
}

/// Tells whether a training entity is in a stable sample of about this share.
pub(crate) fn is_sampled(seed: u64, entity: &str, share: f64) -> bool {
    share >= 1.0 || position(&format!("{seed}:sample:{entity}")) < share
}

fn position(text: &str) -> f64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // 53 bits fill a double exactly; the rounding of all 64 could reach 1.0.
    (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Python: `int.from_bytes(hashlib.sha256(f"{seed}:{entity}".encode()).digest()[:8], "big") / 2**64`
    #[test]
    fn positions_are_those_of_python() {
        let cases = [
            (0, "7590-VHVEG", 0.22103865487082508),
            (0, "5575-GNVDE", 0.34194504410345394),
            (42, "7590-VHVEG", 0.8227867206102732),
            (18446744073709551615, "", 0.29932838044601107),
            (1, "Zoë", 0.9300216775284765),
        ];
        for (seed, entity, expected) in cases {
            assert!((split_position(seed, entity) - expected).abs() < 1e-15, "{seed}:{entity}");
        }
    }

    #[test]
    fn a_quarter_is_held_out() {
        let held_out = (0..40_000).filter(|i| is_validation(7, &i.to_string(), 0.25)).count();
        // Binomial(40,000, 0.25): five standard deviations are 433.
        assert!((9_567..=10_433).contains(&held_out), "{held_out}");
    }

    proptest! {
        #[test]
        fn positions_and_folds_stay_in_range(seed: u64, entity: String, folds in 1_usize..9) {
            let position = split_position(seed, &entity);
            prop_assert!((0.0..1.0).contains(&position));
            prop_assert!(fold(seed, &entity, folds) < folds);
            prop_assert!(!is_validation(seed, &entity, 0.0));
            prop_assert!(is_validation(seed, &entity, 1.0));
        }
    }
}
