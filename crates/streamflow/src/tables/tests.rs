//! Against a real Postgres.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use reqwest::Url;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use streamflow_dataset::{DatasetSpec, Error, IngestReport, Outcome, Period, Progress, Snapshots};
use tokio::runtime::Runtime;

use super::{Exported, Reader, Stopped, export};
use crate::config::PostgresTables;

const LEFT_OUT: &str = "no table was read or written";

/// A schema of a server, a data directory, and what reads from one into the other.
struct Place {
    url: Url,
    schema: String,
    dir: tempfile::TempDir,
    dataset: DatasetSpec,
    runtime: Runtime,
}

/// Two tables, the second with a value of each type.
const DATASET: &str = r#"
    entity = "id"
    entity_table = "users"
    features = ["hours"]
    label = { table = "users", column = "gone" }
    tables.users.columns = { id = "string", gone = "boolean" }
    tables.usage.columns = { id = "string", hours = "float", visits = "integer", since = "date", is_new = "boolean", plan = "string" }
"#;

/// The same tables in a database, with one date.
const TABLES: &str = "CREATE TABLE users_snapshots (id text, as_of date, gone boolean, PRIMARY KEY (as_of, id));
    CREATE TABLE usage_snapshots (id text, as_of date, hours numeric, visits integer, since date, is_new boolean, plan text);
    INSERT INTO users_snapshots VALUES ('b', '2024-01-31', false), ('a', '2024-01-31', true), ('a', '2024-02-29', false);
    INSERT INTO usage_snapshots VALUES ('b', '2024-01-31', 29.85, 3, '2020-02-29', true, 'plus'), ('a', '2024-01-31', NULL, NULL, NULL, NULL, NULL);";

fn january() -> Period {
    "2024-01-31".parse().unwrap()
}

impl Place {
    fn new(name: &str) -> Option<Self> {
        let url = streamflow_oracles::postgres(LEFT_OUT)?;
        Some(Self::at(&url, name))
    }

    fn at(url: &str, name: &str) -> Self {
        let place = Self {
            url: url.parse().unwrap(),
            schema: format!("tables_{name}_{}", std::process::id()),
            dir: tempfile::tempdir().unwrap(),
            dataset: toml::from_str(DATASET).unwrap(),
            runtime: Runtime::new().unwrap(),
        };
        place.sql(&format!("CREATE SCHEMA {}", place.schema));
        place
    }

    fn settings(&self, more: &str) -> PostgresTables {
        let text = format!("schema = {:?}\n{more}", self.schema);
        let mut dataset = self.dataset.clone();
        let section: serde_json::Value = toml::from_str(&text).unwrap();
        dataset.source = Some(serde_json::json!({ "postgres": section }));
        PostgresTables::of(&dataset).unwrap().unwrap()
    }

    fn sql(&self, sql: &str) {
        let sql = format!("SET search_path = {}; {sql}", self.schema);
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(self.url.as_str()).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let sql = sql.replace("FROM ", &format!("FROM {}.", self.schema));
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(self.url.as_str()).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
        })
    }

    fn snapshots(&self) -> Snapshots {
        Snapshots::open(&self.dir.path().join("data"), self.dataset.clone()).unwrap()
    }

    fn reader(&self, settings: PostgresTables, as_of: Period, stopped: Stopped) -> Reader {
        Reader::new(settings, self.url.clone(), as_of, stopped, self.runtime.handle().clone())
    }

    fn ingest(&self, more: &str, as_of: Period) -> Result<IngestReport, Error> {
        self.ingest_watched(more, as_of, Arc::new(|| false), &mut |_| {})
    }

    fn ingest_watched(
        &self,
        more: &str,
        as_of: Period,
        stopped: Stopped,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<IngestReport, Error> {
        let mut reader = self.reader(self.settings(more), as_of, stopped);
        let snapshots = self.snapshots();
        reader.read(&self.dataset.at(as_of), |drop| snapshots.ingest_rows(drop, as_of, false, progress))
    }

    fn export(&self, more: &str, as_of: Period) -> anyhow::Result<Vec<Exported>> {
        let (snapshots, handle) = (self.snapshots(), self.runtime.handle());
        export(&self.settings(more), &self.url, (&snapshots, as_of), (handle, Arc::new(|| false)))
    }

    /// The rows of a table as they are stored, a text each.
    fn stored(&self, as_of: Period, table: &str) -> Vec<String> {
        let snapshots = self.snapshots();
        let snapshot = snapshots.snapshot(as_of).unwrap().unwrap();
        let rows = snapshots.stored_rows(&snapshot, table).unwrap();
        let columns: Vec<usize> = (0..rows.header().len()).collect();
        let mut texts = Vec::new();
        let read = rows.read(&columns, |batch, _| {
            for row in 0..batch.rows() {
                let cells = columns.iter().map(|at| format!("{:?}", batch.cell(*at, row)));
                texts.push(cells.collect::<Vec<_>>().join(" "));
            }
            Ok::<_, Error>(())
        });
        read.unwrap();
        texts
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.sql(&format!("DROP SCHEMA {} CASCADE", self.schema));
        }
    }
}

