//! The rules, one row each.

use crate::cell::{Cell, date_text};
use crate::column_type::ColumnType;
use crate::snapshot::expectations::expectation::{Expectation, Scalar};
use crate::snapshot::fingerprint::{Entities, fingerprint};
use crate::snapshot::spec::TableSpec;

/// One rule.
pub struct Rule {
    /// Its name, Great Expectations' where that has the rule.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub doc: &'static str,
    /// The keys that it must have.
    pub required: &'static [&'static str],
    /// The keys that it may have.
    pub optional: &'static [&'static str],
    pub(crate) kind: Kind,
}

impl Rule {
    pub(crate) fn takes(&self, key: &str) -> bool {
        self.required.contains(&key) || self.optional.contains(&key)
    }
}

/// A test of one value: whether it is unexpected.
pub(crate) type Test<'a> = Box<dyn Fn(Cell<'_>) -> bool + 'a>;

/// How a rule is evaluated.
pub(crate) enum Kind {
    /// Value by value, missing ones left out.
    Present(for<'a> fn(&'a Expectation, &'a Entities) -> Test<'a>),
    /// Whether values are missing.
    NotNull,
    /// Whether values are repeated.
    Unique,
    /// From what is known of the table as a whole.
    Table(fn(&Expectation, &Facts) -> Observed),
}

/// What is known of a table after it was read.
pub(crate) struct Facts<'a> {
    pub(crate) rows: u64,
    pub(crate) header: &'a [String],
    pub(crate) spec: &'a TableSpec,
}

/// The answer of a rule about a table as a whole.
pub(crate) struct Observed {
    pub(crate) success: bool,
    pub(crate) value: serde_json::Value,
    /// Great Expectations' `details`, where it has them.
    pub(crate) details: Option<serde_json::Value>,
}

/// Every expectation there is.
pub static EXPECTATIONS: &[Rule] = &[
    Rule {
        name: "expect_table_columns_to_match_set",
        doc: "The file has exactly these columns, in any order (with exact_match = false: at least these).",
        required: &["column_set"],
        optional: &["exact_match"],
        kind: Kind::Table(columns_match),
    },
    Rule {
        name: "expect_table_row_count_to_be_between",
        doc: "The number of rows is within the bounds, which are allowed themselves.",
        required: &[],
        optional: &["min_value", "max_value"],
        kind: Kind::Table(row_count),
    },
    Rule {
        name: "expect_column_values_to_not_be_null",
        doc: "No value is missing.",
        required: &["column"],
        optional: &["mostly"],
        kind: Kind::NotNull,
    },
    Rule {
        name: "expect_column_values_to_be_between",
        doc: "Every present number or date is within the bounds, which are allowed themselves unless strict.",
        required: &["column"],
        optional: &["min_value", "max_value", "strict_min", "strict_max", "mostly"],
        kind: Kind::Present(between),
    },
    Rule {
        name: "expect_column_values_to_be_unique",
        doc: "No present value occurs twice; every occurrence of one that does is unexpected.",
        required: &["column"],
        optional: &["mostly"],
        kind: Kind::Unique,
    },
    Rule {
        name: "expect_column_values_to_be_in_set",
        doc: "Every present value is one of value_set.",
        required: &["column", "value_set"],
        optional: &["mostly"],
        kind: Kind::Present(in_set),
    },
    Rule {
        name: "expect_column_values_to_be_of_type",
        doc: "The column is of this type, given as in the configuration or as pandas names it.",
        required: &["column", "type_"],
        optional: &[],
        kind: Kind::Table(of_type),
    },
    Rule {
        name: "expect_column_values_to_exist_in_table",
        doc: "Every present value is an entity of the entity table in the same drop (a foreign key; not in Great Expectations).",
        required: &["column", "table"],
        optional: &["mostly"],
        kind: Kind::Present(exist_in_table),
    },
];

/// The rule of that name.
pub(crate) fn named(name: &str) -> Option<&'static Rule> {
    EXPECTATIONS.iter().find(|rule| rule.name == name)
}

