//! How right a version was on a month, as the database, reports and the console keep it.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use streamflow_dataset::{Period, Snapshots};
use streamflow_model::{Task, split_position};
use streamflow_performance::{
    Decomposition, Fall, FallRule, GrowthRule, MeasuredValue, Metric, Segments, Validated, ValueMatrix,
    significant,
};

use super::judged::Judged;
use super::realised::Realised;
use super::scored::{Learning, Scored, TrainedOn, Version, learned, month};
use super::{Estimate, Usual, estimate, slices, why};
use crate::drift::TrainingTable;
use crate::terminal::one_line;

/// Parts of the reference that calibration is decided with.
const FOLDS: f64 = 10.0;

/// How right a version was on a month. Where the month has labels it is measured; what it would be by the scores alone
/// stands beside it, and never in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub model: String,
    pub version: i64,
    /// What the version predicts.
    #[serde(default)]
    pub task: Task,
    /// The newest month that the version learned from.
    pub trained_on: Period,
    pub period: Period,
    /// Rows of the month that the version was trained on, and that are left out.
    pub left_out: usize,
    /// Whether the version was imported and may have been trained on these rows.
    #[serde(default)]
    pub may_know: bool,
    /// What was said of the training of an imported version; none of one that was trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Said>,
    /// What the labels say; none where the month has none.
    pub realised: Option<Realised>,
    /// What the scores alone suggest; none where the version's own month is gone or has no held-out labels.
    pub estimated: Option<Estimate>,
    /// The deciding metric of the version on rows it was not trained on: what it promised.
    pub validation: Option<Validated>,
    pub verdict: Fall,
    /// Where the version is most wrong; none without labels.
    #[serde(default)]
    pub segments: Option<Segments>,
    /// Why the performance fell; none where it did not.
    #[serde(default)]
    pub why: Option<Decomposition>,
    /// What is usual for the version; none without six labelled months before.
    #[serde(default)]
    pub usual: Option<Usual>,
}

/// What was said of a training elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The last date of its data.
    pub trained_until: Option<Period>,
    /// How many entities it was trained on.
    pub entities: Option<usize>,
    /// The month that judged it at import on rows that it was not trained on.
    pub judged_on: Option<Period>,
}

/// What to evaluate.
pub struct Subject<'a> {
    pub snapshots: &'a Snapshots,
    pub model: &'a str,
    pub version: &'a Version,
    pub rules: Rules,
    /// What right and wrong predictions are worth; none where nobody has said.
    pub values: Option<ValueMatrix>,
}

/// When the performance has fallen.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of an AUC.
    pub fall: FallRule,
    /// Of an error that grows.
    pub growth: GrowthRule,
}

