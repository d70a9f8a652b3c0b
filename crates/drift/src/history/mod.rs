//! Many months against one reference: the essentials of one report per month, side by side.

mod chart;
mod html;
mod markdown;
mod panels;
mod tables;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;
use crate::error::Error;
use crate::methods::ScoreKind;
use crate::ratio::{BoundedP, ratio};
use crate::report::{
    ColumnReport, Dataset, Decision, EffectSize, MissingReport, Report, Status, TargetDrift,
};
use crate::settings::RuleSet;

/// Version of the JSON; raised when a field changes its meaning or goes away.
pub const HISTORY_SCHEMA_VERSION: u32 = 2;

/// The months that were compared with one reference. Equal reports in any order give equal histories, byte for byte.
///
/// ```
/// use streamflow_drift::{Column, History, DriftSettings, compare};
///
/// let hours = |shift: f64| [Column::float("watch_hours", (0..500).map(|i| f64::from(i % 50) + shift).collect())];
/// let mut reports = Vec::new();
/// for (month, shift) in [("2024-02-29", 0.0), ("2024-03-31", 9.0)] {
///     let settings = DriftSettings { current_name: month.into(), ..DriftSettings::default() };
///     reports.push(compare(&hours(0.0), &hours(shift), &settings)?);
/// }
/// let history = History::new(&reports)?;
/// assert_eq!(history.months[1].drift_share, 1.0);
/// assert_eq!(history.columns[0].drifted_months(), 1);
/// assert!(history.to_html().starts_with("<!doctype html>"));
/// # Ok::<(), streamflow_drift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// [`HISTORY_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which rules decided.
    pub profile: RuleSet,
    /// What every month was compared with.
    pub reference: Dataset,
    /// Share from which the decision is to retrain.
    pub drift_share_threshold: f64,
    /// Ascending by name as text, which for dates written year first is by time. At least one.
    pub months: Vec<Month>,
    /// Every column of any month; first the one that came farthest relative to its threshold in some month.
    pub columns: Vec<ColumnHistory>,
}

/// One month as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// The month's name, rows and columns.
    pub current: Dataset,
    /// What followed from its share of drifted columns.
    pub decision: Decision,
    /// Drifted columns / those with a verdict; 0 when there is none.
    pub drift_share: f64,
    /// How many columns had drifted.
    pub drifted_columns: usize,
    /// How many columns were tested.
    pub tested_columns: usize,
    /// How many columns count as drifted because they could not be tested.
    #[serde(default)]
    pub untested_drifted_columns: usize,
    /// Change of the label; none when a side has no labels or they are not of two classes.
    pub target_drift: Option<TargetDrift>,
}

/// One column over the months.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnHistory {
    /// The column.
    pub name: String,
    /// How it was tested in the last month that has it.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// One per month of the history; none where neither the reference nor the month has the column.
    pub months: Vec<Option<ColumnMonth>>,
}

/// One column in one month: as in [`ColumnReport`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnMonth {
    /// The column's part in that month's verdict.
    pub status: Status,
    /// Why it was not.
    pub reason: Option<String>,
    /// The verdict; without a test true only where that counts as drifted.
    pub drifted: bool,
    /// The method that gave `score`.
    pub method: Option<String>,
    /// What `score` is.
    pub score_kind: Option<ScoreKind>,
    /// What is held against `threshold`.
    pub score: Option<f64>,
    /// The bound of `score`.
    pub threshold: Option<f64>,
    /// The two-sample p-value, as computed.
    pub p_value: Option<f64>,
    /// After Benjamini–Hochberg over the tests of that month (calibrated only).
    pub adjusted_p_value: Option<f64>,
    /// How large the difference is, and from where it is large.
    pub effect_size: Option<EffectSize>,
    /// Change of the missing share.
    pub missing: Option<MissingReport>,
}

