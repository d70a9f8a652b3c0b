//! What can be wrong with a configured expectation.

use crate::problem::nearest;
use crate::snapshot::expectations::expectation::{Expectation, Scalar};
use crate::snapshot::expectations::rules::{self, EXPECTATIONS};
use crate::snapshot::spec::TableSpec;

/// What is wrong with an expectation of a table, in words.
pub(crate) fn of_expectation(
    expectation: &Expectation,
    name: &str,
    table: &TableSpec,
    entity_table: &str,
) -> Vec<String> {
    let Some(rule) = rules::named(&expectation.expect) else {
        let names = EXPECTATIONS.iter().map(|rule| rule.name);
        let hint = nearest(&expectation.expect, names.clone()).map_or_else(
            || format!("; expected one of {}", names.collect::<Vec<_>>().join(", ")),
            |name| format!("; did you mean {name:?}?"),
        );
        return vec![format!("expect = {:?} is not an expectation{hint}", expectation.expect)];
    };
    let mut problems = Vec::new();
    let kwargs = expectation.kwargs();
    for key in rule.required.iter().filter(|key| !kwargs.contains_key(**key)) {
        problems.push(format!("{} needs {key}", rule.name));
    }
    for key in kwargs.keys().filter(|key| !rule.takes(key)) {
        let keys: Vec<&str> = rule.required.iter().chain(rule.optional).copied().collect();
        problems.push(format!("{} does not take {key}; it takes {}", rule.name, keys.join(", ")));
    }
    if rule.takes("min_value") && expectation.min_value.is_none() && expectation.max_value.is_none() {
        problems.push(format!("{} needs min_value or max_value", rule.name));
    }
    if let Some(mostly) = expectation.mostly
        && !(0.0..=1.0).contains(&mostly)
    {
        problems.push(format!("mostly = {mostly} is not a share; expected 0 to 1"));
    }
    if let Some(referred) = &expectation.table
        && referred != entity_table
    {
        problems.push(format!(
            "table = {referred:?} is not the entity table; only {entity_table:?} can be referred to"
        ));
    }
    if expectation.table.is_some() && name == entity_table {
        problems
            .push(format!("the entity table cannot refer to itself; use {} in the other tables", rule.name));
    }
    problems.extend(value_problems(expectation, table));
    problems
}

fn value_problems(expectation: &Expectation, table: &TableSpec) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(name) = &expectation.type_
        && rules::named_type(name).is_none()
    {
        problems.push(format!(
            "type_ = {name:?} is not a type; expected string, integer, float, boolean or date"
        ));
    }
    if let (Some(min), Some(max)) = (&expectation.min_value, &expectation.max_value)
        && let (Some(low), Some(high)) = (min.number(), max.number())
        && low > high
    {
        problems.push("min_value is greater than max_value".to_string());
    }
    let Some(column) = &expectation.column else {
        for (key, bound) in bounds(expectation) {
            if !matches!(bound, Scalar::Integer(0..)) {
                problems.push(format!("{key} is not a number of rows; expected 0 or more"));
            }
        }
        return problems;
    };
    let Some(spec) = table.columns.get(column) else {
        let hint = nearest(column, table.columns.keys().map(String::as_str));
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
        problems.push(format!("column = {column:?} is not a column of this table{hint}"));
        return problems;
    };
    let spec = spec.last();
    let name = spec.column_type.name();
    for (key, bound) in bounds(expectation) {
        if bound.number().is_none() || !bound.fits(spec.column_type) {
            problems.push(format!("{key} does not compare with {column}, which is {name}"));
        }
    }
    for value in expectation.value_set.iter().flatten().filter(|value| !value.fits(spec.column_type)) {
        let value = serde_json::to_string(value).unwrap_or_default();
        problems.push(format!("value_set has {value}, but {column} is {name}"));
    }
    problems
}

fn bounds(expectation: &Expectation) -> impl Iterator<Item = (&'static str, &Scalar)> {
    let bounds = [("min_value", &expectation.min_value), ("max_value", &expectation.max_value)];
    bounds.into_iter().filter_map(|(key, bound)| Some((key, bound.as_ref()?)))
}
