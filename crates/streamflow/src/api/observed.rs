//! What is told of answers, after they were made: one list of observers, which every way to ask passes.
//!
//! A row is told once it has its answer, and a request once it has its status. Observers are called on the thread that
//! answered, so each may take a microsecond and may not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::HeaderValue;
use streamflow_model::{Answer, FeatureValue, largest};

use crate::serving::{Entity, Serving};

/// The name of a request, as its answer bears it.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

/// A request while it is answered.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `predict`, `batch`, or the name of the protocol as in `api_protocol_responses_total`.
    pub protocol: &'static str,
    /// When it came.
    pub started: Instant,
    request_id: Option<HeaderValue>,
}

impl Asked {
    /// A request that has just come.
    pub fn of(request: &Request, protocol: &'static str) -> Self {
        let request_id = request.extensions().get().map(|RequestId(id)| id.clone());
        Self { protocol, started: Instant::now(), request_id }
    }

    /// The name that the answer bears in `X-Request-ID`. None where nobody observes, and for requests of this process.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref()?.to_str().ok()
    }

    /// Time since it came.
    pub fn latency(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A row that was answered by a version of the registry.
pub struct ObservedRow<'a> {
    /// The request that it came with.
    pub asked: &'a Asked,
    /// The version, its snapshot and the names of its features.
    pub serving: &'a Serving,
    /// Whom the request named; none where the request brought the features itself.
    pub entity: Option<&'a Entity<'a>>,
    /// The features in the order of the model; none of an entity that is unknown.
    pub features: Option<&'a [FeatureValue<'a>]>,
    /// What the model said; none where it said nothing.
    pub answer: Option<&'a Answer>,
    /// 200, 404 of an entity without features, or 422 of one that the model does not take.
    pub status: u16,
}

impl ObservedRow<'_> {
    /// The class that was predicted; none of a regression, and of a row without answer.
    pub fn class(&self) -> Option<&str> {
        match self.answer? {
            Answer::Probability(p) => Some(if self.serving.is_positive(*p) { "1" } else { "0" }),
            Answer::Probabilities(all) => self.serving.model.classes().get(largest(all)).map(String::as_str),
            Answer::Value(_) => None,
        }
    }
}

/// Who is told of answers.
pub trait Observer: Send + Sync {
    /// A row has its answer.
    fn row(&self, row: &ObservedRow<'_>);
    /// A request has its status.
    fn request(&self, asked: &Asked, status: u16);
}

/// All who are told; nobody at first.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Adds one.
    pub fn push(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    /// Whether nobody is told.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells of a row.
    pub fn row(&self, row: &ObservedRow<'_>) {
        self.0.iter().for_each(|observer| observer.row(row));
    }

    /// Tells of a request.
    pub fn request(&self, asked: &Asked, status: u16) {
        self.0.iter().for_each(|observer| observer.request(asked, status));
    }
}
