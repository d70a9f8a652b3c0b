//! Functions of a range in which there are native histograms.

use std::sync::Arc;

use streamflow_histogram::{Histogram, ResetHint};

use crate::annotations::{Annotation, Combination};
use crate::ast::Extended;
use crate::eval::accumulate::Native;
use crate::eval::ends::{Ends, MetricKind};
use crate::eval::grid::Sample;
use crate::eval::native_groups::Gathered;
use crate::eval::window::NativeWindow;

use super::rate::{Per, extrapolation, extrapolation_from, seconds};

pub(super) fn sum_over_time(window: &NativeWindow) -> Option<Sample> {
    gather(window, Native::Sum)
}

pub(super) fn avg_over_time(window: &NativeWindow) -> Option<Sample> {
    gather(window, Native::Average)
}

fn gather(window: &NativeWindow, role: Native) -> Option<Sample> {
    let histograms = window.only_histograms()?;
    let (first, rest) = histograms.split_first()?;
    let mut gathered = Gathered::of(first, role);
    let mixed = rest.iter().any(|histogram| gathered.add(histogram).is_err());
    window.query.note_joined(gathered.joined(), Combination::Aggregation, window.span);
    if mixed {
        window.remark(Annotation::MixedSchemas(window.metric.to_owned()));
        return None;
    }
    gathered.finish().map(made)
}

fn made(histogram: Histogram) -> Sample {
    Sample::Histogram(Arc::new(histogram))
}

pub(super) fn rate(window: &NativeWindow) -> Option<Sample> {
    slope(window, MetricKind::Counter, Per::Second)
}

pub(super) fn increase(window: &NativeWindow) -> Option<Sample> {
    slope(window, MetricKind::Counter, Per::Range)
}

pub(super) fn delta(window: &NativeWindow) -> Option<Sample> {
    slope(window, MetricKind::Gauge, Per::Range)
}

fn slope(window: &NativeWindow, kind: MetricKind, per: Per) -> Option<Sample> {
    if window.extended.is_some() {
        return super::native_ends::slope(window, kind, per);
    }
    let histograms = window.only_histograms()?;
    let is_counter = kind == MetricKind::Counter;
    let zero_at = if is_counter { window.zero_at() } else { None };
    if histograms.len() < 2 && zero_at.is_none() {
        return None;
    }
    let difference = difference(window, &histograms, kind)?;
    let mut factor = match zero_at {
        Some(zero) => extrapolation_from(zero, window.times, window.end),
        None => {
            let first = histograms[0].count;
            let to_zero =
                (is_counter && difference.count > 0.0 && first >= 0.0).then(|| first / difference.count);
            extrapolation(window.times, (window.start, window.end), to_zero)
        }
    };
    if per == Per::Second {
        factor /= seconds(window.end - window.start);
    }
    Some(made(difference.scaled(factor)))
}

/// The last histogram without the first one, which of a counter that began within the range is nothing, and with what was lost in
/// resets of a counter.
fn difference(window: &NativeWindow, histograms: &[&Arc<Histogram>], kind: MetricKind) -> Option<Histogram> {
    let (&first, &last) = (histograms.first()?, histograms.last()?);
    let is_counter = kind == MetricKind::Counter;
    note_kind(window, histograms, kind);
    let was_reset =
        |place: usize| window.began_anew(place) || window.was_reset(histograms[place], histograms[place - 1]);
    // A first one that a reset follows is not looked at, whatever its buckets are.
    let began = is_counter && window.zero_at().is_some();
    let looked_at = if !began && is_counter && was_reset(1) { 1 } else { 0 };
    let nothing = Histogram {
        schema: histograms[looked_at].schema,
        custom_bounds: histograms[looked_at].custom_bounds.clone(),
        ..Histogram::default()
    };
    let from: &Histogram = if began || looked_at == 1 { &nothing } else { first };
    let custom = from.has_custom_bounds();
    let between = match (is_counter, began) {
        (true, true) => histograms,
        (true, false) => &histograms[1..],
        (false, _) => &histograms[histograms.len() - 1..],
    };
    if between.iter().any(|histogram| histogram.has_custom_bounds() != custom) {
        window.remark(Annotation::MixedSchemas(window.metric.to_owned()));
        return None;
    }
    let coarsest = between.iter().map(|histogram| histogram.schema).fold(from.schema, i32::min);
    let (mut total, joined) = last.coarsened(coarsest).minus(from).ok()?;
    let note = |mut joined: streamflow_histogram::Joined, how| {
        // Resets are reckoned with here.
        joined.conflicting_resets = false;
        window.query.note_joined(joined, how, window.span);
    };
    note(joined, Combination::Subtraction);
    if is_counter {
        for place in looked_at + 1..histograms.len() {
            if was_reset(place) {
                let (sum, joined) = total.plus(histograms[place - 1]).ok()?;
                note(joined, Combination::Addition);
                total = sum;
            }
        }
    }
    total.reset = ResetHint::Gauge;
    Some(total)
}

