//! Every way in which a drop can be wrong, with the message that its sender gets.

use crate::{SPEC, drop_of, ingest, store_of};

type Files<'a> = &'a [(&'a str, Option<&'a [u8]>)];

const CASES: &[(&str, Files)] = &[
    ("a missing file", &[("usage.csv", None), ("usages.csv", Some(b"user_id\n"))]),
    ("both formats", &[("usage.parquet", Some(b"PAR1"))]),
    ("three formats", &[("usage.parquet", Some(b"PAR1")), ("usage.csv.gz", Some(b""))]),
    ("a format that is not read", &[("usage.csv", None), ("usage.csv.bz2", Some(b"BZh9"))]),
    ("a spreadsheet alone", &[("usage.csv", None), ("usage.xlsx", Some(b"PK"))]),
    ("a torn gzip file", &[("usage.csv", None), ("usage.csv.gz", Some(b"\x1f\x8b\x08\0"))]),
    ("an empty file", &[("usage.csv", Some(b""))]),
    ("only line breaks", &[("usage.csv", Some(b"\r\n\n"))]),
    ("an entity table without rows", &[("users.csv", Some(b"user_id,age,joined\n"))]),
    ("an unknown column", &[("usage.csv", Some(b"user_id,huors,premium,plan\nu1,1,true,a\n"))]),
    ("a column too many", &[("labels.csv", Some(b"user_id,churned,xyz\nu1,1,2\n"))]),
    ("a missing column", &[("labels.csv", Some(b"user_id\nu1\n"))]),
    ("a duplicate header", &[("labels.csv", Some(b"user_id,churned,churned\nu1,1,1\n"))]),
    ("pandas' index", &[("labels.csv", Some(b",user_id,churned\n0,u1,1\n"))]),
    ("no header", &[("labels.csv", Some(b"u1,1\nu2,0\n"))]),
    ("another separator", &[("labels.csv", Some(b"user_id;churned\nu1;1\n"))]),
    (
        "a wrong integer",
        &[("users.csv", Some(b"user_id,age,joined\nu1,31,2023-01-05\nu2,31.5,2023-01-05\n"))],
    ),
    (
        "a wrong float",
        &[("usage.csv", Some(b"user_id,hours,premium,plan\nu1,\"1,5\",true,a\nu2,1e400x,true,a\n"))],
    ),
    ("a wrong boolean", &[("labels.csv", Some(b"user_id,churned\nu1,yes\nu2,2\n"))]),
    ("a wrong date", &[("users.csv", Some(b"user_id,age,joined\nu1,1,05.01.2023\nu2,1,2023-02-30\n"))]),
    ("a missing value", &[("users.csv", Some(b"user_id,age,joined\nu1,1,\n"))]),
    ("a missing entity", &[("users.csv", Some(b"user_id,age,joined\n,1,2023-01-01\n"))]),
    ("a duplicate entity", &[("users.csv", Some(b"user_id,age,joined\nu1,1,2023-01-01\nu1,1,2023-01-01\n"))]),
    ("a ragged row", &[("labels.csv", Some(b"user_id,churned\nu1,1,1\nu2\nu3,0\n"))]),
    (
        "the line after a quoted line break",
        &[("usage.csv", Some(b"user_id,hours,premium,plan\nu1,1,1,\"a\nb\"\nu2,x,1,a\n"))],
    ),
    ("not UTF-8", &[("usage.csv", Some(b"user_id,hours,premium,plan\nu1,1,1,caf\xe9\n"))]),
    ("a header that is not UTF-8", &[("usage.csv", Some(b"user_id,hours,premium,pl\xe4n\n"))]),
    ("UTF-16", &[("usage.csv", Some(b"\xff\xfeu\0s\0e\0r\0"))]),
    ("UTF-16 without its mark", &[("labels.csv", Some(b"u\0s\0e\0r\0,\0c\0\n\0"))]),
    ("a spreadsheet", &[("usage.csv", Some(b"PK\x03\x04aaaa"))]),
    ("a quote that is never closed", &[("labels.csv", Some(b"user_id,churned\nu1,\"1\nu2,0\n"))]),
    (
        "text named as Parquet",
        &[("usage.csv", None), ("usage.parquet", Some(b"user_id,hours,premium,plan\n"))],
    ),
    ("a torn Parquet file", &[("usage.csv", None), ("usage.parquet", Some(b"PAR1 and nothing else"))]),
    (
        "several problems in several files",
        &[
            ("labels.csv", Some(b"user_id,churned\nu1,maybe\n")),
            ("usage.csv", None),
            ("users.csv", Some(b"")),
        ],
    ),
];

#[test]
fn messages() {
    let mut messages = String::new();
    for (name, files) in CASES {
        let (_data, store) = store_of(SPEC);
        let drop = drop_of(files);
        let error = ingest(&store, drop.path(), "2024-01-31").unwrap_err().to_string();
        assert_eq!(store.newest().unwrap(), None, "{name}");
        let error = error.replace(&drop.path().display().to_string(), "DROP");
        messages.push_str(&format!("## {name}\n{error}\n\n"));
    }
    insta::assert_snapshot!(messages);
}

#[test]
fn a_flood_of_problems_is_counted_and_cut() {
    let mut labels = b"user_id,churned\n".to_vec();
    for row in 0..30_000 {
        labels.extend_from_slice(format!("u{row},perhaps\n").as_bytes());
    }
    let (_data, store) = store_of(SPEC);
    let drop = drop_of(&[("labels.csv", Some(&labels))]);
    let error = ingest(&store, drop.path(), "2024-01-31").unwrap_err().to_string();
    assert!(error.contains("30000 problems") && error.ends_with("… and 29995 more"), "{error}");
    assert_eq!(error.lines().count(), 7);
}

#[test]
fn a_record_without_end_takes_bounded_memory() {
    let mut labels = b"user_id,churned\nu1,\"".to_vec();
    labels.resize(40 << 20, b'x');
    let (_data, store) = store_of(SPEC);
    let drop = drop_of(&[("labels.csv", Some(&labels))]);
    let error = ingest(&store, drop.path(), "2024-01-31").unwrap_err().to_string();
    assert!(
        error
            .ends_with("labels.csv line 2: the record is longer than 16 MiB; a quote is probably not closed"),
        "{error}"
    );
}

#[test]
fn a_drop_that_is_not_there() {
    let (_data, store) = store_of(SPEC);
    let error = ingest(&store, std::path::Path::new("/nowhere/drop"), "2024-01-31").unwrap_err().to_string();
    assert_eq!(error, "cannot list the drop /nowhere/drop: No such file or directory (os error 2)");
}
