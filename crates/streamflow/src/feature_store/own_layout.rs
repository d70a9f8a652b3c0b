//! How features lie in a Redis that `streamflow features push` fills, and that `source = "redis"` reads.
//!
//! `PREFIX:entity:NAME` is a hash with a field for each feature, and with `@as_of` and `@push`, which say of when the features
//! are and which push brought them. A value begins with a letter of its type and a colon: `n:29.85`, `b:true`, `t:DSL`; a missing
//! one is `m:`. `PREFIX:push` is a hash that says which push was the last one, and whether it ended.

use std::collections::HashMap;
use std::sync::Arc;

use super::found::{Found, Known, Value};

/// The version of this layout.
pub const LAYOUT: &str = "1";
/// The field of an entity with the time of its features.
pub const AS_OF: &str = "@as_of";
/// The field of an entity with the push that brought them.
pub const PUSH: &str = "@push";
/// What the fields that are no features begin with.
const OWN: char = '@';

/// The key of an entity.
pub fn entity(prefix: &str, name: &str) -> String {
    format!("{prefix}:entity:{name}")
}

/// What all keys of entities match.
pub fn entities(prefix: &str) -> String {
    format!("{prefix}:entity:*")
}

/// The key of what is known of the last push.
pub fn last_push(prefix: &str) -> String {
    format!("{prefix}:push")
}

/// The key that a push holds while it is under way.
pub fn lock(prefix: &str) -> String {
    format!("{prefix}:lock")
}

/// Whether a feature of this name has a field of its own.
pub fn is_feature(name: &str) -> bool {
    !name.starts_with(OWN)
}

/// A value as it is stored.
pub fn written(value: &Value) -> String {
    match value {
        Value::Missing => "m:".to_owned(),
        Value::Boolean(truth) => format!("b:{truth}"),
        Value::Number(number) => format!("n:{number}"),
        Value::Text(text) => format!("t:{text}"),
    }
}

/// A stored value.
///
/// # Errors
/// What was expected.
pub fn read(text: &str) -> Result<Value, String> {
    let expected = || format!("n:NUMBER, b:true, b:false, t:TEXT or m:, got {:?}", shortened(text));
    match text.split_once(':').ok_or_else(expected)? {
        ("m", "") => Ok(Value::Missing),
        ("b", "true") => Ok(Value::Boolean(true)),
        ("b", "false") => Ok(Value::Boolean(false)),
        ("t", text) => Ok(Value::Text(text.to_owned())),
        ("n", number) => {
            let read = number.parse().ok().filter(|number: &f64| number.is_finite());
            read.map(Value::Number).ok_or_else(expected)
        }
        _ => Err(expected()),
    }
}

/// What a hash says of its entity; an empty one is of an entity that nothing is known of.
///
/// # Errors
/// The field, and what was expected of it.
pub fn found(fields: HashMap<String, String>) -> Result<Found, String> {
    if fields.is_empty() {
        return Ok(Found { known: Known::Nothing, values: Vec::new(), newest_ms: None });
    }
    let as_of = fields
        .get(AS_OF)
        .ok_or_else(|| format!("the field {AS_OF} with the time of the features, got none"))?;
    let time: jiff::Timestamp = as_of.parse().map_err(|_| {
        format!("{AS_OF}: expected a time such as 2024-01-31T00:00:00Z, got {:?}", shortened(as_of))
    })?;
    let newest_ms = Some(time.as_millisecond());
    let features = fields.into_iter().filter(|(name, _)| is_feature(name));
    let values = features.map(|(name, text)| {
        let value = read(&text).map_err(|expected| format!("{name}: expected {expected}"))?;
        Ok((Arc::from(name), value))
    });
    Ok(Found { known: Known::Something, values: values.collect::<Result<_, String>>()?, newest_ms })
}

/// At most as much of a stored text as an error repeats.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_value_is_refused_by_name() {
        for (text, expected) in [
            ("n:29.85", Ok(Value::Number(29.85))),
            ("n:-7", Ok(Value::Number(-7.0))),
            ("b:false", Ok(Value::Boolean(false))),
            ("t:", Ok(Value::Text(String::new()))),
            ("t:a:b", Ok(Value::Text("a:b".into()))),
            ("m:", Ok(Value::Missing)),
            ("m:x", Err("got \"m:x\"")),
            ("n:NaN", Err("got \"n:NaN\"")),
            ("n:1e999", Err("got \"n:1e999\"")),
            ("n:", Err("got \"n:\"")),
            ("29.85", Err("n:NUMBER, b:true, b:false, t:TEXT or m:, got \"29.85\"")),
            ("", Err("got \"\"")),
            ("b:1", Err("got \"b:1\"")),
        ] {
            match (read(text), expected) {
                (found, Ok(expected)) => assert_eq!(found, Ok(expected), "{text}"),
                (found, Err(expected)) => {
                    assert!(found.clone().unwrap_err().contains(expected), "{text}: {found:?}")
                }
            }
        }
    }

    #[test]
    fn a_hash_without_its_time_is_no_entity_of_ours() {
        let hash = |fields: &[(&str, &str)]| {
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(found(hash(&[])).unwrap().known, Known::Nothing);
        let read = found(hash(&[("fee", "n:1"), (AS_OF, "2024-01-31T00:00:00Z"), (PUSH, "x")])).unwrap();
        assert_eq!((read.known, read.newest_ms), (Known::Something, Some(1_706_659_200_000)));
        assert_eq!(read.values, [("fee".into(), Value::Number(1.0))]);
        for (fields, expected) in [
            (vec![("fee", "n:1")], "the field @as_of"),
            (vec![("fee", "n:1"), (AS_OF, "today")], "@as_of: expected a time"),
            (vec![("fee", "1"), (AS_OF, "2024-01-31T00:00:00Z")], "fee: expected n:NUMBER"),
        ] {
            assert!(found(hash(&fields)).unwrap_err().contains(expected), "{fields:?}");
        }
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_were(number in any::<f64>().prop_filter("finite", |n| n.is_finite()), text in ".*") {
            prop_assert_eq!(read(&written(&Value::Number(number))), Ok(Value::Number(number)));
            prop_assert_eq!(read(&written(&Value::Text(text.clone()))), Ok(Value::Text(text)));
        }
    }
}
