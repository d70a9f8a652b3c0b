//! What tests that talk to a server share: a client, waiting, requests of the churn example.

use std::fs::read_to_string;
use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::Project;

/// For every single wait: a scrape a second needs two or three of them, a busy machine many more.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Contract expressions of existing dashboards.
pub const REQUEST_RATE: &str = "rate(api_requests_total[5m])";
pub const MEAN_LATENCY: &str =
    "rate(api_request_latency_seconds_sum[5m]) / rate(api_request_latency_seconds_count[5m])";

pub fn client() -> reqwest::Client {
    // An error says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

pub async fn predict(client: &reqwest::Client, url: &str, user_id: &str) -> u16 {
    let body = json!({ "user_id": user_id });
    client.post(format!("{url}/predict")).json(&body).send().await.unwrap().status().as_u16()
}

/// The users of a generated month.
pub fn user_ids(project: &Project, month: &str) -> Vec<String> {
    let users = read_to_string(project.path(&format!("drops/month_{month}/users.csv"))).unwrap();
    users.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

/// Every expression of the dashboards of a new project, over a window that the requests above are certain to be in.
pub fn dashboard_expressions(project: &Project) -> Vec<String> {
    let mut expressions = Vec::new();
    for (path, bytes) in project.files("grafana/dashboards") {
        let dashboard: Value = serde_json::from_slice(&bytes).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                expressions.push(target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"));
            }
        }
        assert!(!expressions.is_empty(), "{}", path.display());
    }
    for contract in [REQUEST_RATE, MEAN_LATENCY] {
        assert!(expressions.contains(&contract.to_owned()), "{contract}");
    }
    expressions
}

/// Tries until `attempt` succeeds; after [`WAIT_MAX`] fails with what it said last.
pub async fn eventually<T, E, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    E: std::fmt::Debug,
    F: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(last) => {
                assert!(started.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}, last {last:?}")
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
