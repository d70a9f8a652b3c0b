//! Feature stores that a test answers for; `direct.rs` has those that are real.

mod direct;

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value as Json, json};

use super::*;

/// A feature server that says what a test wants: real ones are asked by tools/interop/feast.py.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<AtomicU32>,
    /// What is wrong with it from the second request on.
    fault: Option<&'static str>,
}

async fn answer(State(server): State<Server>, body: String) -> Response {
    let number = server.asked.fetch_add(1, Ordering::Relaxed);
    let body: Json = serde_json::from_str(&body).unwrap();
    let users = body["entities"]["user_id"].as_array().unwrap();
    match server.fault.filter(|_| number > 0) {
        Some("slow") => tokio::time::sleep(Duration::from_secs(5)).await,
        Some("error") => return (StatusCode::INTERNAL_SERVER_ERROR, "boom").into_response(),
        Some("text") => return "<html>".into_response(),
        Some("short") => {
            return axum::Json(
                json!({"metadata": {"feature_names": ["user_id", "fee"]}, "results": [{"values": []}]}),
            )
            .into_response();
        }
        Some("list") => {
            return axum::Json(json!({
                "metadata": {"feature_names": ["fee"]},
                "results": [{"values": users.iter().map(|_| json!([1])).collect::<Vec<_>>()}],
            }))
            .into_response();
        }
        _ => {}
    }
    if let Some(fault @ ("others" | "status" | "time" | "outside" | "nobody")) =
        server.fault.filter(|_| number > 0)
    {
        let status = match fault {
            "status" => "BANANA",
            "outside" => "OUTSIDE_MAX_AGE",
            _ => "PRESENT",
        };
        let time = match fault {
            "time" => "yesterday",
            "nobody" => "1970-01-01T00:00:00Z",
            _ => "2024-01-31T00:00:00Z",
        };
        let value = if fault == "nobody" { Json::Null } else { json!(1) };
        let all = |value: Json| users.iter().map(|_| value.clone()).collect::<Vec<_>>();
        let keys = if fault == "others" { all(json!("somebody")) } else { users.clone() };
        return axum::Json(json!({
            "metadata": {"feature_names": ["user_id", "tenure"]},
            "results": [{"values": keys}, {"values": all(value), "statuses": all(json!(status)), "event_timestamps": all(json!(time))}],
        }))
        .into_response();
    }
    let known = |user: &&Json| user.as_str().is_some_and(|name| name.starts_with('u'));
    let column = |value: Json| {
        json!({
            "values": users.iter().map(|user| if known(&user) { value.clone() } else { Json::Null }).collect::<Vec<_>>(),
            "statuses": users.iter().map(|user| if known(&user) { "PRESENT" } else { "NOT_FOUND" }).collect::<Vec<_>>(),
            "event_timestamps": users.iter().map(|user| if known(&user) { "2024-01-31T00:00:00Z" } else { "1970-01-01T00:00:00Z" }).collect::<Vec<_>>(),
        })
    };
    let keys = json!({"values": users, "statuses": users.iter().map(|_| "PRESENT").collect::<Vec<_>>()});
    axum::Json(json!({
        "metadata": {"feature_names": ["user_id", "tenure", "fee"]},
        "results": [keys, column(json!(number)), column(json!(29.850000381469727))],
    }))
    .into_response()
}

async fn store(server: &Server, settings: &str) -> FeatureStore {
    store_of(server, &format!("service = \"s\"\n{settings}")).await
}

async fn store_of(server: &Server, settings: &str) -> FeatureStore {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/feast/get-online-features", post(answer)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let text = format!("source = \"feast\"\nurl = \"http://{address}/feast/\"\n{settings}");
    let config: FeaturesConfig = toml::from_str(&text).unwrap();
    FeatureStore::of(&config, Path::new(""), &EntityKey::new("user_id")).unwrap().unwrap()
}

