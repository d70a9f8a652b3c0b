//! Native histograms at the bounds of an extended range (`anchored`, `smoothed`).

use std::sync::Arc;

use streamflow_histogram::{Histogram, MixedSchemas, ResetHint};

use crate::annotations::Annotation;
use crate::eval::ends::{Ends, MetricKind};
use crate::eval::grid::Sample;
use crate::eval::window::NativeWindow;

use super::native_range::note_kind;
use super::rate::{Per, seconds};

/// The slope between the histograms at exactly both bounds.
pub(super) fn slope(window: &NativeWindow, kind: MetricKind, per: Per) -> Option<Sample> {
    let histograms = window.only_histograms()?;
    let ends = Ends::among(window.times, (window.start, window.end), window.extended)?;
    let used = histograms.get(ends.first..=ends.last)?;
    note_kind(window, used, kind);
    let custom = used[0].has_custom_bounds();
    let mixed = used.iter().any(|histogram| histogram.has_custom_bounds() != custom);
    let slope = if mixed { Err(MixedSchemas) } else { bounded(window, &histograms, ends, kind) };
    let Ok(mut slope) = slope else {
        window.remark(Annotation::MixedSchemas(window.metric.to_owned()));
        return None;
    };
    if per == Per::Second {
        slope = slope.divided_by(seconds(window.end - window.start));
    }
    slope.reset = ResetHint::Gauge;
    Some(Sample::Histogram(Arc::new(slope)))
}

fn bounded(
    window: &NativeWindow,
    histograms: &[&Arc<Histogram>],
    ends: Ends,
    kind: MetricKind,
) -> Result<Histogram, MixedSchemas> {
    let times = window.times;
    let at = |place: usize, time: i64| window.interpolated((place, time), kind);
    let left = if ends.smoothed && times[ends.first] < window.start && ends.first + 1 < times.len() {
        at(ends.first, window.start)?
    } else {
        Histogram::clone(histograms[ends.first])
    };
    let right = if ends.smoothed && ends.last > 0 && times[ends.last] > window.end {
        at(ends.last - 1, window.end)?
    } else {
        Histogram::clone(histograms[ends.last])
    };
    let mut slope = right.minus(&left)?.0;
    if kind == MetricKind::Gauge {
        return Ok(slope);
    }
    let first = ends.first + usize::from(times[ends.first] <= window.start);
    let upto = if times[ends.last] >= window.end { ends.last } else { ends.last + 1 };
    let mut previous = &left;
    for now in histograms.get(first..upto).unwrap_or_default() {
        if now.fell_since(previous) {
            slope = slope.plus(previous)?.0;
        }
        previous = now;
    }
    if right.fell_since(previous) {
        slope = slope.plus(previous)?.0;
    }
    Ok(slope)
}
