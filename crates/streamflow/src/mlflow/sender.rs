//! Tells of trained versions and of what is in production, from what the registry and the store have.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use streamflow_model::{Import, Stored, Trained};

use super::foreign::{self, Flavor};
use super::reference::tag;
use super::server::{CallError, Server};
use super::{CHAMPION, Connection, directory, report};
use crate::random::hex;
use crate::registry::Registry;
use crate::store::Store;
use crate::store::mlflow::Waiting;
use crate::store::models::ModelVersion;

/// For how long a version is left to the process that has taken it.
const TAKEN_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);
/// The folder of the model among the artefacts of a run.
const MODEL: &str = "model";
/// Most parameters of a request.
const PARAMETERS_MAX: usize = 100;

/// What tells the server.
pub struct Sender {
    pub server: Server,
    connection: Connection,
    store: Store,
    registry: Registry,
    /// The name of the model whose production version is told.
    name: String,
}

impl Sender {
    /// # Errors
    /// Those of [`Server::new`].
    pub fn new(
        connection: &Connection,
        store: &Store,
        registry: &Registry,
        name: &str,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::new(connection)?,
            connection: connection.clone(),
            store: store.clone(),
            registry: registry.clone(),
            name: name.to_owned(),
        })
    }

    /// Tells all that is left, the oldest first; what fails is given back.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn catch_up(&self) -> Result<(), CallError> {
        let until = || format!("{:.3}", Timestamp::now() + TAKEN_FOR);
        while let Some(mut waiting) = self.store.mlflow_take(&until()).await.map_err(stored)? {
            match self.tell(&mut waiting).await {
                Ok(number) => {
                    self.store.mlflow_registered(&waiting, &number).await.map_err(stored)?;
                    let Waiting { name, version, .. } = &waiting;
                    tracing::info!(
                        "version {version} of {name} is version {number} of {} in MLflow",
                        self.connection.model
                    );
                }
                Err(CallError::Lost(reason)) => {
                    self.store.mlflow_give_back(&waiting).await.map_err(stored)?;
                    return Err(CallError::Lost(reason));
                }
                Err(refused) => {
                    let Waiting { name, version, .. } = &waiting;
                    tracing::error!("version {version} of {name} is not in MLflow: {refused}");
                    self.store.mlflow_refused(&waiting, &refused.to_string()).await.map_err(stored)?;
                }
            }
        }
        self.promote().await
    }

    /// Logs the training of a version and registers it; gives its number there.
    async fn tell(&self, waiting: &mut Waiting) -> Result<String, CallError> {
        let Waiting { name, version, .. } = &*waiting;
        let refused = |what: &str| CallError::Refused(format!("version {version} of {name} {what}"));
        let versions = self.registry.versions().await.map_err(lost)?;
        let found = versions.into_iter().find(|found| found.name == *name && found.version == *version);
        let found = found.ok_or_else(|| refused("was deleted"))?;
        let stored = self.registry.stored(name, *version).await;
        let stored = stored.map_err(|error| CallError::Refused(format!("{error:#}")))?;
        let written = Written::of(&stored)?;
        let run = self.run(waiting, &found).await?;
        let parameters = match &stored {
            Stored::Trained(trained) => parameters(&found, trained),
            Stored::Imported(import) => foreign::parameters(import),
        };
        let root = self.log(&run, &found, &parameters).await?;
        let sum = hex(&Sha256::digest(written.bytes()));
        for (file, bytes) in written.files(&run) {
            self.server.upload(&root, &format!("{MODEL}/{file}"), bytes).await?;
        }
        let metrics = serde_json::to_vec_pretty(&found.metrics).unwrap_or_default();
        self.server.upload(&root, "metrics.json", metrics).await?;
        let evaluations = self.store.evaluations(&found.name).await.map_err(self::stored)?;
        let report = report::of_version(&found, &stored, &evaluations);
        self.server.upload(&root, "report.html", report.into_bytes()).await?;
        if let Some(report) = self.comparison(&found).await? {
            self.server.upload(&root, "comparison.json", report).await?;
        }
        let end = json!({ "run_id": run, "status": "FINISHED", "end_time": milliseconds(&found.created_at) });
        self.server.post("runs/update", &end).await?;
        self.register(&found, &run, &root, &sum).await
    }

    /// The run of a version, made where there is none.
    async fn run(&self, waiting: &mut Waiting, found: &ModelVersion) -> Result<String, CallError> {
        if let Some(run) = &waiting.run_uuid {
            match self.server.get("runs/get", &[("run_id", run)]).await {
                Ok(_) => return Ok(run.clone()),
                // Somebody has deleted it, or the server is another one.
                Err(CallError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let experiment = self.experiment().await?;
        let began = match found.run_id {
            Some(run) => self.store.run(run).await.map_err(stored)?.map(|run| run.started_at),
            None => None,
        };
        let began = began.unwrap_or_else(|| found.created_at.clone());
        let body = json!({
            "experiment_id": experiment,
            "start_time": milliseconds(&began),
            "run_name": format!("{}-{}", found.name, found.version),
            "tags": pairs(&tags(found)),
        });
        let made = self.server.post("runs/create", &body).await?;
        let run = text(&made["run"]["info"]["run_id"], "runs/create")?;
        self.store.mlflow_has_run(waiting, &run).await.map_err(stored)?;
        waiting.run_uuid = Some(run.clone());
        Ok(run)
    }

    async fn experiment(&self) -> Result<String, CallError> {
        let name = self.connection.experiment.as_str();
        let query = [("experiment_name", name)];
        let found = match self.server.get("experiments/get-by-name", &query).await {
            Err(CallError::Missing(_)) => {
                match self.server.post("experiments/create", &json!({ "name": name })).await {
                    Ok(made) => return text(&made["experiment_id"], "experiments/create"),
                    // Somebody else was faster.
                    Err(CallError::Exists(_)) => self.server.get("experiments/get-by-name", &query).await?,
                    Err(error) => return Err(error),
                }
            }
            found => found?,
        };
        if found["experiment"]["lifecycle_stage"] == "deleted" {
            return Err(CallError::Refused(format!(
                "the experiment {name:?} was deleted in MLflow; restore it, or name another with MLFLOW_EXPERIMENT_NAME or mlflow.experiment"
            )));
        }
        text(&found["experiment"]["experiment_id"], "experiments/get-by-name")
    }

    /// Logs parameters and metrics; gives the address of the run's artefacts.
    async fn log(
        &self,
        run: &str,
        found: &ModelVersion,
        parameters: &[(String, String)],
    ) -> Result<String, CallError> {
        let at = milliseconds(&found.created_at);
        let metric = |(key, value): (&String, &Value)| {
            let value = value.as_f64()?;
            Some(json!({ "key": key, "value": value, "timestamp": at, "step": 0 }))
        };
        let nested = found.metrics["values"].as_object();
        let own = found.metrics.as_object();
        let metrics: Vec<Value> = own.into_iter().chain(nested).flatten().filter_map(metric).collect();
        let body = json!({ "run_id": run, "metrics": metrics, "params": pairs(parameters), "tags": [] });
        self.server.post("runs/log-batch", &body).await?;
        let answer = self.server.get("runs/get", &[("run_id", run)]).await?;
        text(&answer["run"]["info"]["artifact_uri"], "runs/get")
    }

    /// What the run that trained the version found when it compared it with production, where it did.
    async fn comparison(&self, found: &ModelVersion) -> Result<Option<Vec<u8>>, CallError> {
        let Some(run) = found.run_id else { return Ok(None) };
        let outputs = self.store.outputs(run).await.map_err(stored)?;
        let report = outputs.into_iter().find(|(step, _)| step == "compare_versions");
        Ok(report.and_then(|(_, report)| serde_json::to_vec_pretty(&report).ok()))
    }

    async fn register(
        &self,
        found: &ModelVersion,
        run: &str,
        root: &str,
        sum: &str,
    ) -> Result<String, CallError> {
        let model = &self.connection.model;
        match self.server.post("registered-models/create", &json!({ "name": model })).await {
            Ok(_) | Err(CallError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        let source = format!("{}/{MODEL}", root.trim_end_matches('/'));
        // What was registered before, by a process that stopped before it knew, is not registered again.
        let filter = format!("run_id='{run}'");
        let before = self.server.get("model-versions/search", &[("filter", &filter)]).await?;
        let before = before["model_versions"].as_array().into_iter().flatten();
        if let Some(before) = { before }.find(|version| version["name"] == **model) {
            return text(&before["version"], "model-versions/search");
        }
        let mut tags = tags(found);
        tags.push((tag::SHA256.to_owned(), sum.to_owned()));
        if let Some(threshold) = found.metrics["threshold"].as_f64() {
            tags.push((tag::THRESHOLD.to_owned(), threshold.to_string()));
        }
        let body = json!({ "name": model, "source": source, "run_id": run, "tags": pairs(&tags) });
        let made = self.server.post("model-versions/create", &body).await?;
        text(&made["model_version"]["version"], "model-versions/create")
    }

    /// Moves the alias and the stage to the version that was registered for the one in production.
    async fn promote(&self) -> Result<(), CallError> {
        let Some(production) = self.store.production(&self.name).await.map_err(stored)? else {
            return Ok(());
        };
        let version = production.version;
        let known = self.store.mlflow_production(&self.name).await.map_err(stored)?;
        if known == Some(version) {
            return Ok(());
        }
        let Some(number) = self.store.mlflow_number(&self.name, version).await.map_err(stored)? else {
            return Ok(());
        };
        // The first version is in production because there is no other; what a team has chosen is left to it.
        let is_free = known.is_some() || self.champion().await?.is_none();
        if is_free {
            self.point_to(&number).await?;
            tracing::info!("{CHAMPION} of {} in MLflow is version {number}", self.connection.model);
        }
        self.store.set_mlflow_production(&self.name, version).await.map_err(stored)
    }

    /// The number of the version that is the champion there.
    async fn champion(&self) -> Result<Option<String>, CallError> {
        super::reference::of_alias(&self.server, &self.connection.model, CHAMPION).await
    }

    async fn point_to(&self, number: &str) -> Result<(), CallError> {
        let name = &self.connection.model;
        let alias = json!({ "name": name, "alias": CHAMPION, "version": number });
        match self.server.post("registered-models/alias", &alias).await {
            Err(CallError::Missing(reason) | CallError::Refused(reason)) => {
                tracing::error!("MLflow was not told of the promotion: {reason}");
                return Ok(());
            }
            told => told?,
        };
        let stage = json!({
            "name": name, "version": number, "stage": "Production", "archive_existing_versions": true,
        });
        match self.server.post("model-versions/transition-stage", &stage).await {
            // A server without stages has the alias.
            Ok(_) | Err(CallError::Missing(_) | CallError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The file of a version, and how it becomes a model directory.
enum Written<'a> {
    Trained(&'a Trained, Vec<u8>),
    Imported(&'a Import, Flavor),
}

impl<'a> Written<'a> {
    /// # Errors
    /// A model that has no form that MLflow loads.
    fn of(stored: &'a Stored) -> Result<Self, CallError> {
        match stored {
            Stored::Trained(trained) => {
                let onnx = trained.model.to_onnx().map_err(|error| CallError::Refused(error.to_string()))?;
                Ok(Self::Trained(trained, onnx))
            }
            Stored::Imported(import) => {
                let flavor = foreign::flavor(&import.record.format).map_err(CallError::Refused)?;
                Ok(Self::Imported(import, flavor))
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Trained(_, onnx) => onnx,
            Self::Imported(import, _) => import.file(),
        }
    }

    fn files(self, run: &str) -> Vec<(&'static str, Vec<u8>)> {
        match self {
            Self::Trained(trained, onnx) => directory::files(&trained.model, onnx, run, Timestamp::now()),
            Self::Imported(import, flavor) => flavor.files(import, run, Timestamp::now()),
        }
    }
}

/// Which version of ours it is. What an import was trained until is told where somebody has said it.
fn tags(found: &ModelVersion) -> Vec<(String, String)> {
    let mut tags = vec![
        ("streamflow.model".to_owned(), found.name.clone()),
        ("streamflow.version".to_owned(), found.version.to_string()),
        ("streamflow.release".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let until = match &found.origin {
        None => Some(found.as_of.clone()),
        Some(origin) => origin.trained_until.clone(),
    };
    tags.extend(until.map(|until| (tag::SNAPSHOT.to_owned(), until)));
    tags.extend(found.origin.as_ref().map(|origin| ("streamflow.imported".to_owned(), origin.file.clone())));
    tags.extend(found.run_id.map(|run| ("streamflow.run".to_owned(), run.to_string())));
    tags
}

fn parameters(found: &ModelVersion, trained: &Trained) -> Vec<(String, String)> {
    let mut parameters = vec![
        ("as_of".to_owned(), found.as_of.clone()),
        ("task".to_owned(), found.task.clone()),
        ("features".to_owned(), trained.model.schema().features.len().to_string()),
        ("trees".to_owned(), trained.model.trees().unwrap_or_default().to_string()),
        ("max_depth".to_owned(), trained.record.selection.max_depth.to_string()),
        ("rounds".to_owned(), trained.record.selection.rounds.to_string()),
    ];
    let settings = serde_json::to_value(&trained.record.settings).unwrap_or_default();
    let settings = settings.as_object().cloned().unwrap_or_default();
    for (name, value) in settings {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if !parameters.iter().any(|(known, _)| *known == name) {
            parameters.push((name, value));
        }
    }
    parameters.truncate(PARAMETERS_MAX);
    parameters
}

/// As the API takes keys and values.
fn pairs(pairs: &[(String, String)]) -> Value {
    let pair = |(key, value): &(String, String)| {
        let mut pair = Map::new();
        pair.insert("key".to_owned(), json!(key));
        pair.insert("value".to_owned(), json!(value));
        Value::Object(pair)
    };
    pairs.iter().map(pair).collect()
}

fn milliseconds(at: &str) -> i64 {
    at.parse::<Timestamp>().unwrap_or_else(|_| Timestamp::now()).as_millisecond()
}

/// A text of an answer that has to be there.
pub fn text(value: &Value, path: &str) -> Result<String, CallError> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(CallError::Lost(format!("MLflow answered {path} otherwise than its API says"))),
    }
}

fn stored(error: sqlx::Error) -> CallError {
    CallError::Lost(format!("the database: {error}"))
}

fn lost(error: anyhow::Error) -> CallError {
    CallError::Lost(format!("{error:#}"))
}
