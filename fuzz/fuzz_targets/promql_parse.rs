//! Any text as a query: an error, or a tree that is printed as a query of the same tree; and as a selector.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_promql::{ParseOptions, format, parse_selector, parse_with};

fuzz_target!(|query: &str| {
    let _ = parse_selector(query);
    let options = ParseOptions { experimental: true, ..ParseOptions::default() };
    let Ok(expr) = parse_with(query, &options) else { return };
    let text = expr.to_string();
    for again in [&text, &format(&expr)] {
        let reread = parse_with(again, &options).expect("what is printed is a query");
        assert_eq!(reread.to_string(), text);
    }
});
