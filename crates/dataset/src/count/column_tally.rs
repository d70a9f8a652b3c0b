//! One CSV column while it is read: texts are counted as they are, and numbers that hardly repeat are collected.
//!
//! Real columns repeat: a hundred prices, three plans. Their texts are counted, and type and values are found at the
//! end from the different texts alone. A column of ever new texts is taken as numbers (pandas' whole numbers, then
//! floats) and kept in eight bytes a row, beside a few texts that are none. When there are more of them than a column
//! of numbers may have, it has to be read again.

use hashbrown::HashMap;

use crate::cell::Cell;
use crate::column_type::ColumnType;
use crate::count::count_table::CountTable;
use crate::count::infer::{Guess, Number, is_missing, is_number, number, read_as};
use crate::count::kind::{Inference, are_few};
use crate::count::repeats::Repeats;
use crate::count::value_counts::{Counts, Numbers, Unparseable, ValueCounts};
use crate::count::written_number::{Commas, WrittenNumber};
use crate::format::csv::fields::{Field, text_of};

/// See the module.
pub(crate) struct ColumnTally {
    state: State,
    /// Whether texts are counted however many there are.
    as_text: bool,
    /// What commas in numbers may be.
    commas: &'static [Commas],
}

enum State {
    Texts(Texts),
    Numbers(Collected),
    /// Numbers that turned out to be text.
    ReadAgain,
    /// No memory was left for the column.
    Dropped,
}

/// What became of a column.
pub(crate) enum Tallied {
    Counted(ValueCounts),
    /// To be read again, as text.
    ReadAgain,
    /// To be read again, when there is memory.
    Dropped,
}

impl ColumnTally {
    /// `as_text` for a column of which it is known that it is no column of plain numbers.
    pub(crate) fn new(as_text: bool, commas: &'static [Commas]) -> Self {
        ColumnTally { state: State::Texts(Texts::default()), as_text, commas }
    }

    #[inline]
    pub(crate) fn see(&mut self, field: Field<'_>) {
        match &mut self.state {
            State::Texts(texts) => {
                if texts.see(field) && !self.as_text && texts.hardly_repeat() {
                    self.state = std::mem::take(texts).into_numbers();
                    self.as_text = matches!(self.state, State::Texts(_));
                }
            }
            State::Numbers(numbers) => {
                let (Field::Short(_, text) | Field::Long(text)) = field;
                if !numbers.see(text, 1) {
                    self.state = State::ReadAgain;
                }
            }
            State::ReadAgain | State::Dropped => {}
        }
    }

    /// Memory held, about.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.state {
            State::Texts(texts) => texts.bytes(),
            State::Numbers(numbers) => numbers.whole.bytes() + numbers.decimal.bytes(),
            State::ReadAgain | State::Dropped => 0,
        }
    }

    /// Frees the memory; the column is to be read again.
    pub(crate) fn drop_values(&mut self) {
        self.state = State::Dropped;
    }

    /// Both parts of the column as one.
    pub(crate) fn merge(self, other: Self) -> Self {
        let state = match (self.state, other.state) {
            (State::Dropped, _) | (_, State::Dropped) => State::Dropped,
            (State::ReadAgain, _) | (_, State::ReadAgain) => State::ReadAgain,
            (State::Texts(left), State::Texts(right)) => State::Texts(left.merge(right)),
            (State::Numbers(left), State::Numbers(right)) => left.merge(right),
            (State::Texts(texts), State::Numbers(numbers))
            | (State::Numbers(numbers), State::Texts(texts)) => match texts.numbers() {
                Some(others) => numbers.merge(others),
                None => State::ReadAgain,
            },
        };
        ColumnTally { state, as_text: self.as_text || other.as_text, commas: self.commas }
    }

    pub(crate) fn finish(self, name: &str) -> Tallied {
        let name = name.to_string();
        match self.state {
            State::Texts(texts) => Tallied::Counted(texts.finish(name, self.commas)),
            State::Numbers(numbers) => {
                numbers.finish(name, self.commas).map_or(Tallied::ReadAgain, Tallied::Counted)
            }
            State::ReadAgain => Tallied::ReadAgain,
            State::Dropped => Tallied::Dropped,
        }
    }
}

