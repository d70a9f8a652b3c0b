//! Large and significant and enough: what makes a statistic of a window an alarm.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::reference::Reference;
use crate::statistic::{Kind, Measured, measure};
use crate::threshold::upcrossing_z;
use crate::window::Window;

/// From which effect on a difference is large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gates {
    /// Location, as a probability: 0.0282 is a tenth of a standard deviation of a normal, Φ(0.1/√2) − ½.
    pub location: f64,
    /// Spread, in the same unit: a normal that is 1.15 times as wide.
    pub spread: f64,
    /// Categories: Jensen–Shannon distance.
    pub categories: f64,
    /// Difference of the missing shares.
    pub missing: f64,
}

impl Default for Gates {
    fn default() -> Self {
        Self { location: 0.0282, spread: 0.0282, categories: 0.07, missing: 0.05 }
    }
}

impl Gates {
    /// The gate of a statistic.
    #[must_use]
    pub fn of(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Location => self.location,
            Kind::Spread => self.spread,
            Kind::Categories => self.categories,
            Kind::Missing => self.missing,
        }
    }
}

/// What the user sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Expected false alarms in 30 days, over all features, statistics and windows.
    pub false_alarms_per_month: f64,
    /// Distinct entities from which on a window is judged.
    pub min_entities: u64,
    /// Gates of features that have their own.
    pub gates: BTreeMap<String, Gates>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { false_alarms_per_month: 0.5, min_entities: 200, gates: BTreeMap::new() }
    }
}

/// The thresholds of one reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    thresholds: [f64; 4],
    /// As the user set it.
    pub min_entities: u64,
    gates: Vec<Gates>,
    /// Statistics that are looked at in each window.
    pub statistics: usize,
}

/// A statistic with its thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The statistic.
    pub measured: Measured,
    /// From which effect on it is large.
    pub gate: f64,
    /// From which |z| on it is significant for the number of looks.
    pub threshold: f64,
}

impl Judged {
    /// The effect over its gate: 1 is at it.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.measured.effect.abs() / self.gate
    }

    /// Whether it is large and significant.
    #[must_use]
    pub fn is_alarming(&self) -> bool {
        self.ratio() >= 1.0 && self.measured.z.abs() >= self.threshold
    }
}

/// Statistics of the mix of errors: the shares of unknown entities and of invalid requests.
pub(crate) const OF_ERRORS: usize = 2;

impl Judge {
    /// The thresholds for a reference: the budget is shared by the four windows, and in each by all statistics.
    #[must_use]
    pub fn new(reference: &Reference, limits: &Limits) -> Self {
        let of_column = |is_numerical| if is_numerical { 3 } else { 2 };
        let columns = reference.columns();
        let statistics =
            columns.iter().map(|column| of_column(column.is_numerical())).sum::<usize>() + OF_ERRORS;
        let share = limits.false_alarms_per_month / Window::ALL.len() as f64;
        let gates = columns.iter().map(|column| limits.gates.get(&column.name).copied().unwrap_or_default());
        Self {
            thresholds: Window::ALL.map(|window| upcrossing_z(share, statistics, window.minutes())),
            min_entities: limits.min_entities,
            gates: gates.collect(),
            statistics,
        }
    }

    /// From which |z| on a statistic of this window is significant.
    #[must_use]
    pub fn threshold(&self, window: Window) -> f64 {
        self.thresholds[window as usize]
    }

    /// The gates of a column.
    #[must_use]
    pub fn gates(&self, column: usize) -> Gates {
        self.gates.get(column).copied().unwrap_or_default()
    }

    /// The statistics of a column in a window, by the counts of its classes on both sides.
    #[must_use]
    pub fn judge(
        &self,
        window: Window,
        column: usize,
        is_numerical: bool,
        reference: &[u64],
        live: &[u64],
    ) -> Vec<Judged> {
        let gates = self.gates(column);
        let judged = |measured: Measured| Judged {
            measured,
            gate: gates.of(measured.kind),
            threshold: self.threshold(window),
        };
        measure(is_numerical, reference, live).into_iter().map(judged).collect()
    }
}
