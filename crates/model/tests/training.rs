//! Training from made-up tables: every refusal, determinism, and what odd columns do.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use proptest::prelude::*;
use streamflow_model::{
    Error, FeatureColumn, FeatureValue, Features, MISSING, TrainSettings, is_validation, train,
};

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
        let p = |value: FeatureValue| model.predict_row(&model.encode(&[value]).unwrap().values);
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
    let p = predictions.probabilities;
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
    let plain = train(&plain, &labels, &users(n), &quick()).unwrap().metrics;
    let noisy = train(&noisy, &labels, &users(n), &quick()).unwrap().metrics;
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
                let p = trained.model.predict(&features).unwrap().probabilities;
                prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
                prop_assert!((0.0..=1.0).contains(&trained.metrics.auc));
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