/// Different texts and how often they occur.
#[derive(Default)]
struct Texts {
    rows: u64,
    empty: u64,
    short: Option<CountTable>,
    long: HashMap<Box<str>, u64>,
    long_bytes: u64,
    repeats: Repeats,
}

impl Texts {
    /// Whether the text is a new one.
    #[inline]
    fn see(&mut self, field: Field<'_>) -> bool {
        self.rows += 1;
        match field {
            Field::Short([0, 0], _) => {
                self.empty += 1;
                false
            }
            Field::Short(words, _) => self.short.get_or_insert_with(CountTable::new).add(words, 1),
            Field::Long(text) => self.add_long(text, 1),
        }
    }

    fn add_long(&mut self, text: &str, count: u64) -> bool {
        if let Some(known) = self.long.get_mut(text) {
            *known += count;
            return false;
        }
        self.long.insert(text.into(), count);
        self.long_bytes += text.len() as u64;
        true
    }

    fn distinct(&self) -> usize {
        self.long.len() + self.short.as_ref().map_or(0, CountTable::distinct)
    }

    fn hardly_repeat(&mut self) -> bool {
        self.repeats.are_rare(self.rows, self.distinct())
    }

    fn bytes(&self) -> u64 {
        // A map of strings: pointer, length, count, and what the allocator adds.
        self.short.as_ref().map_or(0, CountTable::bytes) + self.long_bytes + 56 * self.long.capacity() as u64
    }

    fn for_each(&self, mut see: impl FnMut(&str, u64)) {
        for (words, count) in self.short.iter().flat_map(CountTable::iter) {
            see(&text_of(words), count);
        }
        for (text, count) in &self.long {
            see(text, *count);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.empty += other.empty;
        for (words, count) in other.short.iter().flat_map(CountTable::iter) {
            self.short.get_or_insert_with(CountTable::new).add(words, count);
        }
        for (text, count) in other.long {
            self.add_long(&text, count);
        }
        self
    }

    /// The texts as numbers; `None` when too many are neither numbers nor missing.
    fn numbers(&self) -> Option<Collected> {
        let mut numbers = Collected::default();
        let mut all = self.empty == 0 || numbers.see("", self.empty);
        self.for_each(|text, count| all = all && numbers.see(text, count));
        (all && numbers.strangers_are_few()).then_some(numbers)
    }

    fn into_numbers(self) -> State {
        match self.numbers() {
            Some(numbers) => State::Numbers(numbers),
            None => State::Texts(self),
        }
    }

    /// The values in the kind that their texts have.
    fn finish(self, name: String, commas: &[Commas]) -> ValueCounts {
        let mut inference = Inference::new(commas);
        if self.empty > 0 {
            inference.see("", self.empty);
        }
        self.for_each(|text, count| inference.see(text, count));
        let kind = inference.kind();
        let mut missing = self.empty;
        let mut floats = Numbers::default();
        let mut integers = Numbers::default();
        let mut booleans = [0; 2];
        let mut texts = Vec::new();
        let mut days = HashMap::new();
        let mut strangers = Vec::new();
        self.for_each(|text, count| match kind.read(text) {
            Cell::Float(value) => floats.add(value + 0.0, count),
            Cell::Integer(value) => integers.add(value, count),
            Cell::Boolean(value) => booleans[usize::from(value)] += count,
            Cell::Text(text) => texts.push((text.to_string(), count)),
            Cell::Date(day) => *days.entry(day).or_insert(0) += count,
            Cell::Missing if is_missing(text) => missing += count,
            Cell::Missing => strangers.push((text.to_string(), count)),
        });
        let values = match kind.column_type() {
            ColumnType::Float => Counts::Float(floats),
            ColumnType::Integer => Counts::Integer(integers),
            ColumnType::Boolean => Counts::Boolean(booleans),
            ColumnType::String => Counts::Text(texts),
            ColumnType::Date => Counts::Date(days.into_iter().collect()),
        };
        let strangers = strangers.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        ValueCounts { name, missing, unparseable: Unparseable::of(strangers), values }
    }
}

/// So many different texts that are no numbers are kept, of so many bytes together; the column of a type that has
/// more is found by reading it again.
const MAX_STRANGERS: usize = if cfg!(test) { 4 } else { 1_000 };
const MAX_STRANGER_BYTES: usize = 1 << 20;

/// Numbers: whole ones as long as nothing else, not even a missing one, was seen.
#[derive(Default)]
struct Collected {
    guess: Guess,
    missing: u64,
    whole: Numbers<i64>,
    decimal: Numbers<f64>,
    /// Texts that are neither numbers nor missing, and their rows.
    strangers: HashMap<Box<str>, u64>,
    stranger_bytes: usize,
}

impl Collected {
    /// Adds a text so many times; false when there are too many that are neither numbers nor missing.
    #[inline]
    fn see(&mut self, text: &str, count: u64) -> bool {
        match number(text) {
            Some(Number::Whole(value)) => {
                self.guess.see_whole();
                if self.guess.is_decimal() {
                    self.decimal.add(value as f64, count);
                } else {
                    self.whole.add(value, count);
                }
            }
            Some(Number::Decimal(value)) => {
                self.guess.see_fraction();
                self.become_decimal();
                self.decimal.add(value, count);
            }
            None => return self.see_odd(text, count),
        }
        true
    }

