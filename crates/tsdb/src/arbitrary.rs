//! Values for the tests of this crate: numbers of any bits, and histograms of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, ResetHint};

use crate::samples::STALE_NAN;
use crate::value::Value;

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-9_i64..9).prop_map(|n| n as f64),
        Just(STALE_NAN),
        Just(-0.0),
    ];
    prop_oneof![
        number.prop_map(Value::float),
        histogram().prop_map(|histogram| Value::histogram(Arc::new(histogram))),
    ]
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![
        (0_u32..50).prop_map(f64::from),
        0.0..1e300_f64,
        Just(f64::INFINITY),
        Just(9_007_199_254_740_993.0)
    ]
}

fn buckets(indices: std::ops::Range<i32>) -> impl Strategy<Value = Buckets> {
    proptest::collection::btree_map(indices, count(), 0..12).prop_map(|map: BTreeMap<i32, f64>| Buckets {
        indices: map.keys().copied().collect(),
        counts: map.values().copied().collect(),
    })
}

/// What [`Histogram::check`] takes.
pub(crate) fn histogram() -> impl Strategy<Value = Histogram> {
    let reset = prop_oneof![
        Just(ResetHint::Unknown),
        Just(ResetHint::Reset),
        Just(ResetHint::NoReset),
        Just(ResetHint::Gauge)
    ];
    let threshold = prop_oneof![Just(0.0), Just(2_f64.powi(-128)), Just(0.001)];
    let sum = prop_oneof![-1e9..1e9_f64, Just(f64::NAN), (-9..9).prop_map(f64::from)];
    let shared = (reset, -4..=8_i32, threshold, count(), count(), sum);
    let exponential = (shared, buckets(-20..20), buckets(i32::MIN..i32::MAX)).prop_map(
        |((reset, schema, zero_threshold, zero_count, count, sum), positive, negative)| {
            let custom_bounds = Vec::new();
            Histogram {
                reset,
                schema,
                zero_threshold,
                zero_count,
                count,
                sum,
                positive,
                negative,
                custom_bounds,
            }
        },
    );
    let custom = (count(), buckets(0..3)).prop_map(|(count, positive)| Histogram {
        schema: CUSTOM_BOUNDS,
        count,
        positive,
        custom_bounds: vec![-0.5, 1.0],
        ..Histogram::default()
    });
    prop_oneof![3 => exponential, 1 => custom]
}
