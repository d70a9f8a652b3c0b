//! Training from made-up tables: every refusal, determinism, and what odd columns do.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod two_classes;

use proptest::prelude::*;
use streamflow_model::{
    Answers, Error, FeatureColumn, FeatureValue, Features, Labels, MISSING, Metrics, Model, Task,
    TrainSettings, Trained, is_validation,
};
use two_classes::{metrics, probability, train};

/// Numbers in [0, 1) that look random and are the same everywhere.
fn noise(n: usize, salt: u64) -> Vec<f64> {
    (0..n as u64)
        .map(|i| {
            let mut x =
                (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        })
        .collect()
}

fn users(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("U{i:05}")).collect()
}

fn number(name: &str, values: Vec<f64>) -> (String, FeatureColumn) {
    (name.to_string(), FeatureColumn::Numerical(values))
}

fn category(name: &str, codes: Vec<u32>, levels: &[&str]) -> (String, FeatureColumn) {
    let levels = levels.iter().map(|level| level.to_string()).collect();
    (name.to_string(), FeatureColumn::Categorical { codes, levels })
}

fn quick() -> TrainSettings {
    TrainSettings { max_depths: vec![2], folds: 2, max_rounds: 60, ..TrainSettings::default() }
}

#[test]
fn refuses_with_a_reason() {
    let n = 200;
    let x = || Features::new(vec![number("x", noise(n, 1))]).unwrap();
    let labels = |of: &dyn Fn(usize) -> Option<bool>| (0..n).map(of).collect::<Vec<_>>();
    let half = labels(&|i| Some(i % 2 == 0));
    let names = users(n);
    let error = |features: &Features, labels: &[Option<bool>], users: &[String], settings: &TrainSettings| {
        train(features, labels, users, settings).unwrap_err().to_string()
    };
    let empty = Features::new(vec![number("x", vec![])]).unwrap();
    assert_eq!(error(&empty, &[], &[], &quick()), "no rows were given; expected one row per entity");
    let none = Features::new(vec![]).unwrap();
    assert_eq!(error(&none, &[], &[], &quick()), "no features were given; expected at least one");
    assert_eq!(error(&x(), &half[1..], &names, &quick()), "labels has 199 rows, but 200 were expected");
    assert_eq!(error(&x(), &half, &names[1..], &quick()), "entities has 199 rows, but 200 were expected");
    assert_eq!(
        error(&x(), &labels(&|_| None), &names, &quick()),
        "all 200 labels are missing; expected true or false for at least some rows"
    );
    let message = error(&x(), &labels(&|_| Some(true)), &names, &quick());
    assert!(message.starts_with("the training part has one class only: 1"), "{message}");
    assert!(message.ends_with("positive and 0 negative labels; both are needed"), "{message}");
    let trained_positive = labels(&|i| Some(i % 2 == 0 && !is_validation(42, &names[i], 0.25)));
    let message = error(&x(), &trained_positive, &names, &quick());
    assert!(message.starts_with("the validation part has one class only: 0 positive and "), "{message}");
    let few = labels(&|i| (i < 20).then_some(i % 2 == 0));
    let message = error(&x(), &few, &names, &quick());
    assert!(
        message.starts_with("the training part has 1") && message.ends_with("at least 20 are needed"),
        "{message}"
    );
    let message = error(&x(), &half, &names, &TrainSettings { validation_share: 0.01, ..quick() });
    assert!(message.starts_with("the validation part has "), "{message}");
    let constant = Features::new(vec![number("c", vec![3.0; n]), number("m", vec![f64::NAN; n])]).unwrap();
    let message = error(&constant, &half, &names, &quick());
    assert!(message.starts_with("all 2 features are constant or missing in the 1"), "{message}");
    let message = error(&x(), &half, &names, &TrainSettings { folds: 0, ..quick() });
    assert_eq!(message, "setting folds is 0, but 2 to 100 was expected");
}

