//! A version that answers beside the one in production and is not heard: after an answer was made its features are put
//! into a bounded queue, and a thread of its own scores them within a share of a processor.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts};
use streamflow_model::Model;
use tokio::sync::watch;

use super::logged::Recorder;
use super::observed::{Asked, ObservedRow, Observer};
use crate::canary::{Pair, PairCounts, PairTally};
use crate::live::hash_of;
use crate::predictions::{Naming, Record, score_again};
use crate::random::random_hex;
use crate::store::canaries::NewTally;
use crate::store::shadows::{PAIRS, trial_of};
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How often the version that is not heard is looked up.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Answers that wait to be scored again.
const QUEUE_ROWS: usize = 1024;

const DIFFERENCES: [f64; 9] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
const DURATIONS_SECONDS: [f64; 8] = [5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 500e-6, 0.001, 0.01];

/// The version that is not heard.
pub struct Shadow {
    recorder: Recorder,
    queue: SyncSender<Row>,
    parts: Arc<Parts>,
}

/// What the observer and the thread share.
struct Parts {
    current: ArcSwapOption<Version>,
    answers: IntCounterVec,
    skipped: IntCounterVec,
    difference: Histogram,
    duration_seconds: Histogram,
    cpu_share: f64,
}

struct Version {
    number: String,
    model: Model,
    pairs: PairCounts,
}

/// An answer that waits to be scored again.
struct Row {
    record: Record,
    entity_hash: u64,
}

impl Shadow {
    /// Nobody, until [`Shadow::replace`] names one. The thread ends with the last of its owners.
    ///
    /// # Errors
    /// No thread.
    pub fn start(cpu_share: f64) -> anyhow::Result<Arc<Self>> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("a valid name and labels")
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
                .expect("ascending buckets")
        };
        let parts = Arc::new(Parts {
            current: ArcSwapOption::empty(),
            answers: counters(
                "shadow_predictions_total",
                "Answers of the version that is not heard, by whether its class is that of the answer that was given.",
                &["version", "agrees"],
            ),
            skipped: counters(
                "shadow_skipped_total",
                "Answers that the version that is not heard did not score: its time was used up, or it does not take the features.",
                &["reason"],
            ),
            difference: histogram(
                "shadow_score_difference",
                "Distance between the score that was given and that of the version that is not heard.",
                &DIFFERENCES,
            ),
            duration_seconds: histogram(
                "shadow_duration_seconds",
                "Time in which the version that is not heard scores an answer.",
                &DURATIONS_SECONDS,
            ),
            cpu_share,
        });
        let (queue, rows) = sync_channel(QUEUE_ROWS);
        let of_thread = parts.clone();
        let thread = std::thread::Builder::new().name("shadow".to_owned());
        thread.spawn(move || score(&rows, &of_thread)).context("cannot start the thread of the shadow")?;
        Ok(Arc::new(Self { recorder: Recorder::new(Naming::Left), queue, parts }))
    }

    /// The number of the version that answers now.
    pub fn version(&self) -> Option<String> {
        self.parts.current.load().as_ref().map(|version| version.number.clone())
    }

    /// Puts another version in its place, or none.
    pub fn replace(&self, version: Option<(i64, Model)>) {
        let version = version.map(|(number, model)| {
            Arc::new(Version { number: number.to_string(), model, pairs: PairCounts::default() })
        });
        self.parts.current.store(version);
    }

    /// What the version that answers now and the one that is heard have said of the same rows.
    pub fn pairs(&self) -> Option<PairTally> {
        self.parts.current.load().as_ref().map(|version| version.pairs.tally())
    }

    /// What is told in the metrics.
    pub fn collectors(&self) -> [&dyn Collector; 4] {
        let Parts { answers, skipped, difference, duration_seconds, .. } = &*self.parts;
        [answers, skipped, difference, duration_seconds]
    }
}

impl Observer for Shadow {
    fn row(&self, row: &ObservedRow<'_>) {
        let current = self.parts.current.load();
        // What it has answered itself, as a canary, it would only say again.
        if current.as_ref().is_none_or(|current| current.number == row.serving.model_version) {
            return;
        }
        let Some(record) = self.recorder.record(row) else { return };
        let entity_hash = hash_of(0, row.entity, row.features.unwrap_or_default());
        if self.queue.try_send(Row { record, entity_hash }).is_err() {
            self.parts.skipped.with_label_values(&["budget"]).inc();
        }
    }

