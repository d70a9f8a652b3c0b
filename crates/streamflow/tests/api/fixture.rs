//! A server on a free port with a model trained on a small table.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use jiff::civil::{Date, date};
use streamflow::api::{self, ApiState};
use streamflow::config::ApiConfig;
use streamflow::drift::watcher::Monitoring;
use streamflow::serving::{OnlineFeatures, Served, Serving};
use streamflow_dataset::{Column, Frame, Values};
use streamflow_model::{FeatureColumn, Features, Labels, Model, TrainSettings, train};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const USERS: usize = 200;
pub const FEATURES: [&str; 4] = ["tenure_months", "monthly_fee", "auto_renew", "plan"];

/// Users `U0000` to `U0199`; `U0003` has no feature at all but is known. Leavers have a short tenure.
pub fn table() -> Frame {
    let known = |row: usize| row != 3;
    let values: [(&str, Values); 5] = [
        (
            "user_id",
            Values::Text { codes: (0..USERS as u32).collect(), levels: (0..USERS).map(user_id).collect() },
        ),
        (
            "tenure_months",
            Values::Integer((0..USERS).map(|row| known(row).then_some((row * 7 % 60) as i64)).collect()),
        ),
        (
            "monthly_fee",
            Values::Float(
                (0..USERS).map(|row| if known(row) { (row % 40) as f64 + 0.95 } else { f64::NAN }).collect(),
            ),
        ),
        ("auto_renew", Values::Boolean((0..USERS).map(|row| known(row).then_some(row % 3 == 0)).collect())),
        (
            "plan",
            Values::Text {
                codes: (0..USERS).map(|row| if known(row) { (row % 2) as u32 } else { u32::MAX }).collect(),
                levels: vec!["basic".into(), "family".into()],
            },
        ),
    ];
    let columns = values.into_iter().map(|(name, values)| Column { name: name.into(), values }).collect();
    Frame { columns, rows: USERS }
}

pub fn user_id(row: usize) -> String {
    format!("U{row:04}")
}

/// The table keyed by an integer.
pub fn table_of_integers() -> Frame {
    let mut table = table();
    table.columns[0].values = Values::Integer((0..USERS as i64).map(Some).collect());
    table
}

pub fn serving(table: &Frame, version: &str, as_of: Date) -> Serving {
    let model = model();
    let features = OnlineFeatures::for_model(&model, table.clone(), "user_id").unwrap();
    Serving {
        model,
        model_name: "churn".into(),
        model_version: version.into(),
        as_of: as_of.into(),
        entity_name: "user_id".into(),
        features,
    }
}

/// Trained on the table once, with users of less than two years' tenure as leavers.
fn model() -> Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let table = table();
        let columns = FEATURES.iter().map(|&name| (name.to_owned(), feature_column(&table, name))).collect();
        let features = Features::new(columns).unwrap();
        let labels = Labels::Binary((0..USERS).map(|row| Some(row * 7 % 60 < 24)).collect());
        let users: Vec<String> = (0..USERS).map(user_id).collect();
        train(&features, &labels, &users, &TrainSettings::default()).unwrap().model
    });
    MODEL.clone()
}

fn feature_column(table: &Frame, name: &str) -> FeatureColumn {
    let number = |value: &Option<i64>| value.map_or(f64::NAN, |value| value as f64);
    match &table.column(name).unwrap().values {
        Values::Float(values) => FeatureColumn::Numerical(values.clone()),
        Values::Integer(values) => FeatureColumn::Numerical(values.iter().map(number).collect()),
        Values::Boolean(values) => FeatureColumn::Categorical {
            codes: values.iter().map(|value| value.map_or(streamflow_model::MISSING, u32::from)).collect(),
            levels: vec!["false".into(), "true".into()],
        },
        Values::Text { codes, levels } => {
            FeatureColumn::Categorical { codes: codes.clone(), levels: levels.clone() }
        }
        Values::Date(_) => panic!("the table has no date"),
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub served: Served,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    pub async fn start(settings: ApiConfig, served: Option<Serving>) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Served::new(served.map(Arc::new).into());
        let state = ApiState::new(settings, "user_id".into(), served.clone(), Monitoring::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(api::serve(listener, state, stopped));
        Server { address, served, stop, task }
    }

    /// With the table loaded as version 1 of 2024-01-31.
    pub async fn loaded(settings: ApiConfig) -> Server {
        Server::start(settings, Some(serving(&table(), "1", date(2024, 1, 31)))).await
    }

    /// Asks the server to stop; the handle resolves once it has.
    pub fn shutdown(self) -> JoinHandle<anyhow::Result<()>> {
        self.stop.send(()).expect("the server runs until it is told to stop");
        self.task
    }

    pub async fn stop(self) {
        self.shutdown().await.unwrap().unwrap();
    }
}
