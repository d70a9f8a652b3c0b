//! A server on a free port with a model trained on a small table.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use jiff::civil::{Date, date};
use serde_json::json;
use streamflow::api::observed::{Observer, Observers};
use streamflow::api::{self, ApiState, FileModel, NamedFile};
use streamflow::config::ApiConfig;
use streamflow::drift::watcher::Monitoring;
use streamflow::serving::{OnlineFeatures, Served, Serving};
use streamflow_dataset::{Column, EntityKey, Frame, Values};
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

/// The table keyed by a text and an integer: `s0` to `s9`, each with 0 to 19.
pub fn table_of_stores() -> Frame {
    let mut table = table();
    let stores = Values::Text {
        codes: (0..USERS).map(|row| (row / 20) as u32).collect(),
        levels: (0..USERS / 20).map(|store| format!("s{store}")).collect(),
    };
    let skus = Values::Integer((0..USERS as i64).map(|row| Some(row % 20)).collect());
    table.columns[0] = Column { name: "store".into(), values: stores };
    table.columns.insert(1, Column { name: "sku".into(), values: skus });
    table
}

/// What names a row of the table.
fn key_of(table: &Frame) -> EntityKey {
    let key = if table.column("sku").is_some() { json!(["store", "sku"]) } else { json!("user_id") };
    serde_json::from_value(key).unwrap()
}

pub fn serving(table: &Frame, version: &str, as_of: Date) -> Serving {
    serving_with(model(), table, version, as_of)
}

/// With a model of these features alone.
pub fn serving_of(names: &[&str], version: &str) -> Serving {
    serving_with(trained(names), &table(), version, date(2024, 1, 31))
}

fn serving_with(model: Model, table: &Frame, version: &str, as_of: Date) -> Serving {
    let features = OnlineFeatures::for_model(&model, table.clone(), &key_of(table)).unwrap();
    Serving {
        model,
        model_name: "churn".into(),
        model_version: version.into(),
        as_of: as_of.into(),
        key: key_of(table),
        features: features.into(),
        canary: None.into(),
    }
}

/// Trained on the table once, with users of less than two years' tenure as leavers.
fn model() -> Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| trained(&FEATURES));
    MODEL.clone()
}

fn trained(names: &[&str]) -> Model {
    let table = table();
    let columns = names.iter().map(|&name| (name.to_owned(), feature_column(&table, name))).collect();
    let features = Features::new(columns).unwrap();
    let labels = Labels::Binary((0..USERS).map(|row| Some(row * 7 % 60 < 24)).collect());
    let users: Vec<String> = (0..USERS).map(user_id).collect();
    train(&features, &labels, &users, &TrainSettings::default()).unwrap().model
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

/// A model of LightGBM of `hours`, over 30 or not, and of `plan`, which it does not look at.
pub const MODEL_FILE: &str = "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=binary sigmoid:1\n\
    feature_names=hours plan\nfeature_infos=[0:50] 0:1\n\nTree=0\nnum_leaves=2\nsplit_feature=0\nthreshold=30\n\
    decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=1 -1\n\nend of trees\n\
    pandas_categorical:[[\"monthly\", \"yearly\"]]\n";

fn file_model(name: &str) -> FileModel {
    let text = if name == "price" {
        MODEL_FILE.replace("binary sigmoid:1", "regression")
    } else {
        MODEL_FILE.to_owned()
    };
    FileModel::new(name.to_owned(), streamflow_inference::Model::read(text.as_bytes()).unwrap())
}

pub struct Server {
    pub address: SocketAddr,
    pub served: Served,
    state: ApiState,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    pub async fn start(settings: ApiConfig, served: Option<Serving>) -> Server {
        let key = served.as_ref().map_or_else(|| EntityKey::new("user_id"), |served| served.key.clone());
        let served = Served::new(served.map(Arc::new).into());
        let state = ApiState::new(settings, key, served.clone(), Monitoring::default());
        Server::of_state(state, served).await
    }

    /// As [`Server::loaded`], with all protocols and an observer.
    pub async fn observed(settings: ApiConfig, observer: Arc<dyn Observer>) -> Server {
        let served =
            Served::new(Some(Arc::new(serving(&table(), "1", jiff::civil::date(2024, 1, 31)))).into());
        let state = ApiState::new(settings, EntityKey::new("user_id"), served.clone(), Monitoring::default());
        let mut observers = Observers::default();
        observers.push(observer);
        state.tell(observers);
        Server::of_state(state, served).await
    }

    async fn of_state(state: ApiState, served: Served) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(api::serve(listener, state.clone(), stopped));
        Server { address, served, state, stop, task }
    }

    /// The address of gRPC, which ends with the test.
    pub async fn grpc(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(api::serve_grpc(listener, self.state.clone(), std::future::pending::<()>()));
        address
    }

    /// With model files of these names: `price` is a regression, the others are classifiers.
    pub async fn of_files(settings: ApiConfig, names: &[&str]) -> Server {
        let file = |name: &&str| NamedFile { name: (*name).to_owned(), model: file_model(name), path: None };
        Server::of_named(settings, names.iter().map(file).collect()).await
    }

    pub async fn of_named(settings: ApiConfig, files: Vec<NamedFile>) -> Server {
        Server::of_state(ApiState::of_files(settings, files).unwrap(), Served::default()).await
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
