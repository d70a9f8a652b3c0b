//! What holds for every histogram.
#![allow(clippy::unwrap_used)]

use proptest::collection::btree_map;
use proptest::prelude::*;
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, Keep, Mean, Total};

fn side() -> impl Strategy<Value = Buckets> {
    btree_map(-40i32..40, 1u32..1000, 0..8).prop_map(|counts| Buckets {
        indices: counts.keys().copied().collect(),
        counts: counts.values().map(|&count| f64::from(count)).collect(),
    })
}

fn total(histogram: &Histogram) -> f64 {
    histogram.buckets().map(|bucket| bucket.count).sum()
}

fn counted(mut histogram: Histogram) -> Histogram {
    histogram.count = histogram.positive.counts.iter().chain(&histogram.negative.counts).sum::<f64>()
        + histogram.zero_count;
    histogram
}

/// Exponential ones whose zero bucket overlaps no other.
fn exponential() -> impl Strategy<Value = Histogram> {
    (-2i32..=4, side(), side(), 0u32..50, -1e3..1e3f64).prop_map(|(schema, positive, negative, zero, sum)| {
        counted(Histogram {
            schema,
            positive,
            negative,
            zero_count: f64::from(zero),
            zero_threshold: 1e-100,
            sum,
            ..Histogram::default()
        })
    })
}

fn custom() -> impl Strategy<Value = Histogram> {
    (btree_map(-20i32..20, 0u32..100, 1..8), 0u32..100, -1e3..1e3f64).prop_map(|(bounds, last, sum)| {
        let mut counts: Vec<f64> = bounds.values().map(|&count| f64::from(count)).collect();
        counts.push(f64::from(last));
        counted(Histogram {
            schema: CUSTOM_BOUNDS,
            positive: Buckets { indices: (0..counts.len() as i32).collect(), counts },
            custom_bounds: bounds.keys().map(|&bound| f64::from(bound) / 2.0).collect(),
            sum,
            ..Histogram::default()
        })
    })
}

fn any() -> impl Strategy<Value = Histogram> {
    prop_oneof![exponential(), custom()]
}

