//! Exemplars of points.

use super::message::Exemplar;
use super::translate::{milliseconds, number};
use super::value::text;
use crate::remote_write::{self, Label};

/// Most characters of an exemplar's labels, as OpenMetrics has it.
const EXEMPLAR_CHARACTERS_MAX: usize = 128;

/// None where the example has no value.
pub(super) fn exemplar(exemplar: &Exemplar) -> Option<remote_write::Exemplar> {
    let value = number(exemplar.as_double, exemplar.as_int)?;
    let identifiers = [("trace_id", &exemplar.trace_id), ("span_id", &exemplar.span_id)];
    let identifiers = identifiers.into_iter().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
    let mut labels: Vec<Label> = identifiers
        .map(|(name, bytes)| Label {
            name: name.to_owned(),
            value: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
        .collect();
    let attributes = exemplar.filtered_attributes.iter();
    let attributes: Vec<Label> =
        attributes.map(|pair| Label { name: pair.key.clone(), value: text(pair.value.as_ref()) }).collect();
    let characters = |label: &Label| label.name.chars().count() + label.value.chars().count();
    // The identifiers are worth more than the attributes.
    if labels.iter().chain(&attributes).map(characters).sum::<usize>() <= EXEMPLAR_CHARACTERS_MAX {
        labels.extend(attributes);
    }
    Some(remote_write::Exemplar { labels, value, timestamp: milliseconds(exemplar.time_unix_nano) })
}
