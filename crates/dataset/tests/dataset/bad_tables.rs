//! `TableFile`: what is a table, what is not, and which types come out.

use std::fs;

use proptest::prelude::*;
use streamflow_dataset::{Counts, TableFile};

use crate::{all_columns, all_columns_of, counts_of};

fn types(csv: &str) -> Vec<&'static str> {
    all_columns_of(csv.as_bytes()).unwrap().iter().map(|column| kind(&column.values)).collect()
}

fn kind(values: &Counts) -> &'static str {
    match values {
        Counts::Float(_) => "float",
        Counts::Integer(_) => "integer",
        Counts::Boolean(_) => "boolean",
        Counts::Text(_) => "text",
        Counts::Date(_) => "date",
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
        // Text there; here as in Parquet.
        ("2024-01-31", "date"),
        ("2024-01-31 10:00,,2024-02-01T00:00:00Z", "date"),
        ("2024-01-31,soon", "text"),
        ("$5.10,$3", "float"),
        ("$5,$3", "integer"),
        ("$5,,$3", "float"),
        ("$5,3", "text"),
        ("7%,12.5%", "float"),
        ("$5,five", "text"),
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
    let columns = all_columns_of(csv.as_bytes()).unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "Unnamed: 3"]);
    assert!(columns.iter().all(|column| column.rows() == 3));
    assert_eq!(columns.iter().map(|column| column.missing).collect::<Vec<_>>(), [1, 1, 2, 1]);
    let counts = |name: &str| counts_of(&columns, name);
    let pair = |value: &str, rows: u64| (value.to_string(), rows);
    assert_eq!(counts("a"), [pair("1", 1), pair("3", 1)]);
    assert_eq!(counts("b"), [pair("x", 1), pair("x, \"y\"", 1)]);
    assert_eq!(counts("c"), [pair("2.5", 1)]);
    assert_eq!(counts("Unnamed: 3"), [pair("false", 1), pair("true", 1)]);
}

#[test]
fn files_that_are_not_tables() {
    let directory = tempfile::tempdir().unwrap();
    let mut messages = String::new();
    let cases: [(&str, &[u8]); 12] = [
        ("empty.csv", b""),
        ("latin1.csv", b"a\ncaf\xe9\n"),
        ("utf16.csv", b"\xff\xfea\0b"),
        ("ragged.csv", b"a,b\n1,2\n1\n"),
        ("twice.csv", b"a,b,a\n1,2,3\n"),
        ("tabs.csv", b"a\tb\n1\t2\t3\n"),
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
        let error = TableFile::open(&path).and_then(all_columns).unwrap_err().to_string();
        messages.push_str(&error.replace(&format!("{}/", directory.path().display()), ""));
        messages.push('\n');
    }
    for path in [directory.path().join("nowhere.csv"), directory.path().to_path_buf()] {
        let error = TableFile::open(&path).and_then(all_columns).unwrap_err().to_string();
        messages.push_str(&error.replace(&directory.path().display().to_string(), "DIR"));
        messages.push('\n');
    }
    insta::assert_snapshot!(messages);
}

/// Every column is read apart, so that no decoder sees that one of them ends before the others.
#[test]
fn a_column_has_the_rows_of_its_file() {
    let sound = crate::round_trip::parquet_bytes();
    let end = sound.len() - 8;
    let length = u32::from_le_bytes(*sound[end..].first_chunk().unwrap());
    let footer_at = end - usize::try_from(length).unwrap();
    // Four rows, or four values, as the footer writes that.
    let places: Vec<usize> = (footer_at..end).filter(|at| sound[*at..].starts_with(&[0x16, 8])).collect();
    let mut refused = 0;
    for place in &places {
        for rows in [0, 6, 10, 126] {
            let mut file = sound.clone();
            file[place + 1] = rows;
            match all_columns_of(&file) {
                Ok(columns) => assert!(columns.iter().all(|column| column.rows() == 4), "{rows} at {place}"),
                Err(error) => {
                    assert!(error.to_string().contains("a damaged or incomplete Parquet file"), "{error}");
                    refused += 1;
                }
            }
        }
    }
    // Those of the file and of its row group, whatever is made of those of columns.
    assert!(places.len() >= 7 && refused >= 8, "{refused} of 4 x {}", places.len());
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let columns = all_columns_of(b"a,b").unwrap();
    assert!(columns.iter().all(|column| column.rows() == 0));
    assert_eq!(types("a,b"), ["float", "float"]);
}

proptest! {
    #[test]
    fn no_bytes_panic_the_csv_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = all_columns_of(&bytes);
    }

    #[test]
    fn no_text_panics_the_csv_reader(text in "[a-c0-9,\"\r\n .;NA\u{e9}-]{0,200}") {
        if let Ok(columns) = all_columns_of(text.as_bytes()) {
            prop_assert!(columns.iter().all(|column| column.rows() == columns[0].rows()));
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
        let _ = all_columns_of(&bytes);
    }
}
