//! How often and how long a flow is tried.

use std::time::Duration;

/// What is done about a step, or a run, that fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// How often a step that failed is tried again.
    pub step_retries: usize,
    /// How often a run that failed is tried again, from the step that failed on.
    pub run_retries: i64,
    /// Wait before each further try; the last one repeats.
    pub delays: Vec<Duration>,
    /// Longest time of one try of a step.
    pub timeout: Option<Duration>,
    /// Age under which another run's result for the same input is taken; none: never.
    pub cache_for: Option<Duration>,
}

impl Policy {
    /// The waits before the further tries of a step.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        let delays = self.delays.clone();
        (0..self.step_retries).map(move |retry| delay(&delays, retry))
    }

    /// The wait before the next attempt of a run; none when it had all of them. Attempts count from 1.
    pub fn run_delay(&self, attempt: i64) -> Option<Duration> {
        let retry = usize::try_from(attempt - 1).unwrap_or(0);
        (attempt <= self.run_retries).then(|| delay(&self.delays, retry))
    }
}

fn delay(delays: &[Duration], retry: usize) -> Duration {
    delays.get(retry).or(delays.last()).copied().unwrap_or(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_delay_repeats() {
        let seconds = |list: &[u64]| list.iter().map(|&s| Duration::from_secs(s)).collect::<Vec<_>>();
        for (delays, retries, expected) in
            [(vec![1, 5], 3, vec![1, 5, 5]), (vec![], 2, vec![10, 10]), (vec![1], 0, vec![])]
        {
            let policy = Policy {
                step_retries: retries,
                run_retries: retries as i64,
                delays: seconds(&delays),
                ..Policy::default()
            };
            assert_eq!(policy.delays().collect::<Vec<_>>(), seconds(&expected));
            let of_runs: Vec<Duration> = (1..).map_while(|attempt| policy.run_delay(attempt)).collect();
            assert_eq!(of_runs, seconds(&expected));
        }
    }
}
