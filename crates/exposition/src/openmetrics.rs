//! OpenMetrics 1.0 text, as Prometheus reads it.
//!
//! Single blanks between the parts of a line and nowhere else, no empty lines, no comments but metadata, and `# EOF`
//! at the end. Names in quotes are those of Prometheus 3. As in Prometheus, the order of families and the suffixes that
//! belong to a type are not checked.

use streamflow_gotext::parse_decimal;

use crate::event::{Event, Exemplar, MetricType, Sample};
use crate::labels::{Rules, check};
use crate::scan::{Fault, Scan, unescape, utf8};
use crate::text::{family_name, invalid_type};

const NO_EOF: &str = "the body does not end with # EOF";

/// The next event; `None` at `# EOF`.
pub(crate) fn next<'a>(scan: &mut Scan<'a>) -> Result<Option<Event<'a>>, Fault> {
    match scan.peek() {
        None => Err(NO_EOF.into()),
        Some(b'#') => metadata(scan),
        Some(_) => sample(scan).map(|sample| Some(Event::Sample(sample))),
    }
}

fn metadata<'a>(scan: &mut Scan<'a>) -> Result<Option<Event<'a>>, Fault> {
    if scan.take_word(b"# EOF") {
        scan.take(b'\n');
        return if scan.at == scan.bytes.len() {
            Ok(None)
        } else {
            Err("unexpected data after # EOF".into())
        };
    }
    let word = [&b"# TYPE "[..], b"# HELP ", b"# UNIT "].into_iter().find(|word| scan.take_word(word));
    let word = word.ok_or("expected TYPE, HELP, UNIT or EOF after #")?;
    let family = family_name(scan)?;
    if !scan.take(b' ') {
        return Err("expected a blank and a text after the metric name".into());
    }
    let line = scan.take_line();
    if scan.bytes[scan.at - 1] != b'\n' {
        return Err(NO_EOF.into());
    }
    let text = utf8(line, "the text")?;
    Ok(Some(match word[2] {
        b'T' => Event::Type { family, kind: metric_type(text).ok_or_else(|| invalid_type(text))? },
        b'H' => Event::Help { family, help: unescape(text, true) },
        _ if is_unit_of(text, &family) => Event::Unit { family, unit: text },
        _ => return Err("the unit is not a suffix of the metric name".into()),
    }))
}

fn is_unit_of(unit: &str, family: &str) -> bool {
    unit.is_empty() || family.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'))
}

fn metric_type(text: &str) -> Option<MetricType> {
    Some(match text {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::StateSet,
        "unknown" => MetricType::Unknown,
        _ => return None,
    })
}

fn sample<'a>(scan: &mut Scan<'a>) -> Result<Sample<'a>, Fault> {
    let start = scan.at;
    let named = !scan.metric_name().is_empty();
    if scan.take(b'{') {
        if !check(scan, Rules::OpenMetrics, named)? {
            return Err("the metric has no name".into());
        }
    } else if !named {
        return Err("expected a metric name or #".into());
    }
    let series = utf8(&scan.bytes[start..scan.at], "the series")?;
    let value = number(scan)?.ok_or("expected a blank and a value after the metric")?;
    let (exemplars, histogram, start_ms) = (Vec::new(), None, None);
    let mut sample = Sample { series, value, timestamp_ms: None, exemplars, histogram, start_ms };
    if !scan.bytes[scan.at..].starts_with(b" # {") {
        sample.timestamp_ms = timestamp(scan)?;
    }
    if scan.take_word(b" # {") {
        sample.exemplars.push(exemplar(scan)?);
    }
    end_of_line(scan)?;
    Ok(sample)
}

fn exemplar<'a>(scan: &mut Scan<'a>) -> Result<Exemplar<'a>, Fault> {
    let start = scan.at - 1;
    check(scan, Rules::Exemplar, true)?;
    let labels = utf8(&scan.bytes[start..scan.at], "the exemplar")?;
    let value = number(scan)?.ok_or("expected a blank and a value after the exemplar's labels")?;
    Ok(Exemplar { labels, value, timestamp_ms: timestamp(scan)? })
}

/// A blank and a number, if a blank is next.
fn number(scan: &mut Scan) -> Result<Option<f64>, Fault> {
    if !scan.take(b' ') {
        return Ok(None);
    }
    let text = utf8(scan.take_while(|byte| byte != b' ' && byte != b'\n'), "the number")?;
    parse_decimal(text).map(Some).ok_or("expected a number".into())
}

/// Seconds, as milliseconds.
fn timestamp(scan: &mut Scan) -> Result<Option<i64>, Fault> {
    match number(scan)? {
        None => Ok(None),
        // Towards zero, as Prometheus; far beyond what any store takes, the cast stops at the last millisecond.
        Some(seconds) if seconds.is_finite() => Ok(Some((seconds * 1000.0) as i64)),
        Some(_) => Err("expected a finite timestamp".into()),
    }
}

fn end_of_line(scan: &mut Scan) -> Result<(), Fault> {
    if scan.at == scan.bytes.len() {
        return Err(NO_EOF.into());
    }
    if !scan.take(b'\n') {
        return Err("expected the end of the line".into());
    }
    Ok(())
}
