//! Tables and columns that are there from a date on, or up to one.

use std::fs;

use streamflow_dataset::{DatasetSpec, Error, Outcome, PointInTime, Snapshots};
use tempfile::TempDir;

use crate::point_in_time::rows;
use crate::{date, ingest, spec, store_of};

/// `promo` comes in March, `age` becomes a text then, `fax` leaves after February, and so does the table `visits` for
/// `web`.
const SPEC: &str = r#"
entity = "id"
entity_table = "users"
features = ["hours", "promo", "age", "fax", "seen", "clicks"]
label = { table = "users", column = "gone" }

[tables.users.columns]
id = "string"
gone = "boolean"
age = [{ type = "integer", until = "2026-02-28" }, { type = "string", since = "2026-03-01" }]

[tables.usage]
columns.id = "string"
columns.hours = "float"
columns.promo = { type = "boolean", nullable = false, since = "2026-03-01" }
columns.fax = { type = "integer", until = "2026-02-28" }
expectations = [
    { expect = "expect_column_values_to_be_between", column = "fax", min_value = 0 },
    { expect = "expect_column_values_to_not_be_null", column = "promo" },
]

[tables.visits]
until = "2026-02-28"
columns = { id = "string", seen = "integer" }

[tables.web]
since = "2026-03-01"
columns = { id = "string", clicks = "integer" }
"#;

fn drop_of(files: &[(&str, &str)]) -> TempDir {
    let drop = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(drop.path().join(name), text).unwrap();
    }
    drop
}

fn february() -> TempDir {
    drop_of(&[
        ("users.csv", "id,gone,age\na,0,31\nb,1,42\n"),
        ("usage.csv", "id,hours,fax\na,1,7\nb,2,8\n"),
        ("visits.csv", "id,seen\na,5\n"),
    ])
}

fn march() -> TempDir {
    drop_of(&[
        ("users.csv", "id,gone,age\na,0,30s\nb,1,40s\n"),
        ("usage.csv", "id,promo,hours\na,true,3\n"),
        ("web.csv", "id,clicks\nb,9\n"),
    ])
}

fn months() -> (TempDir, Snapshots) {
    let (data, store) = store_of(SPEC);
    ingest(&store, february().path(), "2026-02-28").unwrap();
    ingest(&store, march().path(), "2026-03-31").unwrap();
    (data, store)
}

fn columns(store: &Snapshots, as_of: &str) -> (Vec<String>, Vec<String>) {
    let frame = store.point_in_time(date(as_of), PointInTime { labels: true, exact: false }).unwrap();
    (frame.columns.iter().map(|column| column.name.clone()).collect(), rows(&frame))
}

#[test]
fn each_date_has_the_columns_of_then() {
    let (_data, store) = months();
    let (names, rows) = columns(&store, "2026-02-28");
    assert_eq!(names, ["id", "hours", "age", "fax", "seen", "gone"]);
    assert_eq!(rows, ["a 1 31 7 5 false", "b 2 42 8 - true"]);
    // An older row stands in only where its snapshot has the same columns: b has no hours in March.
    let (names, rows) = columns(&store, "2026-03-31");
    assert_eq!(names, ["id", "hours", "promo", "age", "clicks", "gone"]);
    assert_eq!(rows, ["a 3 true 30s - false", "b - - 40s 9 true"]);
    // Between the two, what is known is February's, in the form of then.
    assert_eq!(columns(&store, "2026-03-15").0, ["id", "hours", "age", "fax", "seen", "gone"]);
    assert_eq!(store.online_features().unwrap().unwrap().1.columns.len(), 5);
    // The same drop again is no change.
    assert_eq!(ingest(&store, february().path(), "2026-02-28").unwrap().outcome, Outcome::Unchanged);
    assert_eq!(store.find_entity("b").unwrap().len(), 4);
}

#[test]
fn a_drop_with_the_columns_of_another_date_is_refused() {
    let (_data, store) = store_of(SPEC);
    let told = |drop: &TempDir, as_of: &str| match ingest(&store, drop.path(), as_of) {
        Err(Error::Rejected { problems, .. }) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        other => panic!("{other:?}"),
    };
    let early = told(&march(), "2026-02-28");
    for expected in [
        "visits.csv: is missing",
        "usage.csv, column promo: is a column of usage since 2026-03-01, and the drop is as of 2026-02-28",
        "usage.csv, column fax: is missing",
        "\"30s\" is not a whole number",
    ] {
        assert!(early.contains(expected), "{expected} in\n{early}");
    }
    let late = told(&february(), "2026-03-01");
    for expected in [
        "web.csv: is missing",
        "usage.csv, column fax: is a column of usage until 2026-02-28, and the drop is as of 2026-03-01",
        "usage.csv, column promo: is missing",
    ] {
        assert!(late.contains(expected), "{expected} in\n{late}");
    }
}

