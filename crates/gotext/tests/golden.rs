//! What Go reads and writes, as `tools/golden/gotext.go` wrote it down.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use streamflow_gotext::{
    Error, Glob, exponential, fixed, general, hexadecimal, parse_float, parse_int, quote_bytes, shortest,
    shortest_json,
};

fn rows(section: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden/go.json")).unwrap();
    golden[section].as_array().unwrap().clone()
}

fn float(bits: &Value) -> f64 {
    f64::from_bits(u64::from_str_radix(bits.as_str().unwrap(), 16).unwrap())
}

fn message(error: Option<Error>) -> String {
    error.map_or_else(String::new, |error| error.to_string())
}

#[test]
fn floats_are_written_as_go_does() {
    for row in rows("floats") {
        let value = float(&row["Bits"]);
        for (form, text) in [
            ("General", shortest(value).to_string()),
            ("JSON", shortest_json(value).to_string()),
            ("Fixed", fixed(value, None)),
            ("Exponential", exponential(value, None)),
            ("Fixed2", fixed(value, Some(2))),
            ("General4", general(value, 4)),
            ("Hexadecimal", hexadecimal(value)),
        ] {
            assert_eq!(text, row[form].as_str().unwrap(), "{form} of {value:e}");
        }
    }
}

#[test]
fn numbers_are_read_as_go_does() {
    for row in rows("parse_float") {
        let found = parse_float(row["Text"].as_str().unwrap());
        if let Ok(value) = found {
            assert_eq!(value.to_bits(), float(&row["Bits"]).to_bits(), "{row}");
        }
        assert_eq!(message(found.err()), row["Error"].as_str().unwrap(), "{row}");
    }
    for row in rows("parse_int") {
        let found = parse_int(row["Text"].as_str().unwrap());
        if let Ok(value) = found {
            assert_eq!(value.to_string(), row["Bits"].as_str().unwrap(), "{row}");
        }
        assert_eq!(message(found.err()), row["Error"].as_str().unwrap(), "{row}");
    }
}

#[test]
fn texts_are_quoted_as_go_does() {
    for row in rows("quotes") {
        let bytes: Vec<u8> = serde_json::from_value(row["Bytes"].clone()).unwrap();
        assert_eq!(quote_bytes(&bytes), row["Text"].as_str().unwrap(), "{row}");
    }
}

#[test]
fn names_match_as_in_go() {
    let names = rows("names");
    for row in rows("globs") {
        let glob = Glob::new(row["Pattern"].as_str().unwrap());
        assert_eq!(glob.is_err(), row["Bad"].as_bool().unwrap(), "{row}");
        let Ok(glob) = glob else { continue };
        let matching: Vec<&Value> =
            names.iter().filter(|name| glob.is_match(name.as_str().unwrap())).collect();
        assert_eq!(matching, row["Matches"].as_array().unwrap().iter().collect::<Vec<_>>(), "{row}");
    }
}
