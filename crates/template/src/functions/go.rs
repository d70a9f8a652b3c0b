//! The functions that Go's text/template has by itself.

use std::cmp::Ordering;

use super::super::value::Value;

/// How many bytes or entries.
pub fn len(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::String(text) | Value::Html(text) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Samples(samples) => samples.len(),
        Value::Args(args) => args.len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn position(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Int(at) => match usize::try_from(*at) {
            Ok(position) if position <= length => Ok(position),
            _ => Err(format!("index out of range: {at}")),
        },
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

/// `index x 1 "a"` is `x[1]["a"]`.
pub fn index(values: &[Value]) -> Result<Value, String> {
    let mut item = values[0].clone();
    for index in &values[1..] {
        item = match (&item, index) {
            (Value::Labels(labels), Value::String(name)) => {
                Value::String(labels.get(name).cloned().unwrap_or_default())
            }
            (Value::Args(args), Value::String(name)) => args.get(name).cloned().unwrap_or(Value::Nil),
            (Value::Labels(_) | Value::Args(_), other) => {
                return Err(format!("value has type {}; should be string", other.type_name()));
            }
            (Value::Samples(samples), at) => {
                let at = position(at, samples.len())?;
                Value::Sample(samples.get(at).cloned().ok_or_else(|| format!("index out of range: {at}"))?)
            }
            (Value::String(text), at) => {
                let at = position(at, text.len())?;
                let byte = text.as_bytes().get(at).ok_or_else(|| format!("index out of range: {at}"))?;
                Value::Int(i64::from(*byte))
            }
            (Value::Nil, _) => return Err("index of untyped nil".to_owned()),
            (other, _) => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(item)
}

/// `slice x 1 2` is `x[1:2]`, in bytes for a text.
pub fn slice(values: &[Value]) -> Result<Value, String> {
    let length = match &values[0] {
        Value::String(text) => text.len(),
        Value::Samples(samples) => samples.len(),
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    if values.len() > 3 {
        return Err(format!("too many slice indexes: {}", values.len() - 1));
    }
    let start = values.get(1).map_or(Ok(0), |at| position(at, length))?;
    let end = values.get(2).map_or(Ok(length), |at| position(at, length))?;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    Ok(match &values[0] {
        Value::Samples(samples) => Value::Samples(samples[start..end].to_vec()),
        text => Value::String(String::from_utf8_lossy(&text.text().as_bytes()[start..end]).into_owned()),
    })
}

/// One after another, with a space between two of which neither is a text.
pub fn print(values: &[Value]) -> String {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        let is_string = |value: &Value| matches!(value, Value::String(_) | Value::Html(_));
        if at > 0 && !is_string(value) && !is_string(&values[at - 1]) {
            text.push(' ');
        }
        text.push_str(&printed(value));
    }
    text
}

/// All with spaces between, and a line end.
pub fn println(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(printed).collect();
    texts.join(" ") + "\n"
}

fn printed(value: &Value) -> String {
    if *value == Value::Nil { "<nil>".to_owned() } else { value.text() }
}

/// Escaped for HTML.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Escaped for a JavaScript string.
pub fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' | '>' | '&' | '=' => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Whether the first equals any of the others.
pub fn eq(values: &[Value]) -> Result<Value, String> {
    let [first, others @ ..] = values else { return Err("missing argument for comparison".to_owned()) };
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        let equal = match (first, other) {
            (Value::Bool(_), Value::Bool(_))
            | (Value::Int(_), Value::Int(_))
            | (Value::Float(_), Value::Float(_))
            | (Value::Nil, Value::Nil) => first == other,
            (Value::String(a) | Value::Html(a), Value::String(b) | Value::Html(b)) => a == b,
            (Value::Nil, _) | (_, Value::Nil) => false,
            (a, b) if is_basic(a) && is_basic(b) => {
                return Err("incompatible types for comparison".to_owned());
            }
            (a, b) => {
                let other = if is_basic(a) { b } else { a };
                return Err(format!("non-comparable type {}: {}", other.text(), other.type_name()));
            }
        };
        if equal {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Html(_))
}

/// `lt`, `le`, `gt` and `ge`; with NaN all are false.
pub fn compare(values: &[Value], wanted: fn(Ordering) -> bool) -> Result<Value, String> {
    let ordering = match (&values[0], &values[1]) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::String(a) | Value::Html(a), Value::String(b) | Value::Html(b)) => Some(a.cmp(b)),
        (a, b) if is_basic(a) && is_basic(b) && !matches!((a, b), (Value::Bool(_), Value::Bool(_))) => {
            return Err("incompatible types for comparison".to_owned());
        }
        _ => return Err("invalid type for comparison".to_owned()),
    };
    Ok(Value::Bool(ordering.is_some_and(wanted)))
}
