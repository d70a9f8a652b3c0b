//! The value of an attribute as the text of a label.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use streamflow_gotext::shortest_json;

use super::message::{AnyValue, List, Map};
use crate::remote_write::count_messages;

/// Lists and maps within one another that are shown; below them stands `null`.
const DEPTH_MAX: u8 = 16;
/// Values that one attribute may have; one with more is shown as `null`.
const VALUES_MAX: u64 = 10_000;

/// The text; lists and maps are JSON. A value that is not set is the empty text.
pub fn text(value: Option<&AnyValue>) -> String {
    let Some(value) = value else { return String::new() };
    if let Some(text) = &value.string_value {
        return text.clone();
    }
    if let Some(bytes) = &value.bytes_value {
        return STANDARD.encode(bytes);
    }
    if let Some(number) = value.double_value.filter(|number| !number.is_finite()) {
        // What Go says of numbers that JSON has not.
        return format!("json: unsupported value: {}", streamflow_gotext::shortest(number));
    }
    let mut written = String::new();
    if value != &AnyValue::default() {
        json(value, 0, &mut written);
    }
    written
}

/// Appends the value as Go writes JSON: no blanks, the keys of maps sorted.
fn json(value: &AnyValue, depth: u8, written: &mut String) {
    if let Some(text) = &value.string_value {
        quoted(text, written);
    } else if let Some(bool) = value.bool_value {
        written.push_str(if bool { "true" } else { "false" });
    } else if let Some(int) = value.int_value {
        written.push_str(&int.to_string());
    } else if let Some(number) = value.double_value.filter(|number| number.is_finite()) {
        // encoding/json writes exponents of one digit with one digit.
        written.push_str(&shortest_json(number).to_string().replace("e-0", "e-"));
    } else if let Some(list) = value.array_value.as_deref().and_then(|bytes| read::<List>(bytes, depth)) {
        written.push('[');
        for (place, value) in list.values.iter().enumerate() {
            separated(place, written);
            json(value, depth + 1, written);
        }
        written.push(']');
    } else if let Some(map) = value.kvlist_value.as_deref().and_then(|bytes| read::<Map>(bytes, depth)) {
        let sorted: BTreeMap<&str, Option<&AnyValue>> =
            map.values.iter().map(|pair| (pair.key.as_str(), pair.value.as_ref())).collect();
        written.push('{');
        for (place, (key, value)) in sorted.into_iter().enumerate() {
            separated(place, written);
            quoted(key, written);
            written.push(':');
            json(value.unwrap_or(&AnyValue::default()), depth + 1, written);
        }
        written.push('}');
    } else if let Some(bytes) = &value.bytes_value {
        quoted(&STANDARD.encode(bytes), written);
    } else {
        written.push_str("null");
    }
}

fn separated(place: usize, written: &mut String) {
    if place > 0 {
        written.push(',');
    }
}

fn read<T: Message + Default>(bytes: &[u8], depth: u8) -> Option<T> {
    let mut values = 0;
    count_messages(bytes, 2, &mut values);
    (depth < DEPTH_MAX && values <= VALUES_MAX).then(|| T::decode(bytes).ok()).flatten()
}

/// As `encoding/json` quotes: what could end a tag of HTML is escaped.
fn quoted(text: &str, written: &mut String) {
    written.push('"');
    for character in text.chars() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\u{8}' => written.push_str("\\b"),
            '\u{c}' => written.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                written.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => written.push(other),
        }
    }
    written.push('"');
}
