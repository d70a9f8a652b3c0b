//! Where the MLflow server is, and who we are there: MLflow's own variables, else the configuration.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use streamflow_outbound::{Credentials, Secret};

use crate::config::{Config, MlflowConfig};

/// The address of an MLflow server and the names that we use there.
#[derive(Debug, Clone)]
pub struct Connection {
    pub url: Url,
    pub credentials: Credentials,
    /// The experiment of trainings.
    pub experiment: String,
    /// The name of the registered model.
    pub model: String,
    pub limits: Limits,
}

/// How long the server may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connect: Duration,
    /// From connecting to the last byte of an answer.
    pub request: Duration,
    /// The same of a model file.
    pub file: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [connect, request, file] = [2, 10, 300].map(Duration::from_secs);
        Self { connect, request, file }
    }
}

impl Connection {
    /// What the environment and the configuration say; none where neither names a server.
    ///
    /// # Errors
    /// An address that is no HTTP(S) URL. No message repeats a secret.
    pub fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        Self::of_settings(&config.mlflow, &config.model.name)
    }

    /// The same of a section of the configuration and the name of a model.
    ///
    /// # Errors
    /// As [`Connection::of`].
    pub fn of_settings(settings: &MlflowConfig, name: &str) -> anyhow::Result<Option<Self>> {
        Self::from_variables(settings, name, |name| std::env::var(name).ok())
    }

    fn from_variables(
        settings: &MlflowConfig,
        name: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<Self>> {
        let set =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let (text, from) = match (set("MLFLOW_TRACKING_URI"), &settings.tracking_uri) {
            (Some(text), _) => (text, "MLFLOW_TRACKING_URI"),
            (None, Some(text)) => (text.clone(), "mlflow.tracking_uri"),
            (None, None) => return Ok(None),
        };
        // The address may hold a password, so no message repeats it.
        let expected =
            "expected the address of a tracking server, http://HOST:PORT (`mlflow server` starts one)";
        let url = Url::parse(&text).with_context(|| format!("{from} is no URL; {expected}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            bail!("{from} has the scheme {:?}; {expected}", url.scheme());
        }
        let secret = Secret::Text;
        let credentials = match (set("MLFLOW_TRACKING_USERNAME"), set("MLFLOW_TRACKING_TOKEN")) {
            (Some(user), _) => Credentials::Basic {
                user: secret(user),
                password: secret(set("MLFLOW_TRACKING_PASSWORD").unwrap_or_default()),
            },
            (None, Some(token)) => Credentials::Token { scheme: "Bearer".to_owned(), token: secret(token) },
            (None, None) => Credentials::None,
        };
        let experiment = set("MLFLOW_EXPERIMENT_NAME").or_else(|| settings.experiment.clone());
        let model = settings.registered_model.clone();
        Ok(Some(Self {
            url,
            credentials,
            experiment: experiment.unwrap_or_else(|| name.to_owned()),
            model: model.unwrap_or_else(|| format!("streamflow_{name}")),
            limits: Limits::default(),
        }))
    }

    /// The model that is served where `model.source` is `mlflow`.
    pub fn served(&self, config: &Config) -> String {
        let default = || format!("models:/{}@{}", self.model, super::CHAMPION);
        config.mlflow.serve.clone().unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], settings: &MlflowConfig) -> anyhow::Result<Option<Connection>> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Connection::from_variables(settings, "churn", lookup)
    }

    #[test]
    fn the_environment_comes_before_the_configuration() {
        let uri = ("MLFLOW_TRACKING_URI", "http://mlflow:5000");
        let none = MlflowConfig::default();
        assert!(of(&[], &none).unwrap().is_none());
        assert!(of(&[("MLFLOW_TRACKING_URI", " ")], &none).unwrap().is_none());
        let found = of(&[uri], &none).unwrap().unwrap();
        assert_eq!((found.experiment.as_str(), found.model.as_str()), ("churn", "streamflow_churn"));
        let settings = MlflowConfig {
            tracking_uri: Some("https://other/mlflow".to_owned()),
            experiment: Some("telco".to_owned()),
            registered_model: Some("leavers".to_owned()),
            serve: None,
        };
        let found = of(&[uri, ("MLFLOW_EXPERIMENT_NAME", "mine")], &settings).unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.experiment.as_str()), ("http://mlflow:5000/", "mine"));
        let found = of(&[("MLFLOW_TRACKING_TOKEN", "t")], &settings).unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.model.as_str()), ("https://other/mlflow", "leavers"));
        assert!(matches!(found.credentials, Credentials::Token { .. }));
        let user = [uri, ("MLFLOW_TRACKING_USERNAME", "anna"), ("MLFLOW_TRACKING_PASSWORD", "x")];
        assert!(matches!(of(&user, &none).unwrap().unwrap().credentials, Credentials::Basic { .. }));
    }

    #[test]
    fn an_address_that_is_no_server_is_refused_without_its_password() {
        for (uri, part) in [
            ("sqlite:///secret.db", "has the scheme \"sqlite\""),
            ("databricks", "is no URL"),
            ("mlflow:5000", "has the scheme"),
            ("http://anna:secret@[", "is no URL"),
        ] {
            let error =
                format!("{:#}", of(&[("MLFLOW_TRACKING_URI", uri)], &MlflowConfig::default()).unwrap_err());
            assert!(error.contains(part) && error.contains("http://HOST:PORT"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
