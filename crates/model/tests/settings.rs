//! What each setting of training does, seen in the answers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use streamflow_model::{
    Answers, BinaryMetrics, Calibration, ClassWeight, Direction, FeatureColumn, FeatureValue, Features,
    Labels, Search, Table, Task, TrainSettings, Trained, TreeSettings, Trees, Validation, WeightRule, train,
};

/// Numbers in [0, 1) that look random and are the same everywhere.
fn noise(n: usize, salt: u64) -> Vec<f64> {
    let number = |i: u64| {
        let mut x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n as u64).map(number).collect()
}

fn users(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("U{i:05}")).collect()
}

fn numbers(columns: &[(&str, Vec<f64>)]) -> Features {
    let column =
        |(name, values): &(&str, Vec<f64>)| (name.to_string(), FeatureColumn::Numerical(values.clone()));
    Features::new(columns.iter().map(column).collect()).unwrap()
}

fn quick() -> TrainSettings {
    TrainSettings { max_depths: vec![3], folds: 2, max_rounds: 80, ..TrainSettings::default() }
}

/// One row in ten is positive; two features tell something of it.
fn rare(n: usize) -> (Features, Labels) {
    let (x, z, e) = (noise(n, 1), noise(n, 2), noise(n, 3));
    let positive = |row: usize| 0.25 * x[row] * x[row] + 0.1 * z[row] > e[row];
    let labels = Labels::Binary((0..n).map(|row| Some(positive(row))).collect());
    (numbers(&[("x", x.clone()), ("z", z.clone())]), labels)
}

fn metrics(trained: &Trained) -> &BinaryMetrics {
    trained.metrics.binary().unwrap()
}

