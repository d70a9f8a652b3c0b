//! The type of an undeclared column.

use std::collections::HashSet;

use crate::column::{Column, ColumnType, Kind, MISSING, Values};
use crate::settings::{DriftSettings, RuleSet};

/// Evidently takes whole numbers with at most this many distinct values as categories.
const EVIDENTLY_INTEGER_CATEGORIES: usize = 10;
/// Whole numbers have an order, which the calibrated profile uses unless there are only two.
const CALIBRATED_INTEGER_CATEGORIES: usize = 2;

/// Declared types win; then decimal → numerical; whole numbers with few distinct values → categorical, else
/// numerical; truth values → categorical; strings with more than half of the present values distinct → text, else
/// categorical; dates → ignore.
///
/// Under the calibrated profile inference looks at the side with more values, the reference when both have as many: a
/// few rows or a set of new labels do not make free text of categories. Truth values beside numbers make categories.
/// Under Evidently it looks at the current side, as Evidently does, or at the reference when that side has no value;
/// a column of whole numbers with missing values is decimal, because pandas makes it so, and truth values with missing
/// ones are left out, because Evidently knows no type of them.
pub(crate) fn column_type(reference: &Column, current: &Column, settings: &DriftSettings) -> ColumnType {
    if let Some(&declared) = settings.types.get(&current.name) {
        return declared;
    }
    let truths = |one: &Column, other: &Column| {
        one.kind() == Kind::Boolean && matches!(other.kind(), Kind::Integer | Kind::Float)
    };
    let calibrated = settings.profile == RuleSet::Calibrated;
    if calibrated && (truths(reference, current) || truths(current, reference)) {
        return ColumnType::Categorical;
    }
    let of_reference = match settings.profile {
        RuleSet::Calibrated => reference.present() >= current.present(),
        RuleSet::Evidently => current.present() == 0,
    };
    let column = if of_reference { reference } else { current };
    match column.kind() {
        Kind::Float => ColumnType::Numerical,
        // To pandas, truth values of which some are missing are objects, and to Evidently those are of no type.
        Kind::Boolean if !calibrated && column.present() < column.rows() => ColumnType::Ignore,
        Kind::Boolean => ColumnType::Categorical,
        Kind::Date => ColumnType::Ignore,
        Kind::Integer => {
            let (limit, decimal) = match settings.profile {
                RuleSet::Evidently => (EVIDENTLY_INTEGER_CATEGORIES, column.present() < column.rows()),
                RuleSet::Calibrated => (CALIBRATED_INTEGER_CATEGORIES, false),
            };
            let few = !decimal && distinct(column, limit).is_some_and(|distinct| distinct <= limit);
            if few { ColumnType::Categorical } else { ColumnType::Numerical }
        }
        // Strings too many for a profile to keep cannot be tested, whichever they are.
        Kind::Text => match distinct(column, usize::MAX) {
            Some(distinct) if distinct <= column.present() / 2 => ColumnType::Categorical,
            _ => ColumnType::Text,
        },
    }
}

/// Different whole numbers or strings; counting stops after `limit`. None when a profile does not know.
fn distinct(column: &Column, limit: usize) -> Option<usize> {
    match &column.values {
        Values::Integer(values) => {
            let mut seen = HashSet::new();
            // The last one taken is the first beyond the limit.
            values.iter().flatten().find(|&value| seen.insert(value) && seen.len() > limit);
            Some(seen.len())
        }
        Values::Text { codes, levels } => {
            let mut used = vec![false; levels.len()];
            codes.iter().filter(|&&code| code != MISSING).for_each(|&code| used[code as usize] = true);
            let used = levels.iter().zip(used).filter(|(_, used)| *used);
            Some(used.map(|(level, _)| level.as_str()).collect::<HashSet<_>>().len())
        }
        Values::Counted(profile) => profile.distinct(),
        Values::Float(_) | Values::Boolean(_) | Values::Date(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(column: &Column, evidently: ColumnType, calibrated: ColumnType) {
        for (profile, expected) in [(RuleSet::Evidently, evidently), (RuleSet::Calibrated, calibrated)] {
            let settings = DriftSettings { profile, ..DriftSettings::default() };
            assert_eq!(column_type(column, column, &settings), expected, "{profile:?} {column:?}");
        }
    }

    #[test]
    fn types_are_inferred() {
        use ColumnType::{Categorical, Ignore, Numerical, Text};
        let integers = |distinct: i64, missing: bool| {
            let missing = if missing { vec![None] } else { vec![] };
            Column::integer("x", (0..40).map(|i| Some(i % distinct)).chain(missing).collect())
        };
        check(&integers(10, false), Categorical, Numerical);
        check(&integers(11, false), Numerical, Numerical);
        check(&integers(2, false), Categorical, Categorical);
        check(&integers(2, true), Numerical, Categorical);
        check(&Column::float("x", vec![1.0, 1.0]), Numerical, Numerical);
        check(&Column::boolean("x", vec![Some(true)]), Categorical, Categorical);
        check(&Column::boolean("x", vec![Some(true), None]), Ignore, Categorical);
        check(&Column::text("x", &[Some("a"), Some("b"), Some("a"), Some("a")]), Categorical, Categorical);
        check(&Column::text("x", &[Some("a"), Some("b"), Some("a"), None]), Text, Text);
        check(&Column { name: "x".into(), values: Values::Date(vec![Some(0)]) }, Ignore, Ignore);
    }

    #[test]
    fn the_larger_side_gives_the_type() {
        let labels = |rows: usize, of: &str| {
            Column::text("x", &(0..rows).map(|i| Some(format!("{of}{}", i % 7))).collect::<Vec<_>>())
        };
        let (many, few) = (labels(600, "old"), labels(7, "new"));
        let mut settings = DriftSettings::default();
        for (reference, current) in [(&many, &few), (&few, &many)] {
            assert_eq!(column_type(reference, current, &settings), ColumnType::Categorical);
        }
        let truth = Column::boolean("x", vec![Some(true)]);
        let digit = Column::integer("x", vec![Some(0), Some(1), Some(0)]);
        assert_eq!(column_type(&digit, &truth, &settings), ColumnType::Categorical);
        settings.profile = RuleSet::Evidently;
        assert_eq!(column_type(&many, &few, &settings), ColumnType::Text);
    }

    #[test]
    fn declared_types_win() {
        let settings =
            DriftSettings { types: [("x".into(), ColumnType::Text)].into(), ..DriftSettings::default() };
        let column = Column::float("x", vec![1.0]);
        assert_eq!(column_type(&column, &column, &settings), ColumnType::Text);
    }
}
