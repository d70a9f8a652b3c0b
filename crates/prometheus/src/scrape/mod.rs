//! Asks targets for their metrics, as `prometheus.yml` says, and stores the answers.
//!
//! A [`Scraper`] runs with the configuration, its [`Handle`] answers questions and takes reloads. The store and the clock
//! are arguments.

mod cache;
mod counters;
mod fetch;
mod ingest;
mod metadata;
mod native;
mod scrape_loop;
mod scraper;
mod status;
mod target;

pub use metadata::Metadata;
pub use scraper::{Handle, Scraper};
pub use status::TargetMetadata;

#[cfg(test)]
mod tests;
