//! Feast's own tables in a real Redis and a real Postgres, laid out as feast 0.67.0 does it.

use super::super::feast_bytes;
use super::*;

/// `Value(float_val=29.85)`, `Value(int64_val=7)` and `Timestamp(2024-01-31T00:00:00Z)`, as feast serialises them.
const FEE: [u8; 5] = [0x35, 0xcd, 0xcc, 0xee, 0x41];
const TENURE: [u8; 2] = [0x20, 0x07];
const TIME: [u8; 6] = [0x08, 0x80, 0x9b, 0xe6, 0xad, 0x06];
const SETTINGS: &str =
    "project = \"churn\"\nreferences = [\"v:fee\", \"v:tenure\", \"w:plan\"]\ntimeout_ms = 5000";

fn key(user: &'static str) -> Vec<u8> {
    feast_bytes::entity_key(&EntityKey::new("user_id"), &[KeyPart::Text(user.into())])
}

/// u1 has features of one view of both, u2 has a missing one, and nobody has none.
async fn check(store: &FeatureStore) {
    let found = store.look_up(&names(&["u1", "nobody", "u2", "u1"])).await.unwrap();
    let expected = |fee: Value| -> Vec<(Arc<str>, Value)> {
        vec![("fee".into(), fee), ("tenure".into(), Value::Number(7.0)), ("plan".into(), Value::Missing)]
    };
    assert_eq!(found[0].values, expected(Value::Number(29.85)));
    assert_eq!((found[0].known, found[0].newest_ms), (Known::Something, Some(1_706_659_200_000)));
    assert_eq!((found[1].known, found[1].newest_ms), (Known::Nothing, None));
    assert_eq!(found[2].values, expected(Value::Missing));
    assert_eq!(found[3], found[0], "asked for twice");
}

#[tokio::test]
async fn an_online_store_in_redis() {
    let Some(redis) = streamflow_oracles::own_redis(&[], "Feast's keys were not read") else { return };
    let url = format!("redis://{}/1", redis.address());
    let mut connection =
        redis::Client::open(url.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap();
    for (user, fee) in [("u1", &FEE[..]), ("u2", &FEE[..0])] {
        let (key, field) =
            ([&key(user)[..], b"churn"].concat(), |name| feast_bytes::field("v", name).to_vec());
        let fields = [(field("fee"), fee), (field("tenure"), &TENURE[..]), (b"_ts:v".to_vec(), &TIME[..])];
        let mut command = redis::cmd("HSET");
        command.arg(key);
        for (field, value) in fields {
            command.arg(field).arg(value);
        }
        let () = command.query_async(&mut connection).await.unwrap();
    }
    let server = Server::default();
    let store = store_of(&server, &format!("store = \"{url}\"\n{SETTINGS}")).await;
    check(&store).await;

    // The server counts its requests as the tenure: the tables say 7, whatever it has come to.
    let both = SETTINGS.replace(", \"w:plan\"", "");
    let differing = store_of(&server, &format!("store = \"{url}\"\n{both}")).await;
    let error = differing.compare(Path::new(""), &names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("of the entity u1 the tables at redis://"), "{error}");
    assert!(error.contains("tenure is 7 in the tables and 2 by the server"), "{error}");
    let fee = "project = \"churn\"\nreferences = [\"v:fee\"]";
    let same = store_of(&server, &format!("store = \"{url}\"\n{fee}")).await;
    let compared = same.compare(Path::new(""), &names(&["u1", "nobody"])).await.unwrap();
    assert_eq!(compared, Some(Compared::Same(1)));
    let other = store_of(&server, &format!("store = \"{url}\"\n{}", fee.replace("churn", "other"))).await;
    let error = other.compare(Path::new(""), &names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("the tables know nothing of it, and the server does"), "{error}");
    let nothing = other.compare(Path::new(""), &names(&["nobody"])).await.unwrap();
    assert_eq!(nothing, Some(Compared::Nothing));

    let mut damage = redis::cmd("HSET");
    damage.arg([&key("u1")[..], b"churn"].concat()).arg("_ts:v").arg("x");
    let () = damage.query_async(&mut connection).await.unwrap();
    let error = store.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("the time of v: expected a time of Feast"), "{error}");
    let mut other = redis::cmd("SET");
    other.arg([&key("u3")[..], b"churn"].concat()).arg("no hash");
    let () = other.query_async(&mut connection).await.unwrap();
    let error = store.look_up(&names(&["u3"])).await.unwrap_err().to_string();
    assert!(error.contains("answered with an error") && error.contains("WRONGTYPE"), "{error}");
}

