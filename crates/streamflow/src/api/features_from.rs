//! Where the features of predictions are from: wired when a server starts.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Context as _;
use streamflow_dataset::KeyPart;

use super::ApiState;
use super::pushed::{Columns, Intake, Setting};
use crate::config::Config;
use crate::feature_store::{Compared, Failure, FeatureStore, Name};
use crate::serving::{Served, Serving};
use crate::workspace::Workspace;

/// Entities that are compared between Feast's own tables and its feature server.
const COMPARED: usize = 20;

/// Has features asked of the feature store of the configuration, or pushed ones taken where they are in memory: then what
/// follows them.
///
/// # Errors
/// A feature store that cannot be asked, or says what it must not; pushed features that cannot be read.
pub async fn start(
    workspace: &Workspace,
    state: &ApiState,
    served: Served,
) -> anyhow::Result<Option<Arc<Intake>>> {
    let config = &workspace.config;
    if let Some(store) = FeatureStore::of(&config.features, &config.base, &config.dataset.entity)? {
        tracing::info!("features are asked of the feature store at {}", store.shown_url());
        check_store(&store, config, served.load().as_deref()).await?;
        state.look_up_in(store);
        return Ok(None);
    }
    let setting = Setting {
        store: workspace.store.clone(),
        snapshots: workspace.snapshots.clone(),
        columns: Columns::of(&config.dataset),
        served,
        most: config.features.pushed_entities.get(),
        late: (config.features.late_seconds, config.features.on_late),
    };
    let intake = Arc::new(Intake::open(setting).await.context("cannot read the features that were pushed")?);
    state.take_features(intake.clone());
    Ok(Some(intake))
}

/// Looks at the feature store before it is asked for predictions. One that does not answer now may do so later.
///
/// # Errors
/// Feast's own tables that say otherwise than its feature server; a Redis of another layout.
async fn check_store(store: &FeatureStore, config: &Config, serving: Option<&Serving>) -> anyhow::Result<()> {
    if let Some(own) = store.own() {
        match own.last_push().await {
            Ok(Some(push)) if push.ended_at.is_some() => {
                tracing::info!(as_of = %push.as_of, "features were pushed")
            }
            Ok(Some(push)) => tracing::warn!(
                "the push of the features of {} that began at {} has not ended: entities have them or those of before",
                push.as_of,
                push.started_at
            ),
            Ok(None) => tracing::warn!(
                "no features were pushed yet to {} under the prefix {}: `streamflow features push` does it",
                store.shown_url(),
                config.features.prefix
            ),
            Err(failure @ Failure::Answer { .. }) => return Err(failure.into()),
            Err(failure) => tracing::warn!("it is not known which features were pushed: {failure}"),
        }
    }
    let names = serving.map(|serving| some_of(serving, config)).unwrap_or_default();
    match store.compare(&config.base, &names).await? {
        None => {}
        Some(Compared::Same(entities)) => {
            tracing::info!(entities, "Feast's own tables say what its feature server says");
        }
        Some(Compared::Nothing) => tracing::warn!(
            "Feast's own tables were not compared with its feature server: neither knows any of {} entities of the snapshot",
            names.len()
        ),
        Some(Compared::NotAsked(failure)) => {
            tracing::warn!("Feast's own tables were not compared with its feature server: {failure}");
        }
    }
    Ok(())
}

/// Some entities of the snapshot.
fn some_of(serving: &Serving, config: &Config) -> Vec<Name> {
    let types = config.dataset.key_types();
    let owned = |part: KeyPart<'_>| match part {
        KeyPart::Text(text) => KeyPart::Text(Cow::Owned(text.into_owned())),
        KeyPart::Integer(number) => KeyPart::Integer(number),
    };
    let named = serving.features.some(COMPARED);
    let parts = named.iter().filter_map(|text| config.dataset.entity.parts(text, &types).ok());
    parts.map(|parts| parts.into_iter().map(owned).collect()).collect()
}
