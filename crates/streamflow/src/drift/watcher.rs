//! What the newest drift report, the newest evaluation and the recorded runs say, as numbers for `GET /metrics`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use streamflow_drift::{ColumnReport, Report, ScoreKind};
use tokio::sync::watch;

use super::performance::NewestPerformance;
use super::{ReportFolder, Rules};
use crate::store::Store;
use crate::store::runs::RunCount;
use crate::terminal::one_line;

/// How often reports and runs are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How long after its time a run counts as late that has not begun, as in Prefect.
const LATE: Duration = Duration::from_secs(15);

/// The status at the last look; empty before the first report.
pub type Monitoring = Arc<ArcSwap<MonitoringStatus>>;

/// The newest drift report, the newest evaluation and the recorded runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MonitoringStatus {
    pub drift: Option<NewestDrift>,
    pub performance: Option<NewestPerformance>,
    /// When the monitoring flow last succeeded on the newest month, made as configured; seconds since 1970.
    pub last_success_seconds: Option<f64>,
    pub runs: Vec<RunCount>,
    /// Flow, and how many of its runs wait although they were due.
    pub late_runs: Vec<(String, i64)>,
    /// Flow, and the age of its last success in seconds over which it is late.
    pub success_ages: Vec<(String, f64)>,
}

/// The report of the newest period that was made as configured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewestDrift {
    pub reference: String,
    pub current: String,
    pub share: f64,
    pub threshold: f64,
    pub columns: Vec<ColumnDrift>,
    /// How many columns without a test count as drifted, and how many are only listed.
    pub not_tested: [usize; 2],
}

/// A column of the newest report that has a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDrift {
    pub name: String,
    pub score: Option<f64>,
    pub drifted: bool,
    /// Effect size over its threshold: 1 is at it.
    pub effect_ratio: Option<f64>,
}

impl NewestDrift {
    fn new(report: &Report) -> Self {
        let columns =
            report.columns.iter().filter(|column| column.threshold.is_some() || column.drifted).map(
                |column| ColumnDrift {
                    name: column.name.clone(),
                    score: column.score,
                    drifted: column.drifted,
                    effect_ratio: effect_ratio(column),
                },
            );
        Self {
            reference: report.reference.name.clone(),
            current: report.current.name.clone(),
            share: report.drift_share,
            threshold: report.drift_share_threshold,
            columns: columns.collect(),
            not_tested: [true, false]
                .map(|counted| report.not_tested.iter().filter(|column| column.counted == counted).count()),
        }
    }
}

/// The effect ratio; none where the verdict is a p-value's alone.
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
    folder: ReportFolder,
    store: Store,
    flow: &'static str,
    /// Name of the served model.
    model: String,
    /// Flow, and the age of its last success in seconds over which it is late.
    success_ages: Vec<(String, f64)>,
    monitoring: Monitoring,
    seen: Option<Seen>,
    /// The last evaluation that was seen, and the version in production then.
    evaluated: Option<(i64, Option<i64>)>,
}

/// What a look has found: the reports there are, and the month that the served model learned from.
type Seen = (Vec<(String, Timestamp)>, Option<String>);

impl Watcher {
    /// A watcher of `folder` and of the runs in `store`; `flow` names the flow that writes the reports, `model` the served
    /// model.
    pub fn new(folder: ReportFolder, store: Store, flow: &'static str, model: String) -> Self {
        Self {
            folder,
            store,
            flow,
            model,
            success_ages: Vec::new(),
            monitoring: Monitoring::default(),
            seen: None,
            evaluated: None,
        }
    }

    /// Tells in the metrics from which age of its last success on a flow is late.
    #[must_use]
    pub fn with_success_ages(mut self, ages: Vec<(String, f64)>) -> Self {
        self.success_ages = ages;
        self
    }

    async fn late_runs(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let before = format!("{:.3}", Timestamp::now() - LATE);
        Ok(self.store.late_runs(&before).await?)
    }

    /// The status, kept up to date while the watcher runs.
    pub fn status(&self) -> Monitoring {
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
                tracing::error!("the numbers of drift and flows stay as they were: {}", one_line(&error));
            }
        }
    }

    /// Brings the status up to date. A report that cannot be read leaves that of the report before it, and is logged
    /// once.
    pub async fn refresh(&mut self) -> anyhow::Result<()> {
        self.store.end_crashed_runs().await?;
        let folder = self.folder.clone();
        let names = tokio::task::spawn_blocking(move || folder.names()).await??;
        let Rules { profile, threshold, .. } = self.folder.configured();
        let mut status = MonitoringStatus {
            drift: self.monitoring.load().drift.clone(),
            performance: self.monitoring.load().performance.clone(),
            last_success_seconds: self.store.last_success(self.flow, profile, threshold).await?,
            runs: self.store.run_counts().await?,
            late_runs: self.late_runs().await?,
            success_ages: self.success_ages.clone(),
        };
        let production = self.store.production(&self.model).await?;
        let evaluated = (self.store.last_evaluation().await?, production.as_ref().map(|found| found.version));
        if self.evaluated != Some(evaluated) {
            let all = self.store.evaluations(&self.model).await?;
            status.performance = evaluated.1.and_then(|version| NewestPerformance::new(&all, version));
            self.evaluated = Some(evaluated);
        }
        let learned = production.map(|version| version.as_of);
        let seen = (names, learned);
        if self.seen.as_ref() != Some(&seen) {
            self.seen = Some(seen.clone());
            let (folder, (names, learned)) = (self.folder.clone(), seen);
            match tokio::task::spawn_blocking(move || folder.newest(names, learned.as_deref())).await? {
                Ok(newest) => status.drift = newest.map(|report| NewestDrift::new(&report)),
                Err(error) => {
                    tracing::warn!("the newest drift report is not in the metrics: {}", one_line(&error));
                }
            }
        }
        if **self.monitoring.load() != status {
            self.monitoring.store(Arc::new(status));
        }
        Ok(())
    }
}
