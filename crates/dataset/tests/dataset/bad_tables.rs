//! `read_table`: what is a table, what is not, and which types come out.

use std::fs;

use proptest::prelude::*;
use streamflow_dataset::{Frame, TableFile, Values, read_bytes, read_table};

fn types(csv: &str) -> Vec<&'static str> {
    let frame = read_bytes("t.csv", csv.as_bytes().to_vec()).unwrap();
    frame.columns.iter().map(|column| kind(&column.values)).collect()
}

fn kind(values: &Values) -> &'static str {
    match values {
        Values::Float(_) => "float",
        Values::Integer(_) => "integer",
        Values::Boolean(_) => "boolean",
        Values::Text { .. } => "text",
        Values::Date(_) => "date",
    }
}

/// `column` is the values of one column, a comma between each; the types are those of
/// `pd.read_csv` of pandas 3.1 unless a case says otherwise.
#[test]
fn types_are_those_of_pandas() {
    let cases = [
        ("1,2,-3,+4", "integer"),
        ("1,,3", "float"),
        ("1,2.5", "float"),
        ("1e5,.5,2.,inf,-Infinity", "float"),
        (",NA,NaN,null", "float"),
        ("True,FALSE,true", "boolean"),
        // Objects there; here a boolean may be missing.
        ("True,,False", "boolean"),
        ("1,True", "text"),
        ("1,a", "text"),
        ("2024-01-31", "text"),
        ("9223372036854775807", "integer"),
        // uint64 there.
        ("18446744073709551615", "float"),
        ("99999999999999999999,1", "text"),
        ("0x10", "text"),
        ("1_000", "text"),
        ("a,NA", "text"),
        (" 1, 2", "integer"),
    ];
    for (column, expected) in cases {
        let csv =
            format!("c,d\n{}", column.split(',').map(|value| format!("{value},\"x\"\n")).collect::<String>());
        assert_eq!(types(&csv), [expected, "text"], "{column}");
    }
}

#[test]
fn values_and_missing_values() {
    let csv = "\u{feff}a,b,c,\r\n1,x,NA,true\r\n,\"x, \"\"y\"\"\",,\r\n\r\n3,,2.5,false\r\n";
    let frame = read_bytes("t.csv", csv.as_bytes().to_vec()).unwrap();
    assert_eq!(frame.rows, 3);
    let names: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "Unnamed: 3"]);
    let text: Vec<Vec<Option<String>>> =
        (0..3).map(|row| frame.columns.iter().map(|column| column.values.text(row)).collect()).collect();
    let some = |value: &str| Some(value.to_string());
    assert_eq!(text[0], [some("1"), some("x"), None, some("true")]);
    assert_eq!(text[1], [None, some("x, \"y\""), None, None]);
    assert_eq!(text[2], [some("3"), None, some("2.5"), some("false")]);
}

#[test]
fn files_that_are_not_tables() {
    let directory = tempfile::tempdir().unwrap();
    let mut messages = String::new();
    let cases: [(&str, &[u8]); 12] = [
        ("empty.csv", b""),
        ("latin1.csv", b"a\ncaf\xe9\n"),
        ("utf16.csv", b"\xff\xfea\0"),
        ("ragged.csv", b"a,b\n1,2\n1\n"),
        ("twice.csv", b"a,b,a\n1,2,3\n"),
        ("tabs.csv", b"a\tb\n1\t2\n"),
        ("torn.parquet", b"PAR1\x15\x04\x15"),
        ("lies.parquet", b"a,b\n1,2\n"),
        ("lies.csv", b"PAR1xxxxxxxxxxxxPAR1"),
        ("packed.csv", b"\x1f\x8b\x08\0"),
        ("book.xlsx", b"PK\x03\x04\0\0"),
        ("binary.csv", b"\x7fELF\x02\x01\x01\0\xff\xfe\xfd"),
    ];
    for (name, bytes) in cases {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = read_table(&path).unwrap_err().to_string();
        messages.push_str(&error.replace(&format!("{}/", directory.path().display()), ""));
        messages.push('\n');
    }
    for path in [directory.path().join("nowhere.csv"), directory.path().to_path_buf()] {
        let error = read_table(&path).unwrap_err().to_string();
        messages.push_str(&error.replace(&directory.path().display().to_string(), "DIR"));
        messages.push('\n');
    }
    insta::assert_snapshot!(messages);
}

#[test]
fn columns_are_read_alone_and_in_the_order_asked_for() {
    let table = TableFile::from_bytes("t.csv", b"a,b,c\n1,x,2.5\n2,y,\n".to_vec()).unwrap();
    assert_eq!((table.names().len(), table.rows()), (3, 2));
    let frame = table.read_columns(&["c", "a"]).unwrap();
    assert_eq!(frame.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    assert_eq!(frame.column("a").unwrap().values, Values::Integer(vec![Some(1), Some(2)]));
    assert_eq!(table.read_columns(&[]).unwrap(), Frame { columns: vec![], rows: 2 });
    let error = table.read_columns(&["d"]).unwrap_err().to_string();
    assert_eq!(error, "t.csv, column d: there is no such column (did you mean a?)");
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let frame = read_bytes("t.csv", b"a,b".to_vec()).unwrap();
    assert_eq!((frame.rows, types("a,b")), (0, vec!["float", "float"]));
}

proptest! {
    #[test]
    fn no_bytes_panic_the_csv_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes("t", bytes);
    }

    #[test]
    fn no_text_panics_the_csv_reader(text in "[a-c0-9,\"\r\n .;NA\u{e9}-]{0,200}") {
        if let Ok(frame) = read_bytes("t", text.into_bytes()) {
            prop_assert!(frame.columns.iter().all(|column| column.values.len() == frame.rows));
        }
    }

    #[test]
    fn no_flipped_byte_panics_the_parquet_reader(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = crate::round_trip::parquet_bytes();
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = read_bytes("t", bytes);
    }
}
