//! From columns to a report: a column at a time, or two tables at once.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::calibrated;
use crate::column::{Column, ColumnType, Kind};
use crate::column_type::column_type;
use crate::error::Error;
use crate::evidently;
use crate::explain;
use crate::methods::ScoreKind;
use crate::notes;
use crate::observations::{Observations, mantissa_bits};
use crate::quality::{Quality, RowFacts, TableQuality};
use crate::report::{
    ColumnReport, Dataset, Decision, EffectSize, MissingReport, NotTested, Report, SCHEMA_VERSION, Status,
    TargetDrift,
};
use crate::settings::{DriftSettings, RuleSet};
use crate::summary;
use crate::target::target_drift;

/// Compares two tables. Columns pair up by name, in the order of the reference, then those only the current side has.
/// Columns are independent and are compared on all processors; what rows say together is for the caller to tell
/// ([`Comparison::rows`]).
///
/// # Errors
/// Duplicate names, columns of unequal length on a side, invalid text codes; a side without rows, no common column.
/// What is wrong with one column (no values, a changed type) is in the report and not an error.
pub fn compare(reference: &[Column], current: &[Column], settings: &DriftSettings) -> Result<Report, Error> {
    let mut comparison = Comparison::new(settings.clone());
    comparison.columns(reference, current)?;
    comparison.finish()
}

fn index<'a>(columns: &'a [Column], side: &str) -> Result<HashMap<&'a str, &'a Column>, Error> {
    let mut by_name = HashMap::with_capacity(columns.len());
    for column in columns {
        if by_name.insert(column.name.as_str(), column).is_some() {
            return Err(Error::DuplicateColumn { name: column.name.clone(), side: side.to_owned() });
        }
    }
    Ok(by_name)
}

/// A comparison that takes one pair of columns after the other, so that only one pair need be in memory.
///
/// ```
/// use streamflow_drift::{Column, Comparison, DriftSettings};
/// let mut comparison = Comparison::new(DriftSettings::default());
/// for name in ["a", "b"] {
///     let reference = Column::float(name, (0..100).map(f64::from).collect());
///     let current = Column::float(name, (50..150).map(f64::from).collect());
///     comparison.column(Some(&reference), Some(&current))?;
/// }
/// assert_eq!(comparison.finish()?.drifted_columns, 2);
/// # Ok::<(), streamflow_drift::Error>(())
/// ```
#[derive(Debug)]
pub struct Comparison {
    settings: DriftSettings,
    names: HashSet<String>,
    common_columns: usize,
    reference: Dataset,
    current: Dataset,
    target_drift: Option<TargetDrift>,
    rows: [RowFacts; 2],
    columns: Vec<ColumnReport>,
}

/// What [`compare_column`] found; the verdicts of the calibrated profile need every column.
#[derive(Debug, Clone)]
pub struct ComparedColumn {
    report: ColumnReport,
    reference_rows: Option<usize>,
    current_rows: Option<usize>,
    target_drift: Option<TargetDrift>,
}

impl ComparedColumn {
    /// Adds a note that only the reader of the files can make.
    pub fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }
}

impl Comparison {
    /// An empty comparison.
    #[must_use]
    pub fn new(settings: DriftSettings) -> Self {
        let side = |name: &String| Dataset { name: name.clone(), rows: 0, columns: 0 };
        Self {
            reference: side(&settings.reference_name),
            current: side(&settings.current_name),
            settings,
            names: HashSet::new(),
            common_columns: 0,
            target_drift: None,
            rows: Default::default(),
            columns: Vec::new(),
        }
    }

    /// Compares some columns of both tables on all processors and adds them; pairs them up as [`compare`] does.
    ///
    /// # Errors
    /// As [`compare`], and a name that was added before.
    pub fn columns(&mut self, reference: &[Column], current: &[Column]) -> Result<(), Error> {
        let by_name = index(current, &self.settings.current_name)?;
        let in_reference = index(reference, &self.settings.reference_name)?;
        let both = reference.iter().map(|column| (Some(column), by_name.get(column.name.as_str()).copied()));
        let added = current.iter().filter(|column| !in_reference.contains_key(column.name.as_str()));
        let pairs: Vec<_> = both.chain(added.map(|column| (None, Some(column)))).collect();
        let compared: Vec<_> = pairs
            .par_iter()
            .map(|&(reference, current)| compare_column(reference, current, &self.settings))
            .collect();
        for column in compared {
            self.add(column?)?;
        }
        Ok(())
    }