#[test]
fn rows_of_a_date_are_read_in_the_order_of_the_key_and_again_change_nothing() {
    let Some(place) = Place::new("dates") else { return };
    place.sql(TABLES);
    let first = place.ingest("", january()).unwrap();
    assert_eq!(first.outcome, Outcome::Created);
    assert_eq!(first.snapshot.tables["usage"].source, "usage_snapshots");
    assert_eq!(place.stored(january(), "users"), ["Text(\"a\") Boolean(true)", "Text(\"b\") Boolean(false)"]);
    assert_eq!(
        place.stored(january(), "usage"),
        [
            "Text(\"a\") Missing Missing Missing Missing Missing",
            "Text(\"b\") Float(29.85) Integer(3) Date(18321) Boolean(true) Text(\"plus\")"
        ]
    );
    // Other places of the rows and other types of the same values.
    place.sql(
        "UPDATE users_snapshots SET gone = gone; ALTER TABLE usage_snapshots ALTER visits TYPE numeric(8, 2)",
    );
    let again = place.ingest("", january()).unwrap();
    assert_eq!((again.outcome, again.snapshot.revision), (Outcome::Unchanged, 1));
    place.sql("UPDATE usage_snapshots SET visits = 4 WHERE id = 'b'");
    let error = place.ingest("", january()).unwrap_err();
    assert!(error.to_string().contains("this drop differs in usage (other content)"), "{error}");
    assert_eq!(place.snapshots().snapshot(january()).unwrap().unwrap(), first.snapshot);
}

#[test]
fn live_tables_and_queries_are_read() {
    let Some(place) = Place::new("live") else { return };
    place.sql(TABLES);
    place.sql("CREATE TABLE users (id text, gone boolean, email text); INSERT INTO users VALUES ('z', true)");
    let origins = "tables.users = { table = \"users\", live = true }\n\
        tables.usage.query = \"SELECT id, hours, visits, since, is_new, plan -- all\\nFROM SCHEMA.usage_snapshots WHERE as_of = $as_of;\"";
    let origins = origins.replace("SCHEMA", &place.schema);
    let ingested = place.ingest(&origins, january()).unwrap();
    assert_eq!(ingested.snapshot.tables["usage"].source, "the query of usage");
    assert_eq!(place.stored(january(), "users"), ["Text(\"z\") Boolean(true)"]);
    assert_eq!(place.stored(january(), "usage").len(), 2);
}

