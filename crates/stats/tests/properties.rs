//! What holds for every input: symmetry, bounds, invariances, and that rows and pairs are the same data.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_stats::*;

type Numeric = fn(&Sample, &Sample) -> Result<f64, Error>;

/// Every function of two samples, as one number; p-values second.
const STATISTICS: [(&str, Numeric, Numeric); 6] = [
    ("ks_2samp", |r, c| Ok(ks_2samp(r, c)?.statistic), |r, c| Ok(ks_2samp(r, c)?.p_value)),
    (
        "cramervonmises_2samp",
        |r, c| Ok(cramervonmises_2samp(r, c)?.statistic),
        |r, c| Ok(cramervonmises_2samp(r, c)?.p_value),
    ),
    ("anderson_ksamp", |r, c| Ok(anderson_ksamp(r, c)?.statistic), |r, c| Ok(anderson_ksamp(r, c)?.p_value)),
    (
        "epps_singleton_2samp",
        |r, c| Ok(epps_singleton_2samp(r, c)?.statistic),
        |r, c| Ok(epps_singleton_2samp(r, c)?.p_value),
    ),
    (
        "ttest_ind",
        |r, c| Ok(ttest_ind(r, c, Variances::Unequal)?.statistic.abs()),
        |r, c| Ok(ttest_ind(r, c, Variances::Unequal)?.p_value),
    ),
    (
        "mannwhitneyu",
        |r, c| Ok(mannwhitneyu(r, c, Alternative::TwoSided)?.p_value),
        |r, c| Ok(mannwhitneyu(r, c, Alternative::TwoSided)?.p_value),
    ),
];
const DISTANCES: [(&str, Numeric); 4] = [
    ("wasserstein_distance", wasserstein_distance),
    ("energy_distance", energy_distance),
    ("cohens_d", |r, c| cohens_d(r, c).map(f64::abs)),
    ("standardized_wasserstein", standardized_wasserstein),
];
/// A bounded divergence of two lists, and its largest value.
type Divergence = (&'static str, fn(&[f64], &[f64]) -> Result<f64, Error>, f64);
const DIVERGENCES: [Divergence; 4] = [
    ("jensenshannon", jensenshannon, 0.832_554_611_157_698),
    ("hellinger", hellinger, 1.0),
    ("total_variation_distance", total_variation_distance, 1.0),
    ("psi", psi, f64::INFINITY),
];

/// Rows with and without ties.
fn rows() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(-1e3..1e3_f64, 0..60),
        prop::collection::vec((-6..6_i32).prop_map(f64::from), 0..60),
    ]
}

fn sample(rows: &[f64]) -> Sample {
    Sample::new(rows.to_vec()).unwrap()
}

fn same(left: &Result<f64, Error>, right: &Result<f64, Error>) -> bool {
    match (left, right) {
        (Ok(left), Ok(right)) => left.to_bits() == right.to_bits(),
        (left, right) => left.is_err() && right.is_err(),
    }
}

fn near(left: f64, right: f64) -> bool {
    left == right || (left.is_nan() && right.is_nan()) || (left - right).abs() <= 1e-9 * (1.0 + left.abs())
}

