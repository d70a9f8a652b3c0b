//! A share of the entities is answered by a candidate: who belongs to it, what is counted of both versions, and when the
//! counts say that the candidate is worse.
//!
//! Nothing here knows the network, the clock or the store: serving, flows and pages share it.

mod guard;
mod route;
mod tally;

pub use guard::{Finding, Limits, judge_arms, judge_pairs};
pub use route::{Share, place};
pub use tally::{ArmTally, Counts, Pair, PairCounts, PairTally};
