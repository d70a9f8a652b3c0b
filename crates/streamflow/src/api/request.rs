//! What a prediction's request says: its content type, and the fields of its body that matter.
//!
//! Other fields are skipped without being kept, so a body costs the memory of its bytes.

use std::borrow::Cow;
use std::fmt;
use std::io::Read as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use jiff::fmt::temporal::Pieces;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use streamflow_dataset::{EntityKey, KeyPart};

use super::error::{ApiError, Invalid};
use super::json::Json;
use super::json_fault::fault;
use super::sent::{self, Members};
use crate::server::body::BodyError;
use crate::serving::{Entity, Serving};

/// The field of a batch.
pub const BATCH_FIELD: &str = "entities";
const DAY_SECONDS: u32 = 86_400;

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

/// A time with its offset from UTC, which is less than a day.
pub fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    let offset = Pieces::parse(text).ok()?.to_numeric_offset();
    // The parser knows offsets up to 25:59:59; RFC 3339 ends at 23:59.
    if offset.is_some_and(|offset| offset.seconds().unsigned_abs() >= DAY_SECONDS) {
        return None;
    }
    text.parse().ok()
}

/// What a sound body says.
pub struct Parsed<'a, F> {
    /// The values that name the entity, one for each column of the key; or those that name entities, one for each.
    pub values: Vec<JsonValue<'a>>,
    /// The features that came with them.
    pub features: F,
}

/// The entity of a `POST /predict` and its features, none where none were sent.
pub fn parse_predict<'a>(body: &'a [u8], key: &EntityKey) -> Result<Parsed<'a, Members<'a>>, ApiError> {
    let reader = Reader { fields: key.columns(), takes_features: true, ..Reader::default() };
    let Fields { values, features } = parse_fields(body, &reader)?;
    let fields = values.into_iter().zip(key.columns());
    let values = fields.map(|(value, column)| value.ok_or_else(|| missing(Place::of(column))));
    Ok(Parsed { values: values.collect::<Result<_, _>>()?, features: sent::of_one(features)? })
}

/// The entities of a `POST /predict/batch`, in their order: objects where the key has several columns. Of their features none,
/// or one object for each.
pub fn parse_batch<'a>(
    body: &'a [u8],
    key: &EntityKey,
    limit: usize,
) -> Result<Parsed<'a, Vec<Members<'a>>>, ApiError> {
    let of_parts = if key.single().is_some() { &[] } else { key.columns() };
    let field = [BATCH_FIELD.to_owned()];
    let reader = Reader { fields: &field, keep: limit, of_listed: of_parts, takes_features: true };
    let Fields { mut values, features } = parse_fields(body, &reader)?;
    let value = values.pop().flatten();
    let (values, length) = match value.ok_or_else(|| missing(Place::of(BATCH_FIELD)))? {
        JsonValue::List { values, length } => (values, length),
        other => {
            let message = format!("expected a list, got {}", other.name());
            return Err(Place::of(BATCH_FIELD).invalid("list_type", message));
        }
    };
    if length > limit {
        let message = format!("expected at most {limit} entities, got {length}");
        return Err(Place::of(BATCH_FIELD).invalid("too_long", message));
    }
    Ok(Parsed { values, features: sent::of_many(features, length)? })
}

/// The values of some fields of a JSON object; of a field that occurs twice the last one counts, as in Python.
fn parse_fields<'a>(body: &'a [u8], reader: &Reader<'_>) -> Result<Fields<'a>, ApiError> {
    let whole = |kind, index, message| ApiError::from(Invalid { kind, index, message, ..Invalid::default() });
    // Python's json, which FastAPI reads bodies with, skips a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(whole("missing", None, "field required".to_owned()));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value =
        reader.deserialize(&mut json).and_then(|value| json.end().map(|()| value)).map_err(|error| {
            let (at, message) = fault(body, &error);
            whole("json_invalid", Some(at), message)
        })?;
    match value {
        JsonValue::Object(fields) => Ok(fields),
        other => {
            Err(whole("model_attributes_type", None, format!("expected an object, got {}", other.name())))
        }
    }
}

fn missing(place: Place<'_>) -> ApiError {
    place.invalid("missing", "field required".to_owned())
}

/// Where in a body a value stands.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    field: &'a str,
    index: Option<usize>,
    part: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(field: &'a str) -> Self {
        Place { field, index: None, part: None }
    }

    fn invalid(self, kind: &'static str, message: String) -> ApiError {
        let (field, part) = (Some(self.field.to_owned()), self.part.map(str::to_owned));
        Invalid { kind, field, index: self.index, part, message }.into()
    }
}

