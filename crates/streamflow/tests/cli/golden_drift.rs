//! `streamflow drift` against Evidently 0.7.23 itself: 76 generated cases, every applicable method, through files and
//! flags.
//!
//! The vectors are outside the project: `STREAMFLOW_SHARED`, else the `shared` directory beside it.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::{Project, shared};

/// Values of both sides of a case, as they stand in its file.
fn sides(file: &Path) -> [Vec<String>; 2] {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    ["r", "c"].map(|side| {
        let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
        rows.filter(|(of, _)| *of == side).map(|(_, value)| value.to_owned()).collect()
    })
}

/// A column for each method, all of the same values, and one whose method is chosen automatically.
fn write(path: PathBuf, values: &[String], methods: &[&str]) {
    let mut csv = format!("value,{}\n", methods.join(","));
    for value in values {
        csv.push_str(value);
        methods.iter().for_each(|_| write!(csv, ",{value}").unwrap());
        csv.push('\n');
    }
    std::fs::write(path, csv).unwrap();
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(word) if word == "Infinity" => f64::INFINITY,
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

/// What is wrong with a column of our report, if anything.
fn check(case: &str, method: &str, found: &Value, expected: &Value) -> Option<String> {
    let told = format!("{case} {method}: {found}\n  expected {expected}");
    if found["method"] != method && found["status"] == "tested" {
        return Some(told);
    }
    if expected.get("error").is_some() {
        // Our exact test copes with the sizes that SciPy overflows on.
        return (method != "cramer_von_mises" && found["status"] == "tested").then_some(told);
    }
    // The covariance of two-valued numbers is singular: what SciPy then inverts is its own rounding.
    if method == "es"
        && ["num_few2_500", "num_few2_1001", "num_const_diff_500", "num_const_diff_1001"].contains(&case)
    {
        return None;
    }
    let relative = match (method, case) {
        ("cramer_von_mises", _) => 1e-5,
        // Evidently's own rounding: a mean bin width there, NumPy's mean of values near 1e9 here.
        ("hellinger", _) => 1e-8,
        ("t_test", "num_offset_1e9_1001") => 1e-6,
        _ => 1e-9,
    };
    let (score, wanted) = (number(&found["score"]), number(&expected["score"]));
    let random = expected.get("random_p").is_some();
    let gap = (score - wanted).abs();
    let score_met = match random {
        // Five standard errors of 100 draws at p = 0.5.
        true => gap <= 0.25,
        // Evidently computes some p-values as 1 − cdf, whose error is about 1e-16 absolutely.
        false => score.is_nan() && !wanted.is_finite() || gap <= relative * wanted.abs() || gap <= 2e-15,
    };
    let near_bound = random && (wanted - number(&expected["threshold"])).abs() < 0.2;
    let met = score_met
        && found["threshold"] == expected["threshold"]
        && (near_bound || found["drifted"] == expected["drifted"]);
    (!met).then_some(told)
}

#[test]
fn files_and_flags_give_evidentlys_scores() {
    let Some(dir) = shared("golden/drift") else { return };
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let project = Project::new();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for case in golden["cases"].as_array().unwrap() {
        let (name, scores) = (case["name"].as_str().unwrap(), case["evidently"].as_object().unwrap());
        let by_flag = |expected: &&Value| expected.get("default_only").is_none();
        let methods: Vec<&str> =
            scores.iter().filter(|(_, expected)| by_flag(expected)).map(|(name, _)| name.as_str()).collect();
        let [reference, current] = sides(&dir.join(case["file"].as_str().unwrap()));
        write(project.path("reference.csv"), &reference, &methods);
        write(project.path("current.csv"), &current, &methods);
        let kind = if case["type"] == "cat" { "categorical" } else { "numerical" };
        let mut flags = vec!["--type".to_owned(), format!("value={kind}")];
        for method in &methods {
            let own = [
                "--type".into(),
                format!("{method}={kind}"),
                "--method".into(),
                format!("{method}={method}"),
            ];
            flags.extend(own);
        }
        let files = ["drift", "reference.csv", "current.csv", "--profile", "evidently", "--json", "-"];
        let args: Vec<&str> = files.into_iter().chain(flags.iter().map(String::as_str)).collect();
        let report: Value = serde_json::from_str(&project.ok(&args)).unwrap();
        let columns = report["columns"].as_array().unwrap();
        assert_eq!(columns.len(), methods.len() + 1, "{name}");
        for column in columns {
            let chosen = column["name"].as_str().unwrap();
            let method = if chosen == "value" { case["default_test"].as_str().unwrap() } else { chosen };
            wrong.extend(check(name, method, column, &scores[method]));
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 900, "only {checked} scores were checked");
}

#[test]
fn one_method_for_all_columns_of_a_type() {
    let Some(dir) = shared("golden/drift") else { return };
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let project = Project::new();
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap().iter().step_by(9) {
        let (kind, flag) = if case["type"] == "cat" {
            ("categorical", "--cat-method")
        } else {
            ("numerical", "--num-method")
        };
        let Some(expected) = case["evidently"].get("psi").filter(|psi| psi.get("error").is_none()) else {
            continue;
        };
        let [reference, current] = sides(&dir.join(case["file"].as_str().unwrap()));
        // A column of one value beside it, since a line without any field is a blank one.
        write(project.path("reference.csv"), &reference, &["one"]);
        write(project.path("current.csv"), &current, &["one"]);
        let value = format!("value={kind}");
        let report = project.json(&[
            "drift",
            "reference.csv",
            "current.csv",
            "--type",
            &value,
            flag,
            "psi",
            "--profile",
            "evidently",
        ]);
        let name = case["name"].as_str().unwrap();
        assert_eq!(check(name, "psi", &report["columns"][0], expected), None);
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} cases have the method");
}
