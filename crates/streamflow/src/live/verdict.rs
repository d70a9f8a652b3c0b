//! What a certificate says of the budget of false alarms, in the same words on the page *Live* and in the terminal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::certificate::LiveCertificate;
use crate::terminal::{counted, counted_with};

/// Days for which traffic is stored, after which a certificate is of traffic that nobody has.
const STORED_DAYS: i64 = 8;

/// Quarters of an hour of a day: fewer that were judged say nothing of a budget of 30 days.
const ENOUGH: usize = 96;

/// Whether the budget of false alarms holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds,
    /// The traffic is too little to say so.
    NotYetKnown,
    /// There were more alarms than the budget allows in that time.
    Exceeded,
    /// The settings or the traffic are others by now.
    Outdated,
}

/// A verdict with its words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveVerdict {
    pub verdict: Verdict,
    /// `Holds`, `Not yet known (12 of 96)`, `Exceeded` or `Outdated`.
    pub words: String,
    /// Why, in a sentence; null where it holds.
    pub why: Option<String>,
}

impl LiveVerdict {
    /// Of a certificate, with whether the settings have changed since.
    pub fn of(found: &LiveCertificate, has_changed: bool, now: Timestamp) -> Self {
        let (verdict, why) = match outdated(found, has_changed, now) {
            Some(why) => (Verdict::Outdated, Some(why)),
            None => of_budget(found),
        };
        let words = match verdict {
            Verdict::Holds => "Holds".to_owned(),
            Verdict::NotYetKnown => format!("Not yet known ({} of {ENOUGH})", found.judged),
            Verdict::Exceeded => "Exceeded".to_owned(),
            Verdict::Outdated => "Outdated".to_owned(),
        };
        Self { verdict, words, why }
    }
}

fn outdated(found: &LiveCertificate, has_changed: bool, now: Timestamp) -> Option<String> {
    if has_changed {
        return Some(
            "The settings under [live] have changed since, so it does not hold for them: run `streamflow live certify` again."
                .to_owned(),
        );
    }
    let until: Option<Timestamp> = found.until.as_deref().and_then(|until| until.parse().ok());
    let is_old = until.is_none_or(|until| now.duration_since(until).as_hours() > STORED_DAYS * 24);
    is_old.then(|| {
        format!(
            "It is of traffic from before the last {STORED_DAYS} days, which is not stored any more: run `streamflow live certify` again."
        )
    })
}

/// More alarms than the whole month may have are too many on any traffic; fewer are held against the share of the budget
/// that falls on the judged time, once there is a day of it.
fn of_budget(found: &LiveCertificate) -> (Verdict, Option<String>) {
    let allowed = found.false_alarms_per_month * found.judged as f64 / (30 * ENOUGH) as f64;
    let alarms = found.alarms as f64;
    if alarms > found.false_alarms_per_month || (found.judged >= ENOUGH && alarms > allowed) {
        return (Verdict::Exceeded, Some(excess(found, allowed)));
    }
    if found.judged < ENOUGH {
        let why = format!(
            "A window had enough entities in {} of an hour, where {ENOUGH} (a day of them) are needed to say whether the \
             budget holds: run `streamflow live certify` again later.",
            counted(found.judged, "quarter"),
        );
        return (Verdict::NotYetKnown, Some(why));
    }
    (Verdict::Holds, None)
}

fn excess(found: &LiveCertificate, allowed: f64) -> String {
    let allowed = if allowed < 0.01 { "less than 0.01".to_owned() } else { format!("{allowed:.2}") };
    format!(
        "{} in {} judged, where the budget of {} in 30 days allows {allowed}: the traffic has changed, \
         or its alarms are false and more than the budget.",
        counted(found.alarms, "alarm"),
        counted_with(found.judged, "quarter", ["of an hour that was", "of an hour that were"]),
        found.false_alarms_per_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(alarms: usize, judged: usize, budget: f64) -> LiveVerdict {
        let found = LiveCertificate {
            at: "2026-01-02T00:00:00Z".to_owned(),
            quarters: judged,
            judged,
            from: Some("2026-01-01T00:00:00Z".to_owned()),
            until: Some("2026-01-02T00:00:00Z".to_owned()),
            alarms,
            false_alarms_per_month: budget,
            shifts: Vec::new(),
            verdict: None,
        };
        LiveVerdict::of(&found, false, "2026-01-09T23:00:00Z".parse().unwrap())
    }

    #[test]
    fn little_traffic_says_nothing_and_more_alarms_than_the_budget_are_never_good() {
        for (alarms, judged, budget, expected, part) in [
            (0, 0, 0.5, "Not yet known (0 of 96)", "in 0 quarters of an hour"),
            (0, 1, 0.5, "Not yet known (1 of 96)", "in 1 quarter of an hour"),
            (0, 95, 0.5, "Not yet known (95 of 96)", "in 95 quarters of an hour"),
            (0, 96, 0.5, "Holds", ""),
            (1, 1, 0.5, "Exceeded", "1 alarm in 1 quarter of an hour that was judged"),
            (
                2,
                768,
                0.5,
                "Exceeded",
                "2 alarms in 768 quarters of an hour that were judged, where the budget of 0.5 in 30 days allows 0.13",
            ),
            (1, 12, 0.5, "Exceeded", "allows less than 0.01"),
            // Of a large budget one alarm is no excess, and many in a day are.
            (1, 1, 30.0, "Not yet known (1 of 96)", "in 1 quarter of an hour"),
            (1, 96, 30.0, "Holds", ""),
            (2, 96, 30.0, "Exceeded", "the budget of 30 in 30 days allows 1.00"),
        ] {
            let found = verdict(alarms, judged, budget);
            assert_eq!(found.words, expected, "{alarms} of {judged}");
            let why = found.why.unwrap_or_default();
            assert!(why.contains(part) && why.is_empty() == part.is_empty(), "{why}");
        }
    }

    #[test]
    fn a_certificate_of_other_settings_or_of_old_traffic_is_outdated() {
        let found = LiveCertificate {
            at: "2026-01-02T00:00:00Z".to_owned(),
            quarters: 96,
            judged: 96,
            from: Some("2026-01-01T00:00:00Z".to_owned()),
            until: Some("2026-01-02T00:00:00Z".to_owned()),
            alarms: 0,
            false_alarms_per_month: 0.5,
            shifts: Vec::new(),
            verdict: None,
        };
        for (has_changed, now, expected) in [
            (false, "2026-01-09T23:00:00Z", None),
            (true, "2026-01-02T01:00:00Z", Some("The settings under [live] have changed since")),
            (false, "2026-01-10T01:00:00Z", Some("It is of traffic from before the last 8 days")),
        ] {
            let found = LiveVerdict::of(&found, has_changed, now.parse().unwrap());
            assert_eq!(found.words, if expected.is_some() { "Outdated" } else { "Holds" });
            let why = found.why.unwrap_or_default();
            let is_told = expected
                .is_none_or(|part| why.contains(part) && why.contains("`streamflow live certify` again"));
            assert!(is_told, "{why}");
        }
    }
}
