//! `POST /features`: features that a caller's pipeline pushes, for predictions until a newer snapshot has them.
//!
//! What is answered 200 is in the database before, so that it survives the process. Training never sees it: it reads snapshots
//! alone.

mod body;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use axum::Json as Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use streamflow_dataset::{ColumnSpec, ColumnType, DatasetSpec, Snapshots};
use tokio::sync::{Mutex, watch};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody, InvalidBody};
use super::keys::Key;
use super::{ApiState, exchange, request};
use crate::config::OnLate;
use crate::feature_store::{Change, PushedFeatures, PushedValue, Value};
use crate::serving::Served;
use crate::store::Store;
use crate::store::pushed::{Mark, Outcomes, PushedFeature};
use crate::terminal::one_line;

/// How often it is looked whether another process took or deleted values.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where pushed features go, and how they are read.
pub struct Intake {
    store: Store,
    /// Where it is known who is forgotten.
    snapshots: Arc<Snapshots>,
    columns: Columns,
    served: Served,
    /// Most entities with pushed features.
    most: usize,
    /// The age in seconds over which they are late, and what becomes of them then.
    pub late: (Option<NonZeroU64>, OnLate),
    pub features: PushedFeatures,
    /// How far the memory has followed the database; one request writes at a time.
    followed: Mutex<Mark>,
}

/// What it is made of.
pub struct Setting {
    pub store: Store,
    pub snapshots: Arc<Snapshots>,
    pub columns: Columns,
    pub served: Served,
    pub most: usize,
    pub late: (Option<NonZeroU64>, OnLate),
}

/// What may stand in a row.
pub struct Columns {
    /// The features of the configuration, and what may stand in their columns.
    pub features: Vec<(Arc<str>, ColumnSpec)>,
    /// The types of the columns that name an entity.
    pub key: Vec<ColumnType>,
}

impl Columns {
    /// Those of the configuration.
    pub fn of(dataset: &DatasetSpec) -> Self {
        let typed = |feature: &String| {
            let forms = dataset.tables.values().find_map(|table| table.columns.get(feature));
            Some((Arc::from(feature.as_str()), forms?.last()))
        };
        Self { features: dataset.features.iter().filter_map(typed).collect(), key: dataset.key_types() }
    }
}

/// The features of a request.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents a body that is read here")]
pub struct FeaturesRequest {
    /// Each with a field for each column of the entity's key, the `time` at which its features were true, and `features`, an
    /// object of names and values in which null is a missing value; at most 20,000 values in a request.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<()>,
}

/// What became of the values of a request.
#[derive(Serialize, ToSchema)]
pub struct FeaturesTaken {
    /// Values that were true later than those before, or of features that had none.
    taken: u64,
    /// Values that say the same of the same time.
    unchanged: u64,
    /// Values that were true before those that are kept, and are not taken.
    older: u64,
    /// Values of entities that `streamflow forget` has taken out, which are not kept. Left out where there are none.
    #[serde(skip_serializing_if = "is_none")]
    forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Take features that are newer than the snapshot, all or none.
#[utoipa::path(post, path = "/features", tag = "features", request_body = FeaturesRequest, responses(
    (status = 200, body = FeaturesTaken),
    (status = 400, body = ErrorBody, description = "The body breaks off, or is not the gzip it is declared as"),
    (status = 401, body = ErrorBody, description = "Keys are configured, and the request has none of them"),
    (status = 403, body = ErrorBody, description = "The key may not push, or no keys are configured"),
    (status = 404, body = ErrorBody, description = "Features are not in memory here, so that there is nothing to push them over"),
    (status = 408, body = ErrorBody, description = "The body did not arrive in time"),
    (status = 413, body = ErrorBody, description = "The body is too large: send features in several requests"),
    (status = 415, body = ErrorBody, description = "The body is not declared as JSON, or in an encoding beside gzip"),
    (status = 422, body = InvalidBody, description = "A row is malformed, or has a feature that the configuration does not; none was taken"),
    (status = 429, body = ErrorBody, description = "The key has had its requests of this second: then with Retry-After"),
    (status = 503, body = ErrorBody, description = "Overload, or a database that is away: then with Retry-After"),
    (status = 507, body = ErrorBody, description = "As many entities as configured have pushed features that no snapshot has yet"),
))]
pub async fn features(State(state): State<ApiState>, request: Request) -> Response {
    let (key, admitted) = state.admit(request.headers());
    let taken = match admitted {
        Ok(()) => take(&state, key.as_deref(), request).await,
        Err(error) => Err(error),
    };
    let response = taken.map_or_else(ApiError::into_response, |taken| Body(taken).into_response());
    state.count(key.as_ref(), response.status().as_u16());
    response
}

async fn take(state: &ApiState, key: Option<&Key>, request: Request) -> Result<FeaturesTaken, ApiError> {
    let key = allowed(key)?;
    let Some(intake) = state.0.intake.get() else {
        return Err(ApiError::NoSuchPath(
            "/features; features are not in memory here, see [features] source: push them where they are asked of".to_owned(),
        ));
    };
    request::check_content_type(request.headers())?;
    let read = |state: &ApiState, body: &axum::body::Bytes| {
        let intake = state.0.intake.get().ok_or(ApiError::Internal)?;
        intake.columns.read(body, &state.0.key)
    };
    let given = exchange::of_many(state, request, read).await?;
    intake.keep(given, &format!("key {}", key.name)).await
}

fn allowed(key: Option<&Key>) -> Result<&Key, ApiError> {
    match key {
        Some(key) if key.may_push() => Ok(key),
        Some(key) => Err(ApiError::Forbidden(format!(
            "the key {} may not push features; may_push = true beside it in [api.keys] lets it",
            key.name
        ))),
        None => Err(ApiError::Forbidden(
            "pushed features need a key, since they decide what is predicted: `streamflow api-key new NAME` makes one, and \
             may_push = true beside it in [api.keys] lets it push"
                .to_owned(),
        )),
    }
}

