//! Relabeling of labels as the store has them.

use streamflow_prometheus_yml::{LabelMap, Relabel, relabel};
use streamflow_tsdb::Labels;

/// The labels after the rules; `None` where the rules drop what has them.
pub fn relabeled(labels: &Labels, rules: &[Relabel]) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut map: LabelMap = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    relabel(&mut map, rules).then(|| Labels::new(&map))
}
