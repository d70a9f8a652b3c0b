//! The answers of an hour as labels are joined with them: thirty bytes each, so that hours that have ended need not be
//! read again.

use std::sync::Arc;

use streamflow_live::entity_hash;

use crate::predictions::{Logged, Shape};

/// One answer. Texts are their hashes: of a billion pairs none is taken for another.
pub struct Answer<'a> {
    pub shape: &'a Arc<Shape>,
    /// Microseconds since 1970.
    pub time_us: i64,
    pub request: Option<u64>,
    pub entity: Option<u64>,
    pub score: f64,
    /// Of several classes; empty where the log has none.
    pub probabilities: &'a [f64],
}

/// The hash of a request or an entity.
pub fn hash(text: &str) -> u64 {
    // 0 is none.
    entity_hash(0, text.as_bytes()).max(1)
}

impl<'a> From<&'a Logged> for Answer<'a> {
    fn from(row: &'a Logged) -> Self {
        Self {
            shape: &row.shape,
            time_us: row.time_us,
            request: row.request_id.as_deref().map(hash),
            entity: row.entity.as_deref().map(hash),
            score: row.score,
            probabilities: &row.probabilities,
        }
    }
}

/// The answers of one hour.
#[derive(Default)]
pub struct Hour {
    start_us: i64,
    shapes: Vec<Arc<Shape>>,
    after_us: Vec<u32>,
    requests: Vec<u64>,
    entities: Vec<u64>,
    scores: Vec<f64>,
    of_shape: Vec<u16>,
    /// Of several classes alone.
    probabilities: Vec<Box<[f64]>>,
}

impl Hour {
    /// An hour that starts at this time, in microseconds since 1970.
    pub fn new(start_us: i64) -> Self {
        Self { start_us, ..Self::default() }
    }

    pub fn rows(&self) -> usize {
        self.scores.len()
    }

    /// Takes an answer; none where it is not of the hour, or of too many versions.
    pub fn add(&mut self, row: &Logged) -> Option<()> {
        let after_us = u32::try_from(row.time_us.checked_sub(self.start_us)?).ok()?;
        let known =
            self.shapes.iter().position(|shape| Arc::ptr_eq(shape, &row.shape) || *shape == row.shape);
        let place = known.unwrap_or_else(|| {
            self.shapes.push(row.shape.clone());
            self.shapes.len() - 1
        });
        let place = u16::try_from(place).ok()?;
        if !row.probabilities.is_empty() {
            self.probabilities.resize(self.rows(), Box::default());
            self.probabilities.push(row.probabilities.clone());
        }
        let Answer { request, entity, score, .. } = row.into();
        self.after_us.push(after_us);
        self.requests.push(request.unwrap_or_default());
        self.entities.push(entity.unwrap_or_default());
        self.scores.push(score);
        self.of_shape.push(place);
        Some(())
    }

    /// The answers in the order in which they were taken.
    pub fn answers(&self) -> impl Iterator<Item = Answer<'_>> {
        let hash = |hash: u64| (hash != 0).then_some(hash);
        (0..self.rows()).map(move |row| Answer {
            shape: &self.shapes[usize::from(self.of_shape[row])],
            time_us: self.start_us + i64::from(self.after_us[row]),
            request: hash(self.requests[row]),
            entity: hash(self.entities[row]),
            score: self.scores[row],
            probabilities: self.probabilities.get(row).map_or(&[], |of_row| of_row),
        })
    }
}
