//! `monitor_month`: two monthly tables in; a drift report and a decision out.

use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;
use streamflow_dataset::{Period, PointInTime};
use streamflow_drift::{Decision, DriftSettings, NotTested, Report};

use super::{Flow, FlowRun, Parameter, TaskRecord};
use crate::drift::{self, ReportFiles, Rules};
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "monitor_month",
    doc: "Compare two ingested months: drift report, decision NO_ACTION or RETRAINING_TRIGGERED",
    parameters: &[
        Parameter { name: "reference", doc: "The month that the model learned from" },
        Parameter { name: "current", doc: "The month to compare with it" },
        Parameter { name: "profile", doc: "How a column is judged" },
        Parameter { name: "threshold", doc: "Share of drifted columns at or over which to retrain" },
        Parameter {
            name: "untested",
            doc: "Whether a column that cannot be tested any more is drifted or ignored",
        },
    ],
};

/// The months to compare and how.
#[derive(Debug, Clone, Serialize)]
pub struct MonitorRequest {
    pub reference: Period,
    pub current: Period,
    #[serde(flatten)]
    pub rules: Rules,
}

/// The result of a run, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct MonitorOutcome {
    pub run: i64,
    pub decision: Decision,
    pub drift_share: f64,
    pub threshold: f64,
    /// Absolute difference of the label's positive rates; none when a side has no labels.
    pub target_drift: Option<f64>,
    pub drifted: Vec<String>,
    /// The columns without a test, with reasons.
    pub not_tested: Vec<NotTested>,
    /// Name of the report, under which the console lists it.
    pub report: String,
    pub report_html: PathBuf,
    pub report_json: PathBuf,
    pub report_evidently_json: PathBuf,
    pub tasks: Vec<TaskRecord>,
    /// The line of the log that other tools look for.
    pub line: String,
}

/// Why a month is not compared with itself.
pub fn same_month(month: Period) -> String {
    format!("{month} is named as the reference and as the current month; a month is always like itself")
}

/// Runs the flow once. Its reports go to the workspace's report folder.
pub async fn run(workspace: &Workspace, request: MonitorRequest) -> anyhow::Result<MonitorOutcome> {
    if request.reference == request.current {
        bail!(same_month(request.current));
    }
    let parameters = serde_json::to_value(&request)?;
    let mut run = FlowRun::start(workspace.store.clone(), &FLOW, parameters).await?;
    let id = run.id;
    let result = tasks(&mut run, workspace, &request).await;
    let outcome = result.as_ref().map(|(report, _)| report.decision.as_str());
    let tasks = run.finish(outcome).await?;
    let (report, files) = result?;
    Ok(MonitorOutcome {
        run: id,
        decision: report.decision,
        drift_share: report.drift_share,
        threshold: request.rules.threshold.get(),
        target_drift: report.target_drift.as_ref().map(|target| target.difference),
        drifted: report.drifted().map(|column| column.name.clone()).collect(),
        line: line(&report, &files),
        not_tested: report.not_tested,
        report: files.name,
        report_html: files.html,
        report_json: files.json,
        report_evidently_json: files.evidently_json,
        tasks,
    })
}

async fn tasks(
    run: &mut FlowRun,
    workspace: &Workspace,
    request: &MonitorRequest,
) -> anyhow::Result<(Report, ReportFiles)> {
    let build = |as_of: Period| {
        let snapshots = workspace.snapshots.clone();
        move || Ok(snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?)
    };
    let reference = run.task("build_reference_table", build(request.reference)).await?;
    let current = run.task("build_current_table", build(request.current)).await?;
    run.log(
        "info",
        &format!("comparing {} reference rows with {} current rows", reference.rows, current.rows),
    )
    .await?;

    let settings = DriftSettings {
        reference_name: request.reference.to_string(),
        current_name: request.current.to_string(),
        ..drift::settings(
            &workspace.config.dataset,
            &reference,
            request.rules,
            &workspace.config.monitor.columns,
        )
    };
    let report =
        run.task("compare_tables", move || drift::compare_frames(reference, current, settings)).await?;

    if let Some(reasons) = report.nothing_tested() {
        bail!("no column could be tested, so there is no verdict: {reasons}");
    }
    let reports = workspace.reports.clone();
    let write = move || reports.write(&report).map(|files| (report, files));
    let (report, files) = run.task("write_reports", write).await?;
    run.report(&files.name).await?;

    run.log("info", &line(&report, &files)).await?;
    let key = format!("drift-{}-vs-{}", request.reference, request.current);
    run.artifact(&key, &report.to_markdown()).await;
    Ok((report, files))
}

/// `[drift] report_html=… -> NO_ACTION drift_share=0.07 < 0.30 (target_drift=0.0239)`.
fn line(report: &Report, files: &ReportFiles) -> String {
    let relation = match report.decision {
        Decision::NoAction => "<",
        Decision::RetrainingTriggered => ">=",
    };
    let target_drift =
        report.target_drift.as_ref().map_or_else(|| "NaN".to_owned(), |t| format!("{:.4}", t.difference));
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
