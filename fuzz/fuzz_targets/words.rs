//! Any text as a word or a short value that people write: an error, or a value that is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{CsvOptions, Period};
use streamflow_drift::{ColumnType, RuleSet, Untested};
use streamflow_exposition::Format;
use streamflow_prometheus::{parse_duration, parse_time};
use streamflow_tsdb::Position;

fuzz_target!(|text: &str| {
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string(), text);
    }
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string().parse(), Ok(position));
    }
    let _ = (text.parse::<ColumnType>(), text.parse::<RuleSet>(), text.parse::<Untested>());
    let (separator, encoding) = text.split_once('\n').unwrap_or((text, text));
    let _ = (CsvOptions::parse(Some(separator), None), CsvOptions::parse(None, Some(encoding)));
    let _ = Format::of_content_type(text);
    if let Ok(duration) = parse_duration(text) {
        assert!(duration.0.is_finite());
        let _ = duration.to_std();
    }
    let _ = parse_time(text);
});
