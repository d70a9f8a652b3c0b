//! A schedule as the configuration has it.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use streamflow_gotext::parse_duration_ms;

use crate::schedule::moment;
use crate::{Catchup, Error, Expression, Policy, Schedule};

/// The longest distance and deadline: 100 years of 365 days.
const LONGEST_S: u32 = 100 * 365 * 24 * 60 * 60;
/// The anchor where none is given: a Monday's midnight, so days and weeks begin with themselves.
const ANCHOR: DateTime = DateTime::constant(2001, 1, 1, 0, 0, 0, 0);
/// How a time on a clock is written.
const LOCAL: [&str; 3] = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"];

/// A schedule and its policy in the user's words: one of `cron`, `every` and `at`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleText {
    /// A cron expression, such as `0 6 1 * *`.
    pub cron: Option<String>,
    /// The distance between two times, such as `6h`.
    pub every: Option<String>,
    /// One of the times of `every` on the clock, such as `2026-01-01T09:00`; midnight of a Monday where it is missing.
    pub anchor: Option<String>,
    /// The only time, such as `2026-03-01T09:00`.
    pub at: Option<String>,
    /// Whose clock, such as `Europe/Paris`; UTC where it is missing.
    pub zone: Option<String>,
    /// Which missed times are run.
    pub catchup: Catchup,
    /// How long after its time a missed one is still run, such as `1h`; [`Policy::start_deadline`].
    pub start_deadline: Option<String>,
}

impl ScheduleText {
    /// The schedule.
    ///
    /// # Errors
    /// Where the text is none; the policy is not looked at.
    pub fn parse(&self) -> Result<Schedule, Error> {
        let zone = zone(self.zone.as_deref().unwrap_or("UTC"))?;
        if let (Some(anchor), None) = (&self.anchor, &self.every) {
            return Err(Error::StrayAnchor(anchor.clone()));
        }
        match (&self.cron, &self.every, &self.at) {
            (Some(cron), None, None) => Ok(Schedule::Cron { expression: Expression::parse(cron)?, zone }),
            (None, Some(every), None) => {
                let every_s = NonZeroU32::new(length_s("every", every)?)
                    .ok_or_else(|| Error::Length { key: "every", value: every.clone() })?;
                let anchor = self.anchor.as_ref().map_or(Ok(ANCHOR), |text| local("anchor", text))?;
                Ok(Schedule::Interval { every_s, anchor, zone })
            }
            (None, None, Some(at)) => {
                let wrong = || Error::Local { key: "at", value: at.clone() };
                let at = moment(&zone, local("at", at)?).ok_or_else(wrong)?;
                Ok(Schedule::Once { at: at.to_zoned(zone) })
            }
            (None, None, None) => Err(Error::Empty),
            (Some(_), Some(_), _) => Err(Error::Two("cron", "every")),
            (Some(_), None, Some(_)) => Err(Error::Two("cron", "at")),
            (None, Some(_), Some(_)) => Err(Error::Two("every", "at")),
        }
    }

    /// What happens to missed times.
    ///
    /// # Errors
    /// Where `start_deadline` is no length of time.
    pub fn policy(&self) -> Result<Policy, Error> {
        let deadline = self.start_deadline.as_deref().map(|text| length_s("start_deadline", text));
        let start_deadline = deadline.transpose()?.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(Policy { catchup: self.catchup, start_deadline })
    }
}

/// Out of the linked tz database, never out of the machine's.
fn zone(name: &str) -> Result<TimeZone, Error> {
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| Error::Zone(name.to_owned()))
}

fn length_s(key: &'static str, text: &str) -> Result<u32, Error> {
    let wrong = || Error::Length { key, value: text.to_owned() };
    let ms = parse_duration_ms(text).map_err(|_| wrong())?;
    let seconds = u32::try_from(ms / 1000).map_err(|_| wrong())?;
    if ms % 1000 == 0 && (1..=LONGEST_S).contains(&seconds) { Ok(seconds) } else { Err(wrong()) }
}

