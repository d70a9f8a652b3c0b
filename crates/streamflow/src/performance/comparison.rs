//! A candidate held against production on the rows that neither was trained on.

use anyhow::Context as _;
use streamflow_dataset::{Period, Snapshots};
use streamflow_performance::{PairedRows, PromotionReport, PromotionRule};

use super::scored::{Version, learned, month};

/// The two versions and the month on which they meet.
pub struct Contest<'a> {
    pub snapshots: &'a Snapshots,
    pub production: &'a Version,
    pub candidate: &'a Version,
    pub period: Period,
    /// How much AUC a candidate may lack and still count as not worse.
    pub margin: f64,
}

/// Compares both versions on the labelled rows of the month that neither was trained on.
///
/// # Errors
/// A month that was not ingested, or that a version cannot score.
pub fn compare(contest: &Contest<'_>) -> anyhow::Result<PromotionReport> {
    let Contest { snapshots, production, candidate, period, margin } = contest;
    let (of_production, _) = learned(snapshots, production)?;
    let (of_candidate, _) = learned(snapshots, candidate)?;
    let table = month(snapshots, *period)?;
    let scores = |version: &Version| {
        let predictions = version.model.predict(&table.features);
        predictions.with_context(|| format!("version {} cannot score {period}", version.number))
    };
    let (old, new) = (scores(production)?.probabilities, scores(candidate)?.probabilities);
    let is_unknown = candidate.may_know(*period);
    // What production may know of the rows speaks for production: a candidate that is better all the same is better.
    let is_fair = |row: &usize| {
        let entity = &table.entities[*row];
        !is_unknown && !of_production.contains(entity) && !of_candidate.contains(entity)
    };
    let rows: Vec<usize> = (0..table.entities.len()).filter(is_fair).collect();
    let pick = |scores: &[f64]| rows.iter().map(|&row| scores[row]).collect::<Vec<f64>>();
    let labels: Vec<Option<bool>> = rows.iter().map(|&row| table.labels[row]).collect();
    let rule = PromotionRule {
        production_threshold: production.model.threshold(),
        candidate_threshold: candidate.model.threshold(),
        margin: *margin,
    };
    let (old, new) = (pick(&old), pick(&new));
    let mut report = rule.compare(&PairedRows { labels: &labels, production: &old, candidate: &new })?;
    if is_unknown {
        report.reason = format!(
            "Version {} was imported and may have been trained on {period}: no row is known to be new to it. `streamflow models import --trained-until DATE` says until when it was trained.",
            candidate.number
        );
    }
    Ok(report)
}
