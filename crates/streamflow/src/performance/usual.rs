//! What is usual for a version: the spread of its AUC over the labelled months before.

use serde::{Deserialize, Serialize};
use streamflow_performance::{MIN_REFERENCE_CHUNKS, Metric, Thresholds};

use super::Evaluation;

/// From which AUC on a month is as usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// Mean less three standard deviations of the months before.
    pub lower: f64,
    /// The labelled months that say so.
    pub months: usize,
    /// Whether the month's AUC lies below.
    pub is_below: bool,
}

impl Usual {
    /// Of the AUCs of the months before and that of the month itself. None while fewer than six months have one: the
    /// spread of a few is small by chance, and every month after them would look unusual.
    pub fn of(before: &[Option<f64>], auc: Option<f64>) -> Option<Self> {
        let bounds = Thresholds::of_chunks(before, (0.0, 1.0), MIN_REFERENCE_CHUNKS)?;
        let bounds = bounds.against_worse(Metric::RocAuc);
        let months = before.iter().flatten().count();
        Some(Self { lower: bounds.lower?, months, is_below: bounds.alert(auc)? })
    }

    /// Such as `below the 0.812 from which on an AUC is usual, by the 7 labelled months before`.
    pub fn words(&self) -> String {
        let place = if self.is_below { "below" } else { "not below" };
        format!(
            "The AUC lies {place} the {:.3} from which on it is usual: the mean of the {} labelled months before, less three standard deviations.",
            self.lower, self.months
        )
    }
}

impl Evaluation {
    /// The measured AUC.
    pub fn auc(&self) -> Option<f64> {
        self.realised.as_ref()?.measured.metrics.get(&Metric::RocAuc)?.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_months_say_what_is_usual() {
        let months = [0.80, 0.82, 0.81, 0.79, 0.80, 0.84].map(Some);
        assert_eq!(Usual::of(&months[..5], Some(0.5)), None, "five are too few");
        assert_eq!(Usual::of(&[&months[..5], &[None, None]].concat(), Some(0.5)), None);
        assert_eq!(Usual::of(&months, None), None);
        // Mean 0.81, population deviation sqrt(0.0016 / 6).
        let lower = 0.81 - 3.0 * (0.0016_f64 / 6.0).sqrt();
        for (auc, is_below) in [(lower - 1e-9, true), (lower + 1e-9, false), (0.99, false)] {
            let usual = Usual::of(&months, Some(auc)).unwrap();
            assert!((usual.lower - lower).abs() < 1e-12, "{usual:?}");
            assert_eq!((usual.months, usual.is_below), (6, is_below));
        }
    }
}
