//! What an aggregation keeps of each group at each step.

use crate::eval::grid::{ABSENT, is_absent};
use crate::kahan::{self, Mean};

/// What an aggregation does with histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Native {
    /// They are added up beside the numbers.
    Sum,
    /// As [`Native::Sum`], and divided by how many.
    Average,
    /// Each counts as a sample.
    Counted,
    /// They are left out, with a remark.
    Ignored,
}

/// One group at one step.
pub(crate) trait Accumulate: Clone + Send {
    /// What becomes of histograms.
    const NATIVE: Native;
    /// Before any sample.
    const EMPTY: Self;
    /// Takes a sample that is present.
    fn add(&mut self, value: f64);
    /// The result; [`ABSENT`] without samples.
    fn get(&self) -> f64;
}

#[derive(Debug, Clone)]
pub(crate) struct Sum {
    sum: f64,
    compensation: f64,
}

impl Accumulate for Sum {
    const NATIVE: Native = Native::Sum;
    const EMPTY: Self = Self { sum: ABSENT, compensation: 0.0 };

    #[inline]
    fn add(&mut self, value: f64) {
        if is_absent(self.sum) {
            self.sum = value;
        } else {
            kahan::add(value, &mut self.sum, &mut self.compensation);
        }
    }

    fn get(&self) -> f64 {
        if is_absent(self.sum) { ABSENT } else { self.sum + self.compensation }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Average(Mean);

impl Accumulate for Average {
    const NATIVE: Native = Native::Average;
    const EMPTY: Self = Self(Mean::EMPTY);

    #[inline]
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn get(&self) -> f64 {
        if self.0.is_empty() { ABSENT } else { self.0.get() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Count(f64);

impl Accumulate for Count {
    const NATIVE: Native = Native::Counted;
    const EMPTY: Self = Self(0.0);

    #[inline]
    fn add(&mut self, _: f64) {
        self.0 += 1.0;
    }

    fn get(&self) -> f64 {
        if self.0 == 0.0 { ABSENT } else { self.0 }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Group(f64);

impl Accumulate for Group {
    const NATIVE: Native = Native::Counted;
    const EMPTY: Self = Self(ABSENT);

    #[inline]
    fn add(&mut self, _: f64) {
        self.0 = 1.0;
    }

    fn get(&self) -> f64 {
        self.0
    }
}

/// Anything is larger than NaN, which includes [`ABSENT`].
#[derive(Debug, Clone)]
pub(crate) struct Max(f64);

impl Accumulate for Max {
    const NATIVE: Native = Native::Ignored;
    const EMPTY: Self = Self(ABSENT);

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0 < value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn get(&self) -> f64 {
        self.0
    }
}

/// Anything is smaller than NaN, which includes [`ABSENT`].
#[derive(Debug, Clone)]
pub(crate) struct Min(f64);

impl Accumulate for Min {
    const NATIVE: Native = Native::Ignored;
    const EMPTY: Self = Self(ABSENT);

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0 > value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn get(&self) -> f64 {
        self.0
    }
}

/// The population's variance by updates (Welford 1962, doi:10.1080/00401706.1962.10490022).
#[derive(Debug, Clone)]
pub(crate) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Accumulate for Variance {
    const NATIVE: Native = Native::Ignored;
    const EMPTY: Self = Self { count: 0.0, mean: 0.0, squares: 0.0 };

    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn get(&self) -> f64 {
        if self.count == 0.0 { ABSENT } else { self.squares / self.count }
    }
}

/// The root of the variance.
#[derive(Debug, Clone)]
pub(crate) struct Deviation(Variance);

impl Accumulate for Deviation {
    const NATIVE: Native = Native::Ignored;
    const EMPTY: Self = Self(Variance::EMPTY);

    #[inline]
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn get(&self) -> f64 {
        if self.0.count == 0.0 { ABSENT } else { self.0.get().sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<A: Accumulate>(values: &[f64]) -> f64 {
        let mut cell = A::EMPTY;
        values.iter().for_each(|&value| cell.add(value));
        cell.get()
    }

    #[test]
    fn nothing_is_absent() {
        let results = [
            of::<Sum>(&[]),
            of::<Average>(&[]),
            of::<Count>(&[]),
            of::<Group>(&[]),
            of::<Max>(&[]),
            of::<Min>(&[]),
            of::<Variance>(&[]),
            of::<Deviation>(&[]),
        ];
        assert!(results.iter().all(|&result| is_absent(result)));
    }

    #[test]
    fn values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(of::<Sum>(&values), 40.0);
        assert_eq!(of::<Average>(&values), 5.0);
        assert_eq!(of::<Count>(&values), 8.0);
        assert_eq!(of::<Group>(&values), 1.0);
        assert_eq!(of::<Max>(&[f64::NAN, 1.0, 3.0]), 3.0);
        assert_eq!(of::<Min>(&[1.0, f64::NAN, 3.0]), 1.0);
        assert!((of::<Variance>(&values) - 4.0).abs() < 1e-12);
        assert!((of::<Deviation>(&values) - 2.0).abs() < 1e-12);
        assert!(of::<Max>(&[f64::NAN]).is_nan() && !is_absent(of::<Max>(&[f64::NAN])));
        assert!(of::<Variance>(&[f64::INFINITY]).is_nan());
    }
}
