//! Any text as a regular expression of Go's: an error, or a pattern that the engine takes, that finds the same anchored
//! and not, and whose groups expand any template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_gotext::Regex;

fuzz_target!(|input: (&str, &str, &str)| {
    let (pattern, text, template) = input;
    if let Ok(regex) = Regex::new(pattern) {
        assert_eq!(regex.as_str(), pattern);
        assert_eq!(regex.captures(text).is_some(), regex.is_match(text));
        assert_eq!(regex.count(text) == 0, !regex.is_match(text));
        let _ = regex.replace_all(text, template);
    }
    let Ok(matcher) = Regex::matcher(pattern) else { return };
    // Read by itself it is balanced, so that the anchors around its text are those around its tree; but a quotation that
    // is not ended takes the anchor behind it for text.
    let Ok(anchored) = Regex::anchored(pattern) else {
        assert!(pattern.contains(r"\Q"), "it is one by itself");
        return;
    };
    assert_eq!(matcher.is_match(text), anchored.is_match(text));
    if let Some(captures) = anchored.captures(text) {
        let _ = captures.expand(template);
    }
});