#[test]
fn unlabelled_rows_change_nothing_but_their_count() {
    let n = 400;
    let (x, names) = (noise(n, 1), users(n));
    let labels: Vec<Option<bool>> = x.iter().map(|x| Some(*x > 0.6)).collect();
    let trained =
        train(&Features::new(vec![number("x", x.clone())]).unwrap(), &labels, &names, &quick()).unwrap();
    let longer = Features::new(vec![number("x", [x, noise(50, 9)].concat())]).unwrap();
    let labels = [labels, vec![None; 50]].concat();
    let more = train(&longer, &labels, &users(n + 50), &quick()).unwrap();
    assert_eq!((trained.record.unlabelled_rows, more.record.unlabelled_rows), (0, 50));
    assert_eq!(more.model, trained.model);
    assert_eq!(more.metrics, trained.metrics);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    // More rows than the boosting library takes on one thread.
    let n = 30_000;
    let (x, z) = (noise(n, 1), noise(n, 2));
    let labels: Vec<Option<bool>> = x.iter().zip(noise(n, 3)).map(|(x, e)| Some(x + e > 1.2)).collect();
    let codes: Vec<u32> = z.iter().map(|z| (z * 5.0) as u32).collect();
    let features =
        Features::new(vec![number("x", x), category("plan", codes, &["a", "b", "c", "d", "e"])]).unwrap();
    let names = users(n);
    let parent = tempfile::tempdir().unwrap();
    let save = |name: &str, seed: u64| {
        let settings = TrainSettings { seed, max_rounds: 20, selection_rows: 25_000, ..quick() };
        let directory = parent.path().join(name);
        train(&features, &labels, &names, &settings).unwrap().save(&directory).unwrap();
        std::fs::read_to_string(directory.join("SHA256SUMS")).unwrap()
    };
    let first = save("first", 1);
    assert_eq!(save("second", 1), first);
    assert_ne!(save("third", 2), first);
}

#[test]
fn missing_is_a_direction_of_its_own() {
    // x is missing for a third of the rows, and only those are positive: neither a low nor a high x is.
    let n = 600;
    let x: Vec<f64> =
        noise(n, 1).into_iter().enumerate().map(|(i, x)| if i % 3 == 0 { f64::NAN } else { x }).collect();
    let flag: Vec<u32> = (0..n as u32).map(|i| if i % 3 == 0 { MISSING } else { i % 2 }).collect();
    let labels: Vec<Option<bool>> = (0..n).map(|i| Some(i % 3 == 0)).collect();
    for columns in [vec![number("x", x)], vec![category("x", flag, &["false", "true"])]] {
        let features = Features::new(columns).unwrap();
        let model = train(&features, &labels, &users(n), &quick()).unwrap().model;
        let p = |value: FeatureValue| probability(&model, &model.encode(&[value]).unwrap().values);
        let present = match features.columns()[0] {
            FeatureColumn::Numerical(_) => [-1.0, 0.5, 2.0].map(FeatureValue::Number),
            FeatureColumn::Categorical { .. } => {
                [FeatureValue::Boolean(false), FeatureValue::Boolean(true), FeatureValue::Text("true")]
            }
        };
        assert!(p(FeatureValue::Missing) >= model.threshold());
        assert!(present.into_iter().all(|value| p(value) < 0.5 * p(FeatureValue::Missing)));
    }
}

#[test]
fn unseen_levels_are_missing_and_counted() {
    let n = 300;
    let codes: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
    let labels: Vec<Option<bool>> = (0..n).map(|i| Some(i % 2 == 0 || i % 7 == 0)).collect();
    let columns = |codes, levels: &[&str]| Features::new(vec![category("plan", codes, levels)]).unwrap();
    let trained = train(&columns(codes, &["basic", "premium"]), &labels, &users(n), &quick()).unwrap();
    let later = columns(vec![0, 1, 2, MISSING, 2], &["premium", "basic", "gift"]);
    let predictions = trained.model.predict(&later).unwrap();
    assert_eq!(predictions.unseen, [2]);
    let p = predictions.probabilities();
    assert_eq!((p[2], p[4]), (p[3], p[3]));
    assert!(p[0] < p[1], "levels are matched by name, not by code");
    assert_eq!(trained.model.encode(&[FeatureValue::Text("gift")]).unwrap().unseen, [0]);
}

