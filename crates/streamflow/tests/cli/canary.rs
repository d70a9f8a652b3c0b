//! A share of the entities is answered by a candidate.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http::user_ids;
use crate::project::Project;
use crate::server::Server;
use crate::up::Up;

pub const MONTH: &str = "2024-01-31";
pub const NEXT: &str = "2024-02-29";

/// Version 1 in production, version 2 of another split; and version 3, which learned the opposite, where it is wanted.
pub fn project(with_opposite: bool) -> Project {
    let project = Project::with_sample(400);
    project.ok(&["ingest", "--as-of", MONTH, &format!("drops/month_{MONTH}")]);
    project.ok(&["train", "--as-of", MONTH]);
    project.ok(&["train", "--as-of", MONTH, "--seed", "7"]);
    if with_opposite {
        let opposite =
            |text: String| text.replace(",True", ",x").replace(",False", ",True").replace(",x", ",False");
        project.edit(&format!("drops/month_{NEXT}/labels.csv"), opposite);
        project.ok(&["ingest", "--as-of", NEXT, &format!("drops/month_{NEXT}")]);
        project.ok(&["train", "--as-of", NEXT]);
    }
    project
}

pub fn serving(project: &Project) -> Server {
    let server = Server::start(project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    server.wait_for("\"status\":\"ready\"", || server.get("/ready"));
    server
}

fn post(server: &Server, path: &str, content_type: &str, body: &str) -> Value {
    let answer = server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// The version that answers each user.
pub fn versions(server: &Server, users: &[String]) -> BTreeMap<String, String> {
    let version = |user: &String| {
        let answer = post(server, "/predict", "application/json", &json!({ "user_id": user }).to_string());
        (user.clone(), answer["model"]["version"].as_str().unwrap().to_owned())
    };
    users.iter().map(version).collect()
}

/// As docs/labels.md says it.
fn is_taken(user: &str, share: f64) -> bool {
    let digest = Sha256::digest(format!("churn@2:{user}"));
    let place = u64::from_be_bytes(digest[..8].try_into().unwrap());
    (place as f64) / 2_f64.powi(64) < share
}

pub fn wait_for_share(server: &Server, share: &str) {
    let line = format!("canary_share{{version=\"2\"}} {share}");
    server.wait_for(&line, || server.get("/metrics"));
}

#[test]
fn a_share_of_the_entities_is_answered_by_the_candidate() {
    let project = project(false);
    let users = user_ids(&project, MONTH);
    project.edit("streamflow.toml", |text| {
        text.replace("# enabled = false", "enabled = true")
            .replace("# flush_seconds = 10", "flush_seconds = 1")
            .replace("# protocols = [", "protocols = [")
    });
    let server = serving(&project);
    for (args, code, said) in [
        (vec!["models", "canary", "9", "--share", "10%"], 1, "has no version 9"),
        (
            vec!["models", "canary", "1", "--share", "10%"],
            1,
            "version 1 is in production and answers everybody",
        ),
        (vec!["models", "canary", "2"], 2, "--share"),
        (
            vec!["models", "canary", "2", "--share", "0"],
            2,
            "expected above 0 % and up to 100 %, such as 10% or 0.1",
        ),
        (vec!["models", "canary", "2", "--share", "10%", "--off"], 2, "cannot be used with"),
    ] {
        let refused = project.run(&args);
        assert!(refused.code == code && refused.stderr.contains(said), "{args:?}: {}", refused.stderr);
    }
    assert!(project.ok(&["models", "canary"]).contains("No version of churn answers a share"));
    assert!(versions(&server, &users).values().all(|version| version == "1"));

    let mut before: Vec<String> = Vec::new();
    for share in [0.2, 0.6] {
        let begun = project.ok(&["models", "canary", "2", "--share", &share.to_string()]);
        assert!(
            begun.contains(&format!("Version 2 of churn answers {} % of the entities", share * 100.0)),
            "{begun}"
        );
        wait_for_share(&server, &share.to_string());
        let found = versions(&server, &users);
        assert_eq!(found, versions(&server, &users), "the same user, the same version");
        for (user, version) in &found {
            assert_eq!(version == "2", is_taken(user, share), "{user}");
        }
        let taken: Vec<String> = users.iter().filter(|user| found[*user] == "2").cloned().collect();
        assert!(before.iter().all(|user| taken.contains(user)), "who was in it stays");
        before = taken;
    }

    // A batch of one goes where its entity goes, and a larger one to one version, whole.
    for user in &users[..20] {
        let batch =
            post(&server, "/predict/batch", "application/json", &json!({ "entities": [user] }).to_string());
        assert_eq!(batch["model"]["version"] == "2", is_taken(user, 0.6), "{user}");
    }
    let mut answered: Vec<String> = Vec::new();
    for some in users.chunks(10) {
        let batch =
            post(&server, "/predict/batch", "application/json", &json!({ "entities": some }).to_string());
        let version = batch["model"]["version"].as_str().unwrap();
        let of_rows =
            batch["predictions"].as_array().unwrap().iter().map(|row| row["model"]["version"].as_str());
        assert!(of_rows.into_iter().all(|row| row == Some(version)), "{batch}");
        answered.push(version.to_owned());
    }
    answered.sort();
    answered.dedup();
    assert_eq!(answered, ["1", "2"]);
    protocols_are_routed(&server, &users);

    let metrics = server.get("/metrics");
    for metric in [
        "canary_requests_total",
        "canary_errors_total",
        "canary_request_duration_seconds_count",
        "canary_score_count",
    ] {
        for labels in ["arm=\"candidate\",version=\"2\"", "arm=\"production\",version=\"1\""] {
            assert!(metrics.contains(&format!("{metric}{{{labels}}}")), "{metric} {labels}\n{metrics}");
        }
    }
    let ready = server.get("/ready");
    assert!(ready.contains(r#""canary":{"version":"2","share":0.6,"is_loaded":true}"#), "{ready}");
    server.wait_for("enough", || {
        let told = project.json(&["models", "canary"]);
        let requests = |arm: usize| told["arms"][arm]["requests"].as_u64().unwrap();
        if requests(0) > 100 && requests(1) > 200 { "enough".to_owned() } else { told.to_string() }
    });
    let told = project.ok(&["models", "canary"]);
    assert!(
        told.contains("Version 2 of churn answers 60 % of the entities since") && told.contains("candidate"),
        "{told}"
    );
    server.wait_for("both", || {
        let periods = project.json(&["performance"]);
        let of = |version: &str| {
            periods["periods"].as_array().unwrap().iter().any(|period| period["version"] == version)
        };
        if of("1") && of("2") { "both".to_owned() } else { periods.to_string() }
    });

    // Either change of production ends it.
    project.ok(&["models", "promote", "2"]);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    server.wait_for("version=\"2\"", || {
        let metrics = server.get("/metrics");
        metrics.lines().find(|line| line.starts_with("model_info")).unwrap().to_owned()
    });
    assert!(!server.get("/metrics").contains("canary_share"));
    assert!(versions(&server, &users).values().all(|version| version == "2"));
    project.ok(&["models", "rollback"]);
    project.ok(&["models", "canary", "2", "--share", "100%"]);
    wait_for_share(&server, "1");
    assert!(versions(&server, &users).values().all(|version| version == "2"));
    let ended = project.ok(&["models", "canary", "--off"]);
    assert!(ended.contains("The canary of churn is over"), "{ended}");
    server.wait_for("none", || {
        if server.get("/metrics").contains("canary_") { "some".to_owned() } else { "none".to_owned() }
    });
    assert!(versions(&server, &users).values().all(|version| version == "1"));
    server.stop("-TERM");
}

/// Requests with features alone go by what they say, and one that names a version is answered by it.
fn protocols_are_routed(server: &Server, users: &[String]) {
    let first = post(server, "/predict", "application/json", &json!({ "user_id": users[0] }).to_string());
    let features = first["features_used"].as_object().unwrap();
    let inputs = |number: f64| -> Value {
        let input = |(name, value): (&String, &Value)| {
            let (datatype, data) = match value {
                Value::String(text) => ("BYTES", json!([text])),
                Value::Bool(value) => ("BOOL", json!([value])),
                other => ("FP64", json!([other.as_f64().unwrap_or(0.0) + number])),
            };
            json!({ "name": name, "shape": [1], "datatype": datatype, "data": data })
        };
        json!({ "inputs": features.iter().map(input).collect::<Vec<_>>() })
    };
    let version = |path: &str, number: f64| {
        let answer = post(server, path, "application/json", &inputs(number).to_string());
        answer["model_version"].as_str().unwrap().to_owned()
    };
    let found: Vec<String> =
        (0..40).map(|number| version("/v2/models/churn/infer", f64::from(number))).collect();
    let again: Vec<String> =
        (0..40).map(|number| version("/v2/models/churn/infer", f64::from(number))).collect();
    assert_eq!(found, again, "the same features, the same version");
    assert!(found.contains(&"1".to_owned()) && found.contains(&"2".to_owned()), "{found:?}");
    let counted = |server: &Server| -> f64 {
        let metrics = server.get("/metrics");
        let lines = metrics.lines().filter(|line| line.starts_with("canary_requests_total{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let before = counted(server);
    for named in ["1", "2"] {
        assert_eq!(version(&format!("/v2/models/churn/versions/{named}/infer"), 0.0), named);
    }
    assert_eq!(counted(server), before, "it was not routed");
    let record: Value = json!({ "dataframe_records": [features] });
    post(server, "/invocations", "application/json", &record.to_string());
    post(
        server,
        "/v1/models/churn:predict",
        "application/json",
        &json!({ "instances": [features] }).to_string(),
    );
    assert_eq!(counted(server), before + 2.0);
}

#[test]
fn a_candidate_that_cannot_be_loaded_leaves_production_to_answer() {
    let project = project(false);
    let users = user_ids(&project, MONTH);
    project.ok(&["models", "canary", "2", "--share", "100%"]);
    let (path, _) =
        project.files("data/models/churn/2").into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    std::fs::write(project.path(path.to_str().unwrap()), b"broken").unwrap();
    let server = serving(&project);
    assert!(versions(&server, &users[..20]).values().all(|version| version == "1"));
    let ready = server.get("/ready");
    assert!(
        ready.contains("\"is_loaded\":false,\"trouble\":\"version 2 of churn cannot be served"),
        "{ready}"
    );
    let metrics = server.get("/metrics");
    for line in ["canary_up{version=\"2\"} 0", "canary_share{version=\"2\"} 0"] {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{line}\n{metrics}");
    }
    let told = project.ok(&["models", "canary"]);
    assert!(told.contains("It is not loaded, and the version in production answers everybody"), "{told}");
    let refused = project.run(&["models", "canary", "2", "--share", "10%"]);
    assert!(refused.code == 1 && refused.stderr.contains("cannot be served"), "{}", refused.stderr);
    server.stop("-TERM");
}

#[test]
fn a_candidate_that_takes_other_features_is_given_its_own() {
    let project = Project::with_sample(300);
    project.ok(&["ingest", "--as-of", MONTH, &format!("drops/month_{MONTH}")]);
    project.ok(&["train", "--as-of", MONTH]);
    let whole = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
    let fewer = whole.replace("  \"skips_7d\",\n", "");
    assert_ne!(fewer, whole);
    std::fs::write(project.path("streamflow.toml"), fewer).unwrap();
    project.ok(&["train", "--as-of", MONTH]);
    std::fs::write(project.path("streamflow.toml"), whole).unwrap();
    let server = serving(&project);
    project.ok(&["models", "canary", "2", "--share", "50%"]);
    wait_for_share(&server, "0.5");
    for user in &user_ids(&project, MONTH)[..50] {
        let answer = post(&server, "/predict", "application/json", &json!({ "user_id": user }).to_string());
        let (version, features) = match is_taken(user, 0.5) {
            true => ("2", 13),
            false => ("1", 14),
        };
        assert_eq!(answer["model"]["version"], version, "{answer}");
        assert_eq!(answer["features_used"].as_object().unwrap().len(), features, "{answer}");
    }
    server.stop("-TERM");
}

/// A body that forgets the version must not be taken for one that ends.
#[tokio::test]
async fn a_body_that_names_no_version_ends_nothing() {
    let project = project(false);
    project.ok(&["models", "canary", "2", "--share", "10%"]);
    let up = Up::start(&project, &[]);
    let token = up.token().await;
    let post = async |path: &str, body: &Value| {
        let url = format!("{}/api/streamflow/models/{path}", up.console);
        let answer =
            up.client.post(url).header("x-streamflow-token", &token).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (path, body, said) in [
        ("canary", json!({ "share": 0.5 }), "missing field `version`"),
        ("canary", json!({}), "missing field `version`"),
        ("canary", json!({ "version": null, "share": 0.2 }), "share is given and version is null"),
        ("shadow", json!({}), "missing field `version`"),
        ("shadow", json!({ "version": 1 }), "version 1 is in production"),
    ] {
        let (status, text) = post(path, &body).await;
        assert!(status == 422 && text.contains(said), "{path} {body}: {status} {text}");
        assert_eq!(project.json(&["models", "canary"])["share"], 0.1, "{path} {body}");
    }
    for (path, body) in [("shadow", json!({ "version": 2 })), ("shadow", json!({ "version": null }))] {
        let (status, text) = post(path, &body).await;
        assert_eq!(status, 200, "{text}");
        let shadow = serde_json::from_str::<Value>(&text).unwrap()["shadow"].clone();
        assert_eq!(shadow, body["version"]);
    }
    assert_eq!(post("canary", &json!({ "version": null })).await.0, 200);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    up.server.stop("-TERM");
}
