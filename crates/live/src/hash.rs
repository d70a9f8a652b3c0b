//! Hashes of entities: the same in every minute, process and release.

use crate::feature::Value;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of an entity's name. Replicas that share `seed` give an entity the same hash; to others it tells nothing.
///
/// FNV-1a with the finaliser of SplitMix64, so that the smallest hashes are a random choice of entities. It does not
/// resist somebody who chooses names for their hashes; entities are those that the feature store knows.
#[must_use]
pub fn entity_hash(seed: u64, name: &[u8]) -> u64 {
    finish(bytes(OFFSET ^ seed, name))
}

/// The hash of a row that names no entity: rows of equal values count as one.
#[must_use]
pub fn values_hash(seed: u64, values: &[Value<'_>]) -> u64 {
    let hash = values.iter().fold(OFFSET ^ seed, |hash, value| match value {
        Value::Missing => bytes(hash, &[0]),
        Value::Number(number) => word(hash, (number + 0.0).to_bits()),
        Value::Boolean(truth) => bytes(hash, &[1, u8::from(*truth)]),
        // The length keeps two texts from being one.
        Value::Text(text) => bytes(word(hash, text.len() as u64), text.as_bytes()),
    });
    finish(hash)
}

fn bytes(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

fn word(hash: u64, word: u64) -> u64 {
    finish(hash ^ word)
}

fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_never_changes_with_a_release() {
        // Stored minutes hold these.
        assert_eq!(entity_hash(0, b"7590-VHVEG"), 0x40ea_8991_882b_516b);
        assert_eq!(entity_hash(1, b"7590-VHVEG"), 0x6267_dd0d_906a_3102);
    }

    #[test]
    fn the_smallest_hashes_are_a_fair_choice() {
        let share = |of: fn(u64) -> Vec<u8>| {
            let below = (0..100_000).filter(|&i| entity_hash(9, &of(i)) < u64::MAX / 10).count();
            below as f64 / 100_000.0
        };
        for of in [(|i: u64| i.to_string().into_bytes()) as fn(u64) -> Vec<u8>, |i| i.to_le_bytes().to_vec()]
        {
            assert!((share(of) - 0.1).abs() < 0.004, "{}", share(of));
        }
    }

    #[test]
    fn rows_of_equal_values_are_one() {
        let row = [Value::Number(0.0), Value::Text("ab"), Value::Missing, Value::Boolean(true)];
        let same = [Value::Number(-0.0), Value::Text("ab"), Value::Missing, Value::Boolean(true)];
        assert_eq!(values_hash(3, &row), values_hash(3, &same));
        let two = |a, b| values_hash(3, &[Value::Text(a), Value::Text(b)]);
        assert_ne!(two("ab", "c"), two("a", "bc"));
    }
}
