//! What is usual for a version: the spread of its deciding metric over the labelled months before.

use serde::{Deserialize, Serialize};
use streamflow_performance::{MIN_REFERENCE_CHUNKS, Metric, Thresholds, significant};

use super::Evaluation;

/// From which value of the deciding metric on a month is as usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// Mean less three standard deviations of the months before, of a metric of which more is better.
    #[serde(default)]
    pub lower: Option<f64>,
    /// Mean and three standard deviations more, of an error.
    #[serde(default)]
    pub upper: Option<f64>,
    /// The labelled months that say so.
    pub months: usize,
    /// Whether the month's metric lies beyond.
    #[serde(alias = "is_below")]
    pub is_unusual: bool,
}

impl Usual {
    /// Of the values of the months before and that of the month itself. None while fewer than six months have one: the
    /// spread of a few is small by chance, and every month after them would look unusual.
    pub fn of(metric: Metric, before: &[Option<f64>], value: Option<f64>) -> Option<Self> {
        let bounds = Thresholds::of_chunks(before, metric.about().range, MIN_REFERENCE_CHUNKS)?;
        let Thresholds { lower, upper } = bounds.against_worse(metric);
        let is_unusual = Thresholds { lower, upper }.alert(value)?;
        Some(Self { lower, upper, months: before.iter().flatten().count(), is_unusual })
    }

    /// The bound, whichever there is.
    pub fn bound(&self) -> Option<f64> {
        self.lower.or(self.upper)
    }

    /// Such as `The AUC lies below the 0.812 from which on it is usual: …`.
    pub fn words(&self, metric: Metric) -> String {
        let months = self.months;
        let Some(upper) = self.upper else {
            let (place, lower) =
                (if self.is_unusual { "below" } else { "not below" }, self.lower.unwrap_or(0.0));
            return format!(
                "The AUC lies {place} the {lower:.3} from which on it is usual: the mean of the {months} labelled months before, less three standard deviations."
            );
        };
        let place = if self.is_unusual { "above" } else { "not above" };
        format!(
            "The {} lies {place} the {} up to which it is usual: the mean of the {months} labelled months before and three standard deviations.",
            metric.name(),
            significant(upper)
        )
    }
}

impl Evaluation {
    /// The measured deciding metric.
    pub fn deciding(&self) -> Option<f64> {
        self.realised.as_ref()?.measured.metrics.get(&self.task.metric())?.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_months_say_what_is_usual() {
        let months = [0.80, 0.82, 0.81, 0.79, 0.80, 0.84].map(Some);
        let of = |before: &[Option<f64>], value| Usual::of(Metric::RocAuc, before, value);
        assert_eq!(of(&months[..5], Some(0.5)), None, "five are too few");
        assert_eq!(of(&[&months[..5], &[None, None]].concat(), Some(0.5)), None);
        assert_eq!(of(&months, None), None);
        // Mean 0.81, population deviation sqrt(0.0016 / 6).
        let lower = 0.81 - 3.0 * (0.0016_f64 / 6.0).sqrt();
        for (auc, is_unusual) in [(lower - 1e-9, true), (lower + 1e-9, false), (0.99, false)] {
            let usual = of(&months, Some(auc)).unwrap();
            assert!((usual.lower.unwrap() - lower).abs() < 1e-12 && usual.upper.is_none(), "{usual:?}");
            assert_eq!((usual.months, usual.is_unusual), (6, is_unusual));
        }
        let errors = [10.0, 11.0, 9.0, 10.0, 10.5, 9.5].map(Some);
        for (rmse, is_unusual) in [(20.0, true), (10.2, false), (0.1, false)] {
            let usual = Usual::of(Metric::Rmse, &errors, Some(rmse)).unwrap();
            assert_eq!(
                (usual.lower, usual.is_unusual),
                (None, is_unusual),
                "an error that shrinks is no alarm"
            );
            assert!(usual.words(Metric::Rmse).starts_with("The rmse lies"), "{}", usual.words(Metric::Rmse));
        }
    }

    #[test]
    fn what_was_kept_before_errors_had_bounds_is_read() {
        let kept = r#"{ "lower": 0.8, "months": 6, "is_below": true }"#;
        let usual: Usual = serde_json::from_str(kept).unwrap();
        assert_eq!(usual, Usual { lower: Some(0.8), upper: None, months: 6, is_unusual: true });
    }
}
