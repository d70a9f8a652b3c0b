//! Alarms that are held until the difference has been gone for a whole window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::Judged;
use crate::window::Window;

/// An alarm ends when the effect stays below this share of its gate.
const RESOLVED_BELOW: f64 = 0.8;

/// A statistic that has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The minute since 1970 in which it began.
    pub since: i64,
    /// The minute from which on its effect has been small, where it is.
    pub small_since: Option<i64>,
}

/// The alarms of one reference. They are small and are stored beside the minutes, so that a restart ends none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Alarms(BTreeMap<String, Alarm>);

impl Alarms {
    /// Takes a statistic of a window that has enough entities, and says its alarm, if there is one. `name` tells the
    /// statistic from all others of the reference.
    ///
    /// It begins when the statistic is large and significant, and ends when the effect has been below 0.8 of its gate
    /// for as long as the window.
    pub fn update(&mut self, window: Window, name: &str, now: i64, judged: &Judged) -> Option<Alarm> {
        let name = format!("{} {name}", window.name());
        if judged.is_alarming() {
            let alarm = self.0.entry(name).or_insert(Alarm { since: now, small_since: None });
            alarm.small_since = None;
            return Some(*alarm);
        }
        let alarm = self.0.get_mut(&name)?;
        alarm.small_since =
            (judged.ratio() < RESOLVED_BELOW).then(|| alarm.small_since.unwrap_or(now).min(now));
        let for_minutes = alarm.small_since.map_or(0, |since| now.saturating_sub(since));
        if for_minutes >= i64::from(window.minutes()) {
            self.0.remove(&name);
            return None;
        }
        Some(*alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::{Kind, Measured};

    #[test]
    fn an_alarm_outlasts_a_dip_and_ends_after_a_window() {
        let mut alarms = Alarms::default();
        let mut at = |now, effect, z| {
            let measured = Measured { kind: Kind::Location, effect, z };
            let judged = Judged { measured, gate: 0.1, threshold: 5.0 };
            alarms.update(Window::QuarterHour, "hours location", now, &judged).map(|alarm| alarm.since)
        };
        assert_eq!(at(0, 0.2, 4.9), None, "large, not significant");
        assert_eq!(at(1, 0.09, 9.0), None, "significant, not large");
        assert_eq!(at(2, -0.1, -5.0), Some(2));
        assert_eq!(at(3, 0.05, 1.0), Some(2));
        assert_eq!(at(17, 0.05, 1.0), Some(2), "small for 14 minutes");
        assert_eq!(at(18, 0.09, 1.0), Some(2), "not small any more");
        assert_eq!(at(19, 0.05, 1.0), Some(2));
        assert_eq!(at(33, 0.0, 0.0), Some(2));
        assert_eq!(at(34, 0.0, 0.0), None, "small for 15 minutes");
        assert_eq!(at(35, 0.09, 9.0), None);
        // A clock that was set back ends none early, and holds none for ever.
        assert_eq!(at(100, 0.2, 9.0), Some(100));
        assert_eq!(at(101, 0.0, 0.0), Some(100));
        assert_eq!(at(50, 0.0, 0.0), Some(100));
        assert_eq!(at(65, 0.0, 0.0), None);
    }
}
