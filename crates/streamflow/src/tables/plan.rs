//! What the configuration says of a table, as a query of the database.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _, TypeInfo as _};
use streamflow_dataset::{ColumnType, DatasetSpec, Period, TableIntake};

use super::literal::{self, quoted};
use super::session::Session;
use super::value::{DatabaseType, Decoder};
use crate::config::{PostgresTables, nearest};

/// The types of these numbers; of domains what is under them.
const TYPES: &str = "WITH RECURSIVE found AS ( \
    SELECT oid AS number, oid, typname, typtype, typbasetype FROM pg_type WHERE oid = ANY($1::int8[]::oid[]) \
    UNION ALL SELECT found.number, t.oid, t.typname, t.typtype, t.typbasetype \
    FROM found JOIN pg_type t ON t.oid = found.typbasetype WHERE found.typtype = 'd') \
    SELECT number::int8, oid::int8, typname::text, typtype::text, format_type(number, NULL) \
    FROM found WHERE typtype <> 'd'";

/// A column of the rows that are read.
pub(super) struct PlannedColumn {
    pub(super) name: String,
    pub(super) wanted: ColumnType,
    pub(super) decoder: Decoder,
}

/// How the rows of a table are read.
pub(super) struct Plan {
    pub(super) columns: Vec<PlannedColumn>,
    /// The rows in the order of the key, so that the same rows have the same checksum wherever they lie.
    pub(super) copy: String,
}

/// A column that the database has.
struct Found {
    name: String,
    database_type: DatabaseType,
}

/// Makes the plan of a table; none where something is wrong, which the drop is then told.
pub(super) async fn plan(
    settings: &PostgresTables,
    as_of: Period,
    session: &mut Session,
    intake: &mut TableIntake<'_>,
) -> anyhow::Result<Option<Plan>> {
    let configured = intake.configured().map(|(name, wanted)| (name.to_owned(), wanted)).collect();
    let key = intake.key().columns().to_vec();
    let wanted = Wanted { name: intake.table().to_owned(), configured, key, as_of };
    match wanted.plan(settings, session).await? {
        Ok(plan) => Ok(Some(plan)),
        Err(problems) => {
            problems.into_iter().for_each(|(column, what)| intake.problem(Some(&column), what));
            Ok(None)
        }
    }
}

/// What keeps the tables of a dataset from being read, without reading a row.
pub(super) async fn faults(
    settings: &PostgresTables,
    as_of: Period,
    session: &mut Session,
    dataset: &DatasetSpec,
) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (name, table) in &dataset.at(as_of).tables {
        let configured =
            table.columns.iter().map(|(name, forms)| (name.clone(), forms.last().column_type)).collect();
        let key = dataset.entity.columns().to_vec();
        let wanted = Wanted { name: name.clone(), configured, key, as_of };
        if let Err(problems) = wanted.plan(settings, session).await? {
            let shown = settings.origin(name).shown(name);
            faults.extend(problems.iter().map(|(column, what)| format!("{shown}, column {column}: {what}")));
        }
    }
    Ok(faults)
}

/// What is wanted of a table.
struct Wanted {
    name: String,
    configured: Vec<(String, ColumnType)>,
    key: Vec<String>,
    as_of: Period,
}

/// Columns, and what is wrong with each.
type Problems = Vec<(String, String)>;

impl Wanted {
    async fn plan(
        &self,
        settings: &PostgresTables,
        session: &mut Session,
    ) -> anyhow::Result<Result<Plan, Problems>> {
        let origin = settings.origin(&self.name);
        let source = match &origin.query {
            Some(query) => format!("(\n{}\n) AS source", literal::filled(query, self.as_of)),
            None => literal::table(&origin.table(&self.name), settings.schema.as_deref()),
        };
        let found = columns(session, &source).await;
        let found = found.with_context(|| format!("cannot read {}", origin.shown(&self.name)))?;
        let mut problems = Problems::new();
        let mut condition = String::new();
        if origin.is_dated() {
            match dated(&found, &settings.as_of_column, self.as_of) {
                Ok(of_date) => condition = format!(" WHERE {of_date}"),
                Err(what) => problems.push((settings.as_of_column.clone(), what)),
            }
        }
        let columns = self.chosen(&found, &mut problems);
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let order: Vec<String> = self.key.iter().map(|part| ordered(part, &columns)).collect();
        let (names, order) = (names.join(", "), order.join(", "));
        let copy = format!(
            "COPY (SELECT {names} FROM {source}{condition} ORDER BY {order}) TO STDOUT (FORMAT binary)"
        );
        Ok(Ok(Plan { columns, copy }))
    }

