//! What the newest drift report and the recorded runs say, as numbers for `GET /metrics`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use streamflow_drift::{ColumnReport, Report, ScoreKind};
use tokio::sync::watch;

use crate::reports::Folder;
use crate::store::Store;
use crate::terminal::told_once;

/// How often reports and runs are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The numbers of the last look; empty before the first report.
pub type Monitoring = Arc<ArcSwap<Numbers>>;

/// What is known of drift and of flows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    pub drift: Option<Drift>,
    /// When the monitoring flow last succeeded, seconds since 1970.
    pub last_success_seconds: Option<f64>,
    /// Flow, state, number of runs.
    pub runs: Vec<(String, String, i64)>,
}

/// The newest report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    pub reference: String,
    pub current: String,
    pub share: f64,
    pub threshold: f64,
    pub columns: Vec<ColumnDrift>,
}

/// A tested column of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDrift {
    pub name: String,
    pub score: Option<f64>,
    pub drifted: bool,
    /// Effect size over its threshold: 1 is at it.
    pub effect_ratio: Option<f64>,
}

impl Drift {
    fn new(report: &Report) -> Self {
        let columns =
            report.columns.iter().filter(|column| column.threshold.is_some()).map(|column| ColumnDrift {
                name: column.name.clone(),
                score: column.score,
                drifted: column.drifted,
                effect_ratio: effect_ratio(column),
            });
        Self {
            reference: report.reference.name.clone(),
            current: report.current.name.clone(),
            share: report.drift_share,
            threshold: report.drift_share_threshold,
            columns: columns.collect(),
        }
    }
}

/// None where the verdict is a p-value's alone.
fn effect_ratio(column: &ColumnReport) -> Option<f64> {
    let ratio = match (&column.effect_size, column.score_kind) {
        (Some(effect), _) => effect.value?.abs() / effect.threshold,
        (None, Some(ScoreKind::Distance)) => column.score? / column.threshold?,
        (None, _) => return None,
    };
    Some(ratio).filter(|ratio| ratio.is_finite())
}

/// Looks at the reports and the runs again when they have changed.
pub struct Watcher {
    folder: Folder,
    store: Store,
    monitoring: Monitoring,
    newest: Option<(String, Timestamp)>,
}

impl Watcher {
    pub fn new(folder: Folder, store: Store) -> Self {
        Self { folder, store, monitoring: Monitoring::default(), newest: None }
    }

    /// Where the numbers are put.
    pub fn numbers(&self) -> Monitoring {
        self.monitoring.clone()
    }

    /// Looks every few seconds until `shutdown`.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.refresh().await {
                tracing::error!("the numbers of drift and flows stay as they were: {}", told_once(&error));
            }
        }
    }

    /// Brings the numbers up to date. A report that cannot be read leaves the numbers of the one before, and is told
    /// once.
    pub async fn refresh(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.clone();
        let names = tokio::task::spawn_blocking(move || folder.names()).await??;
        let mut numbers = Numbers {
            drift: self.monitoring.load().drift.clone(),
            last_success_seconds: self.store.last_success("monitor_month").await?,
            runs: self.store.run_counts().await?,
        };
        let newest = names.into_iter().next();
        if newest != self.newest {
            self.newest = newest.clone();
            numbers.drift = match newest {
                None => None,
                Some((name, _)) => {
                    let folder = self.folder.clone();
                    match tokio::task::spawn_blocking(move || folder.read(&name)).await? {
                        Ok(report) => Some(Drift::new(&report)),
                        Err(error) => {
                            tracing::warn!(
                                "the newest drift report is not in the metrics: {}",
                                told_once(&error)
                            );
                            numbers.drift
                        }
                    }
                }
            };
        }
        if **self.monitoring.load() != numbers {
            self.monitoring.store(Arc::new(numbers));
        }
        Ok(())
    }
}
