//! What names an entity.

use std::fmt;

use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The column that every table has and that names one entity, such as `user_id`. It is written as the
/// name of that column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityKey {
    column: String,
}

impl EntityKey {
    /// The key that is this column.
    pub fn new(column: impl Into<String>) -> Self {
        EntityKey { column: column.into() }
    }

    /// The name of the column.
    pub fn column(&self) -> &str {
        &self.column
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.column.fmt(f)
    }
}

impl Serialize for EntityKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.column)
    }
}

impl<'de> Deserialize<'de> for EntityKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneColumn;
        impl<'de> Visitor<'de> for OneColumn {
            type Value = EntityKey;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of the column that names an entity, such as \"user_id\"")
            }
            fn visit_str<E: Error>(self, column: &str) -> Result<EntityKey, E> {
                Ok(EntityKey::new(column))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut columns: A) -> Result<EntityKey, A::Error> {
                let mut count = 0;
                while columns.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Err(A::Error::custom(format!(
                    "the entity is a list of {count} column{}; a key of several columns is not supported, \
                     so name the one column that names an entity, such as \"user_id\"",
                    if count == 1 { "" } else { "s" }
                )))
            }
        }
        deserializer.deserialize_any(OneColumn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_its_column() {
        let key: EntityKey = serde_json::from_str("\"user_id\"").unwrap();
        assert_eq!((key.column(), key.to_string().as_str()), ("user_id", "user_id"));
        assert_eq!(serde_json::to_string(&key).unwrap(), "\"user_id\"");
    }

    #[test]
    fn lists_and_other_values_say_what_is_expected() {
        let check = |json: &str, expected: &str| {
            let error = serde_json::from_str::<EntityKey>(json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(
            "[\"a\", \"b\"]",
            "the entity is a list of 2 columns; a key of several columns is not supported",
        );
        check("[\"a\"]", "the entity is a list of 1 column; ");
        check("3", "invalid type: integer `3`, expected the name of the column that names an entity");
    }
}
