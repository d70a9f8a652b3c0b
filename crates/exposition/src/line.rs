//! The parts of a line that every exposition has: names and labels.

/// Appends `name{labels}`. A name that needs quotes stands inside of the braces, as Prometheus 3 writes it; a pair
/// `__name__` is left out.
pub(crate) fn series<'a>(name: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut String) {
    let plain = is_metric_name(name);
    let mut separator = '{';
    if plain {
        out.push_str(name);
    } else {
        out.push('{');
        quote(name, out);
        separator = ',';
    }
    for (label, value) in labels.into_iter().filter(|&(label, _)| label != "__name__") {
        out.push(separator);
        separator = ',';
        pair(label, value, out);
    }
    if separator == ',' {
        out.push('}');
    }
}

/// Appends `{labels}`, names and values of an exemplar.
pub(crate) fn set<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut String) {
    out.push('{');
    for (place, (label, value)) in labels.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        pair(label, value, out);
    }
    out.push('}');
}

fn pair(label: &str, value: &str, out: &mut String) {
    quote_unless(is_label_name(label), label, out);
    out.push('=');
    quote(value, out);
}

/// Appends a name as a line of metadata has it.
pub(crate) fn family_name(name: &str, out: &mut String) {
    quote_unless(is_metric_name(name), name, out);
}

/// Appends a text whose backslashes and line ends, and if asked its `quotes`, are escaped.
pub(crate) fn escape(text: &str, quotes: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

fn quote_unless(plain: bool, text: &str, out: &mut String) {
    if plain { out.push_str(text) } else { quote(text, out) }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    escape(text, true, out);
    out.push('"');
}

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}

fn is_metric_name(name: &str) -> bool {
    let follows = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    name.as_bytes().first().is_some_and(|byte| !byte.is_ascii_digit()) && name.bytes().all(follows)
}
