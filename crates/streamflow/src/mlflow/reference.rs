//! What names a model of an MLflow server: `models:/NAME/3`, `models:/NAME/Production`, `models:/NAME@champion` or
//! `runs:/RUN_ID/PATH`.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};

use super::sender::text;
use super::server::{CallError, Server, is_safe};

/// A model of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Version { name: String, number: String },
    Stage { name: String, stage: String },
    Alias { name: String, alias: String },
    Run { run: String, path: String },
}

/// A model whose artefacts are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The same model whatever pointed to it: `models:/NAME/3` or `runs:/RUN_ID/PATH`.
    pub identity: String,
    /// The registered model and the number of the version, where it is one.
    pub version: Option<(String, String)>,
    /// The address of its artefacts and the path there.
    pub root: String,
    pub path: String,
    /// The tags of the version.
    pub tags: BTreeMap<String, String>,
}

/// Tags that say of a version what its file does not.
pub mod tag {
    /// The SHA-256 of the model file.
    pub const SHA256: &str = "streamflow.sha256";
    /// The probability from which a row is predicted positive.
    pub const THRESHOLD: &str = "streamflow.threshold";
    /// The last date of the training data.
    pub const SNAPSHOT: &str = "streamflow.snapshot";
}

/// Whether a text names a model of a server rather than a file.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("models:") || text.starts_with("runs:")
}

impl Reference {
    /// The name of the model, or the last part of a run's path.
    pub fn name(&self) -> &str {
        match self {
            Reference::Version { name, .. }
            | Reference::Stage { name, .. }
            | Reference::Alias { name, .. } => name,
            Reference::Run { path, .. } => path.rsplit('/').next().unwrap_or(path),
        }
    }
}

impl std::str::FromStr for Reference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.strip_prefix("models:/").map(|rest| (rest.trim_start_matches('/'), true));
        let parts = parts.or_else(|| Some((text.strip_prefix("runs:/")?.trim_start_matches('/'), false)));
        let own = str::to_owned;
        let found = parts.and_then(|(rest, is_model)| {
            match (is_model, rest.split_once('/'), rest.rsplit_once('@')) {
                (false, Some((run, path)), _) if path.split('/').all(is_safe) => {
                    Some(Self::Run { run: own(run), path: own(path) })
                }
                (true, Some((name, number)), _) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Some(Self::Version { name: own(name), number: own(number) })
                }
                (true, Some((name, stage)), _) if !stage.contains('/') => {
                    Some(Self::Stage { name: own(name), stage: own(stage) })
                }
                (true, None, Some((name, alias))) => Some(Self::Alias { name: own(name), alias: own(alias) }),
                _ => None,
            }
        });
        let is_whole = |found: &Self| match found {
            Self::Version { name: a, number: b } | Self::Stage { name: a, stage: b } => {
                !a.is_empty() && !b.is_empty()
            }
            Self::Alias { name: a, alias: b } | Self::Run { run: a, path: b } => {
                !a.is_empty() && !b.is_empty()
            }
        };
        match found.filter(is_whole) {
            Some(found) => Ok(found),
            None => bail!(
                "{text:?} names no model of MLflow; expected models:/NAME/3, models:/NAME/Production, models:/NAME@champion or runs:/RUN_ID/PATH"
            ),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version { name, number: part } | Self::Stage { name, stage: part } => {
                write!(f, "models:/{name}/{part}")
            }
            Self::Alias { name, alias } => write!(f, "models:/{name}@{alias}"),
            Self::Run { run, path } => write!(f, "runs:/{run}/{path}"),
        }
    }
}

