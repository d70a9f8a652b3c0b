//! Drift reports: the list, one of them, and a comparison of any two snapshots.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Map;
use streamflow_dataset::Period;
use streamflow_drift::{RuleSet, Share};

use super::{ResourceError, Resources};
use crate::drift::{ReportEntry, Rules};
use crate::flows;
use crate::flows::monitor_month::{self, MonitorRequest};

/// A report holds its own style and script and asks nobody for anything; it runs apart from the console.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                             frame-ancestors 'self'; sandbox allow-scripts allow-popups";

/// `GET /api/streamflow/reports`: newest first. Files that are no reports are named in the log.
pub async fn list(State(resources): State<Resources>) -> Result<Json<Vec<ReportEntry>>, ResourceError> {
    let folder = resources.workspace().reports.clone();
    let (mut entries, damaged) = tokio::task::spawn_blocking(move || folder.list()).await??;
    for damage in damaged {
        tracing::warn!("a report is left out: {damage}");
    }
    let runs = resources.workspace().store.runs_of_reports().await.map_err(anyhow::Error::from)?;
    for entry in &mut entries {
        entry.run_id = runs.get(&entry.name).copied();
    }
    Ok(Json(entries))
}

/// `GET /api/streamflow/reports/NAME`: the report's JSON.
pub async fn json(
    State(resources): State<Resources>,
    Path(name): Path<String>,
) -> Result<Response, ResourceError> {
    file(&resources, &name, "json", "application/json").await
}

/// `GET /reports/NAME.html`: the report itself.
pub async fn html(
    State(resources): State<Resources>,
    Path(file_name): Path<String>,
) -> Result<Response, ResourceError> {
    let name = file_name.strip_suffix(".html").unwrap_or(&file_name);
    let mut response = file(&resources, name, "html", "text/html; charset=utf-8").await?;
    let policy = header::HeaderValue::from_static(REPORT_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

async fn file(
    resources: &Resources,
    name: &str,
    end: &'static str,
    content_type: &'static str,
) -> Result<Response, ResourceError> {
    let folder = &resources.workspace().reports;
    let path = folder.file(name, end).map_err(|error| ResourceError::not_found(error.to_string()))?;
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, content_type)], bytes).into_response()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ResourceError::not_found(format!("there is no report {name} in {}", folder.path().display())))
        }
        Err(error) => {
            Err(anyhow::Error::from(error).context(format!("cannot read {}", path.display())).into())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareBody {
    reference: Period,
    current: Period,
    #[serde(default)]
    profile: Option<RuleSet>,
    #[serde(default)]
    threshold: Option<f64>,
}

/// `POST /api/streamflow/reports`: runs the monitoring flow and gives the new entry.
pub async fn compare(
    State(resources): State<Resources>,
    body: Result<Json<CompareBody>, JsonRejection>,
) -> Result<Json<ReportEntry>, ResourceError> {
    let Json(body) = body?;
    let workspace = resources.workspace();
    let configured = &workspace.config.monitor;
    let threshold = body.threshold.map(|value| Share::new("threshold", value)).transpose();
    let threshold = threshold
        .map_err(|error| ResourceError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?
        .unwrap_or(configured.threshold);
    let Ok(_slot) = resources.0.comparisons.try_acquire() else {
        let message = "another comparison is running; try again when it has ended";
        return Err(ResourceError::new(StatusCode::CONFLICT, message));
    };
    let request = MonitorRequest {
        reference: body.reference,
        current: body.current,
        rules: Rules {
            profile: body.profile.unwrap_or(configured.profile),
            threshold,
            ..Rules::from(configured)
        },
    };
    let given = request.given().map_err(|error| ResourceError::refused(&error))?;
    let flow = flows::known(&workspace.config, monitor_month::FLOW.name)?;
    let parameters = flow.parameters(given.as_object().unwrap_or(&Map::new()))?;
    let finished =
        flows::run_here(workspace, flow, &flows::Start::now(&parameters, "command"), ProgressBar::hidden())
            .await?;
    let ended = finished.outcome.map_err(|error| ResourceError::refused(&error))?;
    let (folder, run_id) = (workspace.reports.clone(), Some(finished.run));
    let name = ended.value["report"].as_str().unwrap_or_default().to_owned();
    let entry = tokio::task::spawn_blocking(move || {
        let entry = ReportEntry::new(&name, &folder.read(&name)?, jiff::Timestamp::now());
        anyhow::Ok(ReportEntry { run_id, ..entry })
    });
    Ok(Json(entry.await??))
}
