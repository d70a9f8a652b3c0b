//! Native histograms as messages have them: spans of buckets that follow each other, with counts or with each count's
//! difference from the last one's.

use prost::Message;
use streamflow_histogram::{Buckets, Histogram, MAX_BUCKETS};

use crate::error::Error;

/// Integers up to here are floats exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Buckets that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct BucketSpan {
    /// Of the first span the first bucket; of the others how many buckets are left out before it.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many buckets.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

fn refused(reason: String) -> Error {
    Error::Histogram(reason)
}

/// The buckets of a side. Histograms of integers have `deltas`, others `counts`.
pub(crate) fn buckets(
    side: &'static str,
    spans: &[BucketSpan],
    deltas: &[i64],
    counts: &[f64],
) -> Result<Buckets, Error> {
    let counts = if deltas.is_empty() { counts.to_vec() } else { added_up(side, deltas)? };
    let indices = indices(side, spans)?;
    if indices.len() != counts.len() {
        let (named, given) = (indices.len(), counts.len());
        return Err(refused(format!(
            "{side} spans of {named} buckets and {given} counts, expected as many of both"
        )));
    }
    Ok(Buckets { indices, counts })
}

fn indices(side: &'static str, spans: &[BucketSpan]) -> Result<Vec<i32>, Error> {
    let length: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if length > MAX_BUCKETS as u64 {
        return Err(refused(format!("{side} spans of {length} buckets, expected at most {MAX_BUCKETS}")));
    }
    let mut indices = Vec::with_capacity(length as usize);
    let mut next = 0_i64;
    for (place, span) in spans.iter().enumerate() {
        if place > 0 && span.offset < 0 {
            let offset = span.offset;
            return Err(refused(format!(
                "{side} span {} with the offset {offset}, expected one from 0 on after the first span",
                place + 1
            )));
        }
        let start = next + i64::from(span.offset);
        next = start + i64::from(span.length);
        if next > i64::from(i32::MAX) {
            return Err(refused(format!(
                "{side} span {} that ends at the bucket {next}, expected buckets up to {}",
                place + 1,
                i32::MAX
            )));
        }
        indices.extend((start..next).map(|index| index as i32));
    }
    Ok(indices)
}

fn added_up(side: &'static str, deltas: &[i64]) -> Result<Vec<f64>, Error> {
    let mut count = 0_i64;
    deltas
        .iter()
        .map(|delta| match count.checked_add(*delta) {
            Some(sum) if sum >= 0 => {
                count = sum;
                Ok(sum as f64)
            }
            _ => Err(refused(format!("a {side} count of {count}{delta:+}, expected a number from 0 on"))),
        })
        .collect()
}

/// What a histogram of integers counts, before it becomes floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integers<'a> {
    pub count: u64,
    pub zero_count: u64,
    /// Of both sides.
    pub deltas: [&'a [i64]; 2],
}

impl Integers<'_> {
    /// What is in the buckets, whose counts have been read and are from 0 on.
    fn in_buckets(&self) -> u128 {
        let counts = self.deltas.into_iter().flat_map(|deltas| {
            deltas.iter().scan(0_i64, |count, delta| {
                *count = count.saturating_add(*delta);
                Some(u128::from(count.unsigned_abs()))
            })
        });
        counts.fold(u128::from(self.zero_count), |sum, count| sum + count)
    }
}

/// Refuses what is no histogram, and a histogram of integers that counts more or less than its buckets.
pub(crate) fn checked(histogram: Histogram, integers: Option<Integers<'_>>) -> Result<Histogram, Error> {
    histogram.check().map_err(|invalid| refused(invalid.to_string()))?;
    let Some(integers) = integers else { return Ok(histogram) };
    let (count, counted) = (integers.count, integers.in_buckets());
    if !counts_its_buckets(u128::from(count), counted, histogram.sum) {
        return Err(refused(format!("a count of {count}, expected the {counted} of its buckets")));
    }
    Ok(histogram)
}

/// Tells whether all observations are in buckets, but for those that are NaN.
fn counts_its_buckets(count: u128, counted: u128, sum: f64) -> bool {
    counted == count || (sum.is_nan() && counted < count)
}

/// The spans of buckets.
pub(crate) fn spans(buckets: &Buckets) -> Vec<BucketSpan> {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0_i64;
    for index in buckets.indices.iter().copied().map(i64::from) {
        match spans.last_mut().filter(|_| index == next) {
            Some(last) => last.length += 1,
            None => {
                let gap = index - next;
                // A gap is at most the range of 32 bits; only one from the lowest to the highest buckets is wider than
                // an offset can say, and no histogram reaches over both.
                let offset = i32::try_from(gap).unwrap_or(i32::MAX);
                spans.push(BucketSpan { offset, length: 1 });
            }
        }
        next = index + 1;
    }
    spans
}

/// Each count's difference from the last one's.
pub(crate) fn deltas(counts: &[f64]) -> Vec<i64> {
    let mut last = 0;
    let step = |count: &f64| {
        let step = *count as i64 - last;
        last = *count as i64;
        step
    };
    counts.iter().map(step).collect()
}

