//! JSON in memory, small enough that a body costs at most sixteen times its bytes: texts lie where the body has them, and
//! an object is the list of its members.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{ApiError, Invalid};
use super::json_fault::fault;

/// What [`Json::name`] takes, as the end of a sentence.
pub const NAME: &str = "a text that is not empty and has no NUL character";

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// An integer from 2^63 on.
    Large(u64),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a body, after a byte order mark if there is one; `None` where it is blank.
    ///
    /// # Errors
    /// 422 with the byte at which it is no JSON. Nesting beyond 127 is none.
    pub fn read(body: &'a [u8]) -> Result<Option<Self>, ApiError> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(body).map(Some).map_err(|error| {
            let (at, message) = fault(body, &error);
            Invalid { kind: "json_invalid", index: Some(at), message, ..Invalid::default() }.into()
        })
    }

    /// A member of an object; of two with one name the last counts, as in Python.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let Json::Object(members) = self else { return None };
        members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// A name that the database keeps as it is: [`NAME`] says which texts are, since Postgres knows no NUL.
    pub fn name(&self) -> Option<&str> {
        self.text().filter(|text| !text.is_empty() && !text.contains('\0'))
    }

    pub fn list(&self) -> Option<&[Json<'a>]> {
        if let Json::List(values) = self { Some(values) } else { None }
    }

    pub fn object(&self) -> Option<&[(Cow<'a, str>, Json<'a>)]> {
        if let Json::Object(members) = self { Some(members) } else { None }
    }

    /// What it is, as the end of a sentence.
    pub fn shown(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Integer(number) => format!("the integer {number}"),
            Json::Large(number) => format!("the integer {number}"),
            Json::Number(number) => format!("the number {number}"),
            Json::Text(text) => format!("the text {:?}", shortened(text)),
            Json::List(_) => "a list".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        }
    }
}

/// At most as much of a client's text as an answer repeats.
pub fn shortened(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(number).map_or(Json::Large(number), Json::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

/// The name of a member, where the body has it.
struct Name;

impl<'de> serde::de::DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(name.into())
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(name.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_they_are_written() {
        let read = |text: &'static str| Json::read(text.as_bytes()).map_err(|error| error.to_string());
        for (text, expected) in [
            ("9007199254740993", Json::Integer(9_007_199_254_740_993)),
            ("18446744073709551615", Json::Large(u64::MAX)),
            ("-0.5", Json::Number(-0.5)),
            ("\"a\\n\"", Json::Text("a\n".into())),
            ("[null,true]", Json::List(vec![Json::Null, Json::Bool(true)])),
        ] {
            assert_eq!(read(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(read(" \n"), Ok(None));
        assert_eq!(read("NaN"), Err("body: expected a value, found 'N' at byte 0".to_owned()));
        assert_eq!(read("{\"a\":1,\"a\":2}").unwrap().unwrap().get("a"), Some(&Json::Integer(2)));
        let deep: &'static str = "[".repeat(200_000).leak();
        assert!(read(deep).unwrap_err().contains("recursion limit exceeded"));
        assert!(size_of::<Json>() <= 32);
    }
}