impl History {
    /// Puts reports against the same reference side by side, in any order.
    ///
    /// # Errors
    /// No report; two of the same current side; reports that differ in reference, profile or threshold. Columns that
    /// come or go, and months without rows, are part of a history.
    pub fn new(reports: &[Report]) -> Result<Self, Error> {
        let mut reports: Vec<&Report> = reports.iter().collect();
        reports.sort_by(|a, b| a.current.name.cmp(&b.current.name));
        let first = *reports.first().ok_or(Error::NoReport)?;
        for pair in reports.windows(2) {
            if pair[0].current.name == pair[1].current.name {
                return Err(Error::DuplicateReport { current: pair[0].current.name.clone() });
            }
            alike(first, pair[1])?;
        }
        Ok(Self {
            schema_version: HISTORY_SCHEMA_VERSION,
            profile: first.profile,
            reference: first.reference.clone(),
            drift_share_threshold: first.drift_share_threshold,
            months: reports.iter().map(|report| Month::of(report)).collect(),
            columns: columns(&reports),
        })
    }

    /// The history as indented JSON with a newline at the end, described by `docs/history-schema.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a history is strings, numbers and lists");
        json.push('\n');
        json
    }

    /// Reads what [`History::to_json`] wrote.
    ///
    /// # Errors
    /// Text that is not JSON or not a history.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// What is compared with the reference, in a word: months, whose names are dates such as `2024-01-31` or `2024-01`,
    /// snapshots, some of which have times such as `2024-01-31T13:00`, or else files.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        let is_date = |name: &str| {
            let parts: Vec<&str> = name.split('-').collect();
            let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
            (2..=3).contains(&parts.len()) && parts[0].len() == 4 && parts.iter().all(digits)
        };
        // `2026-01-05T13:00`
        let is_time = |name: &str| {
            name.split_once('T').is_some_and(|(date, time)| {
                let is_clock = |c: char| c.is_ascii_digit() || c == ':';
                is_date(date) && time.starts_with(|c: char| c.is_ascii_digit()) && time.chars().all(is_clock)
            })
        };
        let names = || self.months.iter().map(|month| month.current.name.as_str());
        if names().all(is_date) {
            "month"
        } else if names().all(|name| is_date(name) || is_time(name)) {
            "snapshot"
        } else {
            "file"
        }
    }

    /// The months in which retraining was due.
    pub fn triggered(&self) -> impl DoubleEndedIterator<Item = &Month> {
        self.months.iter().filter(|month| month.decision == Decision::RetrainingTriggered)
    }

    /// The columns that drifted in that month, by its place in [`History::months`].
    pub fn drifted_in(&self, month: usize) -> impl Iterator<Item = &ColumnHistory> {
        self.columns.iter().filter(move |column| {
            column.months.get(month).is_some_and(|m| m.as_ref().is_some_and(|m| m.drifted))
        })
    }
}

/// Tells whether `report` may stand beside `first`.
fn alike(first: &Report, report: &Report) -> Result<(), Error> {
    let side = |side: &Dataset| format!("{} of {} rows and {} columns", side.name, side.rows, side.columns);
    let differs = |what, found: String, expected: String| Error::UnlikeReports {
        report: report.current.name.clone(),
        what,
        found,
        first: first.current.name.clone(),
        expected,
    };
    if report.reference != first.reference {
        return Err(differs("reference", side(&report.reference), side(&first.reference)));
    }
    if report.profile != first.profile {
        return Err(differs(
            "profile",
            report.profile.as_str().to_owned(),
            first.profile.as_str().to_owned(),
        ));
    }
    if report.drift_share_threshold.total_cmp(&first.drift_share_threshold).is_ne() {
        let [found, expected] = [report, first].map(|report| report.drift_share_threshold.to_string());
        return Err(differs("drift share threshold", found, expected));
    }
    Ok(())
}

fn columns(reports: &[&Report]) -> Vec<ColumnHistory> {
    let names: BTreeSet<&str> =
        reports.iter().flat_map(|report| &report.columns).map(|column| column.name.as_str()).collect();
    let mut columns: Vec<ColumnHistory> = names
        .into_iter()
        .map(|name| {
            let found: Vec<Option<&ColumnReport>> =
                reports.iter().map(|report| report.column(name)).collect();
            ColumnHistory {
                name: name.to_owned(),
                column_type: found
                    .iter()
                    .flatten()
                    .last()
                    .map_or(ColumnType::Ignore, |last| last.column_type),
                months: found.into_iter().map(|column| column.map(ColumnMonth::of)).collect(),
            }
        })
        .collect();
    // Stable: columns that came equally far stay in the order of their names.
    columns.sort_by(|a, b| b.largest_ratio().total_cmp(&a.largest_ratio()));
    columns
}