/// Feast's tables with their rows in a database.
async fn fill(url: &str) -> sqlx::PgPool {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    for view in ["v", "w"] {
        let table = format!(
            "CREATE TABLE \"churn_{view}\" (entity_key BYTEA, feature_name TEXT, value BYTEA, value_text TEXT NULL, vector_value BYTEA NULL, \
             event_ts TIMESTAMPTZ, created_ts TIMESTAMPTZ, PRIMARY KEY (entity_key, feature_name))"
        );
        sqlx::query(sqlx::AssertSqlSafe(table)).execute(&pool).await.unwrap();
    }
    for (user, fee) in [("u1", &FEE[..]), ("u2", &FEE[..0])] {
        for (feature, value) in [("fee", fee), ("tenure", &TENURE[..]), ("other", &TENURE[..])] {
            sqlx::query("INSERT INTO churn_v VALUES ($1, $2, $3, NULL, NULL, '2024-01-31T00:00:00Z', NULL)")
                .bind(key(user))
                .bind(feature)
                .bind(value)
                .execute(&pool)
                .await
                .unwrap();
        }
    }
    pool
}

#[tokio::test]
async fn an_online_store_is_encrypted_and_its_certificate_checked() {
    let dir = tempfile::tempdir().unwrap();
    ["db", "other"].iter().for_each(|name| streamflow_oracles::certificate(dir.path(), name));
    let (left_out, of_server) = ("no encrypted store was read", (dir.path(), "db"));
    let Some(postgres) = streamflow_oracles::own_encrypted_postgres(of_server, left_out) else { return };
    fill(&postgres.url()).await;
    let authority = |name: &str| format!("store_ca_file = \"{}/{name}-ca.pem\"\n", dir.path().display());
    let store = async |url: &str, more: &str| {
        store_of(&Server::default(), &format!("store = \"{url}\"\n{more}{SETTINGS}")).await
    };
    check(&store(&postgres.url(), &authority("db")).await).await;
    let by_name = postgres.url().replace("127.0.0.1", "localhost");
    check(&store(&format!("{by_name}?sslmode=verify-ca"), &authority("db")).await).await;
    for (url, more, expected) in [
        (postgres.url(), authority("other"), "UnknownIssuer"),
        (format!("{}?sslmode=verify-full", postgres.url()), String::new(), "UnknownIssuer"),
        (by_name, authority("db"), "certificate not valid for name \"localhost\""),
        (format!("{}?sslmode=disable", postgres.url()), String::new(), "no encryption"),
    ] {
        let error = store(&url, &more).await.look_up(&names(&["u1"])).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[tokio::test]
async fn an_online_store_in_postgres() {
    let Some(postgres) = streamflow_oracles::own_postgres("Feast's tables were not read") else { return };
    let pool = fill(&postgres.url()).await;
    let settings = format!("store = \"{}\"\n{SETTINGS}", postgres.url());
    let store = store_of(&Server::default(), &settings).await;
    check(&store).await;
    let other = store_of(&Server::default(), &settings.replace("churn", "other")).await;
    let error = other.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("\"other_v\" does not exist") && error.contains("features.project"), "{error}");
    let error = other.compare(Path::new(""), &names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("\"other_v\" does not exist"), "{error}");
    sqlx::query("UPDATE churn_v SET value = '\\x0a0178' WHERE feature_name = 'fee'")
        .execute(&pool)
        .await
        .unwrap();
    let error = store.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("fee: expected a number, a text, true, false or a missing value"), "{error}");
    // Connections that the server ends, or that end with it, are nobody's concern.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    sqlx::query("DELETE FROM churn_v").execute(&pool).await.unwrap();
    sqlx::query(end).execute(&pool).await.unwrap();
    assert_eq!(store.look_up(&names(&["u1"])).await.unwrap()[0].known, Known::Nothing);
    postgres.stop();
    postgres.start();
    assert_eq!(store.look_up(&names(&["u1"])).await.unwrap()[0].known, Known::Nothing);
    postgres.stop();
    let error = store.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("cannot be asked") || error.contains("did not answer"), "{error}");
}
