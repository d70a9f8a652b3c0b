//! `label_replace` and `label_join`.

use streamflow_gotext::Regex;
use streamflow_tsdb::{Labels, METRIC_NAME};

use crate::error::Error;
use crate::eval::grid::{Grid, Node, merge_same_labels};
use crate::eval::{RunningQuery, string_argument};
use crate::function::Call;
use crate::parser::{answered, is_utf8};

/// `label_replace(v, dst, replacement, src, regex)`
pub(super) fn label_replace(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [_, destination, replacement, source, pattern] = call.args else {
        return Err(call.wrong_arguments());
    };
    let destination = string_argument(destination)?;
    let (replacement, source) = (answered(string_argument(replacement)?), string_argument(source)?);
    let pattern = string_argument(pattern)?;
    let regex = Regex::anchored(pattern)
        .map_err(|_| Error::Execution(format!("invalid regular expression in label_replace(): {pattern}")))?;
    check_label_name(destination, "destination", "label_replace")?;
    set_labels(query, call, grid, destination, |labels| {
        let captures = regex.captures(labels.get(source).unwrap_or_default())?;
        Some(captures.expand(&replacement))
    })
}

/// `label_join(v, dst, separator, src…)`
pub(super) fn label_join(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let [_, destination, separator, sources @ ..] = call.args else { return Err(call.wrong_arguments()) };
    let (destination, separator) = (string_argument(destination)?, answered(string_argument(separator)?));
    let sources = sources.iter().map(string_argument).collect::<Result<Vec<_>, _>>()?;
    for source in &sources {
        check_label_name(source, "source", "label_join")?;
    }
    check_label_name(destination, "destination", "label_join")?;
    set_labels(query, call, grid, destination, |labels| {
        let values: Vec<&str> = sources.iter().map(|source| labels.get(source).unwrap_or_default()).collect();
        Some(values.join(&separator))
    })
}

/// Any text names a label, but not the empty one nor what the parser made of bytes that are no text.
fn check_label_name(name: &str, role: &str, function: &str) -> Result<(), Error> {
    if name.is_empty() || !is_utf8(name) {
        return Err(Error::Execution(format!(
            "invalid {role} label name in {function}(): {}",
            answered(name)
        )));
    }
    Ok(())
}

/// Sets a label of each series to what `value` gives; `None` leaves the series as it is.
fn set_labels(
    query: &RunningQuery,
    call: &Call,
    grid: Grid,
    destination: &str,
    value: impl Fn(&Labels) -> Option<String>,
) -> Result<Node, Error> {
    let mut rows = query.rows(&call.args[0], grid)?;
    for row in &mut rows {
        let Some(value) = value(&row.labels) else { continue };
        row.labels = if value.is_empty() {
            row.labels.without(&[destination])
        } else {
            row.labels.with(destination, &value)
        };
        row.drop_name &= destination != METRIC_NAME;
    }
    merge_same_labels(rows).map(Node::Vector)
}
