//! Files of every format and how they can be wrong; `tools/golden/inference_files.py` writes them.
#![allow(clippy::unwrap_used, reason = "tests")]

use streamflow_inference::{Error, MAX_FILE_BYTES, Model, Task, Value};

const FILES: [(&str, &[u8]); 5] = [
    ("xgboost.json", include_bytes!("files/xgboost.json")),
    ("xgboost.ubj", include_bytes!("files/xgboost.ubj")),
    ("lightgbm.txt", include_bytes!("files/lightgbm.txt")),
    ("catboost.json", include_bytes!("files/catboost.json")),
    ("classifier.onnx", include_bytes!("files/classifier.onnx")),
];

fn file(name: &str) -> &'static [u8] {
    FILES.iter().find(|(file, _)| *file == name).unwrap().1
}

/// The file with a text replaced by another of the same length, or any in JSON and text.
fn changed(name: &str, from: &str, to: &str) -> Vec<u8> {
    let file = file(name);
    let at = file.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&file[..at], to.as_bytes(), &file[at + from.len()..]].concat()
}

#[test]
fn margins_follow_from_the_leaves() {
    use Value::{Missing, Number, Text};
    let cases = [
        // The code of "yearly" is in the set, which goes right in XGBoost; the second tree adds 0.25.
        ("xgboost.json", vec![Number(9.0), Text("yearly")], -1.75),
        ("xgboost.ubj", vec![Number(9.0), Text("monthly")], 2.25),
        ("xgboost.ubj", vec![Missing, Text("monthly")], 2.25),
        ("xgboost.json", vec![Number(10.0), Missing], 0.75),
        // Not in training: missing, which goes right here.
        ("xgboost.json", vec![Number(1.0), Text("weekly")], -1.75),
        // The code of "monthly" is in the set, which goes left in LightGBM.
        ("lightgbm.txt", vec![Number(10.0), Text("monthly")], 2.0),
        ("lightgbm.txt", vec![Missing, Text("weekly")], -2.0),
        ("lightgbm.txt", vec![Number(10.5), Missing], 0.5),
        ("catboost.json", vec![Number(10.0)], 13.0),
        ("catboost.json", vec![Missing], 7.0),
    ];
    for (name, row, expected) in cases {
        let model = Model::read(file(name)).unwrap();
        let margin = model.predict(&row).unwrap().margin.unwrap();
        assert_eq!(margin.rows().next().unwrap(), [expected], "{name} {row:?}");
    }
}

#[test]
fn a_graph_gives_labels_and_probabilities() {
    let model = Model::read(file("classifier.onnx")).unwrap();
    assert_eq!((model.task(), model.has_names()), (Task::Binary, false));
    assert_eq!(model.objective(), "Scaler, TreeEnsembleClassifier");
    let rows = [Value::Number(10.0), Value::Integer(0), Value::Number(11.0), Value::Missing];
    let answers = model.predict(&rows).unwrap();
    let probability: Vec<Vec<f64>> = answers.probability.unwrap().rows().map(<[f64]>::to_vec).collect();
    assert_eq!(probability, [[0.25, 0.75], [0.875, 0.125]]);
    let label = answers.label.unwrap();
    assert_eq!([label.text(0).unwrap(), label.text(1).unwrap()], ["leaves", "stays"]);
}

#[test]
fn columns_are_found_by_name_or_by_place() {
    let columns = |name: &str, names: &[&str]| {
        Model::read(file(name)).unwrap().columns(names).map_err(|error| error.to_string())
    };
    assert_eq!(columns("xgboost.json", &["id", "plan", "hours"]), Ok(vec![2, 1]));
    let missing = "feature \"hours\" is missing; the model takes 2 features: hours, plan";
    assert_eq!(columns("xgboost.json", &["plan"]), Err(missing.to_owned()));
    assert_eq!(columns("classifier.onnx", &["a", "b"]), Ok(vec![0, 1]));
    assert_eq!(columns("classifier.onnx", &["id", "X[1]", "X[0]"]), Ok(vec![2, 1]));
    let count = "the model file has no feature names; it takes 2 columns in order, not 3";
    assert_eq!(columns("classifier.onnx", &["a", "b", "c"]), Err(count.to_owned()));
}

#[test]
fn once_a_column_is_given_the_others_are_found_by_name_also_without_names_in_the_file() {
    let model = Model::read(file("classifier.onnx")).unwrap();
    let columns = |names: &[&str], given: [Option<usize>; 2]| {
        model.columns_given(names, &given).map_err(|error| error.to_string())
    };
    assert_eq!(columns(&["a", "b"], [None, None]), Ok(vec![0, 1]));
    assert_eq!(columns(&["a", "b"], [Some(1), Some(0)]), Ok(vec![1, 0]));
    assert_eq!(columns(&["a", "X[1]"], [Some(0), None]), Ok(vec![0, 1]));
    let missing = "feature \"X[1]\" is missing; the model takes 2 features: X[0], X[1]";
    assert_eq!(columns(&["a", "b"], [Some(1), None]), Err(missing.to_owned()));
}

