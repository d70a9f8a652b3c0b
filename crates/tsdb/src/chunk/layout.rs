//! What histograms have beside their numbers: the bounds of their buckets, and which of them are there.

use streamflow_histogram::{CUSTOM_BOUNDS, Histogram, MAX_BUCKETS, MAX_SCHEMA, MIN_SCHEMA, ResetHint};

use crate::varint::{self, Reader};

/// Added to the reset of the first byte: a zero threshold of f64 follows; without it, it is 0,
const THRESHOLD: u8 = 4;
/// or with this, what instrumented programs use if they are not told otherwise.
const USUAL_THRESHOLD: u8 = 8;
const USUAL: f64 = f64::from_bits(0x37f0_0000_0000_0000);

/// The bounds of a histogram's buckets.
pub(crate) fn write_bounds(into: &mut Vec<u8>, histogram: &Histogram) {
    let threshold = match histogram.zero_threshold {
        zero if zero.to_bits() == 0 => 0,
        usual if usual.to_bits() == USUAL.to_bits() => USUAL_THRESHOLD,
        _ => THRESHOLD,
    };
    into.push(reset_code(histogram.reset) | threshold);
    varint::write_signed(into, i64::from(histogram.schema));
    if threshold == THRESHOLD {
        into.extend_from_slice(&histogram.zero_threshold.to_le_bytes());
    }
    if histogram.schema == CUSTOM_BOUNDS {
        varint::write(into, histogram.custom_bounds.len() as u64);
        histogram.custom_bounds.iter().for_each(|bound| into.extend_from_slice(&bound.to_le_bytes()));
    }
}

/// A histogram without numbers.
pub(crate) fn read_bounds(from: &mut Reader<'_>) -> Option<Histogram> {
    let flags = from.byte()?;
    let schema = i32::try_from(from.signed()?).ok()?;
    let is_known = schema == CUSTOM_BOUNDS || (MIN_SCHEMA..=MAX_SCHEMA).contains(&schema);
    let zero_threshold = match flags & !3 {
        0 => 0.0,
        USUAL_THRESHOLD => USUAL,
        THRESHOLD => f64::from_bits(from.u64()?),
        _ => return None,
    };
    let mut custom_bounds = Vec::new();
    if schema == CUSTOM_BOUNDS {
        for _ in 0..from.count()? {
            custom_bounds.push(f64::from_bits(from.u64()?));
        }
    }
    let reset = reset_of(flags & 3);
    is_known.then(|| Histogram { reset, schema, zero_threshold, custom_bounds, ..Histogram::default() })
}

pub(crate) fn reset_code(reset: ResetHint) -> u8 {
    match reset {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NoReset => 2,
        ResetHint::Gauge => 3,
    }
}

pub(crate) fn reset_of(code: u8) -> ResetHint {
    match code & 3 {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NoReset,
        _ => ResetHint::Gauge,
    }
}

/// Which buckets: their number, the first, and how many are left out before each other one.
pub(crate) fn write_indices(into: &mut Vec<u8>, indices: &[i32]) {
    varint::write(into, indices.len() as u64);
    let Some(first) = indices.first() else { return };
    varint::write_signed(into, i64::from(*first));
    for pair in indices.windows(2) {
        varint::write(into, (i64::from(pair[1]) - i64::from(pair[0]) - 1) as u64);
    }
}

/// As written, at most twice as many as a histogram may have.
pub(crate) fn read_indices(from: &mut Reader<'_>) -> Option<Vec<i32>> {
    let count = from.count().filter(|count| *count <= 4 * MAX_BUCKETS)?;
    let mut indices = Vec::with_capacity(count);
    for _ in 0..count {
        let index = match indices.last() {
            None => from.signed()?,
            Some(last) => {
                i64::from(*last) + 1 + i64::try_from(from.unsigned()?).ok().filter(|gap| *gap < 1 << 32)?
            }
        };
        indices.push(i32::try_from(index).ok()?);
    }
    Some(indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_threshold_is_two_to_the_power_of_minus_128() {
        assert_eq!(USUAL.to_bits(), 2_f64.powi(-128).to_bits());
    }
}
