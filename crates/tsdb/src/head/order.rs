//! The series in the order of their labels, kept from one question to the next.

use std::sync::{Arc, PoisonError, RwLock};

use super::series::MemSeries;
use crate::labels::order::sorted;

/// Series are put into their order when somebody asks for it, those that came meanwhile together.
#[derive(Debug, Default)]
pub(super) struct Order(RwLock<Sorted>);

#[derive(Debug, Default)]
struct Sorted {
    series: Vec<Arc<MemSeries>>,
    /// In no order.
    fresh: Vec<Arc<MemSeries>>,
}

impl Order {
    pub(super) fn add(&mut self, series: Arc<MemSeries>) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).fresh.push(series);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&MemSeries) -> bool) {
        let sorted = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        sorted.series.retain(|series| keep(series));
        sorted.fresh.retain(|series| keep(series));
    }

    /// Gives `see` all series in their order.
    pub(super) fn with<R>(&self, see: impl FnOnce(&[Arc<MemSeries>]) -> R) -> R {
        loop {
            {
                let sorted = self.0.read().unwrap_or_else(PoisonError::into_inner);
                if sorted.fresh.is_empty() {
                    return see(&sorted.series);
                }
            }
            self.0.write().unwrap_or_else(PoisonError::into_inner).settle();
        }
    }
}

impl Sorted {
    fn settle(&mut self) {
        let fresh = sorted(std::mem::take(&mut self.fresh), |series| &series.labels);
        if self.series.is_empty() {
            self.series = fresh;
            return;
        }
        let before = self.series.len();
        self.series.extend(fresh);
        // The stable sort knows lists that are in order, and merges them; what is behind the first fresh one alone has to move.
        let first = self.series[before..].first().map_or(before, |first| {
            self.series[..before].partition_point(|series| series.labels <= first.labels)
        });
        self.series[first..].sort_by(|a, b| a.labels.cmp(&b.labels));
    }
}