#[test]
fn columns_are_found_by_name() {
    let n = 300;
    let (x, z) = (noise(n, 1), noise(n, 2));
    let labels: Vec<Option<bool>> = x.iter().map(|x| Some(*x > 0.5)).collect();
    let features = Features::new(vec![number("x", x.clone()), number("z", z.clone())]).unwrap();
    let trained = train(&features, &labels, &users(n), &quick()).unwrap();
    assert_eq!(trained.record.importance[0].feature, "x");
    assert!(trained.record.importance[0].gain_share > 0.9);
    let swapped = Features::new(vec![number("extra", z.clone()), number("z", z), number("x", x)]).unwrap();
    assert_eq!(trained.model.predict(&swapped).unwrap(), trained.model.predict(&features).unwrap());
    let without = Features::new(vec![number("x", noise(3, 1))]).unwrap();
    let error = trained.model.predict(&without).unwrap_err();
    assert!(matches!(error, Error::MissingFeature { feature, .. } if feature == "z"));
}

#[test]
fn many_random_levels_do_not_hide_a_signal() {
    // 400 levels of about seven rows each: memorising them would ruin the probabilities.
    let n = 3000;
    let x = noise(n, 1);
    let labels: Vec<Option<bool>> = x.iter().zip(noise(n, 2)).map(|(x, e)| Some(0.2 + 0.6 * x > e)).collect();
    let codes: Vec<u32> = noise(n, 3).into_iter().map(|z| (z * 400.0) as u32).collect();
    let levels: Vec<String> = (0..400).map(|i| format!("L{i}")).collect();
    let plain = Features::new(vec![number("x", x.clone())]).unwrap();
    let noisy = Features::new(vec![
        number("x", x),
        ("code".to_string(), FeatureColumn::Categorical { codes, levels }),
    ])
    .unwrap();
    let plain = metrics(&train(&plain, &labels, &users(n), &quick()).unwrap());
    let noisy = metrics(&train(&noisy, &labels, &users(n), &quick()).unwrap());
    assert!(noisy.auc > plain.auc - 0.02, "{} {}", noisy.auc, plain.auc);
    assert!(noisy.log_loss < plain.log_loss + 0.02, "{} {}", noisy.log_loss, plain.log_loss);
}

