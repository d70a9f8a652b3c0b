//! All that one database holds, brought into an empty one of the other kind: counted and summed up on both sides before
//! it is committed, so that it is there whole or not at all.

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use super::{Kind, Store, process};
use crate::random::hex;

/// Every table, in an order in which each comes after those that it refers to. Who leads is of the servers of a database
/// and not brought along.
const TABLES: [&str; 32] = [
    "runs",
    "tasks",
    "logs",
    "transitions",
    "approvals",
    "schedules",
    "skipped_times",
    "watermarks",
    "model_versions",
    "promotions",
    "audit",
    "production_log",
    "evaluations",
    "notifications",
    "mirrored",
    "artifacts",
    "forgetting",
    "mlflow_versions",
    "mlflow_production",
    "live_references",
    "live_minutes",
    "live_secret",
    "live_certificates",
    "live_changes",
    "labels",
    "label_drops",
    "shadows",
    "canaries",
    "tallies",
    "sessions",
    "pushed_features",
    "pushed_deletions",
];
/// Tables whose rows are numbered.
const NUMBERED: [&str; 17] = [
    "runs",
    "tasks",
    "logs",
    "transitions",
    "promotions",
    "audit",
    "production_log",
    "evaluations",
    "notifications",
    "artifacts",
    "forgetting",
    "live_minutes",
    "live_changes",
    "labels",
    "label_drops",
    "canaries",
    "pushed_features",
];
/// Those of them whose numbers are never given twice, also when the row with the highest one is gone.
const NEVER_AGAIN: [&str; 3] = ["live_minutes", "canaries", "pushed_features"];
/// Rows that are read at once.
const PAGE_ROWS: i64 = 1_000;
/// Most values of one statement.
const VALUES_MAX: usize = 1_000;

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedTable {
    pub table: &'static str,
    pub rows: u64,
    /// SHA-256 of all rows, the same on both sides.
    pub sha256: String,
    /// Texts with a NUL, which Postgres cannot keep: a replacement character stands in its place.
    pub mended: u64,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Whole,
    Real,
    Bytes,
}

struct Column {
    name: String,
    holds: Holds,
}

/// What is known of a table.
struct Table {
    name: &'static str,
    columns: Vec<Column>,
    /// Places of the columns of its primary key.
    key: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null(Holds),
    Text(String),
    Whole(i64),
    Real(f64),
    Bytes(Vec<u8>),
}

/// Copies all tables; the target is refused where it is not empty. Cut off at any place, it has changed nothing.
///
/// # Errors
/// A target that holds something; a side that cannot be read or written; sides that differ in the end.
pub async fn transfer(from: &Store, to: &Store) -> anyhow::Result<Vec<CopiedTable>> {
    ensure!(from.kind != to.kind, "both databases are of one kind");
    let described = if from.kind == Kind::Sqlite { from } else { to };
    let mut tables = Vec::new();
    for name in TABLES {
        tables.push(describe(described, name).await?);
    }
    let mut source = from.view().await?;
    let mut target = to.write_durably().await?;
    for table in &tables {
        let found: Option<i64> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT 1 FROM {} LIMIT 1", table.name)))
                .fetch_optional(&mut *target)
                .await?;
        if found.is_some() {
            bail!(
                "the target is not empty: its table {} holds rows, and nothing is replaced; name an empty schema \
                 (store.schema), or move the file away",
                table.name
            );
        }
    }
    let mut copied = Vec::new();
    for table in &tables {
        let told = || format!("cannot copy the table {}", table.name);
        let sent = copy_table(&mut source, &mut target, table, to.kind).await.with_context(told)?;
        let found = sum(&mut target, table).await.with_context(told)?;
        ensure!(
            (sent.rows, &sent.sha256) == (found.0, &found.1),
            "the table {} came out otherwise: {} rows were read and {} are there; nothing was committed",
            table.name,
            sent.rows,
            found.0
        );
        copied.push(sent);
    }
    number_on(&mut source, &mut target, from.kind).await.context("cannot hand the next numbers over")?;
    target.commit().await.context("cannot commit what was copied: the target is as it was")?;
    Ok(copied)
}

