//! `--print-sql`: the queries that count two tables, for engines that hold them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;
use streamflow_compare::{kind, stored};
use streamflow_dataset::{ColumnType, StoredTable};
use streamflow_drift::{COUNTS_LIMIT, ColumnQueries, Kind, SqlDialect, totals};

use super::super::Context;
use super::Args;

/// All queries of both tables.
#[derive(Serialize)]
struct Queries {
    dialect: &'static str,
    tables: Vec<TableQueries>,
}

#[derive(Serialize)]
struct TableQueries {
    /// The name that the queries have for it.
    table: &'static str,
    /// As it was named on the command line.
    file: String,
    totals: String,
    columns: Vec<ColumnSql>,
}

#[derive(Serialize)]
struct ColumnSql {
    column: String,
    kind: &'static str,
    counts: String,
    /// Of numbers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moments: Option<String>,
    /// Where there is a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_label: Option<String>,
}

pub fn print(
    args: &Args,
    dialect: SqlDialect,
    [reference, current]: [&Path; 2],
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let [of_reference, of_current] = args.csv_options()?;
    let table = |path, csv| {
        let input = context.input(path)?;
        Ok::<_, anyhow::Error>(stored(&input.open(csv)?, &input)?)
    };
    let tables = [("reference", table(reference, of_reference)?), ("current", table(current, of_current)?)];
    if let Some(target) = &args.target
        && !tables.iter().any(|(_, stored)| stored.columns.iter().any(|(name, _)| name == target))
    {
        bail!(
            "the target {target} is a column of neither {} nor {}; name one that they have",
            reference.display(),
            current.display()
        );
    }
    let queries =
        tables.iter().map(|(table, stored)| table_queries(dialect, table, stored, args.target.as_deref()));
    let queries = Queries { dialect: dialect.as_str(), tables: queries.collect() };
    context.terminal.result(&queries, || text(dialect, &queries))?;
    Ok(ExitCode::SUCCESS)
}

fn table_queries(
    dialect: SqlDialect,
    table: &'static str,
    stored: &StoredTable,
    target: Option<&str>,
) -> TableQueries {
    let label = target.filter(|target| stored.columns.iter().any(|(name, _)| name == target));
    let column = |(name, column_type): &(String, ColumnType)| {
        let kind = kind(*column_type);
        let queries = ColumnQueries { dialect, table, column: name, kind };
        let is_number = matches!(kind, Kind::Float | Kind::Integer);
        ColumnSql {
            column: name.clone(),
            kind: column_type.name(),
            counts: queries.counts(),
            histogram: is_number.then(|| queries.histogram()),
            moments: is_number.then(|| queries.moments()),
            by_label: label.filter(|label| label != name).map(|label| queries.by_label(label)),
        }
    };
    TableQueries {
        table,
        file: stored.name.clone(),
        totals: totals(dialect, table, stored.columns.iter().map(|(name, _)| name.as_str())),
        columns: stored.columns.iter().map(column).collect(),
    }
}

fn text(dialect: SqlDialect, queries: &Queries) -> String {
    let [reference, current] = ["reference", "current"].map(|name| dialect.quoted(name));
    let mut text = format!(
        "-- Counts of two tables for {dialect}, under the names {reference} and {current}: give them views of these names.\n\
         -- Every answer is a sum over rows, so the answers of parts add up. Where the counts of a column come to\n\
         -- {COUNTS_LIMIT} rows there are more values than that, and its histogram stands in for them.\n"
    );
    for table in &queries.tables {
        // What a name may hold must not end the comment.
        let file = table.file.replace(['\n', '\r'], " ");
        let _ = write!(text, "\n-- {}: {file}\n{};\n", table.table, table.totals);
        for column in &table.columns {
            let name = column.column.replace(['\n', '\r'], " ");
            let _ = write!(text, "\n-- {name} ({})\n{};\n", column.kind, column.counts);
            for more in [&column.histogram, &column.moments, &column.by_label].into_iter().flatten() {
                let _ = writeln!(text, "{more};");
            }
        }
    }
    text
}
