//! The `evidently` profile: which method Evidently 0.7 would take.

use crate::column::ColumnType;
use crate::methods::{Method, known};
use crate::observations::Observations;

/// Up to this many reference values Evidently tests, above it measures a distance.
const LAST_TESTED_LEN: u64 = 1000;
/// Numbers with at most this many distinct values on both sides are compared as categories.
const FEW_NUMBERS: usize = 5;

/// The automatic choice, from the cleaned reference length and the distinct values of both sides.
pub(crate) fn default_method(kind: ColumnType, seen: &Observations) -> &'static Method {
    let tested = seen.reference_len() <= LAST_TESTED_LEN;
    let distinct = seen.distinct();
    known(match (kind, tested) {
        (ColumnType::Text, true) => "perc_text_content_drift",
        (ColumnType::Text, false) => "abs_text_content_drift",
        (ColumnType::Numerical, true) if distinct > FEW_NUMBERS => "ks",
        (ColumnType::Numerical, false) if distinct > FEW_NUMBERS => "wasserstein",
        (_, true) if distinct > 2 => "chisquare",
        (_, true) => "z",
        (_, false) => "jensenshannon",
    })
}
