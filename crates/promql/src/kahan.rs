//! Sums with a running compensation.

pub(crate) use streamflow_histogram::kahan_add as add;

/// A mean that sums, and turns to a running mean once the sum would overflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    sum_or_mean: f64,
    compensation: f64,
    count: f64,
    running: bool,
}

impl Mean {
    pub(crate) const EMPTY: Self = Self { sum_or_mean: 0.0, compensation: 0.0, count: 0.0, running: false };

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0.0
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum_or_mean = value;
            return;
        }
        if !self.running {
            let (mut sum, mut compensation) = (self.sum_or_mean, self.compensation);
            add(value, &mut sum, &mut compensation);
            if !sum.is_infinite() {
                (self.sum_or_mean, self.compensation) = (sum, compensation);
                return;
            }
            self.running = true;
            self.sum_or_mean /= self.count - 1.0;
            self.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum_or_mean *= weight;
        self.compensation *= weight;
        add(value / self.count, &mut self.sum_or_mean, &mut self.compensation);
    }

    pub(crate) fn get(&self) -> f64 {
        if self.running {
            self.sum_or_mean + self.compensation
        } else {
            self.sum_or_mean / self.count + self.compensation / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let (mut sum, mut compensation) = (0.0, 0.0);
        for value in [1.0, 1e100, 1.0, -1e100] {
            add(value, &mut sum, &mut compensation);
        }
        assert_eq!(sum + compensation, 2.0);
    }

    #[test]
    fn mean_survives_overflow() {
        let check = |values: &[f64], expected: f64| {
            let mut mean = Mean::EMPTY;
            values.iter().for_each(|&value| mean.add(value));
            assert_eq!(mean.get(), expected, "{values:?}");
        };
        check(&[1.0, 2.0, 3.0], 2.0);
        check(&[f64::MAX, f64::MAX], f64::MAX);
        check(&[f64::INFINITY, 1.0], f64::INFINITY);
    }
}
