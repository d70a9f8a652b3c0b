//! Writes the tables of a month into those of the database, in one transaction.

use anyhow::{Context as _, anyhow, bail, ensure};
use reqwest::Url;
use serde::Serialize;
use streamflow_dataset::{
    Batch, ColumnType, EntityKey, KeyPart, Period, Snapshot, SnapshotTable, Snapshots, TableRows,
};
use tokio::runtime::Handle;

use super::literal::{self, quoted};
use super::session::{Session, Stopped};
use super::text::{self, Holds};
use crate::config::PostgresTables;

/// Bytes that are sent at a time.
const SENT_BYTES: usize = 1 << 18;
/// The columns that a table has: name, number of the type, what stands in brackets behind it, and its name in SQL. Of
/// domains what is under them.
const COLUMNS: &str = "SELECT a.attname::text, COALESCE(NULLIF(t.typbasetype, 0), a.atttypid)::int8, \
    CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod END, format_type(a.atttypid, a.atttypmod) \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";
/// Exports take their turns, whatever the tables are.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('streamflow data export', 0))";

/// What became of one table.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// The table of the dataset.
    pub table: String,
    /// The table of the database.
    pub into: String,
    pub rows: u64,
    /// Rows of the same date that were there before and are no more.
    pub replaced: u64,
    /// Whether the table was made.
    pub created: bool,
}

/// Writes the snapshot of a date into the database: whole or not at all, in the place of what the tables had of the date.
/// It blocks its thread: `runtime` does what waits for the server.
///
/// # Errors
/// A date that is not ingested, a snapshot that is damaged, a value that the database would change, and what the
/// database and the way to it do. Nothing was changed then.
pub fn export(
    settings: &PostgresTables,
    url: &Url,
    (snapshots, as_of): (&Snapshots, Period),
    (runtime, stopped): (&Handle, Stopped),
) -> anyhow::Result<Vec<Exported>> {
    let snapshot = snapshots.snapshot(as_of)?.with_context(|| not_ingested(snapshots, as_of))?;
    let key = snapshot.entity.clone().unwrap_or_else(|| snapshots.spec().entity.clone());
    let mut session = runtime.block_on(Session::open(settings, url, stopped))?;
    runtime.block_on(async {
        session.run("BEGIN".to_owned()).await?;
        session.run(LOCK.to_owned()).await
    })?;
    let mut exported = Vec::new();
    for name in snapshot.tables.keys() {
        let into = settings.origin(name).target(name);
        let mut table = TableExport {
            settings,
            snapshots,
            snapshot: &snapshot,
            key: &key,
            name,
            into: &into,
            session: &mut session,
            runtime,
        };
        let done = table.write().with_context(|| format!("cannot export {name} into {into}"))?;
        exported.push(done);
    }
    ensure!(
        snapshots.snapshot(as_of)?.as_ref() == Some(&snapshot),
        "{as_of} was ingested anew meanwhile, and nothing was exported; export it again"
    );
    runtime.block_on(session.finish()).context(
        "it is not known whether the export was taken; export the month again, which comes to the same",
    )?;
    Ok(exported)
}

fn not_ingested(snapshots: &Snapshots, as_of: Period) -> String {
    let known = snapshots.snapshots().unwrap_or_default();
    let known: Vec<String> = known.iter().map(|snapshot| snapshot.as_of.to_string()).collect();
    match known.is_empty() {
        true => format!("{as_of} is not ingested, and no other date is; ingest one with `streamflow ingest`"),
        false => format!("{as_of} is not ingested; there are {}", known.join(", ")),
    }
}

/// One table on its way into the database.
struct TableExport<'a> {
    settings: &'a PostgresTables,
    snapshots: &'a Snapshots,
    snapshot: &'a Snapshot,
    key: &'a EntityKey,
    /// The table of the dataset, and that of the database.
    name: &'a str,
    into: &'a str,
    session: &'a mut Session,
    runtime: &'a Handle,
}

/// A column of the database.
type Known = (String, i64, i32, String);

