//! Who counts the values of a table in place of this process.

use std::fmt;

use streamflow_dataset::{ColumnType, NamedTable, StoredTable, TableFile, ValueCounts};
use streamflow_drift::{Column, Kind};

use crate::error::Error;

/// A column that an engine has counted.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// All of its values, as counting the file gives them.
    Counted(ValueCounts),
    /// Of more than [`streamflow_drift::MAX_DISTINCT`] different values: rounded numbers, or how many strings or dates.
    Bounded(Column),
}

/// What kept an engine from its answer. This process may count in its place, if that is asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}; --engine-fallback counts on this machine in its place")]
pub struct EngineFailed(pub String);

/// An engine that answers in SQL.
pub trait Engine: fmt::Debug + Send + Sync {
    /// The named columns of a table, in this order; `done` is called once for each.
    ///
    /// # Errors
    /// What kept it from its answer.
    fn summarise(
        &self,
        table: &StoredTable,
        names: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Summary>, EngineFailed>;
}

/// What an engine needs of a table.
///
/// # Errors
/// A table that is not of Parquet.
pub fn stored(table: &TableFile, named: &NamedTable) -> Result<StoredTable, Error> {
    table.stored().ok_or_else(|| Error::NotParquet { name: named.name.clone() })
}

/// What the queries of a column of this type count.
pub fn kind(column_type: ColumnType) -> Kind {
    match column_type {
        ColumnType::Float => Kind::Float,
        ColumnType::Integer => Kind::Integer,
        ColumnType::Boolean => Kind::Boolean,
        ColumnType::String => Kind::Text,
        ColumnType::Date => Kind::Date,
    }
}
