//! What a caller can choose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;
use crate::methods::Method;
use crate::share::Share;

/// The share of drifted columns from which the decision is to retrain, unless the caller chooses another.
pub const DRIFT_SHARE_THRESHOLD: Share = Share::percent(30);

/// The rules that decide whether a column has drifted; users know them as the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSet {
    /// Drifted means significant and large; the false alarms of a whole report are held at 5 %.
    #[default]
    Calibrated,
    /// The tests, thresholds and verdicts of Evidently 0.7.
    Evidently,
}

impl RuleSet {
    /// The word used on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::Evidently => "evidently",
        }
    }
}

impl std::str::FromStr for RuleSet {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Calibrated, Self::Evidently]
            .into_iter()
            .find(|profile| profile.as_str() == word)
            .ok_or_else(|| format!("unknown profile {word:?}, expected calibrated or evidently"))
    }
}

/// What becomes of a column that can be tested in the reference and not in the current table. The evidently profile
/// leaves it out whatever is chosen, as Evidently does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Untested {
    /// It counts as drifted.
    #[default]
    Drifted,
    /// It is listed and does not count.
    Ignored,
}

impl std::str::FromStr for Untested {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "drifted" => Ok(Self::Drifted),
            "ignored" => Ok(Self::Ignored),
            _ => Err(format!("unknown word {word:?} for untested columns, expected drifted or ignored")),
        }
    }
}

/// Everything that shapes a comparison, with its defaults.
///
/// A method named for a column goes before one named for the column's type. Under
/// [`RuleSet::Evidently`] it replaces the automatic choice. Under [`RuleSet::Calibrated`] a method that gives a
/// p-value replaces the significance test and one that gives a distance replaces the effect size.
#[derive(Debug, Clone)]
pub struct DriftSettings {
    /// The rules that decide.
    pub profile: RuleSet,
    /// Share of drifted columns from which the decision is to retrain; [`DRIFT_SHARE_THRESHOLD`] by default.
    pub drift_share_threshold: Share,
    /// Whether a column that the current table no longer lets be tested counts as drifted.
    pub untested: Untested,
    /// Method for numerical columns.
    pub num_method: Option<&'static Method>,
    /// Method for categorical columns.
    pub cat_method: Option<&'static Method>,
    /// Method for text columns.
    pub text_method: Option<&'static Method>,
    /// Method for a column by name.
    pub methods: BTreeMap<String, &'static Method>,
    /// Threshold for a column by name: of the score under [`RuleSet::Evidently`], of the effect size under
    /// [`RuleSet::Calibrated`], whose significance level is that of the whole report.
    pub thresholds: BTreeMap<String, f64>,
    /// Declared types by column name; undeclared ones are inferred.
    pub types: BTreeMap<String, ColumnType>,
    /// The columns of the entity key. They are no features: the calibrated profile leaves them out.
    pub entity: Vec<String>,
    /// The label, whose positive rates are compared besides.
    pub target: Option<String>,
    /// What the reference side is called in the report.
    pub reference_name: String,
    /// What the current side is called in the report.
    pub current_name: String,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self {
            profile: RuleSet::Calibrated,
            drift_share_threshold: DRIFT_SHARE_THRESHOLD,
            untested: Untested::Drifted,
            num_method: None,
            cat_method: None,
            text_method: None,
            methods: BTreeMap::new(),
            thresholds: BTreeMap::new(),
            types: BTreeMap::new(),
            entity: Vec::new(),
            target: None,
            reference_name: "reference".into(),
            current_name: "current".into(),
        }
    }
}

impl DriftSettings {
    /// Tells whether a column that the current table no longer lets be tested counts as drifted.
    pub(crate) fn counts_untested(&self) -> bool {
        self.profile == RuleSet::Calibrated && self.untested == Untested::Drifted
    }

    /// The method that was asked for, if any.
    pub(crate) fn method(&self, column: &str, kind: ColumnType) -> Option<&'static Method> {
        let by_type = match kind {
            ColumnType::Numerical => self.num_method,
            ColumnType::Categorical => self.cat_method,
            ColumnType::Text => self.text_method,
            ColumnType::Ignore => None,
        };
        self.methods.get(column).copied().or(by_type)
    }
}
