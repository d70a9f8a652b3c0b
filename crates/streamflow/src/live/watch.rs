//! Closes the minutes, keeps them and judges the windows: once a minute, beside the requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use streamflow_live::{Look, Minute, Reference, Status, Tracker, Window};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{History, Idle, Live, LiveStatus, Open, VersionStatus, history, reference, this_minute};
use crate::random::{random_bytes, random_hex};
use crate::serving::Served;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How often the served version and the clock are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Minutes for which a version is looked at that is no longer served.
const AFTERWARDS: i64 = 60;
/// Minutes between two times that old minutes are taken together.
const FOLD_EVERY: i64 = 15;

/// Looks at the traffic of the served version.
pub struct Watch {
    workspace: Workspace,
    served: Served,
    live: Live,
    /// The name of this process in the store.
    origin: String,
    followed: Vec<Followed>,
    /// A version without a reference, which is not tried again.
    refused: Option<String>,
    minute: i64,
    folded: i64,
    idle: Idle,
    alerts: BTreeMap<String, u64>,
}

/// A version whose traffic is looked at.
struct Followed {
    version: i64,
    source: String,
    open: Arc<Open>,
    /// Away while it judges.
    tracker: Option<Tracker>,
    look: Option<Arc<Look>>,
    /// The newest row of other processes that was read.
    newest: i64,
    /// The minute with which it is no longer looked at.
    until: Option<i64>,
    alarms: serde_json::Value,
}

impl Watch {
    /// Looks at what is told to `live` of the versions in `served`.
    ///
    /// # Errors
    /// A system without random numbers.
    pub fn new(workspace: Workspace, served: Served, live: Live) -> anyhow::Result<Self> {
        Ok(Self {
            workspace,
            served,
            live,
            origin: random_hex::<8>()?,
            followed: Vec::new(),
            refused: None,
            minute: this_minute(),
            folded: i64::MIN,
            idle: Idle::NotStarted,
            alerts: BTreeMap::new(),
        })
    }

    /// Looks every second until `shutdown`, and keeps the open minute then.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        if !self.workspace.config.live.enabled {
            self.idle = Idle::Off;
            return self.publish();
        }
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                _ = ticks.tick() => false,
                _ = shutdown.wait_for(|stop| *stop) => true,
            };
            if let Err(error) = self.tick(is_over).await {
                tracing::error!("live traffic is looked at again in a second: {}", one_line(&error));
            }
            if is_over {
                return;
            }
        }
    }

    async fn tick(&mut self, is_over: bool) -> anyhow::Result<()> {
        let now = this_minute();
        if now != self.minute || is_over {
            let closed = std::mem::replace(&mut self.minute, now);
            self.close(closed).await?;
        }
        if is_over { Ok(()) } else { self.follow_served(now).await }
    }

    /// Begins to look at the served version where it is another one, and ends with those that are no longer served.
    async fn follow_served(&mut self, now: i64) -> anyhow::Result<()> {
        let Some(serving) = self.served.load_full() else {
            if self.idle != Idle::NoModel {
                self.idle = Idle::NoModel;
                self.publish();
            }
            return Ok(());
        };
        let before = self.followed.len();
        self.followed.retain(|followed| followed.until.is_none_or(|until| until > now));
        let is_followed = self
            .followed
            .first()
            .is_some_and(|first| first.open.version == serving.model_version && first.until.is_none());
        if is_followed || self.refused.as_ref() == Some(&serving.model_version) {
            if self.followed.len() != before {
                self.publish();
            }
            return Ok(());
        }
        for followed in &mut self.followed {
            followed.until.get_or_insert(now.saturating_add(AFTERWARDS));
        }
        let version: i64 = serving.model_version.parse()?;
        self.followed.retain(|followed| followed.version != version);
        match self.begin(version, serving.features.names()).await {
            Ok(followed) => {
                tracing::info!(version, reference = %followed.source, "looking at live traffic");
                self.followed.insert(0, followed);
                self.idle = Idle::Looking;
            }
            Err(error) => {
                tracing::warn!(version, "live traffic is not looked at: {}", one_line(&error));
                self.refused = Some(serving.model_version.clone());
                self.idle = Idle::NoReference(one_line(&error));
            }
        }
        let open = self.followed.iter().map(|followed| followed.open.clone()).collect();
        self.live.0.open.store(Arc::new(open));
        self.publish();
        Ok(())
    }

    async fn begin(&self, version: i64, features: &[String]) -> anyhow::Result<Followed> {
        let seed = u64::from_le_bytes(random_bytes::<8>()?);
        let seed = self.workspace.store.live_seed(seed).await?;
        self.live.0.seed.store(seed, Ordering::Relaxed);
        let stored = reference::of_version(&self.workspace, version).await?;
        let History { source, reference, tracker, newest, .. } =
            history::of_stored(&self.workspace, stored).await?;
        let open = opened(version, features, reference);
        let mut followed = Followed {
            version,
            source,
            alarms: serde_json::to_value(tracker.alarms())?,
            tracker: Some(tracker),
            open: Arc::new(open),
            look: None,
            newest,
            until: None,
        };
        // What was known before a restart is known at once.
        followed.judge(self.minute.saturating_sub(1)).await?;
        Ok(followed)
    }

    /// Keeps the minute that has ended, and judges.
    async fn close(&mut self, minute: i64) -> anyhow::Result<()> {
        let Self { workspace, origin, .. } = &*self;
        let (store, model) = (workspace.store.clone(), workspace.config.model.name.clone());
        let origin = origin.clone();
        let statuses = self.live.0.statuses.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        for (place, followed) in self.followed.iter_mut().enumerate() {
            {
                let mut open = followed.open.minute();
                if place == 0 {
                    count(&mut open, statuses);
                }
            }
            let closed = followed.open.close(minute);
            let version = followed.version;
            if !closed.is_empty() {
                store.add_live_minute(&model, version, &origin, &closed).await?;
                followed.add(closed);
            }
            for row in store.live_minutes_of_others(&model, version, &origin, followed.newest).await? {
                followed.newest = followed.newest.max(row.id);
                match Minute::decode(&row.body) {
                    Ok(minute) => followed.add(minute),
                    Err(error) => tracing::warn!("a stored minute of live traffic is left out: {error}"),
                }
            }
            for feature in followed.judge(minute).await? {
                *self.alerts.entry(feature).or_default() += 1;
            }
            let alarms = followed.tracker.as_ref().map(|tracker| serde_json::to_value(tracker.alarms()));
            if let Some(alarms) = alarms.transpose()?.filter(|alarms| *alarms != followed.alarms) {
                store.set_live_alarms(&model, version, &alarms).await?;
                followed.alarms = alarms;
            }
        }
        self.publish();
        if minute.saturating_sub(self.folded) >= FOLD_EVERY || minute < self.folded {
            store.fold_live_minutes(&model, minute).await?;
            self.folded = minute;
        }
        Ok(())
    }

    fn publish(&self) {
        let versions = self.followed.iter().filter_map(Followed::status).collect();
        self.live.0.status.store(Arc::new(LiveStatus {
            idle: self.idle.clone(),
            versions,
            alerts: self.alerts.clone(),
            false_alarms_per_month: self.workspace.config.live.false_alarms_per_month,
        }));
    }
}

