//! Labels of every task: what a drop may hold, and what is refused with its row.

use std::fs;

use streamflow_dataset::{DatasetSpec, Error, PointInTime, Snapshots};

/// Ingests labels of one column and returns the point-in-time labels, or what is wrong with the drop.
fn ingest(column_type: &str, label: &str, values: &[&str]) -> Result<Vec<Option<String>>, String> {
    let spec: DatasetSpec = toml::from_str(&format!(
        r#"
        entity = "id"
        entity_table = "users"
        features = ["hours"]
        label = {{ table = "labels", column = "y", {label} }}
        tables.users.columns = {{ id = "string", hours = "float" }}
        tables.labels.columns = {{ id = "string", y = "{column_type}" }}
        "#
    ))
    .unwrap();
    let (drop, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rows = |columns: &dyn Fn(usize) -> String| (0..values.len()).map(columns).collect::<String>();
    let id = |row: usize| format!("u{row:04}");
    let users = rows(&|row| format!("{},{row}\n", id(row)));
    let labels = rows(&|row| format!("{},{}\n", id(row), values[row]));
    fs::write(drop.path().join("users.csv"), format!("id,hours\n{users}")).unwrap();
    fs::write(drop.path().join("labels.csv"), format!("id,y\n{labels}")).unwrap();
    let store = Snapshots::open(data.path(), spec).map_err(|error| error.to_string())?;
    let date = "2024-01-31".parse().unwrap();
    match store.ingest(drop.path(), date, false, &mut |_| {}) {
        Ok(_) => {}
        Err(error @ (Error::Rejected { .. } | Error::Spec(_))) => {
            assert!(store.newest().unwrap().is_none(), "nothing may be half kept");
            return Err(error.to_string());
        }
        Err(other) => panic!("{other}"),
    }
    let frame = store.point_in_time(date, PointInTime { labels: true, exact: true }).unwrap();
    let values = &frame.column("y").unwrap().values;
    Ok((0..frame.rows).map(|row| values.text(row)).collect())
}

#[track_caller]
fn refused(column_type: &str, label: &str, values: &[&str], expected: &[&str]) {
    let error = ingest(column_type, label, values).unwrap_err();
    for expected in expected {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn labels_of_every_task_are_kept() {
    let some = |values: &[&str]| values.iter().map(|value| Some((*value).to_owned())).collect::<Vec<_>>();
    let yes = "positive = \"Yes\"";
    assert_eq!(ingest("string", yes, &["Yes", "No", "Yes"]).unwrap(), some(&["Yes", "No", "Yes"]));
    assert_eq!(ingest("integer", "positive = 2", &["2", "1"]).unwrap(), some(&["2", "1"]));
    let regression = "task = \"regression\"";
    assert_eq!(ingest("float", regression, &["1.5", "", "nan", "-3"]).unwrap()[1..3], [None, None]);
    assert_eq!(ingest("integer", regression, &["7"]).unwrap(), some(&["7"]));
    let classes = "task = \"multiclass\"";
    assert_eq!(ingest("string", classes, &["gold", "", "basic"]).unwrap()[1], None);
    assert_eq!(ingest("boolean", classes, &["1", "0"]).unwrap(), some(&["true", "false"]));
    let declared = "task = \"multiclass\", classes = [1, 2, 3]";
    assert_eq!(ingest("float", declared, &["1.0", "3"]).unwrap(), some(&["1", "3"]));
}

#[test]
fn labels_that_the_task_does_not_take_are_refused_with_their_rows() {
    let regression = "task = \"regression\"";
    refused(
        "float",
        regression,
        &["1", "inf", "many", "-inf"],
        &[
            "3 problems",
            "labels.csv line 3, column y: \"inf\" is not a finite number, and the label of a regression is one",
            "line 4, column y: \"many\" is not",
            "line 5, column y: \"-inf\"",
        ],
    );
    refused(
        "string",
        "positive = \"Yes\"",
        &["No", "Yes", "Maybe", "No", "maybe"],
        &[
            "2 problems",
            "line 4, column y: \"Maybe\" is a third value beside \"Yes\"",
            "and \"No\"",
            "multiclass",
        ],
    );
    refused(
        "string",
        "task = \"multiclass\", classes = [\"gold\", \"basic\"]",
        &["gold", "basik"],
        &["line 3, column y: \"basik\" is not one of dataset.label.classes (did you mean basic?)"],
    );
    let many: Vec<String> = (0..150).map(|value| format!("c{value}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    refused(
        "string",
        "task = \"multiclass\"",
        &many,
        &[
            "1 problem",
            "line 102, column y: has more than 100 different values",
            "\"regression\" for amounts",
        ],
    );
    assert!(ingest("string", "task = \"multiclass\"", &many[..100]).is_ok());
}
