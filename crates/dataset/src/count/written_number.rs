//! Numbers as people write them: `$1,250.00`, `12.5 %`, `1,250`; `1.250,00` and `0,5` where a comma is the decimal sign.
//!
//! Which of both a comma is cannot be told from `1,250` alone. The column decides where one of its numbers can be read in
//! one way only, and otherwise what separates the fields: semicolons do where the comma is taken, by decimals.

/// The signs of currencies.
const CURRENCIES: [char; 14] = ['$', '€', '£', '¥', '₹', '₩', '₽', '₺', '₪', '₫', '฿', '₴', '₦', '₱'];

/// What a comma in a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commas {
    /// It separates thousands, and a point comes before decimals.
    Thousands,
    /// It comes before decimals, and points separate thousands.
    Decimal,
}

impl Commas {
    /// What commas may be in a file whose fields this separates; what comes first goes for columns that can be read in
    /// both ways. R's `read.csv` and `read.csv2` take the same for commas and semicolons.
    pub(crate) fn of(separator: u8) -> &'static [Commas] {
        match separator {
            b',' => &[Commas::Thousands],
            b';' => &[Commas::Decimal, Commas::Thousands],
            _ => &[Commas::Thousands, Commas::Decimal],
        }
    }

    /// The sign between thousands, and that before decimals.
    fn signs(self) -> (char, char) {
        match self {
            Commas::Thousands => (',', '.'),
            Commas::Decimal => ('.', ','),
        }
    }
}

/// A number and how it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WrittenNumber {
    pub(crate) value: f64,
    /// The same, when it is a whole number of 64 bits.
    pub(crate) whole: Option<i64>,
    mark: Option<Mark>,
    thousands: Thousands,
}

/// The sign of a currency or of per cent, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Before(char),
    After(char),
}

/// Whether the thousands are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thousands {
    Separated,
    Unseparated,
    /// The number has too few digits to tell.
    None,
}

impl WrittenNumber {
    /// Reads a number. Per cent stay per cent: `12 %` is 12.
    pub(crate) fn parse(text: &str, commas: Commas) -> Option<Self> {
        let (mut negative, mut rest) = without_minus(text.trim_matches([' ', '\t']));
        let mut mark = None;
        if let Some(currency) = rest.chars().next().filter(|first| CURRENCIES.contains(first)) {
            mark = Some(Mark::Before(currency));
            rest = rest[currency.len_utf8()..].trim_start_matches(' ');
            if !negative {
                (negative, rest) = without_minus(rest);
            }
        } else if let Some(last) = rest.chars().next_back().filter(|c| *c == '%' || CURRENCIES.contains(c)) {
            mark = Some(Mark::After(last));
            rest = rest[..rest.len() - last.len_utf8()].trim_end_matches(' ');
        }
        let (separator, point) = commas.signs();
        let (digits, fraction) =
            rest.split_once(point).map_or((rest, None), |(left, right)| (left, Some(right)));
        let thousands = thousands(digits, separator)?;
        if fraction.is_some_and(|fraction| fraction.is_empty() || !all_digits(fraction)) {
            return None;
        }
        let sign = if negative { "-" } else { "" };
        let plain = format!("{sign}{}", rest.replace(separator, "").replace(point, "."));
        // Adding zero makes negative zero the same value.
        let value = plain.parse::<f64>().ok()? + 0.0;
        Some(WrittenNumber { value, whole: plain.parse().ok(), mark, thousands })
    }
}

