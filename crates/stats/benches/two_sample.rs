//! One function per statistic on a million rows a side, from a fixed seed. `sort` is the yardstick: everything on
//! samples is one scan after it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use streamflow_stats::*;

const ROWS: usize = 1_000_000;

/// Sums of four uniform numbers: continuous, without ties.
fn rows(seed: u64, shift: f64) -> Vec<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..ROWS).map(|_| uniform() + uniform() + uniform() + uniform() + shift).collect()
}

fn from_rows(criterion: &mut Criterion) {
    let (reference, current) = (rows(1, 0.0), rows(2, 0.001));
    let mut group = criterion.benchmark_group("from_rows");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let both = || (reference.clone(), current.clone());
    group.bench_function("sort", |bencher| {
        bencher.iter_batched_ref(
            both,
            |(reference, current)| {
                reference.sort_unstable_by(f64::total_cmp);
                current.sort_unstable_by(f64::total_cmp);
            },
            BatchSize::PerIteration,
        );
    });
    let sample = |rows| Sample::new(rows).expect("no NaN");
    group.bench_function("wasserstein_distance", |bencher| {
        bencher.iter_batched(
            both,
            |(reference, current)| wasserstein_distance(&sample(reference), &sample(current)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("ks_2samp", |bencher| {
        bencher.iter_batched(
            both,
            |(reference, current)| ks_2samp(&sample(reference), &sample(current)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn from_samples(criterion: &mut Criterion) {
    let sample = |seed, shift| Sample::new(rows(seed, shift)).expect("no NaN");
    let (reference, current) = (&sample(1, 0.0), &sample(2, 0.001));
    let mut group = criterion.benchmark_group("from_samples");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut bench = |name: &str, statistic: &dyn Fn() -> bool| {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(statistic())));
    };
    bench("ks_2samp", &|| ks_2samp(reference, current).is_ok());
    bench("wasserstein_distance", &|| wasserstein_distance(reference, current).is_ok());
    bench("energy_distance", &|| energy_distance(reference, current).is_ok());
    bench("cramervonmises_2samp", &|| cramervonmises_2samp(reference, current).is_ok());
    bench("anderson_ksamp", &|| anderson_ksamp(reference, current).is_ok());
    bench("mannwhitneyu", &|| mannwhitneyu(reference, current, Alternative::TwoSided).is_ok());
    bench("ttest_ind", &|| ttest_ind(reference, current, Variances::Equal).is_ok());
    bench("epps_singleton_2samp", &|| epps_singleton_2samp(reference, current).is_ok());
    bench("cohens_d", &|| cohens_d(reference, current).is_ok());
    bench("mmd, 10 permutations", &|| {
        mmd(reference, current, Permutations { iterations: 10, seed: 1 }).is_ok()
    });
    group.finish();
}

fn from_counts(criterion: &mut Criterion) {
    let counts = |seed| -> Vec<u64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..1000).map(|_| 500 + random.next_u64() % 1000).collect()
    };
    let (reference, current) = (&counts(1), &counts(2));
    let shares = |counts: &[u64]| counts.iter().map(|&count| count as f64).collect::<Vec<_>>();
    let (p, q) = (&shares(reference), &shares(current));
    let mut group = criterion.benchmark_group("a_thousand_categories");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    let mut bench = |name: &str, statistic: &dyn Fn() -> bool| {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(statistic())));
    };
    bench("chi2_contingency", &|| chi2_contingency(reference, current).is_ok());
    bench("chisquare", &|| chisquare(p, p).is_ok());
    bench("g_test", &|| g_test(p, p).is_ok());
    bench("jensenshannon", &|| jensenshannon(p, q).is_ok());
    bench("kl_div", &|| kl_div(p, q).is_ok());
    bench("psi", &|| psi(p, q).is_ok());
    bench("hellinger", &|| hellinger(p, q).is_ok());
    bench("total_variation_distance", &|| total_variation_distance(p, q).is_ok());
    let permutations = Permutations { iterations: 100, seed: 1 };
    bench("total_variation_test, 100 permutations", &|| {
        total_variation_test(reference, current, permutations).is_ok()
    });
    bench("fisher_exact, a million rows", &|| fisher_exact([[250_100, 250_000], [249_800, 250_100]]).is_ok());
    group.finish();
}

criterion_group!(benches, from_rows, from_samples, from_counts);
criterion_main!(benches);