    /// The configured columns, in the order of the database.
    fn chosen(&self, found: &[Found], problems: &mut Problems) -> Vec<PlannedColumn> {
        let mut columns = Vec::new();
        for (name, wanted) in &self.configured {
            let mut of_name = found.iter().filter(|column| column.name == *name);
            match (of_name.next(), of_name.next()) {
                (Some(column), None) => match Decoder::of(&column.database_type, *wanted) {
                    Ok(decoder) => {
                        columns.push(PlannedColumn { name: name.clone(), wanted: *wanted, decoder });
                    }
                    Err(what) => problems.push((name.clone(), what)),
                },
                (Some(_), Some(_)) => {
                    let what = "comes twice; give one of them another name in the query";
                    problems.push((name.clone(), what.to_owned()));
                }
                (None, _) => problems.push((name.clone(), lacking(name, found))),
            }
        }
        columns.sort_by_key(|column| found.iter().position(|other| other.name == column.name));
        columns
    }
}

/// What is said of a column that the database lacks.
fn lacking(name: &str, found: &[Found]) -> String {
    let near = nearest(name, found.iter().map(|column| column.name.as_str()));
    let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    format!(
        "is not there{hint}; there are {}: give the column this name in a query, or take it out of the configuration",
        listed(found)
    )
}

/// The condition that chooses the rows of a date.
fn dated(found: &[Found], name: &str, as_of: Period) -> Result<String, String> {
    let Some(column) = found.iter().find(|column| column.name == name) else {
        let columns = listed(found);
        return Err(format!(
            "is not there; the table has {columns}: name the column that says the date with dataset.source.postgres.as_of_column, or say live = true of a table that has only what is now"
        ));
    };
    let of_type = &column.database_type;
    let literal = literal::period(as_of, of_type.oid, &of_type.shown)?;
    Ok(format!("{} = {literal}", quoted(name)))
}

/// The first names, for a message.
fn listed(found: &[Found]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = found.iter().take(SHOWN).map(|column| column.name.as_str()).collect();
    let more = if found.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// A part of the key in the order of its bytes, whatever the database's own order of texts is.
fn ordered(part: &str, columns: &[PlannedColumn]) -> String {
    let decoder = columns.iter().find(|column| column.name == part).map(|column| column.decoder);
    let name = quoted(part);
    match decoder {
        Some(Decoder::Text | Decoder::Padded) => format!("{name}::text COLLATE \"C\""),
        _ => name,
    }
}

/// The columns that a table or a query has.
async fn columns(session: &mut Session, source: &str) -> anyhow::Result<Vec<Found>> {
    let sql = AssertSqlSafe(format!("SELECT * FROM {source}")).into_sql_str();
    let prepared = session.connection.prepare(sql);
    let statement = session.patience.wait(prepared).await?;
    let column = |column: &sqlx::postgres::PgColumn| {
        let oid = column.type_info().oid().map_or(0, |oid| i64::from(oid.0));
        (column.name().to_owned(), oid, column.type_info().name().to_lowercase())
    };
    let columns: Vec<(String, i64, String)> = statement.columns().iter().map(column).collect();
    let numbers: Vec<i64> = columns.iter().map(|(_, oid, _)| *oid).collect();
    let asked = sqlx::query_as(TYPES).bind(numbers).fetch_all(&mut session.connection);
    let types: Vec<(i64, i64, String, String, String)> = session.patience.wait(asked).await?;
    let found = columns.into_iter().map(|(name, number, shown)| {
        let of_number = types.iter().find(|(of, ..)| *of == number);
        let database_type = match of_number {
            Some((_, oid, name, kind, shown)) => {
                DatabaseType { oid: *oid, name: name.clone(), kind: kind.clone(), shown: shown.clone() }
            }
            None => DatabaseType { oid: number, name: String::new(), kind: String::new(), shown },
        };
        Found { name, database_type }
    });
    Ok(found.collect())
}