#[test]
fn what_does_not_fit_names_table_entity_column_value_and_remedy() {
    for (at, (change, expected)) in [
        ("ALTER TABLE usage_snapshots DROP plan", "usage_snapshots, column plan: is not there; there are id, as_of"),
        (
            "ALTER TABLE usage_snapshots RENAME visits TO visit",
            "usage_snapshots, column visits: is not there (did you mean visit?)",
        ),
        ("ALTER TABLE usage_snapshots RENAME as_of TO day", "usage_snapshots, column as_of: is not there; the table has"),
        ("DROP TABLE usage_snapshots", "cannot read usage_snapshots: relation"),
        ("REVOKE ALL ON usage_snapshots FROM current_user; ALTER TABLE users_snapshots RENAME TO gone", "is the name right?"),
        (
            "UPDATE usage_snapshots SET id = NULL WHERE id = 'b'",
            "usage_snapshots row 2, column id: the entity is missing",
        ),
        (
            "INSERT INTO usage_snapshots VALUES ('b', '2024-01-31')",
            "usage_snapshots row 3, column id: \"b\" was seen before, at row 2",
        ),
        (
            "UPDATE usage_snapshots SET hours = 1e400",
            "usage_snapshots id=a, column hours: 1000000",
        ),
        ("UPDATE usage_snapshots SET hours = 1e-400", "is beyond what a 64-bit float holds"),
        (
            "UPDATE usage_snapshots SET since = 'infinity' WHERE id = 'b'",
            "usage_snapshots id=b, column since: \"infinity\" is no day; make it NULL in a query",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER visits TYPE numeric; UPDATE usage_snapshots SET visits = 'NaN' WHERE id = 'b'",
            "usage_snapshots id=b, column visits: \"NaN\" is not a whole number",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER visits TYPE numeric; UPDATE usage_snapshots SET visits = 2.5 WHERE id = 'b'",
            "usage_snapshots id=b, column visits: \"2.5\" is not a whole number of 64 bits such as 12 (NULL for missing)",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER since TYPE timestamptz",
            "column since: has the type timestamp with time zone, which has no place in a flat table",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER plan TYPE text[] USING ARRAY[plan]",
            "column plan: has the type text[], which has no place in a flat table; expected text; choose one",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER is_new TYPE integer USING 2",
            "usage_snapshots id=a, column is_new: \"2\" is not true or false",
        ),
        (
            "ALTER TABLE usage_snapshots ALTER as_of TYPE text",
            "usage_snapshots, column as_of: has the type text; expected date",
        ),
        ("DELETE FROM users_snapshots", "users_snapshots: has no rows as of 2024-01-31"),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(place) = Place::new(&format!("bad{at}")) else { return };
        place.sql(TABLES);
        place.sql(change);
        let error = place.ingest("", january()).unwrap_err();
        let said = format!("{:#}", anyhow::Error::from(error));
        assert!(said.contains(expected), "{change}: {said}");
        assert_eq!(place.snapshots().snapshots().unwrap(), []);
    }
}

#[test]
fn every_type_comes_and_goes_as_it_is() {
    let Some(place) = Place::new("types") else { return };
    place.sql(TABLES);
    place.sql(
        "CREATE TYPE plan AS ENUM ('basic', 'plus'); CREATE DOMAIN amount AS numeric(12, 3);
        ALTER TABLE usage_snapshots ALTER plan TYPE plan USING plan::plan, ALTER hours TYPE amount, ALTER since TYPE timestamp,
            ALTER id TYPE varchar(80), ALTER visits TYPE bigint;
        INSERT INTO users_snapshots SELECT id, '2024-01-31', NULL FROM (VALUES (E'c\\t\\\\\\n\"é'), ('d'), ('e')) AS more (id);
        INSERT INTO usage_snapshots VALUES
            (E'c\\t\\\\\\n\"é', '2024-01-31', -0.001, -9223372036854775808, '0001-01-01 00:00', false, 'basic'),
            ('d', '2024-01-31', 'NaN', 9223372036854775807, '9999-12-31 23:59:59.999999', NULL, NULL),
            ('e', '2024-01-31', 123456789.125, 0, '1969-12-31 23:59', true, 'plus')",
    );
    let first = place.ingest("", january()).unwrap();
    let rows = place.stored(january(), "usage");
    assert_eq!(
        rows[2..],
        [
            "Text(\"c\\t\\\\\\n\\\"é\") Float(-0.001) Integer(-9223372036854775808) Date(-719162) Boolean(false) Text(\"basic\")",
            "Text(\"d\") Missing Integer(9223372036854775807) Date(2932896) Missing Missing",
            "Text(\"e\") Float(123456789.125) Integer(0) Date(-1) Boolean(true) Text(\"plus\")",
        ]
    );
    // Into the tables that it came from, and into new ones.
    for (round, settings) in
        ["", "tables.usage.table = \"usage copy\"\ntables.users.table = \"Users\""].iter().enumerate()
    {
        let exported = place.export(settings, january()).unwrap();
        assert_eq!(exported.iter().map(|table| table.rows).collect::<Vec<_>>(), [5, 5]);
        assert!(exported.iter().all(|table| table.created == (round == 1)));
        let again = place.ingest(settings, january()).unwrap();
        assert_eq!((again.outcome, &again.snapshot), (Outcome::Unchanged, &first.snapshot), "{settings}");
    }
    // A small `from`, which is of another schema than the tables.
    let key = place.texts(&format!(
        "SELECT a.attname::text from pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
         WHERE i.indisprimary AND i.indrelid = '{}.\"Users\"'::regclass ORDER BY k.place",
        place.schema
    ));
    assert_eq!(key, ["as_of", "id"]);
}

