//! Models of every task as ONNX, scored by our own reader to the numbers of the model itself.
#![allow(missing_docs, clippy::unwrap_used)]

use streamflow_inference::{Labels as FileLabels, Model as FileModel, Value};
use streamflow_model::{
    Answer, Calibration, Direction, Error, FeatureColumn, FeatureValue, Features, Labels, MISSING,
    TrainSettings, Trained, largest, train,
};

const ROWS: usize = 600;

/// Numbers in [0, 1) that look random and are the same everywhere.
fn noise(salt: u64) -> Vec<f64> {
    let number = |i: u64| {
        let mut x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ (x >> 31)) as f64 / u64::MAX as f64
    };
    (0..ROWS as u64).map(number).collect()
}

/// Numbers with missing and infinite ones, numbers that are equal in 32 bits, levels of which some are rare, truth
/// values, and a column that is always missing.
fn features() -> Features {
    let mut fee = noise(1);
    (0..ROWS).step_by(7).for_each(|row| fee[row] = f64::NAN);
    fee[3] = f64::INFINITY;
    fee[5] = f64::NEG_INFINITY;
    let close = noise(2).iter().map(|x| 1.0 + (x * 16.0).floor() * 1e-9).collect();
    let code = |(row, x): (usize, &f64)| match row {
        2 | 9 => 4,
        row if row % 11 == 0 => MISSING,
        _ => (x * 4.0) as u32,
    };
    let codes = noise(3).iter().enumerate().map(code).collect();
    let levels = ["DE", "FR", "Île", "UK", "rare"].map(str::to_owned).to_vec();
    let truths = noise(4).iter().map(|x| u32::from(*x > 0.5)).collect();
    Features::new(vec![
        ("label".into(), FeatureColumn::Numerical(fee)),
        ("close".into(), FeatureColumn::Numerical(close)),
        ("country".into(), FeatureColumn::Categorical { codes, levels }),
        (
            "active".into(),
            FeatureColumn::Categorical { codes: truths, levels: vec!["false".into(), "true".into()] },
        ),
        ("empty".into(), FeatureColumn::Categorical { codes: vec![MISSING; ROWS], levels: Vec::new() }),
    ])
    .unwrap()
}

/// What the labels follow: larger with the fee, with two of the levels, where the fee is missing.
fn signal() -> Vec<f64> {
    let features = features();
    let (FeatureColumn::Numerical(fee), FeatureColumn::Numerical(close)) =
        (&features.columns()[0], &features.columns()[1])
    else {
        panic!("numbers")
    };
    let FeatureColumn::Categorical { codes, .. } = &features.columns()[2] else { panic!("levels") };
    let fee = fee.iter().map(|fee| if fee.is_nan() { 0.8 } else { fee.clamp(-1.0, 2.0) });
    let close = close.iter().map(|close| (close - 1.0) * 4e7);
    let level = codes.iter().map(|code| if *code == 1 || *code == 2 { 0.6 } else { 0.0 });
    fee.zip(close).zip(level).zip(noise(5)).map(|(((a, b), c), noise)| a + b + c + noise * 0.3).collect()
}

fn trained(labels: &Labels) -> Trained {
    trained_with(labels, TrainSettings::default())
}

fn trained_with(labels: &Labels, settings: TrainSettings) -> Trained {
    let users: Vec<String> = (0..ROWS).map(|i| format!("U{i:05}")).collect();
    let settings = TrainSettings { max_depths: vec![3], folds: 2, max_rounds: 40, ..settings };
    train(&features(), labels, &users, &settings).unwrap()
}

fn truths() -> Labels {
    Labels::Binary(signal().iter().map(|x| Some(*x > 1.2)).collect())
}

fn binary() -> Trained {
    trained(&truths())
}

