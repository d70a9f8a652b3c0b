//! Every golden value of metrics, comparisons and estimates: scikit-learn, statsmodels, SciPy, pROC and NannyML.
//!
//! The values are outside the project: `STREAMFLOW_SHARED`, else the `shared` directory beside it. `null` is undefined in
//! expectations and missing in inputs.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod classification;
mod estimates;
mod other_tasks;

use std::path::PathBuf;

use serde_json::Value;
use streamflow_performance::Rows;

/// The cases of a file of `golden/`; `None` where it is absent outside continuous integration.
fn golden(file: &str) -> Option<Value> {
    let path = path(file)?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn path(file: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = shared.join("golden").join(file);
    if path.is_file() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: set STREAMFLOW_SHARED", path.display());
    eprintln!("SKIPPED: {} is missing: set STREAMFLOW_SHARED", path.display());
    None
}

fn cases(document: &Value) -> &[Value] {
    document["cases"].as_array().unwrap()
}

/// A list of numbers, NaN for null.
fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// A list of 0, 1 and null.
fn classes(list: &Value) -> Vec<Option<bool>> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().map(|value| value == 1.0)).collect()
}

fn rows(table: &Value) -> Rows {
    let scores = numbers(&table["y_pred_proba"]);
    let labels = match &table["y_true"] {
        Value::Null => vec![None; scores.len()],
        labels => classes(labels),
    };
    Rows::new(labels, classes(&table["y_pred"]), scores).unwrap()
}

/// What was compared, and what differed.
#[derive(Default)]
struct Comparison {
    compared: usize,
    failures: Vec<String>,
}

impl Comparison {
    /// `tolerance` is relative, absolute below 1.
    fn near(&mut self, what: &str, found: Option<f64>, expected: &Value, tolerance: f64) {
        self.compared += 1;
        let equal = match (found, expected.as_f64()) {
            (None, None) => expected.is_null(),
            (Some(found), Some(expected)) => (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            _ => false,
        };
        if !equal {
            self.failures.push(format!("{what}: {found:?}, expected {expected}"));
        }
    }

    /// Ends the comparison; `least` values must have been compared.
    fn finish(self, least: usize) {
        let failed = self.failures.len();
        assert!(failed == 0, "{failed} of {} differ:\n{}", self.compared, self.failures.join("\n"));
        assert!(self.compared >= least, "only {} values were compared", self.compared);
    }
}