impl Subject<'_> {
    /// Evaluates the version on a month.
    ///
    /// # Errors
    /// A month that was not ingested, or that the version cannot score.
    pub fn evaluate(&self, period: Period) -> anyhow::Result<Evaluation> {
        let version = self.version;
        // Tables are read and rows scored by one thread each for the most part.
        let (learned, month) =
            rayon::join(|| learned(self.snapshots, version), || month(self.snapshots, period));
        let ((trained_on, table), month) = (learned?, month?);
        let (reference, scored) = rayon::join(
            || table.map(|table| Reference::new(table, version, &trained_on)).transpose(),
            || Scored::new((period, month), version, &trained_on),
        );
        let reference = reference?;
        let scored = scored.with_context(|| format!("cannot evaluate on {period}"))?;
        let (realised, validation) = rayon::join(
            || Realised::new(&scored.judged, self.values.as_ref(), self.seed()),
            || reference.as_ref().map(|reference| reference.validated(self.seed())).transpose(),
        );
        let (realised, validation) = (realised?, validation?.flatten().or(version.judged()));
        let task = scored.judged.task();
        let verdict = self.verdict(&scored.judged, validation.as_ref(), realised.as_ref())?;
        let verdict = match version.learning {
            Learning::Elsewhere(_) if realised.is_some() => {
                of_import(verdict, validation.is_some(), version.may_know(period))
            }
            _ => verdict,
        };
        let mut evaluation = Evaluation {
            model: self.model.to_owned(),
            version: version.number,
            task,
            trained_on: version.trained_on(),
            period,
            left_out: scored.trained_on,
            may_know: version.may_know(period),
            imported: version.said(),
            estimated: None,
            segments: None,
            why: None,
            usual: None,
            realised,
            validation,
            verdict,
        };
        self.explain(&mut evaluation, reference.as_ref(), &scored)?;
        Ok(evaluation)
    }

    fn verdict(
        &self,
        judged: &Judged,
        validation: Option<&Validated>,
        realised: Option<&Realised>,
    ) -> anyhow::Result<Fall> {
        let labelled = judged.labelled() as u64;
        if let Judged::Binary(rows) = judged {
            let auc = streamflow_performance::Labelled::new(rows).auc();
            return Ok(self.rules.fall.decide(validation, auc.as_ref(), labelled)?);
        }
        let metric = judged.task().metric();
        let found = realised.and_then(|realised| realised.measured.metrics.get(&metric));
        Ok(self.rules.growth.decide(metric, validation, found, labelled)?)
    }

    /// Adds what stands beside the verdict.
    fn explain(
        &self,
        evaluation: &mut Evaluation,
        reference: Option<&Reference>,
        scored: &Scored,
    ) -> anyhow::Result<()> {
        let is_labelled = evaluation.realised.is_some();
        let (estimated, segments) = rayon::join(
            || reference.map(|reference| reference.estimate(scored, self.seed())).transpose(),
            || is_labelled.then(|| slices::worst(&scored.features, &scored.places, &scored.judged.losses())),
        );
        evaluation.estimated = estimated?.flatten();
        evaluation.segments = segments.transpose()?;
        if let Some(reference) = reference.filter(|_| evaluation.has_fallen()) {
            evaluation.why = match why::decompose(&reference.scored, scored, self.seed()) {
                Ok(found) => Some(found),
                Err(error) => {
                    tracing::warn!("why the performance fell is not known: {}", one_line(&error));
                    None
                }
            };
        }
        Ok(())
    }

    fn seed(&self) -> u64 {
        self.version.seed()
    }
}

/// The verdict on an imported version: a fall is one on whatever rows, but what it may have seen does not say that it is
/// well, and what has nothing to be held against says how it gets it.
fn of_import(verdict: Fall, is_validated: bool, may_know: bool) -> Fall {
    match verdict {
        Fall::NoAction(reason) if may_know => Fall::Undecided(format!(
            "{reason} The version was imported and may have been trained on these rows, so they do not say that it is well; {REMEDY}"
        )),
        Fall::Undecided(reason) if !is_validated => Fall::Undecided(format!(
            "{reason} The version was imported, and no labelled rows that are known to be new to it judged it then; {REMEDY}"
        )),
        verdict => verdict,
    }
}

/// How rows come to be known to be new to an imported version.
const REMEDY: &str = "once a labelled month is ingested that it was not trained on, import it again with `--trained-until DATE`, or with `--trained-on FILE`.";

/// The deciding metric on rows, with its interval; none where it has none.
///
/// # Errors
/// As [`Realised::new`].
pub fn validated(judged: &Judged, seed: u64) -> anyhow::Result<Option<Validated>> {
    if let Judged::Binary(rows) = judged {
        // The other metrics are asked for by nobody, and an interval of theirs is drawn a thousand times.
        let labelled = streamflow_performance::Labelled::new(rows);
        let value = labelled.value(Metric::RocAuc, None);
        let interval = labelled.auc().and_then(|auc| auc.interval);
        return Ok(value.zip(interval).map(|(value, interval)| Validated { value, interval }));
    }
    let realised = Realised::new(judged, None, seed)?;
    let found = realised.and_then(|found| found.measured.metrics.get(&judged.task().metric()).copied());
    let validated = |found: MeasuredValue| Some(Validated { value: found.value?, interval: found.interval? });
    Ok(found.and_then(validated))
}

impl Version {
    /// What an imported version came to on the month that judged it.
    fn judged(&self) -> Option<Validated> {
        match &self.learning {
            Learning::Elsewhere(elsewhere) => elsewhere.judged.map(|(_, validated)| validated),
            Learning::Split { .. } | Learning::Time { .. } => None,
        }
    }

    fn said(&self) -> Option<Said> {
        let Learning::Elsewhere(elsewhere) = &self.learning else { return None };
        Some(Said {
            trained_until: elsewhere.until,
            entities: elsewhere.entities.as_ref().map(|listed| listed.entities),
            judged_on: self.judged_on(),
        })
    }
}

