//! Values are read past the keys that have none.
//!
//! A null leaves a key at its default everywhere in Prometheus's files, as if the key were not there. Serde would have
//! each field say so; here the document is read along its tree, and keys whose value is null are stepped over.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::scalar::{self, Kind};
use crate::yaml::{self, Tree};

/// Reads a text whose tree is known.
///
/// # Errors
/// What does not fit, with its place.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de str, tree: &Tree) -> Result<T, serde_saphyr::Error> {
    let read = |inner: serde_saphyr::Deserializer<'de, '_>| T::deserialize(Along { inner, tree: Some(tree) });
    serde_saphyr::with_deserializer_from_str_with_options(text, yaml::options(), read)
}

/// What serde hands on, with its place in the tree.
struct Along<'t, T> {
    inner: T,
    tree: Option<&'t Tree>,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Along<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        scalar::read(self.inner, visitor, Kind::Bool, self.tree)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        scalar::read(self.inner, visitor, Kind::Integer, self.tree)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        scalar::read(self.inner, visitor, Kind::Integer, self.tree)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        scalar::read(self.inner, visitor, Kind::Integer, self.tree)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        scalar::read(self.inner, visitor, Kind::Float, self.tree)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(visitor)
    }

    /// A null in a list of texts is an empty one.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.tree.is_some_and(Tree::is_null) {
            self.inner.deserialize_ignored_any(IgnoredAny)?;
            return visitor.visit_str("");
        }
        self.inner.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Along { inner: visitor, tree: self.tree })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_seq(Along { inner: visitor, tree: self.tree })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Along { inner: visitor, tree: self.tree })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Along { inner: visitor, tree: self.tree })
    }

    // No field of the file has one of these types.
    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u32 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
        enum identifier
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Along<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Along { inner: deserializer, tree: self.tree })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        let entries: &[Tree] = match self.tree {
            Some(Tree::List(entries)) => entries,
            _ => &[],
        };
        self.inner.visit_seq(List { inner: list, entries: entries.iter() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let pairs: &[(Spanned<String>, Tree)] = match self.tree {
            Some(Tree::Map(pairs)) => pairs,
            _ => &[],
        };
        self.inner.visit_map(Map { inner: map, pairs: pairs.iter(), value: None })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Along<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Along { inner: deserializer, tree: self.tree })
    }
}

struct List<'t, A> {
    inner: A,
    entries: std::slice::Iter<'t, Tree>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for List<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Along { inner: seed, tree: self.entries.next() })
    }
}

struct Map<'t, A> {
    inner: A,
    pairs: std::slice::Iter<'t, (Spanned<String>, Tree)>,
    value: Option<&'t Tree>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Map<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        for (_, value) in self.pairs.by_ref() {
            if !value.is_null() {
                self.value = Some(value);
                break;
            }
            self.inner.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Along { inner: seed, tree: self.value.take() })
    }
}
