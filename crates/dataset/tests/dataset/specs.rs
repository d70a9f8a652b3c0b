//! Configurations that contradict themselves, and what is said of them.

use streamflow_dataset::DatasetSpec;

use crate::SPEC;

/// Replaces one piece of the good configuration.
fn message(from: &str, to: &str) -> String {
    assert!(SPEC.contains(from), "{from}");
    match toml::from_str::<DatasetSpec>(&SPEC.replacen(from, to, 1)) {
        Ok(spec) => spec.validate().expect_err(to).to_string(),
        Err(error) => error.message().to_string(),
    }
}

#[test]
fn messages() {
    let expectation = |keys: &str| format!("[[tables.usage.expectations]]\n{keys}\n[tables.labels.columns]");
    let labels = "[tables.labels.columns]";
    let cases = [
        ("entity = \"user_id\"", "entity = \"userid\"".to_string()),
        ("entity_table = \"users\"", "entity_table = \"user\"".to_string()),
        ("\"hours\"", "\"huors\"".to_string()),
        ("\"hours\"", "\"hours\", \"hours\", \"churned\", \"user_id\", \"joined\"".to_string()),
        ("features = [\"hours\", \"premium\", \"plan\", \"age\"]", "features = []".to_string()),
        ("table = \"labels\"", "table = \"label\"".to_string()),
        ("column = \"churned\"", "column = \"churn\"".to_string()),
        ("churned = \"boolean\"", "churned = \"integer\"".to_string()),
        ("plan = \"string\"", "plan = \"text\"".to_string()),
        ("plan = \"string\"", "plan = 3".to_string()),
        ("plan = \"string\"", "plan = { type = \"string\", nullabel = true }".to_string()),
        ("plan = \"string\"", "age = \"integer\"\nplan = \"string\"".to_string()),
        (
            "[tables.users.columns]\nuser_id = \"string\"",
            "[tables.users.columns]\nuser_id = \"integer\"".to_string(),
        ),
        (
            "[tables.users.columns]",
            "[tables.\"../up\".columns]\nuser_id = \"string\"\n[tables.users.columns]".to_string(),
        ),
        ("entity = \"user_id\"", "entity = \"user_id\"\nentities = 3".to_string()),
        (labels, expectation("expect = \"expect_column_values_to_be_betwen\"\ncolumn = \"hours\"")),
        (labels, expectation("expect = \"expect_nothing_of_the_kind\"")),
        (
            labels,
            expectation("expect = \"expect_column_values_to_be_between\"\ncolumn = \"hourz\"\nmin_value = 1"),
        ),
        (
            labels,
            expectation("expect = \"expect_column_values_to_be_between\"\ncolumn = \"plan\"\nmin_value = 1"),
        ),
        (
            labels,
            expectation(
                "expect = \"expect_column_values_to_be_between\"\ncolumn = \"hours\"\nmin_value = 3\nmax_value = 2\nmostly = 95",
            ),
        ),
        (labels, expectation("expect = \"expect_column_values_to_be_between\"\ncolumn = \"hours\"")),
        (labels, expectation("expect = \"expect_column_values_to_be_unique\"\nvalue_set = [1]")),
        (
            labels,
            expectation(
                "expect = \"expect_column_values_to_be_in_set\"\ncolumn = \"plan\"\nvalue_set = [\"a\", 1]",
            ),
        ),
        (
            labels,
            expectation(
                "expect = \"expect_column_values_to_be_in_set\"\ncolumn = \"plan\"\nvalue_set = [[1]]",
            ),
        ),
        (
            labels,
            expectation(
                "expect = \"expect_column_values_to_be_of_type\"\ncolumn = \"plan\"\ntype_ = \"varchar\"",
            ),
        ),
        (
            labels,
            expectation(
                "expect = \"expect_column_values_to_exist_in_table\"\ncolumn = \"user_id\"\ntable = \"labels\"",
            ),
        ),
        (
            labels,
            expectation(
                "expect = \"expect_table_row_count_to_be_between\"\nmin_value = -1\nmax_value = \"x\"",
            ),
        ),
    ];
    let messages: Vec<String> = cases
        .iter()
        .map(|(from, to)| {
            format!("## {}\n{}\n", to.lines().collect::<Vec<_>>().join(" / "), message(from, to))
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn the_good_one_is_good() {
    crate::spec(SPEC).validate().unwrap();
}
