//! What a request and a look cost: rows of 14 features into a minute, and a verdict over 100 features and four windows.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use streamflow_live::{FeatureReference, Judge, Limits, Reference, Tracker, Value, Window, entity_hash};

/// A fixed sequence in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

const PLANS: [&str; 4] = ["free", "monthly", "student", "yearly"];

/// Every third column is of categories, the others are of numbers.
fn reference(columns: usize) -> Reference {
    let mut state = 7;
    let column = |at: usize| {
        let name = format!("feature_{at}");
        match at % 3 {
            2 => FeatureReference::categorical(name, PLANS.map(|plan| (plan, 1_760)), 3),
            _ => FeatureReference::numerical(name, (0..7_043).map(|_| uniform(&mut state)).collect()),
        }
    };
    Reference::new((0..columns).map(column).collect(), vec![])
}

fn row(columns: usize, state: &mut u64) -> Vec<Value<'static>> {
    let value = |at: usize| match at % 3 {
        2 => Value::Text(PLANS[(uniform(state) * 4.0) as usize]),
        _ => Value::Number(uniform(state)),
    };
    (0..columns).map(value).collect()
}

fn requests(criterion: &mut Criterion) {
    const ROWS: usize = 6_000;
    let reference = reference(14);
    let mut state = 1;
    let rows: Vec<_> = (0..ROWS).map(|at| (format!("{at:04}-USERS"), row(14, &mut state))).collect();
    let mut group = criterion.benchmark_group("minute");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("6000 requests of 14 features", |bencher| {
        bencher.iter_batched(
            || reference.open_minute(),
            |mut open| {
                for (at, (id, values)) in rows.iter().enumerate() {
                    open.add(&reference, entity_hash(1, id.as_bytes()), at as u64, values);
                }
                open
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn looks(criterion: &mut Criterion) {
    let reference = reference(100);
    let judge = Judge::new(&reference, &Limits::default());
    let live: Vec<Vec<u64>> = reference.columns().iter().map(|column| column.counts.clone()).collect();
    criterion.bench_function("verdict over 100 features and four windows", |bencher| {
        bencher.iter(|| {
            for window in Window::ALL {
                for (at, column) in reference.columns().iter().enumerate() {
                    let judged =
                        judge.judge(window, at, column.is_numerical(), &column.counts, black_box(&live[at]));
                    black_box(judged);
                }
            }
        });
    });

    // A day of ten entities a second, 16 features: the samples are merged too.
    let reference = self::reference(16);
    let mut tracker = Tracker::new(reference, &Limits::default());
    let mut state = 3;
    for minute in 0..1440 {
        let mut open = tracker.reference().open_minute();
        for at in 0..600_u64 {
            let id = (minute as u64 * 600 + at).to_le_bytes();
            open.add(
                tracker.reference(),
                entity_hash(1, &id),
                minute as u64 * 60_000 + at,
                &row(16, &mut state),
            );
        }
        tracker.add(open.close(minute)).expect("a minute of the same reference");
        tracker.look(minute);
    }
    criterion.bench_function("look at a day of ten a second, 16 features", |bencher| {
        bencher.iter(|| black_box(tracker.look(1439)));
    });
}

criterion_group!(benches, requests, looks);
criterion_main!(benches);