fn columns_match(expectation: &Expectation, facts: &Facts) -> Observed {
    let mut expected: Vec<&String> = expectation.column_set.iter().flatten().collect();
    let mut found: Vec<&String> = facts.header.iter().collect();
    expected.sort();
    found.sort();
    let missing: Vec<_> = expected.iter().filter(|name| !found.contains(name)).collect();
    let unexpected: Vec<_> = found.iter().filter(|name| !expected.contains(name)).collect();
    let exact = expectation.exact_match.unwrap_or(true);
    let success = missing.is_empty() && (!exact || unexpected.is_empty());
    let mut mismatched = serde_json::Map::new();
    if !unexpected.is_empty() {
        mismatched.insert("unexpected".to_string(), serde_json::json!(unexpected));
    }
    if !missing.is_empty() {
        mismatched.insert("missing".to_string(), serde_json::json!(missing));
    }
    let details = (!mismatched.is_empty()).then(|| serde_json::json!({ "mismatched": mismatched }));
    Observed { success, value: serde_json::json!(found), details }
}

fn row_count(expectation: &Expectation, facts: &Facts) -> Observed {
    let rows = facts.rows as f64;
    let bound = |scalar: &Option<Scalar>| scalar.as_ref().and_then(Scalar::number);
    let success = bound(&expectation.min_value).is_none_or(|min| rows >= min)
        && bound(&expectation.max_value).is_none_or(|max| rows <= max);
    Observed { success, value: facts.rows.into(), details: None }
}

fn of_type(expectation: &Expectation, facts: &Facts) -> Observed {
    let column = expectation.column.as_ref().and_then(|column| facts.spec.columns.get(column));
    let found = column.map(|column| column.last().column_type);
    let expected = expectation.type_.as_deref().and_then(named_type);
    let value = found.map_or(serde_json::Value::Null, |found| found.name().into());
    Observed { success: found.is_some() && found == expected, value, details: None }
}

/// The type of that name, pandas' names included.
pub(crate) fn named_type(name: &str) -> Option<ColumnType> {
    match name {
        "string" | "str" | "object" => Some(ColumnType::String),
        "integer" | "int" | "int64" => Some(ColumnType::Integer),
        "float" | "float64" => Some(ColumnType::Float),
        "boolean" | "bool" => Some(ColumnType::Boolean),
        "date" | "datetime64" => Some(ColumnType::Date),
        _ => None,
    }
}

fn between<'a>(expectation: &'a Expectation, _: &'a Entities) -> Test<'a> {
    let min = expectation.min_value.as_ref().and_then(Scalar::number).unwrap_or(f64::NEG_INFINITY);
    let max = expectation.max_value.as_ref().and_then(Scalar::number).unwrap_or(f64::INFINITY);
    let strict_min = expectation.strict_min.unwrap_or(false) && expectation.min_value.is_some();
    let strict_max = expectation.strict_max.unwrap_or(false) && expectation.max_value.is_some();
    Box::new(move |cell| {
        let value = match cell {
            Cell::Integer(value) => value as f64,
            Cell::Float(value) => value,
            Cell::Date(days) => f64::from(days),
            Cell::Missing | Cell::Boolean(_) | Cell::Text(_) => return true,
        };
        value < min || value > max || (strict_min && value == min) || (strict_max && value == max)
    })
}

fn in_set<'a>(expectation: &'a Expectation, _: &'a Entities) -> Test<'a> {
    let allowed = expectation.value_set.as_deref().unwrap_or(&[]);
    Box::new(move |cell| !allowed.iter().any(|scalar| equals(scalar, cell)))
}

fn equals(scalar: &Scalar, cell: Cell<'_>) -> bool {
    match (scalar, cell) {
        (Scalar::Text(text), Cell::Text(value)) => text == value,
        (Scalar::Text(text), Cell::Date(days)) => *text == date_text(days),
        (Scalar::Boolean(expected), Cell::Boolean(value)) => *expected == value,
        (Scalar::Integer(expected), Cell::Integer(value)) => *expected == value,
        (Scalar::Integer(expected), Cell::Float(value)) => *expected as f64 == value,
        (Scalar::Float(expected), Cell::Integer(value)) => *expected == value as f64,
        (Scalar::Float(expected), Cell::Float(value)) => *expected == value,
        _ => false,
    }
}

fn exist_in_table<'a>(_: &'a Expectation, entities: &'a Entities) -> Test<'a> {
    Box::new(move |cell| !entities.contains(&fingerprint(cell)))
}
