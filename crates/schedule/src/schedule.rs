//! Schedules, and the instants at which they are due.

use std::num::NonZeroU32;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::calendar::{minute_of, second_of};
use crate::expression::Expression;
use crate::walk::{Marks, Walk};

const DAY_S: u32 = 24 * 60 * 60;

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At the times of the clock that an expression names.
    Cron {
        /// The expression.
        expression: Expression,
        /// Whose clock.
        zone: TimeZone,
    },
    /// At equal distances. Those of whole days keep the time on the clock, others the time that passes.
    Interval {
        /// The distance in seconds.
        every_s: NonZeroU32,
        /// One of the times on the clock, to the minute: it sets the phase, also of the times before it.
        anchor: DateTime,
        /// Whose clock.
        zone: TimeZone,
    },
    /// At one moment.
    Once {
        /// The moment.
        at: Zoned,
    },
}

impl Schedule {
    /// The first time after an instant; `None` where there is none before the year 9999 ends.
    #[must_use]
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.times(instant).next()
    }

    /// The first `limit` times after `after`, up to `until` and with it.
    #[must_use]
    pub fn times_between(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
        self.times(after).take_while(|time| *time <= until).take(limit).collect()
    }

    /// All times after an instant.
    pub(crate) fn times(&self, after: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self {
            Self::Cron { expression, zone } => Box::new(Walk::new(Marks::Cron(expression), zone, after)),
            Self::Interval { every_s, anchor, zone } if every_s.get().is_multiple_of(DAY_S) => {
                let minutes = i64::from(every_s.get() / 60);
                let marks = minute_of(*anchor).map(|anchor| Marks::Every { minutes, anchor });
                Box::new(marks.into_iter().flat_map(move |marks| Walk::new(marks, zone, after)))
            }
            Self::Interval { every_s, anchor, zone } => {
                let every_s = i64::from(every_s.get());
                let first = moment(zone, *anchor).map(|anchor| {
                    let second = second_of(after) + 1;
                    second + (anchor.as_second() - second).rem_euclid(every_s)
                });
                let seconds = std::iter::successors(first, move |second| second.checked_add(every_s));
                Box::new(seconds.map_while(|second| Timestamp::from_second(second).ok()))
            }
            Self::Once { at } => Box::new(Some(at.timestamp()).filter(|at| *at > after).into_iter()),
        }
    }
}

