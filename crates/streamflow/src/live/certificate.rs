//! The stored traffic through the rule: which alarms it would have raised, and how small a change it would have shown.

use serde::Serialize;
use streamflow_live::{Look, Minute, Tracker, Window, sensitivity};

use super::History;
use super::document::time;
use crate::config::LiveConfig;

/// What a version's stored traffic says about the rule.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    pub version: i64,
    /// Quarters of an hour with traffic, each of which was looked at once.
    pub quarters: usize,
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

impl Certificate {
    /// Looks at every quarter of an hour that is kept, with the rule as it is configured now and no alarm at first.
    pub fn of(history: &History, config: &LiveConfig) -> Self {
        let mut tracker = Tracker::new(history.reference.clone(), &config.limits());
        let mut found = Found::default();
        let quarters = history.minutes.chunk_by(|a, b| quarter(a) == quarter(b));
        let mut number = 0;
        for parts in quarters {
            let Some(block) = Minute::block(parts) else { continue };
            if tracker.add(block.clone()).is_ok() {
                number += 1;
                found.take(&history.reference, &tracker.replay(&block));
            }
        }
        let sizes: Vec<WindowSize> = Window::ALL.map(|window| found.size(window)).into();
        let sensitivity = sensitivities(history, &tracker, &sizes);
        let ends = (history.minutes.first(), history.minutes.last());
        Self {
            version: history.version,
            quarters: number,
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
}

impl Found {
    fn take(&mut self, reference: &streamflow_live::Reference, look: &Look) {
        for window in &look.windows {
            self.entities[window.window as usize].push(window.entities);
            self.judged[window.window as usize] += usize::from(window.is_enough());
            for (column, feature) in reference.columns().iter().zip(&window.features) {
                let begun = feature.statistics.iter().filter(|found| found.detected_since == Some(look.at));
                self.alarms.extend(begun.map(|found| RaisedAlarm {
                    feature: column.name.clone(),
                    window: window.window.name(),
                    statistic: found.judged.measured.kind.name(),
                    since: time(look.at),
                }));
            }
        }
    }

    fn size(&mut self, window: Window) -> WindowSize {
        let entities = &mut self.entities[window as usize];
        entities.sort_unstable();
        WindowSize {
            window: window.name(),
            median_entities: entities.get(entities.len() / 2).copied().unwrap_or_default(),
            judged: self.judged[window as usize],
        }
    }
}

fn sensitivities(history: &History, tracker: &Tracker, sizes: &[WindowSize]) -> Vec<Sensitivity> {
    let columns = history.reference.columns().iter().enumerate().filter(|(_, column)| column.is_numerical());
    let of_column = |(at, column): (usize, &streamflow_live::FeatureReference)| {
        let present = column.rows() - column.counts.last().copied().unwrap_or_default();
        let windows = Window::ALL.into_iter().zip(sizes);
        let all = windows.map(|(window, size)| {
            let within =
                |minutes| sensitivity(tracker.judge(), at, window, size.median_entities, present, minutes);
            Sensitivity {
                feature: column.name.clone(),
                window: window.name(),
                within_15m: within(15),
                within_1h: within(60),
                within_1d: within(1440),
            }
        });
        all.collect::<Vec<_>>()
    };
    columns.flat_map(of_column).collect()
}
