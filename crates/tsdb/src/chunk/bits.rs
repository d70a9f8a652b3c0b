//! Bit streams, highest bit of a byte first.

/// Appends bits to bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    pub(crate) bytes: Vec<u8>,
    /// Bits of the last byte that are not yet written.
    free: u32,
}

impl BitWriter {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// The lowest `count` bits of `value`, at most 64.
    #[inline]
    pub(crate) fn write(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let value = value & (u64::MAX >> (64 - count));
        if count <= self.free {
            self.free -= count;
            let last = self.bytes.len() - 1;
            self.bytes[last] |= (value << self.free) as u8;
            return;
        }
        let left = count - self.free;
        if self.free > 0 {
            let last = self.bytes.len() - 1;
            self.bytes[last] |= (value >> left) as u8;
        }
        let bytes = left.div_ceil(8);
        let end = self.bytes.len() + bytes as usize;
        // A whole word is one store; what of it is not meant is cut off.
        self.bytes.extend_from_slice(&(value << (64 - left)).to_be_bytes());
        self.bytes.truncate(end);
        self.free = bytes * 8 - left;
    }
}

/// Takes bits off bytes; `None` at the end.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, from the highest on; those below `have` are zero or a preview of bytes still in `rest`.
    ahead: u64,
    have: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, ahead: 0, have: 0 }
    }

    /// Makes at least 56 bits available unless the end is nearer.
    #[inline]
    fn refill(&mut self) {
        if let Some(word) = self.rest.first_chunk::<8>() {
            self.ahead |= u64::from_be_bytes(*word) >> self.have;
            let taken = (63 - self.have) >> 3;
            self.rest = &self.rest[taken as usize..];
            self.have += taken * 8;
        } else {
            while self.have <= 56 {
                let Some((byte, rest)) = self.rest.split_first() else { return };
                self.ahead |= u64::from(*byte) << (56 - self.have);
                self.rest = rest;
                self.have += 8;
            }
        }
    }

    /// At most 56 bits.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        if self.have < count {
            self.refill();
            if self.have < count {
                return None;
            }
        }
        if count == 0 {
            return Some(0);
        }
        let value = self.ahead >> (64 - count);
        self.ahead <<= count;
        self.have -= count;
        Some(value)
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub(crate) fn read(&mut self, count: u32) -> Option<u64> {
        if count <= 56 {
            return self.take(count);
        }
        let high = self.take(count - 32)?;
        Some(high << 32 | self.take(32)?)
    }

    /// Counts ones up to `limit` (at most 32) and takes them, with the zero behind them if there are fewer.
    #[inline]
    pub(crate) fn ones(&mut self, limit: u32) -> Option<u32> {
        if self.have <= limit {
            self.refill();
        }
        let ones = (!self.ahead).leading_zeros().min(limit);
        self.take(if ones < limit { ones + 1 } else { ones })?;
        Some(ones)
    }

    /// As [`BitReader::ones`] with that limit, and where there are fewer ones, the `count` bits behind the zero: both at once,
    /// for `limit` and `count` of 55 together at most.
    #[inline]
    pub(crate) fn ones_then(&mut self, limit: u32, count: u32) -> Option<(u32, u64)> {
        if self.have < limit + count + 1 {
            self.refill();
        }
        let ones = (!self.ahead).leading_zeros();
        if ones >= limit {
            self.take(limit)?;
            return Some((limit, 0));
        }
        let taken = ones + 1 + count;
        self.have = self.have.checked_sub(taken)?;
        // Two shifts: each is of fewer than 64 bits.
        let behind = self.ahead << (ones + 1);
        let value = behind >> 1 >> (63 - count);
        self.ahead = behind << count;
        Some((ones, value))
    }

    /// What follows the byte that was begun last.
    pub(crate) fn after(&self, bytes: &'a [u8]) -> &'a [u8] {
        let unread = self.rest.len() + (self.have / 8) as usize;
        &bytes[bytes.len() - unread..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in proptest::collection::vec((any::<u64>(), 0_u32..=64), 0..200)) {
            let mut writer = BitWriter::default();
            for (value, count) in &parts {
                writer.write(*value, *count);
            }
            let mut reader = BitReader::new(&writer.bytes);
            for (value, count) in &parts {
                let kept = if *count == 64 { *value } else { value & ((1 << count) - 1) };
                prop_assert_eq!(reader.read(*count), Some(kept));
            }
            prop_assert!(reader.after(&writer.bytes).is_empty());
        }
    }

    proptest! {
        #[test]
        fn ones_and_bits_at_once_are_the_same_as_one_after_the_other(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xff_u8)], 0..40),
            limit in 1_u32..=16,
            count in 0_u32..=39,
        ) {
            let (mut once, mut twice) = (BitReader::new(&bytes), BitReader::new(&bytes));
            loop {
                let expected = twice.ones(limit).and_then(|ones| {
                    if ones < limit { Some((ones, twice.read(count)?)) } else { Some((ones, 0)) }
                });
                prop_assert_eq!(once.ones_then(limit, count), expected);
                if expected.is_none() { break; }
            }
        }
    }

    #[test]
    fn ones_stop_at_the_limit_and_at_the_end() {
        let mut reader = BitReader::new(&[0b1110_1111, 0xff]);
        assert_eq!(reader.ones(16), Some(3));
        assert_eq!(reader.ones(4), Some(4));
        assert_eq!(reader.ones(16), None);
    }
}
