//! The features of a model, and how a value becomes the number that its trees compare.

use std::collections::HashMap;
use std::fmt;

use crate::Error;

/// One value of one feature, as a table or a request has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Missing,
    /// A number; NaN is missing.
    Number(f64),
    /// An integer, exact beyond 2^53 where the model takes integers.
    Integer(i64),
    /// A truth value: 1 and 0 where the model takes numbers.
    Boolean(bool),
    /// A text.
    Text(&'a str),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Missing => f.write_str("missing"),
            Value::Number(number) => write!(f, "the number {number}"),
            Value::Integer(number) => write!(f, "the integer {number}"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Text(text) => write!(f, "the text {:?}", shortened(text)),
        }
    }
}

/// A feature of a model, in the order of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The name in the model file; where it has none, one that says the position.
    pub name: String,
    /// The values that it takes.
    pub kind: Kind,
}

/// The values that a feature takes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Numbers.
    Number,
    /// Integers without missing ones.
    Integer,
    /// True and false, without missing ones.
    Boolean,
    /// Levels that the model file names.
    Levels(Levels),
    /// Levels by their codes: the file does not have their names.
    Code,
    /// Texts; a missing one is the empty text.
    Text,
}

impl Kind {
    /// What is accepted, as the end of a sentence.
    pub fn accepts(&self) -> String {
        match self {
            Kind::Number => "a number".to_owned(),
            Kind::Integer => "an integer".to_owned(),
            Kind::Boolean => "true or false".to_owned(),
            Kind::Code => "the code of a category, since its file has no names of levels".to_owned(),
            Kind::Text => "a text".to_owned(),
            Kind::Levels(levels) => {
                let shown: Vec<String> = levels.levels.iter().take(5).map(Level::to_string).collect();
                let more = if levels.levels.len() > shown.len() { ", …" } else { "" };
                format!("one of its {} levels ({}{more})", levels.levels.len(), shown.join(", "))
            }
        }
    }
}

/// The names of a categorical feature's codes, in the order of the codes.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    levels: Vec<Level>,
    codes: HashMap<Level, u32>,
}

/// The name of a level.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// Another number, as its shortest text.
    Number(String),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Text(text) => write!(f, "{:?}", shortened(text)),
            Level::Integer(number) => write!(f, "{number}"),
            Level::Boolean(value) => write!(f, "{value}"),
            Level::Number(number) => f.write_str(number),
        }
    }
}

impl Levels {
    /// Levels in the order of their codes.
    pub(crate) fn new(levels: Vec<Level>) -> Result<Levels, String> {
        let mut codes = HashMap::with_capacity(levels.len());
        for (code, level) in levels.iter().enumerate() {
            if codes.insert(level.clone(), code as u32).is_some() {
                return Err(format!("level {level} is there twice"));
            }
        }
        Ok(Levels { levels, codes })
    }

    /// The levels, in the order of their codes.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The code of a value; none of one that was not in training.
    fn code(&self, value: Value) -> Option<u32> {
        let find = |level: Level| self.codes.get(&level).copied();
        match value {
            Value::Missing => None,
            Value::Integer(number) => {
                find(Level::Integer(number)).or_else(|| find(Level::Number((number as f64).to_string())))
            }
            Value::Boolean(value) => find(Level::Boolean(value)),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                find(Level::Integer(number as i64)).or_else(|| find(Level::Number(number.to_string())))
            }
            Value::Number(number) => find(Level::Number(number.to_string())),
            // A column of numbers or truth values may have been read as text.
            Value::Text(text) => find(Level::Text(text.to_owned())).or_else(|| match text {
                "True" | "true" => find(Level::Boolean(true)),
                "False" | "false" => find(Level::Boolean(false)),
                _ => text
                    .parse()
                    .ok()
                    .and_then(|number| find(Level::Integer(number)))
                    .or_else(|| text.parse().ok().and_then(|n: f64| find(Level::Number(n.to_string())))),
            }),
        }
    }

    fn has_texts(&self) -> bool {
        self.levels.iter().any(|level| matches!(level, Level::Text(_)))
    }
}

/// A value as the number that trees compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Encoded {
    Number(f64),
    /// A level that training did not have.
    Unseen,
}

impl Input {
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Input {
        Input { name: name.into(), kind }
    }

    pub(crate) fn refuse(&self, value: Value) -> Error {
        Error::Value { feature: self.name.clone(), given: value.to_string(), expected: self.kind.accepts() }
    }

    /// The number that trees compare; NaN for a missing value.
    pub(crate) fn encode(&self, value: Value) -> Result<Encoded, Error> {
        let number = match (&self.kind, value) {
            (_, Value::Missing) => f64::NAN,
            (_, Value::Number(number)) if number.is_nan() => number,
            (Kind::Levels(levels), value) => {
                let is_other_type = levels.has_texts() && !matches!(value, Value::Text(_));
                return match levels.code(value) {
                    Some(code) => Ok(Encoded::Number(f64::from(code))),
                    None if is_other_type => Err(self.refuse(value)),
                    None => Ok(Encoded::Unseen),
                };
            }
            (_, Value::Number(number)) => number,
            (_, Value::Integer(number)) => number as f64,
            (_, Value::Boolean(value)) => f64::from(u8::from(value)),
            (_, Value::Text(_)) => return Err(self.refuse(value)),
        };
        Ok(Encoded::Number(number))
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(40).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_numbers_or_are_refused_by_name() {
        let levels = |levels: Vec<Level>| Kind::Levels(Levels::new(levels).unwrap());
        let texts = levels(vec![Level::Text("a".into()), Level::Text("b".into())]);
        let integers = levels(vec![Level::Integer(-7), Level::Integer(5)]);
        let booleans = levels(vec![Level::Boolean(false), Level::Boolean(true)]);
        let big = (1_i64 << 53) + 1;
        let cases = [
            (Kind::Number, Value::Integer(big), Ok(Encoded::Number(9_007_199_254_740_992.0))),
            (Kind::Number, Value::Boolean(true), Ok(Encoded::Number(1.0))),
            (
                Kind::Number,
                Value::Text("1"),
                Err("feature \"x\" is the text \"1\", but the model takes a number"),
            ),
            (texts.clone(), Value::Text("b"), Ok(Encoded::Number(1.0))),
            (texts.clone(), Value::Text("c"), Ok(Encoded::Unseen)),
            (
                texts,
                Value::Integer(1),
                Err("feature \"x\" is the integer 1, but the model takes one of its 2 levels (\"a\", \"b\")"),
            ),
            (integers.clone(), Value::Text("5"), Ok(Encoded::Number(1.0))),
            (integers.clone(), Value::Number(-7.0), Ok(Encoded::Number(0.0))),
            (integers, Value::Integer(big), Ok(Encoded::Unseen)),
            (booleans.clone(), Value::Text("True"), Ok(Encoded::Number(1.0))),
            (booleans, Value::Boolean(false), Ok(Encoded::Number(0.0))),
            (
                Kind::Code,
                Value::Text("b"),
                Err(
                    "feature \"x\" is the text \"b\", but the model takes the code of a category, since its file \
                     has no names of levels",
                ),
            ),
        ];
        for (kind, value, expected) in cases {
            let given = Input::new("x", kind).encode(value).map_err(|error| error.to_string());
            assert_eq!(given, expected.map_err(str::to_owned), "{value:?}");
        }
    }
}
