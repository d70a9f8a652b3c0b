//! A single histogram in a record: its bounds, its numbers, its buckets.

use streamflow_histogram::{Buckets, Histogram, plain};

use crate::chunk::layout::{read_bounds, read_indices, write_bounds, write_indices};
use crate::varint::{self, Reader};

/// Behind this stands f64; an even number is twice a whole number from 0 on.
const RAW: u64 = 1;

pub(crate) fn write(into: &mut Vec<u8>, histogram: &Histogram) {
    write_bounds(into, histogram);
    for number in [histogram.count, histogram.zero_count, histogram.sum] {
        write_number(into, number);
    }
    for buckets in [&histogram.positive, &histogram.negative] {
        write_indices(into, &buckets.indices);
        buckets.counts.iter().for_each(|count| write_number(into, *count));
    }
}

pub(crate) fn read(from: &mut Reader<'_>) -> Option<Histogram> {
    let mut histogram = read_bounds(from)?;
    for number in [&mut histogram.count, &mut histogram.zero_count, &mut histogram.sum] {
        *number = read_number(from)?;
    }
    for buckets in [&mut histogram.positive, &mut histogram.negative] {
        let indices = read_indices(from)?;
        let counts = indices.iter().map(|_| read_number(from)).collect::<Option<_>>()?;
        *buckets = Buckets { indices, counts };
    }
    Some(histogram)
}

fn write_number(into: &mut Vec<u8>, number: f64) {
    let whole = number as u64;
    if whole < 1 << 53 && (whole as f64).to_bits() == number.to_bits() {
        varint::write(into, whole << 1);
    } else {
        varint::write(into, RAW);
        into.extend_from_slice(&number.to_le_bytes());
    }
}

fn read_number(from: &mut Reader<'_>) -> Option<f64> {
    match from.unsigned()? {
        RAW => from.u64().map(|bits| plain(f64::from_bits(bits))),
        twice if twice % 2 == 0 => Some((twice >> 1) as f64),
        _ => None,
    }
}
