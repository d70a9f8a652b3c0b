//! Native histograms, made of points with exponential buckets or with bounds of their own, as Prometheus 3.5 makes them.

use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, MAX_BUCKETS, MAX_SCHEMA, MIN_SCHEMA};

use super::message::{ExponentialBuckets, ExponentialHistogramDataPoint, HistogramDataPoint};
use crate::native::{deltas, spans};
use crate::remote_write::NativeHistogram;

/// What a sender calls zero is not read: Prometheus takes this for every exponential histogram.
const ZERO_THRESHOLD: f64 = 1e-128;

/// The histogram of a point, without its time. Buckets finer than [`MAX_SCHEMA`] become coarser ones.
///
/// # Errors
/// A scale below [`MIN_SCHEMA`], and buckets that have no number of 32 bits, in words.
pub fn exponential(point: &ExponentialHistogramDataPoint) -> Result<NativeHistogram, String> {
    if point.scale < MIN_SCHEMA {
        return Err(format!("the scale {}, expected {MIN_SCHEMA} or more", point.scale));
    }
    let schema = point.scale.min(MAX_SCHEMA);
    let coarser_by = i64::from(point.scale) - i64::from(schema);
    let positive = side(point.positive.as_ref(), coarser_by)?;
    let negative = side(point.negative.as_ref(), coarser_by)?;
    Ok(NativeHistogram {
        count_int: Some(point.count),
        sum: point.sum.unwrap_or_default(),
        schema,
        zero_threshold: ZERO_THRESHOLD,
        zero_count_int: Some(point.zero_count),
        negative_spans: spans(&negative),
        negative_deltas: deltas(&negative.counts),
        positive_spans: spans(&positive),
        positive_deltas: deltas(&positive.counts),
        ..NativeHistogram::default()
    })
}

/// The histogram of a point with the bounds that it has, without its time.
pub fn with_custom_bounds(point: &HistogramDataPoint) -> NativeHistogram {
    let buckets = collected((0..).zip(&point.bucket_counts));
    NativeHistogram {
        count_int: Some(point.count),
        sum: point.sum.unwrap_or_default(),
        schema: CUSTOM_BOUNDS,
        positive_spans: spans(&buckets),
        positive_deltas: deltas(&buckets.counts),
        custom_values: point.explicit_bounds.clone(),
        ..NativeHistogram::default()
    }
}

fn side(of: Option<&ExponentialBuckets>, coarser_by: i64) -> Result<Buckets, String> {
    let Some(of) = of else { return Ok(Buckets::default()) };
    let last = i64::from(of.offset) + of.bucket_counts.len() as i64;
    if last > i64::from(i32::MAX) {
        return Err(format!("a bucket with the number {last}, expected at most {}", i32::MAX));
    }
    // Buckets are named by their upper bounds, those of OTLP by their lower ones. A shift by more than 63 is none.
    let shift = coarser_by.min(63);
    let index = |place: i64| (((i64::from(of.offset) + place) >> shift) + 1) as i32;
    Ok(collected((0..).map(index).zip(&of.bucket_counts)))
}

/// Those that are not empty; what follows one more than a histogram may have is left out, since it is refused anyhow.
fn collected<'a>(counts: impl Iterator<Item = (i32, &'a u64)>) -> Buckets {
    let mut buckets = Buckets::default();
    for (index, count) in counts.filter(|(_, count)| **count > 0) {
        let count = *count as f64;
        match buckets.counts.last_mut().filter(|_| buckets.indices.last() == Some(&index)) {
            Some(last) => *last += count,
            None if buckets.indices.len() > MAX_BUCKETS => break,
            None => {
                buckets.indices.push(index);
                buckets.counts.push(count);
            }
        }
    }
    buckets
}