impl Month {
    fn of(report: &Report) -> Self {
        Self {
            current: report.current.clone(),
            decision: report.decision,
            drift_share: report.drift_share,
            drifted_columns: report.drifted_columns,
            tested_columns: report.tested_columns,
            untested_drifted_columns: report.untested_drifted().count(),
            target_drift: report.target_drift.clone(),
        }
    }

    /// How many columns have a verdict.
    pub(crate) fn judged_columns(&self) -> usize {
        self.tested_columns + self.untested_drifted_columns
    }
}

impl ColumnHistory {
    /// In how many months it had drifted.
    #[must_use]
    pub fn drifted_months(&self) -> usize {
        self.months.iter().flatten().filter(|month| month.drifted).count()
    }

    /// In how many months it has a verdict.
    #[must_use]
    pub fn tested_months(&self) -> usize {
        self.months.iter().flatten().filter(|month| month.status == Status::Tested || month.drifted).count()
    }

    /// The month in which it came farthest, by its place, if it was ever tested; the first of several.
    pub(crate) fn peak(&self) -> Option<(usize, &ColumnMonth)> {
        let tested = self.months.iter().enumerate().filter_map(|(i, month)| Some((i, month.as_ref()?)));
        tested
            .filter(|(_, month)| month.status == Status::Tested)
            .max_by(|(i, a), (j, b)| a.ratio().total_cmp(&b.ratio()).then(j.cmp(i)))
    }

    fn largest_ratio(&self) -> f64 {
        // Below any ratio: what was never tested comes last.
        self.peak().map_or(-1.0, |(_, month)| month.ratio())
    }
}

impl ColumnMonth {
    fn of(column: &ColumnReport) -> Self {
        Self {
            status: column.status,
            reason: column.reason.clone(),
            drifted: column.drifted,
            method: column.method.clone(),
            score_kind: column.score_kind,
            score: column.score,
            threshold: column.threshold,
            p_value: column.p_value,
            adjusted_p_value: column.adjusted_p_value,
            effect_size: column.effect_size.clone(),
            missing: column.missing.clone(),
        }
    }

    /// How far it came relative to the threshold: 1 is at it.
    pub(crate) fn ratio(&self) -> f64 {
        let p = self.score.zip(self.threshold).filter(|_| self.score_kind == Some(ScoreKind::PValue));
        let p = p.map(|(p, threshold)| BoundedP { p, threshold });
        ratio(self.effect_size.as_ref(), p, self.missing.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, DriftSettings, Share, compare};

    fn report(current: &str, settings: DriftSettings) -> Report {
        let x = [Column::float("x", vec![1.0, 2.0])];
        compare(&x, &x, &DriftSettings { current_name: current.into(), ..settings }).unwrap()
    }

    #[track_caller]
    fn check_error(reports: &[Report], expected: &str) {
        assert_eq!(History::new(reports).unwrap_err().to_string(), expected);
    }

    #[test]
    fn reports_that_cannot_stand_side_by_side_are_named() {
        let february = || report("2024-02-29", DriftSettings::default());
        check_error(&[], "no report, expected one for each month after the reference");
        check_error(
            &[february(), february()],
            "two reports are on \"2024-02-29\", expected one for each current side",
        );
        let settings = DriftSettings { reference_name: "2023-12-31".into(), ..DriftSettings::default() };
        check_error(
            &[report("2024-03-31", settings), february()],
            "report on \"2024-03-31\" has the reference 2023-12-31 of 2 rows and 1 columns, expected reference of 2 \
             rows and 1 columns as in the report on \"2024-02-29\"",
        );
        let settings = DriftSettings { profile: RuleSet::Evidently, ..DriftSettings::default() };
        check_error(
            &[february(), report("2024-03-31", settings)],
            "report on \"2024-03-31\" has the profile evidently, expected calibrated as in the report on \
             \"2024-02-29\"",
        );
        let settings = DriftSettings {
            drift_share_threshold: Share::new("threshold", 0.5).unwrap(),
            ..DriftSettings::default()
        };
        check_error(
            &[february(), report("2024-03-31", settings)],
            "report on \"2024-03-31\" has the drift share threshold 0.5, expected 0.3 as in the report on \
             \"2024-02-29\"",
        );
    }

    #[test]
    fn a_history_survives_its_json() {
        let history = History::new(&[report("2024-02-29", DriftSettings::default())]).unwrap();
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
    }
}
