//! However long and deep a query is, it is answered on a small stack: with a tree or with an error.
#![allow(clippy::unwrap_used)]

use std::thread;

use streamflow_promql::{Error, ParseOptions, format, parse, parse_with};

/// What a thread gets where nobody says otherwise.
const STACK_BYTES: usize = 2 << 20;
/// The default of `ParseOptions`.
const DEPTH: usize = 500;

fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap()
}

/// Every way to make a tree taller: what goes before and after, `n` times, around `x`.
const WAYS: &[(&str, &str)] = &[
    ("(", ")"),
    ("-", ""),
    ("+", ""),
    ("1 ^ ", ""),
    ("", " + 1"),
    ("", " or x"),
    ("abs(", ")"),
    ("sum(", ")"),
    ("topk(1,", ")"),
    ("", "[5m:]"),
    ("clamp(x, 1, ", ")"),
    ("x or (", ")"),
    ("((x + ", "))"),
];

#[test]
fn too_deep_a_query_is_refused() {
    for (before, after) in WAYS {
        let query = format!("{}x{}", before.repeat(20_000), after.repeat(20_000));
        let message = on_a_small_stack(move || parse(&query).unwrap_err().to_string());
        let reason = "parse error: expression is nested too deeply, expected at most 500 levels";
        assert!(message.ends_with(reason), "{before}x{after}: {message}");
    }
    for (before, after) in [("(", ")"), ("-", ""), ("1+", ""), ("", "+1"), ("2^", ""), ("min_of(1,", ")")] {
        let query = format!("x[{}5m{}]", before.repeat(20_000), after.repeat(20_000));
        let options = ParseOptions { experimental: true, ..ParseOptions::default() };
        let message = on_a_small_stack(move || parse_with(&query, &options).unwrap_err().to_string());
        assert!(message.ends_with("expected at most 500 levels"), "{before}5m{after}: {message}");
    }
}

#[test]
fn what_is_accepted_can_be_walked_on_a_small_stack() {
    for (before, after) in [("(", ")"), ("-", ""), ("1 ^ ", ""), ("", " + 1"), ("abs(", ")"), ("sum(", ")")] {
        // A sign is read one level above its operand.
        let times = DEPTH - 2;
        let query = format!("{}x{}", before.repeat(times), after.repeat(times));
        on_a_small_stack(move || {
            let expr = parse(&query).unwrap();
            let copy = expr.clone();
            assert_eq!(expr, copy);
            assert_eq!(expr.value_type(), copy.value_type());
            let text = expr.to_string();
            assert_eq!(parse(&text).unwrap().to_string(), text);
            assert_eq!(parse(&format(&expr)).unwrap().to_string(), text);
            assert!(format!("{expr:?}").len() > times);
        });
    }
}

#[test]
fn unclosed_brackets_are_refused_however_many() {
    for opening in ["(", "sum(", "x[", "{", "[", "x{a=\"b\",", "-(", "@", "x @ ", "x offset "] {
        let query = opening.repeat(20_000);
        assert!(matches!(on_a_small_stack(move || parse(&query)), Err(Error::Parse { .. })), "{opening}");
    }
}

#[test]
fn too_long_a_query_is_refused() {
    let longest = format!("x{}", " ".repeat((1 << 20) - 1));
    assert_eq!(parse(&longest).unwrap().to_string(), "x");
    let message = parse(&(longest + " ")).unwrap_err().to_string();
    assert_eq!(message, "1:1: parse error: query has 1048577 bytes, expected at most 1048576");
}

#[test]
fn wide_queries_are_read() {
    let matchers: Vec<String> = (0..20_000).map(|index| format!("l{index}=\"v\"")).collect();
    let query = format!("{{{}}}", matchers.join(","));
    assert_eq!(parse(&parse(&query).unwrap().to_string()).unwrap().to_string().len(), query.len());
    let labels: Vec<String> = (0..20_000).map(|index| format!("l{index}")).collect();
    assert!(parse(&format!("sum by ({}) (x)", labels.join(", "))).is_ok());
    let args = vec!["\"a\""; 20_000].join(",");
    assert!(parse(&format!("label_join(x, \"a\", \",\", {args})")).is_ok());
}

#[test]
fn a_long_selector_below_many_levels_is_formatted_once() {
    let matchers: Vec<String> = (0..20_000).map(|index| format!("l{index}=\"v\"")).collect();
    let query = format!("{}x{{{}}}{}", "(".repeat(400), matchers.join(","), ")".repeat(400));
    let lines = on_a_small_stack(move || format(&parse(&query).unwrap()));
    assert_eq!(lines.lines().count(), 801);
}
