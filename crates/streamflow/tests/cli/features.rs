//! Features from elsewhere: pushed to a server by a caller's pipeline, and read from a real Redis.

use serde_json::{Value, json};

use crate::http::user_ids;
use crate::later::{post, serving};
use crate::project::Project;
use crate::server::Server;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];

/// Gives a project two keys: one may push, the other may not.
pub fn keys(project: &Project) -> [String; 2] {
    let made = ["pipeline", "guest"].map(|name| project.json(&["api-key", "new", name]));
    let line = |made: &Value, more: &str| {
        format!("{} = {{ sha256 = {}{more} }}", made["name"].as_str().unwrap(), made["sha256"])
    };
    let keys = format!("{}\n{}", line(&made[0], ", may_push = true"), line(&made[1], ""));
    project.edit("streamflow.toml", |text| format!("{text}\n[api.keys]\n{keys}\n"));
    made.map(|made| made["key"].as_str().unwrap().to_owned())
}

/// A project with a month and a model, and those keys.
fn pushing() -> (Project, [String; 2]) {
    let project = Project::with_sample(200);
    let keys = keys(&project);
    project.ok(&["ingest", "--as-of", MONTHS[0], &format!("drops/month_{}", MONTHS[0])]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    (project, keys)
}

fn push(server: &Server, key: &str, user: &str, time: &str, features: &Value) -> (u16, Value) {
    let rows = json!({ "rows": [{ "user_id": user, "time": time, "features": features }] });
    post(server, "/features", key, &rows)
}

fn predict(server: &Server, key: &str, user: &str) -> Value {
    let (status, answer) = post(server, "/predict", key, &json!({ "user_id": user }));
    assert_eq!(status, 200, "{answer}");
    answer
}

fn taken(taken: u64, unchanged: u64, older: u64) -> Value {
    json!({ "taken": taken, "unchanged": unchanged, "older": older })
}

#[test]
fn pushed_features_survive_a_kill_and_end_with_a_newer_snapshot() {
    let (project, [pipeline, guest]) = pushing();
    let user = user_ids(&project, MONTHS[0]).remove(0);
    let server = serving(&project);
    let before = predict(&server, &guest, &user);
    let late = "2024-02-10T08:00:00Z";
    let fee = json!({ "monthly_fee": 314.25 });
    for (key, expected) in [(&guest, 403), (&"sfk_other".to_owned(), 401)] {
        assert_eq!(push(&server, key, &user, late, &fee).0, expected);
    }
    let (status, refused) = push(&server, &pipeline, &user, late, &json!({ "fee": 1 }));
    assert!(status == 422 && refused.to_string().contains("\\\"fee\\\" is no feature"), "{refused}");
    assert_eq!(predict(&server, &guest, &user), before, "nothing of it was taken");

    assert_eq!(push(&server, &pipeline, &user, late, &fee), (200, taken(1, 0, 0)));
    assert_eq!(push(&server, &pipeline, &user, late, &fee), (200, taken(0, 1, 0)));
    let older = json!({ "monthly_fee": 1.0, "net_service": "DSL" });
    assert_eq!(push(&server, &pipeline, &user, "2024-02-09T00:00:00Z", &older), (200, taken(1, 0, 1)));
    // What was true before the snapshot is kept and not used: the snapshot is newer.
    let outdated = json!({ "months_active": 1 });
    assert_eq!(push(&server, &pipeline, &user, "2024-01-31T23:59:59.999Z", &outdated), (200, taken(1, 0, 0)));
    let now = predict(&server, &guest, &user);
    let is_pushed = |answer: &Value| {
        assert_eq!(answer["features_pushed"], json!(["monthly_fee", "net_service"]), "{answer}");
        assert_eq!(answer["features_used"]["monthly_fee"], 314.25);
        assert_eq!(answer["features_used"]["months_active"], before["features_used"]["months_active"]);
        assert_eq!((&answer["features_at"], &answer["as_of"]), (&json!(late), &json!(MONTHS[0])));
    };
    is_pushed(&now);
    let (_, batch) = post(&server, "/predict/batch", &guest, &json!({ "entities": [user] }));
    is_pushed(&batch["predictions"][0]);
    // What comes with a request goes before what was pushed.
    let sent = json!({ "user_id": user, "features": { "monthly_fee": 5 } });
    let (_, answer) = post(&server, "/predict", &guest, &sent);
    assert_eq!(answer["features_pushed"], json!(["net_service"]), "{answer}");
    server.wait_for_metric("features_pushed_predictions_total", 3.0);

    server.kill();
    let server = serving(&project);
    assert_eq!(predict(&server, &guest, &user), now, "what was acknowledged is there");
    // Training reads snapshots alone.
    let train = |project: &Project| project.json(&["train", "--as-of", MONTHS[0]])["metrics"].clone();
    let with_pushed = train(&project);
    let (other, _) = pushing();
    assert_eq!(train(&other), with_pushed);

    project.ok(&["ingest", "--as-of", MONTHS[1], &format!("drops/month_{}", MONTHS[1])]);
    server.wait_for(MONTHS[1], || predict(&server, &guest, &user)["as_of"].to_string());
    let newer = predict(&server, &guest, &user);
    assert!(newer["features_pushed"].is_null() && newer["features_at"].is_null(), "{newer}");
    assert_ne!(newer["features_used"]["monthly_fee"], 314.25);
}

#[test]
fn what_is_pushed_has_a_bound_and_is_forgotten_with_its_user() {
    let (project, [pipeline, guest]) = pushing();
    project.edit("streamflow.toml", |text| text.replace("# pushed_entities = 100000", "pushed_entities = 2"));
    let users = user_ids(&project, MONTHS[0]);
    let server = serving(&project);
    let fee = json!({ "monthly_fee": 314.25 });
    for user in &users[..2] {
        // What a snapshot has taken the place of is deleted when room is needed.
        assert_eq!(push(&server, &pipeline, user, "2024-01-01T00:00:00Z", &fee).0, 200);
    }
    let at = "2024-02-10T08:00:00Z";
    for user in &users[2..4] {
        assert_eq!(push(&server, &pipeline, user, at, &fee), (200, taken(1, 0, 0)), "{user}");
    }
    let (status, full) = push(&server, &pipeline, &users[4], at, &fee);
    assert!(status == 507 && full.to_string().contains("features.pushed_entities allows 2"), "{full}");
    let large = json!({ "net_service": "x".repeat(1 << 20) });
    let (status, refused) = push(&server, &pipeline, &users[4], at, &large);
    assert!(status == 413 && refused.to_string().contains("send less in one request"), "{refused}");
    assert_eq!(
        push(&server, &pipeline, &users[2], at, &json!({ "net_service": "DSL" })).0,
        200,
        "a known one"
    );

    let found = project.json(&["forget", &users[2], "--dry-run"]);
    assert_eq!(found["found"]["pushed_features"], 2, "{found}");
    project.ok(&["forget", &users[2], "--reason", "asked by letter"]);
    let (_, left_out) = push(&server, &pipeline, &users[2], at, &fee);
    assert_eq!(left_out, json!({ "taken": 0, "unchanged": 0, "older": 0, "forgotten": 1 }));
    server.wait_for("features_pushed_entities 1", || server.get("/metrics"));
    assert_eq!(predict(&server, &guest, &users[3])["features_used"]["monthly_fee"], 314.25);
    server.stop("-TERM");
    let database = std::fs::read(project.path("data/streamflow.db")).unwrap();
    let name = users[2].as_bytes();
    assert!(!database.windows(name.len()).any(|window| window == name), "the name is in no page");
}

/// The features that a model has learned from.
const FEATURES: usize = 14;

#[test]
fn features_of_a_real_redis_predict_as_those_in_memory() {
    let Some(mut redis) =
        streamflow_oracles::own_redis(&["--requirepass", "word"], "nothing was pushed into it")
    else {
        return;
    };
    let project = Project::with_sample(200);
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let users = user_ids(&project, MONTHS[1]);
    let memory = serving(&project);
    let (_, in_memory) = post(&memory, "/predict/batch", "", &json!({ "entities": users }));
    memory.stop("-TERM");

    std::fs::write(project.path("redis.password"), "word\n").unwrap();
    let more = "timeout_ms = 5000\non_failure = \"refuse\"";
    project.edit("streamflow.toml", |text| {
        let section = format!(
            "[features]\nsource = \"redis\"\nstore = \"redis://{}/3\"\nstore_password_file = \"redis.password\"\n{more}\n",
            redis.address()
        );
        text.replace("[features]\n", &section)
    });
    let empty = project.run(&["doctor"]);
    assert!(empty.stdout.contains("no features were pushed to redis://"), "{}", empty.stdout);
    let pushed = project.json(&["features", "push", "--as-of", MONTHS[0]]);
    assert_eq!((&pushed["features"], &pushed["as_of"]), (&json!(FEATURES), &json!(MONTHS[0])), "{pushed}");
    let pushed = project.json(&["features", "push"]);
    assert_eq!((&pushed["as_of"], &pushed["entities"]), (&json!(MONTHS[1]), &json!(users.len())), "{pushed}");
    let back = project.run(&["features", "push", "--as-of", MONTHS[0]]);
    assert!(back.code == 1 && back.stderr.contains("--go-back puts them in their place"), "{}", back.stderr);
    let sound = project.run(&["doctor"]);
    assert!(
        sound.stdout.contains(&format!("has the features of {} entities as of {}", users.len(), MONTHS[1])),
        "{}",
        sound.stdout
    );

    let server = serving(&project);
    let (_, read) = post(&server, "/predict/batch", "", &json!({ "entities": users }));
    let plain = |answer: &Value| {
        let mut answer = answer.clone();
        let members = answer.as_object_mut().unwrap();
        assert_eq!(members.remove("features_from"), Some(json!("redis")), "{members:?}");
        assert_eq!(members.remove("features_at"), Some(json!("2024-02-29T00:00:00Z")));
        answer
    };
    let (ours, theirs) =
        (in_memory["predictions"].as_array().unwrap(), read["predictions"].as_array().unwrap());
    assert_eq!(theirs.iter().map(plain).collect::<Vec<_>>(), *ours);
    let (status, unknown) = post(&server, "/predict", "", &json!({ "user_id": "nobody" }));
    assert_eq!((status, unknown["missing_features"].as_array().unwrap().len()), (404, FEATURES), "{unknown}");
    let (status, refused) = post(&server, "/features", "", &json!({ "rows": [] }));
    assert_eq!(status, 403, "{refused}");

    redis.stop();
    let one = json!({ "user_id": users[0] });
    let (status, failed) = post(&server, "/predict", "", &one);
    assert!(status == 503 && failed.to_string().contains("cannot be asked"), "{failed}");
    redis.start();
    let (status, forgotten) = post(&server, "/predict", "", &one);
    assert_eq!(status, 404, "it came back with nothing: {forgotten}");
    project.ok(&["features", "push"]);
    assert_eq!(plain(&predict(&server, "", &users[0])), ours[0], "and is asked again, without a new start");
    redis.stop();
    redis.start();
    assert_eq!(post(&server, "/predict", "", &one).0, 404, "it was away while nobody asked");
    server.wait_for_metric("feature_store_lookups_total{outcome=\"failed\"}", 1.0);

    std::fs::write(project.path("redis.password"), "wrong\n").unwrap();
    let denied = project.run(&["features", "push"]);
    assert!(denied.code == 1 && !denied.stderr.contains("wrong\n"), "{}", denied.stderr);
}

#[test]
fn a_feature_server_that_takes_three_seconds_costs_a_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It accepts, reads and answers long after anybody waits for it.
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            kept.push(stream);
        }
    });
    let project = Project::with_sample(200);
    project.ok(&["ingest", "--as-of", MONTHS[0], &format!("drops/month_{}", MONTHS[0])]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let user = user_ids(&project, MONTHS[0]).remove(0);
    let original = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
    for (on_failure, expected) in [("refuse", 503), ("snapshot", 200)] {
        let section = format!(
            "[features]\nsource = \"feast\"\nurl = \"http://{address}\"\nservice = \"churn\"\ntimeout_ms = 200\non_failure = \"{on_failure}\"\n"
        );
        project.edit("streamflow.toml", |_| original.replace("[features]\n", &section));
        let server = serving(&project);
        let (status, answer) = post(&server, "/predict", "", &json!({ "user_id": user }));
        assert_eq!(status, expected, "{answer}");
        match on_failure {
            "refuse" => assert!(answer.to_string().contains("did not answer within 200 ms"), "{answer}"),
            _ => assert_eq!(answer["features_from"], "snapshot"),
        }
        server.wait_for_metric("feature_store_wait_seconds_count", 1.0);
    }
}