/// The entity that the fields of a request name.
pub fn entity<'a>(values: Vec<JsonValue<'a>>, serving: &'a Serving) -> Result<Entity<'a>, ApiError> {
    let columns = serving.key.columns().iter().zip(serving.features.key_is_integer());
    let parts = values.into_iter().zip(columns);
    let parts = parts.map(|(value, (column, is_integer))| value.part(*is_integer, Place::of(column)));
    Ok(Entity { key: &serving.key, parts: parts.collect::<Result<_, _>>()? })
}

/// The entity that a value of a batch names; `index` is its place there.
pub fn listed_entity<'a>(
    value: JsonValue<'a>,
    serving: &'a Serving,
    index: usize,
) -> Result<Entity<'a>, ApiError> {
    let place = Place { index: Some(index), ..Place::of(BATCH_FIELD) };
    let (key, types) = (&serving.key, serving.features.key_is_integer());
    let values = match value {
        value if let [is_integer] = types => {
            return Ok(Entity { key, parts: vec![value.part(*is_integer, place)?] });
        }
        JsonValue::Object(fields) => fields.values,
        other => {
            let message = format!("expected an object with {key}, got {}", other.name());
            return Err(place.invalid("model_attributes_type", message));
        }
    };
    let mut parts = Vec::with_capacity(values.len());
    for (value, (column, is_integer)) in values.into_iter().zip(key.columns().iter().zip(types)) {
        let place = Place { part: Some(column), ..place };
        parts.push(value.ok_or_else(|| missing(place))?.part(*is_integer, place)?);
    }
    Ok(Entity { key, parts })
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
    /// The wanted fields of an object.
    Object(Fields<'a>),
    /// Any other value, by its name.
    Other(&'static str),
}

/// The wanted fields of an object.
#[derive(Debug, PartialEq)]
pub struct Fields<'a> {
    /// Their values, in their order; `None` for one that is absent.
    values: Vec<Option<JsonValue<'a>>>,
    /// What the field of features holds, where it is wanted and there.
    features: Option<Box<Json<'a>>>,
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

    /// A part of a key, when it is of the type of its column.
    fn part(self, is_integer: bool, place: Place<'_>) -> Result<KeyPart<'a>, ApiError> {
        let name = self.name();
        match self {
            JsonValue::Text(text) if !is_integer => return Ok(KeyPart::Text(text)),
            JsonValue::Integer(number) if is_integer => return Ok(KeyPart::Integer(number)),
            _ => {}
        }
        let (kind, expected) =
            if is_integer { ("int_type", "an integer") } else { ("string_type", "a string") };
        Err(place.invalid(kind, format!("expected {expected}, got {name}")))
    }
}

/// Reads a [`JsonValue`]: some fields of an object, and of a list at most `keep` values, with some fields of each.
#[derive(Debug, Clone, Copy, Default)]
struct Reader<'n> {
    fields: &'n [String],
    keep: usize,
    of_listed: &'n [String],
    /// Whether the field of features is wanted too.
    takes_features: bool,
}

impl<'de> DeserializeSeed<'de> for &Reader<'_> {
    type Value = JsonValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<JsonValue<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Reader<'_> {
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
        let listed = Reader { fields: self.of_listed, ..Reader::default() };
        while length < self.keep {
            let Some(value) = list.next_element_seed(&listed)? else {
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
        let mut fields = Fields { values: Vec::new(), features: None };
        fields.values.resize_with(self.fields.len(), || None);
        let of_field = Reader { fields: &[], takes_features: false, ..*self };
        while let Some(wanted) = map.next_key_seed(KeyOf(self))? {
            match wanted {
                Wanted::Field(place) => fields.values[place] = Some(map.next_value_seed(&of_field)?),
                Wanted::Features => fields.features = Some(Box::new(map.next_value()?)),
                Wanted::Nothing => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(JsonValue::Object(fields))
    }
}

/// What a key of an object stands for.
enum Wanted {
    /// The field of this place.
    Field(usize),
    /// The features. A column of the entity's key that bears their name goes before them.
    Features,
    Nothing,
}

/// What a key is to a reader, without keeping it.
struct KeyOf<'r, 'n>(&'r Reader<'n>);

impl<'de> DeserializeSeed<'de> for KeyOf<'_, '_> {
    type Value = Wanted;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Wanted, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_, '_> {
    type Value = Wanted;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Wanted, E> {
        Ok(match self.0.fields.iter().position(|wanted| wanted == key) {
            Some(place) => Wanted::Field(place),
            None if self.0.takes_features && key == sent::FIELD => Wanted::Features,
            None => Wanted::Nothing,
        })
    }
}