/// Rows of training and some that it never had.
fn rows() -> Vec<Vec<FeatureValue<'static>>> {
    use FeatureValue::{Boolean, Missing, Number, Text};
    let mut rows = vec![
        vec![Missing; 5],
        vec![Number(1e301), Number(-1e301), Text("nowhere"), Missing, Text("x")],
        vec![Number(f64::INFINITY), Number(1.0), Text("rare"), Boolean(false), Missing],
        vec![Number(f64::NEG_INFINITY), Number(1.0 + 3e-9), Text("UK"), Boolean(true), Missing],
    ];
    for (fee, close) in noise(6).into_iter().zip(noise(7)).take(200) {
        let level = ["DE", "FR", "Île", "UK"][(fee * 400.0) as usize % 4];
        let close = 1.0 + (close * 16.0).floor() * 1e-9;
        rows.push(vec![Number(fee), Number(close), Text(level), Boolean(fee > 0.3), Missing]);
    }
    rows
}

/// The answer of a file to the rows, the truth value as its text.
fn answers(file: &[u8]) -> streamflow_inference::Predictions {
    let model = FileModel::read(file).unwrap();
    let value = |value: &FeatureValue<'static>| match value {
        FeatureValue::Missing => Value::Missing,
        FeatureValue::Number(number) => Value::Number(*number),
        // As we and as Python write it.
        FeatureValue::Boolean(truth) => Value::Text(if *truth { "True" } else { "false" }),
        FeatureValue::Text(text) => Value::Text(text),
    };
    let values: Vec<Value> = rows().iter().flatten().map(value).collect();
    model.predict(&values).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    // The rounding of a score, of its exponential and of a quotient to 32 bits.
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{found} and {expected}");
}

#[test]
fn two_classes() {
    let model = binary().model;
    let given = answers(&model.to_onnx().unwrap());
    let found = given.probability.unwrap();
    let FileLabels::Integers(labels) = given.label.unwrap() else { panic!("labels are 0 and 1") };
    let mut positive = 0;
    for ((row, found), label) in rows().iter().zip(found.rows()).zip(labels) {
        let Answer::Probability(expected) = model.answer(row).unwrap() else { panic!("a probability") };
        assert_close(found[1], expected);
        assert_close(found[0], 1.0 - expected);
        if (expected - model.threshold()).abs() > 1e-6 {
            assert_eq!(label, i64::from(expected >= model.threshold()), "{row:?} {expected}");
        }
        positive += label;
    }
    assert!((20..180).contains(&positive), "{positive}");
}

#[test]
fn several_classes() {
    let classes = ["low", "medium", "high"].map(str::to_owned).to_vec();
    let codes = signal().iter().map(|x| u32::from(*x > 1.0) + u32::from(*x > 1.6)).collect();
    let model = trained(&Labels::Multiclass { codes, classes: classes.clone() }).model;
    let file = model.to_onnx().unwrap();
    let named = FileModel::read(&file).unwrap().classes().map(|labels| labels.len());
    assert_eq!(named, Some(3), "the reader finds the names of the classes");
    let given = answers(&file);
    let found = given.probability.unwrap();
    let FileLabels::Texts(labels) = given.label.unwrap() else { panic!("labels are names") };
    for ((row, found), label) in rows().iter().zip(found.rows()).zip(labels) {
        let Answer::Probabilities(expected) = model.answer(row).unwrap() else { panic!("probabilities") };
        found.iter().zip(&expected).for_each(|(found, expected)| assert_close(*found, *expected));
        assert_eq!(label, model.classes()[largest(&expected)]);
    }
}

#[test]
fn numbers() {
    let model = trained(&Labels::Regression(signal().iter().map(|x| x * 1000.0).collect())).model;
    let given = answers(&model.to_onnx().unwrap());
    for (row, found) in rows().iter().zip(given.value.unwrap().rows()) {
        let Answer::Value(expected) = model.answer(row).unwrap() else { panic!("a number") };
        assert_close(found[0], expected);
    }
}