impl Store {
    /// Refuses a database that a process is at work on: what it writes meanwhile would be lost.
    pub async fn refuse_in_use(&self) -> anyhow::Result<()> {
        let active: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM runs WHERE state IN ('pending', 'running', 'cancelling') ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        if !active.is_empty() {
            bail!(
                "runs {active:?} are active: wait for their end, or end them with `streamflow flows cancel`"
            );
        }
        let leader = self.leader().await?;
        if let Some(leader) = leader.filter(|leader| process::fate(&leader.holder) == process::Fate::Alive) {
            bail!(
                "a server of this machine uses the database (process {}): stop every server first, and start them again \
                 with the other store",
                leader.holder.split(' ').nth(2).unwrap_or("unknown")
            );
        }
        Ok(())
    }
}

/// The columns of a table, as SQLite tells them.
async fn describe(sqlite: &Store, name: &'static str) -> anyhow::Result<Table> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid")
            .bind(name)
            .fetch_all(&sqlite.pool)
            .await?;
    let mut columns = Vec::new();
    let mut key = Vec::new();
    for (place, (column, holds, in_key)) in rows.into_iter().enumerate() {
        let holds = match holds.as_str() {
            "TEXT" => Holds::Text,
            "INTEGER" | "BIGINT" => Holds::Whole,
            "REAL" => Holds::Real,
            "BLOB" => Holds::Bytes,
            other => bail!("the column {name}.{column} is of the unknown type {other}"),
        };
        columns.push(Column { name: column, holds });
        if in_key > 0 {
            key.push((in_key, place));
        }
    }
    key.sort_unstable();
    let key: Vec<usize> = key.into_iter().map(|(_, place)| place).collect();
    ensure!(!key.is_empty(), "the table {name} has no primary key");
    Ok(Table { name, columns, key })
}

impl Table {
    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }

    /// The rows after one of them, in the order of their keys.
    fn page(&self, is_first: bool) -> String {
        let keys: Vec<&str> = self.key.iter().map(|place| self.columns[*place].name.as_str()).collect();
        let keys = keys.join(", ");
        let after = match is_first {
            true => String::new(),
            false => format!("WHERE ({keys}) > ({})", places(1, self.key.len())),
        };
        format!("SELECT {} FROM {} {after} ORDER BY {keys} LIMIT {PAGE_ROWS}", self.names(), self.name)
    }

    fn cells(&self, row: &AnyRow) -> sqlx::Result<Vec<Cell>> {
        let cell = |(place, column): (usize, &Column)| {
            let of_null = Cell::Null(column.holds);
            Ok(match column.holds {
                Holds::Text => row.try_get::<Option<String>, _>(place)?.map_or(of_null, Cell::Text),
                Holds::Whole => row.try_get::<Option<i64>, _>(place)?.map_or(of_null, Cell::Whole),
                Holds::Real => row.try_get::<Option<f64>, _>(place)?.map_or(of_null, Cell::Real),
                Holds::Bytes => row.try_get::<Option<Vec<u8>>, _>(place)?.map_or(of_null, Cell::Bytes),
            })
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    /// The rows after `last`.
    async fn rows_after(
        &self,
        transaction: &mut Transaction<'static, Any>,
        last: Option<&Vec<Cell>>,
    ) -> sqlx::Result<Vec<Vec<Cell>>> {
        let sql = AssertSqlSafe(self.page(last.is_none()));
        let mut query = sqlx::query(sql);
        for place in last.iter().flat_map(|_| &self.key) {
            query = bind(query, last.map_or(Cell::Null(Holds::Whole), |last| last[*place].clone()));
        }
        let rows = query.fetch_all(&mut **transaction).await?;
        rows.iter().map(|row| self.cells(row)).collect()
    }
}

/// `$3, $4, $5` from 3 on for 3.
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

fn bind<'q>(query: Query<'q, Any, AnyArguments>, cell: Cell) -> Query<'q, Any, AnyArguments> {
    match cell {
        Cell::Null(Holds::Text) => query.bind(None::<String>),
        Cell::Null(Holds::Whole) => query.bind(None::<i64>),
        Cell::Null(Holds::Real) => query.bind(None::<f64>),
        Cell::Null(Holds::Bytes) => query.bind(None::<Vec<u8>>),
        Cell::Text(text) => query.bind(text),
        Cell::Whole(number) => query.bind(number),
        Cell::Real(number) => query.bind(number),
        Cell::Bytes(bytes) => query.bind(bytes),
    }
}

