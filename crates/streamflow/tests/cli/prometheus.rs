//! A real Prometheus, with the configuration that `init` writes, scrapes a real server; every expression of the
//! dashboards then has an answer.
//!
//! Prometheus is the executable named by STREAMFLOW_PROMETHEUS (`tools/fetch-debian.sh prometheus DIR` unpacks one).

use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{MEAN_LATENCY, REQUEST_RATE, client, dashboard_expressions, eventually, predict, user_ids};
use crate::project::Project;

#[tokio::test]
async fn prometheus_counts_what_the_service_answers() {
    let Some(program) = streamflow_oracles::prometheus("no real scrape was tested") else { return };
    let project = Project::with_sample(500);
    for month in ["2024-01-31", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project.ok(&["monitor", "--reference", "2024-01-31", "--current", "2024-03-31"]);
    let client = client();
    let service = Service::start(&project);
    eventually("the model is loaded", || async {
        let status = client.get(format!("{}/ready", service.url)).send().await.unwrap().status();
        status.is_success().then_some(()).ok_or(status)
    })
    .await;
    let prometheus = Prometheus::start(&program, &service.url, client.clone()).await;

    prometheus.wait_until_up("api").await;
    prometheus.wait_until_up("prometheus").await;
    assert_eq!(prometheus.values("up{job=\"api\"}").await, [1.0]);
    prometheus.wait_for("api_requests_total", 0.0).await;

    let users = user_ids(&project, "2024-03-31");
    // An unknown user is a request too.
    for (user, expected) in users[..5].iter().map(|user| (user.as_str(), 200)).chain([("nobody", 404)]) {
        assert_eq!(predict(&client, &service.url, user).await, expected);
    }
    prometheus.wait_for("api_requests_total", 6.0).await;
    prometheus.wait_for("sum(api_responses_total{code=\"404\"})", 1.0).await;

    for user in users.iter().cycle().take(100) {
        assert_eq!(predict(&client, &service.url, user).await, 200);
    }
    prometheus.wait_for("api_requests_total", 106.0).await;
    prometheus.wait_for("api_request_latency_seconds_count", 106.0).await;
    prometheus.wait_for("api_request_latency_seconds_bucket{le=\"+Inf\"}", 106.0).await;
    prometheus.wait_for("sum(predictions_total)", 105.0).await;

    for expression in [REQUEST_RATE, MEAN_LATENCY] {
        let values = prometheus.wait_for_some(expression).await;
        assert!(values.len() == 1 && values[0].is_finite() && values[0] > 0.0, "{expression}: {values:?}");
    }
    // Live traffic is judged from 200 entities on, when their minute has ended.
    for user in &users {
        assert_eq!(predict(&client, &service.url, user).await, 200);
    }
    for expression in dashboard_expressions(&project) {
        let values = prometheus.wait_for_some(&expression).await;
        assert!(values.iter().any(|value| value.is_finite()), "{expression}: {values:?}");
    }

    drop(service);
    prometheus.wait_for("up{job=\"api\"}", 0.0).await;
    eventually("the series of a dead server are stale", || async {
        let values = prometheus.values("api_requests_total").await;
        if values.is_empty() { Ok(()) } else { Err(values) }
    })
    .await;
}

/// `streamflow serve`; killed when dropped.
struct Service {
    process: Child,
    url: String,
}

impl Service {
    fn start(project: &Project) -> Self {
        let log = File::create(project.path("serve.log")).unwrap();
        let mut command = project.command(&["serve", "--listen", "127.0.0.1:0"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        // Owned before anything can fail, so that it is killed then too.
        let mut service = Self { process, url: String::new() };
        let mut line = String::new();
        BufReader::new(service.process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ");
        service.url = url.unwrap_or_else(|| panic!("serve printed {line:?}")).to_owned();
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        kill(&mut self.process);
    }
}

/// A Prometheus on a free port with a database of its own; killed when dropped.
struct Prometheus {
    process: Child,
    url: String,
    client: reqwest::Client,
    dir: TempDir,
}

impl Prometheus {
    /// Scrapes the service at `target` as the shipped configuration says, but every second.
    async fn start(program: &Path, target: &str, client: reqwest::Client) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = include_str!("../../templates/prometheus.yml").to_owned();
        for (shipped, tested) in
            [("10s", "1s"), ("5s", "1s"), ("api:8000", target.strip_prefix("http://").unwrap())]
        {
            assert!(config.contains(shipped), "the template no longer holds {shipped}");
            config = config.replace(shipped, tested);
        }
        let config_file = dir.path().join("prometheus.yml");
        std::fs::write(&config_file, config).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("STREAMFLOW_PROMETHEUS={}: {error}", program.display()));
        let mut prometheus = Self { process, url: String::new(), client, dir };
        prometheus.url = eventually("prometheus listens", || async { prometheus.listening() }).await;
        // It scrapes itself too, on the port that it was given.
        let config = read_to_string(&config_file).unwrap();
        assert!(config.contains("localhost:9090"), "the template no longer scrapes prometheus itself");
        let own = prometheus.url.strip_prefix("http://").unwrap();
        std::fs::write(&config_file, config.replace("localhost:9090", own)).unwrap();
        prometheus.reload().await;
        prometheus
    }

    /// The address that the log names, with what else it says until then.
    fn listening(&self) -> Result<String, String> {
        let log = read_to_string(self.dir.path().join("log")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = lines
            .filter(|line| line["msg"] == "Listening on")
            .find_map(|line| Some(format!("http://{}", line["address"].as_str()?)));
        address.ok_or(log)
    }

    async fn reload(&self) {
        let answer = self.client.post(format!("{}/-/reload", self.url)).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "reload: {status} {}", answer.text().await.unwrap());
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), parameters).unwrap();
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{path} {parameters:?}: {answer:#}");
        answer["data"].clone()
    }

    /// The present values of an expression, one a series.
    async fn values(&self, expression: &str) -> Vec<f64> {
        let data = self.get("query", &[("query", expression)]).await;
        let samples = data["result"].as_array().unwrap();
        samples.iter().map(|sample| sample["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }

    async fn wait_for(&self, expression: &str, expected: f64) {
        eventually(&format!("{expression} is {expected}"), || async {
            let values = self.values(expression).await;
            if values == [expected] { Ok(()) } else { Err(values) }
        })
        .await;
    }

    /// The values of an expression once there are some and one of them is a number.
    async fn wait_for_some(&self, expression: &str) -> Vec<f64> {
        eventually(&format!("{expression} has a value"), || async {
            let values = self.values(expression).await;
            if values.iter().any(|value| !value.is_nan()) { Ok(values) } else { Err(values) }
        })
        .await
    }

    async fn wait_until_up(&self, job: &str) {
        eventually(&format!("the target of job {job} is up"), || async {
            let data = self.get("targets", &[("state", "active")]).await;
            let targets = data["activeTargets"].as_array().unwrap();
            let up = |target: &Value| target["labels"]["job"] == job && target["health"] == "up";
            if targets.iter().any(up) { Ok(()) } else { Err(data) }
        })
        .await;
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        kill(&mut self.process);
    }
}

fn kill(process: &mut Child) {
    // An error says that it has ended already.
    let _ = process.kill();
    let _ = process.wait();
}
