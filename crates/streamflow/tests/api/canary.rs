//! A canary over every protocol.

use std::sync::Arc;

use jiff::civil::date;
use prost::Message as _;
use streamflow::canary::Share;
use streamflow::config::{ApiConfig, Protocol};
use streamflow::serving::{Canary, Loaded};

use super::client::Client;
use super::fixture::{Server, serving, table, user_id};
use super::protocols::{Contents, Grpc, INFER, Infer, Inferred, Tensor};

/// With the whole of the entities: what answers says its version, and what lists models shows that in production.
#[tokio::test]
async fn a_canary_answers_over_every_protocol() {
    let settings = ApiConfig { protocols: Some(Protocol::ALL.to_vec()), ..ApiConfig::default() };
    let server = Server::loaded(settings).await;
    let candidate = Arc::new(serving(&table(), "2", date(2024, 1, 31)));
    let canary = Canary {
        id: 1,
        version: "2".into(),
        share: Share::new(1.0).unwrap(),
        loaded: Ok(Loaded::new(candidate, "1")),
    };
    server.served.load_full().unwrap().canary.store(Some(Arc::new(canary)));
    let tensor = |name: &str, datatype: &str, contents| Tensor {
        name: name.into(),
        datatype: datatype.into(),
        shape: vec![1],
        contents: Some(contents),
    };
    let number = |value| Contents { fp64s: vec![value], ..Contents::default() };
    let asked = |version: &str| Infer {
        model: "churn".into(),
        version: version.into(),
        inputs: vec![
            tensor("tenure_months", "FP64", number(1.0)),
            tensor("monthly_fee", "FP64", number(10.5)),
            tensor("auto_renew", "BOOL", Contents { bools: vec![true], ..Contents::default() }),
            tensor("plan", "BYTES", Contents { texts: vec![b"basic".to_vec()], ..Contents::default() }),
        ],
        ..Infer::default()
    };
    let mut grpc = Grpc::connect(server.grpc().await).await;
    for (version, expected) in [("", "2"), ("1", "1"), ("2", "2")] {
        let called = grpc.call(INFER, &asked(version)).await;
        assert_eq!(called.status, 0, "{}", called.text);
        assert_eq!(Inferred::decode(called.message).unwrap().version, expected);
    }
    assert_eq!(grpc.call(INFER, &asked("3")).await.status, 5);
    let mut client = Client::new(server.address).await;
    let inputs = r#"{"inputs": [{"name": "tenure_months", "shape": [1], "datatype": "INT32", "data": [1]},
        {"name": "monthly_fee", "shape": [1], "datatype": "FP64", "data": [10.5]},
        {"name": "auto_renew", "shape": [1], "datatype": "BOOL", "data": [true]},
        {"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["basic"]}]}"#;
    let user = user_id(0);
    for (path, body, expected) in [
        ("/predict", format!(r#"{{"user_id": "{user}"}}"#), r#""version":"2""#),
        ("/predict/batch", format!(r#"{{"entities": ["{user}"]}}"#), r#""version":"2""#),
        ("/v2/models/churn/infer", inputs.into(), r#""model_version":"2""#),
        ("/v2/models/churn/versions/1/infer", inputs.into(), r#""model_version":"1""#),
    ] {
        let headers = [("Content-Type", "application/json")];
        let response = client.send(&format!("POST {path}"), &headers, body.as_bytes()).await;
        assert_eq!(response.status, 200, "{path} {}", response.text());
        assert!(response.text().contains(expected), "{path} {}", response.text());
    }
    let listed = client.get("/v2/models/churn").await;
    assert!(listed.text().contains(r#""versions":["1"]"#), "{}", listed.text());
    server.stop().await;
}
