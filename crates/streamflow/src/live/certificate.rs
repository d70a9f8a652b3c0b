//! The stored traffic through the rule: which alarms it would have raised, and how small a change it would have shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use streamflow_live::{Look, Minute, Tracker, Window, WindowLook, sensitivity};
use utoipa::ToSchema;

use super::document::{look_of, time};
use super::verdict::LiveVerdict;
use super::{History, LiveDocument};
use crate::config::LiveConfig;
use crate::store::live_said::StoredCertificate;
use crate::workspace::Workspace;

/// What a version's stored traffic says about the rule.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    pub version: i64,
    /// Quarters of an hour with traffic, each of which was looked at once.
    pub quarters: usize,
    /// Those in which a window had enough entities.
    pub judged: usize,
    /// When the first began and the last ended.
    pub from: Option<String>,
    pub until: Option<String>,
    /// Entities of a window, in the middle of all looks, and what they were compared with.
    pub windows: Vec<WindowSize>,
    pub alarms: Vec<RaisedAlarm>,
    pub sensitivity: Vec<Sensitivity>,
}

/// How much a window saw.
#[derive(Debug, Clone, Serialize)]
pub struct WindowSize {
    pub window: &'static str,
    pub median_entities: u64,
    /// Looks with enough entities.
    pub judged: usize,
}

/// An alarm that the rule raises on the stored traffic.
#[derive(Debug, Clone, Serialize)]
pub struct RaisedAlarm {
    pub feature: String,
    pub window: &'static str,
    pub statistic: &'static str,
    pub since: Option<String>,
}

/// The smallest shift of a numerical feature that a window shows, in standard deviations.
#[derive(Debug, Clone, Serialize)]
pub struct Sensitivity {
    pub feature: String,
    pub window: &'static str,
    pub within_15m: Option<f64>,
    pub within_1h: Option<f64>,
    pub within_1d: Option<f64>,
}

/// What a certificate came to, as it is kept and shown beside the budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveCertificate {
    /// When it was made, RFC 3339.
    pub at: String,
    /// Quarters of an hour with traffic that were looked at.
    pub quarters: usize,
    /// Those in which a window had enough entities.
    pub judged: usize,
    /// When the first began and the last ended.
    pub from: Option<String>,
    pub until: Option<String>,
    /// Alarms that the rule raises on that traffic: one a column and moment, whichever windows show it.
    pub alarms: usize,
    /// The budget of then.
    pub false_alarms_per_month: f64,
    /// The smallest shift of each numerical column that any window shows.
    pub shifts: Vec<LiveShift>,
    /// What it says of the budget, for the rule and the traffic of today.
    #[serde(default)]
    pub verdict: Option<LiveVerdict>,
}

/// The smallest shift of a column that is seen in 95 of 100 cases, in standard deviations; null where none is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveShift {
    pub column: String,
    pub within_15m: Option<f64>,
    pub within_1h: Option<f64>,
    pub within_1d: Option<f64>,
}

/// Keeps a certificate for the page *Live*, and gives what is kept.
///
/// # Errors
/// A database that cannot be written.
pub async fn keep(workspace: &Workspace, found: &Certificate) -> anyhow::Result<LiveCertificate> {
    let settings = serde_json::to_value(&workspace.config.live)?;
    let mut kept = LiveCertificate::of(found, workspace.config.live.false_alarms_per_month);
    let stored = StoredCertificate { settings, certificate: serde_json::to_value(&kept)? };
    workspace.store.keep_live_certificate(&workspace.config.model.name, found.version, &stored).await?;
    kept.verdict = Some(LiveVerdict::of(&kept, false, jiff::Timestamp::now()));
    Ok(kept)
}

