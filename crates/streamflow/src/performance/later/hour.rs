//! The answers of an hour as labels are joined with them: thirty-one bytes each, so that hours that have ended need not be
//! read again.

use std::sync::Arc;

use streamflow_live::entity_hash;

use super::sample::Sample;
use crate::predictions::{Logged, Shape};

/// One answer. Texts are their hashes: of a billion pairs none is taken for another.
pub struct Answer<'a> {
    pub shape: &'a Arc<Shape>,
    /// Microseconds since 1970.
    pub time_us: i64,
    pub request: Option<u64>,
    pub entity: Option<u64>,
    /// Whether features came with the request.
    pub has_sent: bool,
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
            has_sent: row.features_sent > 0,
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
    has_sent: Vec<bool>,
    scores: Vec<f64>,
    of_shape: Vec<u16>,
    /// Of several classes alone.
    probabilities: Vec<Box<[f64]>>,
    /// Most answers of a shape whose features are held; 0 for none.
    most_features: usize,
    /// In the order of the shapes.
    samples: Vec<Sample>,
}

impl Hour {
    /// An hour that starts at this time, in microseconds since 1970.
    pub fn new(start_us: i64) -> Self {
        Self { start_us, ..Self::default() }
    }

    /// The same, with the features of some answers of each shape, at most so many.
    pub fn with_features(start_us: i64, most: usize) -> Self {
        Self { most_features: most, ..Self::new(start_us) }
    }

    pub fn start_us(&self) -> i64 {
        self.start_us
    }

    /// The features that are held, by shape; nothing where none are.
    pub fn samples(&self) -> impl Iterator<Item = (&Shape, &Sample)> {
        self.shapes.iter().map(AsRef::as_ref).zip(&self.samples)
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
            if self.most_features > 0 {
                self.samples.push(Sample::new(self.most_features));
            }
            self.shapes.len() - 1
        });
        let rows = self.rows();
        if let Some(sample) = self.samples.get_mut(place) {
            sample.add(rows, row);
        }
        let place = u16::try_from(place).ok()?;
        if !row.probabilities.is_empty() {
            self.probabilities.resize(self.rows(), Box::default());
            self.probabilities.push(row.probabilities.clone());
        }
        let Answer { request, entity, has_sent, score, .. } = row.into();
        self.after_us.push(after_us);
        self.requests.push(request.unwrap_or_default());
        self.entities.push(entity.unwrap_or_default());
        self.has_sent.push(has_sent);
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
            has_sent: self.has_sent[row],
            score: self.scores[row],
            probabilities: self.probabilities.get(row).map_or(&[], |of_row| of_row),
        })
    }
}
