//! What the values of a CSV column are, decided from its different texts and how often they occur.
//!
//! Where pandas infers a type other than text, that is the type. What it takes for text is looked at again: it may
//! be dates, numbers as people write them, or numbers beside a few cells that are none.

use crate::cell::{Cell, parse_day};
use crate::column_type::ColumnType;
use crate::count::infer::{Guess, is_missing, is_number, read_as};
use crate::count::written_number::{OneStyle, WrittenNumber};

/// Of so many present values one may be no number in a column of numbers: 5 %.
const NUMBERS_A_STRANGER: u64 = 20;

/// Whether so few of the present values of a column are no numbers that it is a column of numbers.
pub(crate) fn are_few(strangers: u64, present: u64) -> bool {
    strangers.saturating_mul(NUMBERS_A_STRANGER) <= present
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Values of this type, written plainly; among numbers a few may be none.
    Plain(ColumnType),
    /// Numbers with a sign or with separators of thousands, of this type.
    Written(ColumnType),
}

impl Kind {
    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Kind::Plain(column_type) | Kind::Written(column_type) => column_type,
        }
    }

    /// The value of a text; one that is not of the kind is missing.
    pub(crate) fn read(self, text: &str) -> Cell<'_> {
        match self {
            Kind::Plain(column_type) => read_as(text, column_type),
            Kind::Written(column_type) => match WrittenNumber::parse(text) {
                Some(WrittenNumber { whole: Some(whole), .. }) if column_type == ColumnType::Integer => {
                    Cell::Integer(whole)
                }
                Some(number) => Cell::Float(number.value),
                None => Cell::Missing,
            },
        }
    }
}

/// Finds the kind of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inference {
    all: Guess,
    missing: bool,
    /// The texts that are numbers, alone.
    numbers: Guess,
    present: u64,
    /// Present values that are no numbers.
    strangers: u64,
    no_dates: bool,
    style: OneStyle,
}

impl Inference {
    /// Sees a text that so many rows have.
    pub(crate) fn see(&mut self, text: &str, count: u64) {
        self.all.see(text);
        if is_missing(text) {
            self.missing = true;
            return;
        }
        self.present += count;
        if is_number(text) {
            self.numbers.see(text);
        } else {
            self.strangers += count;
        }
        self.no_dates = self.no_dates || parse_day(text.trim_matches([' ', '\t'])).is_none();
        self.style.see(text);
    }

    pub(crate) fn kind(mut self) -> Kind {
        let plain = self.all.column_type();
        if plain != ColumnType::String {
            return Kind::Plain(plain);
        }
        if !self.no_dates {
            return Kind::Plain(ColumnType::Date);
        }
        if self.style.holds() {
            let whole = self.style.is_whole() && !self.missing;
            return Kind::Written(if whole { ColumnType::Integer } else { ColumnType::Float });
        }
        if self.strangers > 0 && are_few(self.strangers, self.present) {
            // What is no number is as good as missing, which makes floats of whole numbers.
            self.numbers.see("");
            return Kind::Plain(self.numbers.column_type());
        }
        Kind::Plain(plain)
    }
}
