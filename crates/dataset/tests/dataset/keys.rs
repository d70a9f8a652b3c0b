//! A key of two columns: what an ingest refuses, which rows belong together, and who is forgotten.

use std::fs;

use streamflow_dataset::{EntityKey, Error, Outcome, PointInTime, Snapshots};
use tempfile::TempDir;

use crate::point_in_time::rows;
use crate::{date, ingest, spec, store_of};

const SPEC: &str = r#"
entity = ["store", "sku"]
entity_table = "stock"
features = ["price", "sold"]
label = { table = "demand", column = "units", task = "regression" }

[tables.stock.columns]
sku = "integer"
store = "string"
price = "float"

[tables.sales.columns]
store = "string"
sku = "integer"
sold = "integer"

[tables.demand.columns]
store = "string"
sku = "integer"
units = "float"
"#;

fn drop_of(stock: &str, sales: &str, demand: &str) -> TempDir {
    let drop = tempfile::tempdir().unwrap();
    for (name, header, lines) in [
        ("stock.csv", "sku,store,price", stock),
        ("sales.csv", "store,sku,sold", sales),
        ("demand.csv", "store,sku,units", demand),
    ] {
        fs::write(drop.path().join(name), format!("{header}\n{lines}")).unwrap();
    }
    drop
}

/// `a` with 1 and 11 and `a 1` with 1, which are three; in February one of them is not sold.
fn months() -> (TempDir, Snapshots) {
    let (data, store) = store_of(SPEC);
    let january = drop_of("1,a,1.5\n11,a,2.5\n1,a 1,3.5\n", "a 1,1,3\na,11,2\na,1,1\n", "a,11,4\na,1,5\n");
    ingest(&store, january.path(), "2024-01-31").unwrap();
    let february = drop_of("11,a,2\n1,a 1,3\n", "a 1,1,30\n", "");
    ingest(&store, february.path(), "2024-02-29").unwrap();
    (data, store)
}

fn read(store: &Snapshots, as_of: &str) -> Vec<String> {
    rows(&store.point_in_time(date(as_of), PointInTime { labels: true, exact: true }).unwrap())
}

#[test]
fn rows_belong_together_by_the_whole_key() {
    let (_data, store) = months();
    // The columns are the key, the features and the label.
    assert_eq!(read(&store, "2024-01-31"), ["a 1 1 3.5 3 -", "a 1 1.5 1 5", "a 11 2.5 2 4"]);
    assert_eq!(read(&store, "2024-02-29"), ["a 1 1 3 30 -", "a 11 2 2 -"]);
    assert_eq!(store.sources(date("2024-02-29")).unwrap().len(), 2);
    let frame = store.online_features().unwrap().unwrap().1;
    let names: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["store", "sku", "price", "sold"]);
    let key = &store.spec().entity;
    assert_eq!(key.text_of_row(&frame, 0).unwrap(), "store=\"a 1\" sku=1");
    assert_eq!(key.text_of_row(&frame, 1).unwrap(), "store=a sku=11");
    let error = EntityKey::new("day").text_of_row(&frame, 0).unwrap_err().to_string();
    assert_eq!(error, "the table has no column day");
}

#[test]
fn a_key_has_one_row_and_all_of_its_parts() {
    let (_data, store) = store_of(SPEC);
    let drop = drop_of("1,a,1\n2,a,1\n,b,1\n3,,1\n1,a,2\n", "", "");
    let Err(Error::Rejected { problems, count, .. }) = ingest(&store, drop.path(), "2024-01-31") else {
        panic!("a drop with rows of nobody was taken")
    };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(count, 3, "{told:?}");
    assert!(told[0].contains("sku") && told[0].contains("the entity is missing"), "{told:?}");
    assert!(told[1].contains("store") && told[1].contains("the entity is missing"), "{told:?}");
    assert!(told[2].contains("\"store=a sku=1\" was seen before"), "{told:?}");
}

