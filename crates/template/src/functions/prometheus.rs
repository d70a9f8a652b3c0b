//! The functions that Prometheus adds to templates.

use std::sync::Arc;

use streamflow_gotext::{self as gotext, Regex, general, parse_duration_ms, shortest};

use super::super::value::{Value, time_text};
use super::{Environment, HANDLED_MAX};

type Answer = Result<Value, String>;

/// The answer to an instant query.
pub fn query(environment: &Environment<'_>, values: &[Value]) -> Answer {
    let samples = (environment.query)(&values[0].text())?;
    Ok(Value::Samples(samples.into_iter().map(Arc::new).collect()))
}

/// The first series of an answer.
pub fn first(samples: &Value) -> Answer {
    match samples {
        Value::Samples(samples) if !samples.is_empty() => Ok(Value::Sample(samples[0].clone())),
        _ => Err("first() called on vector with no elements".to_owned()),
    }
}

/// A label of a series, empty where it has none.
pub fn label(values: &[Value]) -> Answer {
    Ok(Value::String(label_of(&values[1], &values[0].text())))
}

fn label_of(sample: &Value, name: &str) -> String {
    match sample {
        Value::Sample(sample) => sample.labels.get(name).cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The value of a series.
pub fn value(sample: &Value) -> Answer {
    match sample {
        Value::Sample(sample) => Ok(Value::Float(sample.value)),
        other => Err(format!("wrong type for value; expected *template.sample; got {}", other.type_name())),
    }
}

/// The text value that old rules keep in a label.
pub fn strvalue(sample: &Value) -> Answer {
    Ok(Value::String(label_of(sample, "__value__")))
}

/// Ascending by one label's text.
pub fn sort_by_label(values: &[Value]) -> Answer {
    let Value::Samples(samples) = &values[1] else { return Ok(values[1].clone()) };
    let name = values[0].text();
    let mut sorted = samples.clone();
    sorted.sort_by(|a, b| a.labels.get(&name).cmp(&b.labels.get(&name)));
    Ok(Value::Samples(sorted))
}

/// Arguments as a map with the keys `arg0`, `arg1` and so on, for templates with several.
pub fn args(values: &[Value]) -> Value {
    Value::Args(values.iter().enumerate().map(|(at, value)| (format!("arg{at}"), value.clone())).collect())
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

/// Whether the pattern is found anywhere in the text.
pub fn matches(values: &[Value]) -> Answer {
    Ok(Value::Bool(regex(&values[0].text())?.is_match(&values[1].text())))
}

/// Every match replaced; `$1` and `${name}` are groups.
pub fn re_replace_all(values: &[Value]) -> Answer {
    let (replacement, text) = (values[1].text(), values[2].text());
    let regex = regex(&values[0].text())?;
    // A group is a part of its match, so that all matches together give for it the text at most.
    let groups = replacement.matches('$').count();
    let most = regex.count(&text) * replacement.len() + (groups + 1) * text.len();
    if most > HANDLED_MAX {
        return Err(format!("the text with its replacements may be longer than {HANDLED_MAX} bytes"));
    }
    Ok(Value::String(regex.replace_all(&text, &replacement)))
}

/// The first letter of every word in upper case.
pub fn title(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    let mut previous = ' ';
    for c in text.chars() {
        let starts = if previous.is_ascii() {
            !previous.is_ascii_alphanumeric() && previous != '_'
        } else {
            previous.is_whitespace()
        };
        if starts {
            title.extend(c.to_uppercase());
        } else {
            title.push(c);
        }
        previous = c;
    }
    title
}

/// `host:port` without the port; another text as it is.
pub fn strip_port(text: &str) -> String {
    if let Some((host, after)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return if after.starts_with(':') { host.to_owned() } else { text.to_owned() };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => host.to_owned(),
        _ => text.to_owned(),
    }
}

/// A host without its domain, its port kept; an address as it is.
pub fn strip_domain(text: &str) -> String {
    let host = strip_port(text);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    match text.strip_prefix(host.as_str()) {
        Some(port) => format!("{name}{port}"),
        None => text.to_owned(),
    }
}

/// The path of the expression's page, as graph (0) or table (1).
pub fn link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", query_escape(expression))
}

/// Escaped for the query part of a URL.
pub fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// The path of a URL.
pub fn path_prefix(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let path = after.find('/').map_or("", |at| &after[at..]);
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// `1.235k`: four digits and a metric prefix.
pub fn humanize(value: &Value) -> Answer {
    Ok(Value::String(gotext::humanize(value.to_float()?)))
}

/// `1.206ki`: four digits and a binary prefix.
pub fn humanize1024(value: &Value) -> Answer {
    Ok(Value::String(gotext::humanize_1024(value.to_float()?)))
}

/// `1d 2h 3m 4s` of seconds.
pub fn humanize_duration(value: &Value) -> Answer {
    Ok(Value::String(gotext::humanize_duration(value.to_float()?)))
}

/// `12.34%` of a ratio.
pub fn humanize_percentage(value: &Value) -> Answer {
    Ok(Value::String(general(value.to_float()? * 100.0, 4) + "%"))
}

fn time_ms(value: f64) -> Result<i64, String> {
    let nanoseconds = value * 1e9;
    if nanoseconds > i64::MAX as f64 || nanoseconds < i64::MIN as f64 {
        let value = shortest(value);
        return Err(format!(
            "{value} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    Ok(nanoseconds as i64 / 1_000_000)
}

/// `2015-02-04 15:43:23 +0000 UTC` of seconds since 1970.
pub fn humanize_timestamp(value: &Value) -> Answer {
    let value = value.to_float()?;
    if !value.is_finite() {
        return Ok(Value::String(general(value, 4)));
    }
    Ok(Value::String(time_text(time_ms(value)?)))
}

/// A time of seconds since 1970.
pub fn to_time(value: &Value) -> Answer {
    let value = value.to_float()?;
    if !value.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    Ok(Value::Time(time_ms(value)?))
}

/// Seconds of a duration such as `1h30m`.
pub fn parse_duration(text: &str) -> Answer {
    parse_duration_ms(text).map(|ms| Value::Float(ms as f64 / 1000.0)).map_err(|error| error.to_string())
}
