//! What names an entity.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cell::{Cell, Cells};
use crate::column_type::ColumnType;
use crate::error::Error;
use crate::snapshot::frame::Frame;

/// The columns that every table has and that together name one entity, such as `user_id`, or `store` and `sku`. A key of
/// one column is written as the name of that column, one of several as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityKey {
    /// At least one.
    columns: Vec<String>,
}

/// One value of a key: an entity has one for each column of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
}

impl EntityKey {
    /// The key that is this column.
    pub fn new(column: impl Into<String>) -> Self {
        EntityKey { columns: vec![column.into()] }
    }

    /// The names of the columns, in the order of the configuration.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The name of the column, where the key has one only.
    pub fn single(&self) -> Option<&str> {
        match self.columns.as_slice() {
            [column] => Some(column),
            _ => None,
        }
    }

    /// Whether a column is of the key.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|of_key| of_key == column)
    }

    /// The one text that names the entity of these parts, which are in the order of the columns: the value itself where
    /// the key has one column, else `store=s1 sku=17`. A text stands there as a JSON string where it is empty, begins
    /// with a quote or has white space in it, so that no two keys have one text.
    pub fn text(&self, parts: &[KeyPart<'_>]) -> String {
        if let (Some(_), [part]) = (self.single(), parts) {
            return part.to_string();
        }
        let mut text = String::new();
        for (column, part) in self.columns.iter().zip(parts) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(column);
            text.push('=');
            match part {
                KeyPart::Text(value) if !is_bare(value) => {
                    text.push_str(&serde_json::to_string(value).expect("a text is JSON"));
                }
                part => text.push_str(&part.to_string()),
            }
        }
        text
    }

    /// The parts of the entity that a text names, which is written as [`EntityKey::text`] writes it. `types` are those of
    /// the columns.
    ///
    /// # Errors
    /// [`Error::Entity`] or [`Error::EntityPart`] naming the part.
    pub fn parts<'a>(&self, text: &'a str, types: &[ColumnType]) -> Result<Vec<KeyPart<'a>>, Error> {
        if let (Some(column), [column_type]) = (self.single(), types) {
            return Ok(vec![part(Cow::Borrowed(text), column, *column_type)?]);
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        for (column, column_type) in self.columns.iter().zip(types) {
            let named =
                rest.trim_start().strip_prefix(column.as_str()).and_then(|rest| rest.strip_prefix('='));
            let Some(named) = named else { return Err(self.wrong_part(text, column, "it is not given")) };
            let (value, after) = value(named).ok_or_else(|| {
                self.wrong_part(text, column, "its value begins with a quote and does not end")
            })?;
            parts.push(part(value, column, *column_type)?);
            rest = after;
        }
        match rest.trim() {
            "" => Ok(parts),
            rest => Err(self.wrong_part(text, rest, "it is no part of the key")),
        }
    }

    /// The parts of the entity that words name, such as `store=s1` and `sku=17` in any order; a single word may also be the
    /// whole text.
    ///
    /// # Errors
    /// As [`EntityKey::parts`].
    pub fn parts_of_words<'a>(
        &self,
        words: &'a [String],
        types: &[ColumnType],
    ) -> Result<Vec<KeyPart<'a>>, Error> {
        match (self.single(), words) {
            (_, [word]) => return self.parts(word, types),
            (Some(column), _) => {
                return Err(Error::Entity { value: words.join(" "), column: column.to_string() });
            }
            _ => {}
        }
        fn value_of<'a>(word: &'a str, column: &str) -> Option<&'a str> {
            word.strip_prefix(column)?.strip_prefix('=')
        }
        let is_known = |word: &str| self.columns.iter().any(|column| value_of(word, column).is_some());
        if let Some(other) = words.iter().find(|word| !is_known(word)) {
            return Err(self.wrong_part(&words.join(" "), other, "it is no part of the key"));
        }
        let mut parts = Vec::new();
        for (column, column_type) in self.columns.iter().zip(types) {
            let mut values = words.iter().filter_map(|word: &'a String| value_of(word, column));
            let given = values.next().map(|value| part(Cow::Borrowed(value), column, *column_type));
            match (given, values.next()) {
                (Some(given), None) => parts.push(given?),
                (None, _) => return Err(self.wrong_part(&words.join(" "), column, "it is not given")),
                (_, Some(_)) => return Err(self.wrong_part(&words.join(" "), column, "it is given twice")),
            }
        }
        Ok(parts)
    }

    /// The text that names the entity of a row.
    ///
    /// # Errors
    /// [`Error::NoKey`] for a table without a column of the key, and for a row without a value in it.
    pub fn text_of_row(&self, frame: &Frame, row: usize) -> Result<String, Error> {
        let value = |name: &str| {
            let no_key = |row| Error::NoKey { column: name.to_string(), row };
            let values = &frame.column(name).ok_or_else(|| no_key(None))?.values;
            values.text(row).ok_or_else(|| no_key(Some(row)))
        };
        if let Some(column) = self.single() {
            return value(column);
        }
        let parts = self.columns.iter().map(|name| Ok(KeyPart::Text(Cow::Owned(value(name)?))));
        Ok(self.text(&parts.collect::<Result<Vec<_>, Error>>()?))
    }

    fn wrong_part(&self, given: &str, part: &str, reason: &'static str) -> Error {
        let form: Vec<String> = self.columns.iter().map(|column| format!("{column}=…")).collect();
        Error::EntityPart { given: given.to_string(), part: part.to_string(), reason, form: form.join(" ") }
    }
}

