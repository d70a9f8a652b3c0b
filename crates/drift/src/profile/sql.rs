//! The counts of a profile as SQL, for an engine that holds the table.
//!
//! The words are those that DataFusion, Spark and Trino share; they differ in how a name is quoted alone. Every query
//! is a sum over rows, so that an engine may run it in parts. Numbers of which there are many are counted by the grid of
//! [`super::rounding`] with [`SQL_BITS`] bits: its edges do not depend on the data, so counts of parts add up.

use std::fmt;
use std::str::FromStr;

use super::MAX_DISTINCT;
use crate::column::Kind;

/// Mantissa bits of the numbers that [`ColumnQueries::histogram`] counts: each value is off by less than 2^−12 of itself.
pub const SQL_BITS: u32 = 12;
/// The most rows of the answer to [`ColumnQueries::counts`]. A full answer says that there are more than
/// [`MAX_DISTINCT`] values: beside those of a profile there may be a missing one, NaN, a negative zero and infinity twice.
pub const COUNTS_LIMIT: usize = MAX_DISTINCT + 6;

/// Below it a number is counted as it is: the step of its grid is too small for a 64-bit float.
const LEAST_ROUNDED: &str = "1E-290";
const MOST_FINITE: &str = "1.7976931348623157E308";

/// An engine that reads SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlDialect {
    /// Apache DataFusion, and Ballista with it.
    DataFusion,
    /// Apache Spark.
    Spark,
    /// Trino.
    Trino,
}

impl SqlDialect {
    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DataFusion => "datafusion",
            Self::Spark => "spark",
            Self::Trino => "trino",
        }
    }

    /// A name of a table or a column as a query has it.
    #[must_use]
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DataFusion | Self::Trino => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}

impl FromStr for SqlDialect {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::DataFusion, Self::Spark, Self::Trino]
            .into_iter()
            .find(|dialect| dialect.as_str() == word)
            .ok_or_else(|| format!("unknown engine {word:?}, expected datafusion, spark or trino"))
    }
}

impl fmt::Display for SqlDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many rows a table has, and how many of them have a value in each of these columns: `row_count`, `present_0` and so
/// on. An engine may be asked for a few hundred columns at once.
#[must_use]
pub fn totals<'a>(dialect: SqlDialect, table: &str, columns: impl IntoIterator<Item = &'a str>) -> String {
    let present = |(i, name)| format!(", COUNT({}) AS present_{i}", dialect.quoted(name));
    let present: String = columns.into_iter().enumerate().map(present).collect();
    format!("SELECT COUNT(*) AS row_count{present} FROM {}", dialect.quoted(table))
}

/// The queries of one column.
#[derive(Debug, Clone, Copy)]
pub struct ColumnQueries<'a> {
    /// Whose SQL it is.
    pub dialect: SqlDialect,
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// What its values are.
    pub kind: Kind,
}

