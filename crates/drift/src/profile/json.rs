//! The file of a profile: JSON that people can read, equal profiles in equal bytes. `docs/drift.md` describes it.
//!
//! Reading is strict: whatever writing would not write is refused, by the name of its field. Numbers are keys of an
//! object and so strings: their shortest decimal is read back to the very same 64 bits.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use streamflow_stats::Sample;

use super::column::fits;
use super::rounding::{ALL_BITS, round_toward_zero};
use super::{ColumnProfile, Counted, MAX_DISTINCT, TableProfile};
use crate::column::Kind;
use crate::error::Error;
use crate::observations::number_label;
use crate::summary::shorten;

const FORMAT: &str = "streamflow-profile";
const SCHEMA_VERSION: u64 = 1;

impl TableProfile {
    /// The profile as indented JSON with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let table = TableJson {
            format: FORMAT,
            schema_version: SCHEMA_VERSION,
            rows: self.rows() as u64,
            columns: self.columns.iter().map(|(name, column)| ColumnJson::new(name, column)).collect(),
        };
        let mut json = serde_json::to_string_pretty(&table).expect("a profile is strings and whole numbers");
        json.push('\n');
        json
    }

    /// Reads what [`TableProfile::to_json`] wrote. Memory is in proportion to the text.
    ///
    /// # Errors
    /// [`Error::ProfileJson`] for what is no JSON of the shape, [`Error::ProfileField`] for a field whose value is
    /// impossible.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let malformed = |error: serde_json::Error| Error::ProfileJson { message: error.to_string() };
        // Another version may have other fields, so that the version comes first.
        let header: Header = serde_json::from_str(json).map_err(malformed)?;
        expect(&header.format, "format", &Value::from(FORMAT))?;
        expect(&header.schema_version, "schema_version", &Value::from(SCHEMA_VERSION))?;
        let table: TableFields = serde_json::from_str(json).map_err(malformed)?;
        let rows = whole_number(&table.rows, "rows")?;
        if table.columns.is_empty() && rows > 0 {
            return Err(wrong("rows", &table.rows, "0 without columns"));
        }
        let mut names = std::collections::HashSet::new();
        let mut columns = Vec::with_capacity(table.columns.len());
        for (i, fields) in table.columns.into_iter().enumerate() {
            let Value::String(name) = &fields.name else {
                return Err(wrong(&format!("columns[{i}].name"), &fields.name, "a string"));
            };
            if !names.insert(name.clone()) {
                return Err(wrong(&format!("columns[{i}].name"), &fields.name, "every name once"));
            }
            columns.push((name.clone(), fields.column(rows)?));
        }
        Ok(Self { columns })
    }

    /// Tells whether a file that begins with these bytes is meant to be a profile: a JSON object, which no CSV or
    /// Parquet file looks like.
    #[must_use]
    pub fn is_profile(start: &[u8]) -> bool {
        let mut bytes = start.iter().filter(|byte| !byte.is_ascii_whitespace());
        bytes.next() == Some(&b'{') && matches!(bytes.next(), Some(b'"' | b'}'))
    }
}

#[derive(serde::Serialize)]
struct TableJson<'a> {
    format: &'static str,
    schema_version: u64,
    rows: u64,
    columns: Vec<ColumnJson<'a>>,
}

#[derive(serde::Serialize)]
struct ColumnJson<'a> {
    name: &'a str,
    kind: &'static str,
    missing: u64,
    infinite: u64,
    /// Absent when the values are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    mantissa_bits: Option<u32>,
    /// Null when they are not kept.
    values: Option<CountsJson<'a>>,
}

struct CountsJson<'a>(&'a Counted);

impl<'a> ColumnJson<'a> {
    fn new(name: &'a str, column: &'a ColumnProfile) -> Self {
        let mantissa_bits = match column.values {
            Counted::Numbers { bits, .. } if bits < ALL_BITS || column.kind == Kind::Integer => Some(bits),
            _ => None,
        };
        let values = Some(CountsJson(&column.values)).filter(|_| column.values != Counted::NotKept);
        let (missing, infinite) = (column.missing, column.infinite);
        Self { name, kind: column.kind.as_str(), missing, infinite, mantissa_bits, values }
    }
}