async fn copy_table(
    source: &mut Transaction<'static, Any>,
    target: &mut Transaction<'static, Any>,
    table: &Table,
    to: Kind,
) -> anyhow::Result<CopiedTable> {
    let (mut sum, mut rows, mut mended) = (Sha256::new(), 0, 0);
    let mut last: Option<Vec<Cell>> = None;
    loop {
        let page = table.rows_after(source, last.as_ref()).await?;
        let Some(end) = page.last() else { break };
        // Pages go on by the keys as the source has them.
        last = Some(end.clone());
        let mut kept = page;
        for cell in kept.iter_mut().flatten() {
            if let Cell::Text(text) = cell
                && to == Kind::Postgres
                && text.contains('\0')
            {
                *text = super::text(text).into_owned();
                mended += 1;
            }
        }
        for row in &kept {
            rows += 1;
            add(&mut sum, row);
        }
        insert(target, table, kept).await?;
    }
    Ok(CopiedTable { table: table.name, rows, sha256: hex(&sum.finalize()), mended })
}

/// Inserts rows, many with one statement.
async fn insert(
    target: &mut Transaction<'static, Any>,
    table: &Table,
    rows: Vec<Vec<Cell>>,
) -> sqlx::Result<()> {
    let width = table.columns.len();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch: Vec<Vec<Cell>> = rows.by_ref().take((VALUES_MAX / width).max(1)).collect();
        let values: Vec<String> =
            (0..batch.len()).map(|row| format!("({})", places(1 + row * width, width))).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names(), values.join(", "));
        let query = sqlx::query(AssertSqlSafe(sql));
        batch.into_iter().flatten().fold(query, bind).execute(&mut **target).await?;
    }
    Ok(())
}

/// Rows of a table and what they sum up to.
async fn sum(transaction: &mut Transaction<'static, Any>, table: &Table) -> sqlx::Result<(u64, String)> {
    let (mut sum, mut rows) = (Sha256::new(), 0);
    let mut last: Option<Vec<Cell>> = None;
    loop {
        let page = table.rows_after(transaction, last.as_ref()).await?;
        for row in &page {
            rows += 1;
            add(&mut sum, row);
        }
        match page.into_iter().next_back() {
            Some(end) => last = Some(end),
            None => return Ok((rows, hex(&sum.finalize()))),
        }
    }
}

/// Adds a row: the kind of each value, its length and its bytes.
fn add(sum: &mut Sha256, row: &[Cell]) {
    let mut add = |kind: u8, bytes: &[u8]| {
        sum.update([kind]);
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    };
    for cell in row {
        match cell {
            Cell::Null(_) => add(0, &[]),
            Cell::Text(text) => add(1, text.as_bytes()),
            Cell::Whole(number) => add(2, &number.to_le_bytes()),
            Cell::Real(number) => add(3, &number.to_bits().to_le_bytes()),
            Cell::Bytes(bytes) => add(4, bytes),
        }
    }
}