fn local(key: &'static str, text: &str) -> Result<DateTime, Error> {
    let read = |format: &&str| {
        let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
        let local = parsed.to_datetime().or_else(|_| parsed.to_date().map(DateTime::from)).ok()?;
        // What is written back differently was read too generously.
        (local.strftime(format).to_string() == text).then_some(local)
    };
    let found = LOCAL.iter().find_map(read).filter(|local| (1970..=9000).contains(&local.year()));
    found.ok_or_else(|| Error::Local { key, value: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a configuration means, or why it means nothing.
    fn read(toml: &str) -> String {
        let text: ScheduleText = toml::from_str(toml).unwrap();
        match text.parse().and_then(|schedule| Ok((schedule, text.policy()?))) {
            Ok((schedule, _)) => schedule.describe(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_form_is_read() {
        let cases = [
            ("cron = '0 6 1 * *'\nzone = 'Europe/Paris'", "at 06:00 on day 1 of every month, Europe/Paris"),
            ("cron = '@daily'", "at 00:00 every day, UTC"),
            ("cron = '@daily'\nzone = 'europe/paris'", "at 00:00 every day, Europe/Paris"),
            (
                "every = '6h'\nanchor = '2026-01-01T09:00'",
                "every 6 hours, counted from 2026-01-01 09:00, UTC",
            ),
            ("every = '90s'", "every 90 seconds, counted from 2001-01-01 00:00, UTC"),
            ("every = '1d'\nanchor = '2026-01-01 09:00'", "at 09:00 every day, UTC"),
            ("every = '1w'\nzone = 'UTC'", "at 00:00 every 7 days, counted from 2001-01-01, UTC"),
            ("at = '2026-03-01'", "once, at 2026-03-01 00:00, UTC"),
            // A time that does not exist is the first moment after the gap, one that exists twice the first.
            ("at = '2026-03-29T02:30'\nzone = 'Europe/Paris'", "once, at 2026-03-29 03:00, Europe/Paris"),
            ("at = '2026-10-25T02:30'\nzone = 'Europe/Paris'", "once, at 2026-10-25 02:30, Europe/Paris"),
            ("at = '2011-12-30T09:00'\nzone = 'Pacific/Apia'", "once, at 2011-12-31 00:00, Pacific/Apia"),
        ];
        for (toml, expected) in cases {
            assert_eq!(read(toml), expected, "{toml}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let cases = [
            ("", "give one of `cron` (\"0 6 1 * *\"), `every` (\"6h\") or `at`"),
            ("cron = '@daily'\nevery = '1d'", "both `cron` and `every`: keep one of them"),
            ("cron = '@daily'\nat = '2026-03-01'", "both `cron` and `at`"),
            ("every = '1d'\nat = '2026-03-01'", "both `every` and `at`"),
            ("cron = '@daily'\nanchor = '2026-03-01'", "anchor = \"2026-03-01\" belongs to `every`"),
            ("cron = '@daily'\nzone = 'Europe/Lutetia'", "zone = \"Europe/Lutetia\": expected a name"),
            ("cron = '@daily'\nzone = '+02:00'", "a fixed offset two hours ahead of UTC is \"Etc/GMT-2\""),
            ("cron = '@daily'\nzone = 'Etc/Unknown'", "zone = \"Etc/Unknown\""),
            ("cron = '@daily'\nzone = ''", "zone = \"\""),
            ("every = '0'", "every = \"0\": expected a length of time in whole seconds, from 1s"),
            ("every = '500ms'", "every = \"500ms\""),
            ("every = '1001ms'", "every = \"1001ms\""),
            ("every = '-1h'", "every = \"-1h\""),
            ("every = '101y'", "from 1s to 100y"),
            ("every = 'daily'", "such as \"15m\", \"6h\" or \"1d\""),
            ("every = '1d'\nanchor = '2026-01-01T09:00:30'", "anchor = \"2026-01-01T09:00:30\""),
            ("every = '1d'\nanchor = '2026-1-1T09:00'", "anchor = \"2026-1-1T09:00\""),
            ("at = '2026-02-30T09:00'", "at = \"2026-02-30T09:00\": expected a date"),
            ("at = '2026-03-01T09:00Z'", "on the clock of `zone`, without seconds or offset"),
            ("at = '9001-01-01'", "from 1970 to 9000"),
            ("cron = '@daily'\nstart_deadline = 'soon'", "start_deadline = \"soon\": expected a length"),
        ];
        for (toml, expected) in cases {
            let message = read(toml);
            assert!(message.contains(expected), "{toml}: {message}");
        }
    }

    #[test]
    fn the_policy_is_read() {
        let text: ScheduleText = toml::from_str("catchup = 'all'\nstart_deadline = '1h30m'").unwrap();
        let expected = Policy { catchup: Catchup::All, start_deadline: Some(Duration::from_secs(5400)) };
        assert_eq!(text.policy(), Ok(expected));
        let unset = Policy { catchup: Catchup::Latest, start_deadline: None };
        assert_eq!(ScheduleText::default().policy(), Ok(unset));
        assert!(toml::from_str::<ScheduleText>("crom = '@daily'").is_err(), "an unknown key");
    }
}
