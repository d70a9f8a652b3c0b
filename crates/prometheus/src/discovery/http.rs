//! Discovery by a server that answers with target groups in JSON (`http_sd_configs`).

use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use streamflow_outbound::{causes, shown_address};
use streamflow_prometheus_yml::{HttpDiscovery, LabelMap, parse_targets};

use super::labels_of;
use crate::clients::{client, credentials};

/// Longest wait for an answer; less where the next question is due before.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is taken of an answer at most.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The targets that the server tells now.
///
/// # Errors
/// Why there is no answer, or what is wrong in it; the address is shown without its secrets.
pub(super) async fn ask(config: &HttpDiscovery) -> Result<Vec<LabelMap>, String> {
    let shown = shown_address(&config.url).unwrap_or_default();
    asked(config).await.map_err(|reason| format!("{shown}: {reason}"))
}

async fn asked(config: &HttpDiscovery) -> Result<Vec<LabelMap>, String> {
    let http = config.http.clone();
    let made = tokio::task::spawn_blocking(move || client(&http)).await;
    let client = made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let url: Url = config.url.parse().map_err(|error| format!("is no URL: {error}"))?;
    let interval = config.refresh_interval.as_secs_f64().to_string();
    let request = client.get(url).timeout(timeout(config)).header(ACCEPT, "application/json");
    let request = request.header("X-Prometheus-Refresh-Interval-Seconds", interval);
    let request = credentials(&config.http).authorize(request).await.map_err(|error| error.to_string())?;
    let mut response = request.send().await.map_err(causes)?;
    if response.status() != 200 {
        return Err(format!("answered {}, expected 200", response.status()));
    }
    let media =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_json(media) {
        return Err(format!("the content type is {media:?}, expected application/json"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(causes)? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("the answer is larger than {BODY_BYTES_MAX} bytes"));
        }
    }
    let groups = parse_targets(Path::new("answer.json"), &body)?;
    let targets = groups.iter().flat_map(labels_of).map(|mut labels| {
        labels.insert("__meta_url".to_owned(), config.url.clone());
        labels
    });
    Ok(targets.collect())
}

fn timeout(config: &HttpDiscovery) -> Duration {
    if config.refresh_interval.is_zero() { TIMEOUT } else { config.refresh_interval.min(TIMEOUT) }
}

fn is_json(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    let (media, charset) = content_type.split_once(';').unwrap_or((&content_type, ""));
    media == "application/json" && matches!(charset.trim(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::get;

    use super::*;

    async fn served(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn json(body: &'static str) -> axum::routing::MethodRouter {
        get(move || async move { ([("content-type", "application/json; charset=utf-8")], body) })
    }

    #[tokio::test]
    async fn a_server_has_until_the_next_question() {
        let silent = get(|| async { std::future::pending::<&str>().await });
        let url = served(Router::new().route("/", silent)).await;
        let refresh_interval = Duration::from_millis(200);
        let config = HttpDiscovery { url, refresh_interval, ..HttpDiscovery::default() };
        let asked = tokio::time::timeout(TIMEOUT / 2, ask(&config)).await;
        let error = asked.expect("an answer within the interval").unwrap_err();
        assert!(error.contains("timed out"), "{error}");
        let of = |seconds| HttpDiscovery { refresh_interval: Duration::from_secs(seconds), ..config.clone() };
        assert_eq!([0, 5, 600].map(|seconds| timeout(&of(seconds)).as_secs()), [60, 5, 60]);
    }

    #[tokio::test]
    async fn answers() {
        let asked = |headers: HeaderMap| async move {
            let interval = headers["x-prometheus-refresh-interval-seconds"].to_str().unwrap().to_owned();
            ([("content-type", "application/json")], format!(r#"[{{"targets":["a:{interval}"]}}]"#))
        };
        let router = Router::new()
            .route("/good", json(r#"[{"targets":["a:1","b:2"],"labels":{"x":"y"}},{"targets":null}]"#))
            .route("/asked", get(asked))
            .route("/null", json("null"))
            .route("/cut", json("[{"))
            .route("/text", get(|| async { "[]" }));
        let base = served(router).await;
        let found = async |path: &str| {
            let config = HttpDiscovery {
                url: format!("{base}{path}"),
                refresh_interval: Duration::from_secs(5),
                ..HttpDiscovery::default()
            };
            ask(&config).await
        };
        let good = found("/good").await.unwrap();
        assert_eq!(good.len(), 2);
        assert_eq!((good[1]["__address__"].as_str(), good[1]["x"].as_str()), ("b:2", "y"));
        assert_eq!(good[1]["__meta_url"], format!("{base}/good"));
        assert_eq!(found("/asked").await.unwrap()[0]["__address__"], "a:5");
        assert_eq!(found("/null").await, Ok(Vec::new()));
        for (path, reason) in
            [("/cut", "EOF"), ("/text", "expected application/json"), ("/none", "answered 404")]
        {
            let error = found(path).await.unwrap_err();
            assert!(error.contains(reason) && error.starts_with(&base), "{error}");
        }
    }
}
