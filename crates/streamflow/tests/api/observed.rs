//! What observers are told, by every way to ask.

use std::sync::{Arc, Mutex};

use streamflow::api::observed::{Asked, ObservedRow, Observer};
use streamflow::config::{ApiConfig, Protocol};

use crate::client::Client;
use crate::fixture::{Server, user_id};

/// What was told, a line each.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn row(&self, row: &ObservedRow<'_>) {
        let line = format!(
            "row {} {} entity={} features={} class={} version={} id={}",
            row.asked.protocol,
            row.status,
            row.entity.map_or("none".to_owned(), streamflow::serving::Entity::text),
            row.features.map_or(0, <[_]>::len),
            row.class().unwrap_or("none"),
            row.serving.model_version,
            row.asked.request_id().unwrap_or("none"),
        );
        self.0.lock().unwrap().push(line);
    }

    fn request(&self, asked: &Asked, status: u16) {
        self.0.lock().unwrap().push(format!("request {} {status}", asked.protocol));
    }
}

#[tokio::test]
async fn every_row_and_every_request_is_told_once() {
    let told = Arc::new(Told::default());
    let settings = ApiConfig { protocols: Some(Protocol::ALL.to_vec()), ..ApiConfig::default() };
    let server = Server::observed(settings, told.clone()).await;
    let mut client = Client::new(server.address).await;
    let known = user_id(0);
    let inputs = r#"{"inputs": [{"name": "tenure_months", "shape": [1], "datatype": "INT32", "data": [1]},
        {"name": "monthly_fee", "shape": [1], "datatype": "FP64", "data": [10.5]},
        {"name": "auto_renew", "shape": [1], "datatype": "BOOL", "data": [true]},
        {"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["basic"]}]}"#;
    for (path, body, status, expected) in [
        (
            "/predict",
            format!(r#"{{"user_id": "{known}"}}"#),
            200,
            vec![
                format!("row predict 200 entity={known} features=4 class=CLASS version=1 id=mine"),
                "request predict 200".into(),
            ],
        ),
        (
            "/predict",
            r#"{"user_id": "nobody"}"#.into(),
            404,
            vec![
                "row predict 404 entity=nobody features=0 class=none version=1 id=mine".into(),
                "request predict 404".into(),
            ],
        ),
        ("/predict", "[]".into(), 422, vec!["request predict 422".into()]),
        (
            "/predict/batch",
            format!(r#"{{"entities": ["nobody", "{known}"]}}"#),
            200,
            vec![
                "row batch 404 entity=nobody features=0 class=none version=1 id=mine".into(),
                format!("row batch 200 entity={known} features=4 class=CLASS version=1 id=mine"),
                "request batch 200".into(),
            ],
        ),
        (
            "/v2/models/churn/infer",
            inputs.into(),
            200,
            vec![
                "row v2 200 entity=none features=4 class=CLASS version=1 id=mine".into(),
                "request v2 200".into(),
            ],
        ),
        (
            "/v1/models/churn:predict",
            r#"{"instances": [[1, 2, true, "basic"], ["1", 2, true, "basic"]]}"#.into(),
            400,
            vec!["request kserve 400".into()],
        ),
    ] {
        let headers = [("Content-Type", "application/json"), ("X-Request-ID", "mine")];
        let response = client.send(&format!("POST {path}"), &headers, body.as_bytes()).await;
        assert_eq!(response.status, status, "{path} {body} {}", response.text());
        let lines: Vec<String> = told.0.lock().unwrap().drain(..).collect();
        let lines: Vec<String> = lines
            .iter()
            .map(|line| line.replace("class=0", "class=CLASS").replace("class=1", "class=CLASS"))
            .collect();
        assert_eq!(lines, expected, "{path} {body}");
    }
    server.stop().await;
}
