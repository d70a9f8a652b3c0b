//! What a real Prometheus says to regular expressions; `tools/golden/regexes.py` asks it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::Value;
use streamflow_gotext::{Error, Regex};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/regexes.json")).unwrap()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row}"))
}

fn rows<'a>(table: &'a Value, key: &str) -> &'a [Value] {
    let rows = table[key].as_array().unwrap();
    assert!(!rows.is_empty(), "{key}");
    rows
}

#[test]
fn matchers_match_what_prometheus_matches() {
    let table = golden();
    let subjects: Vec<&str> = rows(&table, "subjects").iter().map(|text| text.as_str().unwrap()).collect();
    let mut differing = Vec::new();
    let mut count = 0;
    for row in rows(&table, "matchers") {
        let pattern = text(row, "pattern");
        let expected = if row["refused"].is_string() {
            text(row, "refused").to_owned()
        } else {
            row["matches"].as_array().unwrap().iter().map(|at| format!("{at} ")).collect()
        };
        let found = match Regex::matcher(pattern) {
            Ok(regex) => {
                let matching = subjects.iter().enumerate().filter(|(_, subject)| regex.is_match(subject));
                matching.map(|(at, _)| format!("{at} ")).collect()
            }
            Err(error) => error.to_string(),
        };
        count += 1;
        if found != expected {
            differing.push(format!("{pattern:?}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(differing.is_empty(), "{} of {count}:\n{}", differing.len(), differing.join("\n"));
    assert!(count > 1_000);
}

#[test]
fn groups_expand_as_in_label_replace() {
    let table = golden();
    let subjects = rows(&table, "subjects");
    for row in rows(&table, "expansions") {
        let regex = Regex::anchored(text(row, "pattern"));
        assert_eq!(regex.is_err(), row["refused"].is_string(), "{row}");
        let Ok(regex) = regex else { continue };
        let mut found = BTreeMap::new();
        for (at, subject) in subjects.iter().enumerate() {
            if let Some(captures) = regex.captures(subject.as_str().unwrap()) {
                found.insert(at.to_string(), captures.expand(text(row, "template")));
            }
        }
        let expected: BTreeMap<String, String> = serde_json::from_value(row["expanded"].clone()).unwrap();
        assert_eq!(found, expected, "{} {}", row["pattern"], row["template"]);
    }
}

#[test]
fn texts_are_replaced_and_found_as_in_templates() {
    let table = golden();
    let check = |row: &Value, found: Result<String, Error>| match found {
        Ok(found) => assert_eq!(found, text(row, "said"), "{row}"),
        Err(error) => assert!(text(row, "said").contains(&error.to_string()), "{error} {row}"),
    };
    for row in rows(&table, "replaced") {
        let regex = Regex::new(text(row, "pattern"));
        check(row, regex.map(|regex| regex.replace_all(text(row, "text"), text(row, "template"))));
    }
    for row in rows(&table, "matched") {
        check(
            row,
            Regex::new(text(row, "pattern")).map(|regex| regex.is_match(text(row, "text")).to_string()),
        );
    }
}

mod properties {
    use proptest::prelude::*;
    use streamflow_gotext::Regex;

    const PIECES: [&str; 40] = [
        "a",
        "K",
        "é",
        ".",
        "*",
        "+",
        "?",
        "{2}",
        "{,2}",
        "{",
        "}",
        "(",
        "(?:",
        "(?i)",
        "(?P<n>",
        "(?<",
        ")",
        "|",
        "[",
        "[^",
        "]",
        "-",
        "&&",
        "^",
        "$",
        "\\",
        "\\w",
        "\\W",
        "\\b",
        "\\Q",
        "\\E",
        "\\pL",
        "\\p{^Greek}",
        "\\x{",
        "41",
        "[:alpha:]",
        ":",
        "\\1",
        "\u{10ffff}",
        "(?s-i:",
    ];

    proptest! {
        #[test]
        fn any_pattern_is_an_error_or_matches_the_same_anchored(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
            text in "[aAkKé🙂\n.\\-]{0,6}",
            template in "[a$1{}n_é ]{0,8}",
        ) {
            let pattern = pieces.concat();
            if let Ok(regex) = Regex::new(&pattern) {
                prop_assert_eq!(regex.captures(&text).is_some(), regex.is_match(&text));
                prop_assert!(regex.count(&text) > 0 || regex.replace_all(&text, &template) == text);
                let matcher = Regex::matcher(&pattern).unwrap();
                // A quotation that is not ended takes the anchor behind it for text, as in Go.
                let anchored = Regex::anchored(&pattern);
                prop_assert!(anchored.is_ok() || pattern.contains("\\Q"), "{}", pattern);
                if let Ok(anchored) = anchored {
                    prop_assert_eq!(matcher.is_match(&text), anchored.is_match(&text), "{}", pattern);
                }
            }
        }
    }
}
