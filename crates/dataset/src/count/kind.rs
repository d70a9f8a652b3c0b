//! What the values of a CSV column are, decided from its different texts and how often they occur.
//!
//! Where pandas infers a type other than text, that is the type. What it takes for text is looked at again: it may
//! be dates, numbers as people write them, or numbers beside a few cells that are none.

use crate::cell::{Cell, parse_day};
use crate::column_type::ColumnType;
use crate::count::infer::{Guess, is_missing, is_number, read_as};
use crate::count::written_number::{Commas, OneStyle, WrittenNumber};

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
    /// Numbers with a sign, with separators of thousands or with decimal commas, of this type.
    Written(ColumnType, Commas),
}

impl Kind {
    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Kind::Plain(column_type) | Kind::Written(column_type, _) => column_type,
        }
    }

    /// The value of a text; one that is not of the kind is missing.
    pub(crate) fn read(self, text: &str) -> Cell<'_> {
        match self {
            Kind::Plain(column_type) => read_as(text, column_type),
            Kind::Written(column_type, commas) => match WrittenNumber::parse(text, commas) {
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
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    all: Guess,
    missing: bool,
    /// The texts that are numbers, alone.
    numbers: Guess,
    present: u64,
    /// Present values that are no numbers.
    strangers: u64,
    no_dates: bool,
    /// The styles that are possible, the likeliest first.
    styles: Vec<OneStyle>,
}

impl Inference {
    /// Of a column in which commas may be these.
    pub(crate) fn new(commas: &[Commas]) -> Self {
        Inference {
            all: Guess::default(),
            missing: false,
            numbers: Guess::default(),
            present: 0,
            strangers: 0,
            no_dates: false,
            styles: commas.iter().map(|commas| OneStyle::new(*commas)).collect(),
        }
    }

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
        self.styles.iter_mut().for_each(|style| style.see(text));
    }

    pub(crate) fn kind(mut self) -> Kind {
        let plain = self.all.column_type();
        if plain != ColumnType::String {
            return Kind::Plain(plain);
        }
        if !self.no_dates {
            return Kind::Plain(ColumnType::Date);
        }
        if let Some(style) = self.styles.iter().find(|style| style.holds()) {
            let whole = style.is_whole() && !self.missing;
            let column_type = if whole { ColumnType::Integer } else { ColumnType::Float };
            return Kind::Written(column_type, style.commas);
        }
        if self.strangers > 0 && are_few(self.strangers, self.present) {
            // What is no number is as good as missing, which makes floats of whole numbers.
            self.numbers.see("");
            return Kind::Plain(self.numbers.column_type());
        }
        Kind::Plain(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The type and the first value of a column in files with these separators.
    #[track_caller]
    fn check(separators: &str, texts: &[&str], expected: (ColumnType, &str)) {
        for separator in separators.bytes() {
            let mut inference = Inference::new(Commas::of(separator));
            texts.iter().for_each(|text| inference.see(text, 1));
            let kind = inference.kind();
            let found = (kind.column_type(), kind.read(texts[0]).to_text());
            assert_eq!(
                (found.0, found.1.as_str()),
                expected,
                "{texts:?} between {:?}",
                char::from(separator)
            );
        }
    }

    #[test]
    fn what_a_comma_is_is_told_by_the_column_and_then_by_the_file() {
        use ColumnType::{Float, Integer, String};
        // One number that can be read in one way only decides.
        check(";\t|", &["1,5", "2", "1,250"], (Float, "1.5"));
        check(";\t|", &["0,125", "1,250"], (Float, "0.125"));
        check(";\t|", &["1234,567"], (Float, "1234.567"));
        check(";\t|", &["1.250,5", "950"], (Float, "1250.5"));
        check(",;\t|", &["1,234,567", "1,250"], (Integer, "1234567"));
        check(",;\t|", &["1,250.5", "1,250"], (Float, "1250.5"));
        check(";\t|", &["12,50 €", "1.250,00 €"], (Float, "12.5"));
        check(";\t|", &["1,5 %", ""], (Float, "1.5"));
        // Where none does, semicolons tell of decimals and everything else of thousands.
        check(";", &["1,250", "950"], (Float, "1.25"));
        check(",\t|", &["1,250", "950"], (Integer, "1250"));
        // Where commas separate fields they are no decimal ones.
        check(",", &["1,5", "2"], (String, "1,5"));
        // Points alone are decimal ones, unless they can only separate thousands.
        check(",;\t|", &["1.250", "2.5"], (Float, "1.25"));
        check(";\t|", &["1.234.567", "1.250"], (Integer, "1234567"));
        // Two styles in a column are none.
        check(",;\t|", &["1,5", "1,250.5"], (String, "1,5"));
        check(";\t|", &["1,5", "2.5"], (String, "1,5"));
        check(";\t|", &["1.250,5", "1250,5"], (String, "1.250,5"));
        check(";\t|", &["1,5", "many"], (String, "1,5"));
    }
}
