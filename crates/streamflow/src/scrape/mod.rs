//! Asks targets for their metrics, as `prometheus.yml` says, and stores the answers.
//!
//! A [`Scraper`] runs with the file, its [`Handle`] answers questions and takes reloads. Nothing here knows the rest of
//! the binary: the store and the clock are arguments.

mod cache;
mod counters;
mod discovery;
mod duration;
mod fetch;
mod ingest;
mod metadata;
mod scrape_loop;
mod scraper;
mod status;
mod target;

pub use duration::{format_duration, parse_duration, parse_size};
pub use metadata::Metadata;
pub use scrape_loop::Clock;
pub use scraper::{Handle, Scraper};
pub use status::{DroppedTarget, Health, TargetStatus};

#[cfg(test)]
mod tests;
