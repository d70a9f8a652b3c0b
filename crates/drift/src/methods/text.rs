//! Text columns: how well a classifier tells the sides apart.

use streamflow_stats::{DomainClassification, domain_classifier, norm_sf, random_classifier_roc_auc};

use super::Score;
use crate::observations::{Observations, Texts};

const SEED: u64 = 42;
/// Quantile of the areas a guessing classifier would reach that Evidently takes as the bound.
const CONFIDENCE: f64 = 0.95;

/// ROC AUC of the classifier against a fixed bound.
pub(super) fn abs_content_drift(seen: &Observations) -> Result<Score, String> {
    Ok(Score::of(classified(seen)?.roc_auc))
}

/// ROC AUC of the classifier against what guessing would reach in 95 of 100 cases.
pub(super) fn perc_content_drift(seen: &Observations) -> Result<Score, String> {
    let found = classified(seen)?;
    let bound = random_classifier_roc_auc(found.reference_rows, found.current_rows, CONFIDENCE);
    Ok(Score { value: found.roc_auc, critical: Some(bound.map_err(|error| error.to_string())?) })
}

/// ROC AUC and the one-sided p of a guessing classifier reaching it.
///
/// z = (AUC − ½) / √((n + m + 1) / (12 n m)) over the held-out rows, the null distribution of the Mann–Whitney
/// statistic; equal scores make it conservative. Held-out rows took no part in training, so the level holds.
pub(crate) fn roc_auc_test(texts: &Texts) -> Result<(f64, f64), String> {
    let found = classify(texts)?;
    let (n, m) = (found.reference_rows as f64, found.current_rows as f64);
    let standard_error = ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    Ok((found.roc_auc, norm_sf((found.roc_auc - 0.5) / standard_error)))
}

fn classified(seen: &Observations) -> Result<DomainClassification, String> {
    let Observations::Text(texts) = seen else { return Err("expected text".into()) };
    classify(texts)
}

fn classify(texts: &Texts) -> Result<DomainClassification, String> {
    domain_classifier(&texts.reference, &texts.current, SEED).map_err(|error| error.to_string())
}