impl Reference {
    /// Asks the server which model it is.
    ///
    /// # Errors
    /// A model, stage, alias or run that the server does not have, with what it is asked for.
    pub async fn resolve(&self, server: &Server) -> Result<Found, CallError> {
        let missing =
            |what: String| CallError::Missing(format!("{what}; see the models of {}", server.shown()));
        match self {
            Self::Version { name, number } => of_version(server, name, number).await,
            Self::Alias { name, alias } => match of_alias(server, name, alias).await? {
                Some(number) => of_version(server, name, &number).await,
                None => Err(missing(format!("{name:?} has no version with the alias {alias:?} in MLflow"))),
            },
            Self::Stage { name, stage } => {
                let body = json!({ "name": name, "stages": [stage] });
                let newest = server.post("registered-models/get-latest-versions", &body).await?;
                match &newest["model_versions"][0]["version"] {
                    number if number.is_string() => {
                        of_version(server, name, &text(number, "get-latest-versions")?).await
                    }
                    _ => Err(missing(format!("{name:?} has no version in the stage {stage:?} in MLflow"))),
                }
            }
            Self::Run { run, path } => of_run(server, run, path).await,
        }
    }
}

/// The number of the version that an alias points to.
pub async fn of_alias(server: &Server, name: &str, alias: &str) -> Result<Option<String>, CallError> {
    match server.get("registered-models/alias", &[("name", name), ("alias", alias)]).await {
        Ok(found) => text(&found["model_version"]["version"], "registered-models/alias").map(Some),
        // MLflow answers so for an alias that it does not know.
        Err(CallError::Refused(_) | CallError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn of_version(server: &Server, name: &str, number: &str) -> Result<Found, CallError> {
    let query = [("name", name), ("version", number)];
    let version = server.get("model-versions/get", &query).await?;
    let tags = version["model_version"]["tags"].as_array().into_iter().flatten();
    let tag = |tag: &Value| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str()?.to_owned()));
    // Newer clients register `models:/m-ID`, of which only this call says where it is.
    let root = server.get("model-versions/get-download-uri", &query).await?;
    Ok(Found {
        identity: format!("models:/{name}/{number}"),
        version: Some((name.to_owned(), number.to_owned())),
        root: text(&root["artifact_uri"], "model-versions/get-download-uri")?,
        path: String::new(),
        tags: tags.filter_map(tag).collect(),
    })
}

async fn of_run(server: &Server, run: &str, path: &str) -> Result<Found, CallError> {
    let answer = server.get("runs/get", &[("run_id", run)]).await?;
    let mut found = Found {
        identity: format!("runs:/{run}/{path}"),
        version: None,
        root: text(&answer["run"]["info"]["artifact_uri"], "runs/get")?,
        path: path.to_owned(),
        tags: BTreeMap::new(),
    };
    // MLflow 3 keeps models beside the run, which names them among its outputs.
    let outputs = answer["run"]["outputs"]["model_outputs"].as_array();
    for output in outputs.into_iter().flatten() {
        let id = text(&output["model_id"], "runs/get")?;
        let model = server.get(&format!("logged-models/{id}"), &[]).await?;
        if model["model"]["info"]["name"] == path {
            found.root = text(&model["model"]["info"]["artifact_uri"], "logged-models")?;
            found.path = String::new();
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_mlflow_names_them() {
        let own = str::to_owned;
        for (given, expected) in [
            ("models:/churn/3", Some(Reference::Version { name: own("churn"), number: own("3") })),
            (
                "models:/churn/Production",
                Some(Reference::Stage { name: own("churn"), stage: own("Production") }),
            ),
            ("models:/churn@champion", Some(Reference::Alias { name: own("churn"), alias: own("champion") })),
            ("runs:/abc/model", Some(Reference::Run { run: own("abc"), path: own("model") })),
            ("runs:/abc/a/b", Some(Reference::Run { run: own("abc"), path: own("a/b") })),
            ("runs:/abc/../b", None),
            ("runs:/abc", None),
            ("models:/churn", None),
            ("models:/churn/", None),
            ("models:/@champion", None),
            ("models:/churn/a/b", None),
            ("models:churn/3", None),
            ("model.onnx", None),
        ] {
            let found = given.parse::<Reference>().ok();
            if let Some(found) = &found {
                assert_eq!(found.to_string(), given);
            }
            assert_eq!(found, expected, "{given}");
        }
        let error = "models:/churn".parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains("models:/NAME@champion"), "{error}");
    }
}
