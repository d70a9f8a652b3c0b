//! Native histograms: one sample that holds a whole distribution.
//!
//! A [`Histogram`] counts observations in buckets that have no names. Their bounds follow from the *schema*: with a
//! schema of -4 to 8 bucket `i` of the positive side counts what is above `2^((i-1)·2^-schema)` up to `2^(i·2^-schema)`,
//! the negative side mirrors it, and the *zero bucket* counts what lies within its threshold of zero; with
//! [`CUSTOM_BOUNDS`] bucket `i` ends at the `i`-th of the given bounds, and the last is open. Buckets that are not
//! listed are empty. Source: the native histograms of Prometheus 3.5.
//!
//! Counts are floats, also those of histograms that were scraped as integers: they are exact up to 2^53.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bounds;
mod boxed;
mod doubling;
mod kahan;
mod layout;
mod quantile;
mod reset;
mod text;
mod total;
mod trim;
mod valid;

pub use bounds::Bucket;
pub use boxed::{boxed, plain, unboxed};
pub use kahan::kahan_add;
pub use quantile::Skew;
pub use total::{Joined, Mean, MixedSchemas, Total};
pub use trim::Keep;
pub use valid::{Invalid, MAX_BUCKETS};

/// The schema of histograms whose bounds are given one by one.
pub const CUSTOM_BOUNDS: i32 = -53;
/// The coarsest exponential schema: a bucket's bound is 65,536 times the last one's.
pub const MIN_SCHEMA: i32 = -4;
/// The finest exponential schema: 256 buckets for each power of two.
pub const MAX_SCHEMA: i32 = 8;

/// What is known of a counter reset between a histogram and the one before it in its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Nothing: the two have to be compared.
    #[default]
    Unknown,
    /// The counter was reset.
    Reset,
    /// It was not.
    NoReset,
    /// No counter: counts may fall.
    Gauge,
}

/// The buckets of one side that are not empty, or that were sent empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// Which buckets, strictly ascending.
    pub indices: Vec<i32>,
    /// As many: how many observations, not added up.
    pub counts: Vec<f64>,
}

/// A distribution of observations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// What is known of a reset before it.
    pub reset: ResetHint,
    /// [`MIN_SCHEMA`] to [`MAX_SCHEMA`], or [`CUSTOM_BOUNDS`].
    pub schema: i32,
    /// Observations at most this far from zero are in the zero bucket; never negative, 0 with custom bounds.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN ones included.
    pub count: f64,
    /// Their sum; [`f64`]'s stale marker of the store in a histogram that says that its series ended.
    pub sum: f64,
    /// Observations above zero, or all of them with custom bounds.
    pub positive: Buckets,
    /// Observations below zero; none with custom bounds.
    pub negative: Buckets,
    /// Upper bounds, strictly ascending, finite; only with custom bounds, else empty.
    pub custom_bounds: Vec<f64>,
}
