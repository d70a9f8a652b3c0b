//! Deliveries to a server that answers as it is told, and rules that fire into a real Alertmanager.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Url;
use serde_json::Value;
use streamflow_outbound::{ClientSettings, Credentials, Secret};
use streamflow_promql::{Engine, EngineOptions};
use streamflow_tsdb::{Db, Options};

use super::super::status::AlertState;
use super::super::{Rules, Settings as RuleSettings};
use super::*;

/// For every single wait: a busy machine needs its time.
const WAIT_MAX: Duration = Duration::from_secs(60);

fn endpoint(kind: Kind, url: &str) -> Endpoint {
    let token = Secret::Text("secret".to_owned());
    let receiver = streamflow_outbound::Receiver {
        url: Url::parse(url).unwrap(),
        client: ClientSettings::default().client().unwrap(),
        credentials: Credentials::Token { scheme: "Bearer".to_owned(), token },
        timeout: Duration::from_secs(10),
    };
    Endpoint { kind, receiver, retry_delay: Duration::from_millis(1), relabel: Vec::new() }
}

async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = std::time::Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < WAIT_MAX, "{what}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Answers with the statuses it is given, then with 200, and keeps the bodies of the requests it took.
#[derive(Default)]
struct Receiver {
    answers: Mutex<Vec<u16>>,
    taken: Mutex<Vec<Value>>,
    authorization: Mutex<String>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Arc<Self>, String) {
        let receiver = Arc::new(Self { answers: Mutex::new(answers.to_vec()), ..Self::default() });
        let take = async |State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: String| {
            *receiver.authorization.lock().unwrap() =
                headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
            let mut answers = receiver.answers.lock().unwrap();
            if !answers.is_empty() {
                return StatusCode::from_u16(answers.remove(0)).unwrap();
            }
            receiver.taken.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            StatusCode::OK
        };
        let app = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, url)
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }
}

fn notification(name: &str, resolved: bool) -> Arc<Notification> {
    Arc::new(Notification {
        labels: Labels::new([("alertname", name), ("job", "api")]),
        annotations: BTreeMap::from([
            ("summary".to_owned(), format!("about {name}")),
            ("empty".to_owned(), String::new()),
        ]),
        starts_at_ms: 1_000,
        ends_at_ms: 61_500,
        resolved,
        generator_url: "http://prom/graph".to_owned(),
    })
}

