//! Prometheus's chunks of native histograms, one histogram each.
//!
//! A chunk may hold many histograms of one layout as their differences; one that holds a single histogram is as valid,
//! takes more bytes, and may follow any other, whatever its layout. Counts are written as floats.
//!
//! Source: `tsdb/docs/format/chunks.md` of Prometheus, "Float histogram chunk data".

use streamflow_histogram::{Buckets, Histogram, ResetHint};

use super::bits::Bits;
use crate::native::spans;

/// Says that a zero threshold follows in full.
const THRESHOLD_IN_FULL: u64 = 255;

/// The chunk of a histogram at a time in milliseconds since 1970.
pub fn encode(timestamp_ms: i64, histogram: &Histogram) -> Vec<u8> {
    let reset = match histogram.reset {
        ResetHint::Unknown => 0b0000_0000,
        ResetHint::NoReset => 0b0100_0000,
        ResetHint::Reset => 0b1000_0000,
        ResetHint::Gauge => 0b1100_0000,
    };
    let mut bits = Bits::after(vec![0, 1, reset]);
    layout(histogram, &mut bits);
    bits.signed(timestamp_ms);
    for number in [histogram.count, histogram.zero_count, histogram.sum] {
        bits.push(number.to_bits(), 64);
    }
    for count in histogram.positive.counts.iter().chain(&histogram.negative.counts) {
        bits.push(count.to_bits(), 64);
    }
    bits.into_bytes()
}

/// Which buckets there are, and where they end.
fn layout(histogram: &Histogram, bits: &mut Bits) {
    if histogram.zero_threshold == 0.0 {
        bits.push(0, 8);
    } else {
        bits.push(THRESHOLD_IN_FULL, 8);
        bits.push(histogram.zero_threshold.to_bits(), 64);
    }
    bits.signed(histogram.schema.into());
    side(&histogram.positive, bits);
    side(&histogram.negative, bits);
    if histogram.has_custom_bounds() {
        bits.unsigned(histogram.custom_bounds.len() as u64);
        for bound in &histogram.custom_bounds {
            bits.push(0, 1);
            bits.push(bound.to_bits(), 64);
        }
    }
}

fn side(buckets: &Buckets, bits: &mut Bits) {
    let spans = spans(buckets);
    bits.unsigned(spans.len() as u64);
    for span in spans {
        bits.unsigned(span.length.into());
        bits.signed(span.offset.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from the description of the format.
    #[test]
    fn the_bits_are_those_of_the_format() {
        let one = |number: f64| number.to_bits().to_be_bytes();
        // Threshold 0 in eight bits; schema 0, no spans below and above, the time 0: one bit each.
        let empty = encode(0, &Histogram { count: 2.0, ..Histogram::default() });
        assert_eq!(empty[..4], [0, 1, 0, 0]);
        // Four bits of zeros, then the count.
        let count = u64::from_be_bytes(one(2.0)) >> 4;
        assert_eq!(empty[4..12], count.to_be_bytes());
        assert_eq!(empty.len(), 4 + 25);
        let gauge = Histogram {
            reset: ResetHint::Gauge,
            schema: 3,
            zero_threshold: 0.25,
            count: 1.0,
            positive: Buckets { indices: vec![5], counts: vec![1.0] },
            ..Histogram::default()
        };
        let bytes = encode(1, &gauge);
        assert_eq!(bytes[..4], [0, 1, 0b1100_0000, 255]);
        assert_eq!(bytes[4..12], one(0.25));
        // Schema 3: 10 011. One span: 10 001. Its length 1: 10 001. Its offset 5, beyond three bits: 110 000101. No
        // span below zero: 0. The time 1: 10 001. The count: 0 01111111111 …
        assert_eq!(bytes[12..17], [0b1001_1100, 0b0110_0011, 0b1000_0101, 0b0100_0100, 0b1111_1111]);
    }
}
