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

use super::logged::Recorder;
use super::observed::{Asked, ObservedRow, Observer};
use crate::predictions::{Naming, Record, score_again};

/// Answers that wait to be scored again.
const QUEUE_ROWS: usize = 1024;

const DIFFERENCES: [f64; 9] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
const DURATIONS_SECONDS: [f64; 8] = [5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 500e-6, 0.001, 0.01];

/// The version that is not heard.
pub struct Shadow {
    recorder: Recorder,
    queue: SyncSender<Record>,
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
        let version = version.map(|(number, model)| Arc::new(Version { number: number.to_string(), model }));
        self.parts.current.store(version);
    }

    /// What is told in the metrics.
    pub fn collectors(&self) -> [&dyn Collector; 4] {
        let Parts { answers, skipped, difference, duration_seconds, .. } = &*self.parts;
        [answers, skipped, difference, duration_seconds]
    }
}

impl Observer for Shadow {
    fn row(&self, row: &ObservedRow<'_>) {
        if self.parts.current.load().is_none() {
            return;
        }
        let Some(record) = self.recorder.record(row) else { return };
        if self.queue.try_send(record).is_err() {
            self.parts.skipped.with_label_values(&["budget"]).inc();
        }
    }

    fn request(&self, _asked: &Asked, _status: u16) {}
}

fn score(rows: &Receiver<Record>, parts: &Parts) {
    while let Ok(row) = rows.recv() {
        let Some(version) = parts.current.load_full() else { continue };
        let begun = Instant::now();
        match score_again(&version.model, &row) {
            Ok((score, class)) => {
                let agrees = if class.as_deref() == row.prediction.as_deref() { "true" } else { "false" };
                parts.answers.with_label_values(&[version.number.as_str(), agrees]).inc();
                parts.difference.observe((score - row.score).abs());
                parts.duration_seconds.observe(begun.elapsed().as_secs_f64());
            }
            Err(_) => parts.skipped.with_label_values(&["features"]).inc(),
        }
        // Rests as much longer than it worked as its share says.
        let rest = begun.elapsed().as_secs_f64() * (1.0 / parts.cpu_share - 1.0);
        if rest > 0.0 {
            std::thread::park_timeout(Duration::from_secs_f64(rest));
        }
    }
}