#[test]
fn an_export_takes_the_place_of_what_the_tables_had_of_the_date() {
    let Some(place) = Place::new("export") else { return };
    place.sql(TABLES);
    place.ingest("", january()).unwrap();
    place.sql("INSERT INTO users_snapshots VALUES ('q', '2024-01-31', true); ALTER TABLE users_snapshots ADD note text");
    let exported = place.export("", january()).unwrap();
    let told: Vec<(&str, u64, u64)> =
        exported.iter().map(|done| (done.into.as_str(), done.rows, done.replaced)).collect();
    assert_eq!(told, [("usage_snapshots", 2, 2), ("users_snapshots", 2, 3)]);
    let users = place.texts("SELECT id || ' ' || as_of FROM users_snapshots ORDER BY as_of, id");
    assert_eq!(users, ["a 2024-01-31", "b 2024-01-31", "a 2024-02-29"]);
    let error = place.export("", "2024-02-29".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("2024-02-29 is not ingested; there are 2024-01-31"), "{error}");
}

#[test]
fn an_export_that_would_change_a_value_changes_nothing() {
    for (at, (change, expected)) in [
        (
            "ALTER TABLE usage_snapshots ALTER hours TYPE numeric(8, 1)",
            "cannot export usage into usage_snapshots: id=b, column hours: 29.85 has other decimal places than the 1",
        ),
        ("ALTER TABLE usage_snapshots ALTER hours TYPE real", "column hours: 29.85 is no 32-bit float"),
        ("ALTER TABLE usage_snapshots DROP plan", "ADD COLUMN \"plan\" text"),
        ("ALTER TABLE usage_snapshots DROP as_of", "the table has no column as_of"),
        (
            "ALTER TABLE usage_snapshots ALTER plan TYPE boolean USING true",
            "COPY usage_snapshots, line 2, column plan: \"plus\"",
        ),
        ("ALTER TABLE usage_snapshots ADD source text NOT NULL DEFAULT 'x'; ALTER TABLE usage_snapshots ALTER source DROP DEFAULT", "give the column a default value"),
        (
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
            CREATE TRIGGER nothing BEFORE INSERT ON users_snapshots FOR EACH ROW EXECUTE FUNCTION nothing()",
            "the database took 0 of 2 rows",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(place) = Place::new(&format!("changed{at}")) else { return };
        place.sql(TABLES);
        place.ingest("", january()).unwrap();
        place.sql(change);
        let before = place.texts("SELECT count(*)::text FROM users_snapshots");
        let said = format!("{:#}", place.export("", january()).unwrap_err());
        assert!(said.contains(expected), "{change}: {said}");
        assert_eq!(place.texts("SELECT count(*)::text FROM users_snapshots"), before);
        assert!(place.texts("SELECT count(*)::text FROM usage_snapshots") != ["0"]);
    }
}

#[test]
fn a_month_of_minutes_has_a_column_that_holds_them() {
    let Some(place) = Place::new("minutes") else { return };
    place.sql(TABLES);
    let minute: Period = "2024-01-31T13:00".parse().unwrap();
    let said = place.ingest("", minute).unwrap_err().to_string();
    assert!(
        said.contains("column as_of: has the type date, and the drop is as of the minute 2024-01-31T13:00"),
        "{said}"
    );
    place.sql(
        "ALTER TABLE usage_snapshots ALTER as_of TYPE timestamptz; ALTER TABLE users_snapshots ALTER as_of TYPE timestamp;
        UPDATE usage_snapshots SET as_of = '2024-01-31 13:00+00'; UPDATE users_snapshots SET as_of = '2024-01-31 13:00' WHERE as_of < '2024-02-01'",
    );
    let first = place.ingest("", minute).unwrap();
    assert_eq!(first.snapshot.rows(), 4);
    let settings = "tables.usage.table = \"u\"\ntables.users.table = \"v\"";
    place.export(settings, minute).unwrap();
    assert_eq!(place.ingest(settings, minute).unwrap().outcome, Outcome::Unchanged);
}

#[test]
fn all_tables_are_of_one_moment() {
    let Some(place) = Place::new("moment") else { return };
    place.sql(TABLES);
    let mut changed = false;
    place
        .ingest_watched("", january(), Arc::new(|| false), &mut |progress| {
            if progress.table == "users" && progress.rows == 2 && !changed {
                place.sql("UPDATE usage_snapshots SET visits = 99");
                changed = true;
            }
        })
        .unwrap();
    assert!(changed);
    assert!(
        place.stored(january(), "usage")[1].contains("Integer(3)"),
        "{:?}",
        place.stored(january(), "usage")
    );
}

/// Many rows, so that the first are stored while the last have not come.
const MANY: &str = "INSERT INTO users_snapshots SELECT 'u' || n, '2024-01-31', false FROM generate_series(1, 200000) AS n;
    INSERT INTO usage_snapshots SELECT 'u' || n, '2024-01-31', n / 7.0, n, '2020-01-01', true, repeat('x', 40) FROM generate_series(1, 200000) AS n";

#[test]
fn a_server_that_dies_midway_leaves_nothing_behind() {
    let Some(server) = streamflow_oracles::own_postgres(LEFT_OUT) else { return };
    let place = Place::at(&server.url(), "dies");
    place.sql(TABLES);
    place.sql(MANY);
    let mut is_dead = false;
    let died = place.ingest_watched("", january(), Arc::new(|| false), &mut |progress| {
        if progress.table == "usage" && progress.rows > 0 && !is_dead {
            server.stop();
            is_dead = true;
        }
    });
    let said = format!("{:#}", anyhow::Error::from(died.unwrap_err()));
    assert!(said.contains("cannot read usage_snapshots: the connection ended"), "{said}");
    assert_eq!(place.snapshots().snapshots().unwrap(), []);
    server.start();
    assert_eq!(place.ingest("", january()).unwrap().snapshot.rows(), 400_004);
    // Nothing is written where the server dies while an export is under way.
    server.stop();
    let said = format!("{:#}", place.export("", january()).unwrap_err());
    assert!(said.contains("cannot connect to the database postgres at 127.0.0.1"), "{said}");
    server.start();
}

#[test]
fn who_cancels_does_not_wait_for_the_rows() {
    let Some(place) = Place::new("cancel") else { return };
    place.sql(TABLES);
    place.sql(MANY);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let cancelled =
        place.ingest_watched("", january(), Arc::new(move || stopped.load(SeqCst)), &mut |progress| {
            stop.store(progress.table == "usage" && progress.rows > 0, SeqCst);
        });
    let said = format!("{:#}", anyhow::Error::from(cancelled.unwrap_err()));
    assert!(said.contains("it was cancelled"), "{said}");
    assert_eq!(place.snapshots().snapshots().unwrap(), []);
}

#[test]
fn a_silent_server_is_left() {
    let Some(place) = Place::new("silent") else { return };
    place.sql(TABLES);
    let settings = "timeout_seconds = 1\ntables.users.query = \"SELECT id, gone FROM SCHEMA.users_snapshots, pg_sleep(600) WHERE as_of = $as_of\"";
    let said = place.ingest(&settings.replace("SCHEMA", &place.schema), january()).unwrap_err();
    let said = format!("{:#}", anyhow::Error::from(said));
    assert!(
        said.contains("cannot read the query of users: the server has said nothing for 1 seconds"),
        "{said}"
    );
}

#[test]
fn no_error_tells_a_password() {
    let place = Place {
        url: "postgres://ana:secret@127.0.0.1:1/shop".parse().unwrap(),
        schema: "x".to_owned(),
        dir: tempfile::tempdir().unwrap(),
        dataset: toml::from_str(DATASET).unwrap(),
        runtime: Runtime::new().unwrap(),
    };
    let said = format!("{:#}", anyhow::Error::from(place.ingest("", january()).unwrap_err()));
    assert!(said.contains("cannot connect to the database shop at 127.0.0.1:1"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    std::mem::forget(place);
}

/// The course's month as the original stack has it, and as files with their rows in the order of the key.
fn course(place: &Place, folder: &Path) -> Option<PathBuf> {
    let shared =
        std::env::var_os("STREAMFLOW_SHARED").map(PathBuf::from).unwrap_or_else(|| "../../../shared".into());
    let month = shared.join("data/course/month_000");
    if !month.is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no {}", month.display());
        return None;
    }
    for name in ["labels", "payments_agg_90d", "subscriptions", "support_agg_90d", "usage_agg_30d", "users"] {
        let text = fs::read_to_string(month.join(format!("{name}.csv"))).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let columns: Vec<String> =
            header.trim().split(',').map(|column| format!("{column} {}", original_type(column))).collect();
        place.sql(&format!(
            "CREATE TABLE {name}_snapshots (as_of date, {}, PRIMARY KEY (user_id, as_of))",
            columns.join(", ")
        ));
        let statement =
            format!("COPY {}.{name}_snapshots ({}) FROM STDIN (FORMAT csv)", place.schema, header.trim());
        place.sql(&format!("ALTER TABLE {name}_snapshots ALTER as_of SET DEFAULT '2024-01-31'"));
        place.runtime.block_on(async {
            let mut connection = PgConnection::connect(place.url.as_str()).await.unwrap();
            let mut copy = connection.copy_in_raw(&statement).await.unwrap();
            copy.send(rows.as_bytes()).await.unwrap();
            copy.finish().await.unwrap();
        });
        let mut sorted: Vec<&str> = rows.lines().collect();
        sorted.sort_by_key(|row| row.split(',').next().unwrap());
        fs::write(folder.join(format!("{name}.csv")), format!("{header}\n{}\n", sorted.join("\n"))).unwrap();
    }
    Some(folder.to_path_buf())
}

/// The types of the original stack.
fn original_type(column: &str) -> &'static str {
    match column {
        "monthly_fee" | "total_paid" => "numeric",
        "signup_date" => "date",
        "watch_hours_30d" | "avg_session_mins_7d" | "ticket_avg_resolution_hrs_90d" => "double precision",
        "user_id" | "user_gender" | "contract_type" | "net_service" => "text",
        "months_active"
        | "unique_devices_30d"
        | "skips_7d"
        | "rebuffer_events_7d"
        | "failed_payments_90d"
        | "support_tickets_90d" => "integer",
        _ => "boolean",
    }
}

#[test]
fn the_original_stack_gives_the_bytes_that_its_files_give() {
    let Some(mut place) = Place::new("course") else { return };
    let template: toml::Table = include_str!("../../templates/streamflow.toml").parse().unwrap();
    place.dataset = template["dataset"].clone().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let Some(drop) = course(&place, folder.path()) else { return };
    let of_tables = place.ingest("", january()).unwrap();
    assert_eq!(of_tables.snapshot.rows(), 6 * 7043);
    let data = tempfile::tempdir().unwrap();
    let files = Snapshots::open(data.path(), place.dataset.clone()).unwrap();
    let of_files = files.ingest(&drop, january(), false, &mut |_| {}).unwrap();
    for (name, table) in &of_files.snapshot.tables {
        assert_eq!(of_tables.snapshot.tables[name].sha256, table.sha256, "{name}");
    }
    // What was ingested from files is the same when the tables come, and goes out as it is.
    let mut reader = place.reader(place.settings(""), january(), Arc::new(|| false));
    let again =
        reader.read(&place.dataset, |drop| files.ingest_rows(drop, january(), false, &mut |_| {})).unwrap();
    assert_eq!((again.outcome, again.snapshot), (Outcome::Unchanged, of_files.snapshot));
    let exported = place.export("", january()).unwrap();
    assert!(exported.iter().all(|table| (table.rows, table.replaced) == (7043, 7043)));
    assert_eq!(place.ingest("", january()).unwrap().outcome, Outcome::Unchanged);
}

#[test]
fn whoever_was_to_be_forgotten_stays_out() {
    let Some(place) = Place::new("forgotten") else { return };
    place.sql(TABLES);
    let first = place.ingest("", january()).unwrap();
    place.snapshots().forget_entity("b", "the salt").unwrap();
    let again = place.ingest("", january()).unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(again.snapshot.tables["users"].source_sha256, first.snapshot.tables["users"].source_sha256);
    place.sql("UPDATE users_snapshots SET as_of = '2024-03-31', gone = true WHERE id = 'b'; UPDATE usage_snapshots SET as_of = '2024-03-31' WHERE id = 'b'; INSERT INTO users_snapshots VALUES ('a', '2024-03-31')");
    let march = place.ingest("", "2024-03-31".parse().unwrap()).unwrap();
    assert_eq!((march.snapshot.tables["users"].rows, march.snapshot.tables["users"].forgotten_rows), (1, 1));
}
