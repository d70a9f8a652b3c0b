//! The columns of two tables by name, and whether settings name columns that are there.

use streamflow_dataset::LeftOut;
use streamflow_drift::{ColumnType, DriftSettings};

use crate::error::Error;

/// The columns of two tables.
pub struct Names<'a> {
    /// Those of either that can be compared, in order.
    pub compared: &'a [String],
    /// The others of either, with the reason.
    pub left_out: Vec<&'a LeftOut>,
}

impl Names<'_> {
    /// A column that settings name must be on one side at least, and one that a test is asked of must be one that can be
    /// compared.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, settings: &DriftSettings) -> Result<(), Error> {
        let judged = settings.methods.keys().chain(settings.thresholds.keys()).chain(&settings.target);
        let typed = settings.types.iter().filter(|(_, column_type)| **column_type != ColumnType::Ignore);
        let judged: Vec<&String> = judged.chain(typed.map(|(name, _)| name)).collect();
        for name in judged.iter().copied().chain(settings.types.keys()).chain(&settings.entity) {
            if self.compared.contains(name) {
                continue;
            }
            match self.left_out.iter().find(|column| column.name == *name) {
                Some(column) if judged.contains(&name) => {
                    let reason = column.reason.to_string();
                    return Err(Error::NotCompared { name: name.clone(), reason });
                }
                Some(_) => {}
                None => {
                    let near = nearest(name, self.compared.iter().map(String::as_str));
                    return Err(Error::NoColumn { name: name.clone(), nearest: near.map(str::to_owned) });
                }
            }
        }
        Ok(())
    }
}

/// The candidate most like `word`, when one is alike enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