fn names(names: &[&'static str]) -> Vec<Name> {
    names.iter().map(|name| vec![KeyPart::Text((*name).into())]).collect()
}

fn tenure(found: &Found) -> Option<&Value> {
    found.values.iter().find(|(name, _)| &**name == "tenure").map(|(_, value)| value)
}

#[tokio::test]
async fn columns_become_entities_in_their_order() {
    let store = store(&Server::default(), "").await;
    let found = store.look_up(&names(&["u1", "nobody", "u2"])).await.unwrap();
    assert_eq!(
        found.iter().map(|found| found.known).collect::<Vec<_>>(),
        [Known::Something, Known::Nothing, Known::Something]
    );
    assert_eq!(
        found[0].values,
        [("tenure".into(), Value::Number(0.0)), ("fee".into(), Value::Number(29.85))]
    );
    assert_eq!((found[0].newest_ms, found[1].newest_ms), (Some(1_706_659_200_000), None));
    let counts =
        [Outcome::Found, Outcome::Unknown, Outcome::Cached].map(|outcome| store.counts().of(outcome));
    assert_eq!(counts, [2, 1, 0]);
}

#[tokio::test]
async fn every_fault_has_its_name() {
    for (fault, expected) in [
        ("slow", "did not answer within 100 ms (features.timeout_ms)"),
        ("error", "answered 500: boom"),
        ("text", "answered what is not an answer: expected value at line 1 column 1"),
        ("short", "expected a column for each of 2 names, got 1"),
        ("list", "fee: expected a number, a text, true, false or null, got a list"),
        (
            "others",
            "user_id: expected the entities that were asked for in their order, got another one in place 0",
        ),
        ("status", "expected the status PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE, got \"BANANA\""),
        ("time", "tenure: expected a time such as 2024-01-31T00:00:00Z, got \"yesterday\""),
    ] {
        let store = store(&Server { fault: Some(fault), ..Server::default() }, "timeout_ms = 100").await;
        assert!(store.look_up(&names(&["u1"])).await.is_ok());
        let error = store.look_up(&names(&["u1", "u2"])).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the feature store at http://127.0.0.1:") && error.contains(expected),
            "{error}"
        );
        assert_eq!(store.counts().of(Outcome::Failed), 2);
    }
    let text = "source = \"feast\"\nurl = \"http://127.0.0.1:9\"\nservice = \"s\"";
    let config: FeaturesConfig = toml::from_str(text).unwrap();
    let nobody = FeatureStore::of(&config, Path::new(""), &EntityKey::new("user_id")).unwrap().unwrap();
    let error = nobody.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1:9/ cannot be asked: "), "{error}");
}

#[tokio::test]
async fn what_is_kept_is_not_asked_for_again() {
    let server = Server::default();
    let store = store(&server, "cache_seconds = 3600").await;
    store.look_up(&names(&["u1", "nobody"])).await.unwrap();
    let found = store.look_up(&names(&["u2", "u1", "nobody"])).await.unwrap();
    assert_eq!(tenure(&found[0]), Some(&Value::Number(1.0)), "asked for now");
    assert_eq!(tenure(&found[1]), Some(&Value::Number(0.0)), "kept");
    assert_eq!(found[2].known, Known::Nothing);
    assert_eq!(server.asked.load(Ordering::Relaxed), 2);
    assert_eq!(store.counts().of(Outcome::Cached), 2);
}

#[tokio::test]
async fn what_is_stale_answers_while_it_is_asked_for_again_also_from_a_store_that_fails() {
    let server = Server::default();
    let store = store(&server, "stale_seconds = 3600").await;
    store.look_up(&names(&["u1"])).await.unwrap();
    let found = store.look_up(&names(&["u1"])).await.unwrap();
    assert_eq!(tenure(&found[0]), Some(&Value::Number(0.0)), "the kept one");
    while server.asked.load(Ordering::Relaxed) < 2 || !store.0.renewed.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let found = store.look_up(&names(&["u1"])).await.unwrap();
    assert_eq!(tenure(&found[0]), Some(&Value::Number(1.0)), "the renewed one");

    let failing = Server { fault: Some("error"), ..Server::default() };
    let store = self::store(&failing, "stale_seconds = 3600").await;
    store.look_up(&names(&["u1"])).await.unwrap();
    for _ in 0..3 {
        let found = store.look_up(&names(&["u1"])).await.unwrap();
        assert_eq!(tenure(&found[0]), Some(&Value::Number(0.0)));
    }
}

#[tokio::test]
async fn what_is_too_old_by_the_store_is_missing() {
    let server = Server { fault: Some("outside"), ..Server::default() };
    let store = store(&server, "").await;
    store.look_up(&names(&["u1"])).await.unwrap();
    let found = store.look_up(&names(&["u1"])).await.unwrap();
    assert_eq!((found[0].known, tenure(&found[0])), (Known::Something, Some(&Value::Missing)));
}

/// feast 0.67.0 in front of a Redis, asked for an entity that it does not have.
#[tokio::test]
async fn what_was_present_at_no_time_is_of_nobody() {
    let server = Server { fault: Some("nobody"), ..Server::default() };
    let store = store(&server, "").await;
    store.look_up(&names(&["u1"])).await.unwrap();
    let found = store.look_up(&names(&["u1"])).await.unwrap();
    assert_eq!((found[0].known, found[0].newest_ms), (Known::Nothing, None));
}

#[tokio::test]
async fn a_feature_that_is_asked_for_by_name_has_to_come() {
    let text = "references = [\"v:tenure\", \"v:age\"]";
    let store = store_of(&Server::default(), text).await;
    let error = store.look_up(&names(&["u1"])).await.unwrap_err().to_string();
    assert!(
        error.contains("expected the feature age, which is in features.references, got user_id, tenure, fee"),
        "{error}"
    );
}
