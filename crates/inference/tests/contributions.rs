//! What features add to margins, as the libraries themselves say and as the package `shap` does of trees of our form;
//! `tools/golden/contributions.py` writes the cases.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use streamflow_inference::{Error, Model, TreeNode, TreeSum, Value};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contributions")
}

fn case(name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

fn numbers(list: &Json) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}

fn value(cell: &Json) -> Value<'_> {
    match cell {
        Json::Null => Value::Missing,
        Json::String(text) => Value::Text(text),
        number => Value::Number(number.as_f64().unwrap()),
    }
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {found}, not {expected}"
    );
}

/// A file of a library beside its own contributions.
fn check(name: &str) {
    let case = case(&format!("{name}.json"));
    let model = Model::read(&std::fs::read(folder().join(case["model"].as_str().unwrap())).unwrap()).unwrap();
    let tolerance = case["tolerance"].as_f64().unwrap();
    let cells = case["rows"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    let values: Vec<Value> = cells.map(value).collect();
    let found = model.explain(&values).unwrap();
    for (output, expected) in numbers(&case["base"]).into_iter().enumerate() {
        near(found.base[output], expected, tolerance, &format!("{name}, base {output}"));
    }
    let margins = model.predict(&values).unwrap().margin.unwrap();
    let rows = case["contributions"].as_array().unwrap();
    assert_eq!(found.rows().len(), rows.len());
    for (number, ((found_row, expected), margins)) in found.rows().zip(rows).zip(margins.rows()).enumerate() {
        for (output, margin) in margins.iter().enumerate() {
            let of_output = &found_row[output * found.features..][..found.features];
            for (feature, expected) in numbers(&expected[output]).into_iter().enumerate() {
                let what = format!("{name}, row {number}, output {output}, feature {feature}");
                near(of_output[feature], expected, tolerance, &what);
            }
            let sum = found.base[output] + of_output.iter().sum::<f64>();
            near(sum, *margin, 1e-6, &format!("{name}, row {number}, output {output}, the sum"));
        }
    }
}

#[test]
fn xgboost_says_the_same() {
    ["xgboost_binary", "xgboost_classes", "xgboost_dart", "xgboost_deep"].into_iter().for_each(check);
}

#[test]
fn lightgbm_says_the_same() {
    ["lightgbm_binary", "lightgbm_classes", "lightgbm_forest", "lightgbm_deep"].into_iter().for_each(check);
}

#[test]
fn catboost_says_the_same() {
    ["catboost_binary", "catboost_classes", "catboost_number"].into_iter().for_each(check);
}

#[test]
fn shap_says_the_same_of_our_trees() {
    let case = case("shap_trees.json");
    let (mut trees, mut covers) = (Vec::new(), Vec::new());
    for tree in case["trees"].as_array().unwrap() {
        let list = |name: &str| numbers(&tree[name]);
        let (left, feature, threshold, value) =
            (list("left"), list("feature"), list("threshold"), list("value"));
        let node = |at: usize| {
            if left[at] < 0.0 {
                return TreeNode::Leaf(value[at]);
            }
            TreeNode::Split {
                feature: feature[at] as u32,
                threshold: threshold[at],
                missing_left: tree["missing_left"][at].as_bool().unwrap(),
                left: left[at] as usize,
            }
        };
        trees.push((0..left.len()).map(node).collect());
        covers.push(list("rows"));
    }
    let sum = TreeSum::new(case["base"].as_f64().unwrap(), 4, &trees).unwrap();
    let rows: Vec<f64> = case["rows"].as_array().unwrap().iter().flat_map(numbers).collect();
    let margins = sum.scores(&rows);
    let found = sum.explained(&covers).unwrap().explain(&rows);
    near(found.base[0], case["expected_value"].as_f64().unwrap(), 1e-9, "the base");
    for (number, (row, expected)) in found.rows().zip(case["contributions"].as_array().unwrap()).enumerate() {
        for (feature, (found, expected)) in row.iter().zip(numbers(expected)).enumerate() {
            near(*found, expected, 1e-9, &format!("row {number}, feature {feature}"));
        }
        near(found.base[0] + row.iter().sum::<f64>(), margins[number], 1e-12, "the sum");
    }
}

#[test]
fn what_cannot_be_explained_says_why() {
    let read = |name: &str| std::fs::read(folder().join("../files").join(name)).unwrap();
    for (name, rows, expected) in [
        (
            "xgboost.json",
            1,
            "XGBoost JSON model without explanations: the file does not say how many training rows",
        ),
        (
            "lightgbm.txt",
            1,
            "LightGBM text model without explanations: the file does not say how many training rows",
        ),
        ("classifier.onnx", 1, "ONNX model without explanations: its nodes have no numbers of training rows"),
        ("classifier.onnx", 0, "ONNX model without explanations: its nodes have no numbers of training rows"),
    ] {
        let model = Model::read(&read(name)).unwrap();
        let error = model.explain(&vec![Value::Missing; rows * model.inputs().len()]).unwrap_err();
        assert!(
            matches!(error, Error::Unexplained { .. }) && error.to_string().starts_with(expected),
            "{error}"
        );
        assert_eq!(model.check_explained(), Err(error));
    }
    let catboost = Model::read(&read("catboost.json")).unwrap();
    assert_eq!(catboost.check_explained(), Ok(()));
    let error = catboost.explain(&[Value::Text("ten")]).unwrap_err();
    assert_eq!(error.to_string(), "feature \"hours\" is the text \"ten\", but the model takes a number");
    assert_eq!(catboost.explain(&[]).unwrap().rows().len(), 0);
    let scales = ["xgboost_binary", "xgboost_classes", "catboost_number"].map(|name| {
        let bytes = std::fs::read(folder().join(format!("{name}.model"))).unwrap();
        Model::read(&bytes).unwrap().margin_scale()
    });
    assert_eq!(scales, ["log_odds", "margin", "value"]);
}
