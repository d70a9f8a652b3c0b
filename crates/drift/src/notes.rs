//! What a reader should know of a column beside its scores.

use crate::column::{Column, Kind};
use crate::format::{count, list, number, percent};
use crate::observations::{Counts, MOST_TEXTS, Observations};
use crate::profile::MAX_DISTINCT;
use crate::profile::rounding::ALL_BITS;

/// Labels named in a note; more are only counted.
pub(crate) const NAMED: usize = 10;

/// Notes on the cleaned values.
pub(crate) fn of_values(seen: &Observations) -> Vec<String> {
    match seen {
        Observations::Numerical(numbers) => {
            constants([&numbers.reference, &numbers.current].map(|side| side.distinct() == 1))
        }
        Observations::Categorical(counts) => {
            let constant = |side: &[u64]| side.iter().filter(|&&n| n > 0).count() == 1;
            let mut notes = constants([&counts.reference, &counts.current].map(|side| constant(side)));
            notes.extend(only_on_one_side(counts, &counts.current, &counts.reference, "new in current"));
            notes.extend(only_on_one_side(counts, &counts.reference, &counts.current, "gone from current"));
            notes
        }
        Observations::Text(_) => Vec::new(),
    }
}

fn constants([reference, current]: [bool; 2]) -> Vec<String> {
    let sides = match (reference, current) {
        (true, true) => "both sides",
        (true, false) => "reference",
        (false, true) => "current",
        (false, false) => return Vec::new(),
    };
    vec![format!("constant in {sides}")]
}

fn only_on_one_side(counts: &Counts, here: &[u64], there: &[u64], words: &str) -> Option<String> {
    let found: Vec<usize> = (0..here.len()).filter(|&i| here[i] > 0 && there[i] == 0).collect();
    if found.is_empty() {
        return None;
    }
    let rows: u64 = found.iter().map(|&i| here[i]).sum();
    let share = rows as f64 / here.iter().sum::<u64>() as f64;
    let names: Vec<&str> = found.iter().map(|&i| counts.labels[i].as_str()).collect();
    Some(format!("{words}: {} ({} of rows)", list(&names, NAMED), percent(share)))
}

/// A note on numbers that were compared on the grid of so many mantissa bits, if they were rounded.
pub(crate) fn of_rounding(mantissa_bits: u32) -> Option<String> {
    let error = number(0.5_f64.powi(mantissa_bits as i32));
    (mantissa_bits < ALL_BITS).then(|| {
        format!(
            "approximate: a side is a profile of more than {MAX_DISTINCT} different numbers, so both were rounded \
             toward zero to {mantissa_bits} binary places (relative error below {error})"
        )
    })
}

/// A note on texts of which not all were compared.
pub(crate) fn of_many_texts(reference: &Column, current: &Column) -> Option<String> {
    let most = reference.present().max(current.present());
    (most > MOST_TEXTS).then(|| format!("the classifier saw {MOST_TEXTS} of {most} texts, evenly chosen"))
}

/// Notes on the columns as they came.
pub(crate) fn of_columns(reference: &Column, current: &Column) -> Vec<String> {
    let mut notes = Vec::new();
    let numbers = |column: &Column| matches!(column.kind(), Kind::Float | Kind::Integer);
    let same = reference.kind() == current.kind()
        || numbers(reference) && numbers(current)
        || reference.present() == 0
        || current.present() == 0;
    if !same {
        notes.push(format!("type changed from {} to {}", reference.kind().words(), current.kind().words()));
    }
    for (column, side) in [(reference, "reference"), (current, "current")] {
        let infinite = column.infinite();
        if infinite > 0 {
            notes.push(format!("{} in {side} taken as missing", count(infinite as u64, "infinite value")));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::ColumnType;

    #[track_caller]
    fn check(reference: &Column, current: &Column, kind: ColumnType, expected: &[&str]) {
        let mut notes =
            Observations::new(reference, current, kind).map(|seen| of_values(&seen)).unwrap_or_default();
        notes.extend(of_columns(reference, current));
        assert_eq!(notes, expected);
    }

    #[test]
    fn notes_tell_what_scores_do_not() {
        let number = |values: &[f64]| Column::float("x", values.to_vec());
        let text = |rows: &[&str]| Column::text("x", &rows.iter().copied().map(Some).collect::<Vec<_>>());
        let (numerical, categorical) = (ColumnType::Numerical, ColumnType::Categorical);
        check(&number(&[1.0, 2.0]), &number(&[1.0, 2.0]), numerical, &[]);
        check(
            &number(&[1.0]),
            &number(&[1.0, f64::INFINITY]),
            numerical,
            &["constant in both sides", "1 infinite value in current taken as missing"],
        );
        check(
            &text(&["a", "b"]),
            &text(&["b", "c", "c", "c"]),
            categorical,
            &["new in current: \"c\" (75 % of rows)", "gone from current: \"a\" (50 % of rows)"],
        );
        check(
            &number(&[1.0, 2.0]),
            &text(&["1", "2"]),
            numerical,
            &["type changed from decimal numbers to strings"],
        );
        check(&number(&[f64::NAN]), &text(&["1"]), numerical, &[]);
    }
}
