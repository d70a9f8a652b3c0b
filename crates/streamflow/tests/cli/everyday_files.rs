//! Everyday pairs of files through `streamflow drift`: what is decided, and what is said not to have been looked at.
//!
//! The files are outside the project: `STREAMFLOW_SHARED`, else the `shared` directory beside it.

use serde_json::Value;

use crate::project::{Project, shared};

/// The decision, the drifted columns and the columns that were not tested.
fn check(project: &Project, reference: &str, current: &str, expected: (&str, &[&str], &[&str])) {
    let Some(folder) = shared("cases/drift") else { return };
    let path = |name: &str| folder.join(name).display().to_string();
    let report: Value =
        serde_json::from_str(&project.ok(&["drift", &path(reference), &path(current), "--format", "json"]))
            .unwrap();
    let names = |list: &Value, key: &str| -> Vec<String> {
        let mut names: Vec<String> =
            list.as_array().unwrap().iter().map(|column| column[key].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let drifted: Vec<Value> = report["columns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["drifted"] == true)
        .cloned()
        .collect();
    let found = (
        report["decision"].as_str().unwrap(),
        names(&Value::Array(drifted), "name"),
        names(&report["not_tested"], "column"),
    );
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(found, (expected.0, owned(expected.1), owned(expected.2)), "{reference} {current}");
}

#[test]
fn decisions_on_everyday_files() {
    let project = Project::new();
    let retrain = "RETRAINING_TRIGGERED";
    for (reference, current, expected) in [
        ("parent_id.csv", "parent_id.csv", ("NO_ACTION", &[][..], &[][..])),
        ("small_batch.ref.csv", "small_batch.cur.csv", (retrain, &["plan"], &[])),
        ("one_bad_cell.ref.csv", "one_bad_cell.cur.csv", (retrain, &["amount"], &[])),
        ("currency.ref.csv", "currency.cur.csv", (retrain, &["fee"], &[])),
        ("plain.ref.csv.gz", "plain.cur.csv.gz", ("NO_ACTION", &[], &[])),
        ("dates.ref.csv", "dates.cur.csv", ("NO_ACTION", &[], &["day"])),
        ("dates.ref.parquet", "dates.cur.parquet", ("NO_ACTION", &[], &["day"])),
        ("pandas_index.ref.parquet", "pandas_index.cur.parquet", ("NO_ACTION", &[], &["__index_level_0__"])),
        ("uuid_list.ref.parquet", "uuid_list.cur.parquet", ("NO_ACTION", &[], &["tags", "uid"])),
    ] {
        check(&project, reference, current, expected);
    }
}
