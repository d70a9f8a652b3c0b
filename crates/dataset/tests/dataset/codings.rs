//! The same table however its text is packed: the same counts.

use std::io::Write;

use streamflow_dataset::{CsvOptions, TableFile, ValueCounts};

use crate::{all_columns, all_columns_of, counts_of};

const TABLE: &str = "plan,price\nbasic,1.5\n\"gold, \u{fc}ber\",2\nbasic,\n";

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

fn check(columns: &[ValueCounts], what: &str) {
    assert_eq!(columns.iter().map(|column| column.missing).collect::<Vec<_>>(), [0, 1], "{what}");
    let pair = |value: &str, rows: u64| (value.to_string(), rows);
    assert_eq!(counts_of(columns, "plan"), [pair("basic", 2), pair("gold, \u{fc}ber", 1)], "{what}");
    assert_eq!(counts_of(columns, "price"), [pair("1.5", 1), pair("2", 1)], "{what}");
}

#[test]
fn a_table_is_the_same_in_every_coding() {
    let (head, tail) = TABLE.as_bytes().split_at(20);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let cases: [(&str, Vec<u8>); 9] = [
        ("plain", TABLE.into()),
        ("byte order mark", format!("\u{feff}{TABLE}").into()),
        ("gzip", gzip(TABLE.as_bytes())),
        ("gzip in two members", [gzip(head), gzip(tail)].concat()),
        ("zstd", zstd(TABLE.as_bytes())),
        ("zstd in two frames", [zstd(head), zstd(tail)].concat()),
        ("UTF-16, little endian", utf16(TABLE, u16::to_le_bytes)),
        ("UTF-16, big endian", utf16(TABLE, u16::to_be_bytes)),
        ("gzip of UTF-16", gzip(&utf16(TABLE, u16::to_le_bytes))),
    ];
    for (what, bytes) in cases {
        check(&all_columns_of(&bytes).unwrap(), what);
    }
}

#[test]
fn utf16_without_its_mark_is_named() {
    for (bytes, expected) in [
        (utf16(TABLE, u16::to_le_bytes), "--encoding utf-16le"),
        (utf16(TABLE, u16::to_be_bytes), "--encoding utf-16be"),
    ] {
        let bytes = &bytes[2..];
        let message = all_columns_of(bytes).unwrap_err().to_string();
        assert!(
            message.contains("UTF-16 without a byte order mark") && message.contains(expected),
            "{message}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, bytes).unwrap();
        let options = CsvOptions::parse(None, expected.strip_prefix("--encoding ")).unwrap();
        check(&all_columns(TableFile::open_as(&path, options).unwrap()).unwrap(), expected);
    }
}

#[test]
fn a_table_is_the_same_with_every_separator() {
    for separator in [";", "\t", "|"] {
        let text = TABLE.replace(',', separator).replace(&format!("gold{separator}"), "gold,");
        check(&all_columns_of(text.as_bytes()).unwrap(), separator);
        let quoted = text.replace("basic", &format!("\"ba{separator}sic\""));
        let plans = counts_of(&all_columns_of(quoted.as_bytes()).unwrap(), "plan");
        assert_eq!(plans[0], (format!("ba{separator}sic"), 2));
    }
}

#[test]
fn what_is_packed_is_looked_at_too() {
    let message = |bytes: &[u8]| all_columns_of(bytes).unwrap_err().to_string();
    let parquet = gzip(&crate::round_trip::parquet_bytes());
    assert_eq!(
        message(&parquet),
        "t: is a Parquet or Arrow file that was compressed as a whole; expected CSV text or a Parquet file"
    );
    assert_eq!(message(&gzip(b"")), "t: is empty; expected a header line with the column names");
    assert_eq!(
        message(&gzip(&gzip(b"a\n1\n"))),
        "t: is compressed with gzip; expected CSV text or a Parquet file"
    );
    let long: String = "a\n".to_string() + &(0..50_000).map(|row| format!("{row}\n")).collect::<String>();
    let whole = gzip(long.as_bytes());
    let torn = message(&whole[..whole.len() / 2]);
    assert!(torn.starts_with("cannot read t: the gzip data are damaged or incomplete ("), "{torn}");
}

#[test]
fn progress_counts_the_bytes_of_the_file() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let long: String = "a\n".to_string() + &(0..50_000).map(|row| format!("{row}\n")).collect::<String>();
    for bytes in [long.clone().into_bytes(), gzip(long.as_bytes())] {
        let told = AtomicU64::new(0);
        let progress = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let mut table = TableFile::from_bytes("t", bytes).unwrap();
        let reading = streamflow_dataset::Reading {
            memory_bytes: 1 << 30,
            threads: 1,
            whole_rows: false,
            progress: &progress,
        };
        table.count(&["a"], &reading).unwrap();
        assert_eq!(told.into_inner(), table.size_bytes());
    }
}
