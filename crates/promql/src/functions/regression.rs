//! Trends over a range: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use crate::eval::grid::ABSENT;
use crate::eval::window::Window;
use crate::kahan;

pub(super) fn deriv(window: &mut Window) -> f64 {
    if window.values.len() < 2 {
        return ABSENT;
    }
    // A time near the samples keeps the products small.
    least_squares(window, window.times[0]).0
}

pub(super) fn predict_linear(window: &mut Window) -> f64 {
    if window.values.len() < 2 {
        return ABSENT;
    }
    let (slope, intercept) = least_squares(window, window.time);
    slope * window.params[0] + intercept
}

/// Slope per second and the value at `at_ms` of the line with the least squared distance.
fn least_squares(window: &Window, at_ms: i64) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|&value| value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let mut sums = [(0.0, 0.0); 4];
    for (&time, &value) in window.times.iter().zip(window.values) {
        let x = (time - at_ms) as f64 / 1e3;
        for ((sum, compensation), term) in sums.iter_mut().zip([x, value, x * value, x * x]) {
            kahan::add(term, sum, compensation);
        }
    }
    let [x, y, xy, xx] = sums.map(|(sum, compensation)| sum + compensation);
    let count = window.values.len() as f64;
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

/// Holt's linear trend (Holt 1957, doi:10.1016/j.ijforecast.2003.09.015). Parameters, checked before: the smoothing
/// factor and the trend factor, both inside (0, 1).
pub(super) fn double_exponential_smoothing(window: &mut Window) -> f64 {
    let (smoothing, trend_factor) = (window.params[0], window.params[1]);
    let values = window.values;
    if values.len() < 2 {
        return ABSENT;
    }
    let (mut before, mut smoothed) = (0.0, values[0]);
    let mut trend = values[1] - values[0];
    for (place, &value) in values.iter().enumerate().skip(1) {
        if place > 1 {
            trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, next);
    }
    smoothed
}