#[tokio::test]
async fn a_webhook_hears_news_once_and_is_tried_again() {
    let (receiver, url) = Receiver::start(&[503, 429]).await;
    let endpoint = endpoint(Kind::Webhook, &url);
    let destination = Arc::new(Destination::new(&endpoint, 100));
    let (_cancel, cancelled) = watch::channel(false);
    tokio::spawn(destination.clone().run(endpoint, "http://prom".to_owned(), cancelled));

    destination.push_relabeled(&[
        notification("A", false),
        notification("B", false),
        notification("Never", true),
    ]);
    eventually("both are told", async || {
        if destination.status().sent == 2 { Ok(()) } else { Err(format!("{:?}", destination.status())) }
    })
    .await;
    assert_eq!((destination.status().errors, destination.status().dropped), (2, 0));
    destination.push_relabeled(&[notification("A", false), notification("B", true)]);
    destination.push_relabeled(&[notification("B", true)]);
    destination.push_relabeled(&[notification("C", false)]);
    eventually("the rest is told", async || {
        if destination.status().sent == 4 { Ok(()) } else { Err(format!("{:?}", destination.status())) }
    })
    .await;
    let taken = receiver.taken();
    let told: Vec<(String, String)> = taken
        .iter()
        .flat_map(|body| body["alerts"].as_array().unwrap().clone())
        .map(|alert| {
            (
                alert["labels"]["alertname"].as_str().unwrap().to_owned(),
                alert["status"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [("A", "firing"), ("B", "firing"), ("B", "resolved"), ("C", "firing")];
    assert_eq!(told, expected.map(|(name, status)| (name.to_owned(), status.to_owned())));
    let first = &taken[0];
    assert_eq!(first["version"], "4");
    assert_eq!(first["status"], "firing");
    assert_eq!(first["commonLabels"], serde_json::json!({ "job": "api" }));
    assert_eq!(first["alerts"][0]["startsAt"], "1970-01-01T00:00:01Z");
    assert_eq!(first["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    assert_eq!(*receiver.authorization.lock().unwrap(), "Bearer secret");
}

#[tokio::test]
async fn a_refusal_is_final_and_counted() {
    let (receiver, url) = Receiver::start(&[400]).await;
    let endpoint = endpoint(Kind::Webhook, &url);
    let destination = Arc::new(Destination::new(&endpoint, 100));
    let (_cancel, cancelled) = watch::channel(false);
    tokio::spawn(destination.clone().run(endpoint, String::new(), cancelled));
    destination.push_relabeled(&[notification("A", false)]);
    eventually("it is dropped", async || {
        if destination.status().dropped == 1 { Ok(()) } else { Err(format!("{:?}", destination.status())) }
    })
    .await;
    assert!(destination.status().last_error.contains("400"), "{:?}", destination.status());
    assert!(receiver.taken().is_empty());
    // It was not told, so the next time is news.
    destination.push_relabeled(&[notification("A", false)]);
    eventually("it is told", async || {
        if destination.status().sent == 1 { Ok(()) } else { Err(format!("{:?}", destination.status())) }
    })
    .await;
}

#[test]
fn the_oldest_give_way() {
    let destination =
        Destination::new(&endpoint(Kind::Alertmanager, "http://user:password@127.0.0.1:9/x"), 2);
    let notifications: Vec<_> =
        ["A", "B", "C", "D", "E"].iter().map(|name| notification(name, false)).collect();
    destination.push_relabeled(&notifications);
    let status = destination.status();
    assert_eq!((status.queue_length, status.dropped), (2, 3));
    assert_eq!(status.url, "http://user:xxxxx@127.0.0.1:9/x");
}

#[test]
fn external_labels_and_relabeling() {
    let alert = Alert::firing("A");
    let external =
        BTreeMap::from([("job".to_owned(), "other".to_owned()), ("region".to_owned(), "eu".to_owned())]);
    let yaml = "alerting: {alert_relabel_configs: [{source_labels: [region], regex: '.+', action: keep},
        {target_label: seen, replacement: 'yes'}, {regex: region, action: labeldrop}]}";
    let (written, _) = streamflow_prometheus_yml::parse(yaml, std::path::Path::new("")).unwrap();
    let relabel = written.alerting.alert_relabel_configs;
    let sent = super::notification(alert.clone(), "g", &external, &relabel).unwrap();
    assert_eq!(sent.labels, Labels::new([("alertname", "A"), ("job", "api"), ("seen", "yes")]));
    assert!(super::notification(alert, "g", &BTreeMap::new(), &relabel).is_none());
}

/// A real Alertmanager on a free port, which passes alerts on to a receiver; killed when dropped.
struct Alertmanager {
    process: Child,
    url: String,
    dir: tempfile::TempDir,
}

impl Alertmanager {
    async fn start(program: &PathBuf, receiver: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "route: {{receiver: test, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\nreceivers: [{{name: test, webhook_configs: [{{url: '{receiver}', send_resolved: true}}]}}]\n"
        );
        std::fs::write(dir.path().join("config.yml"), config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        // Debian's copy reads its templates from where it is started; others need none.
        let share = program.with_file_name("../share/prometheus/alertmanager");
        let process = Command::new(program)
            .current_dir(if share.is_dir() { &share } else { dir.path() })
            .arg(format!("--config.file={}", dir.path().join("config.yml").display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .args([
                "--web.listen-address=127.0.0.1:0",
                "--web.route-prefix=/am",
                "--cluster.listen-address=",
                "--log.format=json",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut alertmanager = Self { process, url: String::new(), dir };
        alertmanager.url = eventually("alertmanager listens", async || {
            let log = std::fs::read_to_string(alertmanager.dir.path().join("log")).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let address = lines
                .filter(|line| line["msg"] == "Listening on")
                .find_map(|line| Some(format!("http://{}/am", line["address"].as_str()?)));
            address.ok_or(log)
        })
        .await;
        alertmanager
    }

    async fn alerts(&self) -> Vec<Value> {
        let answer = ClientSettings::default()
            .client()
            .unwrap()
            .get(format!("{}/api/v2/alerts", self.url).parse().unwrap())
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_shows_what_fires_and_hears_what_is_resolved() {
    let Some(program) = streamflow_oracles::alertmanager("no alert reached a real one") else { return };
    let (receiver, hook) = Receiver::start(&[]).await;
    let alertmanager = Alertmanager::start(&program, &hook).await;
    let db = Db::in_memory(Options::default());
    let rules = Rules::new(db.clone(), Arc::new(Engine::new(EngineOptions::default())), Arc::default());
    let handle = rules.handle();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(rules.run(stopped));
    let text = "groups:\n- name: g\n  interval: 200ms\n  rules:\n  - alert: Down\n    expr: up == 0\n    labels: {severity: page}\n    annotations: {summary: '{{ $labels.job }} is down', nothing: ''}\n";
    handle.apply(RuleSettings {
        files: vec![streamflow_prometheus_yml::parse_rules(text, &PathBuf::from("rules.yml")).unwrap()],
        external_labels: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
        external_url: "http://prom.example/base".to_owned(),
        notify: Settings {
            // The second is not there, which does not keep the first from hearing.
            endpoints: vec![
                endpoint(Kind::Alertmanager, &format!("{}/api/v2/alerts", alertmanager.url)),
                endpoint(Kind::Alertmanager, "http://127.0.0.1:9/api/v2/alerts"),
            ],
            ..Settings::default()
        },
        ..RuleSettings::default()
    });
    let write = |value: f64| {
        let mut batch = db.batch();
        batch.add(&Labels::new([("__name__", "up"), ("job", "api")]), crate::now_ms(), value).unwrap();
        batch.commit().unwrap();
    };

    write(0.0);
    let alert = eventually("alertmanager shows the alert", async || {
        alertmanager.alerts().await.pop().ok_or(format!("{:?}", handle.destinations()))
    })
    .await;
    assert_eq!(
        alert["labels"],
        serde_json::json!({ "alertname": "Down", "job": "api", "region": "eu", "severity": "page" })
    );
    assert_eq!(alert["annotations"], serde_json::json!({ "summary": "api is down" }));
    assert_eq!(alert["generatorURL"], "http://prom.example/base/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
    assert_eq!(handle.alerts()[0].state, AlertState::Firing);

    write(1.0);
    let resolved = eventually("the alert is resolved", async || {
        let taken = receiver.taken();
        let last = taken.last().filter(|body| body["status"] == "resolved");
        last.cloned().ok_or(format!("{taken:?} {:?}", handle.destinations()))
    })
    .await;
    assert_eq!(resolved["alerts"][0]["labels"]["alertname"], "Down");
    assert!(alertmanager.alerts().await.is_empty());
    assert!(handle.alerts().is_empty());
    let destinations = handle.destinations();
    assert!(destinations[0].sent >= 2 && destinations[0].dropped == 0, "{destinations:?}");
    assert!(destinations[1].sent == 0 && destinations[1].dropped >= 2, "{destinations:?}");

    stop.send(true).unwrap();
    running.await.unwrap();
}
