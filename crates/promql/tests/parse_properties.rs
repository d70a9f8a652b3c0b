//! Whatever is written, the parser answers; and what it accepts is printed as the same tree.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_promql::{ParseOptions, format, parse_with};

const OPTIONS: ParseOptions = ParseOptions { experimental: true, max_bytes: 1 << 20, max_depth: 500 };

/// Words of the language and others, to be put side by side.
const WORDS: &[&str] = &[
    "x",
    "a:b",
    "sum",
    "topk",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "@",
    "start",
    "end",
    "step",
    "range",
    "and",
    "or",
    "unless",
    "atan2",
    "anchored",
    "smoothed",
    "fill",
    "fill_left",
    "inf",
    "NaN",
    "0",
    "1.5",
    "0x1f",
    "1e3",
    "5m",
    "1h30m",
    "7x",
    "rate",
    "abs",
    "time",
    "info",
    "(",
    "(",
    "(",
    ")",
    ")",
    ")",
    "{",
    "}",
    "[",
    "]",
    "[5m]",
    "[1h:5m]",
    ",",
    ":",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "\"s\"",
    "'é'",
    "`r`",
    "\"",
    "\\",
    "#",
    "\n",
    "l=\"v\"",
    "é",
    "\u{0}",
    "$",
    "min_of",
];

/// A tree as text without the places of its parts.
fn without_spans(query: &str) -> String {
    let text = format!("{:?}", parse_with(query, &OPTIONS).unwrap());
    let mut parts = text.split("span: Span { start: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').unwrap().1)
}

/// If the query is accepted, its printed forms are read as a tree that is printed the same.
fn check_printing(query: &str) {
    let Ok(expr) = parse_with(query, &OPTIONS) else { return };
    let text = expr.to_string();
    for again in [text.clone(), format(&expr)] {
        let reread = parse_with(&again, &OPTIONS).unwrap_or_else(|error| panic!("{query}: {again}: {error}"));
        assert_eq!(reread.to_string(), text, "of {query}");
    }
}

fn selector() -> impl Strategy<Value = String> {
    let names =
        prop::sample::select(vec!["x", "a:b", "sum", "offset", "x{l=\"v\"}", "{l=~\"v.+\"}", "{\"é\"}"]);
    let shifts = prop::sample::select(vec!["", " offset 5m", " @ 1.5", " @ end() offset -1h", " smoothed"]);
    (names, shifts).prop_map(|(name, shift)| format!("{name}{shift}"))
}

fn matrix() -> impl Strategy<Value = String> {
    let ranges = prop::sample::select(vec!["[5m]", "[1.5]", "[step() * 2]", "[-1s + 5m]", "[max_of(1, 2m)]"]);
    let shifts =
        prop::sample::select(vec!["", " offset 5m", " @ 1.5", " @ start() offset -(1h / 2)", " anchored"]);
    (ranges, shifts).prop_map(|(range, shift)| format!("x{range}{shift}"))
}

/// A query of instant vectors, whose types fit.
fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![selector(), matrix().prop_map(|text| format!("rate({text})"))];
    leaf.prop_recursive(6, 40, 3, |inner| {
        let operators = vec![
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "atan2",
            "==",
            "!= bool",
            "< on (l)",
            "and",
            "or on (\"é.l\")",
            "unless",
            "* ignoring (l) group_left (m)",
            "/ on () group_right ()",
            "+ fill (-1)",
            "* on (l) fill_right (NaN)",
        ];
        let aggregations = vec![
            "sum",
            "avg by (l)",
            "min without ()",
            "max without (l, \"é\")",
            "topk by (l)",
            "count_values",
        ];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators), inner.clone())
                .prop_map(|(lhs, op, rhs)| format!("{lhs} {op} {rhs}")),
            (inner.clone(), 0.0..1e9).prop_map(|(lhs, value)| format!("{lhs} ^ {value}")),
            (0..100u32, inner.clone()).prop_map(|(value, rhs)| format!("({value}m - {rhs})")),
            inner.clone().prop_map(|operand| format!("-{operand}")),
            inner.clone().prop_map(|operand| format!("({operand})")),
            inner.clone().prop_map(|operand| format!("max_over_time(({operand})[1h:] offset 5m)")),
            (prop::sample::select(aggregations), inner).prop_map(|(word, operand)| match word {
                "count_values" => format!("count_values(\"l\\n\", {operand})"),
                "topk by (l)" => format!("topk by (l) (2, {operand})"),
                _ => format!("{word} ({operand})"),
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_answered(query in "\\PC{0,60}|[ -~\\n\\t]{0,60}|(?s-u:[\\x00-\\x7f]{0,60})") {
        check_printing(&query);
    }

    #[test]
    fn any_words_are_answered(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..16),
        separator in prop::sample::select(vec!["", " "]),
    ) {
        check_printing(&words.join(separator));
    }

    #[test]
    fn printing_and_parsing_gives_the_same_tree(query in vector()) {
        let tree = without_spans(&query);
        let text = parse_with(&query, &OPTIONS).unwrap().to_string();
        prop_assert_eq!(&without_spans(&text), &tree);
        let lines = format(&parse_with(&query, &OPTIONS).unwrap());
        prop_assert_eq!(&without_spans(&lines), &tree);
        prop_assert_eq!(parse_with(&text, &OPTIONS).unwrap().to_string(), text);
    }

    #[test]
    fn any_text_can_be_a_label_s_value(value in any::<String>()) {
        let query = format!("x{{l={value:?}}}");
        // Rust and PromQL write the same text differently where Rust has `\u{…}`.
        if let Ok(expr) = parse_with(&query, &OPTIONS) {
            let text = expr.to_string();
            prop_assert_eq!(parse_with(&text, &OPTIONS).unwrap().to_string(), text);
        }
        if !value.contains('`') {
            let raw = format!("`{value}`");
            let text = parse_with(&raw, &OPTIONS).unwrap().to_string();
            prop_assert_eq!(without_spans(&text), without_spans(&raw));
        }
    }
}