/// Whether a text needs no quotes to end where the next part begins.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('"') && !text.contains(char::is_whitespace)
}

/// The value that a text begins with, and what comes after it; none for a quote that does not end.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if !text.starts_with('"') {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let value = values.next()?.ok()?;
    let after = &text[values.byte_offset()..];
    (after.is_empty() || after.starts_with(char::is_whitespace)).then_some((Cow::Owned(value), after))
}

/// A value of a key's column; an empty text is a missing value and none.
fn part<'a>(value: Cow<'a, str>, column: &str, column_type: ColumnType) -> Result<KeyPart<'a>, Error> {
    let number = (column_type == ColumnType::Integer).then(|| value.trim().parse());
    match number {
        None if !value.is_empty() => Ok(KeyPart::Text(value)),
        Some(Ok(number)) => Ok(KeyPart::Integer(number)),
        _ => Err(Error::Entity { value: value.into_owned(), column: column.to_string() }),
    }
}

/// The columns of a key in a batch.
pub(crate) struct KeyCells<'a> {
    pub(crate) key: &'a EntityKey,
    /// In the order of the key's columns.
    pub(crate) cells: Vec<Cells<'a>>,
}

impl KeyCells<'_> {
    /// Passes on what names the entity of a row: the value of a key of one column, the text of another one. It is missing
    /// where a part is.
    pub(crate) fn with<T>(&self, row: usize, use_cell: impl FnOnce(Cell<'_>) -> T) -> T {
        if let [cells] = self.cells.as_slice() {
            return use_cell(cells.get(row));
        }
        let part = |cells: &Cells<'_>| match cells.get(row) {
            Cell::Integer(number) => Some(KeyPart::Integer(number)),
            cell => Some(KeyPart::Text(Cow::Owned(cell.text()?))),
        };
        let parts: Option<Vec<KeyPart<'_>>> = self.cells.iter().map(part).collect();
        match parts {
            Some(parts) => use_cell(Cell::Text(&self.key.text(&parts))),
            None => use_cell(Cell::Missing),
        }
    }
}

impl fmt::Display for KeyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyPart::Text(text) => text.fmt(f),
            KeyPart::Integer(number) => number.fmt(f),
        }
    }
}

impl Serialize for KeyPart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            KeyPart::Text(text) => serializer.serialize_str(text),
            KeyPart::Integer(number) => serializer.serialize_i64(*number),
        }
    }
}

/// The columns, one after the other.
impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.columns.join(", ").fmt(f)
    }
}

