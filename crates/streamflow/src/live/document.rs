//! What is known of live traffic, as the console's resource and `streamflow live status` tell it.

use jiff::Timestamp;
use serde::Serialize;
use streamflow_live::{Basis, ErrorsLook, FeatureLook, StatisticLook, WindowLook};
use utoipa::ToSchema;

use super::certificate::LiveCertificate;
use super::{LiveStatus, VersionStatus};
use crate::terminal::counted;

/// Drift of live traffic as of the last minute.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveDocument {
    /// Why there is nothing to see, and what to do; null while traffic is looked at.
    pub why: Option<String>,
    /// False alarms in 30 days that are expected at most.
    pub false_alarms_per_month: f64,
    /// The served version first; then one that was served in the last hour.
    pub versions: Vec<LiveVersion>,
}

/// The traffic of one version.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveVersion {
    pub version: String,
    pub is_served: bool,
    /// Which rows traffic is compared with.
    pub source: String,
    /// When the first minute with traffic began, RFC 3339.
    pub first: Option<String>,
    /// When the last minute that was looked at ended.
    pub at: Option<String>,
    /// Statistics of each window, which share the budget of false alarms.
    pub statistics: usize,
    /// Features, then what the model says.
    pub columns: Vec<LiveColumn>,
    /// 15m, 1h, 6h and 24h; none before the first minute has ended.
    pub windows: Vec<LiveWindow>,
    /// What `streamflow live certify` came to last; null where it was not run.
    pub certificate: Option<LiveCertificate>,
}

/// A feature, or what the model says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveColumn {
    pub name: String,
    /// False of what the model says.
    pub is_feature: bool,
    pub is_numerical: bool,
    /// What each class of values holds; the last is `missing`.
    pub classes: Vec<String>,
}

/// A window that ends with the last minute.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveWindow {
    /// `15m`, `1h`, `6h` or `24h`.
    pub window: &'static str,
    /// Distinct entities, as many as the window keeps.
    pub entities: u64,
    /// Entities from which on it is judged.
    pub needed: u64,
    pub requests: u64,
    pub is_enough: bool,
    /// `training`, `warming_up` (training, until there are seven days) or `same_clock_time` (of the last seven days).
    #[schema(value_type = String)]
    pub basis: Basis,
    /// Why it is not judged, or is judged in another way than later on.
    pub why: Option<String>,
    /// From which |z| on a difference is significant for the number of looks.
    pub threshold: f64,
    /// Share of the features that have drifted; null where the window is not judged.
    pub share: Option<f64>,
    /// How many columns have drifted; null where the window is not judged.
    pub drifted: Option<LiveDrifted>,
    /// `13 of 14 features drifted`, with the outputs of the model where some have, or `Too few: 77 of 200`.
    pub words: String,
    /// In the order of the columns.
    pub columns: Vec<LiveDrift>,
    pub errors: Vec<LiveErrors>,
}

/// How many columns of a window have drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveDrifted {
    pub features: usize,
    /// Of what the model says.
    pub outputs: usize,
}

/// A column in a window.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveDrift {
    /// Entities by class.
    pub live: Vec<u64>,
    /// What they are compared with, by class.
    pub basis: Vec<u64>,
    /// Since when it has drifted, RFC 3339; null where it has not.
    pub detected_since: Option<String>,
    /// None where the window is not judged.
    pub statistics: Vec<LiveStatistic>,
}

/// One number that a column is judged by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveStatistic {
    /// `location`, `spread`, `categories` or `missing`.
    pub statistic: &'static str,
    pub effect: f64,
    /// From which effect on the difference is large.
    pub gate: f64,
    pub z: f64,
    pub detected_since: Option<String>,
}

/// The share of one kind of error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveErrors {
    /// `unknown` (404) or `invalid` (400, 422).
    pub kind: &'static str,
    pub share: f64,
    /// At the same clock time of the last seven days.
    pub before: f64,
    pub z: f64,
    pub detected_since: Option<String>,
}

/// The beginning of a minute since 1970, RFC 3339.
pub(super) fn time(minute: i64) -> Option<String> {
    Timestamp::from_second(minute.checked_mul(60)?).ok().map(|time| time.to_string())
}

/// When a minute is looked at, which is its end, RFC 3339.
pub(super) fn look_of(minute: i64) -> Option<String> {
    time(minute.checked_add(1)?)
}