/// Tells whether this may be sent as a histogram of integers: all counts are whole numbers that are floats exactly, and
/// they are what receivers of integers check.
pub(crate) fn is_of_integers(histogram: &Histogram) -> bool {
    let whole = |count: &f64| (0.0..=EXACT_MAX).contains(count) && count.fract() == 0.0;
    let sides = [&histogram.positive, &histogram.negative];
    let counts = || sides.into_iter().flat_map(|side| &side.counts).chain([&histogram.zero_count]);
    whole(&histogram.count) && counts().all(whole) && {
        let counted = counts().map(|count| *count as u128).sum();
        counts_its_buckets(histogram.count as u128, counted, histogram.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    #[test]
    fn spans_and_deltas_come_back() {
        let spans_of = [span(-3, 2), span(4, 1), span(0, 1)];
        let read = buckets("positive", &spans_of, &[1, 1, -2, 5], &[]).unwrap();
        assert_eq!(read.indices, [-3, -2, 3, 4]);
        assert_eq!(read.counts, [1.0, 2.0, 0.0, 5.0]);
        assert_eq!(spans(&read), [span(-3, 2), span(4, 2)]);
        assert_eq!(deltas(&read.counts), [1, 1, -2, 5]);
        assert_eq!(buckets("positive", &[span(0, 0)], &[], &[]).unwrap(), Buckets::default());
    }

    #[test]
    fn absurd_spans_are_refused_by_name() {
        for (spans, deltas, expected) in [
            (
                vec![span(0, u32::MAX)],
                vec![1],
                "positive spans of 4294967295 buckets, expected at most 16384",
            ),
            (vec![span(0, u32::MAX); 3], vec![1], "positive spans of 12884901885 buckets"),
            (vec![span(i32::MAX, 2)], vec![1, 1], "positive span 1 that ends at the bucket 2147483649"),
            (
                vec![span(0, 1), span(i32::MAX, 1)],
                vec![1, 1],
                "positive span 2 that ends at the bucket 2147483649",
            ),
            (vec![span(0, 1), span(-1, 1)], vec![1, 1], "positive span 2 with the offset -1"),
            (vec![span(0, 2)], vec![1], "positive spans of 2 buckets and 1 counts"),
            (vec![], vec![1], "positive spans of 0 buckets and 1 counts"),
            (vec![span(0, 2)], vec![1, -2], "a positive count of 1-2, expected a number from 0 on"),
            (vec![span(0, 2)], vec![i64::MAX, 1], "a positive count of 9223372036854775807+1"),
        ] {
            let error = buckets("positive", &spans, &deltas, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn integers_count_what_is_in_their_buckets() {
        let of = |count: f64, sum: f64| Histogram {
            count,
            sum,
            positive: Buckets { indices: vec![0], counts: vec![2.0] },
            ..Histogram::default()
        };
        let integers = |count| Some(Integers { count, zero_count: 0, deltas: [&[2], &[]] });
        assert!(checked(of(2.0, 1.0), integers(2)).is_ok());
        assert!(checked(of(3.0, f64::NAN), integers(3)).is_ok());
        assert!(checked(of(3.0, 1.0), None).is_ok());
        for (wrong, count) in [(of(3.0, 1.0), 3), (of(1.0, f64::NAN), 1)] {
            let error = checked(wrong, integers(count)).unwrap_err().to_string();
            assert!(error.contains("expected the 2 of its buckets"), "{error}");
        }
    }
    #[test]
    fn counts_that_are_no_floats_are_held_to_their_buckets_as_integers() {
        let large = 1_u64 << 60;
        let of = |count: u64| Histogram { count: count as f64, sum: 1.0, ..Histogram::default() };
        let deltas = [large as i64, 1 - large as i64, large as i64 - 1];
        let integers = |count| Some(Integers { count, zero_count: 3, deltas: [&deltas, &[]] });
        let right = 2 * large + 4;
        assert!(checked(of(right), integers(right)).is_ok());
        // As floats both are the same.
        let error = checked(of(right + 1), integers(right + 1)).unwrap_err().to_string();
        assert!(
            error.contains("a count of 2305843009213693957, expected the 2305843009213693956"),
            "{error}"
        );
        let most = [i64::MAX, 0, 0];
        let overflowing = Integers { count: u64::MAX, zero_count: u64::MAX, deltas: [&most, &most] };
        assert!(checked(of(u64::MAX), Some(overflowing)).is_err());
    }

    #[test]
    fn whole_counts_whose_sum_is_no_float_are_sent_as_floats() {
        let half = EXACT_MAX / 2.0;
        let of = |counts: Vec<f64>, count: f64| Histogram {
            count,
            positive: Buckets { indices: (0..counts.len() as i32).collect(), counts },
            ..Histogram::default()
        };
        assert!(is_of_integers(&of(vec![half, half], EXACT_MAX)));
        assert!(!is_of_integers(&of(vec![half, half, 1.0], EXACT_MAX)));
    }
}
