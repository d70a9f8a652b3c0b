//! `monitor_month`: two monthly tables in; a drift report and a decision out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use streamflow_dataset::{DatasetSpec, Frame, Period, PointInTime, Values};
use streamflow_drift::{ColumnType, Decision, DriftSettings, Report, RuleSet, Share};

use super::{FlowRun, TaskRecord};
use crate::columns::drift_columns;
use crate::files::write_aside;
use crate::store::Store;

/// What to compare and where to write.
#[derive(Debug, Clone)]
pub struct Request {
    pub reference: Period,
    pub current: Period,
    pub profile: RuleSet,
    pub threshold: Share,
    pub report_dir: PathBuf,
}

/// The result of a run, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub run: i64,
    pub decision: Decision,
    pub drift_share: f64,
    pub threshold: f64,
    /// Absolute difference of the label's positive rates; none when a side has no labels.
    pub target_drift: Option<f64>,
    pub drifted: Vec<String>,
    pub report_html: PathBuf,
    pub report_json: PathBuf,
    pub report_evidently_json: PathBuf,
    pub tasks: Vec<TaskRecord>,
    /// The line of the log that other tools look for.
    pub line: String,
}

/// Runs the flow once.
pub async fn run(
    store: Store,
    snapshots: Arc<streamflow_dataset::Snapshots>,
    request: Request,
) -> anyhow::Result<Outcome> {
    let parameters = serde_json::json!({
        "reference": request.reference.to_string(),
        "current": request.current.to_string(),
        "profile": request.profile,
        "threshold": request.threshold,
    });
    let mut run = FlowRun::start(store, "monitor_month", parameters).await?;
    let id = run.id;
    let result = tasks(&mut run, snapshots, &request).await;
    let outcome = result.as_ref().map(|(report, _)| report.decision.as_str());
    let tasks = run.finish(outcome).await?;
    let (report, files) = result?;
    Ok(Outcome {
        run: id,
        decision: report.decision,
        drift_share: report.drift_share,
        threshold: request.threshold.get(),
        target_drift: report.target_drift.as_ref().map(|target| target.difference),
        drifted: report.drifted().map(|column| column.name.clone()).collect(),
        line: line(&report, &files),
        report_html: files.html,
        report_json: files.json,
        report_evidently_json: files.evidently_json,
        tasks,
    })
}

async fn tasks(
    run: &mut FlowRun,
    snapshots: Arc<streamflow_dataset::Snapshots>,
    request: &Request,
) -> anyhow::Result<(Report, Files)> {
    let build = |as_of: Period| {
        let snapshots = snapshots.clone();
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
        ..settings(snapshots.spec(), &reference, request.profile, request.threshold)
    };
    let report = run
        .task("compare_tables", move || {
            Ok(streamflow_drift::compare(&drift_columns(reference), &drift_columns(current), &settings)?)
        })
        .await?;

    let files = Files::new(&request.report_dir, request);
    let written = files.clone();
    let report = run.task("write_reports", move || written.write(&report).map(|()| report)).await?;

    run.log("info", &line(&report, &files)).await?;
    let key = format!("drift-{}-vs-{}", request.reference, request.current);
    run.artifact(&key, &report.to_markdown()).await;
    Ok((report, files))
}

/// The configured types are declared; the entity is left to inference, which under the evidently profile makes it text.
pub(super) fn settings(
    spec: &DatasetSpec,
    table: &Frame,
    profile: RuleSet,
    threshold: Share,
) -> DriftSettings {
    let declared = table.columns.iter().filter(|column| column.name != spec.entity.column()).map(|column| {
        let kind = match column.values {
            Values::Integer(_) | Values::Float(_) => ColumnType::Numerical,
            Values::Boolean(_) | Values::Text { .. } => ColumnType::Categorical,
            Values::Date(_) => ColumnType::Ignore,
        };
        (column.name.clone(), kind)
    });
    DriftSettings {
        profile,
        drift_share_threshold: threshold,
        types: declared.collect(),
        entity: Some(spec.entity.to_string()),
        target: Some(spec.label.column.clone()),
        ..DriftSettings::default()
    }
}

/// Where one comparison is written.
#[derive(Debug, Clone)]
struct Files {
    html: PathBuf,
    json: PathBuf,
    evidently_json: PathBuf,
}

impl Files {
    fn new(dir: &Path, request: &Request) -> Self {
        let file = |end: &str| dir.join(format!("drift_{}_vs_{}.{end}", request.reference, request.current));
        Self { html: file("html"), json: file("json"), evidently_json: file("evidently.json") }
    }

    fn write(&self, report: &Report) -> anyhow::Result<()> {
        for (path, contents) in [
            (&self.html, report.to_html()),
            (&self.json, report.to_json()),
            (&self.evidently_json, report.to_evidently_json()),
        ] {
            write_aside(path, contents.as_bytes())
                .with_context(|| format!("cannot write the report {}", path.display()))?;
        }
        Ok(())
    }
}

/// `[drift] report_html=… -> NO_ACTION drift_share=0.07 < 0.30 (target_drift=0.0239)`.
fn line(report: &Report, files: &Files) -> String {
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
