//! Two-sample statistics on arrays, by their names.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::prelude::*;
use streamflow_stats::{self as stats, Alternative, Error, Sample, TestResult, Variances};

use crate::arrays;
use crate::error::{Class, Failure};
use crate::watch::unlocked;

/// Statistic and p-value.
type Found = (f64, f64);

type SampleTest = fn(&Sample, &Sample) -> Result<TestResult, Error>;
type SampleDistance = fn(&Sample, &Sample) -> Result<f64, Error>;
type CountTest = fn(&[f64], &[f64]) -> Result<TestResult, Error>;
type CountDistance = fn(&[f64], &[f64]) -> Result<f64, Error>;

static SAMPLE_TESTS: [(&str, SampleTest); 9] = [
    ("anderson_ksamp", stats::anderson_ksamp),
    ("cramervonmises_2samp", stats::cramervonmises_2samp),
    ("epps_singleton_2samp", stats::epps_singleton_2samp),
    ("ks_2samp", stats::ks_2samp),
    ("mannwhitneyu two-sided", |x, y| stats::mannwhitneyu(x, y, Alternative::TwoSided)),
    ("mannwhitneyu less", |x, y| stats::mannwhitneyu(x, y, Alternative::Less)),
    ("mannwhitneyu greater", |x, y| stats::mannwhitneyu(x, y, Alternative::Greater)),
    ("ttest_ind equal", |x, y| stats::ttest_ind(x, y, Variances::Equal)),
    ("ttest_ind welch", |x, y| stats::ttest_ind(x, y, Variances::Unequal)),
];

static SAMPLE_DISTANCES: [(&str, SampleDistance); 4] = [
    ("cohens_d", stats::cohens_d),
    ("energy_distance", stats::energy_distance),
    ("standardized_wasserstein", stats::standardized_wasserstein),
    ("wasserstein_distance", stats::wasserstein_distance),
];

static COUNT_TESTS: [(&str, CountTest); 2] = [("chisquare", stats::chisquare), ("g_test", stats::g_test)];

static COUNT_DISTANCES: [(&str, CountDistance); 5] = [
    ("hellinger", stats::hellinger),
    ("jensenshannon", stats::jensenshannon),
    ("kl_div", stats::kl_div),
    ("psi", stats::psi),
    ("total_variation_distance", stats::total_variation_distance),
];

fn row<T: Copy>(rows: &[(&str, T)], name: &str) -> Result<T, Failure> {
    let found = rows.iter().find(|(other, _)| *other == name);
    found.map(|(_, function)| *function).ok_or_else(|| {
        Failure::new(Class::Settings, format!("there is no statistic {name:?}; look at streamflow_ml.stats"))
    })
}

fn pair(result: &TestResult) -> Found {
    (result.statistic, result.p_value)
}

/// The numbers of an object with the buffer protocol, read where they are.
fn floats(values: &Bound<'_, PyAny>, argument: &str) -> PyResult<ArrayRef> {
    let wrong =
        || Failure::new(Class::Statistics, format!("{argument} is no array of numbers; give it as float64"));
    Ok(arrays::numbers(values)?.ok_or_else(wrong)?)
}

fn to_floats(array: &ArrayRef) -> Vec<f64> {
    macro_rules! of {
        ($kind:ty) => {
            array.as_primitive::<$kind>().values().iter().map(|value| *value as f64).collect()
        };
    }
    match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => of!(Float32Type),
        DataType::Int8 => of!(Int8Type),
        DataType::Int16 => of!(Int16Type),
        DataType::Int32 => of!(Int32Type),
        DataType::Int64 => of!(Int64Type),
        DataType::UInt8 => of!(UInt8Type),
        DataType::UInt16 => of!(UInt16Type),
        DataType::UInt32 => of!(UInt32Type),
        _ => of!(UInt64Type),
    }
}

fn samples<T: Send>(
    [x, y]: [&Bound<'_, PyAny>; 2],
    statistic: impl FnOnce(&Sample, &Sample) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (left, right) = (floats(x, "the first sample")?, floats(y, "the second sample")?);
    unlocked(x.py(), || {
        let (left, right) = (Sample::new(to_floats(&left))?, Sample::new(to_floats(&right))?);
        Ok(statistic(&left, &right)?)
    })
}

/// A test of two samples, by its name.
#[pyfunction]
pub fn test_of_samples(name: &str, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<Found> {
    let test = row(&SAMPLE_TESTS, name)?;
    Ok(pair(&samples([x, y], test)?))
}

/// A distance of two samples, by its name.
#[pyfunction]
pub fn distance_of_samples(name: &str, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<f64> {
    let distance = row(&SAMPLE_DISTANCES, name)?;
    samples([x, y], distance)
}

fn counts<T: Send>(
    [x, y]: [&Bound<'_, PyAny>; 2],
    statistic: impl FnOnce(&[f64], &[f64]) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (left, right) = (floats(x, "the first list")?, floats(y, "the second list")?);
    unlocked(x.py(), || Ok(statistic(&to_floats(&left), &to_floats(&right))?))
}

/// A test of counts, by its name.
#[pyfunction]
pub fn test_of_counts(name: &str, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<Found> {
    let test = row(&COUNT_TESTS, name)?;
    Ok(pair(&counts([x, y], test)?))
}

/// A distance of shares, by its name.
#[pyfunction]
pub fn distance_of_counts(name: &str, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<f64> {
    let distance = row(&COUNT_DISTANCES, name)?;
    counts([x, y], distance)
}

/// Pearson's test of a table of two rows.
#[pyfunction]
pub fn chi2_contingency(py: Python<'_>, reference: Vec<u64>, current: Vec<u64>) -> PyResult<Found> {
    unlocked(py, || Ok(pair(&stats::chi2_contingency(&reference, &current)?)))
}

/// Fisher's test of a table of two rows and two columns.
#[pyfunction]
pub fn fisher_exact(py: Python<'_>, table: [[u64; 2]; 2]) -> PyResult<Found> {
    unlocked(py, || Ok(pair(&stats::fisher_exact(table)?)))
}

/// p-values after Benjamini–Hochberg.
#[pyfunction]
pub fn false_discovery_control(p_values: Vec<f64>) -> Vec<f64> {
    stats::benjamini_hochberg(&p_values)
}
