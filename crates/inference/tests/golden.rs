//! The answers of the libraries themselves, to the tolerance of each case.
//!
//! The cases are not part of the project: they are read from the directory in `STREAMFLOW_SHARED`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use streamflow_inference::{Error, Labels, Matrix, Model, Predictions, ReadOptions, Value};

/// The folder of cases, unless it is missing and this is not a check.
fn cases() -> Option<Vec<PathBuf>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let folder = shared.join("golden/models");
    if !folder.is_dir() {
        let message = format!("no cases in {}; set STREAMFLOW_SHARED", folder.display());
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
        eprintln!("SKIPPED: {message}");
        return None;
    }
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.join("expected.json").is_file()).collect();
    cases.sort();
    Some(cases)
}

/// A case: the model, its rows, and what its library answers.
struct Case {
    expected: Json,
    model: Vec<u8>,
    names: Vec<String>,
    cells: Vec<Vec<String>>,
}

impl Case {
    fn read(folder: &Path) -> Case {
        let expected: Json =
            serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let model = std::fs::read(folder.join(expected["model"][0].as_str().unwrap())).unwrap();
        let mut table = csv::ReaderBuilder::new().flexible(true).from_path(folder.join("input.csv")).unwrap();
        let names = table.headers().unwrap().iter().map(str::to_owned).collect();
        let cells: Vec<Vec<String>> =
            table.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(cells.len() as u64, expected["rows"].as_u64().unwrap());
        Case { expected, model, names, cells }
    }

    /// The rows in the order of the model's features.
    fn values(&self, model: &Model) -> Vec<Value<'_>> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let columns = model.columns(&names).unwrap();
        let kinds: Vec<&str> =
            self.expected["inputs"].as_array().unwrap().iter().map(|i| i["type"].as_str().unwrap()).collect();
        let cells = self.cells.iter().flat_map(|row| columns.iter().map(move |&column| (row, column)));
        cells.map(|(row, column)| value(&row[column], kinds[column])).collect()
    }

    /// How an answer differs from the library's, if it does.
    fn difference(&self, name: &str, predictions: &Predictions) -> Option<String> {
        let expected = &self.expected["outputs"][name];
        let kind = name.trim_start_matches("all_trees_");
        if kind == "label" {
            let given = predictions.label.as_ref().map(labels);
            return (given.as_ref() != expected.as_array()).then(|| format!("label is {given:?}"));
        }
        let given = match kind {
            "margin" => &predictions.margin,
            "probability" => &predictions.probability,
            "value" => &predictions.value,
            other => return Some(format!("{other} is no output")),
        };
        let Some(given) = given else { return Some(format!("no {name}")) };
        let tolerance = &self.expected["tolerance"][if kind == "margin" { "margin" } else { "other" }];
        let bound = (tolerance["abs"].as_f64().unwrap(), tolerance["rel"].as_f64().unwrap());
        let is_single = self.expected["dtypes"][name] == "float32";
        if given.is_single() != is_single {
            return Some(format!("{name} has another width than {}", self.expected["dtypes"][name]));
        }
        compare(given, expected, bound, is_single).map(|reason| format!("{name}: {reason}"))
    }
}

fn value<'a>(cell: &'a str, kind: &str) -> Value<'a> {
    match (cell, kind) {
        ("", _) => Value::Missing,
        (_, "float64" | "category_code") => Value::Number(cell.parse().unwrap()),
        (_, "int64" | "int_category") => Value::Integer(cell.parse().unwrap()),
        (_, "bool") => Value::Boolean(cell == "True"),
        _ => Value::Text(cell),
    }
}

fn labels(labels: &Labels) -> Vec<Json> {
    match labels {
        Labels::Integers(labels) => labels.iter().map(|&label| label.into()).collect(),
        Labels::Texts(labels) => labels.iter().map(|label| label.as_str().into()).collect(),
    }
}

fn compare(given: &Matrix, expected: &Json, (abs, rel): (f64, f64), is_single: bool) -> Option<String> {
    let rows = expected.as_array().unwrap();
    if given.rows().len() != rows.len() {
        return Some(format!("{} rows for {}", given.rows().len(), rows.len()));
    }
    for (number, (given, expected)) in given.rows().zip(rows).enumerate() {
        let expected = expected.as_array().map_or(std::slice::from_ref(expected), Vec::as_slice);
        if given.len() != expected.len() {
            return Some(format!("{} columns for {}", given.len(), expected.len()));
        }
        for (&given, expected) in given.iter().zip(expected) {
            let text = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
            let expected = match text.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                text if is_single => f64::from(text.parse::<f32>().unwrap()),
                text => text.parse().unwrap(),
            };
            let is_near = (given - expected).abs() <= abs + rel * expected.abs();
            if !is_near && given != expected && !(given.is_nan() && expected.is_nan()) {
                return Some(format!("row {number} is {given}, not {expected}"));
            }
        }
    }
    None
}

/// What is wrong with a case.
fn check(case: &Case) -> Result<&'static str, String> {
    let may_be_refused = case.expected["refuse"].is_string();
    let model = match Model::read(&case.model) {
        Err(Error::Unsupported { what, .. }) if may_be_refused => {
            eprintln!("{}: refused with {what}", case.expected["case"]);
            return Ok("refused by name");
        }
        read => read.map_err(|error| error.to_string())?,
    };
    let all = Model::read_with(&case.model, ReadOptions { all_trees: true }).unwrap();
    let values = case.values(&model);
    let predictions = model.predict(&values).map_err(|error| error.to_string())?;
    let of_all = all.predict(&values).map_err(|error| error.to_string())?;
    for name in case.expected["outputs"].as_object().unwrap().keys() {
        let predictions = if name.starts_with("all_trees_") { &of_all } else { &predictions };
        if let Some(difference) = case.difference(name, predictions) {
            return Err(difference);
        }
    }
    one_by_one(&model, &values, &predictions)?;
    Ok("equal")
}

/// A row by itself gives what it gives among others.
fn one_by_one(model: &Model, values: &[Value], all: &Predictions) -> Result<(), String> {
    for (number, row) in values.chunks(model.inputs().len()).enumerate() {
        let one = model.predict(row).map_err(|error| error.to_string())?;
        let pairs =
            [(&one.margin, &all.margin), (&one.probability, &all.probability), (&one.value, &all.value)];
        for (one, all) in pairs {
            let one = one.as_ref().map(|one| one.rows().next().unwrap().to_vec());
            let all = all.as_ref().map(|all| all.rows().nth(number).unwrap().to_vec());
            if format!("{one:?}") != format!("{all:?}") {
                return Err(format!("row {number} alone is {one:?}, among others {all:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn models_answer_as_their_libraries_do() {
    let Some(cases) = cases() else { return };
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    let mut differing = Vec::new();
    for folder in &cases {
        let case = Case::read(folder);
        let name = case.expected["case"].as_str().unwrap();
        match check(&case) {
            Ok(outcome) => {
                let library = name.split('_').next().unwrap().to_owned();
                *counts.entry((library, outcome)).or_default() += 1;
            }
            Err(reason) => differing.push(format!("{name}: {reason}")),
        }
    }
    for ((library, outcome), count) in &counts {
        println!("{library}: {count} {outcome}");
    }
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), cases.len(), differing.join("\n"));
    assert_eq!(counts.values().sum::<usize>(), cases.len());
}
