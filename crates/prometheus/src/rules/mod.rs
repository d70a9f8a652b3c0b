//! Recording and alerting rules: evaluated on a schedule, their alerts sent on.
//!
//! [`Rules`] is given a store and an engine once and [`Settings`] as often as the configuration changes; its
//! [`Handle`] tells what the rules and alerts are.

mod alert;
mod group;
mod loading;
pub mod notify;
#[cfg(test)]
mod prometheus_api;
#[cfg(test)]
mod scenario;
mod schedule;
pub mod status;
pub mod unit_tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use streamflow_prometheus_yml::RuleFile;
use streamflow_promql::{Engine, EngineOptions, StopReason};
use streamflow_tsdb::{Db, Labels, STALE_NAN};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use group::{Context, Defaults, Group};
use notify::{DestinationStatus, Found, Managers, Notifier};
use schedule::Schedule;
use status::{AlertStatus, GroupStatus, RuleStatus};

use crate::{discovery, now_ms};

pub use loading::load;

/// Longest evaluation of a group.
const EVALUATION_MAX: Duration = Duration::from_secs(120);

/// Time between two looks at the files that name Alertmanagers.
const MANAGERS_REFRESH: Duration = Duration::from_secs(5);

/// What is evaluated, and who is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules.
    pub files: Vec<RuleFile>,
    /// Time between evaluations of groups that name none.
    pub interval_ms: i64,
    /// How far in the past the expressions of groups that name none are evaluated.
    pub query_offset_ms: i64,
    /// Added to alerts that are sent; `$externalLabels` in templates.
    pub external_labels: BTreeMap<String, String>,
    /// Where the console is reached, with path, without a slash at the end.
    pub external_url: String,
    /// Who is told.
    pub notify: notify::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            interval_ms: 60_000,
            query_offset_ms: 0,
            external_labels: BTreeMap::new(),
            external_url: String::new(),
            notify: notify::Settings::default(),
        }
    }
}

type Key = (String, String);

#[derive(Debug)]
struct Shared {
    settings: watch::Sender<Arc<Settings>>,
    groups: Mutex<BTreeMap<Key, GroupStatus>>,
    notifier: Notifier,
    /// Alertmanagers that relabeling dropped.
    dropped: Mutex<Vec<String>>,
}

impl Shared {
    fn publish(&self, group: &Group) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(group.key(), group.status());
    }
}

