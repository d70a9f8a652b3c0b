//! Confidence intervals of effect sizes by resampling both sides.

use crate::error::Error;
use crate::random::Random;
use crate::sample::{Sample, interpolate};
use crate::shares::whole_totals;

/// How a bootstrap interval is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples; 1,000 is usual for a 95 % interval.
    pub resamples: u32,
    /// Confidence, above 0 and below 1.
    pub confidence: f64,
    /// Seed; the same seed gives the same interval on every platform.
    pub seed: u64,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Percentile interval of `effect` over resamples of both sides with replacement.
///
/// Each side keeps its number of rows. The ends are the linear (1 ∓ confidence)/2 quantiles of the resampled effects.
/// O(n + m) and one `effect` per resample. Effects bounded below by 0 (distances) are biased upwards at 0: their
/// interval does not contain 0, so it is no test of equality.
///
/// Source: B. Efron (1979), doi:10.1214/aos/1176344552; the percentile method of B. Efron and R. Tibshirani, "An
/// Introduction to the Bootstrap" (1993), section 13.3, as `scipy.stats.bootstrap(method="percentile")`.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty, [`Error::OutOfRange`] for the confidence or 0 resamples, and whatever
/// `effect` refuses.
pub fn bootstrap_interval(
    reference: &Sample,
    current: &Sample,
    effect: impl Fn(&Sample, &Sample) -> Result<f64, Error>,
    settings: Bootstrap,
) -> Result<Interval, Error> {
    reference.require_rows("reference", 1)?;
    current.require_rows("current", 1)?;
    percentile_interval(settings, |random| effect(&random.resample(reference), &random.resample(current)))
}

/// As [`bootstrap_interval`], for aligned counts of categories.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::NoObservations`], [`Error::TooManyRows`], [`Error::OutOfRange`], and whatever
/// `effect` refuses.
pub fn bootstrap_interval_counts(
    reference: &[u64],
    current: &[u64],
    effect: impl Fn(&[u64], &[u64]) -> Result<f64, Error>,
    settings: Bootstrap,
) -> Result<Interval, Error> {
    let (n, m) = whole_totals(reference, current)?;
    let (mut drawn_reference, mut drawn_current) = (vec![0; reference.len()], vec![0; current.len()]);
    percentile_interval(settings, |random| {
        random.multinomial(n, reference.iter().copied(), n, &mut drawn_reference);
        random.multinomial(m, current.iter().copied(), m, &mut drawn_current);
        effect(&drawn_reference, &drawn_current)
    })
}

fn percentile_interval(
    settings: Bootstrap,
    mut draw: impl FnMut(&mut Random) -> Result<f64, Error>,
) -> Result<Interval, Error> {
    let value = settings.confidence;
    if !(value > 0.0 && value < 1.0) {
        return Err(Error::OutOfRange { name: "the confidence", value, low: 0.0, high: 1.0 });
    }
    if settings.resamples == 0 {
        let high = f64::from(u32::MAX);
        return Err(Error::OutOfRange { name: "the number of resamples", value: 0.0, low: 1.0, high });
    }
    let mut random = Random::new(settings.seed);
    let mut effects = Vec::with_capacity(settings.resamples as usize);
    for _ in 0..settings.resamples {
        effects.push(draw(&mut random)?);
    }
    effects.sort_unstable_by(f64::total_cmp);
    let quantile = |q: f64| {
        let position = (effects.len() - 1) as f64 * q;
        let below = position as usize;
        let above = (below + 1).min(effects.len() - 1);
        interpolate(effects[below], effects[above], position - below as f64)
    };
    let tail = 0.5 * (1.0 - value);
    Ok(Interval { low: quantile(tail), high: quantile(1.0 - tail) })
}
