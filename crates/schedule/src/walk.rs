//! From the minutes of a clock to instants, across the changes of the clock: Vixie's rules, as the crate has them.
//!
//! The time line is cut where the offset from UTC changes. In such a stretch clock and time run alike; the rules are all
//! in where the first minute of the next stretch begins.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneTransition};

use crate::calendar::second_of;
use crate::expression::Expression;

/// A change by more is a correction of the clock: the new time holds at once.
const CORRECTION_MINUTES: i64 = 180;
/// A clock that is ahead by so little is late rather than changed: nothing is left out.
const LATE_MINUTES: i64 = 5;

/// Which minutes of a clock are due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Marks<'a> {
    Cron(&'a Expression),
    /// Every so many minutes of the clock, one of which is the anchor.
    Every {
        minutes: i64,
        anchor: i64,
    },
}

impl Marks<'_> {
    fn next_minute(&self, from: i64) -> Option<i64> {
        match self {
            Self::Cron(expression) => expression.next_minute(from),
            Self::Every { minutes, anchor } => Some(from + (anchor - from).rem_euclid(*minutes)),
        }
    }

    fn follow_real_time(&self) -> bool {
        matches!(self, Self::Cron(expression) if expression.follows_real_time())
    }
}

/// The instants at which marks are due in a zone, in order.
pub(crate) struct Walk<'a> {
    marks: Marks<'a>,
    zone: &'a TimeZone,
    stretch: Stretch,
    /// The second of the instant before.
    last: i64,
}

impl<'a> Walk<'a> {
    /// From the first instant after `after` on.
    pub(crate) fn new(marks: Marks<'a>, zone: &'a TimeZone, after: Timestamp) -> Self {
        Self { marks, zone, stretch: Stretch::containing(zone, after, marks), last: second_of(after) }
    }
}

impl Iterator for Walk<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            let Stretch { start, end, offset, first } = self.stretch;
            let from = if self.last < start { first } else { first.max(shown(self.last, offset) + 1) };
            // The minutes of a gap are before the stretch, and due when it begins.
            let second = (self.marks.next_minute(from)? * 60 - offset).max(start);
            if second < end {
                self.last = second;
                return Timestamp::from_second(second).ok();
            }
            self.stretch = self.stretch.next(self.zone, self.marks)?;
        }
    }
}

/// Time with one offset from UTC; seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: i64,
    /// The first second after it.
    end: i64,
    offset: i64,
    /// The minute of the clock that is looked at first.
    first: i64,
}

impl Stretch {
    fn containing(zone: &TimeZone, instant: Timestamp, marks: Marks) -> Self {
        let second = second_of(instant);
        let changed = |change: &TimeZoneTransition| {
            offset_before(zone, change.timestamp()) != offset_of(zone, change.timestamp())
        };
        // What precedes the next second began at this one or before.
        let from = Timestamp::from_second(second + 1).unwrap_or(Timestamp::MAX);
        match zone.preceding(from).find(changed) {
            None => Self {
                start: i64::MIN,
                end: end(zone, instant),
                offset: offset_of(zone, instant),
                first: i64::MIN,
            },
            // A stretch lasts longer than a fold, so the clock had caught up before this change.
            Some(change) => {
                let start = change.timestamp().as_second();
                Self::begin(zone, start, shown(start - 1, offset_before(zone, change.timestamp())), marks)
            }
        }
    }

    fn next(self, zone: &TimeZone, marks: Marks) -> Option<Self> {
        (self.end < i64::MAX).then(|| Self::begin(zone, self.end, shown(self.end - 1, self.offset), marks))
    }

    /// `handled` is the last minute of the clock that was looked at before.
    fn begin(zone: &TimeZone, start: i64, handled: i64, marks: Marks) -> Self {
        let instant = Timestamp::from_second(start).unwrap_or(Timestamp::MAX);
        let offset = offset_of(zone, instant);
        let shown = shown(start, offset);
        let ahead = shown - handled;
        let first = if marks.follow_real_time() {
            // Where the clock stands still within its minute, that minute was looked at before.
            if (0..=LATE_MINUTES).contains(&ahead) { handled + 1 } else { shown }
        } else if ahead.abs() <= CORRECTION_MINUTES {
            handled + 1
        } else {
            shown
        };
        Self { start, end: end(zone, instant), offset, first }
    }
}

/// The minute that a clock shows.
fn shown(second: i64, offset: i64) -> i64 {
    (second + offset).div_euclid(60)
}

fn offset_of(zone: &TimeZone, instant: Timestamp) -> i64 {
    zone.to_offset(instant).seconds().into()
}

fn offset_before(zone: &TimeZone, instant: Timestamp) -> i64 {
    let before = Timestamp::from_second(instant.as_second() - 1).unwrap_or(Timestamp::MIN);
    offset_of(zone, before)
}

/// The next instant at which the offset is another: not every change of a zone is one.
fn end(zone: &TimeZone, instant: Timestamp) -> i64 {
    let offset = zone.to_offset(instant);
    let change = zone.following(instant).find(|change| change.offset() != offset);
    change.map_or(i64::MAX, |change| change.timestamp().as_second())
}