#[test]
fn who_is_forgotten_is_named_by_the_whole_key() {
    let (_data, store) = months();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>();
    let entity = store.entity_of_words(&words(&["sku=01", "store=a 1"])).unwrap();
    assert_eq!(entity, "store=\"a 1\" sku=1");
    let named = |entity: &str| store.find_entity(entity).unwrap().iter().map(|found| found.rows).sum::<u64>();
    assert_eq!((named(&entity), named("store=a sku=1"), named("store=a sku=11")), (4, 3, 4));
    store.forget_entity(&entity, "5a17").unwrap();
    assert_eq!((named(&entity), named("store=a sku=1"), named("store=a sku=11")), (0, 3, 4));
    assert_eq!(read(&store, "2024-01-31"), ["a 1 1.5 1 5", "a 11 2.5 2 4"]);
    assert!(store.verify().unwrap().is_intact());
    // A later drop does not bring it back.
    let march = drop_of("1,a 1,3\n1,a,3\n", "a 1,1,3\n", "");
    let ingested = ingest(&store, march.path(), "2024-03-31").unwrap();
    assert_eq!((ingested.outcome, ingested.snapshot.forgotten_rows()), (Outcome::Created, 2));
    assert_eq!(read(&store, "2024-03-31"), ["a 1 3 1 -"]);
    for wrong in [&["store=a"][..], &["a", "1"], &["store=a", "sku=x"], &["store=a", "sku=1", "day=2"]] {
        assert!(store.entity_of_words(&words(wrong)).is_err(), "{wrong:?}");
    }
}

#[test]
fn contradictions_of_a_key_are_named() {
    let message = |from: &str, to: &str| {
        assert!(SPEC.contains(from), "{from}");
        spec(&SPEC.replacen(from, to, 1)).validate().unwrap_err().to_string()
    };
    let sales = "store = \"string\"\nsku = \"integer\"\nsold";
    for (from, to, expected) in [
        (sales, "store = \"string\"\nsold", "tables.sales.columns has no sku, a part of the entity"),
        (sales, "store = \"integer\"\nsku = \"integer\"\nsold", "the entity store has different types"),
        (sales, "store = \"float\"\nsku = \"integer\"\nsold", "a part of the entity is float"),
        ("[\"price\", ", "[\"store\", ", "features lists \"store\", a part of the entity"),
        (
            "[tables.demand.columns]",
            "[[tables.sales.expectations]]\nexpect = \"expect_column_values_to_exist_in_table\"\ncolumn = \"store\"\n\
             table = \"stock\"\n[tables.demand.columns]",
            "looks for entities in one column, and the entity has several (store, sku)",
        ),
    ] {
        let told = message(from, to);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn another_key_than_a_month_was_ingested_with_is_told() {
    let (data, store) = months();
    drop(store);
    let other = SPEC.replace("entity = [\"store\", \"sku\"]", "entity = [\"store\", \"sku\", \"day\"]");
    let other = other.replace("sku = \"integer\"", "sku = \"integer\"\nday = \"integer\"");
    let store = Snapshots::open(data.path(), spec(&other)).unwrap();
    let read = store.point_in_time(date("2024-02-29"), PointInTime { labels: false, exact: true });
    let error = read.unwrap_err().to_string();
    assert!(error.contains("has no column day"), "{error}");
}

#[test]
fn an_entity_of_several_columns_leaves_a_month_of_one() {
    let of_skus = SPEC.replace("entity = [\"store\", \"sku\"]", "entity = \"sku\"");
    let (data, store) = store_of(&of_skus);
    let january = drop_of("1,a,1.5\n2,a,2.5\n", "a,2,3\n", "a,1,4\n");
    ingest(&store, january.path(), "2024-01-31").unwrap();
    std::mem::drop(store);
    let store = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    assert_eq!(read(&store, "2024-01-31"), ["a 1 1.5 - 4", "a 2 2.5 3 -"]);
    store.forget_entity("store=a sku=2", "5a17").unwrap();
    assert_eq!(read(&store, "2024-01-31"), ["a 1 1.5 - 4"]);
}
