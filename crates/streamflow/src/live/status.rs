//! What is known of the traffic, as of the last minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Timestamp, ToSpan as _};
use streamflow_dataset::Period;
use streamflow_live::{Basis, Gates, Judge, Look, Reference, Window};

/// All versions whose traffic is looked at.
#[derive(Debug, Clone, Default)]
pub struct LiveStatus {
    /// Why nothing is looked at.
    pub idle: Idle,
    /// The served version first.
    pub versions: Vec<VersionStatus>,
    /// Times that each feature has begun to drift since the server was started.
    pub alerts: BTreeMap<String, u64>,
    /// Minutes that have ended and are not in the store yet.
    pub waiting: usize,
    /// Expected false alarms in 30 days.
    pub false_alarms_per_month: f64,
}

/// Why there is nothing to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Idle {
    /// The server has just been started, or `[live]` is off.
    #[default]
    NotStarted,
    /// `enabled = false` under `[live]`.
    Off,
    /// No model is served yet.
    NoModel,
    /// There is no reference, for this reason.
    NoReference(String),
    /// Traffic is looked at.
    Looking,
}

impl Idle {
    /// A sentence that says what to do.
    pub fn why(&self) -> Option<String> {
        Some(match self {
            Idle::Looking => return None,
            Idle::NotStarted => "The server has just been started.".to_owned(),
            Idle::Off => "Live traffic is not looked at: set enabled = true under [live].".to_owned(),
            Idle::NoModel => {
                "No model is served yet: run `streamflow ingest` and `streamflow train`.".to_owned()
            }
            Idle::NoReference(why) => {
                format!(
                    "There is nothing to compare traffic with: {why}. Ingest the snapshot of the training again."
                )
            }
        })
    }
}

/// The traffic of one version.
#[derive(Debug, Clone)]
pub struct VersionStatus {
    pub version: String,
    /// False of one that was served before and is still looked at.
    pub is_served: bool,
    /// Which rows the reference was made of.
    pub source: String,
    pub reference: Arc<Reference>,
    /// The gates of each column.
    pub gates: Vec<Gates>,
    /// From which |z| on a difference is significant, by window.
    pub thresholds: [f64; 4],
    /// Statistics that share the budget of false alarms.
    pub statistics: usize,
    /// The windows as of the last closed minute; none before there is one.
    pub look: Option<Arc<Look>>,
}

impl VersionStatus {
    pub(super) fn new(
        version: String,
        is_served: bool,
        source: String,
        reference: Arc<Reference>,
        judge: &Judge,
        look: Option<Arc<Look>>,
    ) -> Self {
        Self {
            version,
            is_served,
            source,
            gates: (0..reference.columns().len()).map(|column| judge.gates(column)).collect(),
            reference,
            thresholds: Window::ALL.map(|window| judge.threshold(window)),
            statistics: judge.statistics,
            look,
        }
    }

    /// Age of the first minute with traffic, in minutes.
    pub fn age_minutes(&self) -> Option<i64> {
        let look = self.look.as_ref()?;
        Some(look.at.saturating_sub(look.first?).saturating_add(1))
    }

    /// Seconds since the end of the day, or the minute, of the snapshot that the reference was made of; none where its
    /// source names none.
    pub fn reference_age_seconds(&self, now: Timestamp) -> Option<f64> {
        age_seconds(&self.source, now)
    }

    /// Why a window is not judged, or is judged in another way than later on.
    pub fn why(&self, window: Window) -> Option<String> {
        let Some(look) = &self.look else { return Some("The first minute has not ended yet.".to_owned()) };
        let found = look.window(window);
        if !found.is_enough() {
            return Some(format!(
                "Too few entities: {} of {} that are needed.",
                found.entities, found.needed
            ));
        }
        match found.basis {
            Basis::WarmingUp => Some(format!(
                "Warming up: compared with training until there are seven days of traffic; day {} of 7.",
                self.age_minutes().unwrap_or_default() / 1440 + 1
            )),
            Basis::Training if window != Window::Day => Some(
                "Compared with training: the same clock time of the last seven days had too few entities."
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Seconds since the end of the first date or time that a source names.
fn age_seconds(source: &str, now: Timestamp) -> Option<f64> {
    let mut words = source.split([' ', ',']).map(|word| word.trim_end_matches(':'));
    let period: Period = words.find_map(|word| word.parse().ok())?;
    let length = if period.day().is_some() { 24 } else { 0 };
    let end = period.timestamp()?.checked_add(length.hours()).ok()?;
    Some(now.duration_since(end).as_secs_f64().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_as_old_as_the_end_of_its_snapshot() {
        let now: Timestamp = "2024-02-02T12:00:00Z".parse().unwrap();
        let newest = "the snapshot 2024-02-01, the newest when this version was first served: that of 2024-01-31 is not there";
        for (source, expected) in [
            ("the training snapshot 2024-01-31", Some(36.0 * 3600.0)),
            (newest, Some(12.0 * 3600.0)),
            ("the training snapshot 2024-02-02T11:30", Some(1800.0)),
            ("the training snapshot 2024-02-02", Some(0.0)),
            ("rows that nobody dated", None),
        ] {
            assert_eq!(age_seconds(source, now), expected, "{source}");
        }
    }
}