proptest! {
    #[test]
    fn pairs_and_row_order_give_the_same_bits(reference in rows(), current in rows()) {
        let pairs = |rows: &[f64]| Sample::from_counts(rows.iter().rev().map(|&value| (value, 1))).unwrap();
        let (r, c) = (sample(&reference), sample(&current));
        let (r2, c2) = (pairs(&reference), pairs(&current));
        prop_assert_eq!(&r, &r2);
        for (name, statistic, p) in STATISTICS {
            prop_assert!(same(&statistic(&r, &c), &statistic(&r2, &c2)), "{}", name);
            prop_assert!(same(&p(&r, &c), &p(&r2, &c2)), "{}", name);
        }
        for (name, distance) in DISTANCES {
            prop_assert!(same(&distance(&r, &c), &distance(&r2, &c2)), "{}", name);
        }
        let settings = Bootstrap { resamples: 5, confidence: 0.9, seed: 3 };
        prop_assert_eq!(
            bootstrap_interval(&r, &c, wasserstein_distance, settings),
            bootstrap_interval(&r2, &c2, wasserstein_distance, settings)
        );
    }

    #[test]
    fn sides_may_be_swapped(reference in rows(), current in rows()) {
        let (r, c) = (sample(&reference), sample(&current));
        for (name, statistic, p) in STATISTICS {
            if let (Ok(there), Ok(back)) = (statistic(&r, &c), statistic(&c, &r)) {
                // Two distinct values make the Epps–Singleton covariance singular: rounding then decides its rank.
                if name == "epps_singleton_2samp" && r.distinct() + c.distinct() < 12 {
                    continue;
                }
                prop_assert!((there - back).abs() <= 1e-6 * (1.0 + there.abs()) || there == back, "{} {} {}", name, there, back);
                let (there, back) = (p(&r, &c).unwrap(), p(&c, &r).unwrap());
                prop_assert!((there - back).abs() <= 1e-6, "{} {} {}", name, there, back);
            }
        }
        for (name, distance) in &DISTANCES[..3] {
            if let (Ok(there), Ok(back)) = (distance(&r, &c), distance(&c, &r)) {
                prop_assert!(near(there, back), "{} {} {}", name, there, back);
            }
        }
    }

    #[test]
    fn probabilities_and_distances_stay_in_range(reference in rows(), current in rows()) {
        let (r, c) = (sample(&reference), sample(&current));
        for (name, _, p) in STATISTICS {
            if let Ok(p) = p(&r, &c) {
                prop_assert!((0.0..=1.0).contains(&p), "{} {}", name, p);
            }
        }
        for (name, distance) in DISTANCES {
            if let Ok(distance) = distance(&r, &c) {
                prop_assert!(distance >= 0.0, "{} {}", name, distance);
            }
            if let Ok(distance) = distance(&r, &r) {
                prop_assert!(distance == 0.0, "{} {} of equal samples", name, distance);
            }
        }
    }

    #[test]
    fn powers_of_two_scale_exactly(reference in rows(), current in rows(), exponent in -20..20_i32) {
        let factor = 2_f64.powi(exponent);
        let scaled = |rows: &[f64]| sample(&rows.iter().map(|value| value * factor).collect::<Vec<_>>());
        let (r, c, r2, c2) = (sample(&reference), sample(&current), scaled(&reference), scaled(&current));
        if let (Ok(before), Ok(after)) = (wasserstein_distance(&r, &c), wasserstein_distance(&r2, &c2)) {
            prop_assert_eq!(before * factor, after);
        }
        for (name, _, p) in &STATISTICS[..3] {
            prop_assert!(same(&p(&r, &c), &p(&r2, &c2)), "{}", name);
        }
        prop_assert!(same(&standardized_wasserstein(&r, &c), &standardized_wasserstein(&r2, &c2)));
    }

    #[test]
    fn divergences_are_symmetric_and_bounded(
        counts in prop::collection::vec((0..50_u64, 0..50_u64), 0..12)
    ) {
        let (reference, current): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
        let shares = |counts: &[u64]| counts.iter().map(|&count| count as f64).collect::<Vec<_>>();
        let (p, q) = (shares(&reference), shares(&current));
        for (name, divergence, most) in DIVERGENCES {
            if let Ok(there) = divergence(&p, &q) {
                prop_assert!((0.0..=most + 1e-12).contains(&there), "{} {}", name, there);
                prop_assert!(near(there, divergence(&q, &p).unwrap()), "{}", name);
                prop_assert_eq!(divergence(&p, &p), Ok(0.0));
            }
        }
        let there = chi2_contingency(&reference, &current);
        if let Ok(there) = there {
            let back = chi2_contingency(&current, &reference).unwrap();
            prop_assert!(near(there.statistic, back.statistic));
            prop_assert!((0.0..=1.0).contains(&cramers_v(&reference, &current).unwrap()));
        }
    }

    #[test]
    fn adjusted_p_values_are_no_smaller_and_keep_their_order(p in prop::collection::vec(0.0..=1.0_f64, 0..30)) {
        let adjusted = benjamini_hochberg(&p);
        for (before, after) in p.iter().zip(&adjusted) {
            prop_assert!(after >= before && *after <= 1.0);
            for (other_before, other_after) in p.iter().zip(&adjusted) {
                prop_assert!(before > other_before || after <= other_after);
            }
        }
    }

    #[test]
    fn fisher_exact_is_the_sum_over_all_tables(a in 0..12_u64, b in 0..12_u64, c in 0..12_u64, d in 0..12_u64) {
        let found = fisher_exact([[a, b], [c, d]]).unwrap().p_value;
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64);
        let weight = |x: u64| choose(a + b, x) * choose(c + d, a + c - x);
        let tables = (a + c).saturating_sub(c + d)..=(a + b).min(a + c);
        let all: f64 = tables.clone().map(weight).sum();
        let extreme: f64 = tables.map(weight).filter(|weight_of| *weight_of <= weight(a) * (1.0 + 1e-9)).sum();
        prop_assert!((found - extreme / all).abs() < 1e-9, "{} {}", found, extreme / all);
    }
}

