//! Every ingested month after a reference compared with it: the history of drift.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use streamflow_compare::{drift_columns, essentials};
use streamflow_dataset::{Period, PointInTime, Snapshots};
use streamflow_drift::{Decision, DriftSettings, History};

use super::labels::with_label;
use super::settings::{Rules, settings};
use crate::config::ColumnRules;
use crate::terminal::table;

/// The months to compare and how.
#[derive(Debug, Clone)]
pub struct HistoryRequest {
    /// The month every later one is compared with; the first snapshot when none is named.
    pub reference: Option<Period>,
    pub rules: Rules,
    pub columns: BTreeMap<String, ColumnRules>,
}

/// Compares every snapshot after the reference with it, under the settings of `streamflow monitor`.
///
/// Memory holds, at any time, the reference table, one current table and the reports so far without their drawings.
///
/// # Errors
/// A reference that was not ingested, no snapshot after it, or what reading and comparing return.
pub fn compare(
    snapshots: &Snapshots,
    request: &HistoryRequest,
    progress: &ProgressBar,
) -> anyhow::Result<History> {
    let dates: Vec<Period> = snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect();
    let (reference, later) = months(&dates, request.reference)?;
    let read = |as_of: Period| {
        let frame = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
        with_label(frame, &snapshots.spec().label)
    };

    progress.set_length(later.len() as u64);
    let frame = read(reference).with_context(|| format!("cannot read the reference {reference}"))?;
    let mut settings = DriftSettings {
        reference_name: reference.to_string(),
        ..settings(snapshots.spec(), &frame, request.rules, &request.columns)
    };
    let reference = drift_columns(frame);

    let mut reports = Vec::with_capacity(later.len());
    for month in later {
        progress.set_message(format!("comparing {month}"));
        settings.current_name = month.to_string();
        let current = drift_columns(read(*month).with_context(|| format!("cannot read {month}"))?);
        reports.push(essentials(streamflow_drift::compare(&reference, &current, &settings)?));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(History::new(&reports)?)
}

/// The reference and the dates after it. Dates come ascending.
fn months(dates: &[Period], reference: Option<Period>) -> anyhow::Result<(Period, &[Period])> {
    let Some(&first) = dates.first() else {
        bail!("no snapshot was ingested; a history needs two, see streamflow ingest");
    };
    let reference = reference.unwrap_or(first);
    let Some(place) = dates.iter().position(|&date| date == reference) else {
        let known = dates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        bail!("no snapshot as of {reference}; expected one of {known}");
    };
    match &dates[place + 1..] {
        [] => bail!("no snapshot after {reference}; a history needs one at least, see streamflow ingest"),
        later => Ok((reference, later)),
    }
}

/// A row per month or file, as the terminal shows it.
pub fn text(history: &History) -> String {
    let unit = history.unit();
    let mut rows = table([unit.to_uppercase().as_str(), "ROWS", "DRIFT SHARE", "DECISION", "DRIFTED"]);
    for (place, month) in history.months.iter().enumerate() {
        let drifted: Vec<&str> = history.drifted_in(place).map(|column| column.name.as_str()).collect();
        rows.add_row([
            month.current.name.clone(),
            month.current.rows.to_string(),
            format!("{:.2}", month.drift_share),
            month.decision.as_str().to_owned(),
            if drifted.is_empty() { "-".to_owned() } else { drifted.join(", ") },
        ]);
    }
    let due = history.months.iter().filter(|month| month.decision == Decision::RetrainingTriggered).count();
    format!(
        "{rows}\n\nreference {} ({} rows): {} in {due} of {} {unit}s (threshold {:.2})",
        history.reference.name,
        history.reference.rows,
        Decision::RetrainingTriggered.as_str(),
        history.months.len(),
        history.drift_share_threshold,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dates: &[&str], reference: Option<&str>, expected: Result<(&str, usize), &str>) {
        let date = |text: &str| text.parse::<Period>().unwrap();
        let dates: Vec<Period> = dates.iter().map(|text| date(text)).collect();
        match (months(&dates, reference.map(date)), expected) {
            (Ok((first, later)), Ok(expected)) => {
                assert_eq!((first, later.len()), (date(expected.0), expected.1))
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn months_are_those_after_the_reference() {
        let dates = ["2024-01-31", "2024-02-29", "2024-03-31"];
        check(&dates, None, Ok(("2024-01-31", 2)));
        check(&dates, Some("2024-02-29"), Ok(("2024-02-29", 1)));
        check(&dates, Some("2024-03-31"), Err("no snapshot after 2024-03-31"));
        check(&dates, Some("2024-02-28"), Err("expected one of 2024-01-31, 2024-02-29, 2024-03-31"));
        check(&dates[..1], None, Err("no snapshot after 2024-01-31"));
        check(&[], None, Err("no snapshot was ingested"));
    }
}
