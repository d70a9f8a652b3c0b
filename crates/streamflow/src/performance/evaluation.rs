//! How right a version was on a month, as the database, reports and the console keep it.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use streamflow_dataset::{Period, Snapshots};
use streamflow_model::split_position;
use streamflow_performance::{
    Auc, CalibrationBin, Cbpe, CbpeSettings, Decomposition, Estimated, Fall, FallRule, Labelled, Measured,
    Metric, OperatingPoint, ScoreBin, Segments, ValidationAuc, ValueMatrix,
};

use super::scored::{Scored, TrainedOn, Version, learned, month};
use super::{Usual, slices, why};
use crate::drift::TrainingTable;
use crate::terminal::one_line;

/// Points of a drawn curve.
const CURVE_POINTS: usize = 200;
/// Bins of the calibration curve and of the histogram.
const BINS: usize = 20;
/// Parts of the reference that calibration is decided with.
const FOLDS: f64 = 10.0;

/// How right a version was on a month. Where the month has labels it is measured; what it would be by the scores alone
/// stands beside it, and never in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub model: String,
    pub version: i64,
    /// The month that the version learned from.
    pub trained_on: Period,
    pub period: Period,
    /// Rows of the month that the version was trained on, and that are left out.
    pub left_out: usize,
    /// Whether the version was imported and may have been trained on these rows.
    #[serde(default)]
    pub may_know: bool,
    /// What the labels say; none where the month has none.
    pub realised: Option<Realised>,
    /// What the scores alone suggest; none where the version's own month is gone or has no held-out labels.
    pub estimated: Option<Estimate>,
    /// What the version promised on rows it was not trained on.
    pub validation: Option<ValidationAuc>,
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

/// What labels say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Realised {
    pub measured: Measured,
    /// The curve of thresholds, for drawing.
    pub curve: Vec<OperatingPoint>,
    pub calibration: Vec<CalibrationBin>,
    pub histogram: Vec<ScoreBin>,
}

/// What scores suggest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub estimated: Estimated,
    /// How the scores were calibrated, in a sentence.
    pub calibration: String,
}

/// What to evaluate.
pub struct Subject<'a> {
    pub snapshots: &'a Snapshots,
    pub model: &'a str,
    pub version: &'a Version,
    pub rule: FallRule,
    /// What right and wrong predictions are worth; none where nobody has said.
    pub values: Option<ValueMatrix>,
}

impl Subject<'_> {
    /// Evaluates the version on a month.
    ///
    /// # Errors
    /// A month that was not ingested, or that the version cannot score.
    pub fn evaluate(&self, period: Period) -> anyhow::Result<Evaluation> {
        let (trained_on, table) = learned(self.snapshots, self.version)?;
        let reference = table.map(|table| Reference::new(table, self.version, &trained_on)).transpose()?;
        let (version, month) = (self.version, month(self.snapshots, period)?);
        let scored = Scored::new(month, version, &trained_on)
            .with_context(|| format!("cannot evaluate on {period}"))?;
        let labelled = Labelled::new(&scored.rows);
        let realised =
            (scored.rows.labelled() > 0).then(|| Realised::new(&labelled, self.values.as_ref(), self.seed()));
        let validation = reference.as_ref().and_then(|reference| reference.auc());
        let verdict =
            self.rule.decide(validation.as_ref(), labelled.auc().as_ref(), scored.rows.labelled() as u64)?;
        let mut evaluation = Evaluation {
            model: self.model.to_owned(),
            version: version.number,
            trained_on: version.as_of,
            period,
            left_out: scored.trained_on,
            may_know: version.may_know(period),
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

    /// Adds what stands beside the verdict.
    fn explain(
        &self,
        evaluation: &mut Evaluation,
        reference: Option<&Reference>,
        scored: &Scored,
    ) -> anyhow::Result<()> {
        let estimated = reference.map(|reference| reference.estimate(scored, self.seed())).transpose()?;
        evaluation.estimated = estimated.flatten();
        if evaluation.realised.is_some() {
            let losses = slices::losses(&scored.rows);
            evaluation.segments = Some(slices::worst(&scored.features, &scored.places, &losses)?);
        }
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

/// The rows that a version was validated on.
struct Reference {
    scored: Scored,
    folds: Vec<u32>,
}

/// One of ten parts, by the entity's place in the split: the digits after those that decided where it belongs.
fn fold(seed: u64, entity: &str) -> u32 {
    const FINER: f64 = 1e6;
    ((split_position(seed, entity) * FINER).fract() * FOLDS) as u32
}

impl Reference {
    fn new(table: TrainingTable, version: &Version, trained_on: &TrainedOn) -> anyhow::Result<Self> {
        let scored = Scored::new(table, version, trained_on)?;
        let seed = version.seed();
        let folds = scored.entities.iter().map(|entity| fold(seed, entity)).collect();
        Ok(Self { scored, folds })
    }

    fn auc(&self) -> Option<ValidationAuc> {
        let Auc { value, interval, .. } = Labelled::new(&self.scored.rows).auc()?;
        Some(ValidationAuc { value, interval: interval? })
    }

    fn estimate(&self, scored: &Scored, seed: u64) -> anyhow::Result<Option<Estimate>> {
        if Labelled::new(&self.scored.rows).auc().is_none() {
            return Ok(None);
        }
        let settings = CbpeSettings { seed, ..CbpeSettings::default() };
        let cbpe = Cbpe::fit(&self.scored.rows, &self.folds, settings)?;
        let calibration = cbpe.calibration().reason.clone();
        Ok(Some(Estimate { estimated: cbpe.estimate(&scored.rows), calibration }))
    }
}

impl Realised {
    fn new(labelled: &Labelled, values: Option<&ValueMatrix>, seed: u64) -> Self {
        Self {
            measured: labelled.measure(values, seed),
            curve: labelled.operating_points(CURVE_POINTS),
            calibration: labelled.calibration_curve(BINS),
            histogram: labelled.score_histogram(BINS),
        }
    }
}

impl Evaluation {
    /// `[performance] auc=0.49 (validation 0.84, 95 % 0.46..0.52, n=1789) -> RETRAINING_TRIGGERED …`; none where the month
    /// has no label.
    pub fn line(&self) -> Option<String> {
        let realised = self.realised.as_ref()?;
        let auc = realised.measured.metrics.get(&Metric::RocAuc);
        let number =
            |value: Option<f64>| value.map_or_else(|| "NaN".to_owned(), |value| format!("{value:.2}"));
        let interval = auc.and_then(|auc| auc.interval);
        let interval = interval.map_or_else(
            || "no interval".to_owned(),
            |interval| format!("95 % {:.2}..{:.2}", interval.low, interval.high),
        );
        Some(format!(
            "[performance] auc={} (validation {}, {interval}, n={}) -> {} {}",
            number(auc.and_then(|auc| auc.value)),
            number(self.validation.map(|validation| validation.value)),
            realised.measured.labelled,
            self.decision(),
            self.verdict.reason()
        ))
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
