//! Answers while a canary has a share of the entities, counted by the version that gave them.

use streamflow_model::{Answer, largest};

use super::observed::{Asked, ObservedRow, Observer};
use crate::live::hash_of;

/// The status of an entity that is unknown, which is no fault of a version.
const UNKNOWN: u16 = 404;

/// Counts rows and requests where they were routed.
pub struct Counting;

impl Observer for Counting {
    fn row(&self, row: &ObservedRow<'_>) {
        let Some(arm) = row.asked.arm() else { return };
        match (row.answer, row.features) {
            (Some(answer), Some(features)) => arm.score(hash_of(0, row.entity, features), score_of(answer)),
            _ if row.status != UNKNOWN => row.asked.refuse(),
            _ => {}
        }
    }

    fn request(&self, asked: &Asked, status: u16) {
        if let Some(arm) = asked.arm() {
            let is_error = asked.has_refused() || !matches!(status, 200 | UNKNOWN);
            arm.request(is_error, asked.latency());
        }
    }
}

/// The probability of the positive class or of the predicted one, or the number.
fn score_of(answer: &Answer) -> f64 {
    match answer {
        Answer::Probability(score) | Answer::Value(score) => *score,
        Answer::Probabilities(all) => all.get(largest(all)).copied().unwrap_or(f64::NAN),
    }
}
