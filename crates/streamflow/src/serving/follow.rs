//! Keeps the canary of what is served the one that is wanted, and in the store what was counted.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::canary::{Canary, Loaded};
use super::{OnlineFeatures, Serving};
use crate::drift::task_of;
use crate::random::random_hex;
use crate::store::canaries::{Canary as Wanted, NewTally};
use crate::store::models::By;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// Follows what is wanted in the store.
pub struct Follower {
    workspace: Workspace,
    /// Names what this process counts.
    process: String,
    /// Times that counting has begun.
    begun: u64,
    /// Requests that were counted when the counts were last kept.
    kept: u64,
}

impl Follower {
    pub fn new(workspace: Workspace) -> Self {
        // Without a name of its own a process would overwrite what another one counted.
        let process = random_hex::<8>().unwrap_or_else(|_| std::process::id().to_string());
        Self { workspace, process, begun: 0, kept: 0 }
    }

    /// Puts the canary that is wanted beside what is served, or takes it away; `before` was served until now. What cannot
    /// be looked up stays as it is.
    pub async fn follow(&mut self, serving: &Arc<Serving>, before: Option<Arc<Serving>>) {
        if let Err(error) = self.try_follow(serving, before).await {
            tracing::error!("the canary is looked up again in a second: {}", one_line(&error));
        }
    }

    async fn try_follow(&mut self, serving: &Serving, before: Option<Arc<Serving>>) -> anyhow::Result<()> {
        let wanted = self.wanted().await?;
        let wanted = wanted.filter(|wanted| wanted.production.to_string() == serving.model_version);
        let Some(wanted) = wanted else {
            if let Some(ended) = serving.canary.swap(None) {
                tracing::info!(version = ended.version, "no canary answers any longer");
            }
            return Ok(());
        };
        let current = serving.canary.load_full();
        if current.as_ref().is_some_and(|current| current.id == wanted.id) {
            self.keep_counts(serving).await;
            return Ok(());
        }
        let current =
            current.or_else(|| before.filter(|before| before.as_of == serving.as_of)?.canary.load_full());
        let loaded = self.load(serving, &wanted, current.as_deref()).await.map_err(|error| one_line(&error));
        match &loaded {
            Ok(_) => tracing::info!(version = wanted.version, share = %wanted.share, "a canary answers"),
            Err(why) => tracing::error!(version = wanted.version, "production answers for the canary: {why}"),
        }
        let trouble = loaded.as_ref().err().map(String::as_str);
        self.workspace.store.set_canary_trouble(wanted.id, trouble).await?;
        (self.begun, self.kept) = (self.begun + 1, 0);
        let Wanted { id, version, share, .. } = wanted;
        serving.canary.store(Some(Arc::new(Canary { id, version: version.to_string(), share, loaded })));
        self.keep_counts(serving).await;
        Ok(())
    }

    /// The canary in the store; one whose run is there no more is ended.
    async fn wanted(&self) -> anyhow::Result<Option<Wanted>> {
        let (store, name) = (&self.workspace.store, &self.workspace.config.model.name);
        let Some(found) = store.canary(name).await? else { return Ok(None) };
        let Some(run) = found.run else { return Ok(Some(found)) };
        // Its process may have been killed, and nobody else may look.
        store.end_crashed_runs().await?;
        let Some(found) = store.canary(name).await? else { return Ok(None) };
        if found.is_kept() {
            return Ok(Some(found));
        }
        let by = By { actor: "the server", run: Some(run) };
        if store.end_canary(name, Some(found.id), by).await? {
            tracing::warn!(
                run,
                version = found.version,
                "the run that kept the canary ended; production answers"
            );
        }
        Ok(None)
    }

    async fn load(
        &self,
        serving: &Serving,
        wanted: &Wanted,
        current: Option<&Canary>,
    ) -> anyhow::Result<Loaded> {
        let version = wanted.version.to_string();
        let same = current.filter(|current| current.version == version);
        if let Some(Ok(loaded)) = same.map(|current| &current.loaded) {
            return Ok(loaded.again(&serving.model_version));
        }
        let candidate = self.candidate(serving, wanted.version).await?;
        Ok(Loaded::new(Arc::new(candidate), &serving.model_version))
    }

    /// The candidate with the features of the snapshot that is served; in one place where both versions take the same.
    async fn candidate(&self, serving: &Serving, version: i64) -> anyhow::Result<Serving> {
        let Workspace { config, registry, snapshots, .. } = &self.workspace;
        let name = config.model.name.clone();
        let known = registry.versions().await?;
        let known = known.iter().find(|known| known.name == name && known.version == version);
        let known = known.with_context(|| format!("model {name} has no version {version}"))?;
        known.check_task(task_of(&config.dataset.label))?;
        let model = registry.load(&name, version).await?;
        let key = serving.key.clone();
        let features = if serving.features.fit(&model) {
            serving.features.clone()
        } else {
            let snapshots = snapshots.clone();
            let read = tokio::task::spawn_blocking(move || {
                let (as_of, table) = snapshots.online_features()?.context("there is no snapshot")?;
                anyhow::Ok((as_of, OnlineFeatures::for_model(&model, table, &key)?, model))
            });
            let (as_of, features, model) = read.await??;
            ensure!(as_of == serving.as_of, "a newer snapshot came meanwhile; expected {}", serving.as_of);
            return Ok(beside(serving, version, model, Arc::new(features)));
        };
        Ok(beside(serving, version, model, features))
    }

    /// Keeps in the store what was counted since the last time.
    pub async fn keep_counts(&mut self, serving: &Serving) {
        let Some(canary) = serving.canary.load_full() else { return };
        let Ok(loaded) = &canary.loaded else { return };
        let tallies = [("production", &loaded.production), ("candidate", &loaded.counted)]
            .map(|(arm, counted)| (arm, counted.counts.tally()));
        let requests = 1 + tallies.iter().map(|(_, tally)| tally.requests).sum::<u64>();
        if requests == self.kept {
            return;
        }
        let (model, trial) = (&self.workspace.config.model.name, crate::store::canaries::trial_of(canary.id));
        let process = format!("{} {}", self.process, self.begun);
        for (arm, tally) in &tallies {
            let of = NewTally { model, trial: &trial, arm, process: &process };
            if let Err(error) = self.workspace.store.keep_tally(of, tally).await {
                tracing::warn!("what was counted of the canary is kept in a second: {error}");
                return;
            }
        }
        self.kept = requests;
    }
}

fn beside(
    serving: &Serving,
    version: i64,
    model: streamflow_model::Model,
    features: Arc<OnlineFeatures>,
) -> Serving {
    Serving {
        model,
        model_name: serving.model_name.clone(),
        model_version: version.to_string(),
        as_of: serving.as_of,
        key: serving.key.clone(),
        features,
        canary: None.into(),
    }
}
