//! `monitor_month`: two monthly tables in; a drift report and a decision out.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamflow_dataset::{Frame, Period, PointInTime};
use streamflow_drift::{Decision, DriftSettings, NotTested, Report, RuleSet, Share, Untested};

use super::evaluate_month::{self, Evaluated};
use super::parameters::{Kind, optional};
use super::run::is_interrupt;
use super::{Ended, Flow, FlowRun, blocking};
use crate::drift::{self, ReportFiles, Rules};
use crate::performance::section;
use crate::registry::VersionImportance;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "monitor_month",
    doc: "Compare two ingested months: drift report, decision NO_ACTION or RETRAINING_TRIGGERED",
    parameters: &[
        optional(
            "reference",
            Kind::Date,
            "The month that the model learned from [default: that of the production version]",
        ),
        optional("current", Kind::Date, "The month to compare with it [default: the newest]"),
        optional("profile", Kind::Word(&["calibrated", "evidently"]), "How a column is judged"),
        optional("threshold", Kind::Number, "Share of drifted columns at or over which to retrain"),
        optional(
            "untested",
            Kind::Word(&["drifted", "ignored"]),
            "Whether a column that cannot be tested any more is drifted or ignored",
        ),
    ],
    period: Some("current"),
    body: |run| {
        Box::pin(async move {
            let request = MonitorRequest::of(run).await?;
            steps(run, &request).await?.ended()
        })
    },
};

/// The months to compare and how.
#[derive(Debug, Clone, Serialize)]
pub struct MonitorRequest {
    pub reference: Period,
    pub current: Period,
    #[serde(flatten)]
    pub rules: Rules,
}

impl MonitorRequest {
    /// What a run is given that is asked for these.
    pub fn given(&self) -> anyhow::Result<Value> {
        if self.reference == self.current {
            bail!(same_month(self.current));
        }
        Ok(serde_json::to_value(self)?)
    }

    /// What the parameters of a run say; where they say nothing, the configuration, the registry and the ledger do.
    pub async fn of(run: &FlowRun) -> anyhow::Result<Self> {
        let (workspace, given) = (&run.workspace, &run.parameters);
        let configured = Rules::from(&workspace.config.monitor);
        let profile = given.text("profile").map(str::parse::<RuleSet>).transpose();
        let profile = profile.map_err(|error| anyhow::anyhow!("profile: {error}"))?;
        let threshold = given.number("threshold").map(|share| Share::new("threshold", share)).transpose()?;
        let rules = Rules {
            profile: profile.unwrap_or(configured.profile),
            threshold: threshold.unwrap_or(configured.threshold),
            untested: match given.text("untested") {
                Some("ignored") => Untested::Ignored,
                Some(_) => Untested::Drifted,
                None => configured.untested,
            },
        };
        let current = match (given.date("current")?, given.date("as_of")?) {
            (Some(month), _) | (None, Some(month)) => month,
            (None, None) => newest(workspace).await?,
        };
        let reference = match given.date("reference")? {
            Some(month) => month,
            None => learned(workspace, current).await?,
        };
        let request = Self { reference, current, rules };
        request.given().map(|_| request)
    }
}

/// Why a month is not compared with itself.
pub fn same_month(month: Period) -> String {
    format!("{month} is named as the reference and as the current snapshot; a snapshot is always like itself")
}

/// The newest ingested month.
pub async fn newest(workspace: &Workspace) -> anyhow::Result<Period> {
    let snapshots = workspace.snapshots.clone();
    let newest = blocking(move || Ok(snapshots.newest()?)).await?;
    newest.ok_or_else(|| anyhow::anyhow!("no month was ingested; see `streamflow ingest`"))
}

/// The month that the production version learned from; without one, or where that is the current month itself, the first
/// month that was ingested.
async fn learned(workspace: &Workspace, current: Period) -> anyhow::Result<Period> {
    let name = &workspace.config.model.name;
    if let Some(version) = workspace.registry.production(name).await?
        && let Ok(month) = version.as_of.parse::<Period>()
        && month != current
    {
        return Ok(month);
    }
    let snapshots = workspace.snapshots.clone();
    let first = blocking(move || Ok(snapshots.snapshots()?.first().map(|snapshot| snapshot.as_of))).await?;
    first.filter(|first| *first != current).ok_or_else(|| {
        anyhow::anyhow!(
            "no other snapshot than {current} was ingested, so there is nothing to compare it with"
        )
    })
}

