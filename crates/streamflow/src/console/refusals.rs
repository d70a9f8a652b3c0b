//! Log lines about refused logins: one for each, but only so many a minute, so that guessing fills no disk.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
/// Lines of a minute; what is refused beyond them is told as a number.
const LINES_PER_MINUTE: u32 = 30;
/// As much of a user's name as a line holds.
const NAME_CHARACTERS: usize = 64;

/// Writes the lines.
#[derive(Default)]
pub struct Refusals(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    began: Option<Instant>,
    lines: u32,
    /// Refusals since the last line that have none.
    unwritten: u64,
}

impl Refusals {
    /// A login was refused, for this reason.
    pub fn write(&self, address: IpAddr, user: &str, reason: &str) {
        let unwritten = self.0.lock().expect("no panic while held").line(Instant::now());
        let Some(unwritten) = unwritten else { return };
        let name: String = user.chars().take(NAME_CHARACTERS).collect();
        tracing::warn!(%address, user = ?name, reason, unwritten, "a login to the console was refused");
    }
}

impl Minute {
    /// Whether there is a line left, and then how many refusals since the last one had none.
    fn line(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= MINUTE) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES_PER_MINUTE {
            self.unwritten += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_few_lines_and_they_say_how_many_there_are_not() {
        let mut minute = Minute::default();
        let start = Instant::now();
        let written = (0..10_000).filter(|_| minute.line(start).is_some()).count();
        assert_eq!(written, 30);
        assert_eq!(minute.line(start + MINUTE), Some(9_970));
        assert_eq!(minute.line(start + MINUTE), Some(0));
    }
}
