//! Timestamps and values as differences.
//!
//! After Pelkonen et al., "Gorilla: a fast, scalable, in-memory time series database", 2015
//! (doi 10.14778/2824032.2824078), with shorter codes for the jitter of milliseconds.

use super::bits::{BitReader, BitWriter};
use crate::varint::{unzigzag, zigzag};

/// Bits behind `ones + 1` bits of prefix, for ever larger changes of the timestamps' difference.
const TIME_BITS: [u32; 5] = [0, 6, 12, 20, 40];

/// Written for each sample behind the first: the change of the difference, zigzag.
#[inline]
pub(super) fn write_time(into: &mut BitWriter, change: i64) {
    let code = zigzag(change);
    let class = match code {
        0 => 0,
        1..=0x40 => 1,
        0x41..=0x1040 => 2,
        0x1041..=0x10_1040 => 3,
        0x10_1041..=0x100_0010_103f => 4,
        _ => {
            into.write(0b11111, 5);
            return into.write(code, 64);
        }
    };
    into.write((1 << (class + 1)) - 2, class + 1);
    into.write(code.wrapping_sub(TIME_FIRST[class as usize]), TIME_BITS[class as usize]);
}

const TIME_FIRST: [u64; 5] = [0, 1, 0x41, 0x1041, 0x10_1041];

#[inline]
pub(super) fn read_time(from: &mut BitReader<'_>) -> Option<i64> {
    let class = from.ones(5)? as usize;
    let code = match class {
        0 => return Some(0),
        5 => from.read(64)?,
        _ => from.read(TIME_BITS[class])? + TIME_FIRST[class],
    };
    Some(unzigzag(code))
}

/// One value after another: `0` the same bits; `10` the changed bits lie where the last ones lay; `11` five bits
/// of leading zeros, six of their number less one, then they.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Xor {
    pub(super) bits: u64,
    leading: u32,
    /// Number of changed bits; zero before the first change.
    width: u32,
}

impl Xor {
    pub(crate) fn new(first: f64) -> Self {
        Self { bits: first.to_bits(), leading: 0, width: 0 }
    }

    #[inline]
    pub(crate) fn write(&mut self, into: &mut BitWriter, value: f64) {
        let change = self.bits ^ value.to_bits();
        self.bits = value.to_bits();
        if change == 0 {
            return into.write(0, 1);
        }
        let (leading, trailing) = (change.leading_zeros().min(31), change.trailing_zeros());
        let width = 64 - leading - trailing;
        let kept = 64_u32.wrapping_sub(self.leading + self.width);
        if self.width > 0 && leading >= self.leading && trailing >= kept && self.width < width + 11 {
            into.write(0b10, 2);
            return into.write(change >> kept, self.width);
        }
        (self.leading, self.width) = (leading, width);
        into.write(0b11 << 11 | u64::from(leading) << 6 | u64::from(width - 1), 13);
        into.write(change >> trailing, width);
    }

    #[inline]
    pub(crate) fn read(&mut self, from: &mut BitReader<'_>) -> Option<f64> {
        match from.ones(2)? {
            0 => return Some(f64::from_bits(self.bits)),
            1 if self.width > 0 => {}
            1 => return None,
            _ => {
                let window = from.read(11)? as u32;
                (self.leading, self.width) = (window >> 6, (window & 63) + 1);
                if self.leading + self.width > 64 {
                    return None;
                }
            }
        }
        self.bits ^= from.read(self.width)? << (64 - self.leading - self.width);
        Some(f64::from_bits(self.bits))
    }
}