/// Two of the same schema or bounds.
fn alike() -> impl Strategy<Value = (Histogram, Histogram)> {
    let same_schema = |(one, other): (Histogram, Histogram)| {
        let other = Histogram { schema: one.schema, ..other };
        (one, other)
    };
    let same_bounds = |(one, factor): (Histogram, u32)| {
        let mut other = one.clone();
        let counts = other.positive.counts.iter_mut().enumerate();
        counts.for_each(|(place, count)| *count = f64::from(factor) * (place % 3) as f64);
        (one, counted(other))
    };
    prop_oneof![
        (exponential(), exponential()).prop_map(same_schema),
        (custom(), 0u32..9).prop_map(same_bounds),
    ]
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

proptest! {
    #[test]
    fn buckets_ascend_and_do_not_overlap(histogram in any()) {
        let buckets: Vec<_> = histogram.buckets().collect();
        prop_assert!(buckets.iter().all(|bucket| bucket.lower < bucket.upper));
        prop_assert!(buckets.windows(2).all(|pair| pair[0].upper <= pair[1].lower));
        let mut backwards: Vec<_> = histogram.buckets().rev().collect();
        backwards.reverse();
        prop_assert_eq!(buckets, backwards);
    }

    #[test]
    fn a_coarser_schema_keeps_the_observations(histogram in exponential(), coarser in 0i32..5) {
        let coarse = histogram.coarsened(histogram.schema - coarser);
        prop_assert_eq!(total(&coarse), histogram.count);
        for bucket in histogram.buckets().filter(|bucket| bucket.lower > 0.0) {
            let holds = coarse.buckets().any(|wide| wide.lower <= bucket.lower && wide.upper >= bucket.upper);
            prop_assert!(holds, "{bucket} in {coarse}");
        }
    }

    #[test]
    fn sums_do_not_depend_on_the_order(one in exponential(), other in exponential(), wider in 0.0..4.0f64) {
        let other = Histogram { zero_threshold: wider, ..other };
        let (sum, _) = one.plus(&other).unwrap();
        let (turned, _) = other.plus(&one).unwrap();
        prop_assert_eq!(&sum, &turned);
        prop_assert_eq!(sum.count, one.count + other.count);
        prop_assert!(sum.schema <= one.schema.min(other.schema));
        prop_assert!(sum.zero_threshold >= one.zero_threshold.max(other.zero_threshold));
        let all = sum.positive.counts.iter().chain(&sum.negative.counts).sum::<f64>() + sum.zero_count;
        prop_assert!(near(all, sum.count), "{sum}");
    }

    #[test]
    fn custom_bounds_of_a_sum_are_those_of_both(one in custom(), other in custom()) {
        let (sum, joined) = one.plus(&other).unwrap();
        prop_assert!(sum.custom_bounds.iter().all(|bound| one.custom_bounds.contains(bound)));
        prop_assert!(sum.custom_bounds.iter().all(|bound| other.custom_bounds.contains(bound)));
        prop_assert_eq!(joined.bounds_reconciled, one.custom_bounds != other.custom_bounds);
        prop_assert!(near(total(&sum), one.count + other.count));
    }

    #[test]
    fn what_is_added_can_be_taken_away((one, other) in alike()) {
        let back = one.plus(&other).unwrap().0.minus(&other).unwrap().0;
        prop_assert!(near(back.count, one.count) && near(back.sum, one.sum));
        prop_assert_eq!(&back.positive, &one.clone().compacted().positive);
        prop_assert_eq!(&back.negative, &one.compacted().negative);
    }

    #[test]
    fn exponential_and_custom_bounds_have_nothing_in_common(one in exponential(), other in custom()) {
        prop_assert!(one.plus(&other).is_err() && other.minus(&one).is_err());
        prop_assert!(one.fell_since(&other));
    }

    #[test]
    fn what_grows_was_not_reset((one, more) in alike()) {
        prop_assert!(!one.was_reset_since(&one));
        let grown = one.plus(&more).unwrap().0;
        prop_assert!(!grown.was_reset_since(&one));
        prop_assert!(more.count == 0.0 || one.was_reset_since(&grown));
    }

    #[test]
    fn a_mean_is_a_sum_by_how_many(first in exponential(), rest in proptest::collection::vec(exponential(), 0..5)) {
        let (mut total, mut mean) = (Total::of(&first), Mean::of(&first));
        for histogram in &rest {
            total.add(histogram).unwrap();
            mean.add(histogram).unwrap();
        }
        let (sum, mean) = (total.finish(), mean.finish());
        let count = (rest.len() + 1) as f64;
        prop_assert!(near(mean.count * count, sum.count) && near(mean.sum * count, sum.sum));
        prop_assert_eq!(mean.positive.indices, sum.positive.indices);
    }

    #[test]
    fn quantiles_rise_and_shares_are_their_inverse(histogram in exponential(), q in 0.0..1.0f64, more in 0.0..1.0f64) {
        prop_assume!(histogram.count > 0.0);
        let (value, _) = histogram.quantile(q);
        let (higher, _) = histogram.quantile(q + (1.0 - q) * more);
        prop_assert!(value <= higher * (1.0 + 1e-12 * higher.signum()) || near(value, higher));
        let first = histogram.buckets().find(|bucket| bucket.count > 0.0).unwrap();
        let last = histogram.buckets().rev().find(|bucket| bucket.count > 0.0).unwrap();
        prop_assert!((value >= first.lower || near(value, first.lower)) && (value <= last.upper || near(value, last.upper)));
        let share = histogram.fraction(f64::NEG_INFINITY, value);
        prop_assert!((share - q).abs() < 1e-6 || value.abs() <= histogram.zero_threshold, "{share} for {q}");
    }

    #[test]
    fn what_is_cut_is_on_one_side_or_the_other(histogram in exponential(), at in -50.0..50.0f64) {
        let (below, above) = (histogram.trimmed(at, Keep::Below), histogram.trimmed(at, Keep::Above));
        prop_assert!(near(below.count + above.count, histogram.count), "{below} and {above} of {histogram}");
        prop_assume!(histogram.count > 0.0);
        prop_assert!(near(below.count, histogram.fraction(f64::NEG_INFINITY, at) * histogram.count));
        prop_assert!(below.buckets().all(|bucket| bucket.lower < at) || at == 0.0);
    }

    #[test]
    fn nothing_panics(one in any(), other in any(), q in any_number(), at in any_number()) {
        let _ = one.plus(&other).map(|(sum, _)| sum.quantile(q));
        let _ = (one.quantile(q), one.fraction(q, at), one.trimmed(at, Keep::Above), one.times(q), one.divided_by(at));
        let _ = (one.trimmed(at, Keep::Below).to_string(), one.to_script(), one.variance(), other.was_reset_since(&one));
    }
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        -2.0..2.0f64,
        proptest::num::f64::ANY,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
    ]
}