impl LiveDocument {
    pub fn of(status: &LiveStatus) -> Self {
        Self {
            why: status.idle.why(),
            false_alarms_per_month: status.false_alarms_per_month,
            versions: status.versions.iter().map(LiveVersion::of).collect(),
        }
    }
}

impl LiveVersion {
    pub fn of(status: &VersionStatus) -> Self {
        let columns = status.reference.columns().iter().enumerate().map(|(at, column)| LiveColumn {
            name: column.name.clone(),
            is_feature: at < status.reference.features(),
            is_numerical: column.is_numerical(),
            classes: (0..column.counts.len()).map(|class| column.class_name(class)).collect(),
        });
        let look = status.look.as_deref();
        let windows = look.into_iter().flat_map(|look| &look.windows);
        Self {
            version: status.version.clone(),
            is_served: status.is_served,
            source: status.source.clone(),
            first: look.and_then(|look| look.first).and_then(time),
            at: look.and_then(|look| time(look.at.saturating_add(1))),
            statistics: status.statistics,
            columns: columns.collect(),
            windows: windows.map(|window| LiveWindow::of(status, window)).collect(),
            certificate: None,
        }
    }
}

impl LiveWindow {
    fn of(status: &VersionStatus, look: &WindowLook) -> Self {
        let number = status.reference.features();
        let drifted = look.is_enough().then(|| LiveDrifted::of(look, number));
        Self {
            window: look.window.name(),
            entities: look.entities,
            needed: look.needed,
            requests: look.requests,
            is_enough: look.is_enough(),
            basis: look.basis,
            why: status.why(look.window),
            threshold: status.thresholds[look.window as usize],
            share: look.share(number),
            drifted,
            words: match drifted {
                Some(drifted) => drifted.words(number, look.features.len().saturating_sub(number)),
                None => format!("Too few: {} of {}", look.entities, look.needed),
            },
            columns: look.features.iter().map(LiveDrift::of).collect(),
            errors: look.errors.iter().map(LiveErrors::of).collect(),
        }
    }
}

impl LiveDrifted {
    fn of(look: &WindowLook, features: usize) -> Self {
        let drifted = |columns: &[FeatureLook]| columns.iter().filter(|column| column.is_detected()).count();
        let (inputs, outputs) = look.features.split_at(features.min(look.features.len()));
        Self { features: drifted(inputs), outputs: drifted(outputs) }
    }

    fn words(self, features: usize, outputs: usize) -> String {
        let of_features = format!("{} of {}", self.features, counted(features, "feature"));
        match self.outputs {
            0 => format!("{of_features} drifted"),
            some => format!("{of_features}, {some} of {} drifted", counted(outputs, "output")),
        }
    }
}

impl LiveDrift {
    fn of(look: &FeatureLook) -> Self {
        Self {
            live: look.live.clone(),
            basis: look.basis.clone(),
            detected_since: look.detected_since().and_then(look_of),
            statistics: look.statistics.iter().map(LiveStatistic::of).collect(),
        }
    }
}

impl LiveStatistic {
    fn of(look: &StatisticLook) -> Self {
        let measured = look.judged.measured;
        Self {
            statistic: measured.kind.name(),
            effect: measured.effect,
            gate: look.judged.gate,
            z: measured.z,
            detected_since: look.detected_since.and_then(look_of),
        }
    }
}

impl LiveErrors {
    fn of(look: &ErrorsLook) -> Self {
        Self {
            kind: look.kind,
            share: look.share,
            before: look.before,
            z: look.judged.measured.z,
            detected_since: look.detected_since.and_then(look_of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_drifted_is_counted_with_what_it_is_of() {
        for (features, outputs, expected) in [
            (0, 0, "0 of 14 features drifted"),
            (13, 0, "13 of 14 features drifted"),
            (13, 2, "13 of 14 features, 2 of 2 outputs drifted"),
            (0, 1, "0 of 14 features, 1 of 2 outputs drifted"),
        ] {
            assert_eq!(LiveDrifted { features, outputs }.words(14, 2), expected);
        }
        assert_eq!(
            LiveDrifted { features: 1, outputs: 1 }.words(1, 1),
            "1 of 1 feature, 1 of 1 output drifted"
        );
    }
}
