//! Tables and their profiles.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use streamflow_compare::{self as compare, Given, Input, Options};
use streamflow_dataset::{CsvOptions, NamedTable, TableFile};
use streamflow_drift::TableProfile;

use crate::arrays;
use crate::error::{Class, Failure};
use crate::objects::GivenColumn;
use crate::watch::watched;

/// A table that can be read again and again.
#[pyclass(frozen, module = "streamflow_ml._native")]
pub struct Table {
    /// As error messages name it.
    what: String,
    contents: Contents,
}

enum Contents {
    Files(NamedTable),
    Batches(SchemaRef, Vec<RecordBatch>),
    Profile(TableProfile),
}

#[pymethods]
impl Table {
    /// What lies at a path, or what a glob matches: files, or one of a profile.
    #[staticmethod]
    fn of_path(path: &str) -> PyResult<Self> {
        let named = NamedTable::find(Path::new(path)).map_err(Failure::from)?;
        Ok(Table { what: path.to_owned(), contents: Contents::Files(named) })
    }

    /// What a capsule of `__arrow_c_stream__` streams.
    #[staticmethod]
    fn of_stream(py: Python<'_>, capsule: &Bound<'_, PyCapsule>, what: &str) -> PyResult<Self> {
        let (schema, batches) = arrays::batches(py, capsule, what)?;
        Ok(Table { what: what.to_owned(), contents: Contents::Batches(schema, batches) })
    }

    /// Columns one by one.
    #[staticmethod]
    fn of_columns(columns: Vec<GivenColumn<'_>>, what: &str) -> PyResult<Self> {
        let array = |column: &GivenColumn<'_>| Ok((column.name.clone(), column.array(what)?));
        let columns = columns.iter().map(array).collect::<PyResult<Vec<(String, ArrayRef)>>>()?;
        let batch = batch(columns, what)?;
        Ok(Table { what: what.to_owned(), contents: Contents::Batches(batch.schema(), vec![batch]) })
    }

    /// A profile in place of its table.
    #[staticmethod]
    fn of_profile(profile: &Profile, what: &str) -> Self {
        Table { what: what.to_owned(), contents: Contents::Profile(profile.0.clone()) }
    }
}

fn batch(columns: Vec<(String, ArrayRef)>, what: &str) -> Result<RecordBatch, Failure> {
    let rows = columns.first().map_or(0, |(_, array)| array.len());
    if let Some((name, array)) = columns.iter().find(|(_, array)| array.len() != rows) {
        let message = format!(
            "{what}, column {name}: it has {} rows, expected {rows} as in the columns before it",
            array.len()
        );
        return Err(Failure::of_column(Class::Table, name, message));
    }
    let field = |(name, array): &(String, ArrayRef)| Field::new(name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, arrays, &options)
        .map_err(|error| Failure::new(Class::Table, format!("{what}: {error}")))
}

impl Table {
    /// What the library compares. Arrays are shared.
    pub fn given(&self) -> Result<Given<'_>, Failure> {
        Ok(match &self.contents {
            Contents::Files(table) => Given::Files(Input { table, csv: CsvOptions::default() }),
            Contents::Batches(schema, batches) => {
                Given::Table(TableFile::from_batches(&self.what, Arc::clone(schema), batches.clone())?)
            }
            Contents::Profile(profile) => Given::Profile(profile.clone()),
        })
    }
}

/// Counts of a table's values.
#[pyclass(frozen, module = "streamflow_ml._native")]
pub struct Profile(TableProfile);

#[pymethods]
impl Profile {
    /// Reads what `to_json` wrote; `what` names where it is from.
    #[staticmethod]
    fn from_json(text: &str, what: &str) -> PyResult<Self> {
        let profile = TableProfile::from_json(text);
        Ok(Profile(profile.map_err(|error| Failure::new(Class::Table, format!("{what}: {error}")))?))
    }

    fn to_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_json())
    }

    fn merge(&self, other: &Profile) -> PyResult<Self> {
        Ok(Profile(self.0.clone().merge(other.0.clone()).map_err(Failure::from)?))
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[getter]
    fn columns(&self) -> Vec<String> {
        self.0.names().map(str::to_owned).collect()
    }
}

/// The profile of a table, and the columns that it leaves out with the reasons.
#[pyfunction]
pub fn profile(py: Python<'_>, table: &Table) -> PyResult<(Profile, Vec<(String, String)>)> {
    watched(py, |watch| {
        let options = Options { progress: Some(watch), ..Options::default() };
        let (profile, left_out) = compare::profile(table.given()?, options)?;
        let left_out = left_out.into_iter().map(|column| (column.name, column.reason.to_string()));
        Ok((Profile(profile), left_out.collect()))
    })
}