/// Has the target number on from where the source was.
async fn number_on(
    source: &mut Transaction<'static, Any>,
    target: &mut Transaction<'static, Any>,
    from: Kind,
) -> sqlx::Result<()> {
    for table in NUMBERED {
        let highest = AssertSqlSafe(format!("SELECT COALESCE(MAX(id), 0) FROM {table}"));
        let highest: i64 = sqlx::query_scalar(highest).fetch_one(&mut **source).await?;
        let given = match from {
            Kind::Sqlite => "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = $1",
            Kind::Postgres => {
                "SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence($1, 'id')::regclass), 0)"
            }
        };
        let given: i64 = sqlx::query_scalar(given).bind(table).fetch_one(&mut **source).await?;
        let last = highest.max(given);
        match from {
            Kind::Sqlite if last > 0 => {
                sqlx::query("SELECT setval(pg_get_serial_sequence($1, 'id')::regclass, $2)")
                    .bind(table)
                    .bind(last)
                    .execute(&mut **target)
                    .await?;
            }
            Kind::Postgres if last > 0 && NEVER_AGAIN.contains(&table) => {
                let clear = sqlx::query("DELETE FROM sqlite_sequence WHERE name = $1").bind(table);
                clear.execute(&mut **target).await?;
                sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)")
                    .bind(table)
                    .bind(last)
                    .execute(&mut **target)
                    .await?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::store::transitions::Step;
    use crate::store::{State, new_run, postgres_of_test, temporary};

    #[tokio::test]
    async fn every_table_is_brought_along_but_who_leads() {
        let (_dir, store) = temporary().await;
        let tables: BTreeSet<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .fetch_all(&store.pool)
        .await
        .unwrap()
        .into_iter()
        .collect();
        let copied: BTreeSet<String> = TABLES.into_iter().chain(["leader"]).map(str::to_owned).collect();
        assert_eq!(tables, copied);
        for table in TABLES {
            let has_number = describe(&store, table).await.unwrap().columns[0].name == "id";
            let expected =
                NUMBERED.contains(&table) || ["live_secret", "sessions", "pushed_deletions"].contains(&table);
            assert_eq!(has_number, expected, "{table}");
        }
    }

    #[tokio::test]
    async fn a_database_goes_to_postgres_and_back_and_numbers_on() {
        let (_dir, store) = temporary().await;
        let Some(postgres) = postgres_of_test("nothing was migrated").await else { return };
        let parameters = json!({ "current": "2024-01-31", "note": "ä\u{0}" });
        let run = store.schedule_run(&new_run("f", &parameters)).await.unwrap().unwrap();
        store.move_run(run, &Step::new(State::Running, "Running", "")).await.unwrap();
        store.start_task(run, "train", 1).await.unwrap();
        store.log(run, "info", &["a line", "another"]).await.unwrap();
        sqlx::query("UPDATE logs SET message = 'before' || char(0) || 'after' WHERE id = 1")
            .execute(&store.pool)
            .await
            .unwrap();
        for number in 0..1_500 {
            store.set_watermark(&format!("mark {number}"), "x").await.unwrap();
        }
        let mut all = Vec::new();
        for at in 0..2_i64 {
            sqlx::query("INSERT INTO live_minutes (model, version, start, minutes, origin, body) VALUES ('m', 1, $1, 1, '', $2)")
                .bind(at)
                .bind(vec![0_u8, 255, u8::try_from(at).unwrap()])
                .execute(&store.pool)
                .await
                .unwrap();
            all.push(at);
        }
        sqlx::query("DELETE FROM live_minutes WHERE id = 2").execute(&store.pool).await.unwrap();

        let copied = transfer(&store, &postgres).await.unwrap();
        let of = |name: &str| copied.iter().find(|table| table.table == name).unwrap().clone();
        assert_eq!((of("watermarks").rows, of("logs").rows, of("logs").mended), (1_500, 2, 1));
        assert_eq!(postgres.run(run).await.unwrap().unwrap().parameters, parameters);
        assert_eq!(postgres.logs(run, 0).await.unwrap()[0].message, "before\u{fffd}after");
        let next = postgres.schedule_run(&new_run("f", &parameters)).await.unwrap();
        assert_eq!(next, Some(run + 1), "numbers go on");
        let refused = format!("{:#}", transfer(&store, &postgres).await.unwrap_err());
        assert!(refused.contains("the target is not empty: its table runs"), "{refused}");

        let (_dir, back) = temporary().await;
        transfer(&postgres, &back).await.unwrap();
        assert_eq!(back.watermark("mark 1499").await.unwrap().as_deref(), Some("x"));
        let seq: i64 = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'live_minutes'")
            .fetch_one(&back.pool)
            .await
            .unwrap();
        assert_eq!(seq, 2, "a number is given once, also when its row is gone");
        let body: Vec<u8> =
            sqlx::query_scalar("SELECT body FROM live_minutes").fetch_one(&back.pool).await.unwrap();
        assert_eq!(body, [0, 255, 0]);
    }

    #[tokio::test]
    async fn a_database_that_is_worked_on_is_refused() {
        let (_dir, store) = temporary().await;
        store.refuse_in_use().await.unwrap();
        let run = store.schedule_run(&new_run("f", &json!({}))).await.unwrap().unwrap();
        store.move_run(run, &Step::new(State::Running, "Running", "")).await.unwrap();
        let refused = store.refuse_in_use().await.unwrap_err().to_string();
        assert!(refused.contains("runs [1] are active"), "{refused}");
        store.move_run(run, &Step::new(State::Failed, "Failed", "")).await.unwrap();
        crate::store::leader::Candidate::default().stand(&store, std::time::Instant::now()).await.unwrap();
        let refused = store.refuse_in_use().await.unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    }
}
