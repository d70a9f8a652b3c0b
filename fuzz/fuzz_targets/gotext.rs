//! Any text as a number, duration, size, quoted text and file pattern: an error, or a value that is written and read
//! back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_gotext::{
    Glob, format_duration_ms, parse_duration_ms, parse_float, parse_int, parse_size, quote, shortest,
    shortest_json, unescape,
};

fuzz_target!(|text: &str| {
    if let Ok(value) = parse_float(text) {
        for written in [shortest(value).to_string(), shortest_json(value).to_string()] {
            assert_eq!(parse_float(&written).map(f64::to_bits), Ok(value.to_bits()), "{written}");
        }
    }
    if let Ok(value) = parse_int(text) {
        assert_eq!(parse_int(&value.to_string()), Ok(value));
    }
    if let Ok(ms) = parse_duration_ms(text) {
        assert_eq!(parse_duration_ms(&format_duration_ms(ms)), Ok(ms));
    }
    let _ = parse_size(text);
    let _ = unescape(text, '"');
    let quoted = quote(text);
    assert_eq!(unescape(&quoted[1..quoted.len() - 1], '"').as_deref(), Ok(text.as_bytes()));
    if let Ok(glob) = Glob::new(text) {
        assert!(Glob::is_pattern(text) || glob.is_match(text));
    }
});