#[test]
fn a_bootstrap_interval_holds_the_effect_and_repeats() {
    let shifted = |shift: f64| sample(&(0..400).map(|i| f64::from(i % 97) + shift).collect::<Vec<_>>());
    let settings = Bootstrap { resamples: 300, confidence: 0.95, seed: 11 };
    let interval = bootstrap_interval(&shifted(0.0), &shifted(20.0), cohens_d, settings).unwrap();
    let effect = cohens_d(&shifted(0.0), &shifted(20.0)).unwrap();
    assert!(interval.low < effect && effect < interval.high, "{interval:?} around {effect}");
    // Standard error of d near √(2/400): the interval is about four of them wide.
    assert!((0.2..0.4).contains(&(interval.high - interval.low)), "{interval:?}");
    let again = bootstrap_interval(&shifted(0.0), &shifted(20.0), cohens_d, settings).unwrap();
    assert_eq!(interval, again);
    let counts = bootstrap_interval_counts(&[40, 60], &[70, 30], cramers_v, settings).unwrap();
    assert!(counts.low < 0.3 && 0.3 < counts.high, "{counts:?}");
}

#[test]
fn degenerate_samples_have_an_answer() {
    let empty = sample(&[]);
    let infinite = sample(&[f64::INFINITY, 1.0, 2.0, 3.0, f64::NEG_INFINITY]);
    let huge = sample(&[f64::MAX, -f64::MAX, 1.0, 2.0, 5.0]);
    let constant = sample(&[2.5; 9]);
    for (name, statistic, p) in STATISTICS {
        assert!(statistic(&empty, &constant).is_err(), "{name} of an empty reference");
        for pair in
            [(&infinite, &constant), (&huge, &constant), (&constant, &constant), (&infinite, &infinite)]
        {
            if let Ok(p) = p(pair.0, pair.1) {
                assert!(p.is_nan() || (0.0..=1.0).contains(&p), "{name}: {p}");
            }
        }
    }
    assert_eq!(
        wasserstein_distance(&infinite, &constant),
        Err(Error::Infinite { side: "reference", value: f64::NEG_INFINITY })
    );
    assert_eq!(ks_2samp(&constant, &constant), Ok(TestResult { statistic: 0.0, p_value: 1.0 }));
    let equal_means = ttest_ind(&constant, &constant, Variances::Equal).unwrap();
    assert_eq!(equal_means, TestResult { statistic: 0.0, p_value: 1.0 });
    assert!(chisquare(&[3.0], &[3.0]).unwrap().p_value.is_nan());
    assert_eq!(chisquare(&[3.0, 1.0], &[4.0, 0.0]).unwrap().p_value, 0.0);
    assert!(matches!(chisquare(&[1.0, 2.0], &[9.0, 9.0]), Err(Error::UnequalTotals { .. })));
    assert!(matches!(jensenshannon(&[1.0], &[1.0, 2.0]), Err(Error::UnequalLengths { .. })));
    assert!(matches!(psi(&[f64::NAN], &[1.0]), Err(Error::InvalidCount { .. })));
    assert!(matches!(chi2_contingency(&[0, 0], &[1, 2]), Err(Error::NoObservations { side: "reference" })));
}
