//! The stored model: whole or refused, never half read.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use streamflow_model::{Error, FeatureColumn, Features, Labels, Model, TrainSettings, Trained, train};

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

const FILES: [&str; 6] =
    ["SHA256SUMS", "metrics.json", "model.bin", "profile.json", "schema.json", "training.json"];

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