/// The result of a run, as `--format json` prints it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MonitorOutcome {
    /// The stronger of what drift and performance say.
    pub decision: Decision,
    /// What the share of drifted columns says.
    pub drift_decision: Decision,
    pub drift_share: f64,
    pub threshold: f64,
    /// Absolute difference of the label's positive rates; of several classes half the sum of the differences of their
    /// shares; of numbers the difference of the means in standard deviations of the reference. None when a side has no
    /// labels.
    pub target_drift: Option<f64>,
    pub drifted: Vec<String>,
    /// The columns without a test, with reasons.
    pub not_tested: Vec<NotTested>,
    /// Name of the report, under which the console lists it.
    pub report: String,
    pub report_html: PathBuf,
    pub report_json: PathBuf,
    pub report_evidently_json: PathBuf,
    /// The line of the log that other tools look for.
    pub line: String,
    /// How right the production version was on the current month; none without a model.
    pub performance: Option<Evaluated>,
}

impl MonitorOutcome {
    pub(super) fn new(report: &Report, files: &ReportFiles, performance: Option<Evaluated>) -> Self {
        let target_drift = drift::target_difference(report);
        let has_fallen = performance.as_ref().is_some_and(|found| found.evaluation.has_fallen());
        Self {
            decision: if has_fallen { Decision::RetrainingTriggered } else { report.decision },
            drift_decision: report.decision,
            performance,
            drift_share: report.drift_share,
            threshold: report.drift_share_threshold,
            target_drift,
            drifted: report.drifted().map(|column| column.name.clone()).collect(),
            not_tested: report.not_tested.clone(),
            line: line(report, files, target_drift),
            report: files.name.clone(),
            report_html: files.html.clone(),
            report_json: files.json.clone(),
            report_evidently_json: files.evidently_json.clone(),
        }
    }

    fn ended(self) -> anyhow::Result<Ended> {
        let (name, message) = (self.decision.as_str().to_owned(), self.reason());
        let text = self.text();
        Ok(Ended { name, message, value: serde_json::to_value(&self)?, text })
    }