fn mean_probability(trained: &Trained, features: &Features) -> f64 {
    let Answers::Probability(all) = trained.model.predict(features).unwrap().answers else { panic!() };
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn balanced_weights_lift_the_rare_class_and_calibration_brings_its_share_back() {
    let n = 8000;
    let (features, labels) = rare(n);
    let fit = |class_weight: &ClassWeight, calibration| {
        let settings = TrainSettings { class_weight: class_weight.clone(), calibration, ..quick() };
        train(&features, &labels, &users(n), &settings).unwrap()
    };
    let balanced = ClassWeight::Rule(WeightRule::Balanced);
    let plain = fit(&ClassWeight::Equal, Calibration::None);
    let weighted = fit(&balanced, Calibration::None);
    let share = metrics(&plain).positive_rate;
    assert!((mean_probability(&plain, &features) - share).abs() < 0.02);
    assert!(mean_probability(&weighted, &features) > 3.0 * share, "{share}");
    // As if every positive row were there so many times.
    let times = (1.0 - share) / share;
    let own = fit(&ClassWeight::Of([("true".to_owned(), times)].into()), Calibration::None);
    assert!((mean_probability(&own, &features) - mean_probability(&weighted, &features)).abs() < 0.03);
    let corrected = fit(&balanced, Calibration::Sigmoid);
    assert!((mean_probability(&corrected, &features) - share).abs() < 0.02);
    let error = |trained: &Trained| metrics(trained).expected_calibration_error;
    assert!(error(&corrected) < error(&weighted) / 5.0, "{} {}", error(&corrected), error(&weighted));
    assert!((metrics(&corrected).auc - metrics(&weighted).auc).abs() < 1e-9, "the order is the same");
    let found = corrected.record.selection.calibration.as_ref().unwrap();
    assert!(found.slope > 0.0 && found.intercepts[0] < -1.0 && found.rows > 5000, "{found:?}");
    let parent = tempfile::tempdir().unwrap();
    corrected.save(&parent.path().join("model")).unwrap();
    assert_eq!(Trained::load(&parent.path().join("model")).unwrap(), corrected);
}

#[test]
fn weights_of_several_classes_and_their_calibration() {
    let n = 6000;
    let (x, e) = (noise(n, 1), noise(n, 3));
    let class = |row: usize| match x[row] + 0.6 * (e[row] - 0.5) {
        z if z > 1.0 => 2,
        z if z > 0.5 => 1,
        _ => 0,
    };
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let labels = Labels::Multiclass { codes: (0..n).map(class).collect(), classes };
    let features = numbers(&[("x", x.clone())]);
    let share = |settings: &TrainSettings| {
        let trained = train(&features, &labels, &users(n), settings).unwrap();
        let Answers::Probabilities(rows) = trained.model.predict(&features).unwrap().answers else {
            panic!()
        };
        rows.iter().map(|row| row[2]).sum::<f64>() / n as f64
    };
    let truth = (0..n).filter(|&row| class(row) == 2).count() as f64 / n as f64;
    let balanced = TrainSettings { class_weight: ClassWeight::Rule(WeightRule::Balanced), ..quick() };
    assert!((share(&quick()) - truth).abs() < 0.01);
    assert!(share(&balanced) > truth * 1.8, "{truth} {}", share(&balanced));
    let corrected = TrainSettings { calibration: Calibration::Sigmoid, ..balanced };
    assert!((share(&corrected) - truth).abs() < 0.01, "{truth} {}", share(&corrected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The label follows a wave of `x`, so that trees without the constraint go up and down.
    #[test]
    fn a_constraint_makes_the_answer_monotone_on_a_grid(seed in 0_u64..10_000, rising: bool, is_number: bool) {
        let n = 600;
        let (mut x, z, e) = (noise(n, seed), noise(n, seed + 1), noise(n, seed + 2));
        let truth = |row: usize| (6.0 * x[row]).sin() + z[row] * x[row] + e[row];
        let labels = match is_number {
            true => Labels::Regression((0..n).map(truth).collect()),
            false => Labels::Binary((0..n).map(|row| Some(truth(row) > 0.8)).collect()),
        };
        (0..n).step_by(9).for_each(|row| x[row] = f64::NAN);
        let features = numbers(&[("x", x), ("z", z)]);
        let direction = if rising { Direction::Increasing } else { Direction::Decreasing };
        let monotone: BTreeMap<_, _> = [("x".to_owned(), direction)].into();
        let fit = |monotone| {
            let settings = TrainSettings { max_depths: vec![5], min_leaf_weight: 1.0, monotone, ..quick() };
            train(&features, &labels, &users(n), &settings).unwrap()
        };
        let answers = |trained: &Trained, z: f64| -> Vec<f64> {
            let answer = |step: i32| {
                let x = f64::from(step) / 100.0;
                match trained.model.answer(&[FeatureValue::Number(x), FeatureValue::Number(z)]).unwrap() {
                    streamflow_model::Answer::Probability(p) => p,
                    streamflow_model::Answer::Value(value) => value,
                    other => panic!("{other:?}"),
                }
            };
            (-10..=110).map(answer).collect()
        };
        let keeps = |values: &[f64]| values.windows(2).all(|pair| if rising { pair[1] >= pair[0] } else { pair[1] <= pair[0] });
        let constrained = fit(monotone);
        for z in 0..=20 {
            let values = answers(&constrained, f64::from(z) / 20.0);
            prop_assert!(keeps(&values), "{values:?}");
        }
        prop_assert!(!keeps(&answers(&fit(BTreeMap::new()), 0.5)), "without the constraint it goes both ways");
    }
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let n = 300;
    let (features, labels) = rare(n);
    let error = |labels: &Labels, settings: TrainSettings| {
        train(&features, labels, &users(n), &settings).unwrap_err().to_string()
    };
    let monotone =
        |name: &str| TrainSettings { monotone: [(name.to_owned(), Direction::Increasing)].into(), ..quick() };
    assert_eq!(
        error(&labels, monotone("tenure")),
        "monotone names \"tenure\", which is no feature; expected numerical features: x, z"
    );
    let amounts = Labels::Regression(noise(n, 9));
    let calibrated = TrainSettings { calibration: Calibration::Sigmoid, ..quick() };
    let not_for = "is set, and is not for a regression; leave it out, or change dataset.label.task";
    assert_eq!(error(&amounts, calibrated), format!("calibration {not_for}"));
    let balanced = TrainSettings { class_weight: ClassWeight::Rule(WeightRule::Balanced), ..quick() };
    assert_eq!(error(&amounts, balanced), format!("class_weight {not_for}"));
    let time = TrainSettings { validation: Validation::Time, ..quick() };
    assert_eq!(error(&labels, time), "validation is \"time\", which needs rows that are held out");
    let codes = (0..n as u32).map(|row| row % 3).collect();
    let classes = Labels::Multiclass { codes, classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    assert!(
        error(&classes, monotone("x")).starts_with("monotone is set, and is not for a classifier of several")
    );
    let category = Features::new(vec![
        ("x".to_owned(), FeatureColumn::Numerical(noise(n, 1))),
        ("plan".to_owned(), FeatureColumn::Categorical { codes: vec![0; n], levels: vec!["a".to_owned()] }),
    ]);
    let refused = train(&category.unwrap(), &labels, &users(n), &monotone("plan")).unwrap_err().to_string();
    assert_eq!(
        refused,
        "monotone names \"plan\", which is a category and has no order; expected numerical features: x"
    );
}

#[test]
fn rows_that_are_held_out_by_time_judge_and_teach_nothing() {
    let n = 1200;
    let (features, labels) = rare(n);
    let Labels::Binary(known) = &labels else { panic!() };
    let users = users(n);
    let entities: Vec<&str> = users.iter().map(String::as_str).collect();
    let held_out: Vec<bool> = (0..n).map(|row| row >= 900).collect();
    let settings = TrainSettings { validation: Validation::Time, ..quick() };
    let fit = |labels: &Labels| {
        let table = Table { features: &features, labels, entities: &entities, held_out: Some(&held_out) };
        streamflow_model::train_table(&table, &settings, &mut |_| ControlFlow::Continue(())).unwrap()
    };
    let trained = fit(&labels);
    assert_eq!((metrics(&trained).n_train, metrics(&trained).n_validation), (900, 300));
    let turned =
        known.iter().enumerate().map(|(row, label)| label.map(|label| label != held_out[row])).collect();
    let other = fit(&Labels::Binary(turned));
    assert_eq!(other.model, trained.model);
    assert!((metrics(&other).auc - (1.0 - metrics(&trained).auc)).abs() < 1e-12);
}

#[test]
fn a_search_tries_what_it_is_told_to_and_is_the_same_again() {
    let n = 2000;
    let (features, labels) = rare(n);
    let users = users(n);
    let entities: Vec<&str> = users.iter().map(String::as_str).collect();
    let table = Table { features: &features, labels: &labels, entities: &entities, held_out: None };
    let settings = TrainSettings { folds: 4, search: Some(Search::Trials(12)), ..quick() };
    let mut seen = Vec::new();
    let trained = streamflow_model::train_table(&table, &settings, &mut |progress| {
        seen.push(progress.clone());
        ControlFlow::Continue(())
    })
    .unwrap();
    let selection = &trained.record.selection;
    // The default depth, and twelve of which six and then three go on.
    assert_eq!(selection.candidates.len(), 13);
    let on = |folds: Option<usize>| selection.candidates.iter().filter(|tried| tried.folds == folds).count();
    assert_eq!([on(Some(1)), on(Some(2)), on(None)], [6, 3, 4]);
    let best = selection.candidates.iter().filter(|tried| tried.folds.is_none()).map(|tried| tried.loss());
    let least = best.fold(f64::MAX, f64::min);
    assert_eq!(seen.last().unwrap().best_loss, least);
    assert_eq!(seen.last().unwrap().trials, 12);
    assert!(seen.windows(2).all(|pair| pair[1].best_loss <= pair[0].best_loss));
    let chosen = selection.candidates.iter().find(|tried| tried.loss() == least).unwrap();
    assert_eq!((chosen.max_depth, chosen.searched), (selection.max_depth, selection.searched));
    let mut go_on = |_: &_| ControlFlow::Continue(());
    assert_eq!(streamflow_model::train_table(&table, &settings, &mut go_on).unwrap(), trained);
    // Broken off at once, it is what it is without a search.
    let endless = TrainSettings { search: Some(Search::UntilStopped), ..settings.clone() };
    let stopped = streamflow_model::train_table(&table, &endless, &mut |_| ControlFlow::Break(())).unwrap();
    let plain = TrainSettings { search: None, ..settings };
    let plain = streamflow_model::train_table(&table, &plain, &mut go_on).unwrap();
    assert_eq!(stopped.model, plain.model);
}

#[test]
fn trees_are_the_same_on_any_number_of_threads() {
    let n = 150_000;
    let columns: Vec<Vec<f64>> = (0..6)
        .map(|salt| noise(n, salt).into_iter().map(|x| if x < 0.05 { f64::NAN } else { x }).collect())
        .collect();
    let e = noise(n, 77);
    let value =
        |column: usize, row: usize| if columns[column][row].is_nan() { 0.9 } else { columns[column][row] };
    let label = |row: usize| f64::from(u8::from(value(0, row) * value(1, row) + 0.3 * e[row] > 0.45));
    let labels: Vec<f64> = (0..n).map(label).collect();
    let tree = TreeSettings { max_depth: 6, learning_rate: 0.1, l2: 1.0, min_leaf_weight: 5.0 };
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Trees::fit(&columns, &labels, Task::Binary, 5, &tree).unwrap())
    };
    let one = fit(1);
    assert_eq!(fit(3), one);
    assert!(Trees::fit(&columns, &labels[1..], Task::Binary, 5, &tree).is_err());
}
