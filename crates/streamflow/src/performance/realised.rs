//! What the labels of a month say of a version.

use serde::{Deserialize, Serialize};
use streamflow_performance::{
    CalibrationBin, ClassRow, Labelled, Measured, MeasuredClasses, MeasuredValues, OperatingPoint, ScoreBin,
    ValueBin, ValueDecile, ValueMatrix,
};

use super::judged::{Classes, Judged, Numbers};

/// Points of a drawn curve.
const CURVE_POINTS: usize = 200;
/// Bins of the calibration curve and of the histogram.
const BINS: usize = 20;

/// What labels say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Realised {
    pub measured: Measured,
    /// The curve of thresholds, for drawing; empty without two classes, as are calibration and histogram.
    pub curve: Vec<OperatingPoint>,
    pub calibration: Vec<CalibrationBin>,
    pub histogram: Vec<ScoreBin>,
    /// What else there is of a task that has not two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What is drawn and listed of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Details {
    Multiclass(ClassTable),
    Regression(ErrorDrawings),
}

/// The classes of a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassTable {
    /// The names; those that the version does not know come last.
    pub names: Vec<String>,
    /// How many of them the version knows.
    pub known: usize,
    pub classes: Vec<ClassRow>,
    /// Rows of each actual class down, of each predicted class across.
    pub confusion: Vec<Vec<u64>>,
}

/// The errors of a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDrawings {
    /// Rows by prediction − label.
    pub errors: Vec<ValueBin>,
    /// Tenths of the rows by prediction.
    pub deciles: Vec<ValueDecile>,
}

impl Realised {
    /// None where no row has a label.
    pub fn new(judged: &Judged, values: Option<&ValueMatrix>, seed: u64) -> anyhow::Result<Option<Self>> {
        if judged.labelled() == 0 {
            return Ok(None);
        }
        Ok(Some(match judged {
            Judged::Binary(rows) => {
                let labelled = Labelled::new(rows);
                Self {
                    measured: labelled.measure(values, seed),
                    curve: labelled.operating_points(CURVE_POINTS),
                    calibration: labelled.calibration_curve(BINS),
                    histogram: labelled.score_histogram(BINS),
                    details: None,
                }
            }
            Judged::Multiclass(classes) => Self::of_classes(classes, seed)?,
            Judged::Regression(numbers) => Self::of_numbers(numbers)?,
        }))
    }

    fn of_classes(found: &Classes, seed: u64) -> anyhow::Result<Self> {
        let rows = &found.labelled;
        let MeasuredClasses { metrics, confusion, classes, .. } =
            MeasuredClasses::measure(&rows.actual, &rows.probabilities, seed)?;
        let table = ClassTable { names: rows.classes.clone(), known: found.known, classes, confusion };
        Ok(Self::of(found.probabilities.len(), rows.rows.len(), metrics, Details::Multiclass(table)))
    }

    fn of_numbers(numbers: &Numbers) -> anyhow::Result<Self> {
        let MeasuredValues { rows, metrics, errors, deciles } =
            MeasuredValues::measure(&numbers.truths, &numbers.predictions)?;
        let details = Details::Regression(ErrorDrawings { errors, deciles });
        Ok(Self::of(numbers.truths.len(), rows, metrics, details))
    }

    fn of(
        rows: usize,
        labelled: usize,
        metrics: std::collections::BTreeMap<
            streamflow_performance::Metric,
            streamflow_performance::MeasuredValue,
        >,
        details: Details,
    ) -> Self {
        let measured = Measured {
            rows,
            labelled,
            scored: labelled,
            predicted: labelled,
            positives: 0,
            negatives: 0,
            confusion: None,
            metrics,
        };
        let (curve, calibration, histogram) = (Vec::new(), Vec::new(), Vec::new());
        Self { measured, curve, calibration, histogram, details: Some(details) }
    }
}