    /// Why the decision is what it is, in a sentence.
    pub fn reason(&self) -> String {
        let drift = format!("drift_share={:.2} of {:.2}", self.drift_share, self.threshold);
        match &self.performance {
            Some(performance) => format!("{drift}. {}", performance.evaluation.verdict.reason()),
            None => drift,
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let drifted = match self.drifted.as_slice() {
            [] => "no column".to_owned(),
            names => names.join(", "),
        };
        for column in &self.not_tested {
            let counted = if column.counted { ", counts as drifted" } else { "" };
            text.push_str(&format!("  not tested{counted}: {} ({})\n", column.column, column.reason));
        }
        text.push_str(&format!("  drifted: {drifted}\n{}", self.line));
        if let Some(line) = self.performance.as_ref().and_then(|performance| performance.line.as_ref()) {
            text.push_str(&format!("\n{line}"));
        }
        text
    }
}

/// Name of the step whose result is what the flow came to.
const WRITE: &str = "write_reports";

/// The steps, for this flow and for those that contain it. Reports go to the workspace's report folder.
pub async fn steps(run: &mut FlowRun, request: &MonitorRequest) -> anyhow::Result<MonitorOutcome> {
    if let Some(outcome) = run.taken_over(WRITE).await? {
        return Ok(outcome);
    }
    // The second table is read while the first one is: each alone leaves a processor idle.
    let ahead = Arc::new(Mutex::new(Some(tokio::spawn(table(run.workspace.clone(), request.current)))));
    let (workspace, month) = (run.workspace.clone(), request.reference);
    let reference = run.read("build_reference_table", move |_| table(workspace.clone(), month)).await?;
    let (workspace, month) = (run.workspace.clone(), request.current);
    let current = run
        .read("build_current_table", move |_| {
            let begun = ahead.lock().expect("no panic while held").take();
            let workspace = workspace.clone();
            async move {
                match begun {
                    Some(begun) => begun.await?,
                    None => table(workspace, month).await,
                }
            }
        })
        .await?;
    let rows = format!("comparing {} reference rows with {} current rows", reference.rows, current.rows);
    run.log("info", &rows).await?;

    let mut report = compare(run, request, reference, current).await?;
    weigh(run, &mut report).await?;
    if let Some(reasons) = report.nothing_tested() {
        bail!("no column could be tested, so there is no verdict: {reasons}");
    }
    let report = Arc::new(report);
    let performance = performance(run, request.current).await?;
    let (reports, written) = (run.workspace.reports.clone(), report.clone());
    let write = move |_| {
        let (reports, report, performance) = (reports.clone(), written.clone(), performance.clone());
        blocking(move || {
            let addition = performance.as_ref().map(|found| section::addition(&found.evaluation));
            let files = reports.write(&report, &addition.unwrap_or_default())?;
            Ok(MonitorOutcome::new(&report, &files, performance))
        })
    };
    let outcome: MonitorOutcome = run.step(WRITE, write).await?;
    run.report(&outcome.report).await?;
    run.log("info", &outcome.line).await?;
    let key = format!("drift-{}-vs-{}", request.reference, request.current);
    run.artifact(&key, &report.to_markdown()).await;
    Ok(outcome)
}

/// Adds the drift weighted by what the features contribute to the answers of the version in production, where that is
/// known. A version that cannot be read is told, and does not end the run.
async fn weigh(run: &mut FlowRun, report: &mut Report) -> anyhow::Result<()> {
    match importance(&run.workspace).await {
        Ok(known) => known.iter().for_each(|(model, known)| report.weigh(model, known)),
        Err(error) => {
            run.log("warning", &format!("drift is not weighted by importance: {}", one_line(&error))).await?;
        }
    }
    Ok(())
}

/// What each feature contributes to the answers of the version in production, with the name of that version.
pub(super) async fn importance(
    workspace: &Workspace,
) -> anyhow::Result<Option<(String, Vec<(String, f64)>)>> {
    let (registry, name) = (&workspace.registry, &workspace.config.model.name);
    let Some(production) = registry.production(name).await? else { return Ok(None) };
    let stored = registry.stored(name, production.version).await?;
    let features = VersionImportance::of(&stored).features.into_iter();
    let known = features.filter_map(|found| Some((found.feature, found.mean_abs_contribution?)));
    Ok(Some((format!("{name} version {}", production.version), known.collect())))
}

/// How right the production version was on the month. A version that cannot score it says nothing of its drift, so that
/// is told and does not end the run.
async fn performance(run: &mut FlowRun, month: Period) -> anyhow::Result<Option<Evaluated>> {
    match evaluate_month::steps(run, month, None).await {
        Err(error) if !is_interrupt(&error) => {
            let message = format!("how right the model was on {month} is not known: {}", one_line(&error));
            run.log("warning", &message).await?;
            Ok(None)
        }
        evaluated => evaluated,
    }
}

/// The table of a month with its labels.
async fn table(workspace: Workspace, as_of: Period) -> anyhow::Result<Frame> {
    let options = PointInTime { labels: true, exact: true };
    blocking(move || {
        let frame = workspace.snapshots.point_in_time(as_of, options)?;
        drift::with_label(frame, &workspace.config.dataset.label)
    })
    .await
}

async fn compare(
    run: &mut FlowRun,
    request: &MonitorRequest,
    reference: Frame,
    current: Frame,
) -> anyhow::Result<Report> {
    let config = &run.workspace.config;
    let settings = DriftSettings {
        reference_name: request.reference.to_string(),
        current_name: request.current.to_string(),
        ..drift::settings(&config.dataset, &reference, request.rules, &config.monitor.columns)
    };
    let tables = Arc::new(Mutex::new(Some((reference, current))));
    let (workspace, months) = (run.workspace.clone(), (request.reference, request.current));
    run.read("compare_tables", move |_| {
        let (tables, settings, workspace) = (tables.clone(), settings.clone(), workspace.clone());
        let config = workspace.config.clone();
        async move {
            let first = tables.lock().expect("no panic while held").take();
            let (reference, current) = match first {
                Some(tables) => tables,
                // The first try took them.
                None => (table(workspace.clone(), months.0).await?, table(workspace, months.1).await?),
            };
            blocking(move || {
                let target_change = drift::target_change(&reference, &current, &config.dataset.label);
                Ok(Report {
                    target_change,
                    ..streamflow_compare::compare_frames(reference, current, settings)?
                })
            })
            .await
        }
    })
    .await
}

/// `[drift] report_html=… -> NO_ACTION drift_share=0.07 < 0.30 (target_drift=0.0239)`.
fn line(report: &Report, files: &ReportFiles, target_drift: Option<f64>) -> String {
    let relation = match report.decision {
        Decision::NoAction => "<",
        Decision::RetrainingTriggered => ">=",
    };
    let target_drift = target_drift.map_or_else(|| "NaN".to_owned(), |drift| format!("{drift:.4}"));
    format!(
        "[drift] report_html={} report_json={} drift_share={share:.2} -> {} drift_share={share:.2} {relation} {:.2} (target_drift={target_drift})",
        files.html.display(),
        files.json.display(),
        report.decision.as_str(),
        report.drift_share_threshold,
        share = report.drift_share,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::MonitorConfig;

    #[test]
    fn a_run_is_recorded_with_the_parameters_of_the_row() {
        let month: Period = "2024-01-31".parse().unwrap();
        let rules = Rules::from(&MonitorConfig::default());
        let request = MonitorRequest { reference: month, current: month, rules };
        let recorded = serde_json::to_value(request).unwrap();
        let recorded: BTreeSet<&str> = recorded.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(recorded, FLOW.parameters.iter().map(|parameter| parameter.name).collect());
    }
}
