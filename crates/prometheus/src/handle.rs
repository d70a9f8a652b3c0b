//! What others ask of a running server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use streamflow_exposition::otlp;
use streamflow_promql::EngineOptions;
use streamflow_tsdb::{Db, Labels};

use crate::api::{self, ApiError, Budget, Metrics, QuerySlots};
use crate::configuration::Configuration;
use crate::exemplars::Exemplars;
use crate::families::ToldFamilies;
use crate::{Error, Settings, now_ms, remote_write, rules, scrape};

/// A running server, for those who ask it and for the handlers of its API. Cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Inner>);

/// What handlers of requests share with the tasks.
pub(crate) struct Inner {
    pub settings: Settings,
    pub started_ms: i64,
    pub db: Db,
    /// What the queries of the API are evaluated with, but for the step of subqueries.
    pub engine_options: EngineOptions,
    pub slots: QuerySlots,
    /// What the API counts.
    pub metrics: Metrics,
    pub exemplars: Arc<Exemplars>,
    /// What families mean by the word of those who send samples.
    pub told: Arc<ToldFamilies>,
    pub scraper: scrape::Handle,
    pub rules: rules::Handle,
    pub remote_write: remote_write::Handle,
    pub applied: Mutex<Applied>,
}

/// The configuration in force, and how the last attempt to change it went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Applied {
    /// The text that `/api/v1/status/config` shows.
    pub text: String,
    pub warnings: Vec<String>,
    pub at_ms: i64,
    pub succeeded: bool,
    /// Step of subqueries without one.
    pub subquery_step_ms: i64,
    /// Labels that mark the series of this server for others.
    pub external_labels: Labels,
    /// How what OpenTelemetry sends becomes series.
    pub otlp: otlp::Settings,
}

impl Handle {
    /// Prometheus's API, `/federate`, `/-/…` and the server's own `/metrics`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// The sample store.
    pub fn db(&self) -> Db {
        self.0.db.clone()
    }

    /// What of the configuration in force is left out.
    pub fn warnings(&self) -> Vec<String> {
        self.applied().warnings.clone()
    }

    /// Name and beginning of every alert that fires.
    pub fn firing_alerts(&self) -> Vec<(String, String)> {
        let firing = self
            .0
            .rules
            .alerts()
            .into_iter()
            .filter(|alert| alert.state == rules::status::AlertState::Firing);
        firing
            .map(|alert| {
                let name = alert.labels.get("alertname").cloned().unwrap_or_default();
                (name, alert.active_at)
            })
            .collect()
    }

    /// Reads the configuration anew. One that is not valid changes nothing.
    ///
    /// # Errors
    /// A file that cannot be read or is not valid, with its line and the remedy.
    pub async fn reload(&self) -> Result<(), Error> {
        let settings = self.0.settings.clone();
        let read = tokio::task::spawn_blocking(move || Configuration::read(&settings)).await;
        let read = read.unwrap_or(Err(Error::Panicked("the reading of the configuration")));
        let mut applied = self.applied();
        (applied.at_ms, applied.succeeded) = (now_ms(), read.is_ok());
        let read = read?;
        for warning in read.warnings.iter().filter(|warning| !applied.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        self.0.scraper.apply(&read.prometheus);
        applied.subquery_step_ms = read.rules.interval_ms;
        self.0.rules.apply(read.rules);
        self.0.remote_write.apply(read.remote_write);
        applied.external_labels = Labels::new(&read.prometheus.global.external_labels);
        applied.otlp = api::otlp_settings(&read.prometheus.otlp);
        (applied.text, applied.warnings) = (read.text, read.warnings);
        Ok(())
    }

    /// What queries of the API are evaluated with now.
    pub(crate) fn engine_options(&self) -> EngineOptions {
        EngineOptions { subquery_step_ms: self.applied().subquery_step_ms, ..self.0.engine_options.clone() }
    }

    /// Runs `work` in a slot of queries, within the longest time that one may take.
    pub(crate) async fn in_query_slot<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Budget) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.0.slots.run(self.0.settings.limits.query_timeout, work).await
    }

    pub(crate) fn applied(&self) -> MutexGuard<'_, Applied> {
        self.0.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
