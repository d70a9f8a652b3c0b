//! What to do now: which times are run, which are left out and why, and which comes next.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use streamflow_gotext::format_duration_ms;

use crate::Schedule;

/// A time that is acted on within a minute is on time: cron looks once a minute.
const ON_TIME: Duration = Duration::from_secs(60);
/// How far [`Catchup::All`] goes back where the user does not say.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(3600);
/// How many of the newest times are told one by one, run or skipped.
const LISTED: usize = 1000;
/// How many of the older ones are counted.
const COUNTED: usize = 100_000;

/// Which of the times that passed while nothing ran are run. Each runs what the one before it does, and more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Catchup {
    /// None: a time is run within a minute or never.
    None,
    /// The newest, however long ago it was.
    #[default]
    Latest,
    /// The newest, and those of the last hour, the oldest first.
    All,
}

/// What happens to times that passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which missed times are run.
    pub catchup: Catchup,
    /// How long after its time a missed one is still run, the newest included. Without it [`Catchup::Latest`] runs
    /// the newest at any age, and [`Catchup::All`] those of the last hour as well. What is on time is always run.
    pub start_deadline: Option<Duration>,
}

/// Why a time was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// One that was due after it is run instead.
    Superseded,
    /// It was missed by more than the deadline.
    PastDeadline {
        /// The deadline.
        deadline: Duration,
    },
    /// It was missed, and missed times are not run.
    NoCatchup,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Superseded => write!(
                f,
                "a later time had passed as well and stands for it; with catchup = \"all\" both would be run"
            ),
            Self::PastDeadline { deadline } => {
                let ms = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
                let deadline = format_duration_ms(ms);
                write!(f, "it was missed by more than start_deadline = \"{deadline}\"")
            }
            Self::NoCatchup => write!(
                f,
                "it was missed by more than a minute; with catchup = \"latest\" the newest missed time would be run"
            ),
        }
    }
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Times to run, the oldest first.
    pub run: Vec<Timestamp>,
    /// Times that are left out, the oldest first. With [`Due::run`] they are at most the newest 1,000 that passed.
    pub skipped: Vec<(Timestamp, Reason)>,
    /// How many earlier ones passed and are left out without being listed; counting ends at 100,000.
    pub skipped_before: usize,
    /// The next time; `None` where there is none.
    pub next: Option<Timestamp>,
}

impl Due {
    /// The newest time that was handled: what [`plan`] is told the next time, if any.
    #[must_use]
    pub fn last_handled(&self) -> Option<Timestamp> {
        self.run.last().copied().max(self.skipped.last().map(|(time, _)| *time))
    }
}

/// Decides about every time after `last_handled` that passed by `now`.
///
/// `last_handled` is the newest time that was run or skipped, or else the moment since which the schedule stands as it
/// is; without it nothing was missed. Where it is kept before the runs begin, no time is handed out twice, wherever
/// the clock goes: forward, and the times between are missed; back, and nothing is due until the clock has passed
/// `last_handled` again, which [`Due::next`] tells.
#[must_use]
pub fn plan(schedule: &Schedule, policy: &Policy, last_handled: Option<Timestamp>, now: Timestamp) -> Due {
    let last_handled = last_handled.unwrap_or(now);
    let passed = newest(schedule, last_handled, now);
    let skipped_before = match passed.first() {
        Some(first) if passed.len() == LISTED => {
            schedule.times(last_handled).take_while(|time| time < first).take(COUNTED).count()
        }
        _ => 0,
    };
    let mut due = Due { skipped_before, next: schedule.next_after(now.max(last_handled)), ..Due::default() };
    for (place, time) in passed.iter().enumerate() {
        let is_newest = place + 1 == passed.len();
        // A clock cannot be before a time that passed, so this is never negative.
        let age = now.duration_since(*time).unsigned_abs();
        match verdict(policy, is_newest, age) {
            Ok(()) => due.run.push(*time),
            Err(reason) => due.skipped.push((*time, reason)),
        }
    }
    due
}

fn verdict(policy: &Policy, is_newest: bool, age: Duration) -> Result<(), Reason> {
    let deadline = match (policy.start_deadline, policy.catchup) {
        (Some(deadline), _) => deadline,
        (None, Catchup::All) if !is_newest => DEFAULT_DEADLINE,
        (None, _) => Duration::MAX,
    };
    match policy.catchup {
        Catchup::None if age > ON_TIME => Err(Reason::NoCatchup),
        Catchup::None | Catchup::Latest if !is_newest => Err(Reason::Superseded),
        _ if age > deadline.max(ON_TIME) => Err(Reason::PastDeadline { deadline }),
        _ => Ok(()),
    }
}

