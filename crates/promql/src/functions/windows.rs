//! What functions of ranges make of aggregates: exactly what they make of the samples behind them, up to the rounding of
//! sums, where windows lie in the range as a whole.

use crate::eval::ends::MetricKind;
use crate::eval::grid::ABSENT;
use crate::eval::windows::Windows;
use crate::kahan;

use super::rate::{Per, extrapolated, seconds};

pub(super) fn count(windows: &Windows) -> f64 {
    samples(windows) as f64
}

fn samples(windows: &Windows) -> u64 {
    windows.rows.iter().map(|row| row.count).sum()
}

pub(super) fn sum(windows: &Windows) -> f64 {
    let (mut sum, mut compensation) = (0.0, 0.0);
    windows.rows.iter().for_each(|row| kahan::add(row.sum, &mut sum, &mut compensation));
    if sum.is_infinite() { sum } else { sum + compensation }
}

pub(super) fn average(windows: &Windows) -> f64 {
    sum(windows) / count(windows)
}

pub(super) fn min(windows: &Windows) -> f64 {
    windows
        .rows
        .iter()
        .fold(f64::NAN, |best, row| if row.min < best || best.is_nan() { row.min } else { best })
}

pub(super) fn max(windows: &Windows) -> f64 {
    windows
        .rows
        .iter()
        .fold(f64::NAN, |best, row| if row.max > best || best.is_nan() { row.max } else { best })
}

pub(super) fn present(_: &Windows) -> f64 {
    1.0
}

pub(super) fn first(windows: &Windows) -> f64 {
    windows.first.1
}

pub(super) fn last(windows: &Windows) -> f64 {
    windows.last.1
}

pub(super) fn time_of_first(windows: &Windows) -> f64 {
    windows.first.0 as f64 / 1000.0
}

pub(super) fn time_of_last(windows: &Windows) -> f64 {
    windows.last.0 as f64 / 1000.0
}

pub(super) fn rate(windows: &Windows) -> f64 {
    slope(windows, MetricKind::Counter, Per::Second)
}

pub(super) fn increase(windows: &Windows) -> f64 {
    slope(windows, MetricKind::Counter, Per::Range)
}

pub(super) fn delta(windows: &Windows) -> f64 {
    slope(windows, MetricKind::Gauge, Per::Range)
}

fn slope(windows: &Windows, kind: MetricKind, per: Per) -> f64 {
    let [first, .., last] = windows.rows else { return slope_within(windows, kind, per) };
    let mut result = last.last - first.first;
    if kind == MetricKind::Counter {
        result += windows.rows.iter().map(|row| row.lost).sum::<f64>();
        let pairs = windows.rows.windows(2).filter(|pair| pair[1].first < pair[0].last);
        result += pairs.map(|pair| pair[0].last).sum::<f64>();
    }
    scaled(windows, result, kind, per)
}

fn slope_within(windows: &Windows, kind: MetricKind, per: Per) -> f64 {
    let [row] = windows.rows else { return ABSENT };
    let lost = if kind == MetricKind::Counter { row.lost } else { 0.0 };
    scaled(windows, row.last - row.first + lost, kind, per)
}

/// A difference between the first and the last sample as that of the whole range.
fn scaled(windows: &Windows, difference: f64, kind: MetricKind, per: Per) -> f64 {
    let ([first, ..], [.., last]) = (windows.rows, windows.rows) else { return ABSENT };
    let count = samples(windows);
    if count < 2 || last.last_ms <= first.first_ms {
        return ABSENT;
    }
    let to_zero = (kind == MetricKind::Counter && difference > 0.0 && first.first >= 0.0)
        .then(|| first.first / difference);
    let times = (first.first_ms, last.last_ms);
    let mut factor = extrapolated(times, count, (windows.start, windows.end), to_zero);
    if per == Per::Second {
        factor /= seconds(windows.end - windows.start);
    }
    difference * factor
}

pub(super) fn resets(windows: &Windows) -> f64 {
    let within: u64 = windows.rows.iter().map(|row| row.resets).sum();
    let between = windows.rows.windows(2).filter(|pair| pair[1].first < pair[0].last).count();
    within as f64 + between as f64
}

pub(super) fn changes(windows: &Windows) -> f64 {
    let within: u64 = windows.rows.iter().map(|row| row.changes).sum();
    let differs = |before: f64, now: f64| now != before && !(now.is_nan() && before.is_nan());
    let between = windows.rows.windows(2).filter(|pair| differs(pair[0].last, pair[1].first)).count();
    within as f64 + between as f64
}
