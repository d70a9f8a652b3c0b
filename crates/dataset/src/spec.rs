//! The `[dataset]` section of `streamflow.toml`: which tables a drop holds, what their columns are,
//! what must be true of them, and which columns feed the model.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, nearest};
use crate::expectation::{self, Expectation};

/// The description of a dataset. [`DatasetSpec::validate`] tells whether it makes sense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// The column that every table has and that names one entity, such as `user_id`.
    pub entity: String,
    /// The table with one row for each entity there is; a point-in-time table has its rows.
    pub entity_table: String,
    /// What the model predicts.
    pub label: Label,
    /// The columns that the model sees, in this order. Each belongs to exactly one table.
    pub features: Vec<String>,
    /// The tables of a drop, by name: `users` is read from `users.csv` or `users.parquet`.
    pub tables: BTreeMap<String, TableSpec>,
}

/// Where the label is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The table.
    pub table: String,
    /// Its boolean column.
    pub column: String,
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

/// What the values of a column are; the parsing rules are in [`crate`]'s documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text.
    String,
    /// 64-bit whole numbers.
    Integer,
    /// 64-bit floating point numbers.
    Float,
    /// True or false.
    Boolean,
    /// Calendar dates.
    Date,
}

impl ColumnType {
    /// What a value of a file must look like, for error messages.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            ColumnType::String => "text",
            ColumnType::Integer => "a whole number such as 12 (leave the field empty for missing)",
            ColumnType::Float => "a number such as 12.5 (leave the field empty for missing)",
            ColumnType::Boolean => "true or false (also True, TRUE, 1, False, FALSE, 0; empty for missing)",
            ColumnType::Date => "a date such as 2024-01-31 (leave the field empty for missing)",
        }
    }

    /// The word of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            ColumnType::String => "string",
            ColumnType::Integer => "integer",
            ColumnType::Float => "float",
            ColumnType::Boolean => "boolean",
            ColumnType::Date => "date",
        }
    }
}

impl DatasetSpec {
    /// Checks that every name refers to something and every expectation makes sense.
    ///
    /// # Errors
    /// [`Error::Spec`] with all contradictions, each naming the key, the value and the likely remedy.
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        for (name, table) in &self.tables {
            self.check_table(name, table, &mut problems);
        }
        self.check_entity(&mut problems);
        self.check_label(&mut problems);
        self.check_features(&mut problems);
        if problems.is_empty() { Ok(()) } else { Err(Error::Spec(problems)) }
    }

    /// The table that holds a feature.
    pub(crate) fn table_of(&self, feature: &str) -> Option<&str> {
        let mut holders = self.tables.iter().filter(|(_, table)| table.columns.contains_key(feature));
        holders.next().map(|(name, _)| name.as_str())
    }

    /// The type of a configured column.
    pub fn column_type(&self, table: &str, column: &str) -> Option<ColumnType> {
        Some(self.tables.get(table)?.columns.get(column)?.column_type)
    }

    fn check_table(&self, name: &str, table: &TableSpec, problems: &mut Vec<String>) {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.len() > 100 {
            problems.push(format!(
                "tables.{name}: a table name is a letter followed by letters, digits, _ or -, because it names a directory"
            ));
        }
        if let Some(entity) = table.columns.get(&self.entity) {
            if !matches!(entity.column_type, ColumnType::String | ColumnType::Integer) {
                problems.push(format!(
                    "tables.{name}.columns.{}: the entity is {}; expected string or integer",
                    self.entity,
                    entity.column_type.name()
                ));
            }
        } else {
            problems.push(format!(
                "tables.{name}.columns has no {}, the entity{}",
                self.entity,
                hint(&self.entity, table.columns.keys())
            ));
        }
        for (index, expectation) in table.expectations.iter().enumerate() {
            for problem in expectation::problems(expectation, name, table, &self.entity_table) {
                problems.push(format!("tables.{name}.expectations[{index}]: {problem}"));
            }
        }
    }

    fn check_entity(&self, problems: &mut Vec<String>) {
        if self.tables.is_empty() {
            problems.push(
                "tables is empty; expected one [dataset.tables.NAME.columns] for each file of a drop"
                    .to_string(),
            );
        } else if !self.tables.contains_key(&self.entity_table) {
            problems.push(format!(
                "entity_table = {:?} is not a table{}",
                self.entity_table,
                hint(&self.entity_table, self.tables.keys())
            ));
        }
        let mut types =
            self.tables.values().filter_map(|table| Some(table.columns.get(&self.entity)?.column_type));
        if let Some(first) = types.next()
            && types.any(|other| other != first)
        {
            problems.push(format!(
                "the entity {} has different types in different tables; expected one",
                self.entity
            ));
        }
    }

    fn check_label(&self, problems: &mut Vec<String>) {
        let Label { table, column } = &self.label;
        let Some(spec) = self.tables.get(table) else {
            problems
                .push(format!("label.table = {table:?} is not a table{}", hint(table, self.tables.keys())));
            return;
        };
        match spec.columns.get(column) {
            None => problems.push(format!(
                "label.column = {column:?} is not a column of {table}{}",
                hint(column, spec.columns.keys())
            )),
            Some(label) if label.column_type != ColumnType::Boolean => problems.push(format!(
                "label.column = {column:?} is {}; expected a boolean column (0 and 1 are read as booleans too)",
                label.column_type.name()
            )),
            Some(_) => {}
        }
    }

    fn check_features(&self, problems: &mut Vec<String>) {
        if self.features.is_empty() {
            problems.push("features is empty; expected the columns that the model sees".to_string());
        }
        for (index, feature) in self.features.iter().enumerate() {
            if self.features[..index].contains(feature) {
                problems.push(format!("features lists {feature:?} twice"));
                continue;
            }
            if *feature == self.entity {
                problems.push(format!(
                    "features lists the entity {feature:?}, from which a model only learns names"
                ));
                continue;
            }
            let holders: Vec<_> =
                self.tables.iter().filter(|(_, table)| table.columns.contains_key(feature)).collect();
            match holders.as_slice() {
                [] => {
                    let columns = self.tables.values().flat_map(|table| table.columns.keys());
                    problems.push(format!(
                        "features lists {feature:?}, which no table has{}",
                        hint(feature, columns)
                    ));
                }
                [(name, table)] => self.check_feature(feature, name, table, problems),
                several => {
                    let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                    problems.push(format!(
                        "features lists {feature:?}, which is a column of {}; rename all but one",
                        names.join(" and ")
                    ));
                }
            }
        }
    }

    fn check_feature(&self, feature: &str, name: &str, table: &TableSpec, problems: &mut Vec<String>) {
        if name == self.label.table && feature == self.label.column {
            problems.push(format!("features lists the label {feature:?}"));
        } else if table.columns[feature].column_type == ColumnType::Date {
            problems.push(format!(
                "features lists {feature:?}, a date; a model takes numbers, booleans and text"
            ));
        }
    }
}

fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a String>) -> String {
    match nearest(name, candidates.into_iter().map(String::as_str)) {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => String::new(),
    }
}
