//! The engines for Python, as the module `streamflow_ml._native`.
//!
//! What it is: tables of Python as Arrow arrays, counted and compared by `streamflow-compare`, and the statistics of
//! `streamflow-stats` on arrays. What it is not: an interface for people. That is `streamflow_ml`, which is Python, names
//! every argument, and is all that calls this.
//!
//! Nothing panics into Python: what does is caught and becomes `InternalError`. The interpreter's lock is released while
//! tables are read and compared.

mod arrays;
mod error;
mod objects;
mod report;
mod settings;
mod stats;
mod table;
mod watch;

use pyo3::prelude::pymodule;

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::report::{History, Report, compare, history};
    #[pymodule_export]
    use super::stats::{
        chi2_contingency, distance_of_counts, distance_of_samples, false_discovery_control, fisher_exact,
        test_of_counts, test_of_samples,
    };
    #[pymodule_export]
    use super::table::{Profile, Table, profile};

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) {
        super::watch::hush_decoders();
    }
}
