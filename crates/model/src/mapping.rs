//! Columns that somebody names for features.

use streamflow_inference::Columns;

use crate::{Error, ImportedFeature};

/// The column that a mapping names for each feature; none where it names none. `of` is what the columns are of.
///
/// # Errors
/// [`Error::Mapping`] for a name that is none, a feature with two columns, and a column of two features.
pub fn mapped(
    features: &[&str],
    columns: &[&str],
    mapping: &[ImportedFeature],
    of: &'static str,
) -> Result<Vec<Option<usize>>, Error> {
    let by_name = Columns::new(columns);
    let mut given = vec![None; features.len()];
    for ImportedFeature { feature, column } in mapping {
        let wrong = |what: String| Error::Mapping {
            feature: feature.clone(),
            column: column.clone(),
            what,
            of,
            features: listed(features.iter().copied()).into(),
            columns: listed(columns.iter().copied()).into(),
        };
        let Some(at) = features.iter().position(|name| name == feature) else {
            return Err(wrong("a feature that the model does not have".to_owned()));
        };
        if given[at].is_some() {
            return Err(wrong("a feature that another mapping names too".to_owned()));
        }
        let Some(place) = by_name.find(column)? else {
            return Err(wrong(format!("a column that {of} does not have")));
        };
        if let Some(other) = given.iter().position(|taken| *taken == Some(place)) {
            return Err(wrong(format!("a column that the feature {} is taken from", features[other])));
        }
        given[at] = Some(place);
    }
    Ok(given)
}

/// The first names of a list.
pub(crate) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names.take(SHOWN).collect::<Vec<_>>().join(", ") + more
}