/// What can be asked of the rules while they run, and the way to change them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// From now on these rules; state of those that stay the same is kept.
    pub fn apply(&self, settings: Settings) {
        self.0.settings.send_replace(Arc::new(settings));
    }

    fn statuses(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, GroupStatus>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All groups, by file and name.
    pub fn groups(&self) -> Vec<GroupStatus> {
        self.statuses().values().cloned().collect()
    }

    /// All alerts that are pending or firing.
    pub fn alerts(&self) -> Vec<AlertStatus> {
        let groups = self.statuses();
        let rules = groups.values().flat_map(|group| &group.rules);
        let alerts = rules.filter_map(|rule| match rule {
            RuleStatus::Alerting { alerts, .. } => Some(alerts),
            RuleStatus::Recording { .. } => None,
        });
        alerts.flatten().cloned().collect()
    }

    /// Addresses of Alertmanagers that relabeling dropped, without their passwords.
    pub fn dropped_managers(&self) -> Vec<String> {
        self.0.dropped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The servers that are told of alerts.
    pub fn destinations(&self) -> Vec<DestinationStatus> {
        self.0.notifier.status()
    }
}

/// The rules of a server.
#[derive(Debug)]
pub struct Rules {
    db: Db,
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    /// Whether rules from now on had no earlier life to remember.
    restored: bool,
    managers: Managers,
    /// The Alertmanagers that are told now.
    told: Vec<Url>,
}

/// A group with a task of its own.
struct Running {
    cancel: watch::Sender<bool>,
    task: JoinHandle<Group>,
    /// The group as it was at its start, for comparisons.
    made_as: Group,
    surroundings: Surroundings,
}

/// What all groups share of the settings: external labels, the console's address, the interval of subqueries.
type Surroundings = (BTreeMap<String, String>, String, i64);

impl Rules {
    /// No rules until some are applied.
    pub fn new(db: Db, engine: Arc<Engine>, discovery: Arc<discovery::Counters>) -> Self {
        let (settings, _) = watch::channel(Arc::new(Settings::default()));
        let shared = Shared {
            settings,
            groups: Mutex::default(),
            notifier: Notifier::default(),
            dropped: Mutex::default(),
        };
        let managers = Managers::new(discovery);
        Self { db, engine, shared: Arc::new(shared), restored: false, managers, told: Vec::new() }
    }

    /// What others ask while the rules run.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Evaluates until the shutdown.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut changes = self.shared.settings.subscribe();
        let mut running = BTreeMap::new();
        let discovered = self.managers.changed();
        let mut settings = changes.borrow_and_update().clone();
        self.find_managers(&settings, true).await;
        self.replace(&mut running, &settings).await;
        loop {
            let is_changed = tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => break,
                },
                () = discovered.notified() => false,
                () = tokio::time::sleep(MANAGERS_REFRESH) => false,
                // An error says that nobody is left to ask for it.
                _ = shutdown.wait_for(|shutdown| *shutdown) => break,
            };
            if is_changed {
                settings = changes.borrow_and_update().clone();
            }
            self.find_managers(&settings, is_changed).await;
            if is_changed {
                self.replace(&mut running, &settings).await;
            }
        }
        for group in running.values() {
            group.cancel.send_replace(true);
        }
        for group in running.into_values() {
            ended(group.task).await;
        }
        self.shared.notifier.stop_tasks().await;
    }

    /// Looks for Alertmanagers, off the threads that serve; from now on they are told, if they are others than before or
    /// the settings are.
    async fn find_managers(&mut self, settings: &Arc<Settings>, changed: bool) {
        let (mut managers, sets) = (std::mem::take(&mut self.managers), settings.notify.managers.clone());
        let work = move || {
            let found = managers.find(&sets);
            (managers, found)
        };
        let found: Found;
        (self.managers, found) = match tokio::task::spawn_blocking(work).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "Alertmanagers were not looked for");
                return;
            }
        };
        let told = found.addresses();
        self.shared.dropped.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found.dropped);
        if changed || told != self.told {
            let mut notify = settings.notify.clone();
            notify.endpoints.splice(0..0, found.endpoints);
            self.shared.notifier.apply(notify, &settings.external_url).await;
            self.told = told;
        }
    }

    /// Ends the groups that are gone, starts the new ones, lets those that stay the same go on.
    async fn replace(&mut self, running: &mut BTreeMap<Key, Running>, settings: &Arc<Settings>) {
        let surroundings =
            (settings.external_labels.clone(), settings.external_url.clone(), settings.interval_ms);
        let options =
            EngineOptions { subquery_step_ms: settings.interval_ms, ..self.engine.options().clone() };
        let engine = Arc::new(Engine::new(options));
        let mut wanted: BTreeMap<Key, Group> = groups(settings, self.restored);
        self.restored |= !settings.files.is_empty();
        let mut earlier = BTreeMap::new();
        for (key, group) in std::mem::take(running) {
            if group.surroundings == surroundings
                && wanted.get(&key).is_some_and(|new| new.is_same(&group.made_as))
            {
                wanted.remove(&key);
                running.insert(key, group);
            } else {
                group.cancel.send_replace(true);
                earlier.insert(key, group.task);
            }
        }
        let mut orphans = Vec::new();
        for (key, task) in earlier {
            let Some(earlier) = ended(task).await else { continue };
            match wanted.get_mut(&key) {
                Some(group) => orphans.extend(group.take_over(earlier)),
                None => {
                    orphans.extend(earlier.written().cloned());
                    self.handle().statuses().remove(&key);
                }
            }
        }
        self.mark_stale(orphans);
        for (key, group) in wanted {
            self.shared.publish(&group);
            let (cancel, cancelled) = watch::channel(false);
            let made_as = group.clone();
            let context = Context {
                db: self.db.clone(),
                engine: Arc::clone(&engine),
                external_labels: Arc::new(surroundings.0.clone()),
                external_url: surroundings.1.clone(),
            };
            let task = tokio::spawn(evaluate(group, Arc::new(context), self.shared.clone(), cancelled));
            running.insert(key, Running { cancel, task, made_as, surroundings: surroundings.clone() });
        }
    }

    fn mark_stale(&self, series: Vec<Labels>) {
        if series.is_empty() {
            return;
        }
        let mut batch = self.db.batch();
        let now_ms = now_ms();
        for labels in series {
            // Where something newer is there already, nothing needs an end.
            let _ = batch.add(&labels, now_ms, STALE_NAN);
        }
        if let Err(error) = batch.commit() {
            tracing::error!(%error, "the series of removed rules were not ended");
        }
    }
}

