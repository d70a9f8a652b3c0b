//! Who changed what: the audit trail, and the log of what was in production.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::Query;
use super::runs::{checked_limit, default_limit};
use super::{ErrorBody, ResourceError, Resources};
use crate::store::audit::{AuditEntry, AuditFilter};
use crate::store::production::ProductionChange;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Most entries, at most 5,000.
    #[serde(default = "default_limit")]
    limit: i64,
    /// Only entries from this moment on, RFC 3339.
    since: Option<String>,
}

impl Page {
    fn filter(&self) -> Result<AuditFilter, ResourceError> {
        let moment = |text: &String| match text.parse::<Timestamp>() {
            Ok(moment) => Ok(format!("{moment:.3}")),
            Err(_) => {
                let message = format!("since is {text:?}; expected a time such as 2024-01-31T08:00:00Z");
                Err(ResourceError::new(StatusCode::UNPROCESSABLE_ENTITY, message))
            }
        };
        let since = self.since.as_ref().map(moment).transpose()?;
        Ok(AuditFilter { since, limit: checked_limit(self.limit)? })
    }
}

/// Who asked for which change, the newest first.
#[utoipa::path(get, path = "/api/streamflow/audit", tag = "changes", params(Page),
    responses((status = 200, body = Vec<AuditEntry>), (status = 422, body = ErrorBody)))]
pub async fn list(
    State(resources): State<Resources>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<AuditEntry>>, ResourceError> {
    let entries = resources.workspace().store.audit_entries(&page.filter()?).await;
    Ok(Json(entries.map_err(anyhow::Error::from)?))
}

/// Promotions and rollbacks, the newest first.
#[utoipa::path(get, path = "/api/streamflow/promotions", tag = "changes", params(Page),
    responses((status = 200, body = Vec<ProductionChange>), (status = 422, body = ErrorBody)))]
pub async fn promotions(
    State(resources): State<Resources>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<ProductionChange>>, ResourceError> {
    let changes = resources.workspace().store.production_changes(&page.filter()?).await;
    Ok(Json(changes.map_err(anyhow::Error::from)?))
}