#[test]
fn what_onnx_cannot_say_is_refused() {
    let users: Vec<String> = (0..ROWS).map(|i| format!("U{i:05}")).collect();
    let codes: Vec<u32> = (0..ROWS as u32).map(|row| row % 2).collect();
    let labels: Vec<Option<bool>> = codes.iter().map(|code| Some(*code == 1)).collect();
    let error = |name: &str, levels: [&str; 2]| {
        let levels = levels.map(str::to_owned).to_vec();
        let features =
            Features::new(vec![(name.into(), FeatureColumn::Categorical { codes: codes.clone(), levels })]);
        let settings =
            TrainSettings { max_depths: vec![1], folds: 2, max_rounds: 5, ..TrainSettings::default() };
        let trained = train(&features.unwrap(), &Labels::Binary(labels.clone()), &users, &settings).unwrap();
        trained.model.to_onnx().unwrap_err()
    };
    let empty = error("plan", ["", "b"]);
    assert!(matches!(empty, Error::Export { .. }));
    assert!(empty.to_string().contains("the feature \"plan\" has the empty text as a level"), "{empty}");
    let own = error("streamflow/plan", ["a", "b"]).to_string();
    assert!(own.contains("begins with \"streamflow/\""), "{own}");
    let huge = signal().iter().map(|x| x * 1e100).collect();
    let huge = trained(&Labels::Regression(huge)).model.to_onnx().unwrap_err().to_string();
    assert!(huge.contains("train on the label in another unit"), "{huge}");
}

/// The model's answers and those of its file, to rows of training and others.
#[track_caller]
fn both(model: &streamflow_model::Model) -> Vec<(f64, f64)> {
    let given = answers(&model.to_onnx().unwrap()).probability.unwrap();
    let found: Vec<f64> = given.rows().map(|row| row[1]).collect();
    let own = rows().into_iter().map(|row| match model.answer(&row).unwrap() {
        Answer::Probability(probability) => probability,
        other => panic!("{other:?}"),
    });
    own.zip(found).collect()
}

#[test]
fn calibrated_and_monotone_models_are_exported_as_they_answer() {
    let check = |settings: TrainSettings, reach: f64| {
        let model = trained_with(&truths(), settings).model;
        for (own, exported) in both(&model) {
            assert!((own - exported).abs() < reach, "{own} and {exported}");
        }
        model
    };
    let sigmoid = TrainSettings { calibration: Calibration::Sigmoid, ..TrainSettings::default() };
    check(sigmoid, 1e-6);
    let monotone = [("label".to_owned(), Direction::Increasing)].into();
    check(TrainSettings { monotone, ..TrainSettings::default() }, 1e-6);
    // Between two knots that are close a probability rises much while that of the trees changes in its last digits.
    let isotonic = TrainSettings { calibration: Calibration::Isotonic, ..TrainSettings::default() };
    let model = check(isotonic, 1e-4);
    let plain = binary().model;
    let differ = rows().into_iter().any(|row| plain.answer(&row).unwrap() != model.answer(&row).unwrap());
    assert!(differ, "isotonic calibration changes some answer");
}

#[test]
fn an_isotonic_curve_is_saved_with_its_version_and_never_falls() {
    let settings = TrainSettings { calibration: Calibration::Isotonic, ..TrainSettings::default() };
    let trained = trained_with(&truths(), settings.clone());
    assert_eq!(trained_with(&truths(), settings.clone()), trained, "the same input gives the same version");
    let curve = trained.record.selection.isotonic.as_ref().unwrap().curve.knots();
    assert!(curve.windows(2).all(|pair| pair[0][1] <= pair[1][1]) && curve.len() > 2, "{curve:?}");
    assert!(trained.record.summary().ends_with("trees, isotonic"), "{}", trained.record.summary());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1");
    trained.save(&path).unwrap();
    let read = streamflow_model::Model::load(&path).unwrap();
    for row in rows() {
        let (Answer::Probability(own), Answer::Probability(read)) =
            (trained.model.answer(&row).unwrap(), read.answer(&row).unwrap())
        else {
            panic!("probabilities")
        };
        assert!((own - read).abs() < 1e-12, "{own} {read}");
    }
    let codes = signal().iter().map(|x| u32::from(*x > 1.0) + u32::from(*x > 1.5)).collect();
    let classes = ["low", "middle", "high"].map(str::to_owned).to_vec();
    let users: Vec<String> = (0..ROWS).map(|i| format!("U{i:05}")).collect();
    let refused = train(&features(), &Labels::Multiclass { codes, classes }, &users, &settings).unwrap_err();
    assert!(refused.to_string().contains("expected \"sigmoid\""), "{refused}");
}
