//! The stored model: whole or refused, never half read.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use streamflow_model::{
    Answer, Error, FeatureColumn, FeatureValue, Features, Labels, Model, TrainSettings, Trained, train,
};

fn trained() -> Trained {
    let n = 300;
    let x: Vec<f64> = (0..n).map(|i| f64::from(i * 37 % 101)).collect();
    let labels = Labels::Binary(x.iter().map(|x| Some(*x > 60.0)).collect());
    let codes = (0..n as u32).map(|i| i % 3).collect();
    let levels = ["DSL", "Fiber optic", "No"].map(String::from).to_vec();
    let users: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let features = Features::new(vec![
        ("x".to_string(), FeatureColumn::Numerical(x)),
        ("net".to_string(), FeatureColumn::Categorical { codes, levels }),
    ])
    .unwrap();
    let settings =
        TrainSettings { max_depths: vec![2], folds: 2, max_rounds: 40, ..TrainSettings::default() };
    train(&features, &labels, &users, &settings).unwrap()
}

const FILES: [&str; 7] =
    ["SHA256SUMS", "cover.bin", "metrics.json", "model.bin", "profile.json", "schema.json", "training.json"];

#[test]
fn what_is_saved_is_loaded() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("models/churn-1");
    let trained = trained();
    trained.save(&directory).unwrap();
    assert_eq!(Trained::load(&directory).unwrap(), trained);
    assert_eq!(Model::load(&directory).unwrap(), trained.model);
    let mut files: Vec<String> =
        fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, FILES);
    let beside: Vec<_> =
        fs::read_dir(directory.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(beside, ["churn-1"]);
}

/// Versions that were stored before there were explanations.
#[test]
fn a_model_without_covers_is_loaded_and_says_why_it_is_not_explained() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("churn-1");
    let trained = trained();
    trained.save(&directory).unwrap();
    fs::remove_file(directory.join("cover.bin")).unwrap();
    let sums = fs::read_to_string(directory.join("SHA256SUMS")).unwrap();
    let kept: Vec<&str> = sums.lines().filter(|line| !line.ends_with("cover.bin")).collect();
    fs::write(directory.join("SHA256SUMS"), kept.join("\n") + "\n").unwrap();
    let model = Model::load(&directory).unwrap();
    let values = [FeatureValue::Number(3.0), FeatureValue::Missing];
    assert_eq!(model.answer(&values).unwrap(), trained.model.answer(&values).unwrap());
    let error = model.explain(&values).unwrap_err().to_string();
    assert_eq!(
        error,
        "the model cannot be explained: it was trained before the training rows of its trees' nodes were kept; train it again"
    );
    assert!(Trained::load(&directory).is_ok());
}

#[test]
fn contributions_of_a_loaded_model_sum_to_its_log_odds() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("churn-1");
    let trained = trained();
    trained.save(&directory).unwrap();
    let model = Model::load(&directory).unwrap();
    for values in [
        [FeatureValue::Number(3.0), FeatureValue::Text("DSL")],
        [FeatureValue::Number(99.0), FeatureValue::Text("satellite")],
        [FeatureValue::Missing, FeatureValue::Missing],
    ] {
        let Answer::Probability(p) = model.answer(&values).unwrap() else { panic!("two classes") };
        let found = model.explain(&values).unwrap();
        let [one] = &found.outputs[..] else { panic!("one margin") };
        let sum = one.base + one.of_features.iter().sum::<f64>();
        assert!((sum - (p / (1.0 - p)).ln()).abs() < 1e-6, "{values:?}: {sum}");
        assert_eq!((found.scale, one.of_features.len()), ("log_odds", 2));
    }
    // The label follows from x alone.
    let mean = |feature: &str| {
        let found = trained.record.importance.iter().find(|found| found.feature == feature).unwrap();
        found.mean_abs_contribution.unwrap()
    };
    assert!(mean("x") > 1.0 && mean("net") < 0.1 * mean("x"), "{} {}", mean("x"), mean("net"));
    let error = model.explain(&[FeatureValue::Missing]).unwrap_err().to_string();
    assert_eq!(error, model.answer(&[FeatureValue::Missing]).unwrap_err().to_string());
}

#[test]
fn a_saved_model_is_never_overwritten_and_leftovers_are_no_obstacle() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("churn-1");
    fs::create_dir(parent.path().join(".churn-1.partial")).unwrap();
    fs::write(parent.path().join(".churn-1.partial/model.bin"), "half").unwrap();
    trained().save(&directory).unwrap();
    assert!(!parent.path().join(".churn-1.partial").exists());
    let error = trained().save(&directory).unwrap_err();
    assert!(matches!(&error, Error::AlreadyExists { path } if path == &directory), "{error}");
}

#[test]
fn every_loss_and_change_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("churn-1");
    trained().save(&directory).unwrap();
    for name in FILES {
        let path = directory.join(name);
        let original = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        check(&directory, &format!("cannot read {}: ", path.display()));
        for changed in [&original[..original.len() / 2], &[], &[&original[..], b"\n"].concat()] {
            fs::write(&path, changed).unwrap();
            check(&directory, &format!("{} is damaged: ", path.display()));
        }
        fs::write(&path, &original).unwrap();
    }
    Trained::load(&directory).unwrap();
}

/// A file that was changed together with its checksum is still decoded with care.
#[test]
fn a_later_format_and_foreign_contents_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let model = |bytes: &mut Vec<u8>| bytes[8] = 9;
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(&str, Change, &str); 3] = [
        ("model.bin", &model, "has format version 9, but this program reads version 3"),
        (
            "schema.json",
            &|bytes| *bytes = br#"{"features":[]}"#.to_vec(),
            "its trees have 2 features, schema.json has 0",
        ),
        ("metrics.json", &|bytes| *bytes = b"{}".to_vec(), "is damaged: missing field `auc`"),
    ];
    for (i, (name, change, expected)) in cases.into_iter().enumerate() {
        let directory = parent.path().join(i.to_string());
        trained().save(&directory).unwrap();
        let mut bytes = fs::read(directory.join(name)).unwrap();
        let before = digest(&bytes);
        change(&mut bytes);
        fs::write(directory.join(name), &bytes).unwrap();
        let sums = fs::read_to_string(directory.join("SHA256SUMS")).unwrap();
        fs::write(directory.join("SHA256SUMS"), sums.replace(&before, &digest(&bytes))).unwrap();
        let error = Trained::load(&directory).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(directory: &Path, expected: &str) {
    for error in [Trained::load(directory).unwrap_err(), Model::load(directory).unwrap_err()] {
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("churn-1");
    trained().save(&directory).unwrap();
    let strategy = (prop::sample::select(FILES.to_vec()), any::<prop::sample::Index>(), 0_u8..8);
    proptest!(ProptestConfig { cases: 200, ..ProptestConfig::default() }, |((name, at, bit) in strategy)| {
        let path = directory.join(name);
        let original = fs::read(&path).unwrap();
        let mut changed = original.clone();
        changed[at.index(original.len())] ^= 1 << bit;
        fs::write(&path, &changed).unwrap();
        let loaded = Model::load(&directory);
        fs::write(&path, &original).unwrap();
        let named = matches!(&loaded, Err(Error::Damaged { .. }));
        prop_assert!(named, "{loaded:?}");
    });
}
