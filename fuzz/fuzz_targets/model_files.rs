//! A saved model with one of its files changed, and the checksums right again: an error that names the file, or a model
//! that predicts probabilities and is saved as it was loaded.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};
use streamflow_fuzz::Damage;
use streamflow_model::{
    Answer, FeatureColumn, FeatureValue, Features, Labels, Model, TrainSettings, Trained, train,
};

const SUMS: &str = "SHA256SUMS";
const FILES: [&str; 5] = ["model.bin", "schema.json", "metrics.json", "profile.json", "training.json"];

static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let directory = folder.path().join("model");
    trained().save(&directory).expect("a new folder");
    FILES.map(|name| fs::read(directory.join(name)).expect("a file of the model")).to_vec()
});

/// Of two features, with a few trees.
fn trained() -> Trained {
    let rows = 300_u32;
    let x: Vec<f64> = (0..rows).map(|row| f64::from(row * 37 % 101)).collect();
    let labels: Vec<Option<bool>> = x.iter().map(|x| Some(*x > 60.0)).collect();
    let levels = ["DSL", "Fiber optic", "No"].map(String::from).to_vec();
    let net = FeatureColumn::Categorical { codes: (0..rows).map(|row| row % 3).collect(), levels };
    let columns = vec![("x".to_owned(), FeatureColumn::Numerical(x)), ("net".to_owned(), net)];
    let users: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
    let settings = TrainSettings { max_depths: vec![2], folds: 2, max_rounds: 3, ..TrainSettings::default() };
    train(&Features::new(columns).expect("a table"), &Labels::Binary(labels), &users, &settings)
        .expect("a model")
}

fn write(directory: &Path, files: &[Vec<u8>]) {
    fs::create_dir(directory).expect("a folder");
    let mut sums = String::new();
    for (name, bytes) in FILES.iter().zip(files) {
        let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        sums += &format!("{digits}  {name}\n");
        fs::write(directory.join(name), bytes).expect("a file");
    }
    fs::write(directory.join(SUMS), sums).expect("a file");
}

fn predict(model: &Model) {
    let values = [FeatureValue::Missing, FeatureValue::Number(50.0), FeatureValue::Text("No")];
    for x in values {
        for net in values {
            let Ok(answer) = model.answer(&[x, net]) else { continue };
            // A damaged file may say that it is of another task.
            match answer {
                Answer::Probability(probability) => assert!((0.0..=1.0).contains(&probability), "{answer:?}"),
                Answer::Probabilities(all) => {
                    assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{all:?}")
                }
                Answer::Value(value) => assert!(value.is_finite(), "{value}"),
            }
        }
    }
}

fuzz_target!(|input: (u8, Damage, bool)| {
    let (which, damage, is_listed) = input;
    let folder = tempfile::tempdir().expect("a folder for files");
    let directory = folder.path().join("model");
    let mut files = GOOD.clone();
    let which = usize::from(which) % (FILES.len() + 1);
    if let Some(file) = files.get_mut(which).filter(|_| is_listed) {
        *file = damage.of(file);
    }
    write(&directory, &files);
    if which == FILES.len() || !is_listed {
        // Here the checksums find it, or are damaged themselves.
        let path = directory.join(FILES.get(which).unwrap_or(&SUMS));
        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, damage.of(&bytes)).expect("a file");
    }
    match Trained::load(&directory) {
        Err(error) => assert!(!error.to_string().is_empty() && !damage.is_none(), "{error}"),
        Ok(loaded) => {
            predict(&loaded.model);
            let again = folder.path().join("again");
            loaded.save(&again).expect("a new folder");
            let read = Trained::load(&again).expect("what was saved");
            // As text, because a NaN equals nothing.
            assert_eq!(format!("{read:?}"), format!("{loaded:?}"));
        }
    }
    let _ = Model::load(&directory);
});