/// When a clock shows this time: the first moment after it where the clock was put forward past it, the first of two
/// where it was put back; `None` at the ends of the calendar.
pub(crate) fn moment(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            // Read with the offset of before, a time in the gap is after the change.
            let after = before.to_timestamp(local).ok()?.as_second();
            let change = zone.preceding(Timestamp::from_second(after + 1).ok()?).next()?;
            Some(change.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScheduleText;

    fn cron(expression: &str, zone: &str) -> Schedule {
        let text = ScheduleText {
            cron: Some(expression.to_owned()),
            zone: Some(zone.to_owned()),
            ..ScheduleText::default()
        };
        text.parse().unwrap()
    }

    fn every(every: &str, anchor: &str, zone: &str) -> Schedule {
        let text = ScheduleText {
            every: Some(every.to_owned()),
            anchor: Some(anchor.to_owned()),
            zone: Some(zone.to_owned()),
            ..ScheduleText::default()
        };
        text.parse().unwrap()
    }

    /// The times from `from` on, in UTC.
    fn check(schedule: &Schedule, from: &str, expected: &[&str]) {
        let from: Timestamp = format!("{from}:00Z").parse().unwrap();
        let after = Timestamp::from_second(from.as_second() - 1).unwrap();
        let times = schedule.times_between(after, Timestamp::MAX, expected.len());
        let times: Vec<String> = times.iter().map(|time| time.strftime("%m-%dT%H:%M").to_string()).collect();
        assert_eq!(times, expected, "{}", schedule.describe());
    }

    /// Paris is at UTC+1, and at UTC+2 from 29 March to 25 October 2026, 01:00 UTC each.
    #[test]
    fn the_changes_of_paris_in_2026() {
        let at = |expression| cron(expression, "Europe/Paris");
        // 02:30 does not exist: the first moment after the gap. It exists twice: the first.
        check(&at("30 2 * * *"), "2026-03-28T00:00", &["03-28T01:30", "03-29T01:00", "03-30T00:30"]);
        check(&at("30 2 * * *"), "2026-10-24T00:00", &["10-24T00:30", "10-25T00:30", "10-26T01:30"]);
        check(&at("30 2,14 * * *"), "2026-03-29T00:00", &["03-29T01:00", "03-29T12:30", "03-30T00:30"]);
        check(&at("30 2,14 * * *"), "2026-10-25T00:00", &["10-25T00:30", "10-25T13:30", "10-26T01:30"]);
        // All that the gap swallows is due once, together with what stands at its end.
        check(&at("0,30 2 * * *"), "2026-03-29T00:00", &["03-29T01:00", "03-30T00:00"]);
        check(&at("0 2,3 * * *"), "2026-03-29T00:00", &["03-29T01:00", "03-30T00:00"]);
        check(&at("0 3 * * *"), "2026-03-28T00:00", &["03-28T02:00", "03-29T01:00", "03-30T01:00"]);
        check(&at("0 3 * * *"), "2026-10-24T00:00", &["10-24T01:00", "10-25T02:00", "10-26T02:00"]);
        check(&at("30 1 * * *"), "2026-03-28T00:00", &["03-28T00:30", "03-29T00:30", "03-29T23:30"]);
        // Hourly is every hour that passes.
        let spring = ["03-28T23:00", "03-29T00:00", "03-29T01:00", "03-29T02:00"];
        check(&at("0 * * * *"), "2026-03-28T23:00", &spring);
        let autumn = ["10-24T23:00", "10-25T00:00", "10-25T01:00", "10-25T02:00", "10-25T03:00"];
        check(&at("0 * * * *"), "2026-10-24T23:00", &autumn);
        check(&at("@hourly"), "2026-10-24T23:00", &autumn);
        let half_hours = ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30", "10-25T02:00"];
        check(&at("*/30 * * * *"), "2026-10-25T00:00", &half_hours);
        // A star follows real time also where the hour is fixed.
        check(&at("*/30 2 * * *"), "2026-03-29T00:00", &["03-30T00:00", "03-30T00:30"]);
        check(&at("*/30 2 * * *"), "2026-10-25T00:00", &half_hours[..4]);
        check(&at("0 0-23 * * *"), "2026-10-25T00:00", &["10-25T00:00", "10-25T02:00", "10-25T03:00"]);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |expression| cron(expression, "Europe/Paris");
        check(&at("0 6 31 * *"), "2026-01-01T00:00", &["01-31T05:00", "03-31T04:00", "05-31T04:00"]);
        check(&at("0 6 L * *"), "2026-01-01T00:00", &["01-31T05:00", "02-28T05:00", "03-31T04:00"]);
        check(&at("0 6 L 2 *"), "2027-03-01T00:00", &["02-29T05:00", "02-28T05:00"]);
        check(&at("0 6 29 2 *"), "2026-01-01T00:00", &["02-29T05:00"]);
        let utc = |expression| cron(expression, "UTC");
        check(&utc("0 0 13 * 5"), "2026-02-01T00:00", &["02-06T00:00", "02-13T00:00", "02-20T00:00"]);
        check(&utc("0 0 13 * 5"), "2026-04-04T00:00", &["04-10T00:00", "04-13T00:00", "04-17T00:00"]);
        check(&utc("0 0 */13 * 5"), "2026-02-01T00:00", &["02-27T00:00", "03-27T00:00", "05-01T00:00"]);
        check(&utc("0 0 1-7 * */7"), "2026-02-01T00:00", &["02-01T00:00", "03-01T00:00", "04-05T00:00"]);
        check(&utc("0 0 * * MON-FRI"), "2026-02-06T00:00", &["02-06T00:00", "02-09T00:00"]);
        check(&utc("0 0 * * 0-0"), "2026-02-02T00:00", &["02-08T00:00", "02-15T00:00"]);
        check(&utc("0 0 * * SAT-SUN"), "2026-02-02T00:00", &["02-07T00:00", "02-08T00:00", "02-14T00:00"]);
        check(&utc("59 23 31 12 *"), "2026-12-31T23:59", &["12-31T23:59", "12-31T23:59"]);
        // 2100 is no leap year.
        let after = "2096-03-01T00:00:00Z".parse().unwrap();
        let leap_day = utc("0 0 29 2 *").next_after(after).unwrap();
        assert_eq!(leap_day.to_string(), "2104-02-29T00:00:00Z");
    }

    #[test]
    fn other_changes_of_clocks() {
        // Half an hour forward at 02:00 on 4 October 2026, back on 5 April.
        let at = |expression| cron(expression, "Australia/Lord_Howe");
        check(&at("15 2 * * *"), "2026-10-03T00:00", &["10-03T15:30", "10-04T15:15"]);
        check(&at("45 1 * * *"), "2026-04-04T00:00", &["04-04T14:45", "04-05T15:15"]);
        check(&at("0 * * * *"), "2026-10-03T14:00", &["10-03T14:30", "10-03T16:00", "10-03T17:00"]);
        check(
            &at("30 * * * *"),
            "2026-04-04T13:00",
            &["04-04T13:30", "04-04T14:30", "04-04T15:00", "04-04T16:00"],
        );
        // Samoa went from 29 to 31 December 2011: a correction, so nothing stands for the day that was not.
        let at = |expression| cron(expression, "Pacific/Apia");
        check(&at("0 9 * * *"), "2011-12-29T00:00", &["12-29T19:00", "12-30T19:00", "12-31T19:00"]);
        check(&at("0 9 30 * *"), "2011-12-01T00:00", &["01-29T19:00"]);
        check(
            &at("0 * * * *"),
            "2011-12-30T08:00",
            &["12-30T08:00", "12-30T09:00", "12-30T10:00", "12-30T11:00"],
        );
        // Kwajalein had 30 September 1969 almost twice: a correction, so both are served.
        check(
            &cron("0 9 * * *", "Pacific/Kwajalein"),
            "1969-09-29T00:00",
            &["09-29T22:00", "09-30T21:00", "10-01T21:00"],
        );
        // Until 1911 Paris was 9 minutes and 21 seconds ahead of Greenwich.
        let at = |expression| cron(expression, "Europe/Paris");
        let first = at("0 6 * * *").next_after("1911-03-09T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(first.to_string(), "1911-03-09T05:50:39Z");
        check(&at("55 23 * * *"), "1911-03-10T00:00", &["03-10T23:45", "03-11T23:55"]);
    }

    #[test]
    fn the_bounds_of_the_rules() {
        let check = |zone, expression, after: &str, expected: &[&str]| {
            let after = format!("{after}Z").parse().unwrap();
            let times = cron(expression, zone).times_between(after, Timestamp::MAX, expected.len());
            let times: Vec<String> =
                times.iter().map(|time| time.strftime("%m-%dT%H:%M:%S").to_string()).collect();
            assert_eq!(times, expected, "{expression} in {zone}");
        };
        // Three hours forward are a correction, and three hours back are not.
        let casey = "Antarctica/Casey";
        check(casey, "30 1 * * *", "2016-10-20T00:00", &["10-20T17:30:00", "10-22T14:30:00"]);
        check(casey, "30 1 * * *", "2018-03-10T00:00", &["03-10T14:30:00", "03-11T17:30:00"]);
        // In Manaus 1914 began four seconds late, within its first minute.
        check("America/Manaus", "0 0 1 1 *", "1913-06-01T00:00", &["01-01T04:00:04"]);
        check("America/Manaus", "* * * * *", "1914-01-01T04:00", &["01-01T04:00:04", "01-01T04:01:00"]);
        // In Niue 23:59 went on for 20 seconds more, and was still one minute.
        check("Pacific/Niue", "* * * * *", "1952-10-16T11:18:40", &["10-16T11:20:00", "10-16T11:21:00"]);
        // From 23:54 to 00:00 is more than late, so 23:55 is left out.
        check("America/Ciudad_Juarez", "55 * * * *", "1922-01-01T06:59", &["01-01T07:55:00"]);
    }

    #[test]
    fn intervals_of_days_keep_the_clock_and_others_real_time() {
        let day = every("24h", "2026-01-01T09:00", "Europe/Paris");
        check(&day, "2026-03-28T00:00", &["03-28T08:00", "03-29T07:00", "03-30T07:00"]);
        check(&day, "2026-10-24T00:00", &["10-24T07:00", "10-25T08:00", "10-26T08:00"]);
        let gap = every("1d", "2026-01-01T02:30", "Europe/Paris");
        check(&gap, "2026-03-28T00:00", &["03-28T01:30", "03-29T01:00", "03-30T00:30"]);
        check(&gap, "2026-10-24T00:00", &["10-24T00:30", "10-25T00:30", "10-26T01:30"]);
        let half_day = every("12h", "2026-01-01T09:00", "Europe/Paris");
        check(&half_day, "2026-03-28T12:00", &["03-28T20:00", "03-29T08:00", "03-29T20:00"]);
        // The anchor sets the phase of the times before it, too.
        let week = every("1w", "2026-06-03T09:00", "UTC");
        check(&week, "2026-03-01T00:00", &["03-04T09:00", "03-11T09:00"]);
        check(&every("7h", "2026-01-01T00:00", "UTC"), "2025-12-31T00:00", &["12-31T03:00", "12-31T10:00"]);
        check(&every("36h", "2026-01-01T00:00", "UTC"), "2026-01-01T00:00", &["01-01T00:00", "01-02T12:00"]);
    }

    #[test]
    fn once_is_once() {
        let text = ScheduleText { at: Some("2026-03-01T09:00".to_owned()), ..ScheduleText::default() };
        let once = text.parse().unwrap();
        check(&once, "2026-03-01T09:00", &["03-01T09:00"]);
        assert_eq!(once.next_after("2026-03-01T09:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn times_end_with_the_calendar_and_the_limit() {
        let daily = cron("@daily", "Europe/Paris");
        assert_eq!(daily.next_after(Timestamp::MAX), None);
        assert_eq!(every("1s", "2026-01-01", "UTC").next_after(Timestamp::MAX), None);
        assert_eq!(every("1d", "2026-01-01", "Asia/Tokyo").next_after(Timestamp::MAX), None);
        let from: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let until = "2026-03-02T23:00:00Z".parse().unwrap();
        assert_eq!(daily.times_between(from, until, 10).len(), 2, "with the last moment");
        assert_eq!(daily.times_between(from, until, 1).len(), 1);
        assert_eq!(daily.times_between(until, from, 10).len(), 0);
        // An instant is not its own successor, whatever its fraction of a second.
        let second = "2026-03-01T23:00:00Z".parse().unwrap();
        assert_eq!(daily.next_after("2026-03-01T22:59:59.9Z".parse().unwrap()), Some(second));
        assert!(daily.next_after("2026-03-01T23:00:00.1Z".parse().unwrap()).unwrap() > second);
        let before_1970 = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!(cron("@daily", "UTC").next_after(before_1970), Some(Timestamp::UNIX_EPOCH));
    }
}