/// Adds to each version what its last certificate came to.
///
/// # Errors
/// A database that cannot be read.
pub async fn add_certificates(workspace: &Workspace, document: &mut LiveDocument) -> anyhow::Result<()> {
    let name = &workspace.config.model.name;
    for version in &mut document.versions {
        let Ok(number) = version.version.parse() else { continue };
        let Some(stored) = workspace.store.live_certificate(name, number).await? else { continue };
        // One of another release that says other things is made anew, as if there were none.
        let Ok(mut kept) = serde_json::from_value::<LiveCertificate>(stored.certificate) else { continue };
        let has_changed = stored.settings != serde_json::to_value(&workspace.config.live)?;
        kept.verdict = Some(LiveVerdict::of(&kept, has_changed, jiff::Timestamp::now()));
        version.certificate = Some(kept);
    }
    Ok(())
}

impl LiveCertificate {
    fn of(found: &Certificate, false_alarms_per_month: f64) -> Self {
        let alarms: BTreeSet<(&str, Option<&str>)> =
            found.alarms.iter().map(|alarm| (alarm.feature.as_str(), alarm.since.as_deref())).collect();
        let smallest = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut shifts: Vec<LiveShift> = Vec::new();
        for one in &found.sensitivity {
            let (within_15m, within_1h, within_1d) = (one.within_15m, one.within_1h, one.within_1d);
            match shifts.last_mut().filter(|last| last.column == one.feature) {
                Some(last) => {
                    last.within_15m = smallest(last.within_15m, within_15m);
                    last.within_1h = smallest(last.within_1h, within_1h);
                    last.within_1d = smallest(last.within_1d, within_1d);
                }
                None => {
                    let column = one.feature.clone();
                    shifts.push(LiveShift { column, within_15m, within_1h, within_1d });
                }
            }
        }
        Self {
            at: crate::store::now(),
            quarters: found.quarters,
            judged: found.judged,
            from: found.from.clone(),
            until: found.until.clone(),
            alarms: alarms.len(),
            false_alarms_per_month,
            shifts,
            verdict: None,
        }
    }
}

impl Certificate {
    /// Looks at every quarter of an hour that is kept, with the rule as it is configured now and no alarm at first.
    pub fn of(history: &History, config: &LiveConfig) -> Self {
        let mut tracker = Tracker::new(history.reference.clone(), &config.limits());
        let mut found = Found::default();
        let quarters = history.minutes.chunk_by(|a, b| quarter(a) == quarter(b));
        let mut number = 0;
        for parts in quarters {
            let Some(block) = Minute::block(parts) else { continue };
            // The newest quarter has not ended: what it shows is of its last minute, not of its end.
            let last = parts.iter().map(Minute::end).max().unwrap_or(block.end()) - 1;
            if tracker.add(block).is_ok() {
                number += 1;
                found.take(&history.reference, &tracker.replay(last));
            }
        }
        let sizes: Vec<WindowSize> = Window::ALL.map(|window| found.size(window)).into();
        let sensitivity = sensitivities(history, &tracker, &mut found);
        let ends = (history.minutes.first(), history.minutes.last());
        Self {
            version: history.version,
            quarters: number,
            judged: found.any_judged,
            from: ends.0.and_then(|first| time(first.start)),
            until: ends.1.and_then(|last| time(last.end())),
            windows: sizes,
            alarms: found.alarms,
            sensitivity,
        }
    }
}

fn quarter(minute: &Minute) -> i64 {
    minute.start.div_euclid(streamflow_live::BLOCK_MINUTES)
}

/// What the looks have found so far.
#[derive(Default)]
struct Found {
    alarms: Vec<RaisedAlarm>,
    entities: [Vec<u64>; 4],
    judged: [usize; 4],
    /// Looks at which any window had enough entities.
    any_judged: usize,
    /// Entities of each column that have a value, by window: those that a canary answered have no score of this version.
    present: [Vec<Vec<u64>>; 4],
}

