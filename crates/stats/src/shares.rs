//! Checks shared by the statistics of aligned counts.

use crate::error::Error;
use crate::sum::sum;

/// Totals of two aligned lists of counts or shares, each positive.
///
/// Refuses lists of different length, negative or non-finite entries, and a side without observations.
pub(crate) fn totals(reference: &[f64], current: &[f64]) -> Result<(f64, f64), Error> {
    require_aligned(reference.len(), current.len())?;
    Ok((total("reference", reference)?, total("current", current)?))
}

/// Refuses lists of different length.
pub(crate) fn require_aligned(reference: usize, current: usize) -> Result<(), Error> {
    if reference == current { Ok(()) } else { Err(Error::UnequalLengths { reference, current }) }
}

fn total(side: &'static str, counts: &[f64]) -> Result<f64, Error> {
    for (index, &value) in counts.iter().enumerate() {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::InvalidCount { side, index, value });
        }
    }
    let total = sum(counts.iter().copied());
    if total > 0.0 { Ok(total) } else { Err(Error::NoObservations { side }) }
}

/// Totals of two aligned lists of whole counts, each positive.
pub(crate) fn whole_totals(reference: &[u64], current: &[u64]) -> Result<(u64, u64), Error> {
    require_aligned(reference.len(), current.len())?;
    Ok((whole_total("reference", reference)?, whole_total("current", current)?))
}

fn whole_total(side: &'static str, counts: &[u64]) -> Result<u64, Error> {
    let limit = crate::Sample::MAX_ROWS;
    let total =
        counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)).filter(|total| *total <= limit);
    match total {
        None => Err(Error::TooManyRows { side, limit }),
        Some(0) => Err(Error::NoObservations { side }),
        Some(total) => Ok(total),
    }
}
