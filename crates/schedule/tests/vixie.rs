//! Random expressions in random zones, held against a simulation of Vixie's cron that walks minute by minute.
//!
//! The simulation follows cron(8) of Vixie's cron 4.1: it wakes whenever the minute that the clock shows has changed,
//! and compares the clock with a virtual time, the last minute whose jobs were run.
//! - One minute further: all jobs of that minute.
//! - Up to 5 minutes ahead (it woke up late): all jobs of each minute in between, at once.
//! - Up to 3 hours ahead (summer time began): wildcard jobs of the minute that the clock shows, and the other jobs of
//!   each minute in between, at once.
//! - Up to 3 hours behind (summer time ended): wildcard jobs alone, until the clock has caught up with virtual time.
//! - Further away (the clock was corrected): virtual time is the clock's, and all jobs of that minute are run.
//!
//! A wildcard job is one whose minute or hour begins with `*`. Runs of a job at the same moment count as one. The
//! clock also changes within a minute where zones had offsets with seconds.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use proptest::prelude::*;
use streamflow_schedule::{Expression, Schedule};

/// A field as text and as the set that it names, made together and apart from the parser.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    named: Vec<bool>,
}

/// The fields of a cron expression.
#[derive(Debug, Clone)]
struct Job {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Job {
    fn text(&self) -> String {
        let Self { minute, hour, day, month, weekday } = self;
        format!("{} {} {} {} {}", minute.text, hour.text, day.text, month.text, weekday.text)
    }

    fn is_wildcard(&self) -> bool {
        self.minute.text.starts_with('*') || self.hour.text.starts_with('*')
    }

    fn names(&self, clock: DateTime) -> bool {
        let last =
            clock.day() == clock.date().days_in_month() && self.day.text.split(',').any(|item| item == "L");
        let day = self.day.named[clock.day() as usize] || last;
        let number = clock.weekday().to_sunday_zero_offset() as usize;
        let weekday = self.weekday.named[number] || number == 0 && self.weekday.named[7];
        let starred = self.day.text.starts_with('*') || self.weekday.text.starts_with('*');
        self.minute.named[clock.minute() as usize]
            && self.hour.named[clock.hour() as usize]
            && self.month.named[clock.month() as usize]
            && if starred { day && weekday } else { day || weekday }
    }
}

/// The runs in a stretch of seconds; the clock is taken as right before it.
fn simulate(job: &Job, zone: &TimeZone, from: i64, until: i64) -> Vec<i64> {
    let names =
        |minute: i64| job.names(Offset::UTC.to_datetime(Timestamp::from_second(minute * 60).unwrap()));
    let changes: Vec<i64> = zone
        .following(Timestamp::from_second(from).unwrap())
        .map(|change| change.timestamp().as_second())
        .take_while(|change| *change <= until)
        .collect();
    let mut now = from;
    let mut offset = offset(zone, now);
    let mut clock = (now + offset).div_euclid(60);
    let mut virtual_time = clock;
    let mut runs = Vec::new();
    while now < until {
        let next_minute = now + 60 - (now + offset).rem_euclid(60);
        now = changes
            .iter()
            .copied()
            .find(|change| *change > now)
            .map_or(next_minute, |change| change.min(next_minute));
        if changes.contains(&now) {
            offset = self::offset(zone, now);
        }
        let shown = (now + offset).div_euclid(60);
        if shown == clock {
            continue;
        }
        clock = shown;
        let due = match clock - virtual_time {
            1..=5 => {
                let due = (virtual_time + 1..=clock).any(names);
                virtual_time = clock;
                due
            }
            6..=180 => {
                let missed = (virtual_time + 1..=clock).any(names);
                virtual_time = clock;
                if job.is_wildcard() { names(clock) } else { missed }
            }
            -180..=0 => job.is_wildcard() && names(clock),
            _ => {
                virtual_time = clock;
                names(clock)
            }
        };
        if due {
            runs.push(now);
        }
    }
    runs
}

fn offset(zone: &TimeZone, second: i64) -> i64 {
    zone.to_offset(Timestamp::from_second(second).unwrap()).seconds().into()
}

/// A part of a list, with the numbers that it names.
fn item(first: usize, last: usize) -> impl Strategy<Value = (String, Vec<usize>)> {
    let step = 1..=(last - first + 1).min(20);
    prop_oneof![
        3 => (first..=last).prop_map(|number| (number.to_string(), vec![number])),
        1 => (first..=last, first..=last, step.clone()).prop_map(|(a, b, step)| {
            let (low, high) = (a.min(b), a.max(b));
            (format!("{low}-{high}/{step}"), (low..=high).step_by(step).collect())
        }),
        1 => step.prop_map(move |step| (format!("*/{step}"), (first..=last).step_by(step).collect())),
    ]
}

/// Any field, a star as often as `stars` of ten.
fn field(first: usize, last: usize, stars: u32) -> impl Strategy<Value = Field> {
    let all = Field { text: "*".to_owned(), named: vec![true; last + 1] };
    let some = prop::collection::vec(item(first, last), 1..4).prop_map(move |items| {
        let mut named = vec![false; last + 1];
        let texts: Vec<String> = items
            .into_iter()
            .map(|(text, numbers)| {
                numbers.into_iter().for_each(|number| named[number] = true);
                text
            })
            .collect();
        Field { text: texts.join(","), named }
    });
    prop_oneof![stars => Just(all), 10 - stars => some]
}

/// Hours of the night are likelier: clocks are changed then.
fn hours() -> impl Strategy<Value = Field> {
    let night = prop::collection::vec(0..5_usize, 1..3).prop_map(|hours| {
        let named = (0..24).map(|hour| hours.contains(&hour)).collect();
        Field { text: hours.iter().map(usize::to_string).collect::<Vec<_>>().join(","), named }
    });
    prop_oneof![night, field(0, 23, 3)]
}

fn days() -> impl Strategy<Value = Field> {
    (field(1, 31, 7), 0..10).prop_map(|(mut field, luck)| {
        if luck == 0 && field.text != "*" {
            field.text.push_str(",L");
        }
        field
    })
}

fn job() -> impl Strategy<Value = Job> {
    (field(0, 59, 2), hours(), days(), field(1, 12, 9), field(0, 7, 7))
        .prop_map(|(minute, hour, day, month, weekday)| Job { minute, hour, day, month, weekday })
}

/// A zone and one of its changes of the clock, those of the future included.
fn change() -> impl Strategy<Value = (TimeZone, i64)> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
    (prop::sample::select(names), any::<prop::sample::Index>()).prop_map(move |(name, place)| {
        let zone = database.get(&name).unwrap();
        let from = "1850-01-01T00:00:00Z".parse().unwrap();
        let changes: Vec<i64> =
            zone.following(from).take(300).map(|change| change.timestamp().as_second()).collect();
        let second = if changes.is_empty() { 1_775_000_000 } else { changes[place.index(changes.len())] };
        (zone, second)
    })
}