#[test]
fn a_model_without_trees_is_answered_only_where_all_releases_of_xgboost_agree() {
    let text = String::from_utf8(file("xgboost.json").to_vec()).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let model = &mut json["learner"]["gradient_booster"]["model"];
    model["trees"] = serde_json::json!([]);
    model["tree_info"] = serde_json::json!([]);
    model["iteration_indptr"] = serde_json::json!([0]);
    let read = |boost_from_average: &str, objective: &str| {
        let mut json = json.clone();
        json["learner"]["learner_model_param"]["boost_from_average"] = boost_from_average.into();
        json["learner"]["objective"]["name"] = objective.into();
        Model::read(json.to_string().as_bytes()).map_err(|error| error.to_string())
    };
    let margin = |model: Model| {
        let answers = model.predict(&[Value::Missing, Value::Missing]).unwrap();
        answers.margin.unwrap().rows().next().unwrap()[0]
    };
    // What xgboost 2.1.4, 3.0.5, 3.1.1 and 3.2.0 say of a base score of 0.5; of those refused, the first two say otherwise
    // than the last two.
    assert_eq!(margin(read("0", "binary:logistic").unwrap()), 0.0);
    assert_eq!(margin(read("0", "count:poisson").unwrap()), f64::from(0.5_f32.ln()));
    assert_eq!(margin(read("1", "reg:squarederror").unwrap()), 0.5);
    for objective in ["binary:logistic", "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"] {
        let error = read("1", objective).unwrap_err();
        assert!(
            error.contains("no trees and no base_score of its own: XGBoost's releases answer"),
            "{error}"
        );
        assert!(error.ends_with("train at least one tree, or set base_score"), "{error}");
    }
}

#[test]
fn values_that_a_model_does_not_take_are_named() {
    let cases = [
        (
            "xgboost.json",
            vec![Value::Text("9"), Value::Missing],
            "feature \"hours\" is the text \"9\", but the model takes a number",
        ),
        (
            "xgboost.json",
            vec![Value::Number(f64::INFINITY), Value::Missing],
            "feature \"hours\" is the number inf, which XGBoost takes for infinite, but the model takes a finite number or none",
        ),
        (
            "xgboost.json",
            vec![Value::Number(1e39), Value::Missing],
            "feature \"hours\" is the number 1000000000000000000000000000000000000000, which XGBoost takes for infinite, but the model takes a finite number or none",
        ),
        (
            "lightgbm.txt",
            vec![Value::Number(1.0), Value::Integer(1)],
            "feature \"plan\" is the integer 1, but the model takes one of its 2 levels (\"monthly\", \"yearly\")",
        ),
        (
            "classifier.onnx",
            vec![Value::Text("x"), Value::Missing],
            "feature \"X[0]\" is the text \"x\", but the model takes a number",
        ),
    ];
    for (name, row, expected) in cases {
        let error = Model::read(file(name)).unwrap().predict(&row).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_not_evaluated_is_refused_by_name() {
    let cases = [
        (
            changed("xgboost.json", "binary:logistic", "mine"),
            "XGBoost JSON model with the objective \"mine\": expected one of XGBoost's own",
        ),
        (
            changed("xgboost.json", "\"name\": \"gbtree\"", "\"name\": \"gblinear\""),
            "XGBoost JSON model with the booster \"gblinear\": expected gbtree or dart",
        ),
        (
            changed("xgboost.json", "\"size_leaf_vector\": \"1\"", "\"size_leaf_vector\": \"2\""),
            "XGBoost JSON model with vector leaves (size_leaf_vector 2)",
        ),
        (changed("catboost.json", "FloatFeature", "OnlineCtr"), "CatBoost JSON model with OnlineCtr splits"),
        (
            changed("catboost.json", "oblivious_trees", "trees"),
            "CatBoost JSON model with trees that are not symmetric",
        ),
        (
            changed("catboost.json", "RMSE", "Mine"),
            "CatBoost JSON model with the loss function \"Mine\" and 1 outputs",
        ),
        (
            changed("lightgbm.txt", "is_linear=0", "is_linear=1"),
            "LightGBM text model with linear trees (is_linear=1)",
        ),
        (
            changed("classifier.onnx", "Scaler", "Loopen"),
            "ONNX model with the operator Loopen of ai.onnx.ml: it is not evaluated here",
        ),
        (
            changed("classifier.onnx", "BRANCH_LEQ", "BRANCH_ODD"),
            "ONNX model with the operator TreeEnsembleClassifier: the node mode \"BRANCH_ODD\"",
        ),
        (b"\x80\x04\x95".to_vec(), "this is a pickle, which is Python code and is never run here"),
        (b"PK\x03\x04".to_vec(), "this is a zip archive"),
        (b"CBM1".to_vec(), "this is CatBoost's binary format"),
        (vec![b' '; MAX_FILE_BYTES as usize + 1], "the file has 268435457 bytes; a model may have 268435456"),
    ];
    for (file, expected) in cases {
        let error = Model::read(&file).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error() {
    for (name, file) in FILES {
        for length in 0..file.len() {
            match Model::read(&file[..length]) {
                Err(Error::Malformed { .. } | Error::NotAModel(_) | Error::Unsupported { .. }) => {}
                // What is cut off may be a part that a model can do without.
                Ok(_) => {
                    assert!(matches!(name, "classifier.onnx" | "lightgbm.txt"), "{name} cut at {length}")
                }
                Err(error) => panic!("{name} cut at {length}: {error}"),
            }
        }
    }
}