impl Serialize for CountsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Counted::Exact(sample) => {
                serializer.collect_map(sample.iter().map(|(value, n)| (decimal(value), n)))
            }
            Counted::Numbers { counts, .. } => {
                serializer.collect_map(counts.iter().map(|&(value, n)| (decimal(value), n)))
            }
            Counted::WholeNumbers(counts) => serializer.collect_map(counts.iter().copied()),
            Counted::Truths([no, yes]) => {
                serializer.collect_map([("false", no), ("true", yes)].into_iter().filter(|(_, n)| **n > 0))
            }
            Counted::Labels(counts) => serializer.collect_map(counts.iter().map(|(label, n)| (label, n))),
            Counted::NotKept => serializer.serialize_none(),
        }
    }
}

fn decimal(value: f64) -> String {
    if value == 0.0 && value.is_sign_negative() { "-0".into() } else { number_label(value) }
}

#[derive(serde::Deserialize)]
struct Header {
    format: Value,
    schema_version: Value,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFields {
    #[serde(rename = "format")]
    _format: serde::de::IgnoredAny,
    #[serde(rename = "schema_version")]
    _schema_version: serde::de::IgnoredAny,
    rows: Value,
    columns: Vec<ColumnFields>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFields {
    name: Value,
    kind: Value,
    missing: Value,
    infinite: Value,
    mantissa_bits: Option<Value>,
    values: Option<Entries>,
}

/// The members of `values`, in the order of the file.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("in the field `values` an object of counts, or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == MAX_DISTINCT {
                        return Err(A::Error::custom(format!(
                            "`values` has more than {MAX_DISTINCT} entries"
                        )));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl ColumnFields {
    fn column(self, rows: u64) -> Result<ColumnProfile, Error> {
        let name = shorten(self.name.as_str().unwrap_or_default());
        let path = |field: &str| format!("{field} of column {name:?}");
        let kind = self.kind.as_str().and_then(Kind::named);
        let kind =
            kind.ok_or_else(|| wrong(&path("kind"), &self.kind, "float, integer, boolean, text or date"))?;
        let missing = whole_number(&self.missing, &path("missing"))?;
        let infinite = whole_number(&self.infinite, &path("infinite"))?;
        if infinite > 0 && kind != Kind::Float {
            return Err(wrong(&path("infinite"), &self.infinite, "0 unless the kind is float"));
        }
        let bits = match &self.mantissa_bits {
            None => None,
            Some(value) => Some(mantissa_bits(kind, value, &path("mantissa_bits"))?),
        };
        let values = match self.values {
            Some(Entries(entries)) => counts(kind, bits, entries, &name)?,
            None if matches!(kind, Kind::Text | Kind::Date) => Counted::NotKept,
            None => {
                return Err(wrong(
                    &path("values"),
                    &Value::Null,
                    "an object unless the kind is text or date",
                ));
            }
        };
        let absent = missing + infinite;
        match values.total() {
            None if missing > rows => Err(wrong(&path("missing"), &self.missing, "no more than rows")),
            Some(present) if absent.saturating_add(present) != rows => {
                let field = format!("the sum of missing, infinite and values of column {name:?}");
                let found = Value::from(absent.saturating_add(present));
                Err(wrong(&field, &found, &format!("the {rows} of rows")))
            }
            _ => Ok(ColumnProfile { kind, rows, missing, infinite, values }),
        }
    }
}

fn mantissa_bits(kind: Kind, value: &Value, field: &str) -> Result<u32, Error> {
    let most = if kind == Kind::Float { ALL_BITS - 1 } else { ALL_BITS };
    let bits = value.as_u64().and_then(|bits| u32::try_from(bits).ok());
    let bits = bits.filter(|&bits| bits <= most && matches!(kind, Kind::Float | Kind::Integer));
    let expected = "0 to 51 in a float column, 0 to 52 in an integer column, else absence";
    bits.ok_or_else(|| wrong(field, value, expected))
}

/// The members of `values` of the column of that name.
fn counts(
    kind: Kind,
    bits: Option<u32>,
    entries: Vec<(String, Value)>,
    name: &str,
) -> Result<Counted, Error> {
    let whole = format!("values of column {name:?}");
    if kind == Kind::Date {
        return Err(wrong(&whole, &Value::from("an object"), "null for dates"));
    }
    if kind == Kind::Text && !fits(entries.iter().map(|(label, _)| label.len())) {
        return Err(wrong(&whole, &Value::from("longer"), "a million bytes of strings at most"));
    }
    for (key, value) in &entries {
        let field = || format!("{:?} in {whole}", shorten(key));
        if whole_number(value, &field())? == 0 {
            return Err(wrong(&field(), value, "a positive count"));
        }
    }
    let bad_key = |(key, expected)| wrong(&format!("a key in {whole}"), &Value::from(key), expected);
    counted(kind, bits, entries).map_err(bad_key)
}

type BadKey = (String, &'static str);

/// The counts by parsed keys. The counts themselves have been looked at.
fn counted(kind: Kind, bits: Option<u32>, entries: Vec<(String, Value)>) -> Result<Counted, BadKey> {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    match (kind, bits) {
        (Kind::Float, _) | (Kind::Integer, Some(_)) => {
            let grid = bits.unwrap_or(ALL_BITS);
            let parse = |key: &str| {
                let value: f64 = key.parse().ok().filter(|value: &f64| value.is_finite())?;
                let on_grid = round_toward_zero(value, grid).to_bits() == value.to_bits();
                let zero = grid < ALL_BITS || value != 0.0 || value.is_sign_positive();
                (on_grid && zero).then_some(value)
            };
            let keys =
                parsed(&entries, parse, f64::total_cmp, "a finite number of mantissa_bits, ascending")?;
            let counts = keys.into_iter().zip(entries.iter().map(|(_, value)| count(value))).collect();
            Ok(Counted::Numbers { bits: grid, counts })
        }
        (Kind::Integer, None) => {
            let keys = parsed(&entries, |key| key.parse().ok(), i64::cmp, "a whole number, ascending")?;
            let counts = entries.iter().map(|(_, value)| count(value));
            Ok(Counted::WholeNumbers(keys.into_iter().zip(counts).collect()))
        }
        (Kind::Boolean, _) => {
            let keys = parsed(&entries, |key| key.parse().ok(), bool::cmp, "false, then true")?;
            let mut truths = [0, 0];
            for (key, (_, value)) in keys.into_iter().zip(&entries) {
                truths[usize::from(key)] = count(value);
            }
            Ok(Counted::Truths(truths))
        }
        (Kind::Text, _) => {
            let ascending = "strings, ascending by bytes";
            parsed(&entries, |key| Some(key.to_owned()), String::cmp, ascending)?;
            Ok(Counted::Labels(entries.into_iter().map(|(key, value)| (key, count(&value))).collect()))
        }
        (Kind::Date, _) => Ok(Counted::NotKept),
    }
}

/// Keys by `parse`, each above the one before.
fn parsed<T>(
    entries: &[(String, Value)],
    parse: impl Fn(&str) -> Option<T>,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
    expected: &'static str,
) -> Result<Vec<T>, BadKey> {
    let mut keys: Vec<T> = Vec::with_capacity(entries.len());
    for (key, _) in entries {
        let ascending = |value: &T| keys.last().is_none_or(|last| order(last, value).is_lt());
        let value = parse(key).filter(ascending).ok_or_else(|| (key.clone(), expected))?;
        keys.push(value);
    }
    Ok(keys)
}

fn whole_number(value: &Value, field: &str) -> Result<u64, Error> {
    let number = value.as_u64().filter(|&number| number <= Sample::MAX_ROWS);
    number.ok_or_else(|| wrong(field, value, "a whole number from 0 to 9007199254740992"))
}

fn expect(found: &Value, field: &str, expected: &Value) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(wrong(field, found, &expected.to_string())) }
}

fn wrong(field: &str, found: &Value, expected: &str) -> Error {
    let (field, found) = (field.to_owned(), shorten(&found.to_string()));
    Error::ProfileField { field, found, expected: expected.to_owned() }
}
