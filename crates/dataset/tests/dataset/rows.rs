//! Drops that come row by row, as the tables of a database do.

use std::collections::BTreeMap;
use std::path::Path;

use streamflow_dataset::{Cell, Error, IngestReport, Outcome, RowDrop, Snapshots, TableIntake};

use crate::{SPEC, date, drop_of, ingest, store_of};

type Row = Vec<Cell<'static>>;

/// The header and the rows of a table.
type Table = (&'static [&'static str], Vec<Row>);

/// The tables of the drop that `drop_of` makes.
fn tables() -> BTreeMap<&'static str, Table> {
    use Cell::{Boolean, Float, Integer, Missing, Text};
    let users = vec![
        vec![Text("u1"), Integer(31), Text("2023-01-05")],
        vec![Text("u2"), Missing, Text("2023-02-01")],
    ];
    let usage = vec![
        vec![Text("u1"), Float(1.5), Integer(1), Text("basic")],
        vec![Text("u2"), Missing, Missing, Text("")],
    ];
    let labels = vec![vec![Text("u1"), Boolean(true)], vec![Text("u2"), Boolean(false)]];
    [
        ("users", (&["user_id", "age", "joined"][..], users)),
        ("usage", (&["user_id", "hours", "premium", "plan"], usage)),
        ("labels", (&["user_id", "churned"], labels)),
    ]
    .into()
}

fn come(store: &Snapshots, tables: &BTreeMap<&str, Table>, replace: bool) -> Result<IngestReport, Error> {
    let mut feed = |intake: &mut TableIntake<'_>| {
        let (header, rows) = &tables[intake.table()];
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        if !intake.begin(&header)? {
            return Ok(());
        }
        for row in rows {
            row.iter().for_each(|cell| intake.push(*cell));
            intake.end_row()?;
        }
        intake.add_bytes(rows.len());
        Ok(())
    };
    let origins = [("usage".to_owned(), "usage_snapshots".to_owned())].into();
    let drop = RowDrop { name: "from the shop".to_owned(), origins, feed: &mut feed };
    store.ingest_rows(drop, date("2024-01-31"), replace, &mut |_| {})
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn rows_become_the_bytes_that_files_of_them_become() {
    let (_data, of_rows) = store_of(SPEC);
    let (_data, of_files) = store_of(SPEC);
    let rows = come(&of_rows, &tables(), false).unwrap();
    let files = ingest(&of_files, drop_of(&[]).path(), "2024-01-31").unwrap();
    assert_eq!((rows.outcome, files.outcome), (Outcome::Created, Outcome::Created));
    for (name, table) in &files.snapshot.tables {
        assert_eq!(rows.snapshot.tables[name].sha256, table.sha256, "{name}");
    }
    let sources: Vec<&str> = rows.snapshot.tables.values().map(|table| table.source.as_str()).collect();
    assert_eq!(sources, ["labels", "usage_snapshots", "users"]);
    assert_eq!(come(&of_files, &tables(), false).unwrap().snapshot, files.snapshot);
}

#[test]
fn the_same_rows_change_nothing_and_others_are_refused_or_replace() {
    let (data, store) = store_of(SPEC);
    come(&store, &tables(), false).unwrap();
    let before = files(data.path());
    let again = come(&store, &tables(), false).unwrap();
    assert_eq!((again.outcome, again.snapshot.revision), (Outcome::Unchanged, 1));
    let mut others = tables();
    others.get_mut("usage").unwrap().1.reverse();
    let error = come(&store, &others, false).unwrap_err();
    assert!(error.to_string().contains("this drop differs in usage (other content)"), "{error}");
    assert_eq!(files(data.path()), before);
    let replaced = come(&store, &others, true).unwrap();
    assert_eq!((replaced.outcome, replaced.snapshot.revision), (Outcome::Replaced, 2));
    // A file that is damaged is written again by the same rows.
    std::fs::write(data.path().join("snapshots").join(&replaced.snapshot.tables["usage"].path), "x").unwrap();
    assert_eq!(come(&store, &others, false).unwrap().outcome, Outcome::Mended);
    assert!(store.verify().unwrap().is_intact());
}

#[test]
fn problems_name_the_entity_and_leave_nothing() {
    let (data, store) = store_of(SPEC);
    let before = files(data.path());
    let mut bad = tables();
    bad.get_mut("usage").unwrap().1[1][1] = Cell::Text("many");
    bad.get_mut("users").unwrap().1[0][2] = Cell::Missing;
    bad.get_mut("labels").unwrap().1[1][0] = Cell::Missing;
    let error = come(&store, &bad, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the drop from the shop was not ingested: 3 problems\n  \
         - users user_id=u1, column joined: is missing; this column is declared as not nullable\n  \
         - labels row 2, column user_id: the entity is missing; every row needs one\n  \
         - usage_snapshots user_id=u2, column hours: \"many\" is not a number such as 12.5 (NULL for missing)"
    );
    let mut other = tables();
    other.get_mut("usage").unwrap().0 = &["user_id", "hour", "premium", "plan"];
    let error = come(&store, &other, false).unwrap_err().to_string();
    assert!(
        error.contains("usage_snapshots, column hour: is not a column of usage in the configuration"),
        "{error}"
    );
    assert_eq!(files(data.path()), before);
}

#[test]
fn a_feed_that_fails_leaves_nothing_and_is_told_in_its_words() {
    let (data, store) = store_of(SPEC);
    let before = files(data.path());
    let mut feed = |intake: &mut TableIntake<'_>| {
        intake.begin(&["user_id".to_owned(), "age".to_owned(), "joined".to_owned()])?;
        intake.push(Cell::Text("u1"));
        intake.push(Cell::Missing);
        intake.push(Cell::Date(0));
        intake.end_row()?;
        Err(Error::Came("the line was cut".into()))
    };
    let drop = RowDrop { name: String::new(), origins: BTreeMap::new(), feed: &mut feed };
    let error = store.ingest_rows(drop, date("2024-01-31"), false, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the line was cut");
    assert_eq!(files(data.path()), before);
    // Nor is a table without its columns taken for an empty one.
    let mut silent = |_: &mut TableIntake<'_>| Ok(());
    let drop = RowDrop { name: String::new(), origins: BTreeMap::new(), feed: &mut silent };
    let error = store.ingest_rows(drop, date("2024-01-31"), false, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no columns were given of users"), "{error}");
}