const HOUR: i64 = 3600;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn times_are_those_of_vixies_cron(job in job(), (zone, change) in change(), before in 0..20 * HOUR) {
        // Months and days that are never together are refused, and nothing is left to compare.
        let Ok(expression) = Expression::parse(&job.text()) else {
            let never = (1..=12).all(|month| !job.month.named[month] || job.names_no_day_of(month));
            prop_assert!(never, "{} is refused", job.text());
            return Ok(());
        };
        let schedule = Schedule::Cron { expression, zone: zone.clone() };
        let (from, until) = (change - before - 1, change + 28 * HOUR);
        let expected: Vec<i64> =
            simulate(&job, &zone, change - 48 * HOUR, until).into_iter().filter(|run| (from + 1..=until).contains(run)).collect();
        let at = |second| Timestamp::from_second(second).unwrap();
        let times = schedule.times_between(at(from), at(until), usize::MAX);
        let times: Vec<i64> = times.iter().map(|time| time.as_second()).collect();
        prop_assert_eq!(&times, &expected, "{} in {:?} around {}", job.text(), zone.iana_name(), at(change));
        // One by one they are the same, whichever moment the question is asked at.
        let mut second = from;
        for time in &times {
            prop_assert_eq!(schedule.next_after(at(second)), Some(at(*time)));
            prop_assert_eq!(schedule.next_after(at((second + time).div_euclid(2))), Some(at(*time)));
            second = *time;
        }
    }
}

impl Job {
    /// Only days of the month beyond its end, and no weekday that could stand in.
    fn names_no_day_of(&self, month: usize) -> bool {
        let length = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        !(1..=length).any(|day| self.day.named[day]) && !self.day.text.ends_with('L')
    }
}

/// What the walk takes for granted: no clock is changed again before it has caught up with the change before.
#[test]
fn clocks_are_changed_four_hours_apart_at_least() {
    let database = TimeZoneDatabase::bundled();
    let mut seen = 0;
    for name in database.available() {
        let zone = database.get(name.as_str()).unwrap();
        let changes = zone.following(Timestamp::MIN).take(600).map(|change| change.timestamp().as_second());
        let changes: Vec<i64> = changes.filter(|at| offset(&zone, *at) != offset(&zone, at - 1)).collect();
        seen += changes.len();
        for pair in changes.windows(2) {
            assert!(pair[1] - pair[0] > 4 * HOUR, "{name}: {pair:?}");
        }
    }
    assert!(seen > 10_000, "the tz database is there");
}