impl ColumnQueries<'_> {
    /// Every value (`x`, null where it is missing) with how many rows have it (`n`). At most [`COUNTS_LIMIT`] rows: a full
    /// answer is not all of it, and [`Self::histogram`] is to be asked for in its place.
    #[must_use]
    pub fn counts(&self) -> String {
        format!("SELECT x, COUNT(*) AS n FROM {} GROUP BY x LIMIT {COUNTS_LIMIT}", self.values())
    }

    /// Numbers, rounded toward zero to [`SQL_BITS`] mantissa bits (`x`), with how many rows have them (`n`).
    #[must_use]
    pub fn histogram(&self) -> String {
        format!("SELECT x, COUNT(*) AS n FROM {} GROUP BY x", self.rounded(""))
    }

    /// How many finite numbers there are, the least and the greatest, their sum and that of their squares.
    #[must_use]
    pub fn moments(&self) -> String {
        format!(
            "SELECT COUNT(x) AS n, MIN(x) AS lowest, MAX(x) AS highest, SUM(x) AS total, SUM(x * x) AS squares \
             FROM {} WHERE ABS(x) <= {MOST_FINITE}",
            self.doubles("")
        )
    }

    /// Every value, numbers rounded as [`Self::histogram`] has them, by the value of the label in the same row (`label`).
    #[must_use]
    pub fn by_label(&self, label: &str) -> String {
        let label = format!("{} AS label, ", self.dialect.quoted(label));
        let values = match self.kind {
            Kind::Float | Kind::Integer => self.rounded(&label),
            _ => self.values_with(&label),
        };
        format!("SELECT label, x, COUNT(*) AS n FROM {values} GROUP BY label, x")
    }

    fn values(&self) -> String {
        self.values_with("")
    }

    /// A table of the values as `x`, after what `others` selects.
    fn values_with(&self, others: &str) -> String {
        let column = self.dialect.quoted(self.column);
        let value = match self.kind {
            Kind::Float => format!("CAST({column} AS DOUBLE)"),
            Kind::Integer => format!("CAST({column} AS BIGINT)"),
            Kind::Date => format!("CAST({column} AS DATE)"),
            Kind::Boolean | Kind::Text => column,
        };
        format!("(SELECT {others}{value} AS x FROM {}) AS v", self.dialect.quoted(self.table))
    }

    fn doubles(&self, others: &str) -> String {
        ColumnQueries { kind: Kind::Float, ..*self }.values_with(others)
    }

    /// A table of rounded numbers as `x`. `size` is what is rounded: numbers that are none, and the smallest, stay as they
    /// are, and an engine that refuses the logarithm of zero or the whole part of infinity is asked for neither. `step` is
    /// the distance of the grid's points there. Where a logarithm comes out on the other side of a power of two, `power` is
    /// one off, so it is held against the number once more.
    fn rounded(&self, others: &str) -> String {
        let passed = if others.is_empty() { "" } else { "label, " };
        format!(
            "(SELECT {passed}CASE WHEN size IS NULL THEN x WHEN x < 0E0 THEN -(FLOOR(size / step) * step) \
             ELSE FLOOR(size / step) * step END AS x FROM \
             (SELECT {passed}x, size, POWER(2E0, CASE WHEN POWER(2E0, power) > size THEN power - 1E0 \
             WHEN POWER(2E0, power + 1E0) <= size THEN power + 1E0 ELSE power END - {SQL_BITS}E0) AS step FROM \
             (SELECT {passed}x, size, CAST(FLOOR(LOG2(size)) AS DOUBLE) AS power FROM \
             (SELECT {passed}x, CASE WHEN ABS(x) >= {LEAST_ROUNDED} AND ABS(x) <= {MOST_FINITE} THEN ABS(x) END AS size \
             FROM {}) AS a) AS p) AS s) AS v",
            self.doubles(others)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(dialect: SqlDialect, kind: Kind) -> ColumnQueries<'static> {
        ColumnQueries { dialect, table: "current", column: "a \"b\" `c`", kind }
    }

    #[test]
    fn names_are_quoted_as_the_engine_has_them() {
        use SqlDialect::{DataFusion, Spark, Trino};
        for (dialect, expected) in [
            (
                DataFusion,
                "SELECT x, COUNT(*) AS n FROM (SELECT \"a \"\"b\"\" `c`\" AS x FROM \"current\") AS v GROUP BY x LIMIT 10006",
            ),
            (
                Trino,
                "SELECT x, COUNT(*) AS n FROM (SELECT \"a \"\"b\"\" `c`\" AS x FROM \"current\") AS v GROUP BY x LIMIT 10006",
            ),
            (
                Spark,
                "SELECT x, COUNT(*) AS n FROM (SELECT `a \"b\" ``c``` AS x FROM `current`) AS v GROUP BY x LIMIT 10006",
            ),
        ] {
            assert_eq!(queries(dialect, Kind::Text).counts(), expected);
            assert_eq!(dialect.as_str().parse(), Ok(dialect));
        }
        assert_eq!(
            "hive".parse::<SqlDialect>().unwrap_err(),
            "unknown engine \"hive\", expected datafusion, spark or trino"
        );
    }

    #[test]
    fn totals_count_the_rows_and_the_values() {
        assert_eq!(
            totals(SqlDialect::Spark, "t", ["a", "b"]),
            "SELECT COUNT(*) AS row_count, COUNT(`a`) AS present_0, COUNT(`b`) AS present_1 FROM `t`"
        );
        assert_eq!(totals(SqlDialect::Trino, "t", []), "SELECT COUNT(*) AS row_count FROM \"t\"");
    }
}
