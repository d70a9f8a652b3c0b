//! What a histogram has to be before it is stored.

use crate::{Buckets, CUSTOM_BOUNDS, Histogram, MAX_SCHEMA, MIN_SCHEMA};

/// Most buckets of one histogram, both sides together: far above what instrumented programs send, and a bound of what
/// one sample costs in memory.
pub const MAX_BUCKETS: usize = 16_384;

/// Why something is no histogram.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// Bounds that nobody knows.
    #[error("schema {0}, expected {MIN_SCHEMA} to {MAX_SCHEMA}, or {CUSTOM_BOUNDS} for custom bounds")]
    Schema(i32),
    /// The width of the zero bucket.
    #[error("zero threshold {0}, expected a number from 0 on")]
    ZeroThreshold(f64),
    /// A number of observations that cannot be one.
    #[error("{what} of {count}, expected a number from 0 on")]
    Count {
        /// Whose count, as "bucket 3".
        what: String,
        /// The number given.
        count: f64,
    },
    /// Lists of different lengths.
    #[error("{indices} buckets with {counts} counts, expected as many of both")]
    Lengths {
        /// How many buckets are named.
        indices: usize,
        /// How many counts are given.
        counts: usize,
    },
    /// Buckets out of order, or one of them twice.
    #[error("bucket {next} follows bucket {bucket}, expected ascending buckets")]
    Order {
        /// One bucket.
        bucket: i32,
        /// The one that is listed behind it.
        next: i32,
    },
    /// More buckets than are taken.
    #[error("{0} buckets, expected at most {MAX_BUCKETS}")]
    TooMany(usize),
    /// Bounds of buckets that are no bounds.
    #[error("bound {bound} follows bound {before}, expected finite and ascending bounds")]
    Bounds {
        /// The bound before it; negative infinity for the first.
        before: f64,
        /// The bound.
        bound: f64,
    },
    /// Buckets or bounds that the schema does not have.
    #[error("{0}")]
    Mixed(&'static str),
}

impl Histogram {
    /// Tells whether this may be stored: known schema, ascending buckets, counts from 0 on, ascending bounds.
    ///
    /// # Errors
    /// The first thing that is wrong. Counts that are NaN are wrong, a sum that is NaN is not.
    pub fn check(&self) -> Result<(), Invalid> {
        let custom = self.schema == CUSTOM_BOUNDS;
        if !custom && !(MIN_SCHEMA..=MAX_SCHEMA).contains(&self.schema) {
            return Err(Invalid::Schema(self.schema));
        }
        if self.zero_threshold.is_nan() || self.zero_threshold < 0.0 {
            return Err(Invalid::ZeroThreshold(self.zero_threshold));
        }
        let buckets = self.positive.indices.len() + self.negative.indices.len();
        let all = buckets.max(self.custom_bounds.len());
        if all > MAX_BUCKETS {
            return Err(Invalid::TooMany(all));
        }
        counted(self.count, || "a count".to_owned())?;
        counted(self.zero_count, || "a zero count".to_owned())?;
        self.positive.check()?;
        self.negative.check()?;
        if custom { self.check_custom() } else { self.check_exponential() }
    }

    fn check_custom(&self) -> Result<(), Invalid> {
        let mut before = f64::NEG_INFINITY;
        for bound in &self.custom_bounds {
            if !bound.is_finite() || *bound <= before {
                return Err(Invalid::Bounds { before, bound: *bound });
            }
            before = *bound;
        }
        if !self.negative.indices.is_empty() {
            return Err(Invalid::Mixed("negative buckets with custom bounds, expected positive ones alone"));
        }
        if self.zero_count != 0.0 || self.zero_threshold != 0.0 {
            return Err(Invalid::Mixed("a zero bucket with custom bounds, expected none"));
        }
        let outside = |index: &i32| usize::try_from(*index).map_or(true, |at| at > self.custom_bounds.len());
        if self.positive.indices.iter().any(outside) {
            return Err(Invalid::Mixed(
                "a bucket without a bound, expected at most one more than custom bounds",
            ));
        }
        Ok(())
    }

    fn check_exponential(&self) -> Result<(), Invalid> {
        if self.custom_bounds.is_empty() {
            return Ok(());
        }
        Err(Invalid::Mixed("custom bounds with an exponential schema, expected none"))
    }
}

impl Buckets {
    fn check(&self) -> Result<(), Invalid> {
        let (indices, counts) = (self.indices.len(), self.counts.len());
        if indices != counts {
            return Err(Invalid::Lengths { indices, counts });
        }
        if let Some(pair) = self.indices.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Invalid::Order { bucket: pair[0], next: pair[1] });
        }
        let mut all = self.indices.iter().zip(&self.counts);
        all.try_for_each(|(index, count)| counted(*count, || format!("bucket {index} with a count")))
    }
}

fn counted(count: f64, what: impl FnOnce() -> String) -> Result<(), Invalid> {
    if count.is_nan() || count < 0.0 { Err(Invalid::Count { what: what(), count }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Histogram)) -> String {
        let mut histogram = Histogram {
            count: 3.0,
            positive: Buckets { indices: vec![-1, 4], counts: vec![1.0, 2.0] },
            ..Histogram::default()
        };
        histogram.check().unwrap();
        change(&mut histogram);
        histogram.check().unwrap_err().to_string()
    }

    fn custom(bounds: &[f64], change: impl FnOnce(&mut Histogram)) -> String {
        refused(|histogram| {
            histogram.schema = CUSTOM_BOUNDS;
            histogram.positive.indices = vec![0, 1];
            histogram.custom_bounds = bounds.to_vec();
            change(histogram);
        })
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(refused(|h| h.schema = 9), "schema 9, expected -4 to 8, or -53 for custom bounds");
        assert_eq!(refused(|h| h.zero_threshold = -1.0), "zero threshold -1, expected a number from 0 on");
        assert_eq!(refused(|h| h.count = f64::NAN), "a count of NaN, expected a number from 0 on");
        assert_eq!(
            refused(|h| h.positive.counts[1] = -2.0),
            "bucket 4 with a count of -2, expected a number from 0 on"
        );
        assert_eq!(
            refused(|h| h.positive.counts.truncate(1)),
            "2 buckets with 1 counts, expected as many of both"
        );
        assert_eq!(
            refused(|h| h.positive.indices[1] = -1),
            "bucket -1 follows bucket -1, expected ascending buckets"
        );
        assert_eq!(
            refused(|h| h.negative = Buckets { indices: (0..16_384).collect(), counts: vec![0.0; 16_384] }),
            "16386 buckets, expected at most 16384"
        );
        assert_eq!(
            refused(|h| h.custom_bounds = vec![1.0]),
            "custom bounds with an exponential schema, expected none"
        );
        assert_eq!(
            custom(&[1.0, 1.0], |_| ()),
            "bound 1 follows bound 1, expected finite and ascending bounds"
        );
        assert_eq!(
            custom(&[f64::INFINITY], |_| ()),
            "bound inf follows bound -inf, expected finite and ascending bounds"
        );
        assert_eq!(custom(&[1.0], |h| h.zero_count = 1.0), "a zero bucket with custom bounds, expected none");
        assert_eq!(
            custom(&[1.0], |h| h.negative = h.positive.clone()),
            "negative buckets with custom bounds, expected positive ones alone"
        );
        assert_eq!(
            custom(&[], |_| ()),
            "a bucket without a bound, expected at most one more than custom bounds"
        );
    }
}