/// The rows that a version was validated on.
pub struct Reference {
    pub scored: Scored,
    pub folds: Vec<u32>,
}

/// One of ten parts, by the entity's place in the split: the digits after those that decided where it belongs.
fn fold(seed: u64, entity: &str) -> u32 {
    const FINER: f64 = 1e6;
    ((split_position(seed, entity) * FINER).fract() * FOLDS) as u32
}

impl Reference {
    /// That of a version, with which entities it was trained on; none where its month is gone.
    pub fn of(snapshots: &Snapshots, version: &Version) -> anyhow::Result<(TrainedOn, Option<Self>)> {
        let (trained_on, table) = learned(snapshots, version)?;
        let reference = table.map(|table| Self::new(table, version, &trained_on)).transpose()?;
        Ok((trained_on, reference))
    }

    fn new(table: TrainingTable, version: &Version, trained_on: &TrainedOn) -> anyhow::Result<Self> {
        let month = version.judged_on().unwrap_or(version.as_of);
        let scored = Scored::new((month, table), version, trained_on)?;
        let seed = version.seed();
        let folds = scored.entities.iter().map(|entity| fold(seed, entity)).collect();
        Ok(Self { scored, folds })
    }

    /// The deciding metric on these rows.
    fn validated(&self, seed: u64) -> anyhow::Result<Option<Validated>> {
        validated(&self.scored.judged, seed)
    }

    fn estimate(&self, scored: &Scored, seed: u64) -> anyhow::Result<Option<Estimate>> {
        match (&self.scored.judged, &scored.judged) {
            (Judged::Binary(reference), Judged::Binary(rows)) => {
                estimate::of_scores(reference, &self.folds, rows, seed)
            }
            (Judged::Multiclass(reference), Judged::Multiclass(rows)) => {
                estimate::of_classes((reference, &self.folds), rows, seed)
            }
            (Judged::Regression(reference), Judged::Regression(rows)) => {
                let reference = (&self.scored, reference);
                match estimate::of_errors(reference, (scored, rows), seed) {
                    Ok(found) => Ok(Some(found)),
                    Err(error) => {
                        tracing::warn!("the errors are not estimated: {}", one_line(&error));
                        Ok(None)
                    }
                }
            }
            _ => Ok(None),
        }
    }
}

impl Evaluation {
    /// `[performance] auc=0.49 (validation 0.84, 95 % 0.46..0.52, n=1789) -> RETRAINING_TRIGGERED …`, or with `log_loss` or
    /// `rmse` in place of `auc`; none where the month has no label.
    pub fn line(&self) -> Option<String> {
        let realised = self.realised.as_ref()?;
        let metric = self.task.metric();
        let found = realised.measured.metrics.get(&metric);
        let number = |value: Option<f64>| value.map_or_else(|| "NaN".to_owned(), |value| self.number(value));
        let interval = found.and_then(|found| found.interval);
        let interval = interval.map_or_else(
            || "no interval".to_owned(),
            |interval| format!("95 % {}..{}", self.number(interval.low), self.number(interval.high)),
        );
        let validation = self.validation.map(|validation| self.number(validation.value));
        let validation = validation.map_or_else(String::new, |value| format!("validation {value}, "));
        Some(format!(
            "[performance] {}={} ({validation}{interval}, n={}) -> {} {}",
            if metric == Metric::RocAuc { "auc" } else { metric.name() },
            number(found.and_then(|found| found.value)),
            realised.measured.labelled,
            self.decision(),
            self.verdict.reason()
        ))
    }

    /// A number of the deciding metric: an AUC to two digits; errors may be of any size.
    fn number(&self, value: f64) -> String {
        match self.task {
            Task::Binary => format!("{value:.2}"),
            Task::Multiclass | Task::Regression => significant(value),
        }
    }

    /// The verdict in a word, as logs and JSON have it.
    pub fn decision(&self) -> &'static str {
        match self.verdict {
            Fall::Fallen(_) => "RETRAINING_TRIGGERED",
            Fall::NoAction(_) => "NO_ACTION",
            Fall::Undecided(_) => "UNDECIDED",
        }
    }

    pub fn has_fallen(&self) -> bool {
        matches!(self.verdict, Fall::Fallen(_))
    }
}
