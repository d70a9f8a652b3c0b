//! Comparisons, and what they are written as.

use pyo3::prelude::*;
use streamflow_compare::{Options, essentials};
use streamflow_drift as drift;

use crate::error::Failure;
use crate::settings::{Arguments, refuse_unfit};
use crate::table::Table;
use crate::watch::{Watch, watched};

/// What a comparison found.
#[pyclass(frozen, module = "streamflow_ml._native")]
pub struct Report(drift::Report);

#[pymethods]
impl Report {
    fn to_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_json())
    }

    fn to_html(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_html())
    }

    fn to_markdown(&self) -> String {
        self.0.to_markdown()
    }

    fn to_evidently(&self) -> String {
        self.0.to_evidently_json()
    }

    /// The columns that have drifted, in the order of the tables.
    #[getter]
    fn drifted(&self) -> Vec<String> {
        self.0.drifted().map(|column| column.name.clone()).collect()
    }

    #[getter]
    fn drift_share(&self) -> f64 {
        self.0.drift_share
    }

    #[getter]
    fn decision(&self) -> &'static str {
        self.0.decision.as_str()
    }
}

/// Reports side by side.
#[pyclass(frozen, module = "streamflow_ml._native")]
pub struct History(drift::History);

#[pymethods]
impl History {
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    fn to_html(&self) -> String {
        self.0.to_html()
    }

    fn to_markdown(&self) -> String {
        self.0.to_markdown()
    }

    /// The names of the tables for which retraining is due.
    #[getter]
    fn triggered(&self) -> Vec<String> {
        self.0.triggered().map(|month| month.current.name.clone()).collect()
    }
}

fn report(
    tables: [&Table; 2],
    settings: &drift::DriftSettings,
    whole_rows: bool,
    watch: &Watch,
) -> Result<drift::Report, Failure> {
    let given = [tables[0].given()?, tables[1].given()?];
    let options = Options { whole_rows, progress: Some(watch), ..Options::default() };
    let report = streamflow_compare::compare(given, settings.clone(), options, |settings, names| {
        names.check(settings)
    })?;
    refuse_unfit(settings, &report)?;
    Ok(report)
}

/// Compares a current table with a reference.
#[pyfunction]
pub fn compare(py: Python<'_>, reference: &Table, current: &Table, arguments: Arguments) -> PyResult<Report> {
    let settings = arguments.settings()?;
    watched(py, |watch| Ok(Report(report([reference, current], &settings, true, watch)?)))
}

/// Compares each of several tables, which have names, with a reference.
#[pyfunction]
pub fn history(
    py: Python<'_>,
    reference: &Table,
    currents: Vec<(String, Py<Table>)>,
    arguments: Arguments,
) -> PyResult<History> {
    let settings = arguments.settings()?;
    watched(py, |watch| {
        let reports = currents.iter().map(|(name, current)| {
            let settings = drift::DriftSettings { current_name: name.clone(), ..settings.clone() };
            Ok(essentials(report([reference, current.get()], &settings, false, watch)?))
        });
        let reports = reports.collect::<Result<Vec<_>, Failure>>()?;
        Ok(History(drift::History::new(&reports)?))
    })
}