#[test]
fn a_column_that_is_declared_later_is_given_its_date() {
    let without = SPEC
        .replace("columns.promo = { type = \"boolean\", nullable = false, since = \"2026-03-01\" }\n", "");
    let without = without
        .replace("    { expect = \"expect_column_values_to_not_be_null\", column = \"promo\" },\n", "");
    let (data, store) = store_of(&without.replace("\"promo\", ", ""));
    ingest(&store, february().path(), "2026-02-28").unwrap();
    drop(store);
    // Declared at all dates, the month that is there lacks it.
    let undated = SPEC.replace(", since = \"2026-03-01\" }\ncolumns.fax", " }\ncolumns.fax");
    let store = Snapshots::open(data.path(), spec(&undated)).unwrap();
    let error = store.point_in_time(date("2026-02-28"), PointInTime { labels: false, exact: true });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("has no column promo") && error.contains("`since`"), "{error}");
    drop(store);
    let store = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    assert_eq!(columns(&store, "2026-02-28").1, ["a 1 31 7 5 false", "b 2 42 8 - true"]);
}

#[test]
fn contradictions_of_dates_are_named() {
    for (from, to, expected) in [
        (
            "until = \"2026-02-28\" }, {",
            "until = \"2026-03-01\" }, {",
            "columns.age: a form until 2026-03-01",
        ),
        (
            "\"integer\", until = \"2026-02-28\" }, {",
            "\"integer\" }, {",
            "a form at all dates is followed by one since",
        ),
        (
            "columns.promo = { type = \"boolean\", nullable = false, since = \"2026-03-01\" }",
            "columns.promo = { type = \"boolean\", since = \"2026-03-01\", until = \"2026-02-28\" }",
            "usage.columns.promo: until is before since (since 2026-03-01 until 2026-02-28)",
        ),
        (
            "gone = \"boolean\"",
            "gone = { type = \"boolean\", since = \"2026-03-01\" }",
            "until it changes from 2026-03-01 on: label.column = \"gone\" is not a column of users",
        ),
        (
            "[tables.web]\nsince = \"2026-03-01\"",
            "[tables.web]\nuntil = \"2026-03-01\"\nsince = \"2026-03-02\"",
            "tables.web: until is before since",
        ),
        (
            "[tables.visits]\nuntil = \"2026-02-28\"\ncolumns = { id = \"string\", seen",
            "[tables.visits]\nuntil = \"2026-02-28\"\ncolumns = { id = \"integer\", seen",
            "the entity id has different types",
        ),
        (
            "{ type = \"string\", since",
            "{ type = \"date\", since",
            "from 2026-03-01 on: features lists \"age\", a date",
        ),
        ("\"clicks\"]", "\"clocks\"]", "features lists \"clocks\", which no table has"),
        (
            "columns = { id = \"string\", clicks = \"integer\" }",
            "columns = { id = \"string\", clicks = \"integer\", hours = \"float\" }",
            "from 2026-03-01 on: features lists \"hours\", which is a column of usage and web",
        ),
    ] {
        assert!(SPEC.contains(from), "{from}");
        let told = spec(&SPEC.replacen(from, to, 1)).validate().unwrap_err().to_string();
        assert!(told.contains(expected), "{expected} in\n{told}");
    }
    for (to, expected) in [
        ("columns.hours = []", "the column has no form"),
        ("columns.hours = { type = \"float\", since = \"March\" }", "\"March\" is not a period"),
        ("columns.hours = { type = \"float\", since = 2026-03-01 }", "expected a date in quotes"),
        ("columns.hours = { type = \"float\", sins = \"2026-03-01\" }", "unknown field `sins`"),
    ] {
        let error =
            toml::from_str::<DatasetSpec>(&SPEC.replace("columns.hours = \"float\"", to)).unwrap_err();
        assert!(error.message().contains(expected), "{}", error.message());
    }
    // What was read is written as it reads.
    let json = serde_json::to_value(spec(SPEC)).unwrap();
    assert_eq!(serde_json::from_value::<DatasetSpec>(json).unwrap(), spec(SPEC));
}

#[test]
fn a_column_that_moves_to_another_table_is_one_feature() {
    let moved = SPEC
        .replace("\"seen\", \"clicks\"]", "\"seen\"]")
        .replace("clicks = \"integer\"", "seen = \"integer\"");
    let (_data, store) = store_of(&moved);
    ingest(&store, february().path(), "2026-02-28").unwrap();
    let march = march();
    fs::write(march.path().join("web.csv"), "id,seen\nb,9\n").unwrap();
    ingest(&store, march.path(), "2026-03-31").unwrap();
    assert_eq!(columns(&store, "2026-02-28").1, ["a 1 31 7 5 false", "b 2 42 8 - true"]);
    assert_eq!(columns(&store, "2026-03-31").1, ["a 3 true 30s - false", "b - - 40s 9 true"]);
}