    /// What is no plain number: missing, infinite, with an exponent, with spaces, too long, or no number at all.
    #[cold]
    fn see_odd(&mut self, text: &str, count: u64) -> bool {
        let stranger = !is_missing(text) && !is_number(text);
        // A stranger is as good as missing, which makes floats of whole numbers.
        self.guess.see(if stranger { "" } else { text });
        let column_type = if self.guess.is_decimal() { ColumnType::Float } else { ColumnType::Integer };
        if column_type == ColumnType::Float {
            self.become_decimal();
        }
        match read_as(text, column_type) {
            Cell::Integer(value) => self.whole.add(value, count),
            Cell::Float(value) => self.decimal.add(value + 0.0, count),
            _ if stranger => return self.add_stranger(text, count),
            _ => self.missing += count,
        }
        true
    }

    fn add_stranger(&mut self, text: &str, count: u64) -> bool {
        if let Some(known) = self.strangers.get_mut(text) {
            *known += count;
            return true;
        }
        self.stranger_bytes += text.len();
        self.strangers.insert(text.into(), count);
        self.strangers.len() <= MAX_STRANGERS && self.stranger_bytes <= MAX_STRANGER_BYTES
    }

    fn strangers_are_few(&self) -> bool {
        let strangers = self.strangers.values().sum();
        are_few(strangers, strangers + self.whole.total() + self.decimal.total())
    }

    /// Whether there are strangers and all may be numbers in one style, such as `1,250`.
    fn strangers_are_written(&self, commas: &[Commas]) -> bool {
        let all =
            |commas: &Commas| self.strangers.keys().all(|text| WrittenNumber::parse(text, *commas).is_some());
        !self.strangers.is_empty() && commas.iter().any(all)
    }

    fn become_decimal(&mut self) {
        if !self.whole.is_empty() {
            let whole = std::mem::take(&mut self.whole);
            self.decimal.append(whole.map(|value| value as f64));
        }
    }

    fn merge(mut self, mut other: Self) -> State {
        self.guess.merge(&other.guess);
        self.missing += other.missing;
        if self.guess.is_decimal() {
            self.become_decimal();
            other.become_decimal();
        }
        self.whole.append(other.whole);
        self.decimal.append(other.decimal);
        for (text, count) in other.strangers {
            if !self.add_stranger(&text, count) {
                return State::ReadAgain;
            }
        }
        State::Numbers(self)
    }

