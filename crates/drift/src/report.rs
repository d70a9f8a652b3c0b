//! The report as data. Its JSON is described by `docs/report-schema.json`.

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;
use crate::explain;
use crate::format::{count, grouped, percent};
use crate::importance::WeightedDrift;
use crate::methods::ScoreKind;
use crate::quality::Quality;
use crate::settings::RuleSet;

/// Version of the JSON; raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 2;

/// What a comparison found. Equal inputs and settings give equal reports, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`], or 1 in an older report, where columns that could not be tested never counted.
    pub schema_version: u32,
    /// Which rules decided.
    pub profile: RuleSet,
    /// The side the model knows.
    pub reference: Dataset,
    /// The side in question.
    pub current: Dataset,
    /// What follows from the share of drifted columns.
    pub decision: Decision,
    /// Drifted columns / [`Report::judged_columns`]; 0 when there is none.
    pub drift_share: f64,
    /// Share from which the decision is to retrain.
    pub drift_share_threshold: f64,
    /// How many columns have drifted, or count as drifted because they could not be tested.
    pub drifted_columns: usize,
    /// How many columns were tested.
    pub tested_columns: usize,
    /// The columns without a test that nobody chose to leave out, in input order.
    #[serde(default)]
    pub not_tested: Vec<NotTested>,
    /// Change of the label; none when a side has no labels or they are not of two classes.
    pub target_drift: Option<TargetDrift>,
    /// Change of a label that is not of two classes; none of one that is, where nobody has said it, and in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_change: Option<TargetChange>,
    /// What stands out in each table by itself; none in reports of the time before it was looked at.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// Drift weighted by what the model uses; none where no model is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<WeightedDrift>,
    /// One entry per column, in input order.
    pub columns: Vec<ColumnReport>,
}

impl Report {
    /// The columns that have drifted, in input order.
    pub fn drifted(&self) -> impl Iterator<Item = &ColumnReport> {
        self.columns.iter().filter(|column| column.drifted)
    }

    /// How many columns have a verdict: those tested and those that count as drifted because they could not be.
    #[must_use]
    pub fn judged_columns(&self) -> usize {
        self.tested_columns + self.untested_drifted().count()
    }

    /// Where no column has a verdict, the first ones and why: then the decision is of nothing, and a caller that acts on it
    /// should not. None where a column has one.
    #[must_use]
    pub fn nothing_tested(&self) -> Option<String> {
        const NAMED: usize = 5;
        let reason = |column: &ColumnReport| format!("{} ({})", column.name, explain::reason(column));
        (self.judged_columns() == 0).then(|| {
            let mut named: Vec<String> = self.columns.iter().take(NAMED).map(reason).collect();
            if self.columns.len() > NAMED {
                named.push(format!("{} more", self.columns.len() - NAMED));
            }
            named.join(", ")
        })
    }

    /// The columns that count as drifted because they could not be tested.
    pub fn untested_drifted(&self) -> impl Iterator<Item = &NotTested> {
        self.not_tested.iter().filter(|column| column.counted)
    }

    /// The verdict in a few words.
    pub(crate) fn headline(&self) -> String {
        let judged = count(self.judged_columns() as u64, "column");
        let untested = match self.untested_drifted().count() {
            0 => String::new(),
            untested => {
                format!(", {} of them because they cannot be tested any more", grouped(untested as i64))
            }
        };
        match (self.drifted_columns, self.judged_columns()) {
            (_, 0) => "No column could be tested".to_owned(),
            (0, _) => format!("None of {judged} drifted"),
            (drifted, _) => format!("{} of {judged} drifted{untested}", grouped(drifted as i64)),
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnReport> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The report as indented JSON with a newline at the end. Numbers that are not finite are null.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report is strings, numbers and lists");
        json.push('\n');
        json
    }

    /// Reads what [`Report::to_json`] wrote.
    ///
    /// # Errors
    /// Text that is not JSON or not a report.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

/// A column without a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTested {
    /// The column.
    pub column: String,
    /// Why it was not tested.
    pub reason: String,
    /// True if it counts as drifted: it can be tested in the reference and not in the current table.
    pub counted: bool,
}

/// One side of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// What the caller calls it.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Columns present on this side.
    pub columns: usize,
}

/// What follows from the share of drifted columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// The share is below its threshold.
    NoAction,
    /// The share is at or over its threshold.
    RetrainingTriggered,
}

impl Decision {
    /// The word in logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAction => "NO_ACTION",
            Self::RetrainingTriggered => "RETRAINING_TRIGGERED",
        }
    }
}

/// How far the label's positive rate moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetDrift {
    /// The label.
    pub column: String,
    /// Share of positive labels among those present in the reference.
    pub reference_rate: f64,
    /// The same for the current side.
    pub current_rate: f64,
    /// Absolute difference of the two.
    pub difference: f64,
    /// Interval of `current_rate − reference_rate`, with its sign.
    pub change_interval: ConfidenceInterval,
}

/// How far a label of several classes, or a numerical one, moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetChange {
    /// The label.
    pub column: String,
    /// What `difference` is.
    pub measure: TargetMeasure,
    /// At least 0.
    pub difference: f64,
}

