//! Expectations: counts as Great Expectations has them, JSON in its shape, text for people.

use std::fs;

use serde_json::Value;
use streamflow_dataset::{Error, Expectation, Validation};

use crate::{SPEC, drop_of, ingest, spec, store_of};

const TABLE: &str = r#"
entity = "row"
entity_table = "rows"
features = ["hours"]
label = { table = "rows", column = "premium" }
[tables.rows.columns]
row = "string"
user_id = "string"
hours = "float"
plan = "string"
visits = "integer"
premium = "boolean"
[tables.other.columns]
row = "string"
"#;

/// The results of expectations on a CSV table. The golden tables have no entity, so each row gets a
/// number for one; rules about the set of columns are told of it.
fn evaluate(csv: &str, expectations: &[Expectation]) -> Validation {
    let mut numbered = String::new();
    for (index, line) in csv.lines().enumerate() {
        let row = if index == 0 { "row".to_string() } else { index.to_string() };
        numbered.push_str(&format!("{row},{line}\n"));
    }
    // The table under test is not the entity table, which may not be without rows.
    let mut spec = spec(&TABLE.replace("entity_table = \"rows\"", "entity_table = \"other\""));
    let table = spec.tables.get_mut("rows").unwrap();
    table.expectations = expectations.to_vec();
    for expectation in &mut table.expectations {
        if let Some(columns) = &mut expectation.column_set {
            columns.push("row".to_string());
        }
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("rows.csv"), numbered).unwrap();
    fs::write(directory.path().join("other.csv"), "row\n1\n").unwrap();
    let data = tempfile::tempdir().unwrap();
    let store = streamflow_dataset::Snapshots::open(data.path(), spec).unwrap();
    match ingest(&store, directory.path(), "2024-01-31") {
        Ok(report) => report.validation.unwrap(),
        Err(Error::ExpectationsFailed(validation)) => *validation,
        Err(other) => panic!("{other}"),
    }
}

/// Removes the column that only [`evaluate`] has added.
fn without_row(value: &mut Value) {
    if let Some(columns) = value.get_mut("observed_value").and_then(Value::as_array_mut) {
        columns.retain(|column| column != "row");
    }
}

#[test]
fn counts_are_those_of_great_expectations() {
    let golden: Value = serde_json::from_str(include_str!("../golden/expectations.json")).unwrap();
    let mut compared = 0;
    for table in golden["tables"].as_array().unwrap() {
        let cases = table["cases"].as_array().unwrap();
        let expectations: Vec<Expectation> =
            cases.iter().map(|case| serde_json::from_value(case["expectation"].clone()).unwrap()).collect();
        let found = evaluate(table["csv"].as_str().unwrap(), &expectations).to_json();
        for (case, found) in cases.iter().zip(found["results"].as_array().unwrap()) {
            assert_eq!(case["success"], found["success"], "{}", case["expectation"]);
            let mut result = found["result"].clone();
            without_row(&mut result);
            for (key, expected) in case["result"].as_object().unwrap() {
                let close = match (expected.as_f64(), result[key].as_f64()) {
                    (Some(expected), Some(found)) => (expected - found).abs() <= 1e-12 * expected.abs(),
                    _ => *expected == result[key],
                };
                assert!(close, "{}: {key} is {}, expected {expected}", case["expectation"], result[key]);
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

fn broken() -> Validation {
    let text = SPEC.replace(
        "[tables.labels.columns]",
        r#"
[[tables.usage.expectations]]
expect = "expect_column_values_to_be_between"
column = "hours"
min_value = 0
max_value = 744
[[tables.usage.expectations]]
expect = "expect_column_values_to_exist_in_table"
column = "user_id"
table = "users"
[[tables.usage.expectations]]
expect = "expect_table_row_count_to_be_between"
min_value = 10
[[tables.usage.expectations]]
expect = "expect_column_values_to_not_be_null"
column = "plan"
mostly = 0.5
[tables.labels.columns]"#,
    );
    let (_data, store) = store_of(&text);
    let usage = b"user_id,hours,premium,plan\nu1,-3,,a\nu7,inf,,b\nu2,744,,\n";
    let drop = drop_of(&[("usage.csv", Some(usage))]);
    match ingest(&store, drop.path(), "2024-01-31") {
        Err(Error::ExpectationsFailed(validation)) => *validation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failure_in_words() {
    insta::assert_snapshot!(broken().to_string());
}

#[test]
fn a_failure_in_great_expectations_json() {
    insta::assert_json_snapshot!(broken().to_json());
}

#[test]
fn the_result_is_kept_beside_the_snapshot() {
    let (data, store) = store_of(&SPEC.replace(
        "[tables.labels.columns]",
        "[[tables.usage.expectations]]\nexpect = \"expect_column_values_to_be_unique\"\ncolumn = \"user_id\"\n[tables.labels.columns]",
    ));
    let report = ingest(&store, drop_of(&[]).path(), "2024-01-31").unwrap();
    let kept = fs::read(data.path().join("snapshots").join(&report.snapshot.validation)).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), report.validation.unwrap().to_json());
}
