//! `streamflow up`: one process serves, scrapes itself, answers PromQL and shows the console.

use std::collections::BTreeSet;
use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::http::{MEAN_LATENCY, REQUEST_RATE, client, dashboard_expressions, eventually, predict, user_ids};
use crate::project::Project;
use crate::server::Server;

/// A running `up` and both of its addresses.
pub struct Up {
    pub server: Server,
    pub api: String,
    pub console: String,
    pub client: reqwest::Client,
}

impl Up {
    pub fn start(project: &Project, args: &[&str]) -> Self {
        let common = ["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        let mut server = Server::start(project, &[&common, args].concat(), "listening on http://");
        let line = server.next_line();
        let console = line.strip_prefix("console on ").unwrap_or_else(|| panic!("{line}"));
        let console = console.trim_end_matches('/').to_owned();
        Self { api: server.url().trim_end_matches('/').to_owned(), console, server, client: client() }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.console)).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn values(&self, expression: &str) -> Vec<f64> {
        let url = format!("{}/api/v1/query", self.console);
        let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).unwrap();
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let samples = answer["data"]["result"].as_array().unwrap();
        samples.iter().map(|sample| sample["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }

    async fn wait_for(&self, expression: &str, expected: f64) {
        eventually(&format!("{expression} is {expected}"), || async {
            let values = self.values(expression).await;
            if values == [expected] { Ok(()) } else { Err(values) }
        })
        .await;
    }

    pub async fn token(&self) -> String {
        self.json("/api/streamflow/session").await["token"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.post(format!("{}{path}", self.console)).header("x-streamflow-token", token);
        let answer = request.json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }
}

/// Two months ingested, a model trained, scraped every second.
fn project() -> Project {
    let project = Project::with_sample(500);
    for month in ["2024-01-31", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project.edit("streamflow.toml", |text| {
        let edited = text.replace("scrape_interval_seconds = 10", "scrape_interval_seconds = 1");
        assert_ne!(edited, text, "the template no longer names the scrape interval");
        edited
    });
    project
}

#[tokio::test]
async fn it_counts_its_own_answers_and_every_panel_has_data() {
    let project = project();
    let up = Up::start(&project, &[]);
    up.wait_for("up{job=\"api\"}", 1.0).await;
    up.wait_for("up{job=\"streamflow\"}", 1.0).await;
    up.wait_for("api_requests_total", 0.0).await;

    let users = user_ids(&project, "2024-03-31");
    for user in &users[..6] {
        assert_eq!(predict(&up.client, &up.api, user).await, 200);
    }
    up.wait_for("api_requests_total", 6.0).await;
    for user in users.iter().cycle().take(100) {
        assert_eq!(predict(&up.client, &up.api, user).await, 200);
    }
    up.wait_for("api_requests_total", 106.0).await;
    up.wait_for("sum(predictions_total)", 106.0).await;
    for expression in [REQUEST_RATE, MEAN_LATENCY] {
        let values = up.values(expression).await;
        assert!(values.len() == 1 && values[0] > 0.0, "{expression}: {values:?}");
    }

    let comparison = json!({ "reference": "2024-01-31", "current": "2024-03-31" });
    let (status, entry) = up.post("/api/streamflow/reports", &up.token().await, &comparison).await;
    assert_eq!((status, &entry["decision"]), (StatusCode::OK, &json!("RETRAINING_TRIGGERED")), "{entry}");
    up.wait_for("streamflow_drift_share", entry["drift_share"].as_f64().unwrap()).await;
    // Live traffic is judged from 200 entities on, when their minute has ended.
    for user in &users {
        assert_eq!(predict(&up.client, &up.api, user).await, 200);
    }
    for expression in dashboard_expressions(&project) {
        eventually(&expression, || async {
            let values = up.values(&expression).await;
            if values.iter().any(|value| value.is_finite()) { Ok(()) } else { Err(values) }
        })
        .await;
    }

    if let Some(promtool) = streamflow_oracles::promtool() {
        let output = Command::new(promtool).args(["query", "instant", &up.console, "up"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("job=\"api\""), "{text}");
    }
    let rules = up.json("/api/v1/rules").await;
    assert!(!rules["data"]["groups"].as_array().unwrap().is_empty(), "the shipped rules hold: {rules}");
    up.server.stop("-INT");

    // A copy under a name in this very folder holds the same samples.
    project.ok(&["tsdb", "snapshot", "--out", "copy"]);
    let samples =
        |args: &[&str]| project.json(&[&["tsdb", "verify"], args].concat())["wal_samples"].as_u64().unwrap();
    let copied = samples(&["copy"]);
    assert!(copied > 0 && copied == samples(&[]), "{copied} samples");
}

/// Samples that were scraped are there again after a kill.
#[tokio::test]
async fn what_was_scraped_survives_a_kill() {
    let project = project();
    let up = Up::start(&project, &[]);
    up.wait_for("up{job=\"api\"}", 1.0).await;
    let scraped = up.values("count_over_time(up{job=\"api\"}[1h])").await;
    drop(up);
    let again = Up::start(&project, &[]);
    let values = again.values("count_over_time(up{job=\"api\"}[1h])").await;
    assert!(values[0] >= scraped[0], "{values:?} after {scraped:?}");
}

#[tokio::test]
async fn the_resources_tell_what_there_is_and_change_it_only_with_the_token() {
    let project = project();
    project.ok(&["train", "--as-of", "2024-03-31"]);
    let up = Up::start(&project, &[]);
    let token = up.token().await;

    let models = up.json("/api/streamflow/models").await;
    assert_eq!((&models["production"], models["versions"].as_array().unwrap().len()), (&json!(1), 2));
    let snapshots = up.json("/api/streamflow/snapshots").await;
    assert_eq!(snapshots[0]["as_of"], "2024-03-31");
    let users = snapshots[0]["tables"].as_array().unwrap().iter().find(|table| table["name"] == "users");
    assert!(users.unwrap()["passed"].as_u64().unwrap() >= 3, "{users:?}");

    let promotion = json!({ "version": 2 });
    for wrong in ["", "0000"] {
        let (status, answer) = up.post("/api/streamflow/models/promote", wrong, &promotion).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    }
    let (status, models) = up.post("/api/streamflow/models/promote", &token, &promotion).await;
    assert_eq!((status, &models["production"]), (StatusCode::OK, &json!(2)));
    let user = user_ids(&project, "2024-03-31").swap_remove(0);
    eventually("version 2 answers", || async {
        let (_, answer) = up.post("/api/streamflow/predict", &token, &json!({ "entity": user })).await;
        if answer["response"]["model"]["version"] == "2" { Ok(()) } else { Err(answer) }
    })
    .await;
    let (_, answer) = up.post("/api/streamflow/predict", &token, &json!({ "entity": user })).await;
    let fee = &answer["distributions"]["monthly_fee"];
    let counted: u64 = fee["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((fee["kind"].as_str(), counted + fee["missing"].as_u64().unwrap()), (Some("numerical"), 500));
    let (status, _) = up.post("/api/streamflow/models/rollback", &token, &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = up.post("/api/streamflow/models/promote", &token, &json!({ "version": 9 })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["error"].as_str().unwrap().contains("its versions are 2, 1"), "{answer}");

    let comparison = json!({ "reference": "2024-01-31", "current": "2023-01-31" });
    let (status, answer) = up.post("/api/streamflow/reports", &token, &comparison).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let comparison = json!({ "reference": "2024-01-31", "current": "2024-03-31" });
    let (_, entry) = up.post("/api/streamflow/reports", &token, &comparison).await;
    let marks = up.json("/api/streamflow/annotations?start=0&end=4000000000").await;
    let kinds: BTreeSet<&str> =
        marks.as_array().unwrap().iter().map(|mark| mark["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["decision", "ingest", "promotion"]), "{marks}");
    assert_eq!(up.json("/api/streamflow/annotations?start=0&end=1").await, json!([]));
    let far = up.get("/api/streamflow/annotations?start=0&end=1e300").await;
    assert_eq!(far.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let report = up.get(&format!("/{}", entry["url"].as_str().unwrap())).await;
    let policy = report.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.contains("sandbox") && report.text().await.unwrap().contains("rebuffer_events_7d"),
        "{policy}"
    );
    assert_eq!(up.get("/reports/..%2f..%2fstreamflow.html").await.status(), 404);
    let runs = up.json("/api/streamflow/runs?limit=5").await;
    let run = up.json(&format!("/api/streamflow/runs/{}", runs[0]["id"])).await;
    assert_eq!((&run["state"], run["tasks"].as_array().unwrap().len()), (&json!("completed"), 5));
    up.wait_for("up{job=\"api\"}", 1.0).await;
    let status = up.json("/api/streamflow/status").await;
    assert!(status["tsdb"]["head_series"].as_u64().unwrap() > 0, "{status}");
    let effective: toml::Table = status["config_text"].as_str().unwrap().parse().unwrap();
    assert_eq!(effective["metrics"]["scrape_interval_seconds"].as_integer(), Some(1));

    let foreign = up.client.post(format!("{}/api/streamflow/models/rollback", up.console));
    let foreign = foreign.header("x-streamflow-token", &token).header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(up.get("/api/streamflow/nothing").await.status(), 404);
}

#[tokio::test]
async fn a_login_is_asked_for_where_users_are_named() {
    let project = project();
    let hash = {
        use std::io::Write as _;
        let mut command = project.command(&["hash-password"]);
        let mut process =
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
        String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
    };
    project.edit("streamflow.toml", |text| {
        let edited = text.replace("read_only = false", "read_only = true\npath_prefix = \"/ops\"");
        assert_ne!(edited, text, "the template no longer says read_only");
        format!("{edited}\n[console.users]\nada = {:?}\n", hash.trim())
    });
    let up = Up::start(&project, &[]);
    assert!(up.console.ends_with("/ops"), "{}", up.console);
    assert_eq!(up.get("/-/healthy").await.status(), 200);
    assert_eq!(up.json("/api/streamflow/session").await["login_required"], true);
    for closed in ["/api/v1/query?query=up", "/metrics", "/api/streamflow/models", "/reports/x.html"] {
        assert_eq!(up.get(closed).await.status(), StatusCode::UNAUTHORIZED, "{closed}");
    }
    let log_in = async |password: &str| {
        let request = up.client.post(format!("{}/api/streamflow/login", up.console));
        request.json(&json!({ "user": "ada", "password": password })).send().await.unwrap()
    };
    assert_eq!(log_in("wrong").await.status(), StatusCode::UNAUTHORIZED);
    let cookie = log_in("correct horse").await.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with_cookie = async |path: &str| {
        up.client.get(format!("{}{path}", up.console)).header("cookie", &cookie).send().await.unwrap()
    };
    let session: Value = with_cookie("/api/streamflow/session").await.json().await.unwrap();
    assert_eq!((&session["user"], &session["read_only"]), (&json!("ada"), &json!(true)));
    assert_eq!(with_cookie("/api/v1/query?query=up").await.status(), 200);
    let change = up.client.post(format!("{}/api/streamflow/models/rollback", up.console));
    let change =
        change.header("cookie", &cookie).header("x-streamflow-token", session["token"].as_str().unwrap());
    let answer: Value = change.send().await.unwrap().json().await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("read-only"), "{answer}");
    let status = with_cookie("/api/streamflow/status").await.text().await.unwrap();
    assert!(status.contains("(hidden)") && !status.contains("$argon2"), "{status}");
    let page = with_cookie("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"), "{policy}");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    // It shows itself its own token when it scrapes itself.
    eventually("its own metrics are scraped", || async {
        let request = up.client.get(format!("{}/api/v1/query?query=up", up.console));
        let answer: Value =
            request.basic_auth("ada", Some("correct horse")).send().await.unwrap().json().await.unwrap();
        let ups = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let all_up = ups.len() == 2 && ups.iter().all(|sample| sample["value"][1] == "1");
        if all_up { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_prometheus_yml_is_read_anew_and_a_bad_one_changes_nothing() {
    let project = Project::new();
    let config = project.path("scrape.yml");
    let job = |name: &str| {
        format!("scrape_configs: [{{job_name: {name}, static_configs: [{{targets: [\"127.0.0.1:1\"]}}]}}]\n")
    };
    std::fs::write(&config, job("first")).unwrap();
    let up = Up::start(&project, &["--prometheus-config", "scrape.yml"]);
    let has_job = async |name: &str| {
        eventually(&format!("{name} is scraped"), || async {
            let targets = up.json("/api/v1/targets").await["data"]["activeTargets"].clone();
            if targets[0]["labels"]["job"] == name { Ok(()) } else { Err(targets) }
        })
        .await;
    };
    has_job("first").await;
    let reload = async || {
        let answer = up.client.post(format!("{}/-/reload", up.console)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    std::fs::write(&config, "scrape_configs: 5\n").unwrap();
    let (status, text) = reload().await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("scrape.yml"), "{status} {text}");
    has_job("first").await;
    std::fs::write(&config, job("second")).unwrap();
    assert_eq!(reload().await.0, StatusCode::OK);
    has_job("second").await;
}

#[test]
fn an_open_console_is_not_shown_to_the_network() {
    let project = Project::new();
    let run = project.run(&["up", "--listen", "127.0.0.1:0", "--console", "0.0.0.0:0"]);
    assert_eq!(run.code, 1);
    for part in ["open to the network", "[console.users]", "--insecure"] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}
