//! Prometheus's text format 0.0.4, as Prometheus reads it.
//!
//! Blanks and tabs may stand between all tokens, empty lines anywhere, labels may lack their commas, the last line its
//! end. Names in quotes are those of Prometheus 3. The verdicts are Prometheus's (tests/verdicts.rs has the table),
//! with these differences: a NUL byte outside of a label value or comment is an error here and silently ends the body
//! there.

use streamflow_gotext::parse_decimal;

use crate::event::{Event, MetricType, Sample};
use crate::labels::{Rules, check};
use crate::scan::{Fault, Scan, unescape, utf8};

/// The next event; `None` at the end of the body.
pub(crate) fn next<'a>(scan: &mut Scan<'a>) -> Result<Option<Event<'a>>, Fault> {
    loop {
        scan.skip_blanks();
        match scan.peek() {
            None => return Ok(None),
            Some(b'\n') => scan.at += 1,
            Some(b'#') => {
                if let Some(event) = comment(scan)? {
                    return Ok(Some(event));
                }
            }
            Some(_) => return sample(scan).map(|sample| Some(Event::Sample(sample))),
        }
    }
}

/// A line that starts with `#`: metadata, or nothing.
fn comment<'a>(scan: &mut Scan<'a>) -> Result<Option<Event<'a>>, Fault> {
    scan.at += 1;
    if !scan.skip_blanks() {
        scan.take_line();
        return Ok(None);
    }
    let is_type = scan.take_word(b"TYPE");
    if !(is_type || scan.take_word(b"HELP")) || !scan.skip_blanks() {
        scan.take_line();
        return Ok(None);
    }
    let family = family_name(scan)?;
    let line = scan.take_line();
    // Whatever the first byte is, it separates.
    let text = utf8(line.get(1..).unwrap_or_default(), "the text")?;
    if is_type {
        let kind = metric_type(text).ok_or_else(|| invalid_type(text))?;
        return Ok(Some(Event::Type { family, kind }));
    }
    Ok(Some(Event::Help { family, help: unescape(text, false) }))
}

/// The name in a line of metadata, in quotes or not.
pub(crate) fn family_name<'a>(scan: &mut Scan<'a>) -> Result<std::borrow::Cow<'a, str>, Fault> {
    let name = match scan.peek() {
        Some(b'"') => scan.quoted(true).ok_or("expected a closing quote")?,
        _ => scan.metric_name(),
    };
    if name.is_empty() {
        return Err("expected a metric name".into());
    }
    Ok(unescape(utf8(name, "the metric name")?, true))
}

pub(crate) fn invalid_type(text: &str) -> Fault {
    format!("invalid metric type {:?}", text.chars().take(40).collect::<String>()).into()
}

fn metric_type(text: &str) -> Option<MetricType> {
    Some(match text {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "summary" => MetricType::Summary,
        "untyped" => MetricType::Unknown,
        _ => return None,
    })
}

fn sample<'a>(scan: &mut Scan<'a>) -> Result<Sample<'a>, Fault> {
    let start = scan.at;
    let named = !scan.metric_name().is_empty();
    let mut end = scan.at;
    if named {
        scan.skip_blanks();
    }
    if scan.take(b'{') {
        if !check(scan, Rules::Text, named)? {
            return Err("the metric has no name".into());
        }
        end = scan.at;
    } else if !named {
        return Err("expected a metric name, a comment or an empty line".into());
    }
    let series = utf8(&scan.bytes[start..end], "the series")?;
    scan.skip_blanks();
    let value = scan.take_while(|byte| !matches!(byte, b'{' | b' ' | b'\t' | b'\n'));
    if value.is_empty() {
        return Err("expected a value after the metric".into());
    }
    let value = parse_decimal(utf8(value, "the value")?).ok_or("expected a number")?;
    scan.skip_blanks();
    let timestamp_ms = match scan.take_while(|byte| byte.is_ascii_digit()) {
        [] => None,
        digits => Some(utf8(digits, "the timestamp")?.parse().map_err(|_| "the timestamp is out of range")?),
    };
    scan.skip_blanks();
    if scan.at < scan.bytes.len() && !scan.take(b'\n') {
        let expected =
            if timestamp_ms.is_none() { "a timestamp or the end of the line" } else { "the end of the line" };
        return Err(format!("expected {expected}").into());
    }
    Ok(Sample { series, value, timestamp_ms, exemplars: Vec::new(), histogram: None, start_ms: None })
}