    /// `None` when it is no column of plain numbers, or perhaps one of numbers as people write them.
    fn finish(self, name: String, commas: &[Commas]) -> Option<ValueCounts> {
        if !self.strangers_are_few() || self.strangers_are_written(commas) {
            return None;
        }
        let values = match self.guess.column_type() {
            ColumnType::Float => Counts::Float(self.decimal),
            ColumnType::Integer => Counts::Integer(self.whole),
            _ => return None,
        };
        let strangers = self.strangers.iter().map(|(text, count)| (&**text, *count)).collect();
        Some(ValueCounts { name, missing: self.missing, unparseable: Unparseable::of(strangers), values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(texts: impl Iterator<Item = String>, as_text: bool) -> ColumnTally {
        let mut tally = ColumnTally::new(as_text, Commas::of(b','));
        texts.for_each(|text| tally.see(Field::new(&text)));
        tally
    }

    fn counted(tally: ColumnTally) -> ValueCounts {
        match tally.finish("x") {
            Tallied::Counted(counts) => counts,
            Tallied::ReadAgain => panic!("to be read again"),
            Tallied::Dropped => panic!("dropped"),
        }
    }

    #[test]
    fn numbers_that_hardly_repeat_are_collected() {
        let whole = counted(tally((0..5_000).map(|i| i.to_string()), false));
        let Counts::Integer(Numbers { counts, mut rows }) = whole.values else { panic!("{whole:?}") };
        rows.sort_unstable();
        assert!(counts.is_empty() && rows == (0..5_000).collect::<Vec<_>>());

        let texts = (0..5_000).map(|i| if i == 4_000 { String::new() } else { i.to_string() });
        let decimal = counted(tally(texts, false));
        assert_eq!((decimal.missing, decimal.rows()), (1, 5_000));
        assert!(matches!(decimal.values, Counts::Float(_)));

        let texts = (0..5_000).map(|i| if i >= 4_000 { "many".to_string() } else { i.to_string() });
        assert!(matches!(tally(texts.clone(), false).finish("x"), Tallied::ReadAgain));
        assert!(matches!(counted(tally(texts, true)).values, Counts::Text(counts) if counts.len() == 4_001));
    }

    #[test]
    fn a_few_cells_that_are_no_numbers_are_counted_apart() {
        let check = |strangers: usize, expected: Option<&[&str]>| {
            let texts = || {
                let words = ["none", "none", "few", "b", "a"].into_iter().cycle().take(strangers);
                (strangers..1_000).map(|i| i.to_string()).chain(words.map(str::to_string))
            };
            for tally in [tally(texts(), true), tally(texts(), false)] {
                match (tally.finish("x"), expected) {
                    (Tallied::Counted(column), Some(examples)) => {
                        assert_eq!((column.rows(), column.missing), (1_000, 0));
                        assert_eq!(column.unparseable.cells, strangers as u64);
                        assert_eq!(column.unparseable.examples, examples);
                        assert!(matches!(column.values, Counts::Float(_)), "{strangers}");
                    }
                    (Tallied::Counted(column), None) => assert!(matches!(column.values, Counts::Text(_))),
                    (Tallied::ReadAgain, expected) => assert!(expected.is_none(), "{strangers}"),
                    (Tallied::Dropped, _) => panic!("dropped"),
                }
            }
        };
        check(1, Some(&["none"]));
        check(50, Some(&["none", "a", "b"]));
        check(51, None);
        check(500, None);
    }

    #[test]
    fn parts_of_any_state_merge() {
        let few = || tally((0..100).map(|i| (i % 7).to_string()), false);
        let many = |from: i64| tally((from..from + 3_000).map(|i| i.to_string()), false);
        let decimal = || tally((0..3_000).map(|i| format!("{i}.5")), false);
        let text = || tally(["a".to_string()].into_iter(), false);
        let rows = |tally: ColumnTally| {
            let counts = counted(tally);
            (counts.rows(), matches!(counts.values, Counts::Integer(_)))
        };
        assert_eq!(rows(few().merge(many(0))), (3_100, true));
        assert_eq!(rows(many(0).merge(many(9))), (6_000, true));
        assert_eq!(rows(many(0).merge(decimal())), (6_000, false));
        assert_eq!(counted(few().merge(text())).unparseable.examples, ["a"]);
        let texts = || tally((0..6).map(|i| format!("t{i}")), false);
        assert!(matches!(counted(few().merge(texts())).values, Counts::Text(_)));
        assert!(matches!(many(0).merge(text()).finish("x"), Tallied::ReadAgain));
    }
}