impl Intake {
    /// With what the database has.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn open(setting: Setting) -> anyhow::Result<Self> {
        let Setting { store, snapshots, columns, served, most, late } = setting;
        let (features, followed) = (PushedFeatures::default(), Mutex::default());
        let intake = Self { store, snapshots, columns, served, most, late, features, followed };
        let mut followed = Mark::default();
        intake.follow(&mut followed).await?;
        *intake.followed.lock().await = followed;
        Ok(intake)
    }

    /// Takes what other processes took and deletes what they deleted, until `shutdown` says so.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut is_told = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            match self.follow(&mut *self.followed.lock().await).await {
                Ok(()) => is_told = false,
                Err(error) if !is_told => {
                    tracing::error!("pushed features stay as they are: {}", one_line(&error.into()));
                    is_told = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Brings the memory up to what the database has.
    async fn follow(&self, followed: &mut Mark) -> sqlx::Result<()> {
        let now = self.store.pushed_mark().await?;
        if now == *followed {
            return Ok(());
        }
        // What comes between both looks is seen by the next one again.
        if now.deletions == followed.deletions {
            self.features.apply(self.store.pushed_after(followed.newest).await?.into_iter().map(change_of));
        } else {
            self.features.replace(self.store.pushed_after(0).await?.into_iter().map(change_of));
        }
        *followed = now;
        Ok(())
    }

    async fn keep(&self, given: Vec<PushedFeature>, actor: &str) -> Result<FeaturesTaken, ApiError> {
        ApiError::check_database(&self.store)?;
        let failed =
            |error: anyhow::Error| ApiError::of_store(&self.store, "pushed features cannot be kept", &error);
        let all = given.len() as u64;
        let kept = self.without_forgotten(given).await.map_err(failed)?;
        let forgotten = all - kept.len() as u64;
        let mut followed = self.followed.lock().await;
        // Who held it may have waited for a database that is away since.
        ApiError::check_database(&self.store)?;
        self.make_room(&kept, &mut followed).await?;
        let outcomes = self.store.add_pushed(&kept, actor).await.map_err(|error| failed(error.into()))?;
        // Who was forgotten meanwhile is on the list before the values are deleted: one of both sees these.
        self.forget_again(&kept).await.map_err(failed)?;
        self.follow(&mut followed).await.map_err(|error| failed(error.into()))?;
        drop(followed);
        let Outcomes { taken, unchanged, older } = outcomes;
        let counted =
            [("taken", taken), ("unchanged", unchanged), ("older", older), ("forgotten", forgotten)];
        self.features.count(counted);
        Ok(FeaturesTaken { taken, unchanged, older, forgotten })
    }

    /// # Errors
    /// 507: more entities than configured, also without the values that the snapshot has taken the place of.
    async fn make_room(&self, values: &[PushedFeature], followed: &mut Mark) -> Result<(), ApiError> {
        let entities = || values.iter().map(|value| value.entity.as_str());
        if self.features.len_with(entities()) <= self.most {
            return Ok(());
        }
        let failed = |error: sqlx::Error| {
            ApiError::of_store(&self.store, "no room can be made for pushed features", &error.into())
        };
        if let Some(as_of_us) = self.served.load().as_deref().and_then(super::looked_up::as_of_us) {
            self.store.delete_pushed_until(as_of_us).await.map_err(failed)?;
            self.follow(followed).await.map_err(failed)?;
        }
        match self.features.len_with(entities()) {
            needed if needed <= self.most => Ok(()),
            needed => Err(ApiError::Full(format!(
                "{needed} entities would have pushed features that no snapshot has yet, and features.pushed_entities allows {}; \
                 ingest a newer snapshot, or allow more. None of the request was taken",
                self.most
            ))),
        }
    }

    async fn without_forgotten(&self, values: Vec<PushedFeature>) -> anyhow::Result<Vec<PushedFeature>> {
        let forgotten = self.forgotten(&values).await?;
        let kept = values.into_iter().zip(forgotten).filter(|(_, is_forgotten)| !is_forgotten);
        Ok(kept.map(|(value, _)| value).collect())
    }

    async fn forget_again(&self, values: &[PushedFeature]) -> anyhow::Result<()> {
        let mut last = None;
        for (value, is_forgotten) in values.iter().zip(self.forgotten(values).await?) {
            if is_forgotten && last != Some(&value.entity) {
                self.store.forget_pushed(&value.entity).await?;
                last = Some(&value.entity);
            }
        }
        Ok(())
    }

    /// Whether the entity of each of these is forgotten.
    async fn forgotten(&self, values: &[PushedFeature]) -> anyhow::Result<Vec<bool>> {
        let (snapshots, named) = (self.snapshots.clone(), values.iter().map(|value| value.entity.clone()));
        let named: Vec<String> = named.collect();
        let look = move || snapshots.forgotten_of(&named.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(tokio::task::spawn_blocking(look).await??)
    }
}

/// The same for the memory.
fn change_of(stored: PushedFeature) -> Change {
    let value = match (stored.kind.as_str(), stored.number, stored.text) {
        ("boolean", Some(number), _) => Value::Boolean(number != 0.0),
        ("number", Some(number), _) => Value::Number(number),
        ("text", _, Some(text)) => Value::Text(text),
        _ => Value::Missing,
    };
    let value = PushedValue { feature: stored.feature.into(), value, time_us: stored.time_us };
    Change { entity: stored.entity, value }
}

#[cfg(test)]
mod tests;
