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
        let predictions = version.trained.model.predict(&table.features);
        predictions.with_context(|| format!("version {} cannot score {period}", version.number))
    };
    let (old, new) = (scores(production)?.probabilities, scores(candidate)?.probabilities);
    let is_fair = |row: &usize| {
        let entity = &table.entities[*row];
        !of_production.contains(entity) && !of_candidate.contains(entity)
    };
    let rows: Vec<usize> = (0..table.entities.len()).filter(is_fair).collect();
    let pick = |scores: &[f64]| rows.iter().map(|&row| scores[row]).collect::<Vec<f64>>();
    let labels: Vec<Option<bool>> = rows.iter().map(|&row| table.labels[row]).collect();
    let rule = PromotionRule {
        production_threshold: production.trained.model.threshold(),
        candidate_threshold: candidate.trained.model.threshold(),
        margin: *margin,
    };
    let (old, new) = (pick(&old), pick(&new));
    Ok(rule.compare(&PairedRows { labels: &labels, production: &old, candidate: &new })?)
}
