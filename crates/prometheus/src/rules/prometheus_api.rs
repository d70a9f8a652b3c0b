//! A real Prometheus and we evaluate the same rule file: `/api/v1/rules` and `/api/v1/alerts` have the same JSON, but
//! for times.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamflow_promql::{Engine, EngineOptions};
use streamflow_tsdb::{Db, Options};
use tokio::sync::watch;

use super::{Rules, Settings, load};

const WAIT_MAX: Duration = Duration::from_secs(60);

const RULES: &str = r#"
groups:
- name: states
  interval: 200ms
  limit: 10
  rules:
  - {alert: Firing, expr: "vector(2.5) >  1", labels: {severity: '{{ "page" }}'}, annotations: {text: 'is {{ $value }}'}}
  - {alert: Pending, expr: vector(1), for: 1h, keep_firing_for: 5m}
  - {alert: Inactive, expr: vector(0) > 1}
  - {alert: Failing, expr: '(vector(1) or label_replace(vector(1), "a", "b", "", "")) > 0', labels: {a: x}}
- name: another
  interval: 200ms
  rules:
  - {record: one, expr: vector(1)}
  - {record: labelled, expr: "sum(vector(1))", labels: {b: c}}
  - {record: failing, expr: 'vector(1) or label_replace(vector(2), "b", "x", "", "")', labels: {b: c}}
"#;

/// A Prometheus with the rules of a directory; killed when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < WAIT_MAX, "{what}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The answer without what differs from run to run; alerts in a fixed order.
fn comparable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let is_time =
                    matches!(name.as_str(), "evaluationTime" | "lastEvaluation" | "activeAt" | "file");
                *field = if is_time { json!("…") } else { comparable(field.take()) };
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = comparable(item.take()));
            items.sort_by_key(
                |item| if item.get("alertname").is_some() { item.to_string() } else { String::new() },
            );
        }
        // Ours are floats in the type, Go's print as whole numbers.
        Value::Number(number) => return json!(number.as_f64()),
        _ => {}
    }
    value
}

/// Every rule was evaluated.
fn is_settled(groups: &Value) -> bool {
    let groups = groups.as_array().cloned().unwrap_or_default();
    let mut rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    groups.len() == 2 && rules.all(|rule| rule["health"] != "unknown")
}

async fn get(url: &str) -> Result<Value, String> {
    let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
    let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
    Ok(answer["data"].clone())
}

async fn of_prometheus(program: &Path, dir: &Path) -> (Value, Value) {
    std::fs::write(dir.join("prometheus.yml"), "rule_files: [rules.yml]\n").unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let process = Command::new(program)
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let _prometheus = Prometheus(process);
    let url = eventually("prometheus listens", async || {
        let log = std::fs::read_to_string(dir.join("log")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut listening = lines.filter(|line| line["msg"] == "Listening on");
        listening.find_map(|line| Some(format!("http://{}/api/v1", line["address"].as_str()?))).ok_or(log)
    })
    .await;
    eventually("prometheus evaluates", async || {
        let rules = get(&format!("{url}/rules")).await?;
        if !is_settled(&rules["groups"]) {
            return Err(rules.to_string());
        }
        Ok((rules["groups"].clone(), get(&format!("{url}/alerts")).await?["alerts"].clone()))
    })
    .await
}

async fn of_ours(dir: &Path) -> (Value, Value) {
    let db = Db::in_memory(Options::default());
    let rules = Rules::new(db, Arc::new(Engine::new(EngineOptions::default())), Arc::default());
    let handle = rules.handle();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(rules.run(stopped));
    handle.apply(Settings { files: load(&["rules.yml".to_owned()], dir).unwrap(), ..Settings::default() });
    let found = eventually("we evaluate", async || {
        let groups = json!(handle.groups());
        if is_settled(&groups) { Ok((groups, json!(handle.alerts()))) } else { Err(groups.to_string()) }
    })
    .await;
    stop.send(true).unwrap();
    running.await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_shows_what_prometheus_shows() {
    let Some(program) = streamflow_oracles::prometheus("no API was compared with a real one") else { return };
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.yml"), RULES).unwrap();
    let (theirs, their_alerts) = of_prometheus(&program, dir.path()).await;
    let (ours, our_alerts) = of_ours(dir.path()).await;
    // The order of keys is nobody's promise.
    assert_eq!(comparable(ours), comparable(theirs));
    assert_eq!(comparable(our_alerts), comparable(their_alerts));
}
