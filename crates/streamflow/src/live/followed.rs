//! A version whose traffic is looked at: its open minute, its windows, and what changes from one verdict to the next.

use std::sync::Arc;

use streamflow_live::{Look, Minute, Tracker, Window};

use super::{History, Open, VersionStatus};
use crate::store::live_said::LiveChange;
use crate::store::now;

/// A version whose traffic is looked at.
pub struct Followed {
    pub version: i64,
    pub source: String,
    pub open: Arc<Open>,
    /// Away while it judges.
    tracker: Option<Tracker>,
    look: Option<Arc<Look>>,
    /// The newest row of other processes that was read.
    pub newest: i64,
    /// The minute in which they were read.
    pub met: i64,
    /// The minute with which it is no longer looked at.
    pub until: Option<i64>,
}

/// Columns that a change names.
const NAMED: usize = 5;

/// What has changed with a minute.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Columns that have begun to drift in a window.
    pub begun: Vec<String>,
    /// Those of them that drifted in no window before.
    first: Vec<String>,
    /// Columns that drift in no window any more.
    ended: Vec<String>,
}

impl Changes {
    /// As they are kept and shown on charts.
    pub fn told(&self, version: i64, minute: i64) -> Vec<LiveChange> {
        let end = minute.saturating_add(1).saturating_mul(60);
        let at = jiff::Timestamp::from_second(end).map_or_else(|_| now(), |end| format!("{end:.3}"));
        let of = |what: &str, columns: &[String]| {
            let named = columns.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match columns.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let text = format!("live drift {what}: {named}{more}");
            (!columns.is_empty()).then(|| LiveChange { at: at.clone(), version, text })
        };
        [of("began", &self.first), of("ended", &self.ended)].into_iter().flatten().collect()
    }
}

/// Whether a column drifts in any window.
fn is_drifting(look: &Look, column: usize) -> bool {
    let mut features = Window::ALL.iter().filter_map(|window| look.window(*window).features.get(column));
    features.any(streamflow_live::FeatureLook::is_detected)
}

impl Followed {
    /// Begins with the stored traffic of a version, as of the end of `minute`.
    pub fn new(history: History, features: &[String], minute: i64) -> Self {
        let History { version, source, reference, tracker, newest, .. } = history;
        let open = Open {
            version: version.to_string(),
            features: features.to_vec(),
            minute: reference.open_minute().into(),
            reference: Arc::new(reference),
        };
        let open = Arc::new(open);
        Self { version, source, open, tracker: Some(tracker), look: None, newest, met: minute, until: None }
    }

    /// Has in its windows what is stored, and what waits to be.
    pub fn resume<'a>(&mut self, history: History, waiting: impl Iterator<Item = &'a Minute>, minute: i64) {
        (self.tracker, self.newest, self.met) = (Some(history.tracker), history.newest, minute);
        waiting.for_each(|minute| self.add(minute.clone()));
    }

    /// Takes the alarms that the servers have in common in the place of its own.
    pub fn agree(&mut self, alarms: serde_json::Value) {
        match serde_json::from_value(alarms) {
            Ok(alarms) => {
                if let Some(tracker) = &mut self.tracker {
                    tracker.resume(alarms, None);
                }
            }
            Err(error) => tracing::warn!("stored alarms of live traffic are left out: {error}"),
        }
    }

    /// The alarms, to be stored.
    pub fn alarms(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.tracker.as_ref()?.alarms()).ok()
    }

    pub fn add(&mut self, minute: Minute) {
        if let Some(tracker) = &mut self.tracker
            && let Err(error) = tracker.add(minute)
        {
            tracing::warn!("a minute of live traffic is left out: {error}");
        }
    }

    /// Judges beside the requests: merging a day takes milliseconds. Returns what has begun to drift, and what has ended.
    pub async fn judge(&mut self, minute: i64) -> anyhow::Result<Changes> {
        let Some(mut tracker) = self.tracker.take() else { return Ok(Changes::default()) };
        let judged = tokio::task::spawn_blocking(move || {
            let look = tracker.look(minute);
            (tracker, look)
        });
        let (tracker, look) = judged.await?;
        self.tracker = Some(tracker);
        let changes = self.changes(&look);
        self.look = Some(Arc::new(look));
        Ok(changes)
    }

    /// Logs what has begun to drift and what has ended in a window, and gathers the columns.
    /// Of a version that is no longer served neither is told: a new one is often promoted because of the drift.
    fn changes(&self, look: &Look) -> Changes {
        let mut changes = Changes::default();
        let Some(before) = self.look.as_ref().filter(|_| self.until.is_none()) else { return changes };
        for (place, column) in self.open.reference.columns().iter().enumerate() {
            match (is_drifting(before, place), is_drifting(look, place)) {
                (false, true) => changes.first.push(column.name.clone()),
                (true, false) => changes.ended.push(column.name.clone()),
                _ => {}
            }
        }
        for window in Window::ALL {
            let features = before.window(window).features.iter().zip(&look.window(window).features);
            for (column, (before, now)) in self.open.reference.columns().iter().zip(features) {
                let (feature, window) = (&column.name, window.name());
                match (before.is_detected(), now.is_detected()) {
                    (false, true) => {
                        tracing::warn!(feature, window, "live traffic has drifted");
                        if !changes.begun.contains(feature) {
                            changes.begun.push(feature.clone());
                        }
                    }
                    (true, false) => tracing::info!(feature, window, "live traffic drifts no longer"),
                    _ => {}
                }
            }
        }
        changes
    }

    pub fn status(&self) -> Option<VersionStatus> {
        let judge = self.tracker.as_ref()?.judge();
        Some(VersionStatus::new(
            self.open.version.clone(),
            self.until.is_none(),
            self.source.clone(),
            self.open.reference.clone(),
            judge,
            self.look.clone(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_for_all_columns_of_a_minute() {
        let names = |count: usize| (0..count).map(|number| format!("x{number}")).collect::<Vec<_>>();
        let changes = Changes { begun: names(3), first: names(7), ended: vec!["fee".to_owned()] };
        let of = |text: &str| LiveChange {
            at: "2024-03-01T07:31:00.000Z".to_owned(),
            version: 3,
            text: text.to_owned(),
        };
        // 2024-03-01T07:30:00Z.
        let told = changes.told(3, 28_487_970);
        let expected = [of("live drift began: x0, x1, x2, x3, x4 and 2 more"), of("live drift ended: fee")];
        assert_eq!(told, expected);
        assert_eq!(Changes { begun: names(1), ..Changes::default() }.told(3, 0), []);
    }
}
