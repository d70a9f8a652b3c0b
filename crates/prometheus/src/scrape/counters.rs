//! What happened, as plain numbers for `/metrics`. Names are Prometheus's where it has one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::discovery;

/// Counts since the start.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Counters {
    pub scrapes: Counter,
    pub failed_scrapes: Counter,
    pub samples: Counter,
    pub stale_markers: Counter,
    pub out_of_order: Counter,
    pub duplicates: Counter,
    pub out_of_bounds: Counter,
    pub sample_limit: Counter,
    pub bucket_limit: Counter,
    pub label_limit: Counter,
    pub target_limit: Counter,
    pub body_size_limit: Counter,
    pub cache_flush_forced: Counter,
    pub exemplars: Counter,
    pub clock_went_back: Counter,
    pub sync_failed: Counter,
    pub reloads: Counter,
    pub store_errors: Counter,
    pub discovery: Arc<discovery::Counters>,
}

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn inc(&self) {
        self.add(1);
    }

    /// The present count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Name, help and value of every counter.
    pub fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
        [
            ("prometheus_target_scrapes_total", "Scrapes.", &self.scrapes),
            ("prometheus_target_scrapes_failed_total", "Scrapes after which up is 0.", &self.failed_scrapes),
            ("prometheus_target_scrape_samples_total", "Samples that scrapes stored.", &self.samples),
            ("prometheus_target_scrape_stale_markers_total", "Series marked stale.", &self.stale_markers),
            (
                "prometheus_target_scrapes_sample_out_of_order_total",
                "Samples refused: too old.",
                &self.out_of_order,
            ),
            (
                "prometheus_target_scrapes_sample_duplicate_timestamp_total",
                "Samples refused: another value is there at this time.",
                &self.duplicates,
            ),
            (
                "prometheus_target_scrapes_sample_out_of_bounds_total",
                "Samples refused: too far in the past or the future.",
                &self.out_of_bounds,
            ),
            (
                "prometheus_target_scrapes_exceeded_sample_limit_total",
                "Scrapes over sample_limit.",
                &self.sample_limit,
            ),
            (
                "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
                "Scrapes over native_histogram_bucket_limit.",
                &self.bucket_limit,
            ),
            (
                "prometheus_target_scrape_pool_exceeded_label_limits_total",
                "Scrapes over a label limit.",
                &self.label_limit,
            ),
            (
                "prometheus_target_scrape_pool_exceeded_target_limit_total",
                "Jobs over target_limit.",
                &self.target_limit,
            ),
            (
                "prometheus_target_scrapes_exceeded_body_size_limit_total",
                "Scrapes over body_size_limit.",
                &self.body_size_limit,
            ),
            (
                "prometheus_target_scrapes_cache_flush_forced_total",
                "Series caches emptied because failing scrapes filled them.",
                &self.cache_flush_forced,
            ),
            (
                "prometheus_target_scrape_exemplars_total",
                "Exemplars that scrapes brought and that were kept.",
                &self.exemplars,
            ),
            (
                "prometheus_target_scrape_clock_went_back_total",
                "Scrapes before which the clock went back.",
                &self.clock_went_back,
            ),
            ("prometheus_target_sync_failed_total", "Targets that could not be made.", &self.sync_failed),
            ("prometheus_target_reloads_total", "Configurations applied.", &self.reloads),
            (
                "prometheus_target_scrape_store_errors_total",
                "Scrapes that the store could not write.",
                &self.store_errors,
            ),
        ]
        .map(|(name, help, counter)| (name, help, counter.get()))
        .into_iter()
        .chain(self.discovery.rows())
        .collect()
    }
}
