//! Native histograms with custom bounds, made of the series of classic ones (`load_with_nhcb`).

use std::collections::BTreeMap;
use std::sync::Arc;

use streamflow_gotext::parse_float;
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram};
use streamflow_tsdb::{Labels, METRIC_NAME};

use super::series::Item;

/// One classic histogram at one time.
#[derive(Default)]
struct Classic {
    /// Upper bounds and the counts up to them.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The native histogram of every classic one among the series.
pub(super) fn to_native(series: &[(Labels, Vec<Item>)]) -> Vec<(Labels, Vec<Item>)> {
    let mut found: BTreeMap<Labels, Vec<Classic>> = BTreeMap::new();
    for (labels, items) in series {
        let suffixes = ["_bucket", "_count", "_sum"];
        let named = suffixes.iter().find_map(|suffix| Some((suffix, labels.name().strip_suffix(suffix)?)));
        let Some((&suffix, base)) = named else { continue };
        let upper = labels.get("le").and_then(|bound| parse_float(bound).ok());
        if suffix == "_bucket" && upper.is_none() {
            continue;
        }
        let native = labels.without(&["le"]).with(METRIC_NAME, base);
        let steps = found.entry(native).or_default();
        for (index, item) in items.iter().enumerate() {
            if steps.len() <= index {
                steps.resize_with(index + 1, Classic::default);
            }
            let (Item::Float(value), step) = (item, &mut steps[index]) else { continue };
            match (suffix, upper) {
                ("_bucket", Some(upper)) => step.buckets.push((upper, *value)),
                ("_count", _) => step.count = Some(*value),
                _ => step.sum = *value,
            }
        }
    }
    let native =
        |step: Classic| step.native().map_or(Item::Omitted, |histogram| Item::Histogram(Arc::new(histogram)));
    found.into_iter().map(|(labels, steps)| (labels, steps.into_iter().map(native).collect())).collect()
}

impl Classic {
    /// `None` without any sample, and where counts fall with a rising bound.
    fn native(mut self) -> Option<Histogram> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Of two ways to write a bound the one that stands last counts.
        self.buckets.reverse();
        self.buckets.dedup_by(|next, kept| next.0 == kept.0);
        self.buckets.reverse();
        let count = self.count.or(self.buckets.last().map(|&(_, count)| count))?;
        if self.buckets.last().is_none_or(|&(upper, _)| upper != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let (mut before, mut counts) = (0.0, Vec::new());
        for &(_, up_to) in &self.buckets {
            counts.push(up_to - before);
            before = up_to;
        }
        if counts.iter().any(|&count| count < 0.0) {
            return None;
        }
        let custom_bounds =
            self.buckets.iter().map(|&(upper, _)| upper).filter(|upper| upper.is_finite()).collect();
        let positive = Buckets { indices: (0..counts.len() as i32).collect(), counts };
        Some(Histogram {
            schema: CUSTOM_BOUNDS,
            count,
            sum: self.sum,
            positive,
            custom_bounds,
            ..Histogram::default()
        })
    }
}