/// Remarks on gauges among the histograms of a counter, and on counters at the ends of a gauge.
pub(super) fn note_kind(window: &NativeWindow, histograms: &[&Arc<Histogram>], kind: MetricKind) {
    let is_gauge = |histogram: &&Arc<Histogram>| histogram.reset == ResetHint::Gauge;
    let metric = window.metric.to_owned();
    match kind {
        MetricKind::Counter if histograms.iter().any(&is_gauge) => {
            window.remark(Annotation::NotCounter(metric));
        }
        MetricKind::Gauge if ![histograms.first(), histograms.last()].into_iter().flatten().all(is_gauge) => {
            window.remark(Annotation::NotGauge(metric));
        }
        MetricKind::Counter | MetricKind::Gauge => {}
    }
}

pub(super) fn irate(window: &NativeWindow) -> Option<Sample> {
    last_difference(window, MetricKind::Counter)
}

pub(super) fn idelta(window: &NativeWindow) -> Option<Sample> {
    last_difference(window, MetricKind::Gauge)
}

fn last_difference(window: &NativeWindow, kind: MetricKind) -> Option<Sample> {
    let [.., time_before, time] = *window.times else { return None };
    let interval = time - time_before;
    if interval == 0 {
        return None;
    }
    let last = window.times.len() - 1;
    let (before, now) = match (window.histogram(last - 1), window.histogram(last)) {
        (Some(before), Some(now)) => (before, now),
        (None, None) => return numbers(window, kind),
        _ => {
            window.remark(Annotation::MixedSamples(window.metric.to_owned()));
            return None;
        }
    };
    let ends = [before, now];
    match kind {
        MetricKind::Counter => note_kind(window, &ends, kind),
        MetricKind::Gauge => note_kind(window, &ends, kind),
    }
    let mut difference = Histogram::clone(now);
    if kind == MetricKind::Gauge || !(window.began_anew(last) || window.was_reset(now, before)) {
        let Ok((found, mut joined)) = now.minus(before) else {
            window.remark(Annotation::MixedSchemas(window.metric.to_owned()));
            return None;
        };
        joined.conflicting_resets = false;
        window.query.note_joined(joined, Combination::Subtraction, window.span);
        difference = found;
    }
    difference.reset = ResetHint::Gauge;
    if kind == MetricKind::Counter {
        difference = difference.divided_by(interval as f64 / 1000.0);
    }
    Some(made(difference.compacted()))
}

/// The last two samples are numbers, though others are not.
fn numbers(window: &NativeWindow, kind: MetricKind) -> Option<Sample> {
    let ([.., before, last], [.., time_before, time]) = (window.values, window.times) else { return None };
    let was_reset = last < before || window.began_anew(window.times.len() - 1);
    let increase = if kind == MetricKind::Counter && was_reset { *last } else { last - before };
    let per = if kind == MetricKind::Counter { (time - time_before) as f64 / 1000.0 } else { 1.0 };
    Some(Sample::Number(increase / per))
}

pub(super) fn resets(window: &NativeWindow) -> Option<Sample> {
    let numbers = |place: usize| window.values[place] < window.values[place - 1] || window.began_anew(place);
    let histograms = |place: usize, before: &Histogram, now: &Histogram| {
        window.began_anew(place) || window.was_reset(now, before)
    };
    count_pairs(window, numbers, histograms)
}

pub(super) fn changes(window: &NativeWindow) -> Option<Sample> {
    let differ = |place: usize| {
        let (before, now) = (window.values[place - 1], window.values[place]);
        now != before && !(now.is_nan() && before.is_nan())
    };
    count_pairs(window, differ, |_, before, now| !now.same(before))
}

/// How often one sample is another kind than the one before it, or counts by its kind's rule.
fn count_pairs(
    window: &NativeWindow,
    numbers: impl Fn(usize) -> bool,
    histograms: impl Fn(usize, &Histogram, &Histogram) -> bool,
) -> Option<Sample> {
    let mut first = 0;
    if window.extended == Some(Extended::Anchored) {
        first = Ends::among(window.times, (window.start, window.end), window.extended)?.first;
    }
    let counted = (first + 1..window.values.len()).filter(|&place| {
        match (window.histogram(place - 1), window.histogram(place)) {
            (Some(before), Some(now)) => histograms(place, before, now),
            (None, None) => numbers(place),
            _ => true,
        }
    });
    Some(Sample::Number(counted.count() as f64))
}
