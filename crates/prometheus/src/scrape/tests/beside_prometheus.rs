//! The same targets, scraped by a real Prometheus (STREAMFLOW_PROMETHEUS, see `tools/fetch-debian.sh`): the same
//! series with the same labels and values, before and after they vanish.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::*;

const JOBS: &str = "
- job_name: plain
  static_configs: [{targets: [ADDRESS], labels: {zone: a}}]
- job_name: honest
  honor_labels: true
  static_configs: [{targets: [ADDRESS]}]
- job_name: relabeled
  params: {a: [b]}
  relabel_configs: [{source_labels: [__address__, __param_a], regex: '(.*):(.*);(.*)', target_label: port, replacement: '$3-$2'}]
  metric_relabel_configs:
  - {source_labels: [__name__], regex: 'go_.*', action: drop}
  - {source_labels: [code], regex: '(.).*', target_label: class, replacement: '${1}xx'}
  static_configs: [{targets: [ADDRESS]}]
- job_name: limited
  sample_limit: 3
  static_configs: [{targets: [ADDRESS]}]
- job_name: labels
  label_limit: 4
  static_configs: [{targets: [ADDRESS]}]
- job_name: garbage
  metrics_path: /garbage
  static_configs: [{targets: [ADDRESS]}]
- job_name: twice
  metrics_path: /twice
  static_configs: [{targets: [ADDRESS]}]
- job_name: moved
  metrics_path: /moved
  static_configs: [{targets: [ADDRESS]}]
- job_name: compressed
  metrics_path: /compressed
  static_configs: [{targets: [ADDRESS]}]
- job_name: absent
  metrics_path: /absent
  static_configs: [{targets: [ADDRESS]}]
";

const FULL: &str = "# TYPE requests_total counter\nrequests_total{code=\"200\",job=\"own\",instance=\"i\"} 5\n\
                    requests_total{code=\"404\",exported_job=\"e\",job=\"own\"} 1e3\ngo_threads 7\nodd NaN\nempty{a=\"\"} -0\n";
const LESS: &str = "requests_total{code=\"200\",job=\"own\",instance=\"i\"} 6\n";

/// Series as text with their present value; those whose value is a time or says how long something took are left out.
type State = BTreeMap<String, String>;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_series_as_prometheus() {
    let Some(program) = streamflow_oracles::prometheus("nothing was compared") else { return };
    let service = Service::default();
    service.say(FULL);
    let address = serve(service.clone()).await;
    let jobs = JOBS.replace("ADDRESS", &format!("'{address}'"));
    let yaml = format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:{jobs}");
    let running = Running::start(&yaml);
    let prometheus = Prometheus::start(&program, &yaml).await;
    // The 500 lies between the last two because Prometheus goes on showing series that it has seen in a body over a
    // limit, where we mark them stale.
    for (body, up, odd) in [(FULL, "1", true), (LESS, "1", false), ("500", "0", false), (FULL, "1", true)] {
        service.say(body);
        let plain = format!("up{{instance=\"{address}\",job=\"plain\",zone=\"a\"}}");
        let present = |state: &State| {
            let reached = state.keys().any(|series| series.starts_with("odd{")) == odd;
            reached && state.get(&plain).is_some_and(|value| value == up)
        };
        let started = Instant::now();
        loop {
            let (ours, theirs) = (ours(&running.db), prometheus.state().await);
            if present(&ours) && ours == theirs {
                break;
            }
            let only = |one: &State, other: &State| -> Vec<String> {
                let lines = one.iter().filter(|(series, value)| other.get(*series) != Some(value));
                lines.map(|(series, value)| format!("{series} {value}")).collect()
            };
            let (ours, theirs) = (only(&ours, &theirs), only(&theirs, &ours));
            assert!(started.elapsed() < WAIT_MAX, "{body}\nours {ours:#?}\nPrometheus's {theirs:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    running.stop().await;
}

fn counts(name: &str) -> bool {
    // Of the first scrape alone, which is long over in one of the two.
    !matches!(name, "scrape_duration_seconds" | "scrape_series_added")
}

fn key(labels: impl Iterator<Item = (String, String)>) -> Option<String> {
    let labels: BTreeMap<String, String> = labels.collect();
    let name = labels.get("__name__")?.clone();
    let rest: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    counts(&name).then(|| format!("{name}{{{}}}", rest.join(",")))
}

fn ours(db: &Db) -> State {
    let all = Matcher::new("__name__", MatchOp::NotEqual, "").unwrap();
    let mut state = State::new();
    for series in db.select(&[all], i64::MIN, i64::MAX).unwrap() {
        let mut samples = Samples::default();
        series.read(&mut samples).unwrap();
        let key = key(series.labels().iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let (Some(key), Some(value)) = (key, samples.values.last())
            && !is_stale(*value)
        {
            state.insert(key, value.to_string());
        }
    }
    state
}

/// A Prometheus on a free port; killed when dropped.
struct Prometheus {
    process: Child,
    url: String,
    client: streamflow_outbound::Client,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    async fn start(program: &std::path::Path, yaml: &str) -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let (config, log) = (dir.path().join("prometheus.yml"), dir.path().join("log"));
        std::fs::write(&config, yaml).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("STREAMFLOW_PROMETHEUS={}: {error}", program.display()));
        let client = streamflow_outbound::ClientSettings::default().client().unwrap();
        let mut prometheus = Prometheus { process, url: String::new(), client, _dir: dir };
        prometheus.url = eventually("prometheus listens", || {
            let text = std::fs::read_to_string(&log).unwrap();
            let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut listening = entries.filter(|entry| entry["msg"] == "Listening on");
            listening.find_map(|entry| Some(format!("http://{}", entry["address"].as_str()?))).ok_or(text)
        })
        .await;
        prometheus
    }

    /// The present series; empty while it starts.
    async fn state(&self) -> State {
        let query = [("query", "{__name__!=\"\"}")];
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/query", self.url), query).unwrap();
        let Ok(response) = self.client.get(url).send().await else { return State::new() };
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
        let series = body["data"]["result"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let state = series.iter().filter_map(|series| {
            let labels = series["metric"].as_object().unwrap();
            let value: f64 = text(&series["value"][1]).parse().unwrap();
            Some((key(labels.iter().map(|(name, value)| (name.clone(), text(value))))?, value.to_string()))
        });
        state.collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