/// The newest times that passed, [`LISTED`] at most. They are looked for in ever longer stretches back from now, so what
/// a clock that was wrong by decades leaves behind is never held in memory.
fn newest(schedule: &Schedule, last_handled: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut back = SignedDuration::from_hours(1);
    loop {
        let from = now.checked_sub(back).unwrap_or(Timestamp::MIN).max(last_handled);
        let mut times = schedule.times_between(from, now, usize::MAX);
        if times.len() >= LISTED || from == last_handled {
            times.drain(..times.len().saturating_sub(LISTED));
            return times;
        }
        back = back.saturating_add(back);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScheduleText;

    fn schedule(cron: &str) -> Schedule {
        ScheduleText { cron: Some(cron.to_owned()), ..ScheduleText::default() }.parse().unwrap()
    }

    fn instant(text: &str) -> Timestamp {
        format!("{text}:00Z").parse().unwrap()
    }

    /// The plan on one line: runs, then what is left out with its reason, then the next time.
    fn planned(policy: &Policy, last_handled: &str, now: &str) -> String {
        let due = plan(&schedule("0 6 * * *"), policy, Some(instant(last_handled)), instant(now));
        let day = |time: &Timestamp| time.strftime("%d").to_string();
        let runs: Vec<String> = due.run.iter().map(day).collect();
        let skipped: Vec<String> = due
            .skipped
            .iter()
            .map(|(time, reason)| {
                let reason = format!("{reason:?}");
                format!("{}{}", day(time), &reason[..1])
            })
            .collect();
        format!("run {} skip {} next {}", runs.join(","), skipped.join(","), day(&due.next.unwrap()))
    }

    /// Daily at 06:00. Reasons by their first letter: Superseded, PastDeadline, NoCatchup.
    #[test]
    fn missed_times_are_run_as_the_policy_says() {
        let policy = |catchup, minutes: Option<u64>| Policy {
            catchup,
            start_deadline: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        };
        let (none, latest, all) = (Catchup::None, Catchup::Latest, Catchup::All);
        let (on_time, stopped, early) = ("2026-03-04T06:00", "2026-03-04T06:30", "2026-03-04T05:59");
        let last = "2026-03-01T06:00";
        let cases = [
            (policy(none, None), "2026-03-03T06:00", on_time, "run 04 skip  next 05"),
            (policy(none, None), "2026-03-03T06:00", "2026-03-04T06:01", "run 04 skip  next 05"),
            (policy(none, None), "2026-03-03T06:00", "2026-03-04T06:02", "run  skip 04N next 05"),
            (policy(none, None), last, on_time, "run 04 skip 02N,03N next 05"),
            (policy(latest, None), last, early, "run 03 skip 02S next 04"),
            (policy(latest, None), last, stopped, "run 04 skip 02S,03S next 05"),
            (policy(latest, Some(31)), last, stopped, "run 04 skip 02S,03S next 05"),
            (policy(latest, Some(29)), last, stopped, "run  skip 02S,03S,04P next 05"),
            (policy(latest, Some(0)), last, "2026-03-04T06:01", "run 04 skip 02S,03S next 05"),
            (policy(all, None), last, stopped, "run 04 skip 02P,03P next 05"),
            (policy(all, Some(60 * 25)), last, stopped, "run 03,04 skip 02P next 05"),
            (policy(all, Some(60 * 24 * 7)), last, stopped, "run 02,03,04 skip  next 05"),
            (policy(all, Some(29)), last, stopped, "run  skip 02P,03P,04P next 05"),
            // Nothing twice, and nothing early.
            (policy(all, None), "2026-03-04T06:00", "2026-03-04T06:00", "run  skip  next 05"),
            (policy(latest, None), "2026-03-04T06:00", stopped, "run  skip  next 05"),
            // The clock went back: what was handled stays handled.
            (policy(all, None), "2026-03-04T06:00", "2026-03-02T07:00", "run  skip  next 05"),
            (policy(none, None), "2026-03-09T06:00", "1970-01-01T00:00", "run  skip  next 10"),
        ];
        for (policy, last_handled, now, expected) in cases {
            assert_eq!(planned(&policy, last_handled, now), expected, "{policy:?} {last_handled} {now}");
        }
    }

    #[test]
    fn nothing_is_missed_before_the_first_look() {
        let due = plan(&schedule("* * * * *"), &Policy::default(), None, instant("2026-03-04T06:00"));
        let expected = Due { next: Some(instant("2026-03-04T06:01")), ..Due::default() };
        assert_eq!(due, expected);
        assert_eq!(due.last_handled(), None);
    }

    #[test]
    fn a_long_stop_is_listed_in_part_and_counted() {
        let policy = Policy { catchup: Catchup::All, start_deadline: Some(Duration::from_secs(120)) };
        let check = |cron: &str, last: &str, expected: (usize, usize, usize)| {
            let now = instant("2026-03-04T06:00");
            let due = plan(&schedule(cron), &policy, Some(instant(last)), now);
            assert_eq!((due.run.len(), due.skipped.len(), due.skipped_before), expected, "{cron} {last}");
            assert_eq!(due.last_handled(), Some(now));
            assert!(due.skipped.is_sorted_by_key(|(time, _)| *time));
        };
        check("* * * * *", "2026-03-03T13:20", (3, 997, 0));
        check("* * * * *", "2026-03-03T13:19", (3, 997, 1));
        check("* * * * *", "2026-03-01T06:00", (3, 997, 3 * 1440 - 1000));
        check("* * * * *", "1970-01-01T00:00", (3, 997, COUNTED));
        check("0 6 4 3 *", "1970-01-01T00:00", (1, 56, 0));
    }

    #[test]
    fn seconds_of_a_century_are_not_held_in_memory() {
        let every = ScheduleText { every: Some("1s".to_owned()), ..ScheduleText::default() };
        let now = instant("2026-03-04T06:00");
        let due = plan(&every.parse().unwrap(), &Policy::default(), Some(Timestamp::MIN), now);
        assert_eq!((due.run, due.skipped.len(), due.skipped_before), (vec![now], LISTED - 1, COUNTED));
    }

    #[test]
    fn reasons_are_told_with_the_remedy() {
        let deadline = Duration::from_secs(5400);
        let text = Reason::PastDeadline { deadline }.to_string();
        assert_eq!(text, "it was missed by more than start_deadline = \"1h30m\"");
    }
}