    fn request(&self, _asked: &Asked, _status: u16) {}
}

/// Keeps the version that answers and is not heard the one that was named last, and in the store what was counted of it,
/// until `shutdown` says so. One that cannot be read is told once, and the one of before goes.
pub async fn follow(workspace: Workspace, shadow: Arc<Shadow>, mut shutdown: watch::Receiver<bool>) {
    let name = workspace.config.model.name.clone();
    let process = random_hex::<8>().unwrap_or_else(|_| std::process::id().to_string());
    let (mut current, mut kept) = (None, 0);
    loop {
        let named = named(&workspace, &name).await;
        let of_config =
            || workspace.config.serve.shadow_version(&name).ok().flatten().map(|version| (version, None));
        let wanted = named.or_else(of_config);
        if wanted != current {
            let model = match wanted {
                None => None,
                Some((version, _)) => match workspace.registry.load(&name, version).await {
                    Ok(model) => Some((version, model)),
                    Err(error) => {
                        tracing::error!("no version answers unheard: {}", one_line(&error));
                        None
                    }
                },
            };
            let version = wanted.map(|(version, _)| version);
            tracing::info!(version, "the version that answers and is not heard");
            shadow.replace(model);
            (current, kept) = (wanted, 0);
        }
        if let (Some((_, Some(run))), Some(tally)) = (current, shadow.pairs())
            && tally.rows + 1 != kept
        {
            let of = NewTally { model: &name, trial: &trial_of(run), arm: PAIRS, process: &process };
            match workspace.store.keep_tally(of, &tally).await {
                Ok(()) => kept = tally.rows + 1,
                Err(error) => tracing::warn!("what was counted of the shadow is kept in a second: {error}"),
            }
        }
        let stopped = shutdown.wait_for(|stop| *stop);
        if tokio::time::timeout(LOOK_EVERY, stopped).await.is_ok() {
            return;
        }
    }
}

/// The version in the store, with the run that keeps it; one whose run is there no more is ended.
async fn named(workspace: &Workspace, name: &str) -> Option<(i64, Option<i64>)> {
    let store = &workspace.store;
    let found = store.shadow(name).await.ok().flatten()?;
    let Some(run) = found.run else { return Some((found.version, None)) };
    // Its process may have been killed, and nobody else may look.
    let _ = store.end_crashed_runs().await;
    let found = store.shadow(name).await.ok().flatten()?;
    if found.is_kept() {
        return Some((found.version, found.run));
    }
    let _ = store.end_shadow_of(name, run).await;
    None
}

fn score(rows: &Receiver<Row>, parts: &Parts) {
    while let Ok(Row { record: row, entity_hash }) = rows.recv() {
        let Some(version) = parts.current.load_full() else { continue };
        let begun = Instant::now();
        match score_again(&version.model, &row) {
            Ok((score, class)) => {
                let agrees = if class.as_deref() == row.prediction.as_deref() { "true" } else { "false" };
                version.pairs.pair(entity_hash, pair(&row, score, class.as_deref()));
                parts.answers.with_label_values(&[version.number.as_str(), agrees]).inc();
                parts.difference.observe((score - row.score).abs());
                parts.duration_seconds.observe(begun.elapsed().as_secs_f64());
            }
            Err(_) => {
                version.pairs.refused();
                parts.skipped.with_label_values(&["features"]).inc();
            }
        }
        // Rests as much longer than it worked as its share says.
        let rest = begun.elapsed().as_secs_f64() * (1.0 / parts.cpu_share - 1.0);
        if rest > 0.0 {
            std::thread::park_timeout(Duration::from_secs_f64(rest));
        }
    }
}

fn pair(row: &Record, unheard: f64, class: Option<&str>) -> Pair {
    let given = row.prediction.as_deref();
    let turn = match (given, class) {
        (Some("0"), Some("1")) => 1,
        (Some("1"), Some("0")) => -1,
        _ => 0,
    };
    Pair { given: row.score, unheard, differs: class.map(|class| given != Some(class)), turn }
}
