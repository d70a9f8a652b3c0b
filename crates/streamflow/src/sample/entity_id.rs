//! User ids such as `7590-VHVEG`: four digits and five letters, shuffled by the seed, each used once.
//!
//! A Feistel network over unequal halves (digits modulo 10^4, letters modulo 26^5) permutes all 118,813,760,000
//! ids: every round adds a function of one half to the other, which subtracting undoes. So distinct user numbers
//! have distinct ids, without a set of those already given.

const DIGITS: u64 = 10_000;
const LETTERS: u64 = 26 * 26 * 26 * 26 * 26;
/// Number of ids.
pub const CAPACITY: u64 = DIGITS * LETTERS;
const ROUNDS: u64 = 6;

/// The id of user `number`, below [`CAPACITY`].
pub fn entity_id(seed: u64, number: u64) -> [u8; 10] {
    let (mut digits, mut letters) = (number % DIGITS, number / DIGITS % LETTERS);
    for round in 0..ROUNDS {
        digits = (digits + mix(seed, 2 * round, letters) % DIGITS) % DIGITS;
        letters = (letters + mix(seed, 2 * round + 1, digits) % LETTERS) % LETTERS;
    }
    let mut id = *b"0000-AAAAA";
    for byte in id[..4].iter_mut().rev() {
        *byte += (digits % 10) as u8;
        digits /= 10;
    }
    for byte in id[5..].iter_mut().rev() {
        *byte += (letters % 26) as u8;
        letters /= 26;
    }
    id
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195), twice.
fn mix(seed: u64, round: u64, half: u64) -> u64 {
    let finalize = |mut word: u64| {
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let keyed = finalize(seed.wrapping_add((round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    finalize(keyed ^ half)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_well_formed() {
        // Consecutive numbers and far ones, the largest included.
        for seed in [0, 1, u64::MAX] {
            let near = 0..200_000;
            let far = (0..50_000).map(|k| CAPACITY - 1 - k * 7919);
            let ids: HashSet<_> = near.chain(far).map(|number| entity_id(seed, number)).collect();
            assert_eq!(ids.len(), 250_000);
            for id in &ids {
                assert!(id[..4].iter().all(u8::is_ascii_digit), "{id:?}");
                assert_eq!(id[4], b'-');
                assert!(id[5..].iter().all(u8::is_ascii_uppercase), "{id:?}");
            }
        }
    }

    #[test]
    fn seeds_shuffle_differently() {
        let same = (0..1000).filter(|&n| entity_id(1, n) == entity_id(2, n)).count();
        assert_eq!(same, 0);
    }
}