#[test]
fn small_terms_survive_large_ones() {
    let of = |sum: f64| Histogram { sum, count: 1.0, ..Histogram::default() };
    let mut total = Total::of(&of(1.0));
    [1e100, 1.0, -1e100].iter().for_each(|&sum| {
        let _ = total.add(&of(sum)).unwrap();
    });
    assert_eq!(total.finish().sum, 2.0);
}

#[test]
fn a_mean_survives_overflow() {
    let of = |count: f64| Histogram { count, ..Histogram::default() };
    let mut mean = Mean::of(&of(f64::MAX));
    mean.add(&of(f64::MAX)).unwrap();
    mean.add(&of(f64::MAX)).unwrap();
    assert!((mean.finish().count / f64::MAX - 1.0).abs() < 1e-12);
}

#[test]
fn texts() {
    let histogram = Histogram {
        count: 10.0,
        sum: 5.5,
        zero_threshold: 0.25,
        zero_count: 1.0,
        positive: Buckets { indices: vec![1, 3], counts: vec![2.0, 4.0] },
        negative: Buckets { indices: vec![0], counts: vec![3.0] },
        ..Histogram::default()
    };
    assert_eq!(histogram.to_string(), "{count:10, sum:5.5, [-1,-0.5):3, [-0.25,0.25]:1, (1,2]:2, (4,8]:4}");
    assert_eq!(
        histogram.to_script(),
        "{{count:10 sum:5.5 z_bucket:1 z_bucket_w:0.25 offset:1 buckets:[2 0 4] n_buckets:[3]}}"
    );
    let custom = Histogram {
        schema: CUSTOM_BOUNDS,
        count: 2.0,
        positive: Buckets { indices: vec![0, 1], counts: vec![1.0, 1.0] },
        custom_bounds: vec![0.5],
        ..Histogram::default()
    };
    assert_eq!(custom.to_string(), "{count:2, sum:0, [-Inf,0.5]:1, (0.5,+Inf]:1}");
}

#[test]
fn the_outermost_buckets_have_finite_bounds_but_for_infinite_observations() {
    for (schema, last) in [(0, 1024), (-4, 64), (8, 1024 * 256), (3, 1024 * 8)] {
        let of = |index| Histogram {
            schema,
            positive: Buckets { indices: vec![index], counts: vec![1.0] },
            ..Histogram::default()
        };
        assert_eq!(of(last).buckets().next().unwrap().upper, f64::MAX, "{schema}");
        assert_eq!(of(last + 1).buckets().next().unwrap().upper, f64::INFINITY, "{schema}");
        assert!(of(-last).buckets().next().unwrap().lower < 1e-300, "{schema}");
    }
}
