//! Native histograms of a window: a few of them stand for all.

use streamflow_histogram::ResetHint;

use super::Resolution;
use crate::samples::{Samples, is_stale};
use crate::value::Value;

/// The histograms that stay: the first and the last of each window, and both sides of each counter reset, so that no reset
/// is hidden and what the counter rose by between two of them is what it rose by.
pub(crate) fn thinned(resolution: Resolution, samples: &Samples) -> Samples {
    let all: Vec<(i64, Value)> =
        samples.values().filter(|(_, value)| matches!(value, Value::Histogram(_))).collect();
    let mut kept = Samples::default();
    for at in 0..all.len() {
        let window = |place: usize| all.get(place).map(|(timestamp, _)| resolution.window_end(*timestamp));
        let is_end = at == 0 || window(at - 1) != window(at) || window(at + 1) != window(at);
        if is_end || was_reset(&all, at) || was_reset(&all, at + 1) {
            kept.push_value(all[at].0, all[at].1.clone());
            // What was known of a reset was known of the one before, which may be gone.
            kept.forget_reset(kept.len() - 1);
        }
    }
    kept
}

fn was_reset(all: &[(i64, Value)], at: usize) -> bool {
    match (at.checked_sub(1).and_then(|before| all.get(before)), all.get(at)) {
        (Some((_, Value::Histogram(before))), Some((_, Value::Histogram(now)))) => {
            now.reset != ResetHint::Gauge && now.was_reset_since(before)
        }
        _ => false,
    }
}

/// Numbers and markers of an end, which aggregates are made of. A marker counts as one whatever came before it.
pub(crate) fn numbers(samples: &Samples) -> impl Iterator<Item = (i64, f64)> + '_ {
    samples.iter().filter(|(_, value)| is_stale(*value) || samples.histogram(*value).is_none())
}

/// The times from a histogram to the next of the same window: between them were others, so it does not become stale.
pub(crate) fn held(resolution: Resolution, kept: &Samples) -> impl Iterator<Item = (i64, i64)> + '_ {
    let pairs = kept.timestamps.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.filter(move |(first, last)| resolution.window_end(*first) == resolution.window_end(*last))
}