impl Serialize for EntityKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(column) = self.single() {
            return serializer.serialize_str(column);
        }
        let mut list = serializer.serialize_seq(Some(self.columns.len()))?;
        for column in &self.columns {
            list.serialize_element(column)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for EntityKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = EntityKey;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the column that names an entity, such as \"user_id\", or a list of columns")
            }
            fn visit_str<E: serde::de::Error>(self, column: &str) -> Result<EntityKey, E> {
                Ok(EntityKey::new(column))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<EntityKey, A::Error> {
                let mut columns: Vec<String> = Vec::new();
                while let Some(column) = list.next_element::<String>()? {
                    if columns.contains(&column) {
                        let twice = format!("the entity lists {column:?} twice; name each column once");
                        return Err(A::Error::custom(twice));
                    }
                    columns.push(column);
                }
                if columns.is_empty() {
                    let none = "the entity lists no column; name those that together name an entity";
                    return Err(A::Error::custom(none));
                }
                Ok(EntityKey { columns })
            }
        }
        deserializer.deserialize_any(Columns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(json: &str) -> EntityKey {
        serde_json::from_str(json).unwrap()
    }

    fn text(value: &str) -> KeyPart<'_> {
        KeyPart::Text(Cow::Borrowed(value))
    }

    #[test]
    fn a_key_is_written_as_its_column_or_its_columns() {
        for (json, shown) in [("\"user_id\"", "user_id"), ("[\"store\",\"sku\"]", "store, sku")] {
            assert_eq!(key(json).to_string(), shown);
            assert_eq!(serde_json::to_string(&key(json)).unwrap(), json);
        }
        assert_eq!(key("[\"user_id\"]"), EntityKey::new("user_id"));
    }

    #[test]
    fn other_values_say_what_is_expected() {
        let check = |json: &str, expected: &str| {
            let error = serde_json::from_str::<EntityKey>(json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("[\"a\", \"a\"]", "the entity lists \"a\" twice");
        check("[]", "the entity lists no column");
        check("[\"a\", 3]", "invalid type: integer `3`, expected a string");
        check("3", "invalid type: integer `3`, expected the column that names an entity");
    }

    #[test]
    fn an_entity_has_one_text_and_is_read_from_it() {
        let types = [ColumnType::String, ColumnType::Integer];
        let key = key("[\"store\",\"sku\"]");
        for (store, sku, expected) in [
            ("s1", 17, "store=s1 sku=17"),
            ("s1 sku=3", -4, "store=\"s1 sku=3\" sku=-4"),
            ("\"", 0, "store=\"\\\"\" sku=0"),
            ("a=b", 1, "store=a=b sku=1"),
        ] {
            let parts = vec![text(store), KeyPart::Integer(sku)];
            assert_eq!(key.text(&parts), expected);
            assert_eq!(key.parts(expected, &types).unwrap(), parts);
        }
        let words = ["sku=017".to_string(), "store=a b".to_string()];
        let parts = key.parts_of_words(&words, &types).unwrap();
        assert_eq!(key.text(&parts), "store=\"a b\" sku=17");
        let user = EntityKey::new("user_id");
        assert_eq!(user.parts("a b", &[ColumnType::String]).unwrap(), [text("a b")]);
        assert_eq!(user.text(&[text("a b")]), "a b");
    }

    #[test]
    fn a_wrong_part_is_named() {
        let types = [ColumnType::String, ColumnType::Integer];
        let key = key("[\"store\",\"sku\"]");
        for (given, expected) in [
            (&["store=s1"][..], "sku: it is not given"),
            (&["s1"], "store: it is not given"),
            (&["store=s1 sku=x"], "\"x\" is no value of sku"),
            (&["store=s1", "sku=1", "sku=2"], "sku: it is given twice"),
            (&["store=s1", "sku=1", "day=2"], "day=2: it is no part of the key"),
            (&["store=s1 sku=1 day=2"], "day=2: it is no part of the key"),
            (&["store=\"s1 sku=1"], "store: its value begins with a quote and does not end"),
            (&["store=", "sku=1"], "\"\" is no value of store"),
        ] {
            let words: Vec<String> = given.iter().map(|word| (*word).to_string()).collect();
            let error = key.parts_of_words(&words, &types).unwrap_err().to_string();
            assert!(error.contains(expected), "{given:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn two_keys_never_have_one_text(a in ".{0,6}|[ab \"=\\\\]{0,5}", b in "[ab \"=\\\\]{0,5}", c in "[ab \"=\\\\]{0,5}", d in "[ab \"=\\\\]{0,5}") {
            let key = key("[\"a\",\"b\"]");
            let [first, second] = [[text(&a), text(&b)], [text(&c), text(&d)]];
            prop_assert_eq!(key.text(&first) == key.text(&second), first == second);
            if !a.is_empty() && !b.is_empty() {
                let written = key.text(&first);
                prop_assert_eq!(key.parts(&written, &[ColumnType::String; 2]).unwrap(), first);
            }
        }
    }
}