fn opened(version: i64, features: &[String], reference: Reference) -> Open {
    Open {
        version: version.to_string(),
        features: features.to_vec(),
        minute: reference.open_minute().into(),
        reference: Arc::new(reference),
    }
}

fn count(open: &mut streamflow_live::OpenMinute, statuses: [u64; 4]) {
    let all = [Status::Answered, Status::Unknown, Status::Invalid, Status::Other];
    for (status, number) in all.into_iter().zip(statuses) {
        open.count_many(status, number);
    }
}

impl Followed {
    fn add(&mut self, minute: Minute) {
        if let Some(tracker) = &mut self.tracker
            && let Err(error) = tracker.add(minute)
        {
            tracing::warn!("a minute of live traffic is left out: {error}");
        }
    }

    /// Judges beside the requests: merging a day takes milliseconds. Returns the features that have begun to drift.
    async fn judge(&mut self, minute: i64) -> anyhow::Result<Vec<String>> {
        let Some(mut tracker) = self.tracker.take() else { return Ok(Vec::new()) };
        let judged = tokio::task::spawn_blocking(move || {
            let look = tracker.look(minute);
            (tracker, look)
        });
        let (tracker, look) = judged.await?;
        self.tracker = Some(tracker);
        let begun = self.changes(&look);
        self.look = Some(Arc::new(look));
        Ok(begun)
    }

    /// Logs what has begun to drift and what has ended; the features that have begun in any window.
    /// Of a version that is no longer served neither is told: a new one is often promoted because of the drift.
    fn changes(&self, look: &Look) -> Vec<String> {
        let mut begun = Vec::new();
        let Some(before) = self.look.as_ref().filter(|_| self.until.is_none()) else { return begun };
        for window in Window::ALL {
            let features = before.window(window).features.iter().zip(&look.window(window).features);
            for (column, (before, now)) in self.open.reference.columns().iter().zip(features) {
                let (feature, window) = (&column.name, window.name());
                match (before.is_detected(), now.is_detected()) {
                    (false, true) => {
                        tracing::warn!(feature, window, "live traffic has drifted");
                        if !begun.contains(feature) {
                            begun.push(feature.clone());
                        }
                    }
                    (true, false) => tracing::info!(feature, window, "live traffic drifts no longer"),
                    _ => {}
                }
            }
        }
        begun
    }

    fn status(&self) -> Option<VersionStatus> {
        let judge = self.tracker.as_ref()?.judge();
        Some(VersionStatus::new(
            self.open.version.clone(),
            self.until.is_none(),
            self.source.clone(),
            self.open.reference.clone(),
            judge,
            self.look.clone(),
        ))
    }
}
