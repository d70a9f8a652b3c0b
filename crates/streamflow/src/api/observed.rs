//! What is told of answers, after they were made: one list of observers, which every way to ask passes.
//!
//! A row is told once it has its answer, and a request once it has its status. Observers are called on the thread that
//! answered, so each may take a microsecond and may not wait.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::HeaderValue;
use streamflow_model::{Answer, FeatureValue, largest};

use crate::serving::{Arm, Entity, Served, Serving};

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
    /// By which of two versions it is answered; none while there is no canary.
    counted: Option<Arc<CountedBy>>,
}

/// Where a request is counted while a canary answers a share of the entities.
#[derive(Default)]
struct CountedBy {
    arm: OnceLock<Arc<Arm>>,
    /// Whether the version did not take one of its rows.
    has_refused: AtomicBool,
}

impl std::fmt::Debug for CountedBy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CountedBy").finish_non_exhaustive()
    }
}

impl Asked {
    /// A request that has just come.
    pub fn of(request: &Request, protocol: &'static str, served: &Served) -> Self {
        let request_id = request.extensions().get().map(|RequestId(id)| id.clone());
        let has_canary = served.load().as_ref().is_some_and(|serving| serving.canary.load().is_some());
        let counted = has_canary.then(Arc::default);
        Self { protocol, started: Instant::now(), request_id, counted }
    }

    /// The candidate, where it answers this request in the place of the version in production: by the key of its entity, or
    /// by its content where it names none or several.
    pub fn route<'a>(&self, serving: &Serving, key: impl FnOnce() -> Cow<'a, [u8]>) -> Option<Arc<Serving>> {
        let canary = serving.canary.load();
        let (candidate, arm) = canary.as_ref()?.route(&key())?;
        if let Some(counted) = &self.counted {
            let _ = counted.arm.set(arm.clone());
        }
        candidate.cloned()
    }

    /// Where the request is counted, once it was routed.
    pub fn arm(&self) -> Option<&Arc<Arm>> {
        self.counted.as_ref()?.arm.get()
    }

    /// Says that the version did not take one of the rows.
    pub fn refuse(&self) {
        if let Some(counted) = &self.counted {
            counted.has_refused.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the version did not take one of the rows.
    pub fn has_refused(&self) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.has_refused.load(Ordering::Relaxed))
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
    /// How many of them came with the request.
    pub features_sent: usize,
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
