//! Tables and columns that are there at some dates only: the description of a dataset as of a date.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::period::Period;
use crate::snapshot::spec::{ColumnForms, DatasetSpec, TableSpec};

/// From when on and up to when something is there, both inclusive. A date without a time is all of its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) since: Option<Period>,
    pub(crate) until: Option<Period>,
}

impl Span {
    fn first(&self) -> Option<Period> {
        self.since.map(Period::beginning)
    }

    pub(crate) fn has(&self, as_of: Period) -> bool {
        self.first().is_none_or(|first| first <= as_of) && self.until.is_none_or(|until| as_of <= until)
    }

    /// Whether there is no date in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.first().zip(self.until).is_some_and(|(first, until)| until < first)
    }

    pub(crate) fn overlaps(&self, other: &Span) -> bool {
        let both = Span {
            since: self.first().max(other.first()),
            until: match (self.until, other.until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        };
        !both.is_empty()
    }

    fn is_always(&self) -> bool {
        *self == Span::default()
    }
}

/// The span in words, such as `since 2026-03-01 until 2026-05-31`.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = self.since.map(|since| format!("since {since}"));
        let until = self.until.map(|until| format!("until {until}"));
        let words: Vec<String> = since.into_iter().chain(until).collect();
        f.write_str(&if words.is_empty() { "at all dates".to_string() } else { words.join(" ") })
    }
}

/// A stretch of dates over which a dataset has the same tables and columns.
pub(crate) struct Epoch {
    pub(crate) first: Period,
    /// How it begins, in words; none for the one without a beginning.
    pub(crate) since: Option<String>,
}

impl DatasetSpec {
    /// The description of what a drop of a date holds: its tables, their columns in the form of then, and the features and
    /// expectations that are of them.
    pub fn at(&self, as_of: Period) -> Cow<'_, DatasetSpec> {
        if self.spans().all(|span| span.is_always()) {
            return Cow::Borrowed(self);
        }
        let there = self.tables.iter().filter(|(_, table)| table.span().has(as_of));
        let tables: BTreeMap<_, _> = there.map(|(name, table)| (name.clone(), table.at(as_of))).collect();
        let has = |tables: &BTreeMap<String, TableSpec>, column: &String| {
            tables.values().any(|table| table.columns.contains_key(column))
        };
        // What no table ever has stays, to be told of.
        let stays = |feature: &&String| has(&tables, feature) || !has(&self.tables, feature);
        let features = self.features.iter().filter(stays).cloned().collect();
        Cow::Owned(DatasetSpec { features, tables, ..self.clone() })
    }

    fn spans(&self) -> impl Iterator<Item = Span> {
        let forms = |table: &TableSpec| -> Vec<Span> {
            let columns = table.columns.values().flat_map(ColumnForms::all);
            columns.map(|form| form.span()).chain([table.span()]).collect()
        };
        self.tables.values().flat_map(forms)
    }

    /// The stretches of dates with different tables and columns, in the order of time.
    pub(crate) fn epochs(&self) -> Vec<Epoch> {
        let mut firsts: BTreeMap<Period, String> = BTreeMap::new();
        for Span { since, until } in self.spans() {
            firsts.extend(since.map(|since| (since.beginning(), format!("from {since} on"))));
            firsts.extend(until.and_then(|until| Some((until.next()?, format!("after {until}")))));
        }
        let beginning = Epoch { first: Period::from(jiff::civil::Date::MIN), since: None };
        let later = firsts.into_iter().map(|(first, since)| Epoch { first, since: Some(since) });
        std::iter::once(beginning).chain(later).collect()
    }
}

impl TableSpec {
    pub(crate) fn span(&self) -> Span {
        Span { since: self.since, until: self.until }
    }

    fn at(&self, as_of: Period) -> TableSpec {
        let columns = self.columns.iter();
        let columns = columns.filter_map(|(name, forms)| Some((name.clone(), forms.at(as_of)?.into())));
        let columns: BTreeMap<String, ColumnForms> = columns.collect();
        let is_of = |column: &String| columns.contains_key(column) || !self.columns.contains_key(column);
        let expectations = self.expectations.iter();
        let expectations = expectations.filter(|found| found.column.as_ref().is_none_or(is_of));
        let expectations = expectations.cloned().collect();
        TableSpec { columns, expectations, since: None, until: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(since: &str, until: &str) -> Span {
        let period = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Span { since: period(since), until: period(until) }
    }

    #[test]
    fn a_date_is_all_of_its_day() {
        for (since, until, as_of, expected) in [
            ("", "", "2026-03-01", true),
            ("2026-03-01", "", "2026-02-28", false),
            ("2026-03-01", "", "2026-02-28T23:59", false),
            ("2026-03-01", "", "2026-03-01T00:00", true),
            ("2026-03-01", "", "2026-03-01", true),
            ("2026-03-01T12:00", "", "2026-03-01T11:59", false),
            ("2026-03-01T12:00", "", "2026-03-01T12:00", true),
            ("", "2026-03-01", "2026-03-01T23:59", true),
            ("", "2026-03-01", "2026-03-01", true),
            ("", "2026-03-01", "2026-03-02T00:00", false),
            ("", "2026-03-01T12:00", "2026-03-01T12:01", false),
        ] {
            let found = span(since, until).has(as_of.parse().unwrap());
            assert_eq!(found, expected, "{as_of} in {since}..{until}");
        }
        assert!(span("2026-03-01", "2026-02-28").is_empty());
        assert!(!span("2026-03-01", "2026-03-01").is_empty());
        assert!(!span("", "2026-02-28").overlaps(&span("2026-03-01", "")));
        assert!(span("", "2026-03-01").overlaps(&span("2026-03-01", "")));
        assert!(span("", "").overlaps(&span("2026-03-01", "2026-03-31")));
    }
}
