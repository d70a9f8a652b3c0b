//! The `[dataset]` section of `streamflow.toml`: which tables a drop holds, what their columns are,
//! what must be true of them, and which columns feed the model.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::column_type::ColumnType;
use crate::entity_key::EntityKey;
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
}

/// One table of a drop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Every column of the file: a file with more or fewer is refused.
    pub columns: BTreeMap<String, ColumnSpec>,
    /// What must be true of the values, beyond their types.
    #[serde(default)]
    pub expectations: Vec<Expectation>,
}

/// One column: `"float"`, or `{ type = "float", nullable = false }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ColumnSpec {
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether a value may be missing (default: yes). The entity may never be.
    pub nullable: bool,
}

impl<'de> Deserialize<'de> for ColumnSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            #[serde(rename = "type")]
            column_type: ColumnType,
            #[serde(default = "yes")]
            nullable: bool,
        }
        fn yes() -> bool {
            true
        }
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = ColumnSpec;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a column type such as \"float\", or { type = \"float\", nullable = false }")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ColumnSpec, E> {
                let column_type = ColumnType::deserialize(serde::de::value::StrDeserializer::new(name))?;
                Ok(ColumnSpec { column_type, nullable: true })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<ColumnSpec, A::Error> {
                let long = Long::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(ColumnSpec { column_type: long.column_type, nullable: long.nullable })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl DatasetSpec {
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

    /// The type of a configured column.
    pub fn column_type(&self, table: &str, column: &str) -> Option<ColumnType> {
        Some(self.tables.get(table)?.columns.get(column)?.column_type)
    }
}
