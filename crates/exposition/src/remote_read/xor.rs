//! Prometheus's chunks of float samples: differences of differences of times, values by the bits that change.
//!
//! Source: `tsdb/docs/format/chunks.md` of Prometheus; the compression is that of Gorilla (Pelkonen and others, 2015,
//! doi:10.14778/2824032.2824078).

use super::bits::{Bits, fits};

/// The chunk: how many samples in two bytes, then their bits.
pub fn encode(samples: &[(i64, f64)]) -> Vec<u8> {
    let count = u16::try_from(samples.len()).expect("a chunk has at most 120 samples");
    let mut bits = Bits::after(count.to_be_bytes().to_vec());
    let (mut time, mut delta, mut value) = (0_i64, 0_u64, Value { bits: 0, window: None });
    for (place, (at, number)) in samples.iter().enumerate() {
        let at_delta = at.wrapping_sub(time).cast_unsigned();
        match place {
            0 => {
                bits.varint(zigzag(*at));
                bits.push(number.to_bits(), 64);
                value.bits = number.to_bits();
            }
            1 => {
                bits.varint(at_delta);
                value.push(*number, &mut bits);
            }
            _ => {
                push_change(at_delta.wrapping_sub(delta).cast_signed(), &mut bits);
                value.push(*number, &mut bits);
            }
        }
        (time, delta) = (*at, at_delta);
    }
    bits.into_bytes()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The change of the difference between two times, in as few bits as it needs.
fn push_change(change: i64, bits: &mut Bits) {
    let (mark, mark_width, width) = match change {
        0 => (0b0, 1, 0),
        _ if fits(change, 14) => (0b10, 2, 14),
        _ if fits(change, 17) => (0b110, 3, 17),
        _ if fits(change, 20) => (0b1110, 4, 20),
        _ => (0b1111, 4, 64),
    };
    bits.push(mark, mark_width);
    bits.push(change.cast_unsigned(), width);
}

/// The value before, and between which zeros its change stood.
struct Value {
    bits: u64,
    window: Option<(u32, u32)>,
}

impl Value {
    fn push(&mut self, number: f64, bits: &mut Bits) {
        let change = number.to_bits() ^ self.bits;
        self.bits = number.to_bits();
        if change == 0 {
            return bits.push(0, 1);
        }
        bits.push(1, 1);
        let (leading, trailing) = (change.leading_zeros().min(31), change.trailing_zeros());
        if let Some((known_leading, known_trailing)) = self.window
            && leading >= known_leading
            && trailing >= known_trailing
        {
            bits.push(0, 1);
            return bits.push(change >> known_trailing, 64 - known_leading - known_trailing);
        }
        self.window = Some((leading, trailing));
        let width = 64 - leading - trailing;
        bits.push(1, 1);
        bits.push(leading.into(), 5);
        // All 64 are written as none.
        bits.push(u64::from(width) & 0x3f, 6);
        bits.push(change >> trailing, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from the description of the format.
    #[test]
    fn the_bits_are_those_of_the_format() {
        // One sample: the time 1 is 2 as a zigzag.
        assert_eq!(encode(&[(1, 1.0)]), [0, 1, 2, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
        // Two: the difference 5, then a zero bit for the same value.
        assert_eq!(encode(&[(1, 1.0), (6, 1.0)])[11..], [5, 0b0000_0000]);
        // Three: no change of the difference, then a one and a new window. 1.0 to 2.0 changes eleven bits behind the
        // first.
        let bits = encode(&[(1, 1.0), (6, 1.0), (11, 2.0)]);
        // 0 | 0 | 1 1 00001 001011 11111111111
        assert_eq!(bits[11..], [5, 0b0011_0000, 0b1001_0111, 0b1111_1111, 0b1100_0000]);
    }

    #[test]
    fn changes_of_differences_take_the_bits_they_need() {
        for (change, expected) in [
            (0, vec![0]),
            (1, vec![0b1000_0000, 0b0000_0001]),
            (-1, vec![0b1011_1111, 0b1111_1111]),
            (8192, vec![0b1010_0000, 0]),
            (-8191, vec![0b1010_0000, 1]),
            (8193, vec![0b1100_0010, 0, 0b0001_0000]),
            (65_536, vec![0b1101_0000, 0, 0]),
            (65_537, vec![0b1110_0001, 0, 1]),
            (524_289, vec![0xf0, 0, 0, 0, 0, 0, 0x80, 0, 0x10]),
        ] {
            let mut bits = Bits::after(Vec::new());
            push_change(change, &mut bits);
            // Bits beyond those that are used are none.
            let mut found = bits.into_bytes();
            found.resize(expected.len().max(found.len()), 0);
            assert_eq!(found, expected, "{change}");
        }
    }
}
