//! Whether the wall clock can be believed when something is deleted by its age.
//!
//! A clock that is set wrong for a minute must not delete a month. The time at which a process begins is believed; from then on
//! the wall clock has to go as fast as the monotonic one. Time in which a machine sleeps counts as a jump, since the
//! monotonic clock may stand still then.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// How far the wall clock may come from where the monotonic one puts it.
const LEEWAY: Duration = Duration::from_secs(3_600);
/// How long it has to stay where it jumped to until it is believed there.
const STEADY_FOR: Duration = Duration::from_secs(3_600);
/// How far it may move meanwhile.
const STEADY_WITHIN: Duration = Duration::from_secs(60);

/// What a look at the clocks has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The wall clock goes as the monotonic one does.
    Believed,
    /// It has jumped since the last look, and is by so much ahead of where it should be, or behind where that is negative.
    Jumped(SignedDuration),
    /// It jumped before the last look, and is not believed yet.
    InDoubt,
    /// It is believed from this look on: it has come back, or was steady for an hour.
    BelievedAgain,
}

impl Verdict {
    /// Whether something may be deleted by its age.
    pub fn is_believed(self) -> bool {
        matches!(self, Self::Believed | Self::BelievedAgain)
    }
}

/// A wall clock that is held against a monotonic one.
#[derive(Debug)]
pub struct Clock {
    wall: Timestamp,
    monotonic: Instant,
    doubt: Option<Doubt>,
}

/// A jump that is not believed yet.
#[derive(Debug)]
struct Doubt {
    /// What was told of it.
    told: SignedDuration,
    /// Where it was steady, and since when.
    offset: SignedDuration,
    since: Instant,
}

impl Clock {
    /// Believes these times, which are of one moment.
    pub fn new(wall: Timestamp, monotonic: Instant) -> Self {
        Self { wall, monotonic, doubt: None }
    }

    /// Looks at both clocks, whose times are of one moment.
    pub fn look(&mut self, wall: Timestamp, monotonic: Instant) -> Verdict {
        let offset = self.offset(wall, monotonic);
        if offset.unsigned_abs() <= LEEWAY {
            return if self.doubt.take().is_some() { Verdict::BelievedAgain } else { Verdict::Believed };
        }
        let moved = |from: SignedDuration| offset.saturating_sub(from).unsigned_abs();
        match &mut self.doubt {
            Some(doubt) if moved(doubt.told) <= LEEWAY => {
                if moved(doubt.offset) > STEADY_WITHIN {
                    (doubt.offset, doubt.since) = (offset, monotonic);
                } else if monotonic.saturating_duration_since(doubt.since) >= STEADY_FOR {
                    *self = Self::new(wall, monotonic);
                    return Verdict::BelievedAgain;
                }
                Verdict::InDoubt
            }
            _ => {
                self.doubt = Some(Doubt { told: offset, offset, since: monotonic });
                Verdict::Jumped(offset)
            }
        }
    }

    /// How far the wall clock is ahead of where the monotonic one puts it.
    fn offset(&self, wall: Timestamp, monotonic: Instant) -> SignedDuration {
        let passed = monotonic.saturating_duration_since(self.monotonic);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        wall.duration_since(self.wall).saturating_sub(passed)
    }
}

/// By how much a clock jumped, such as `ahead by 816h00m`, to the minute.
pub fn by_words(by: SignedDuration) -> String {
    let way = if by.is_negative() { "back" } else { "ahead" };
    let minutes = by.unsigned_abs().as_secs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{way} by {hours}h{minutes:02}m")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    /// A clock, and looks at it: seconds since its start of the monotonic one, and how far ahead the wall clock is.
    struct Looks {
        clock: Clock,
        start: Instant,
    }

    impl Looks {
        fn new() -> Self {
            let start = Instant::now();
            Self { clock: Clock::new(Timestamp::UNIX_EPOCH, start), start }
        }

        fn at(&mut self, seconds: i64, ahead: i64) -> Verdict {
            let monotonic = self.start + Duration::from_secs(seconds.unsigned_abs());
            self.clock.look(Timestamp::from_second(seconds + ahead).unwrap(), monotonic)
        }
    }

    fn jumped(seconds: i64) -> Verdict {
        Verdict::Jumped(SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_clock_that_goes_with_time_is_believed() {
        let mut looks = Looks::new();
        for (seconds, ahead) in [(0, 0), (60, 59), (DAY, HOUR), (2 * DAY, -HOUR), (90 * DAY, 0)] {
            assert_eq!(looks.at(seconds, ahead), Verdict::Believed, "{seconds} {ahead}");
        }
    }

    #[test]
    fn a_jump_that_is_taken_back_is_told_once_and_believed_at_once_then() {
        for way in [34 * DAY, -34 * DAY, HOUR + 1, -HOUR - 1] {
            let mut looks = Looks::new();
            assert_eq!(looks.at(60, 0), Verdict::Believed);
            assert_eq!(looks.at(75, way), jumped(way));
            assert_eq!(looks.at(120, way), Verdict::InDoubt);
            assert_eq!(looks.at(150, 0), Verdict::BelievedAgain);
            assert_eq!(looks.at(151, 0), Verdict::Believed);
        }
    }

    #[test]
    fn a_jump_that_stays_is_believed_after_a_steady_hour() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(60, 34 * DAY), jumped(34 * DAY));
        // It is set once more, by five minutes, so that the hour begins anew without being told again.
        assert_eq!(looks.at(50 * MINUTE, 34 * DAY + 300), Verdict::InDoubt);
        assert_eq!(looks.at(61 * MINUTE, 34 * DAY + 301), Verdict::InDoubt);
        assert_eq!(looks.at(110 * MINUTE - 1, 34 * DAY + 299), Verdict::InDoubt);
        assert_eq!(looks.at(110 * MINUTE, 34 * DAY + 300), Verdict::BelievedAgain);
        // From there it is held against where it went to.
        assert_eq!(looks.at(111 * MINUTE, 34 * DAY + 300), Verdict::Believed);
        assert_eq!(looks.at(112 * MINUTE, 0), jumped(-34 * DAY - 300));
    }

    #[test]
    fn another_jump_is_told_and_waited_for_anew() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(60, 34 * DAY), jumped(34 * DAY));
        assert_eq!(looks.at(59 * MINUTE, 70 * DAY), jumped(70 * DAY));
        assert_eq!(looks.at(118 * MINUTE, 70 * DAY), Verdict::InDoubt);
        assert_eq!(looks.at(119 * MINUTE, 70 * DAY), Verdict::BelievedAgain);
    }

    #[test]
    fn a_clock_that_runs_away_is_never_believed() {
        let mut looks = Looks::new();
        let believed = (2..600).filter(|minute| looks.at(minute * MINUTE, minute * 2 * HOUR).is_believed());
        assert_eq!(believed.count(), 0);
    }

    #[test]
    fn a_jump_is_told_to_the_minute() {
        assert_eq!(by_words(SignedDuration::from_secs(34 * DAY + 119)), "ahead by 816h01m");
        assert_eq!(by_words(SignedDuration::from_secs(-HOUR - 59)), "back by 1h00m");
    }
}
