//! What is served: one model and the newest features of every entity, swapped as one value.
//!
//! A request loads the current [`Serving`] once and answers from it alone, so that every response comes
//! from one model and one `as_of`, also while a newer one is being put in its place.

mod canary;
mod follow;
mod loader;
mod online_features;
mod packed;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use streamflow_dataset::{EntityKey, Period};
use streamflow_model::Model;

pub use canary::{Arm, Canary, Loaded};
pub use loader::Loader;
pub use online_features::{Entity, FeaturesUsed, InPlace, OnlineFeatures, Row};
pub use packed::Error;

/// The served model and features; empty until the first load. Swapping is atomic and never waits for requests.
pub type Served = Arc<ArcSwapOption<Serving>>;

/// A model with the features it predicts from.
pub struct Serving {
    /// The fitted model.
    pub model: Model,
    /// The model's name in the registry.
    pub model_name: String,
    /// The model's version in the registry.
    pub model_version: String,
    /// The snapshot the features were read from.
    pub as_of: Period,
    /// The columns that name an entity, which are also the fields of a request.
    pub key: EntityKey,
    /// The newest features of every entity.
    pub features: Arc<OnlineFeatures>,
    /// The version that answers a share of the entities in the place of this one, where one is wanted: it goes when another
    /// version is put in the place of this one.
    pub canary: ArcSwapOption<Canary>,
}

impl Serving {
    /// True when a probability is at or over the model's decision threshold.
    #[must_use]
    pub fn is_positive(&self, probability: f64) -> bool {
        probability >= self.model.threshold()
    }
}
