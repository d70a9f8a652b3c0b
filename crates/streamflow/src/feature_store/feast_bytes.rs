//! What Feast's online stores hold, in bytes: the key of an entity, the names of fields in Redis, values and times.
//!
//! The layout is Feast's own, of `entity_key_serialization_version: 3`, and stands in no promise of Feast's: what is read by
//! it is held against the feature server when a server starts, where one is named.

use prost::{Message, Oneof};
use streamflow_dataset::{EntityKey, KeyPart};

use super::found::Value;
use super::number;

/// Feast's number of the type of texts, and of 64-bit integers.
const STRING: u32 = 2;
const INT64: u32 = 4;

/// What names the entity in every store: the number of columns, the columns in the order of their names, then the values in
/// the same order, each with its type and its length.
pub fn entity_key(key: &EntityKey, name: &[KeyPart<'_>]) -> Vec<u8> {
    let mut parts: Vec<(&String, &KeyPart<'_>)> = key.columns().iter().zip(name).collect();
    parts.sort_unstable_by_key(|(column, _)| *column);
    let mut bytes = Vec::with_capacity(64);
    let put = |bytes: &mut Vec<u8>, kind: u32, content: &[u8]| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(length(content.len()).to_le_bytes());
        bytes.extend(content);
    };
    bytes.extend(length(parts.len()).to_le_bytes());
    parts.iter().for_each(|(column, _)| put(&mut bytes, STRING, column.as_bytes()));
    for (_, part) in parts {
        match part {
            KeyPart::Text(text) => put(&mut bytes, STRING, text.as_bytes()),
            KeyPart::Integer(number) => put(&mut bytes, INT64, &number.to_le_bytes()),
        }
    }
    bytes
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a request is shorter than four gigabytes")
}

/// The field of a Redis hash that holds a feature: the 32-bit MurmurHash3 of `VIEW:FEATURE`, the lowest byte first.
pub fn field(view: &str, feature: &str) -> [u8; 4] {
    murmur3(format!("{view}:{feature}").as_bytes()).to_le_bytes()
}

/// MurmurHash3, x86, 32 bits, with the seed 0 (Appleby, 2011).
fn murmur3(bytes: &[u8]) -> u32 {
    let scrambled = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, &block| {
        let hash = hash ^ scrambled(u32::from_le_bytes(block));
        hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash ^= scrambled(u32::from_le_bytes(last));
    }
    hash ^= length(bytes.len());
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// A message of `feast.types.Value`: those kinds that a model takes, and a missing value.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(oneof = "Kind", tags = "2, 3, 4, 5, 6, 7, 19")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(string, tag = "2")]
    String(String),
    #[prost(int32, tag = "3")]
    Int32(i32),
    #[prost(int64, tag = "4")]
    Int64(i64),
    #[prost(double, tag = "5")]
    Double(f64),
    #[prost(float, tag = "6")]
    Float(f32),
    #[prost(bool, tag = "7")]
    Bool(bool),
    #[prost(int32, tag = "19")]
    Null(i32),
}

/// A stored value, which is missing where no kind is set.
///
/// # Errors
/// What was expected: bytes that are no message, a kind that no model takes, an integer that a 64-bit float does not hold.
pub fn value(bytes: &[u8]) -> Result<Value, String> {
    let stored = Stored::decode(bytes)
        .map_err(|error| format!("a value of Feast, got bytes that are none: {error}"))?;
    Ok(match stored.kind {
        None if !bytes.is_empty() => {
            return Err(
                "a number, a text, true, false or a missing value, got a list or another kind".to_owned()
            );
        }
        None | Some(Kind::Null(_)) => Value::Missing,
        Some(Kind::String(text)) => Value::Text(text),
        Some(Kind::Int32(integer)) => Value::Number(f64::from(integer)),
        Some(Kind::Int64(integer)) => Value::Number(number::exact(integer)?),
        Some(Kind::Double(float)) => finite(float),
        Some(Kind::Float(single)) => finite(number::as_written(f64::from(single))),
        Some(Kind::Bool(truth)) => Value::Boolean(truth),
    })
}

/// What is no number is missing: the feature server writes it as null.
fn finite(float: f64) -> Value {
    if float.is_finite() { Value::Number(number::as_written(float)) } else { Value::Missing }
}

/// A message of `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// A stored time in milliseconds since 1970.
///
/// # Errors
/// What was expected.
pub fn time_ms(bytes: &[u8]) -> Result<i64, String> {
    let time =
        Time::decode(bytes).map_err(|error| format!("a time of Feast, got bytes that are none: {error}"))?;
    let ms = time.seconds.checked_mul(1000).and_then(|ms| ms.checked_add(i64::from(time.nanos / 1_000_000)));
    ms.ok_or_else(|| format!("a time, got {} seconds since 1970", time.seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever lies in a store is a value, a time or an error.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Value::Number(number)) = value(&bytes) {
                prop_assert!(number.is_finite());
            }
            let _ = time_ms(&bytes);
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// feast 0.67.0: `feast.infra.key_encoding_utils.serialize_entity_key(EntityKey(…), 3).hex()`.
    #[test]
    fn keys_are_those_of_feast() {
        let text = |text: &'static str| KeyPart::Text(text.into());
        for (columns, name, expected) in [
            (
                "\"user_id\"",
                vec![text("7590-VHVEG")],
                "010000000200000007000000757365725f6964020000000a000000373539302d5648564547",
            ),
            (
                "\"user_id\"",
                vec![KeyPart::Integer(-5)],
                "010000000200000007000000757365725f69640400000008000000fbffffffffffffff",
            ),
            (
                "[\"store\", \"sku\"]",
                vec![text("s1"), KeyPart::Integer(17)],
                "020000000200000003000000736b75020000000500000073746f7265040000000800000011000000000000000200000002000000\
                 7331",
            ),
        ] {
            let key: EntityKey = serde_json::from_str(columns).unwrap();
            assert_eq!(hex(&entity_key(&key, &name)), expected, "{columns}");
        }
    }

    /// feast 0.67.0: `feast.infra.online_stores.helpers._mmh3(TEXT).hex()`.
    #[test]
    fn fields_are_those_of_feast() {
        for (text, expected) in [
            ("", "00000000"),
            ("a", "b269253c"),
            ("ab", "5fd7bf9b"),
            ("abc", "fa93ddb3"),
            ("abcd", "6a67ed43"),
            ("view:feature", "7f115176"),
            ("subscriptions:monthly_fee", "351b15bc"),
            ("é:ü", "88c59959"),
        ] {
            assert_eq!(hex(&murmur3(text.as_bytes()).to_le_bytes()), expected, "{text}");
        }
        assert_eq!(hex(&field("subscriptions", "monthly_fee")), "351b15bc");
    }

    /// feast 0.67.0: `feast.protos.feast.types.Value_pb2.Value(…).SerializeToString().hex()`.
    #[test]
    fn values_are_those_of_feast() {
        let number = |number: f64| Ok(Value::Number(number));
        for (stored, expected) in [
            ("", Ok(Value::Missing)),
            ("980100", Ok(Value::Missing)),
            ("2001", number(1.0)),
            ("20ffffffffffffffffff01", number(-1.0)),
            ("2000", number(0.0)),
            ("18f9ffffffffffffffff01", number(-7.0)),
            ("35cdccee41", number(29.85)),
            ("299a99999999d93d40", number(29.85)),
            ("290000000000000000", number(0.0)),
            ("29000000000000f87f", Ok(Value::Missing)),
            ("3801", Ok(Value::Boolean(true))),
            ("3800", Ok(Value::Boolean(false))),
            ("120344534c", Ok(Value::Text("DSL".into()))),
            ("1200", Ok(Value::Text(String::new()))),
            ("0a0178", Err("got a list or another kind")),
            ("4005", Err("got a list or another kind")),
            ("72040a020102", Err("got a list or another kind")),
            ("e20203312e35", Err("got a list or another kind")),
            ("1203", Err("got bytes that are none")),
            ("208180808080808010", Err("an integer that a 64-bit float holds exactly")),
        ] {
            match (value(&bytes(stored)), expected) {
                (found, Ok(expected)) => assert_eq!(found, Ok(expected), "{stored}"),
                (found, Err(expected)) => {
                    assert!(found.clone().unwrap_err().contains(expected), "{stored}: {found:?}")
                }
            }
        }
    }

    /// `google.protobuf.timestamp_pb2.Timestamp`, of protobuf 5.
    #[test]
    fn times_are_those_of_protobuf() {
        assert_eq!(time_ms(&bytes("08809be6ad061080cab5ee01")), Ok(1_706_659_200_500));
        assert_eq!(time_ms(&bytes("08ffffffffffffffffff01")), Ok(-1000));
        assert_eq!(time_ms(&[]), Ok(0));
        assert!(time_ms(&bytes("08ffffffffffffffff7f")).unwrap_err().contains("seconds since 1970"));
        assert!(time_ms(b"\xff").is_err());
    }
}