    /// Compares one pair and adds it to the report; `None` where a side lacks the column.
    ///
    /// # Errors
    /// As [`compare_column`] and [`Comparison::add`].
    pub fn column(&mut self, reference: Option<&Column>, current: Option<&Column>) -> Result<(), Error> {
        let compared = compare_column(reference, current, &self.settings)?;
        self.add(compared)
    }

    /// Adds a pair compared elsewhere, with the same settings.
    ///
    /// # Errors
    /// A name that was there before, or a length that differs from the side's other columns.
    pub fn add(&mut self, compared: ComparedColumn) -> Result<(), Error> {
        let ComparedColumn { report, reference_rows, current_rows, target_drift } = compared;
        if self.names.contains(&report.name) {
            let side = if reference_rows.is_some() { &self.reference } else { &self.current };
            return Err(Error::DuplicateColumn { name: report.name, side: side.name.clone() });
        }
        self.common_columns += usize::from(reference_rows.is_some() && current_rows.is_some());
        for (side, rows) in [(&mut self.reference, reference_rows), (&mut self.current, current_rows)] {
            let Some(rows) = rows else { continue };
            if side.columns > 0 && side.rows != rows {
                let (side, expected) = (side.name.clone(), side.rows);
                return Err(Error::UnequalRows { name: report.name, side, rows, expected });
            }
            side.rows = rows;
            side.columns += 1;
        }
        self.names.insert(report.name.clone());
        self.target_drift = self.target_drift.take().or(target_drift);
        self.columns.push(report);
        Ok(())
    }

    /// Lists a column that a table has and the caller does not compare, with the reason. It counts for nothing; one that
    /// was added is left as it is.
    pub fn leave_out(&mut self, name: &str, reason: &str) {
        if self.names.insert(name.to_owned()) {
            let mut report = ColumnReport::untested(name, ColumnType::Ignore);
            report.status = Status::Ignored;
            report.reason = Some(reason.to_owned());
            self.columns.push(report);
        }
    }

    /// Tells what was seen of the rows of both tables.
    pub fn rows(&mut self, reference: RowFacts, current: RowFacts) {
        self.rows = [reference, current];
    }

    /// Gives the verdicts.
    ///
    /// # Errors
    /// A side without rows, or no column on both sides: nothing was looked at, so there is no verdict.
    pub fn finish(self) -> Result<Report, Error> {
        if let Some(side) =
            [&self.reference, &self.current].into_iter().find(|side| side.columns > 0 && side.rows == 0)
        {
            return Err(Error::NoRows { side: side.name.clone() });
        }
        if self.common_columns == 0 {
            return Err(Error::NoCommonColumn { reference: self.reference.name, current: self.current.name });
        }
        let Self { settings, reference, current, target_drift, rows, mut columns, .. } = self;
        if settings.profile == RuleSet::Calibrated {
            calibrated::decide(&mut columns);
        }
        for column in &mut columns {
            column.explanation = explain::explain(column);
        }
        let tested_columns = columns.iter().filter(|column| column.status == Status::Tested).count();
        let drifted_columns = columns.iter().filter(|column| column.drifted).count();
        let not_tested: Vec<NotTested> =
            columns.iter().filter_map(|column| not_tested(column, &settings)).collect();
        let judged_columns = tested_columns + not_tested.iter().filter(|column| column.counted).count();
        let drift_share = drifted_columns as f64 / judged_columns.max(1) as f64;
        let triggered = judged_columns > 0 && drift_share >= settings.drift_share_threshold.get();
        let [of_reference, of_current] = rows;
        let quality = Quality {
            reference: TableQuality::of(&columns, |column| column.reference.as_ref(), of_reference),
            current: TableQuality::of(&columns, |column| column.current.as_ref(), of_current),
        };
        Ok(Report {
            schema_version: SCHEMA_VERSION,
            profile: settings.profile,
            reference,
            current,
            decision: if triggered { Decision::RetrainingTriggered } else { Decision::NoAction },
            drift_share,
            drift_share_threshold: settings.drift_share_threshold.get(),
            drifted_columns,
            tested_columns,
            not_tested,
            target_drift,
            quality: Some(quality),
            weighted: None,
            target_change: None,
            columns,
        })
    }
}

