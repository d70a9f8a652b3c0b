//! Whether a counter began anew between two histograms.

use crate::bounds::entries;
use crate::layout::common_bounds;
use crate::{Buckets, Histogram, ResetHint};

impl Histogram {
    /// Tells whether the counter was reset since `before`: any count fell, or the buckets are such that counts cannot be
    /// compared. What is known of a reset is taken as it is.
    #[must_use]
    pub fn was_reset_since(&self, before: &Histogram) -> bool {
        match self.reset {
            ResetHint::Reset => true,
            ResetHint::NoReset => false,
            ResetHint::Unknown | ResetHint::Gauge => self.fell_since(before),
        }
    }

    /// As [`Histogram::was_reset_since`], by the counts alone: for histograms that do not follow one another in their
    /// series.
    #[must_use]
    pub fn fell_since(&self, before: &Histogram) -> bool {
        if self.count < before.count || self.has_custom_bounds() != before.has_custom_bounds() {
            return true;
        }
        if self.has_custom_bounds() {
            if self.custom_bounds == before.custom_bounds {
                return any_fell(&self.positive, &before.positive);
            }
            let common = common_bounds(&self.custom_bounds, &before.custom_bounds);
            let (now, before) = (self.with_common_bounds(&common), before.with_common_bounds(&common));
            return any_fell(&now.positive, &before.positive);
        }
        if self.schema > before.schema || self.zero_threshold < before.zero_threshold {
            return true;
        }
        let before = before.widened(self.zero_threshold);
        if before.zero_threshold != self.zero_threshold || self.zero_count < before.zero_count {
            return true;
        }
        let before = before.coarsened(self.schema);
        any_fell(&self.positive, &before.positive) || any_fell(&self.negative, &before.negative)
    }
}

/// Tells whether any bucket has fewer observations than before.
fn any_fell(now: &Buckets, before: &Buckets) -> bool {
    if now.indices == before.indices {
        return now.counts.iter().zip(&before.counts).any(|(now, before)| now < before);
    }
    let mut now = entries(now).peekable();
    entries(before).any(|(index, count)| {
        while now.next_if(|&(at, _)| at < index).is_some() {}
        let present = now.next_if(|&(at, _)| at == index).map_or(0.0, |(_, count)| count);
        present < count
    })
}
