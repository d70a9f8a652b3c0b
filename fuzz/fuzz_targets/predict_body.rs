//! Any bytes as the body of a prediction, single and in a batch: an answer, and never a 500.
#![no_main]

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use streamflow::api::{self, ApiState};
use streamflow::config::ApiConfig;
use streamflow::drift::watcher::Monitoring;
use streamflow::serving::{OnlineFeatures, Served, Serving};
use streamflow_dataset::{Column, EntityKey, Frame, Values};
use streamflow_fuzz::{answer, runtime};
use streamflow_model::{FeatureColumn, Features, Labels, TrainSettings, train};
use tokio::runtime::Runtime;

const USERS: u32 = 200;

static SERVICES: LazyLock<(Runtime, [Router; 3])> = LazyLock::new(|| {
    let text = Values::Text {
        codes: (0..USERS).collect(),
        levels: (0..USERS).map(|row| format!("U{row}")).collect(),
    };
    let integers = Values::Integer((0..i64::from(USERS)).map(Some).collect());
    let user = EntityKey::new("user_id");
    let both: EntityKey = serde_json::from_str("[\"user_id\",\"day\"]").expect("a key");
    (runtime(), [(text.clone(), &user), (integers, &user), (text, &both)].map(service))
});

/// Serves a model of one feature for users that are known by these values, and by a day where the key has two columns.
fn service((users, key): (Values, &EntityKey)) -> Router {
    let hours: Vec<f64> = (0..USERS).map(|row| f64::from(row * 7 % 60)).collect();
    let features = vec![("hours".to_owned(), FeatureColumn::Numerical(hours.clone()))];
    let labels: Vec<Option<bool>> = hours.iter().map(|hours| Some(*hours < 24.0)).collect();
    let names: Vec<String> = (0..USERS).map(|row| row.to_string()).collect();
    let features = Features::new(features).expect("a table");
    let model =
        train(&features, &Labels::Binary(labels), &names, &TrainSettings::default()).expect("a model").model;
    let days = Values::Integer(vec![Some(1); USERS as usize]);
    let columns = [("user_id", users), ("day", days), ("hours", Values::Float(hours))];
    let columns =
        columns.into_iter().map(|(name, values)| Column { name: name.to_owned(), values }).collect();
    let frame = Frame { columns, rows: USERS as usize };
    let serving = Serving {
        features: Arc::new(OnlineFeatures::for_model(&model, frame, key).expect("the model's table")),
        model,
        model_name: "churn".to_owned(),
        model_version: "1".to_owned(),
        as_of: date(2024, 1, 31).into(),
        key: key.clone(),
        canary: None.into(),
    };
    let served = Served::new(Some(Arc::new(serving)).into());
    api::router(ApiState::new(ApiConfig::default(), key.clone(), served, Monitoring::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let (runtime, services) = &*SERVICES;
    for service in services {
        for path in ["/predict", "/predict/batch"] {
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
            let request = request.body(Body::from(bytes.to_vec())).expect("a request");
            let (status, body) = answer(runtime, service, request);
            assert!(matches!(status.as_u16(), 200 | 404 | 413 | 422), "{status}");
            serde_json::from_slice::<serde_json::Value>(&body).expect("every answer is JSON");
        }
    }
});
