//! A YAML document in its order, with the lines of its keys, held against the table of what is known.
//!
//! Values are read by serde elsewhere; this pass exists because serde tells neither a key that Prometheus knows and we
//! do not read (a warning) from one that nobody knows (an error), nor where a value that was read stood. The document is
//! shown from it too.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{NonFiniteFloatPolicy, Spanned};

use crate::keys::{Meaning, Place};

/// A node: only keys have names and lines.
#[derive(Debug)]
pub(crate) enum Tree {
    Map(Vec<(Spanned<String>, Tree)>),
    List(Vec<Tree>),
    Text(String),
    /// Numbers and truth values, as they are written, and nothing for null.
    Plain(String),
}

/// A key that nobody knows, or one whose list has an empty entry.
pub(crate) struct UnknownKey {
    pub line: u64,
    pub message: String,
}

impl Tree {
    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(self, Tree::Plain(text) if text.is_empty())
    }

    /// The node under a path of keys and numbers in lists, with its key's line.
    pub fn line(&self, path: &[&str]) -> u64 {
        let (mut tree, mut line) = (self, 0);
        for step in path {
            let next = match tree {
                Tree::Map(pairs) => pairs.iter().find(|(key, _)| key.value == *step).map(|(key, tree)| {
                    line = key.referenced.line();
                    tree
                }),
                Tree::List(list) => step.parse().ok().and_then(|index: usize| list.get(index)),
                Tree::Text(_) | Tree::Plain(_) => None,
            };
            let Some(next) = next else { break };
            tree = next;
            // Of an entry in a list: its first key.
            if let Tree::Map(pairs) = tree
                && step.bytes().all(|byte| byte.is_ascii_digit())
            {
                line = pairs.first().map_or(line, |(key, _)| key.referenced.line());
            }
        }
        line
    }

    fn has_null_entry(&self) -> bool {
        matches!(self, Tree::List(list) if list.iter().any(Tree::is_null))
    }

    /// Collects warnings about keys that are not read.
    pub fn check(&self, place: Place, warnings: &mut Vec<String>) -> Result<(), UnknownKey> {
        let pairs = match self {
            Tree::Map(pairs) => pairs,
            Tree::List(list) => return list.iter().try_for_each(|entry| entry.check(place, warnings)),
            Tree::Text(_) | Tree::Plain(_) => return Ok(()),
        };
        for (key, value) in pairs {
            let (name, line) = (key.value.as_str(), key.referenced.line());
            match place.keys().find(|known| known.name == name).map(|known| known.meaning) {
                Some(Meaning::Read) => {}
                Some(Meaning::Holds(_)) if value.has_null_entry() => {
                    return Err(UnknownKey {
                        line,
                        message: format!("an entry of {name} is empty, remove it"),
                    });
                }
                Some(Meaning::Holds(inner)) => value.check(inner, warnings)?,
                Some(Meaning::Unread) if value.is_null() => {}
                Some(Meaning::Unread) => warnings
                    .push(format!("line {line}: {name} in {} is not supported and is ignored", place.name())),
                None => return Err(UnknownKey { line, message: unknown(name, place) }),
            }
        }
        Ok(())
    }
}

fn unknown(name: &str, place: Place) -> String {
    let known = place.keys().filter(|key| key.meaning != Meaning::Unread).map(|key| key.name);
    // The same words in another order are as near as a letter.
    let distance = |key: &str| match words(key) == words(name) {
        true => 1,
        false => strsim::damerau_levenshtein(name, key),
    };
    let nearest = known.map(|key| (distance(key), key)).min();
    let remedy = match nearest {
        Some((distance, key)) if distance <= 3 => format!("did you mean {key}?"),
        _ => "remove it".to_owned(),
    };
    format!("unknown key {name:?} in {}, {remedy}", place.name())
}

fn words(key: &str) -> Vec<&str> {
    let mut words: Vec<&str> = key.split('_').collect();
    words.sort_unstable();
    words
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Tree::Map(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Tree::List(entries))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Plain(String::new()))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Plain(String::new()))
    }
}

/// How the files are read: a number that is not finite may be meant for a text, and one that begins with a zero is octal.
pub(crate) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        legacy_octal_numbers: true,
    }
}

/// The tree of a text; none where it is empty.
pub(crate) fn tree(text: &str) -> Result<Option<Tree>, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, options())
}

/// The text of the first document, which is all that Prometheus reads.
pub(crate) fn first_document(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut began, mut at) = (false, 0);
    for line in text.split_inclusive('\n') {
        let is_marker = |marker: &str| {
            line.strip_prefix(marker)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        };
        if began && (is_marker("---") || is_marker("...")) {
            return &text[..at];
        }
        began |= !line.trim().is_empty() && !line.starts_with(['#', '%']);
        at += line.len();
    }
    text
}