/// A column of anything a table may hold.
fn odd_column(n: usize) -> impl Strategy<Value = FeatureColumn> {
    let odd = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(-f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(0.0),
        Just(-0.0),
        Just(1e9),
        any::<f64>(),
        (0_u8..4).prop_map(f64::from),
    ];
    let code = prop_oneof![0_u32..4, Just(MISSING)];
    let levels = ["", "a", "ü", "a"].map(String::from).to_vec();
    prop_oneof![
        prop::collection::vec(odd, n).prop_map(FeatureColumn::Numerical),
        Just(FeatureColumn::Numerical(vec![f64::NAN; n])),
        prop::collection::vec(code, n)
            .prop_map(move |codes| FeatureColumn::Categorical { codes, levels: levels.clone() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_columns_hold_there_is_an_answer(
        columns in prop::collection::vec(odd_column(80), 1..4),
        labels in prop::collection::vec(prop::option::weighted(0.9, any::<bool>()), 80),
        seed in 0_u64..50,
    ) {
        let columns = columns.into_iter().enumerate().map(|(i, c)| (format!("f{i}"), c)).collect();
        let features = Features::new(columns).unwrap();
        let settings = TrainSettings { seed, min_leaf_weight: 0.5, ..quick() };
        match train(&features, &labels, &users(80), &settings) {
            Ok(trained) => {
                let p = trained.model.predict(&features).unwrap();
                prop_assert!(p.probabilities().iter().all(|p| (0.0..=1.0).contains(p)));
                prop_assert!((0.0..=1.0).contains(&metrics(&trained).auc));
                let parent = tempfile::tempdir().unwrap();
                let directory = parent.path().join("model");
                trained.save(&directory).unwrap();
                prop_assert_eq!(streamflow_model::Trained::load(&directory).unwrap(), trained);
            }
            Err(Error::OneClass { .. } | Error::TooFewRows { .. } | Error::NoVariation { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn a_monotone_transform_of_a_feature_changes_no_prediction(seed in 0_u64..1000) {
        let n = 240;
        let x = noise(n, seed);
        let labels: Vec<Option<bool>> = x.iter().zip(noise(n, seed + 1)).map(|(x, e)| Some(x + e > 1.0)).collect();
        let predict = |x: Vec<f64>| {
            let features = Features::new(vec![number("x", x)]).unwrap();
            train(&features, &labels, &users(n), &quick()).unwrap().model.predict(&features).unwrap()
        };
        let transformed: Vec<f64> = x.iter().map(|x| (5.0 * x).exp() - 3.0).collect();
        prop_assert_eq!(predict(x), predict(transformed));
    }
}

/// Numbers that depend on a number, a category and what is missing, in units of their own.
fn amounts(n: usize, unit: f64) -> (Features, Vec<f64>) {
    let (x, e) = (noise(n, 1), noise(n, 5));
    let plan: Vec<u32> = noise(n, 2).iter().map(|z| (z * 3.0) as u32).collect();
    let tier = [10.0, 0.0, 5.0];
    let amount = |row: usize| unit * (20.0 * x[row] + tier[plan[row] as usize] + 2.0 * e[row]);
    let amounts = (0..n).map(amount).collect();
    let features = Features::new(vec![number("x", x), category("plan", plan, &["b", "a", "c"])]).unwrap();
    (features, amounts)
}

fn values(trained: &Trained, features: &Features) -> Vec<f64> {
    let Answers::Value(values) = trained.model.predict(features).unwrap().answers else { panic!() };
    values
}

#[test]
fn a_regression_learns_amounts_in_any_unit() {
    let n = 3000;
    let settings = TrainSettings { max_depths: vec![2, 3], ..quick() };
    let trained = |unit| {
        let (features, amounts) = amounts(n, unit);
        let labels = Labels::Regression(amounts);
        (streamflow_model::train(&features, &labels, &users(n), &settings).unwrap(), features)
    };
    let (plain, features) = trained(1.0);
    let Metrics::Other(metrics) = &plain.metrics else { panic!() };
    let metric = |name: &str| metrics.values.iter().find(|(metric, _)| metric.name() == name).unwrap();
    // The noise of width 2 has a deviation of 0.58, and the amounts one of 7.
    assert!(*metric("rmse").1 < 1.0 && *metric("r2").1 > 0.97, "{metrics:?}");
    let interval = metrics.intervals[metric("rmse").0];
    assert!(interval.low < *metric("rmse").1 && *metric("rmse").1 < interval.high);
    assert_eq!(metrics.n_train + metrics.n_validation, n);
    assert_eq!((plain.model.task(), plain.record.settings.task), (Task::Regression, Task::Regression));
    assert_eq!(plain.record.selection.threshold, None);
    assert!(plain.record.selection.candidates.iter().all(|tried| tried.rmse.is_some()));
    let found = values(&plain, &features);
    for unit in [1e-9, -1e12] {
        let (other, features) = trained(unit);
        for (found, other) in found.iter().zip(values(&other, &features)) {
            assert!((other / unit - found).abs() < 0.2, "{found} {}", other / unit);
        }
    }
}

#[test]
fn several_classes_are_learned_and_sum_to_one() {
    let n = 3000;
    let (x, e) = (noise(n, 1), noise(n, 5));
    // "gold" above, "basic" below, "plus" between, with a little chance.
    let class = |row: usize| match x[row] + 0.2 * (e[row] - 0.5) {
        z if z > 0.7 => 1,
        z if z < 0.3 => 2,
        _ => 0,
    };
    let names = ["plus", "gold", "basic", "never"].map(str::to_owned).to_vec();
    let labels = Labels::Multiclass { codes: (0..n).map(class).collect(), classes: names };
    let features = Features::new(vec![number("x", x.clone())]).unwrap();
    let trained = streamflow_model::train(&features, &labels, &users(n), &quick()).unwrap();
    assert_eq!(trained.model.classes(), ["plus", "gold", "basic"], "a class without rows is none");
    let Answers::Probabilities(rows) = trained.model.predict(&features).unwrap().answers else { panic!() };
    assert!(rows.iter().all(|row| row.len() == 3 && (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    let right = (0..n).filter(|&row| streamflow_model::largest(&rows[row]) == class(row) as usize).count();
    assert!(right as f64 / n as f64 > 0.9, "{right}");
    assert_eq!(trained.record.selection.rounds_by_class.len(), 3);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("model");
    trained.save(&directory).unwrap();
    assert_eq!(Trained::load(&directory).unwrap(), trained);
    assert_eq!(Model::load(&directory).unwrap(), trained.model);
    let again = streamflow_model::train(&features, &labels, &users(n), &quick()).unwrap();
    assert_eq!(again, trained);
}

#[test]
fn held_out_entities_change_nothing_that_a_regression_or_classes_learn() {
    let n = 1000;
    let (features, amounts) = amounts(n, 1.0);
    let (names, settings) = (users(n), quick());
    let held_out: Vec<bool> =
        names.iter().map(|user| is_validation(settings.seed, user, settings.validation_share)).collect();
    let changed: Vec<f64> =
        amounts.iter().zip(&held_out).map(|(y, out)| if *out { 30.0 - y } else { *y }).collect();
    let codes = |amounts: &[f64]| amounts.iter().map(|y| (*y as u32 / 10).min(3)).collect::<Vec<_>>();
    let classes = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    for (first, second) in [
        (Labels::Regression(amounts.clone()), Labels::Regression(changed.clone())),
        (
            Labels::Multiclass { codes: codes(&amounts), classes: classes.clone() },
            Labels::Multiclass { codes: codes(&changed), classes },
        ),
    ] {
        let first = streamflow_model::train(&features, &first, &names, &settings).unwrap();
        let second = streamflow_model::train(&features, &second, &names, &settings).unwrap();
        assert_eq!(first.model, second.model);
        assert_ne!(first.metrics, second.metrics);
    }
}

#[test]
fn labels_that_teach_nothing_are_refused_with_a_reason() {
    let n = 200;
    let features = Features::new(vec![number("x", noise(n, 1))]).unwrap();
    let error = |labels: Labels| {
        streamflow_model::train(&features, &labels, &users(n), &quick()).unwrap_err().to_string()
    };
    let numbers = |of: &dyn Fn(usize) -> f64| Labels::Regression((0..n).map(of).collect());
    assert_eq!(
        error(numbers(&|_| f64::NAN)),
        "all 200 labels are missing; expected a number for at least some rows"
    );
    let message = error(numbers(&|_| 7.0));
    assert!(
        message.contains("labels of the training part are 7; a regression learns from numbers that differ")
    );
    let message = error(numbers(&|row| if row == 3 { f64::INFINITY } else { row as f64 }));
    assert_eq!(message, "the label of row 3 is inf; expected a finite number of at most 1e150 in size");
    let message = error(numbers(&|row| if row < 20 { row as f64 } else { f64::NAN }));
    assert!(message.ends_with("labelled rows, but at least 20 are needed"), "{message}");
    let classes = |of: &dyn Fn(usize) -> u32, count: usize| Labels::Multiclass {
        codes: (0..n).map(of).collect(),
        classes: (0..count).map(|class| format!("c{class}")).collect(),
    };
    let message = error(classes(&|_| 1, 3));
    assert!(message.contains("rows of the training part are of the class \"c1\""), "{message}");
    let message = error(classes(&|row| row as u32, n));
    assert!(message.contains("classes, and at most 100 are learned; join the rare ones"), "{message}");
    assert!(error(classes(&|_| MISSING, 2)).contains("expected the name of a class"));
}