fn groups(settings: &Settings, restored: bool) -> BTreeMap<Key, Group> {
    let defaults = Defaults { interval_ms: settings.interval_ms, query_offset_ms: settings.query_offset_ms };
    let files =
        settings.files.iter().flat_map(|file| file.groups.iter().map(|group| (file.path.display(), group)));
    files
        .map(|(path, group)| Group::new(path.to_string(), group.clone(), defaults, restored))
        .map(|group| (group.key(), group))
        .collect()
}

async fn ended(task: JoinHandle<Group>) -> Option<Group> {
    task.await.inspect_err(|error| tracing::error!(%error, "a rule group failed")).ok()
}

/// Evaluates one group at its times until cancelled.
async fn evaluate(
    mut group: Group,
    context: Arc<Context>,
    shared: Arc<Shared>,
    mut cancelled: watch::Receiver<bool>,
) -> Group {
    let schedule = Schedule::new(&group.key(), group.interval_ms);
    let mut at_ms = schedule.next(now_ms());
    let mut first = true;
    loop {
        // Never longer than an interval, so that a clock set back does not silence the rules.
        let wait_ms = (at_ms - now_ms()).clamp(0, group.interval_ms).unsigned_abs();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            _ = cancelled.wait_for(|cancelled| *cancelled) => return group,
        }
        let (due_ms, missed) = schedule.due(at_ms - group.interval_ms, now_ms());
        (at_ms, group.missed) = (due_ms, group.missed + missed);
        group = evaluate_once(group, at_ms, &context, &shared, &cancelled).await;
        // The first evaluation may come before the targets were scraped.
        if !first && group.waits_for_restore() {
            group.restore(now_ms(), &context.db);
            shared.publish(&group);
        }
        first = false;
        at_ms += group.interval_ms;
    }
}

/// One evaluation, off the threads that serve, within its time.
async fn evaluate_once(
    group: Group,
    at_ms: i64,
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    cancelled: &watch::Receiver<bool>,
) -> Group {
    let (context, shared, cancelled) = (context.clone(), shared.clone(), cancelled.clone());
    let deadline = Instant::now() + EVALUATION_MAX;
    // What is kept if the evaluation cannot end, as when the server does.
    let before = group.clone();
    let work = move || {
        let mut group = group;
        let stop = || match *cancelled.borrow() {
            true => Some(StopReason::Canceled),
            false => (Instant::now() > deadline).then_some(StopReason::Timeout),
        };
        let due = group.evaluate(at_ms, &context, &stop);
        // Shown before anyone is told.
        shared.publish(&group);
        for (query, alerts) in due {
            shared.notifier.send(alerts, &query, &context.external_labels, &context.external_url);
        }
        group
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(group) => group,
        Err(error) => {
            tracing::error!(%error, "a rule group was not evaluated");
            before
        }
    }
}

#[cfg(test)]
mod tests;