/// The column's place among those without a test; none where it was tested or left out by choice.
fn not_tested(column: &ColumnReport, settings: &DriftSettings) -> Option<NotTested> {
    (column.status != Status::Tested && !is_left_out(&column.name, settings)).then(|| NotTested {
        column: column.name.clone(),
        reason: column.reason.clone().unwrap_or_default(),
        counted: column.drifted,
    })
}

/// Compares one pair of columns; pure, so that callers may run it on any thread.
///
/// # Errors
/// No column on either side, two different names, or a text code past its levels.
pub fn compare_column(
    reference: Option<&Column>,
    current: Option<&Column>,
    settings: &DriftSettings,
) -> Result<ComparedColumn, Error> {
    for column in [reference, current].into_iter().flatten() {
        column.validate()?;
    }
    let mut report = match (reference, current) {
        (Some(reference), Some(current)) if reference.name != current.name => {
            return Err(Error::NameMismatch {
                reference: reference.name.clone(),
                current: current.name.clone(),
            });
        }
        (Some(reference), Some(current)) => both_sides(reference, current, settings),
        (Some(column), None) => one_side(column, &settings.reference_name, settings),
        (None, Some(column)) => one_side(column, &settings.current_name, settings),
        (None, None) => return Err(Error::NoColumn),
    };
    // A share of missing values, which is tested of any column, says nothing of values that cannot be compared.
    if let Some(reference) = reference
        && (report.status != Status::Tested || settings.counts_untested())
        && !is_left_out(&report.name, settings)
        && is_lost(reference, current, report.column_type, settings)
    {
        report.status = Status::NotComputable;
        report.drifted = settings.counts_untested();
    }
    let target = reference.zip(current).filter(|(column, _)| settings.target.as_ref() == Some(&column.name));
    Ok(ComparedColumn {
        report,
        reference_rows: reference.map(Column::rows),
        current_rows: current.map(Column::rows),
        target_drift: target.and_then(|(reference, current)| target_drift(reference, current)),
    })
}

fn one_side(column: &Column, side: &str, settings: &DriftSettings) -> ColumnReport {
    let mut report = ColumnReport::untested(&column.name, column_type(column, column, settings));
    report.reason = Some(format!("only in {side}"));
    if is_left_out(&column.name, settings) {
        report.status = Status::Ignored;
    }
    let summary = Some(summary::side_alone(column));
    if side == settings.reference_name {
        report.reference = summary
    } else {
        report.current = summary
    }
    report
}

/// Tells whether somebody chose not to test the column.
fn is_left_out(name: &str, settings: &DriftSettings) -> bool {
    is_key(name, settings) || settings.types.get(name) == Some(&ColumnType::Ignore)
}

fn is_key(name: &str, settings: &DriftSettings) -> bool {
    settings.profile == RuleSet::Calibrated && settings.entity.iter().any(|of_key| of_key == name)
}

/// Tells whether the reference alone could be tested and the pair cannot: the current table lacks the column, has no
/// value of it or values of another type.
fn is_lost(reference: &Column, current: Option<&Column>, kind: ColumnType, settings: &DriftSettings) -> bool {
    let testable = |reference: &Column, current: &Column, kind| {
        current.present() > 0 && Observations::new(reference, current, kind).is_ok()
    };
    testable(reference, reference, column_type(reference, reference, settings))
        && !current.is_some_and(|current| testable(reference, current, kind))
}

