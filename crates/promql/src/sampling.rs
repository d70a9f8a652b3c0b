//! The share of series that `limit_ratio` keeps, by a hash of their labels that is the same everywhere.

use streamflow_tsdb::Labels;

/// Place of a series between 0 and 1: the hash of its labels, as Prometheus stores them, over the largest hash.
pub(crate) fn offset(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for (name, value) in labels.iter() {
        for text in [name, value] {
            encode_length(text.len(), &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxh64(&bytes) as f64 / u64::MAX as f64
}

/// Tells whether a series at this offset is among the first `ratio`, or, with a negative one, among the last.
pub(crate) fn keeps(offset: f64, ratio: f64) -> bool {
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

/// One byte, or 255 and three more.
fn encode_length(length: usize, bytes: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if short < 255 => bytes.push(short),
        _ => bytes.extend([255, length as u8, (length >> 8) as u8, (length >> 16) as u8]),
    }
}

const PRIMES: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];

/// xxHash's 64-bit variant with seed 0 (specification: Collet, `xxhash_spec.md`).
fn xxh64(input: &[u8]) -> u64 {
    let [p1, p2, p3, p4, p5] = PRIMES;
    let (stripes, mut rest) = input.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        p5
    } else {
        let mut lanes = [p1.wrapping_add(p2), p2, 0, 0u64.wrapping_sub(p1)];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<8>().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let mut hash = [1, 7, 12, 18]
            .iter()
            .zip(lanes)
            .fold(0u64, |sum, (&turn, lane)| sum.wrapping_add(lane.rotate_left(turn)));
        for lane in lanes {
            hash = (hash ^ round(0, lane)).wrapping_mul(p1).wrapping_add(p4);
        }
        hash
    };
    hash = hash.wrapping_add(input.len() as u64);
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        hash ^= round(0, u64::from_le_bytes(*word));
        hash = hash.rotate_left(27).wrapping_mul(p1).wrapping_add(p4);
    }
    rest = tail;
    if let Some((word, tail)) = rest.split_first_chunk::<4>() {
        hash ^= u64::from(u32::from_le_bytes(*word)).wrapping_mul(p1);
        hash = hash.rotate_left(23).wrapping_mul(p2).wrapping_add(p3);
        rest = tail;
    }
    for &byte in rest {
        hash ^= u64::from(byte).wrapping_mul(p5);
        hash = hash.rotate_left(11).wrapping_mul(p1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(p2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(p3);
    hash ^ (hash >> 32)
}

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(PRIMES[1])).rotate_left(31).wrapping_mul(PRIMES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_specification() {
        // python3 -c 'import xxhash; print(hex(xxhash.xxh64(INPUT).intdigest()))'
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xfbce_a83c_8a37_8bf1);
    }

    #[test]
    fn a_ratio_and_its_complement_divide() {
        for offset in [0.0, 0.2, 0.5, 0.99] {
            assert!(keeps(offset, 0.3) != keeps(offset, -0.7));
            assert!(keeps(offset, 1.0) && keeps(offset, -1.0) && !keeps(offset, 0.0));
        }
    }
}
