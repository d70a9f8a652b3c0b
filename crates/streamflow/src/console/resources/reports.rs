//! Drift reports: the list, one of them, and a comparison of any two snapshots.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Map;
use streamflow_dataset::Period;
use streamflow_drift::{RuleSet, Share};
use utoipa::ToSchema;

use super::extract::Path;
use super::{ErrorBody, ResourceError, Resources};
use crate::drift::{ReportEntry, Rules};
use crate::flows;
use crate::flows::monitor_month::{self, MonitorRequest};

/// A report holds its own style and script and asks nobody for anything; it runs apart from the console.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                             frame-ancestors 'self'; sandbox allow-scripts allow-popups";

/// Drift reports, the newest first. Files that are no reports are named in the log.
#[utoipa::path(get, path = "/api/streamflow/reports", tag = "reports", responses((status = 200, body = Vec<ReportEntry>)))]
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

/// The JSON of a report.
#[utoipa::path(get, path = "/api/streamflow/reports/{name}", tag = "reports", params(("name" = String, Path)), responses((status = 200, body = Object),
    (status = 404, body = ErrorBody)))]
pub async fn json(
    State(resources): State<Resources>,
    Path(name): Path<String>,
) -> Result<Response, ResourceError> {
    file(&resources, &name, "json", "application/json").await
}

/// A report as a page.
#[utoipa::path(get, path = "/reports/{file}", tag = "reports", params(("file" = String, Path, description = "NAME.html")),
    responses((status = 200, body = String, content_type = "text/html; charset=utf-8"), (status = 404, body = ErrorBody)))]
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareBody {
    #[schema(value_type = String)]
    reference: Period,
    #[schema(value_type = String)]
    current: Period,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    profile: Option<RuleSet>,
    #[serde(default)]
    threshold: Option<f64>,
}

/// Runs the monitoring flow on two ingested months and gives the new report.
#[utoipa::path(post, path = "/api/streamflow/reports", tag = "reports", request_body = CompareBody,
    responses((status = 200, body = ReportEntry), (status = 409, body = ErrorBody)))]
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
