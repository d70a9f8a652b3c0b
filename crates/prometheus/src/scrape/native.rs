//! Native histograms of a scrape: how fine they may be, and classic ones that become some.

use std::sync::Arc;

use streamflow_exposition::{ClassicHistogram, Sample};
use streamflow_histogram::{CUSTOM_BOUNDS, Histogram, MAX_SCHEMA, MIN_SCHEMA};
use streamflow_prometheus_yml::NativeHistograms;

/// The histogram as coarse as its job wants it; an error where that is not coarse enough.
pub(super) fn bounded(
    histogram: &Arc<Histogram>,
    wanted: &NativeHistograms,
) -> Result<Arc<Histogram>, String> {
    let mut bounded = Arc::clone(histogram);
    let coarser = |histogram: &Histogram, schema: i32| Arc::new(histogram.coarsened(schema).into_owned());
    let finest = max_schema(wanted.min_bucket_factor);
    if bounded.schema != CUSTOM_BOUNDS && bounded.schema > finest {
        bounded = coarser(&bounded, finest);
    }
    if wanted.bucket_limit == 0 {
        return Ok(bounded);
    }
    let buckets = |histogram: &Histogram| histogram.positive.indices.len() + histogram.negative.indices.len();
    while buckets(&bounded) as u64 > wanted.bucket_limit {
        if bounded.schema <= MIN_SCHEMA {
            let (buckets, limit) = (buckets(&bounded), wanted.bucket_limit);
            return Err(format!(
                "native_histogram_bucket_limit exceeded: {buckets} buckets, the limit is {limit}"
            ));
        }
        bounded = coarser(&bounded, bounded.schema - 1);
    }
    Ok(bounded)
}

/// The finest schema whose bounds are at least this factor apart: of schema `n` they are `2^(2^-n)` apart.
fn max_schema(factor: f64) -> i32 {
    if factor.is_nan() || factor <= 1.0 {
        return MAX_SCHEMA;
    }
    let schema = (-factor.log2().log2()).floor();
    schema.clamp(f64::from(MIN_SCHEMA), f64::from(MAX_SCHEMA)) as i32
}

/// Gathers the series of classic histograms in texts, where their samples stand together.
#[derive(Debug, Default)]
pub(super) struct Gathered<'a> {
    /// Family and labels but `le`.
    histogram: String,
    samples: Vec<Sample<'a>>,
}

impl<'a> Gathered<'a> {
    /// Takes a sample in; `None` for one that is no part of a classic histogram of the family. What was gathered of
    /// another histogram before is given back.
    pub fn take(&mut self, family: &str, sample: &Sample<'a>) -> Option<Self> {
        let histogram = ClassicHistogram::of_series(family, sample.series)?;
        let before = if histogram == self.histogram {
            Self::default()
        } else {
            std::mem::replace(self, Self { histogram, samples: Vec::new() })
        };
        self.samples.push(sample.clone());
        Some(before)
    }

    /// What was gathered.
    pub fn end(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The samples as they came.
    pub fn samples(&self) -> &[Sample<'a>] {
        &self.samples
    }

    /// The native histogram that they are together, with the text that names its series; nothing where they are none.
    pub fn native(&self) -> Option<Sample<'_>> {
        let first = self.samples.first()?;
        let histogram = ClassicHistogram::of_samples(&self.samples).ok()?;
        Some(Sample {
            series: &self.histogram,
            value: 0.0,
            timestamp_ms: first.timestamp_ms,
            exemplars: self.samples.iter().flat_map(|sample| sample.exemplars.iter().cloned()).collect(),
            histogram: Some(Arc::new(histogram)),
            start_ms: first.start_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use streamflow_histogram::Buckets;

    use super::*;

    #[test]
    fn the_factor_bounds_the_schema() {
        for (factor, expected) in [
            (0.0, 8),
            (1.0, 8),
            (f64::NAN, 8),
            (1.002, 8),
            (1.003, 7),
            (1.1, 2),
            (2.0, 0),
            (2.1, -1),
            (65536.0, -4),
            (1e300, -4),
        ] {
            assert_eq!(max_schema(factor), expected, "{factor}");
        }
    }

    #[test]
    fn too_many_buckets_become_fewer() {
        let fine = Arc::new(Histogram {
            schema: 3,
            count: 64.0,
            positive: Buckets { indices: (1..=64).collect(), counts: vec![1.0; 64] },
            ..Histogram::default()
        });
        let check = |bucket_limit, min_bucket_factor, expected: (i32, usize)| {
            let wanted = NativeHistograms { bucket_limit, min_bucket_factor, ..NativeHistograms::default() };
            let found = bounded(&fine, &wanted).unwrap();
            assert_eq!((found.schema, found.positive.indices.len()), expected);
            assert_eq!(found.positive.counts.iter().sum::<f64>(), 64.0);
        };
        check(0, 0.0, (3, 64));
        check(64, 0.0, (3, 64));
        check(63, 0.0, (2, 32));
        check(1, 0.0, (-3, 1));
        check(0, 1.5, (0, 8));
        let custom = Arc::new(Histogram {
            schema: CUSTOM_BOUNDS,
            custom_bounds: vec![1.0],
            positive: Buckets { indices: vec![0, 1], counts: vec![1.0; 2] },
            ..Histogram::default()
        });
        let wanted = NativeHistograms { bucket_limit: 1, ..NativeHistograms::default() };
        let error = bounded(&custom, &wanted).unwrap_err();
        assert_eq!(error, "native_histogram_bucket_limit exceeded: 2 buckets, the limit is 1");
    }
}
