//! What happened to data and model, as marks on the charts over time.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::data::ingests;
use super::extract::Query;
use super::{ErrorBody, ResourceError, Resources};
use crate::store::live_said::LiveChange;
use crate::store::production::ProductionChange;
use crate::store::runs::Run;

/// Most marks of one kind in one answer.
const LIMIT: i64 = 500;

/// The stretch of time, seconds since 1970, both ends included.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Stretch {
    start: f64,
    end: f64,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct Annotation {
    at: String,
    kind: Kind,
    /// What it was, in words.
    text: String,
    run_id: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AnnotationKind)]
enum Kind {
    /// Another version answers.
    Promotion,
    /// A month was ingested.
    Ingest,
    /// A run came to a verdict on data or model.
    Decision,
    /// Live traffic began to drift, or ended.
    LiveDrift,
}

impl Annotation {
    fn of_change(change: ProductionChange) -> Self {
        let ProductionChange { at, actor, action, subject, run_id, .. } = change;
        let verb = if action == "promote" { "promoted" } else { "rolled back to" };
        Self { at, kind: Kind::Promotion, text: format!("{verb} {subject} ({actor})"), run_id }
    }

    fn of_run(run: Run) -> Self {
        let period = run.period.map(|period| format!(" {period}")).unwrap_or_default();
        let text = format!("{}{period}: {}", run.flow, run.state_name);
        Self { at: run.ended_at.unwrap_or(run.started_at), kind: Kind::Decision, text, run_id: Some(run.id) }
    }

    fn of_live(LiveChange { at, version, text }: LiveChange) -> Self {
        Self { at, kind: Kind::LiveDrift, text: format!("version {version}: {text}"), run_id: None }
    }

    fn of_ingest((month, at): (String, String)) -> Self {
        Self { at, kind: Kind::Ingest, text: format!("snapshot {month} ingested"), run_id: None }
    }
}

/// Promotions, ingests, decisions and live drift of a stretch of time, the oldest first.
#[utoipa::path(get, path = "/api/streamflow/annotations", tag = "changes", params(Stretch),
    responses((status = 200, body = Vec<Annotation>), (status = 422, body = ErrorBody)))]
pub async fn list(
    State(resources): State<Resources>,
    Query(Stretch { start, end }): Query<Stretch>,
) -> Result<Json<Vec<Annotation>>, ResourceError> {
    let [from, to] = [moment("start", start)?, moment("end", end)?];
    let store = &resources.workspace().store;
    let changes = store.production_changes_between(&from, &to, LIMIT).await.map_err(anyhow::Error::from)?;
    let decisions = store.decisions_between(&from, &to, LIMIT).await.map_err(anyhow::Error::from)?;
    let mut found: Vec<Annotation> = changes.into_iter().map(Annotation::of_change).collect();
    found.extend(decisions.into_iter().map(Annotation::of_run));
    let live = store.live_changes_between(&from, &to, LIMIT).await.map_err(anyhow::Error::from)?;
    found.extend(live.into_iter().map(Annotation::of_live));
    let is_inside = |(_, at): &(String, String)| *at >= from && *at <= to;
    found.extend(ingests(&resources).await?.into_iter().filter(is_inside).map(Annotation::of_ingest));
    found.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(Json(found))
}

/// A moment as the database writes it, so that texts compare as times do.
fn moment(name: &str, seconds: f64) -> Result<String, ResourceError> {
    let moment = Timestamp::from_millisecond((seconds * 1e3) as i64).map_err(|error| {
        let message = format!("{name} is {seconds}; expected seconds since 1970: {error}");
        ResourceError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, message)
    })?;
    Ok(format!("{moment:.3}"))
}
