//! The `[dataset]` section of `streamflow.toml`: which tables a drop holds, what their columns are,
//! what must be true of them, and which columns feed the model.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::column_type::ColumnType;
use crate::entity_key::EntityKey;
use crate::period::Period;
use crate::snapshot::dated::Span;
use crate::snapshot::expectations::Expectation;
use crate::snapshot::label::Label;

/// The description of a dataset. [`DatasetSpec::validate`] tells whether it makes sense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// What names one entity in every table, such as `user_id`.
    pub entity: EntityKey,
    /// The table with one row for each entity there is; a point-in-time table has its rows.
    pub entity_table: String,
    /// What the model predicts.
    pub label: Label,
    /// The columns that the model sees, in this order. Each belongs to exactly one table.
    pub features: Vec<String>,
    /// The tables of a drop, by name: `users` is read from `users.csv` or `users.parquet`.
    pub tables: BTreeMap<String, TableSpec>,
    /// Where the tables are when no drop is named, as it is written: what it means is of the program that asks there, and
    /// nothing here looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<serde_json::Value>,
}

/// One table of a drop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Every column of the file: a file with more or fewer is refused.
    pub columns: BTreeMap<String, ColumnForms>,
    /// What must be true of the values, beyond their types.
    #[serde(default)]
    pub expectations: Vec<Expectation>,
    /// The first date of which drops have the table (default: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Period>,
    /// The last date of which drops have the table (default: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Period>,
}

/// What a column was at which dates: one form, or a list of several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnForms {
    /// At least one.
    forms: Vec<ColumnSpec>,
}

impl ColumnForms {
    /// All of them, in the order of the configuration.
    pub fn all(&self) -> &[ColumnSpec] {
        &self.forms
    }

    /// The last of them.
    pub fn last(&self) -> ColumnSpec {
        self.forms[self.forms.len() - 1]
    }

    /// When it is there, in words.
    pub(crate) fn dates(&self) -> String {
        let dates: Vec<String> = self.forms.iter().map(|form| form.span().to_string()).collect();
        dates.join(" and ")
    }

    /// The form at a date, without its dates; none where the column is not there.
    pub(crate) fn at(&self, as_of: Period) -> Option<ColumnSpec> {
        let form = self.forms.iter().find(|form| form.span().has(as_of))?;
        Some(ColumnSpec { since: None, until: None, ..*form })
    }
}

impl From<ColumnSpec> for ColumnForms {
    fn from(form: ColumnSpec) -> Self {
        ColumnForms { forms: vec![form] }
    }
}

/// One form of a column: `"float"`, or `{ type = "float", nullable = false, since = "2026-03-01" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ColumnSpec {
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether a value may be missing (default: yes). The entity may never be.
    pub nullable: bool,
    /// The first date of which drops have the column in this form (default: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Period>,
    /// The last date of which drops have the column in this form (default: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Period>,
}

impl ColumnSpec {
    pub(crate) fn span(&self) -> Span {
        Span { since: self.since, until: self.until }
    }
}

impl Serialize for ColumnForms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.forms.as_slice() {
            [form] => form.serialize(serializer),
            forms => forms.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ColumnForms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormsReader)
    }
}

impl<'de> Deserialize<'de> for ColumnSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(FormsReader)?.forms.as_slice() {
            [form] => Ok(*form),
            forms => {
                Err(serde::de::Error::custom(format!("a list of {} in the place of a form", forms.len())))
            }
        }
    }
}

/// Reads a form or a list of them.
struct FormsReader;

impl<'de> Visitor<'de> for FormsReader {
    type Value = ColumnForms;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a column type such as \"float\", or { type = \"float\", nullable = false }")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ColumnForms, E> {
        let column_type = ColumnType::deserialize(StrDeserializer::new(name))?;
        Ok(ColumnSpec { column_type, nullable: true, since: None, until: None }.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnForms, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            #[serde(rename = "type")]
            column_type: ColumnType,
            #[serde(default = "yes")]
            nullable: bool,
            since: Option<Period>,
            until: Option<Period>,
        }
        fn yes() -> bool {
            true
        }
        let Long { column_type, nullable, since, until } =
            Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ColumnSpec { column_type, nullable, since, until }.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ColumnForms, A::Error> {
        let mut forms = Vec::new();
        while let Some(form) = list.next_element::<ColumnSpec>()? {
            forms.push(form);
        }
        if forms.is_empty() {
            return Err(serde::de::Error::custom(
                "the column has no form; expected its type, or a list of several",
            ));
        }
        Ok(ColumnForms { forms })
    }
}

impl DatasetSpec {
    /// The names of the tables, the entity table first.
    pub fn in_order(&self) -> impl Iterator<Item = &str> {
        let others = self.tables.keys().filter(|table| **table != self.entity_table);
        std::iter::once(self.entity_table.as_str()).chain(others.map(String::as_str))
    }

    /// The table that holds a feature.
    pub(crate) fn table_of(&self, feature: &str) -> Option<&str> {
        let mut holders = self.tables.iter().filter(|(_, table)| table.columns.contains_key(feature));
        holders.next().map(|(name, _)| name.as_str())
    }

    /// The types of the key's columns, in their order; text where the configuration lacks one.
    pub fn key_types(&self) -> Vec<ColumnType> {
        let types = self.entity.columns().iter().map(|column| self.column_type(&self.entity_table, column));
        types.map(|found| found.unwrap_or(ColumnType::String)).collect()
    }

    /// The type of a configured column, in its last form.
    pub fn column_type(&self, table: &str, column: &str) -> Option<ColumnType> {
        Some(self.tables.get(table)?.columns.get(column)?.last().column_type)
    }
}
