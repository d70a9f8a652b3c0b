//! A candidate held against production on the rows that neither was trained on.

use anyhow::{Context as _, bail};
use streamflow_dataset::{Period, Snapshots};
use streamflow_performance::{
    LossMetric, LossRule, PairedLosses, PairedRows, PromotionReport, PromotionRule,
};

use super::judged::{Classes, Judged, Numbers};
use super::scored::{Version, learned, month};

/// The two versions and the month on which they meet.
pub struct Contest<'a> {
    pub snapshots: &'a Snapshots,
    pub production: &'a Version,
    pub candidate: &'a Version,
    pub period: Period,
    /// How much AUC a candidate may lack and still count as not worse; of errors, by what share they may be larger.
    pub margin: f64,
}

/// Compares both versions on the labelled rows of the month that neither was trained on.
///
/// # Errors
/// A month that was not ingested, or that a version cannot score; versions of different tasks.
pub fn compare(contest: &Contest<'_>) -> anyhow::Result<PromotionReport> {
    let Contest { snapshots, production, candidate, period, .. } = contest;
    let ((of_production, of_candidate), table) = rayon::join(
        || (learned(snapshots, production), learned(snapshots, candidate)),
        || month(snapshots, *period),
    );
    let ((of_production, _), (of_candidate, _), table) = (of_production?, of_candidate?, table?);
    let is_unknown = candidate.may_know(*period);
    // What production may know of the rows speaks for production: a candidate that is better all the same is better.
    let is_fair = |row: &usize| {
        let entity = &table.entities[*row];
        !is_unknown && !of_production.contains(*period, entity) && !of_candidate.contains(*period, entity)
    };
    let rows: Vec<usize> = (0..table.entities.len()).filter(is_fair).collect();
    let labels = table.labels.select(&rows);
    let judged = |version: &Version| {
        let predictions = version.model.predict_rows(&table.features, &rows);
        let predictions =
            predictions.with_context(|| format!("version {} cannot score {period}", version.number))?;
        Judged::new(labels.clone(), predictions.answers, version.model.classes(), version.model.threshold())
            .with_context(|| format!("version {} is not judged by {period}", version.number))
    };
    let mut report = contest.report(&judged(production)?, &judged(candidate)?)?;
    if is_unknown {
        report.reason = format!(
            "Version {} was imported and may have been trained on {period}: no row is known to be new to it. `streamflow models import --trained-until DATE` says until when it was trained, and `--trained-on FILE` on which entities.",
            candidate.number
        );
    }
    Ok(report)
}

impl Contest<'_> {
    fn report(&self, production: &Judged, candidate: &Judged) -> anyhow::Result<PromotionReport> {
        let margin = self.margin;
        match (production, candidate) {
            (Judged::Binary(old), Judged::Binary(new)) => {
                let rule = PromotionRule {
                    production_threshold: self.production.model.threshold(),
                    candidate_threshold: self.candidate.model.threshold(),
                    margin,
                };
                let rows =
                    PairedRows { labels: old.labels(), production: old.scores(), candidate: new.scores() };
                Ok(rule.compare(&rows)?)
            }
            (Judged::Multiclass(old), Judged::Multiclass(new)) => {
                self.by_loss(LossMetric::LogLoss, (production.losses(), candidate.losses()), &right(old, new))
            }
            (Judged::Regression(old), Judged::Regression(new)) => {
                self.by_loss(LossMetric::Rmse, (squares(old), squares(new)), &[])
            }
            (production, candidate) => bail!(
                "version {} is {}, and version {} is {}; only versions of the same task are compared",
                self.production.number,
                production.task().words(),
                self.candidate.number,
                candidate.task().words()
            ),
        }
    }

    fn by_loss(
        &self,
        metric: LossMetric,
        (production, candidate): (Vec<f64>, Vec<f64>),
        right: &[(bool, bool)],
    ) -> anyhow::Result<PromotionReport> {
        let unlabelled = production.iter().filter(|loss| loss.is_nan()).count();
        let rule = LossRule { margin: self.margin, seed: self.candidate.seed() };
        let losses =
            PairedLosses { metric, production: &production, candidate: &candidate, unlabelled, right };
        Ok(rule.compare(&losses)?)
    }
}

fn squares(numbers: &Numbers) -> Vec<f64> {
    let pairs = numbers.truths.iter().zip(&numbers.predictions);
    pairs.map(|(truth, prediction)| (truth - prediction).powi(2)).collect()
}

/// Whether each row, with or without a label, is predicted right by both versions.
fn right(production: &Classes, candidate: &Classes) -> Vec<(bool, bool)> {
    let mut all = vec![(false, false); production.probabilities.len()];
    let right = production.labelled.are_right().zip(candidate.labelled.are_right());
    for (row, right) in production.labelled.rows.iter().zip(right) {
        all[*row] = right;
    }
    all
}
