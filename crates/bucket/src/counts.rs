//! What was asked of the store and what it came to, for metrics and for whoever asks whether it answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Kind;

/// How many requests of one kind ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// `get`, `head`, `put`, `list` or `delete`; `post` for the parts of an upload.
    pub operation: &'static str,
    /// `ok`, or why not.
    pub outcome: &'static str,
    /// Requests, retries among them.
    pub requests: u64,
}

/// How the store does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What is wrong since the last whole exchange with it; none where nothing is.
    pub fault: Option<(Kind, String)>,
    /// Writers that came second.
    pub commits_lost: u64,
    /// Commits that were made.
    pub commits_made: u64,
    /// Bytes that were fetched.
    pub fetched_bytes: u64,
    /// Bytes that were put there.
    pub sent_bytes: u64,
}

#[derive(Debug, Default)]
struct Inner {
    requests: BTreeMap<(&'static str, &'static str), u64>,
    state: State,
}

/// Counters that all users of a bucket share.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Inner>);

impl Counts {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn request(&self, operation: &'static str, outcome: &'static str) {
        self.with(|inner| *inner.requests.entry((operation, outcome)).or_default() += 1);
    }

    pub(crate) fn fetched(&self, bytes: u64) {
        self.with(|inner| inner.state.fetched_bytes += bytes);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.with(|inner| inner.state.sent_bytes += bytes);
    }

    pub(crate) fn committed(&self, is_won: bool) {
        self.with(|inner| match is_won {
            true => inner.state.commits_made += 1,
            false => inner.state.commits_lost += 1,
        });
    }

    /// Notes that the store did what it was asked, or what is wrong.
    pub fn note(&self, fault: Option<(Kind, String)>) {
        self.with(|inner| inner.state.fault = fault);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Count> {
        let count = |(&(operation, outcome), &requests): (&(&'static str, &'static str), &u64)| Count {
            operation,
            outcome,
            requests,
        };
        self.with(|inner| inner.requests.iter().map(count).collect())
    }

    /// How the store does.
    pub fn state(&self) -> State {
        self.with(|inner| inner.state.clone())
    }
}
