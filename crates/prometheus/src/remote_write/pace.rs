//! How many shards a receiver needs: as many as send what comes in, and a little of what has piled up.
//!
//! The rule is Prometheus's: rates are averaged over some ten looks, a change of less than three tenths is none, and
//! nothing is taken away while the sender is more than ten seconds behind.

use std::time::Duration;

/// Weight of the newest look in an average.
const NEWEST: f64 = 0.2;
/// The share of what has piled up that is to be sent in a second, beside what comes in.
const CATCH_UP: f64 = 0.05;
/// A number of shards that differs by no more stays.
const TOLERANCE: f64 = 0.3;
/// Behind by more, no shard is taken away.
const BEHIND_S: f64 = 10.0;

/// What happened since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Looked {
    /// Samples that were read.
    pub read: u64,
    /// Those of them that are not sent at all.
    pub dropped: u64,
    /// Samples that were taken.
    pub sent: u64,
    /// Time that requests took, all shards together.
    pub sending: Duration,
}

/// Rates of a sender, per second.
#[derive(Debug, Default)]
pub struct Pace {
    read: Average,
    dropped: Average,
    sent: Average,
    /// Seconds of sending in a second.
    sending: Average,
}

/// An average that forgets.
#[derive(Debug, Default)]
struct Average(Option<f64>);

impl Average {
    fn add(&mut self, rate: f64) -> f64 {
        let average = self.0.map_or(rate, |before| before + NEWEST * (rate - before));
        self.0 = Some(average);
        average
    }
}

impl Pace {
    /// Takes what happened in the last `interval`, and gives how many shards are wanted, which may be a fraction, for a sender
    /// with `shards` of them that is `behind_s` seconds behind; `None` where nothing can be told.
    pub fn wanted(&mut self, looked: Looked, interval: Duration, behind_s: f64) -> Option<f64> {
        let seconds = interval.as_secs_f64();
        let rate = |count: u64| count as f64 / seconds;
        let read = self.read.add(rate(looked.read));
        let dropped = self.dropped.add(rate(looked.dropped));
        let sent = self.sent.add(rate(looked.sent));
        let sending = self.sending.add(looked.sending.as_secs_f64() / seconds);
        if sent <= 0.0 {
            return None;
        }
        let kept = sent / (sent + dropped);
        let piled_up = behind_s.max(0.0) * read * kept;
        Some(sending / sent * (read * kept + CATCH_UP * piled_up))
    }
}

/// The number of shards that follows from the wanted one.
pub fn shards(now: usize, wanted: f64, behind_s: f64, (min, max): (usize, usize)) -> usize {
    let current = now as f64;
    let is_near = ((1.0 - TOLERANCE) * current..=(1.0 + TOLERANCE) * current).contains(&wanted.ceil());
    // A cast of what is no number, or is negative, is zero.
    let rounded = wanted.ceil() as usize;
    let next = match rounded {
        _ if is_near => now,
        fewer if fewer < now && behind_s > BEHIND_S => now,
        other => other,
    };
    next.clamp(min.max(1), max.max(min).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_follow_the_time_that_samples_take() {
        let mut pace = Pace::default();
        let second = Duration::from_secs(1);
        // A thousand samples a second, each of which takes four milliseconds: four shards send them.
        let looked = Looked { read: 1000, sent: 1000, sending: Duration::from_secs(4), ..Looked::default() };
        let wanted = pace.wanted(looked, second, 0.0).unwrap();
        assert!((wanted - 4.0).abs() < 1e-9, "{wanted}");
        // A minute behind, three times as many more.
        let wanted = pace.wanted(looked, second, 60.0).unwrap();
        assert!((wanted - 16.0).abs() < 1e-9, "{wanted}");
        // Of what is dropped nothing has to be sent.
        let mut pace = Pace::default();
        let half = Looked { read: 2000, dropped: 1000, ..looked };
        let wanted = pace.wanted(half, second, 0.0).unwrap();
        assert!((wanted - 4.0).abs() < 1e-9, "{wanted}");
        assert_eq!(Pace::default().wanted(Looked::default(), second, 0.0), None);
    }

    #[test]
    fn small_changes_are_none_and_bounds_hold() {
        let bounds = (1, 50);
        for (now, wanted, behind_s, expected) in [
            (1, 0.4, 0.0, 1),
            (1, 1.2, 0.0, 2),
            (10, 12.6, 0.0, 10),
            (10, 13.1, 0.0, 14),
            (10, 6.9, 0.0, 10),
            (10, 6.0, 0.0, 6),
            (10, 6.0, 11.0, 10),
            (10, 900.0, 11.0, 50),
            (10, f64::NAN, 0.0, 1),
            (10, -3.0, 0.0, 1),
            (10, f64::INFINITY, 0.0, 50),
        ] {
            assert_eq!(shards(now, wanted, behind_s, bounds), expected, "{now} {wanted} {behind_s}");
        }
        assert_eq!(shards(3, 0.1, 0.0, (3, 50)), 3);
        assert_eq!(shards(3, 9.0, 0.0, (0, 0)), 1);
    }
}