/// How the labels of two tables are held against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetMeasure {
    /// Half the sum of the differences of the classes' shares, 0 to 1.
    ClassShares,
    /// The difference of the means in standard deviations of the reference.
    StandardDeviations,
}

impl TargetChange {
    /// The change in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self.measure {
            TargetMeasure::ClassShares => {
                format!(
                    "the shares of its classes differ by {}, half the sum of their differences",
                    percent(self.difference)
                )
            }
            TargetMeasure::StandardDeviations => {
                format!("its mean lies {:.3} standard deviations of the reference away", self.difference)
            }
        }
    }
}

/// An interval that holds the estimated quantity in `confidence` of repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceInterval {
    /// 0 to 1.
    pub confidence: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl ConfidenceInterval {
    /// Tells whether no change at all is out of the question.
    #[must_use]
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// A column's part in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has a verdict and counts in the share.
    Tested,
    /// It should have been tested and could not be; `reason` says why.
    NotComputable,
    /// It was left out on purpose; `reason` says why.
    Ignored,
}

/// What was found in one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// The column.
    pub name: String,
    /// How it was tested.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// The column's part in the verdict.
    pub status: Status,
    /// Why it was not.
    pub reason: Option<String>,
    /// The verdict; without a test true only where that counts as drifted.
    pub drifted: bool,
    /// One line in words.
    pub explanation: String,
    /// The method that gave `score`: the significance test (calibrated) or Evidently's choice.
    pub method: Option<String>,
    /// What `score` is.
    pub score_kind: Option<ScoreKind>,
    /// What is held against `threshold`: the adjusted p-value (calibrated) or the method's result.
    pub score: Option<f64>,
    /// The bound of `score`.
    pub threshold: Option<f64>,
    /// The two-sample p-value, as computed.
    pub p_value: Option<f64>,
    /// The p-value after Benjamini–Hochberg over all tests of the report (calibrated only).
    pub adjusted_p_value: Option<f64>,
    /// How large the difference is.
    pub effect_size: Option<EffectSize>,
    /// Change of the missing share (a test of its own in the calibrated profile).
    pub missing: Option<MissingReport>,
    /// Things a reader should know: new or vanished categories, constant sides, infinite values.
    pub notes: Vec<String>,
    /// The reference values.
    pub reference: Option<SideSummary>,
    /// The current values.
    pub current: Option<SideSummary>,
    /// Both distributions over the same bins.
    pub distribution: Option<Distribution>,
}

/// The size of a difference and the size from which it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectSize {
    /// Name of the measure.
    pub name: String,
    /// The value of the measure; none when not finite.
    pub value: Option<f64>,
    /// Large from here on.
    pub threshold: f64,
}

/// Missing values on both sides. Infinite values count as missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingReport {
    /// Missing / rows in the reference.
    pub reference_share: f64,
    /// Missing / rows in the current side.
    pub current_share: f64,
    /// The p-value of the two shares being equal; none when nothing is missing or the profile does not test it.
    pub p_value: Option<f64>,
    /// After Benjamini–Hochberg over all tests of the report.
    pub adjusted_p_value: Option<f64>,
    /// Absolute difference of the shares from which a change counts.
    pub threshold: f64,
    /// True if the missing share alone makes the column drifted.
    pub drifted: bool,
}

/// One side of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideSummary {
    /// Rows, missing ones included.
    pub rows: usize,
    /// Missing rows, infinite values included.
    pub missing: usize,
    /// Different values; none when the values were not compared.
    pub distinct: Option<usize>,
    /// Share of the present rows that have the most frequent value; none when the values were not compared.
    #[serde(default)]
    pub top_share: Option<f64>,
    /// Moments and quantiles of a numerical column; none when they exceed a 64-bit float.
    pub numeric: Option<NumericSummary>,
    /// The most frequent labels of a categorical column, at most 10.
    pub top: Vec<CategoryCount>,
}

/// Moments and quantiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumericSummary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with n − 1; 0 for a single value.
    pub std: f64,
    /// Smallest value.
    pub min: f64,
    /// Quarter of the values are at or below; linear between neighbours, as the others.
    pub q25: f64,
    /// Median.
    pub q50: f64,
    /// Three quarters.
    pub q75: f64,
    /// Largest value.
    pub max: f64,
}

/// A label and how often it occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryCount {
    /// The label, shortened when very long.
    pub label: String,
    /// Rows.
    pub count: u64,
}

/// Both sides counted over the same bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Distribution {
    /// Intervals between neighbouring edges; the first and the last also take what lies outside.
    Histogram {
        /// What is counted: `value`, or `length` in characters for text.
        of: String,
        /// One more than counts.
        edges: Vec<f64>,
        /// Reference counts.
        reference: Vec<u64>,
        /// Current counts.
        current: Vec<u64>,
    },
    /// Labels by falling pooled frequency (numbers by value), the rare ones summed under `other`.
    Categories {
        /// One per count.
        labels: Vec<String>,
        /// Reference counts.
        reference: Vec<u64>,
        /// Current counts.
        current: Vec<u64>,
        /// How many labels are summed in the last entry; 0 when all are listed.
        other: usize,
    },
}