fn both_sides(reference: &Column, current: &Column, settings: &DriftSettings) -> ColumnReport {
    let kind = column_type(reference, current, settings);
    let mut report = ColumnReport::untested(&reference.name, kind);
    report.reference = Some(summary::side_alone(reference));
    report.current = Some(summary::side_alone(current));
    let ignored = if is_key(&reference.name, settings) {
        Some("the entity key is not a feature")
    } else if is_left_out(&reference.name, settings) {
        Some("declared as ignored")
    } else if kind == ColumnType::Ignore
        && [reference, current].iter().any(|column| column.kind() == Kind::Boolean)
    {
        Some("booleans with missing values are left out, as Evidently does")
    } else if kind == ColumnType::Ignore {
        Some("dates are not tested")
    } else {
        None
    };
    if let Some(reason) = ignored {
        report.status = Status::Ignored;
        report.reason = Some(reason.to_owned());
        return report;
    }
    if let Err(reason) = values(&mut report, reference, current, settings) {
        report.reason = Some(reason);
    }
    missing(&mut report, reference, current, settings.profile);
    report.notes.extend(notes::of_columns(reference, current));
    report
}

/// Tests the values; the reason when they cannot be.
fn values(
    report: &mut ColumnReport,
    reference: &Column,
    current: &Column,
    settings: &DriftSettings,
) -> Result<(), String> {
    for (column, side) in [(reference, &settings.reference_name), (current, &settings.current_name)] {
        if column.present() == 0 {
            return Err(format!("no values in {side}"));
        }
    }
    let kind = report.column_type;
    let asked = settings.method(&report.name, kind);
    if let Some(method) = asked {
        method.accept(kind)?;
    }
    let seen = Observations::new(reference, current, kind)?;
    if kind == ColumnType::Numerical {
        report.notes.extend(notes::of_rounding(mantissa_bits(reference, current)));
    }
    if kind == ColumnType::Text {
        report.notes.extend(notes::of_many_texts(reference, current));
    }
    let (reference, current) = summary::sides(reference, current, &seen);
    (report.reference, report.current) = (Some(reference), Some(current));
    report.distribution = Some(summary::distribution(&seen));
    report.explanation = explain::disjoint(&seen);
    report.notes.extend(notes::of_values(&seen));
    let own_threshold = settings.thresholds.get(&report.name).copied();
    match settings.profile {
        RuleSet::Calibrated => calibrated::measure(report, &seen, asked, own_threshold)?,
        RuleSet::Evidently => {
            let method = asked.unwrap_or_else(|| evidently::default_method(kind, &seen));
            let score = (method.score)(&seen)?;
            let value = Some(score.value).filter(|value| value.is_finite());
            report.method = Some(method.name.to_owned());
            report.score_kind = Some(method.score_kind);
            report.score = value;
            report.threshold = Some(own_threshold.unwrap_or(method.threshold));
            let threshold = own_threshold.or(score.critical).unwrap_or(method.threshold);
            match method.score_kind {
                ScoreKind::PValue => report.p_value = value,
                ScoreKind::Distance | ScoreKind::RocAuc => {
                    report.effect_size = Some(EffectSize { name: method.name.to_owned(), value, threshold });
                }
            }
            report.drifted = method.drifted_if.holds(score.value, threshold);
        }
    }
    report.status = Status::Tested;
    Ok(())
}

/// Compares the missing shares. In the calibrated profile this is a test of its own, and enough of one where only the
/// current side has values.
fn missing(report: &mut ColumnReport, reference: &Column, current: &Column, profile: RuleSet) {
    if reference.rows() == 0 || current.rows() == 0 {
        return;
    }
    let share = |column: &Column| (column.rows() - column.present()) as f64 / column.rows() as f64;
    let p_value = match profile {
        RuleSet::Calibrated if current.present() > 0 => {
            calibrated::missing_test(reference, current).ok().flatten()
        }
        RuleSet::Calibrated | RuleSet::Evidently => None,
    };
    if p_value.is_some() {
        report.status = Status::Tested;
    }
    report.missing = Some(MissingReport {
        reference_share: share(reference),
        current_share: share(current),
        p_value,
        adjusted_p_value: None,
        threshold: calibrated::MISSING_SHARE_THRESHOLD,
        drifted: false,
    });
}

impl ColumnReport {
    fn untested(name: &str, column_type: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            column_type,
            status: Status::NotComputable,
            reason: None,
            drifted: false,
            explanation: String::new(),
            method: None,
            score_kind: None,
            score: None,
            threshold: None,
            p_value: None,
            adjusted_p_value: None,
            effect_size: None,
            missing: None,
            notes: Vec::new(),
            reference: None,
            current: None,
            distribution: None,
        }
    }
}