fn without_minus(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How the digits before the decimal sign are grouped; `None` when they are no digits or in other groups than of three.
fn thousands(digits: &str, separator: char) -> Option<Thousands> {
    let (first, others) =
        digits.split_once(separator).map_or((digits, None), |(left, right)| (left, Some(right)));
    if first.is_empty() || !all_digits(first) {
        return None;
    }
    let Some(others) = others else {
        return Some(if first.len() > 3 { Thousands::Unseparated } else { Thousands::None });
    };
    let whole = first.len() <= 3 && !first.starts_with('0');
    (whole && others.split(separator).all(|group| group.len() == 3 && all_digits(group)))
        .then_some(Thousands::Separated)
}

/// Whether all numbers of a column are written in one style that is not the plain one.
#[derive(Debug, Clone)]
pub(crate) struct OneStyle {
    pub(crate) commas: Commas,
    mark: Option<Option<Mark>>,
    separated: bool,
    unseparated: bool,
    fraction: bool,
    broken: bool,
}

impl OneStyle {
    pub(crate) fn new(commas: Commas) -> Self {
        OneStyle { commas, mark: None, separated: false, unseparated: false, fraction: false, broken: false }
    }

    pub(crate) fn see(&mut self, text: &str) {
        if self.broken {
            return;
        }
        let Some(number) = WrittenNumber::parse(text, self.commas) else {
            self.broken = true;
            return;
        };
        self.broken = *self.mark.get_or_insert(number.mark) != number.mark;
        self.separated |= number.thousands == Thousands::Separated;
        self.unseparated |= number.thousands == Thousands::Unseparated;
        self.fraction |= number.whole.is_none();
    }

    /// Whether it is one style.
    pub(crate) fn holds(&self) -> bool {
        let marked = self.mark.is_some_and(|mark| mark.is_some());
        let decimal = self.commas == Commas::Decimal && self.fraction;
        !self.broken && (marked || self.separated || decimal) && !(self.separated && self.unseparated)
    }

    /// Whether all are whole numbers.
    pub(crate) fn is_whole(&self) -> bool {
        !self.fraction
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (text, expected) in [
            ("$8005.19", Some(8005.19)),
            ("$1,250.00", Some(1250.0)),
            ("-$5", Some(-5.0)),
            ("$-5", Some(-5.0)),
            ("-$-5", None),
            ("$ 5", Some(5.0)),
            ("12.5 €", Some(12.5)),
            ("12.5%", Some(12.5)),
            (" 12 % ", Some(12.0)),
            ("1,250", Some(1250.0)),
            ("1,234,567.89", Some(1_234_567.89)),
            ("-0", Some(0.0)),
            ("12,50", None),
            ("0,125", None),
            ("1234,567", None),
            (",123", None),
            ("$", None),
            ("%", None),
            ("$5%", None),
            ("$5.", None),
            ("$.5", None),
            ("1e5", None),
            ("five", None),
            ("", None),
        ] {
            let number = WrittenNumber::parse(text, Commas::Thousands);
            assert_eq!(number.map(|number| number.value), expected, "{text:?}");
        }
        for (text, expected) in [
            ("1,5", Some(1.5)),
            ("-0,125", Some(-0.125)),
            ("1.250,75", Some(1250.75)),
            ("1.234.567", Some(1_234_567.0)),
            ("12,50 €", Some(12.5)),
            ("1,250", Some(1.25)),
            ("1,234,567", None),
            ("1.5", None),
            ("1,", None),
            (",5", None),
            ("12.50,1", None),
        ] {
            let number = WrittenNumber::parse(text, Commas::Decimal);
            assert_eq!(number.map(|number| number.value), expected, "{text:?}");
        }
    }

    #[track_caller]
    fn check(texts: &[&str], expected: bool) {
        let mut style = OneStyle::new(Commas::Thousands);
        texts.iter().for_each(|text| style.see(text));
        assert_eq!(style.holds(), expected, "{texts:?}");
    }

    #[test]
    fn a_column_has_one_style() {
        check(&["$5", "$1,250"], true);
        check(&["$5", "$1250"], true);
        check(&["$1,250", "$1250"], false);
        check(&["$5", "€5"], false);
        check(&["$5", "5"], false);
        check(&["5 €", "€5"], false);
        check(&["5%", "7.5%"], true);
        check(&["950", "1,250"], true);
        check(&["950", "1250"], false);
        check(&["950"], false);
        check(&[], false);
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "[-$€%0-9,. ]{0,12}|\\PC{0,12}") {
            for commas in [Commas::Thousands, Commas::Decimal] {
                if let Some(number) = WrittenNumber::parse(&text, commas) {
                    prop_assert!(!number.value.is_nan());
                }
            }
        }
    }
}
