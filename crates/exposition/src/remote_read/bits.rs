//! Bits as Prometheus's chunks have them, and its numbers of as many bits as they need.

/// Bits from the highest of each byte down.
pub struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are not used.
    free: u32,
}

impl Bits {
    /// Those that follow whole bytes.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// Bits of the last byte that are not used are zeros.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The lowest `width` bits of a value, the highest of them first.
    pub fn push(&mut self, value: u64, width: u32) {
        for place in (0..width).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if value >> place & 1 == 1
                && let Some(last) = self.bytes.last_mut()
            {
                *last |= 1 << self.free;
            }
        }
    }

    /// Seven bits a byte, the lowest first; here a byte need not begin where one does.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.push(value, 8);
    }

    /// A whole number behind a mark of its width.
    pub fn signed(&mut self, value: i64) {
        self.marked(value.cast_unsigned(), value == 0, |width| fits(value, width));
    }

    /// A whole number from 0 on behind a mark of its width.
    pub fn unsigned(&mut self, value: u64) {
        self.marked(value, value == 0, |width| value < 1 << width);
    }

    fn marked(&mut self, value: u64, is_zero: bool, fits: impl Fn(u32) -> bool) {
        if is_zero {
            return self.push(0, 1);
        }
        let widths = [3, 6, 9, 12, 18, 25, 56];
        let Some((ones, width)) = (1..).zip(widths).find(|(_, width)| fits(*width)) else {
            self.push(0xff, 8);
            return self.push(value, 64);
        };
        // As many ones as the place of the width, then a zero.
        self.push((1 << (ones + 1)) - 2, ones + 1);
        self.push(value, width);
    }
}

/// Tells whether a number is one of those that Prometheus writes in so many bits: one more of the positive ones than of
/// the negative ones.
pub fn fits(value: i64, width: u32) -> bool {
    (-((1_i64 << (width - 1)) - 1)..=1_i64 << (width - 1)).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_bits_they_need() {
        let of = |write: &dyn Fn(&mut Bits)| {
            let mut bits = Bits::after(Vec::new());
            write(&mut bits);
            bits.into_bytes()
        };
        for (value, expected) in [
            (0, vec![0]),
            (4, vec![0b1010_0000]),
            (-3, vec![0b1010_1000]),
            (5, vec![0b1100_0010, 0b1000_0000]),
            (32, vec![0b1101_0000, 0]),
            (33, vec![0b1110_0001, 0b0000_1000]),
        ] {
            assert_eq!(of(&|bits| bits.signed(value)), expected, "{value}");
        }
        assert_eq!(of(&|bits| bits.unsigned(7)), [0b1011_1000]);
        assert_eq!(of(&|bits| bits.unsigned(8)), [0b1100_0100, 0]);
        assert_eq!(of(&|bits| bits.signed(i64::MIN)), [0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(of(&|bits| bits.signed(1 << 25)).len(), 8);
    }
}