impl TableExport<'_> {
    fn write(&mut self) -> anyhow::Result<Exported> {
        let (table, as_of) = (&self.snapshot.tables[self.name], self.snapshot.as_of);
        let place = literal::table(self.into, self.settings.schema.as_deref());
        let runtime = self.runtime.clone();
        let stored = self.snapshots.stored_rows(self.snapshot, self.name)?;
        let header = stored.header().to_vec();
        let (known, created) = runtime.block_on(self.target(&place, &header, table))?;
        let date = self.date(&known)?;
        let of_date = quoted(&self.settings.as_of_column);
        let delete = format!("DELETE FROM {place} WHERE {of_date} = {}", date.literal);
        let replaced = if created { 0 } else { runtime.block_on(self.session.run(delete))? };
        let rows = self.copy(stored, &place, &known, &date.spelt)?;
        ensure!(
            rows == table.rows,
            "the database took {rows} of {} rows: does it have rules or triggers that leave rows out?",
            table.rows
        );
        if created {
            runtime.block_on(self.add_key(&place))?;
        }
        let (table, into) = (self.name.to_owned(), self.into.to_owned());
        tracing::debug!(table, into, rows, %as_of, "exported");
        Ok(Exported { table, into, rows, replaced, created })
    }

    /// The columns of the table in the database, which is made where it is missing, and whether it was.
    async fn target(
        &mut self,
        place: &str,
        header: &[String],
        table: &SnapshotTable,
    ) -> anyhow::Result<(Vec<Known>, bool)> {
        let known = self.known(place).await?;
        if !known.is_empty() {
            let missing = table.columns.iter().find(|(name, _)| !known.iter().any(|known| known.0 == **name));
            if let Some((name, column_type)) = missing {
                bail!(
                    "the table has no column {name}; add it: ALTER TABLE {place} ADD COLUMN {} {}",
                    quoted(name),
                    sql_type(*column_type)
                );
            }
            return Ok((known, false));
        }
        // In the order of the snapshot, so that what is read back is the same.
        let type_of = |name: &String| table.columns.get(name).map_or("text", |of| sql_type(*of));
        let mut columns: Vec<String> =
            header.iter().map(|name| format!("{} {}", quoted(name), type_of(name))).collect();
        let date = quoted(&self.settings.as_of_column);
        let of_type = if self.snapshot.as_of.day().is_some() { "date" } else { "timestamp with time zone" };
        columns.push(format!("{date} {of_type}"));
        self.session.run(format!("CREATE TABLE {place} ({})", columns.join(", "))).await?;
        Ok((self.known(place).await?, true))
    }

    /// Gives a table that was made its primary key, by which the rows of a date lie together, in the order in which they
    /// are read. With its rows there the database sorts once, which takes half of what it takes to look for the place of
    /// each row as it comes.
    async fn add_key(&mut self, place: &str) -> anyhow::Result<()> {
        let key = std::iter::once(&self.settings.as_of_column).chain(self.key.columns());
        let key: Vec<String> = key.map(|part| quoted(part)).collect();
        self.session.run(format!("ALTER TABLE {place} ADD PRIMARY KEY ({})", key.join(", "))).await?;
        Ok(())
    }

    async fn known(&mut self, place: &str) -> anyhow::Result<Vec<Known>> {
        let asked = sqlx::query_as(COLUMNS).bind(place.to_owned()).fetch_all(&mut self.session.connection);
        self.session.patience.wait(asked).await
    }

    /// The date as the column of the table has it.
    fn date(&self, known: &[Known]) -> anyhow::Result<Date> {
        let name = &self.settings.as_of_column;
        let (_, oid, _, shown) = known.iter().find(|known| known.0 == *name).with_context(|| {
            format!(
                "the table has no column {name}, which says of which date a row is; name that column with dataset.source.postgres.as_of_column, or export into another table"
            )
        })?;
        let literal = literal::period(self.snapshot.as_of, *oid, shown)
            .map_err(|what| anyhow!("the column {name} {what}"))?;
        let spelt = literal.split('\'').nth(1).unwrap_or_default().to_owned();
        Ok(Date { literal, spelt })
    }

    /// Sends all rows; how many the database took.
    fn copy(&mut self, rows: TableRows, place: &str, known: &[Known], date: &str) -> anyhow::Result<u64> {
        let header = rows.header().to_vec();
        let columns = header.iter().map(|name| {
            let of = known.iter().find(|known| known.0 == *name);
            (name.as_str(), of.map_or(Holds::Everything, |known| Holds::of(known.1, known.2)))
        });
        let columns: Vec<(&str, Holds)> = columns.collect();
        let place_of = |part: &String| header.iter().position(|name| name == part);
        let keys: Vec<usize> = self.key.columns().iter().filter_map(place_of).collect();
        let names: Vec<String> =
            std::iter::once(&self.settings.as_of_column).chain(&header).map(|name| quoted(name)).collect();
        let statement = format!("COPY {place} ({}) FROM STDIN (FORMAT text)", names.join(", "));
        let Session { connection, patience } = &mut *self.session;
        let runtime = self.runtime;
        let mut copy = runtime.block_on(patience.wait(connection.copy_in_raw(&statement)))?;
        let mut text = String::new();
        let all: Vec<usize> = (0..header.len()).collect();
        let key = self.key;
        rows.read(&all, |batch, _| {
            for row in 0..batch.rows() {
                text.push_str(date);
                for (at, (name, holds)) in columns.iter().enumerate() {
                    text.push('\t');
                    text::write(batch.cell(at, row), *holds, &mut text).map_err(|what| {
                        anyhow!("{}, column {name}: {what}", entity(key, &keys, batch, row))
                    })?;
                }
                text.push('\n');
                if text.len() >= SENT_BYTES {
                    patience.go_on()?;
                    runtime.block_on(patience.wait(copy.send(text.as_bytes())))?;
                    text.clear();
                }
            }
            anyhow::Ok(())
        })?;
        if !text.is_empty() {
            runtime.block_on(patience.wait(copy.send(text.as_bytes())))?;
        }
        runtime.block_on(patience.wait(copy.finish()))
    }
}

/// A date in SQL, and as a row of `COPY` has it.
struct Date {
    literal: String,
    spelt: String,
}

/// The type of a column that is made.
fn sql_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "text",
        ColumnType::Integer => "bigint",
        ColumnType::Float => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
    }
}

/// The entity of a row, for messages.
fn entity(key: &EntityKey, places: &[usize], batch: &Batch, row: usize) -> String {
    let parts = places.iter().map(|place| match batch.cell(*place, row) {
        streamflow_dataset::Cell::Integer(number) => KeyPart::Integer(number),
        cell => KeyPart::Text(cell.text().unwrap_or_default().into()),
    });
    let text = key.text(&parts.collect::<Vec<_>>());
    key.single().map_or(text.clone(), |column| format!("{column}={text}"))
}
