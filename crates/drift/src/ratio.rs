//! How far a difference is along the way to its threshold: 0 is none, 1 is at the threshold.
//!
//! It orders columns and scales drawings, where measures of different units stand side by side. No verdict depends on
//! it.

use crate::methods::ScoreKind;
use crate::report::{ColumnReport, EffectSize, MissingReport};

/// A p-value and the bound it is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundedP {
    pub(crate) p: f64,
    pub(crate) threshold: f64,
}

/// The largest of what was measured: of the values (their effect size, or the p-value where there is none) and of the
/// missing share; 0 when nothing was.
pub(crate) fn ratio(
    effect: Option<&EffectSize>,
    p: Option<BoundedP>,
    missing: Option<&MissingReport>,
) -> f64 {
    let values = effect.map(EffectSize::ratio).or(p.map(BoundedP::ratio)).unwrap_or(0.0);
    values.max(missing.map_or(0.0, MissingReport::ratio))
}

impl ColumnReport {
    pub(crate) fn ratio(&self) -> f64 {
        ratio(self.effect_size.as_ref(), self.bounded_p(), self.missing.as_ref())
    }

    /// The score, where it is a p-value.
    pub(crate) fn bounded_p(&self) -> Option<BoundedP> {
        let (p, threshold) = self.score.zip(self.threshold)?;
        (self.score_kind == Some(ScoreKind::PValue)).then_some(BoundedP { p, threshold })
    }
}

impl EffectSize {
    /// Linear from no difference to the threshold and on; `f64::MAX` for a size that is not finite.
    pub(crate) fn ratio(&self) -> f64 {
        let none =
            if self.name == "roc_auc" || self.name.ends_with("text_content_drift") { 0.5 } else { 0.0 };
        let ratio = self.value.map_or(f64::MAX, |value| (value - none) / (self.threshold - none));
        if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, f64::MAX) }
    }
}

impl MissingReport {
    /// 0 where the profile does not test the missing share.
    pub(crate) fn ratio(&self) -> f64 {
        match self.p_value {
            Some(_) => (self.current_share - self.reference_share).abs() / self.threshold,
            None => 0.0,
        }
    }
}

impl BoundedP {
    /// ln p / ln threshold: 0 at p = 1, 1 at the threshold, `f64::MAX` at p = 0; 0 for a threshold that is no bound.
    fn ratio(self) -> f64 {
        if self.threshold > 0.0 && self.threshold < 1.0 {
            (self.p.ln() / self.threshold.ln()).clamp(0.0, f64::MAX)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_at_the_threshold_whatever_the_measure() {
        let effect = |name: &str, value, threshold| EffectSize { name: name.into(), value, threshold };
        for (effect, expected) in [
            (effect("wasserstein", Some(0.2), 0.1), 2.0),
            (effect("roc_auc", Some(0.55), 0.55), 1.0),
            (effect("roc_auc", Some(0.4), 0.55), 0.0),
            (effect("wasserstein", None, 0.1), f64::MAX),
            (effect("abs_text_content_drift", Some(0.5), 0.5), 0.0),
        ] {
            assert_eq!(effect.ratio(), expected, "{effect:?}");
        }
        let of = |p: f64| BoundedP { p, threshold: 0.05 }.ratio();
        assert_eq!([of(1.0), of(0.05), of(0.0)], [0.0, 1.0, f64::MAX]);
        assert!((of(0.0025) - 2.0).abs() < 1e-12);
        assert_eq!(ratio(None, None, None), 0.0);
    }
}
