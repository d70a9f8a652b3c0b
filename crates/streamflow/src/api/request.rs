//! What a prediction's request says: its content type, and the one field of its body that matters.
//!
//! Other fields are skipped without being kept, so a body costs the memory of its bytes.

use std::borrow::Cow;
use std::fmt;
use std::io::Read as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{ApiError, Invalid};
use super::json_fault::fault;
use crate::server::body::BodyError;
use crate::serving::{Entity, Serving};

/// The field of a batch.
pub const BATCH_FIELD: &str = "entities";

/// Accepts `application/json` and `application/…+json`, with or without parameters.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Err(ApiError::ContentType("none".to_owned()));
    };
    let essence = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is_json = essence.eq_ignore_ascii_case(b"application/json")
        || (essence.len() > 17
            && essence[..12].eq_ignore_ascii_case(b"application/")
            && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"));
    if is_json {
        Ok(())
    } else {
        Err(ApiError::ContentType(String::from_utf8_lossy(content_type.as_bytes()).into_owned()))
    }
}

/// Whether the body is packed with gzip, the one encoding that is read.
pub fn is_packed(headers: &HeaderMap) -> Result<bool, ApiError> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    match encoding.as_bytes().trim_ascii() {
        b"" | b"identity" => Ok(false),
        name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => Ok(true),
        name => Err(ApiError::ContentEncoding(String::from_utf8_lossy(name).into_owned())),
    }
}

/// The unpacked body, at most `limit` bytes, however much smaller it is packed.
pub fn unpack(body: &[u8], limit: usize) -> Result<Bytes, ApiError> {
    let mut unpacked = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(bound).read_to_end(&mut unpacked);
    read.map_err(|error| ApiError::NotGzip(error.to_string()))?;
    if unpacked.len() > limit {
        return Err(BodyError::TooLarge(limit).into());
    }
    Ok(unpacked.into())
}

/// The value that names the entity of a `POST /predict`, from a sound body.
pub fn parse_predict<'a>(body: &'a [u8], field: &str) -> Result<JsonValue<'a>, ApiError> {
    parse_field(body, field, 0)
}

/// The values that name the entities of a `POST /predict/batch`, in their order.
pub fn parse_batch(body: &[u8], limit: usize) -> Result<Vec<JsonValue<'_>>, ApiError> {
    let invalid = |kind, message| Invalid { kind, field: Some(BATCH_FIELD.to_owned()), index: None, message };
    let (values, length) = match parse_field(body, BATCH_FIELD, limit)? {
        JsonValue::List { values, length } => (values, length),
        other => return Err(invalid("list_type", format!("expected a list, got {}", other.name())).into()),
    };
    if length > limit {
        return Err(invalid("too_long", format!("expected at most {limit} entities, got {length}")).into());
    }
    Ok(values)
}

/// The value of one field of a JSON object; when it occurs twice the last one counts, as in Python.
fn parse_field<'a>(body: &'a [u8], field: &str, keep: usize) -> Result<JsonValue<'a>, ApiError> {
    let whole = |kind, index, message| ApiError::from(Invalid { kind, field: None, index, message });
    // Python's json, which FastAPI reads bodies with, skips a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(whole("missing", None, "field required".to_owned()));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Reader { field: Some(field), keep }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| {
            let (at, message) = fault(body, &error);
            whole("json_invalid", Some(at), message)
        })?;
    match value {
        JsonValue::Object(Some(value)) => Ok(*value),
        JsonValue::Object(None) => {
            let message = "field required".to_owned();
            Err(Invalid { kind: "missing", field: Some(field.to_owned()), index: None, message }.into())
        }
        other => {
            Err(whole("model_attributes_type", None, format!("expected an object, got {}", other.name())))
        }
    }
}

/// What a JSON value is, as far as a request can use it.
#[derive(Debug, PartialEq)]
pub enum JsonValue<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    /// The first values, as many as were to be kept, and the number of all.
    List {
        values: Vec<JsonValue<'a>>,
        length: usize,
    },
    /// The wanted field's value; `None` when it is absent or no field is wanted.
    Object(Option<Box<JsonValue<'a>>>),
    /// Any other value, by its name.
    Other(&'static str),
}

impl<'a> JsonValue<'a> {
    fn name(&self) -> &'static str {
        match self {
            JsonValue::Text(_) => "a string",
            JsonValue::Integer(_) => "an integer",
            JsonValue::List { .. } => "a list",
            JsonValue::Object(_) => "an object",
            JsonValue::Other(name) => name,
        }
    }

    /// The entity, when it is of the type of the served table's entity column. `field` and `index` are where in the
    /// body it stands.
    pub fn entity(
        self,
        serving: &Serving,
        field: &str,
        index: Option<usize>,
    ) -> Result<Entity<'a>, ApiError> {
        let is_integer = serving.features.entity_is_integer();
        let name = self.name();
        match self {
            JsonValue::Text(text) if !is_integer => return Ok(Entity::Text(text)),
            JsonValue::Integer(number) if is_integer => return Ok(Entity::Integer(number)),
            _ => {}
        }
        let (kind, expected) =
            if is_integer { ("int_type", "an integer") } else { ("string_type", "a string") };
        let message = format!("expected {expected}, got {name}");
        Err(Invalid { kind, field: Some(field.to_owned()), index, message }.into())
    }
}

/// Reads a [`JsonValue`]: one field of an object, and of a list at most `keep` values.
struct Reader<'n> {
    field: Option<&'n str>,
    keep: usize,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = JsonValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<JsonValue<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = JsonValue<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonValue<'de>, E> {
        Ok(i64::try_from(number).map_or(JsonValue::Other("an integer over 2^63"), JsonValue::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Other("a number with a fraction or exponent"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Other("a boolean"))
    }

    fn visit_unit<E>(self) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonValue<'de>, A::Error> {
        let (mut values, mut length) = (Vec::new(), 0);
        while length < self.keep {
            let Some(value) = list.next_element_seed(Reader { field: None, keep: 0 })? else {
                return Ok(JsonValue::List { values, length });
            };
            values.push(value);
            length += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(JsonValue::List { values, length })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonValue<'de>, A::Error> {
        let mut value = None;
        while let Some(is_wanted) = map.next_key_seed(KeyIs(self.field))? {
            if is_wanted {
                value = Some(Box::new(map.next_value_seed(Reader { field: None, keep: self.keep })?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(JsonValue::Object(value))
    }
}

/// Compares a key with the wanted one, without keeping it.
struct KeyIs<'n>(Option<&'n str>);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(self.0 == Some(key))
    }
}
