//! The arguments of a comparison.

use std::collections::BTreeMap;
use std::fmt::Display;

use pyo3::prelude::*;
use streamflow_drift::{DriftSettings, Method, Report, Share, Status};

use crate::error::{Class, Failure};

/// What was asked for, as `streamflow_ml` hands it over.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Arguments {
    profile: String,
    threshold: f64,
    untested: String,
    num_method: Option<String>,
    cat_method: Option<String>,
    methods: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
    thresholds: BTreeMap<String, f64>,
    entity: Vec<String>,
    target: Option<String>,
    reference_name: String,
    current_name: String,
}

fn wrong(argument: &str, reason: impl Display) -> Failure {
    Failure::new(Class::Settings, format!("{argument}: {reason}"))
}

fn method(argument: &str, name: &str) -> Result<&'static Method, Failure> {
    Method::find(name).map_err(|error| wrong(argument, error))
}

fn of_column<T>(
    argument: &str,
    column: &str,
    parsed: Result<T, impl Display>,
) -> Result<(String, T), Failure> {
    let wrong =
        |reason| Failure::of_column(Class::Settings, column, format!("{argument}[{column:?}]: {reason}"));
    Ok((column.to_owned(), parsed.map_err(wrong)?))
}

impl Arguments {
    /// The settings of the library.
    ///
    /// # Errors
    /// The first argument that says what cannot be.
    pub fn settings(&self) -> Result<DriftSettings, Failure> {
        let one = |argument: &str, name: &Option<String>| {
            name.as_deref().map(|name| method(argument, name)).transpose()
        };
        let methods =
            self.methods.iter().map(|(column, name)| of_column("methods", column, Method::find(name)));
        let types = self.types.iter().map(|(column, word)| of_column("types", column, word.parse()));
        let bound = |value: f64| {
            let fits = value.is_finite() && value > 0.0;
            if fits { Ok(value) } else { Err(format!("{value} is no threshold, expected a number over 0")) }
        };
        let thresholds =
            self.thresholds.iter().map(|(column, value)| of_column("thresholds", column, bound(*value)));
        Ok(DriftSettings {
            profile: self.profile.parse().map_err(|reason: String| wrong("profile", reason))?,
            drift_share_threshold: Share::new("threshold", self.threshold)?,
            untested: self.untested.parse().map_err(|reason: String| wrong("untested", reason))?,
            num_method: one("num_method", &self.num_method)?,
            cat_method: one("cat_method", &self.cat_method)?,
            methods: methods.collect::<Result<_, _>>()?,
            types: types.collect::<Result<_, _>>()?,
            thresholds: thresholds.collect::<Result<_, _>>()?,
            entity: self.entity.clone(),
            target: self.target.clone(),
            reference_name: self.reference_name.clone(),
            current_name: self.current_name.clone(),
            ..DriftSettings::default()
        })
    }
}

/// Refuses a report of nothing, and a method that is not for its column's type: the column would drop out of the verdict.
pub fn refuse_unfit(settings: &DriftSettings, report: &Report) -> Result<(), Failure> {
    if let Some(reasons) = report.nothing_tested() {
        let (reference, current) = (&report.reference.name, &report.current.name);
        let message = format!(
            "no column of {reference} and {current} could be tested, so there is no verdict: {reasons}"
        );
        return Err(Failure::new(Class::Table, message));
    }
    for (name, method) in &settings.methods {
        let Some(column) = report.column(name) else { continue };
        if column.status != Status::Tested && !method.columns.contains(&column.column_type) {
            let reason = column.reason.as_deref().unwrap_or("it cannot be tested");
            let message =
                format!("methods[{name:?}]: {} leaves the column without a test: {reason}", method.name);
            return Err(Failure::of_column(Class::Settings, name, message));
        }
    }
    Ok(())
}
