//! What the values of a column are.

use serde::{Deserialize, Serialize};

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
