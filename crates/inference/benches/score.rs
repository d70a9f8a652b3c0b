//! Scores of a model as large as those that are served: 500 trees of depth 6.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_inference::{Model, Value};

const FEATURES: usize = 14;
const DEPTH: u32 = 6;
const TREES: usize = 500;

/// A generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1 << 24) as f64
    }
}

/// A LightGBM file of full trees.
fn file() -> String {
    let mut numbers = Numbers(1);
    let names: Vec<String> = (0..FEATURES).map(|feature| format!("f{feature}")).collect();
    let mut file = format!(
        "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=binary sigmoid:1\nfeature_names={}\n\
         feature_infos={}\n",
        names.join(" "),
        ["[0:1]"; FEATURES].join(" ")
    );
    let splits = (1 << DEPTH) - 1;
    let list = |count: usize, item: &mut dyn FnMut(usize) -> String| -> String {
        (0..count).map(item).collect::<Vec<_>>().join(" ")
    };
    // The children of split i are 2i+1 and 2i+2, the last of which are leaves.
    let child = |node: usize| if node < splits { node as i64 } else { !((node - splits) as i64) };
    for tree in 0..TREES {
        let features = list(splits, &mut |_| ((numbers.next() * FEATURES as f64) as usize).to_string());
        let thresholds = list(splits, &mut |_| numbers.next().to_string());
        let left = list(splits, &mut |node| child(2 * node + 1).to_string());
        let right = list(splits, &mut |node| child(2 * node + 2).to_string());
        let values = list(splits + 1, &mut |_| (numbers.next() - 0.5).to_string());
        file += &format!(
            "\nTree={tree}\nnum_leaves={}\nsplit_feature={features}\nthreshold={thresholds}\ndecision_type={}\n\
             left_child={left}\nright_child={right}\nleaf_value={values}\n",
            splits + 1,
            ["8"].repeat(splits).join(" "),
        );
    }
    file + "\nend of trees\n"
}

fn score(c: &mut Criterion) {
    let file = file();
    let model = Model::read(file.as_bytes()).expect("a model");
    let mut numbers = Numbers(2);
    let values: Vec<Value> = (0..4096 * FEATURES).map(|_| Value::Number(numbers.next())).collect();
    let mut group = c.benchmark_group("500 trees of depth 6");
    let mut row = 0;
    group.bench_function("one row", |b| {
        b.iter(|| {
            row = (row + 1) % 4096;
            black_box(model.predict(&values[row * FEATURES..][..FEATURES]).expect("numbers"))
        });
    });
    group.throughput(Throughput::Elements(4096));
    group.bench_function("4096 rows", |b| b.iter(|| black_box(model.predict(&values).expect("numbers"))));
    group.finish();
    c.bench_function("reading 500 trees", |b| {
        b.iter(|| Model::read(black_box(file.as_bytes())).expect("a model"))
    });
}

criterion_group!(benches, score);
criterion_main!(benches);