impl Found {
    fn take(&mut self, reference: &streamflow_live::Reference, look: &Look) {
        self.any_judged += usize::from(look.windows.iter().any(WindowLook::is_enough));
        for window in &look.windows {
            self.entities[window.window as usize].push(window.entities);
            self.judged[window.window as usize] += usize::from(window.is_enough());
            let present = &mut self.present[window.window as usize];
            present.resize(window.features.len(), Vec::new());
            for (column, feature) in present.iter_mut().zip(&window.features) {
                column.push(feature.live.split_last().map_or(0, |(_, values)| values.iter().sum()));
            }
            for (column, feature) in reference.columns().iter().zip(&window.features) {
                let begun = feature.statistics.iter().filter(|found| found.detected_since == Some(look.at));
                self.alarms.extend(begun.map(|found| RaisedAlarm {
                    feature: column.name.clone(),
                    window: window.window.name(),
                    statistic: found.judged.measured.kind.name(),
                    since: look_of(look.at),
                }));
            }
        }
    }

    fn size(&mut self, window: Window) -> WindowSize {
        let entities = &mut self.entities[window as usize];
        WindowSize {
            window: window.name(),
            median_entities: median(entities),
            judged: self.judged[window as usize],
        }
    }
}

fn median(numbers: &mut [u64]) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

fn sensitivities(history: &History, tracker: &Tracker, found: &mut Found) -> Vec<Sensitivity> {
    let columns = history.reference.columns().iter().enumerate().filter(|(_, column)| column.is_numerical());
    let mut of_column = |(at, column): (usize, &streamflow_live::FeatureReference)| {
        let present = column.rows() - column.counts.last().copied().unwrap_or_default();
        Window::ALL.map(|window| {
            let entities = found.present[window as usize].get_mut(at).map_or(0, |counts| median(counts));
            let within = |minutes| sensitivity(tracker.judge(), at, window, entities, present, minutes);
            Sensitivity {
                feature: column.name.clone(),
                window: window.name(),
                within_15m: within(15),
                within_1h: within(60),
                within_1d: within(1440),
            }
        })
    };
    columns.flat_map(&mut of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Certificate {
        let shift = |feature: &str, window, within_15m, within_1h| Sensitivity {
            feature: feature.to_owned(),
            window,
            within_15m,
            within_1h,
            within_1d: Some(0.1),
        };
        let alarm = |feature: &str, window, statistic, since: &str| RaisedAlarm {
            feature: feature.to_owned(),
            window,
            statistic,
            since: Some(since.to_owned()),
        };
        Certificate {
            version: 3,
            quarters: 7,
            judged: 5,
            from: Some("2026-01-01T00:00:00Z".to_owned()),
            until: Some("2026-01-02T00:00:00Z".to_owned()),
            windows: Vec::new(),
            alarms: vec![
                alarm("fee", "15m", "location", "2026-01-01T03:00:00Z"),
                alarm("fee", "1h", "spread", "2026-01-01T03:00:00Z"),
                alarm("fee", "1h", "location", "2026-01-01T09:00:00Z"),
                alarm("hours", "1h", "location", "2026-01-01T09:00:00Z"),
            ],
            sensitivity: vec![
                shift("fee", "15m", Some(0.4), Some(0.4)),
                shift("fee", "1h", None, Some(0.2)),
                shift("hours", "15m", None, None),
            ],
        }
    }

    #[test]
    fn what_is_kept_has_an_alarm_a_column_and_moment_and_the_smallest_shift_of_all_windows() {
        let kept = LiveCertificate::of(&found(), 0.5);
        assert_eq!((kept.alarms, kept.quarters, kept.judged, kept.false_alarms_per_month), (3, 7, 5, 0.5));
        let shift = |column: &str, within_15m, within_1h| LiveShift {
            column: column.to_owned(),
            within_15m,
            within_1h,
            within_1d: Some(0.1),
        };
        assert_eq!(kept.shifts, [shift("fee", Some(0.4), Some(0.2)), shift("hours", None, None)]);
        let json = serde_json::to_value(&kept).unwrap();
        assert_eq!(serde_json::from_value::<LiveCertificate>(json).unwrap(), kept);
    }
}
