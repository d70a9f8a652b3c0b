//! The stored traffic of a version, as a tracker goes on with it.

use std::sync::Arc;

use anyhow::Context as _;
use streamflow_live::{Minute, Reference, Tracker};

use super::{VersionStatus, this_minute};
use crate::store::live::StoredReference;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// What is kept of a version.
pub struct History {
    pub version: i64,
    /// Which rows the reference was made of.
    pub source: String,
    pub reference: Reference,
    /// Minutes and quarters of an hour, oldest first.
    pub minutes: Vec<Minute>,
    /// A tracker that has all of them, with the alarms as they were.
    pub tracker: Tracker,
    /// The number of the newest row that was read.
    pub newest: i64,
}

/// The stored traffic of a version; none where nothing was ever looked at.
///
/// # Errors
/// A reference that is damaged. Minutes that are damaged are told and left out.
pub async fn read(workspace: &Workspace, version: i64) -> anyhow::Result<Option<History>> {
    let stored = workspace.store.live_reference(&workspace.config.model.name, version).await?;
    match stored {
        Some(stored) => of_stored(workspace, stored).await.map(Some),
        None => Ok(None),
    }
}

/// The same of a reference that was read already.
pub(super) async fn of_stored(workspace: &Workspace, stored: StoredReference) -> anyhow::Result<History> {
    let model = &workspace.config.model.name;
    let reference: Reference = serde_json::from_value(stored.reference)
        .with_context(|| format!("the stored reference of {model} {} cannot be read", stored.version))?;
    reference.check()?;
    let mut tracker = Tracker::new(reference.clone(), &workspace.config.live.limits());
    tracker.resume(serde_json::from_value(stored.alarms).unwrap_or_default(), stored.first_minute);
    let mut minutes = Vec::new();
    let mut newest = 0;
    for row in workspace.store.live_minutes(model, stored.version).await? {
        newest = newest.max(row.id);
        let added = Minute::decode(&row.body).map_err(anyhow::Error::from).and_then(|minute| {
            tracker.add(minute.clone())?;
            minutes.push(minute);
            Ok(())
        });
        if let Err(error) = added {
            tracing::warn!("a stored minute of live traffic is left out: {}", one_line(&error));
        }
    }
    Ok(History { version: stored.version, source: stored.source, reference, minutes, tracker, newest })
}

impl History {
    /// What the windows that end with the newest stored minute say; those of the last minute where nothing was stored
    /// for a while, since no traffic is kept as nothing.
    pub fn status(mut self) -> VersionStatus {
        let last = this_minute().saturating_sub(1);
        let newest = self.minutes.iter().map(|minute| minute.end() - 1).max().unwrap_or(last);
        let at = if last.saturating_sub(newest) <= 2 { newest.min(last) } else { last };
        let look = self.tracker.look(at);
        VersionStatus::new(
            self.version.to_string(),
            true,
            self.source,
            Arc::new(self.reference),
            self.tracker.judge(),
            Some(Arc::new(look)),
        )
    }
}
