//! How often something may be tried, for each of those who try it, in memory that does not grow with their number.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Those who are remembered at once. When there are more, those who tried least are forgotten first.
const REMEMBERED_MAX: usize = 16_384;

/// Attempts by whom they are made: so many at once, and one more in every interval.
pub struct Attempts {
    at_once: u32,
    interval: Duration,
    hasher: RandomState,
    /// When all attempts are there again, by a hash of who made them: a name may be long, and is chosen by others.
    full_at: Mutex<HashMap<u64, Instant>>,
}

impl Attempts {
    pub fn new(at_once: u32, interval: Duration) -> Self {
        Self { at_once, interval, hasher: RandomState::new(), full_at: Mutex::default() }
    }

    /// Takes one attempt, or tells after what time there is one.
    pub fn take(&self, who: impl Hash, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().expect("no panic while held");
        let who = self.hasher.hash_one(who);
        if full_at.len() >= REMEMBERED_MAX && !full_at.contains_key(&who) {
            forget_half(&mut full_at, now);
        }
        let until = full_at.entry(who).or_insert(now);
        let next = (*until).max(now) + self.interval;
        let wait = next.saturating_duration_since(now + self.interval * self.at_once);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        *until = next;
        Ok(())
    }

    /// Gives an attempt back that turned out well.
    pub fn give_back(&self, who: impl Hash) {
        let mut full_at = self.full_at.lock().expect("no panic while held");
        let who = self.hasher.hash_one(who);
        if let Some(until) = full_at.get_mut(&who) {
            *until = until.checked_sub(self.interval).unwrap_or(*until);
        }
    }
}

/// Forgets those who have all attempts again, and where that is not enough the half that tried least.
fn forget_half(full_at: &mut HashMap<u64, Instant>, now: Instant) {
    full_at.retain(|_, until| *until > now);
    if full_at.len() > REMEMBERED_MAX / 2 {
        let mut times: Vec<Instant> = full_at.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        full_at.retain(|_, until| *until > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn attempts_come_back_one_by_one() {
        let attempts = Attempts::new(3, 10 * SECOND);
        let start = Instant::now();
        for (who, after_seconds, expected) in [
            ("ada", 0, Ok(())),
            ("ada", 0, Ok(())),
            ("ada", 0, Ok(())),
            ("ada", 0, Err(10 * SECOND)),
            ("bob", 0, Ok(())),
            ("ada", 4, Err(6 * SECOND)),
            ("ada", 10, Ok(())),
            ("ada", 10, Err(10 * SECOND)),
            ("ada", 100, Ok(())),
            ("ada", 100, Ok(())),
        ] {
            assert_eq!(attempts.take(who, start + after_seconds * SECOND), expected, "{who} {after_seconds}");
        }
        attempts.give_back("ada");
        let later = start + 100 * SECOND;
        assert_eq!([(); 3].map(|()| attempts.take("ada", later).is_ok()), [true, true, false]);
    }

    #[test]
    fn the_memory_has_a_bound_and_those_who_try_most_are_remembered() {
        let attempts = Attempts::new(3, SECOND);
        let now = Instant::now();
        let tired = [(); 4].map(|()| attempts.take("ada", now).is_ok());
        assert_eq!(tired, [true, true, true, false]);
        for number in 0..5 * REMEMBERED_MAX {
            assert!(attempts.take(number, now).is_ok());
        }
        assert!(attempts.full_at.lock().unwrap().len() <= REMEMBERED_MAX);
        assert!(attempts.take("ada", now).is_err());
    }
}
