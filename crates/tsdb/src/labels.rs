//! The identity of a series: sorted name/value pairs in one shared allocation.

pub(crate) mod order;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use streamflow_gotext::quote;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Sorted by name, names unique, no empty value (an empty value is a missing label). A clone is a reference count.
///
/// All pairs lie in one string, each text after its length: a set of ten labels costs one allocation of a few
/// hundred bytes, and equality and hashing are those of the string. Lengths are written with six bits per byte,
/// the seventh telling that another follows, so that the whole stays valid UTF-8.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// From pairs in any order; of a name given twice the later pair wins, an empty value takes the label away.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        // Stable, so that of equal names the last given stays last.
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let mut text =
            String::with_capacity(pairs.iter().map(|(n, v)| n.as_ref().len() + v.as_ref().len() + 3).sum());
        for (at, (name, value)) in pairs.iter().enumerate() {
            let later = pairs.get(at + 1).is_some_and(|next| next.0.as_ref() == name.as_ref());
            if !later && !value.as_ref().is_empty() {
                push_text(&mut text, name.as_ref());
                push_text(&mut text, value.as_ref());
            }
        }
        Self(text.into())
    }

    /// From pairs that are sorted by name already, names unique, values not empty: what an index holds.
    pub(crate) fn from_sorted<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        buffer: &mut String,
    ) -> Self {
        buffer.clear();
        for (name, value) in pairs {
            push_text(buffer, name);
            push_text(buffer, value);
        }
        Self(buffer.as_str().into())
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(candidate, _)| *candidate >= name)
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The metric's name, empty when there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// The pairs, sorted by name.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// How many labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Tells whether there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With this label set to this value; an empty value takes the label away.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.iter().chain([(name, value)]))
    }

    /// Without the labels of these names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        Self::from_sorted(self.iter().filter(|(name, _)| !names.contains(name)), &mut String::new())
    }

    /// With the labels of these names alone.
    #[must_use]
    pub fn keep(&self, names: &[&str]) -> Self {
        Self::from_sorted(self.iter().filter(|(name, _)| names.contains(name)), &mut String::new())
    }
}

/// Labels that lie in [`Labels`] or in a [`LabelsBuffer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LabelsRef<'a>(&'a str);

impl<'a> LabelsRef<'a> {
    /// A copy that owns them.
    #[must_use]
    pub fn to_labels(self) -> Labels {
        Labels(self.0.into())
    }

    /// The pairs, sorted by name.
    #[must_use]
    pub fn iter(self) -> Iter<'a> {
        Iter { rest: self.0 }
    }

    /// Tells whether there is no label at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a Labels> for LabelsRef<'a> {
    fn from(labels: &'a Labels) -> Self {
        Self(&labels.0)
    }
}

impl PartialEq<LabelsRef<'_>> for Labels {
    fn eq(&self, other: &LabelsRef<'_>) -> bool {
        *self.0 == *other.0
    }
}

/// The labels of one series after another, without an allocation for each.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuffer(String);

impl LabelsBuffer {
    /// The labels of these pairs, as [`Labels::new`] makes them.
    pub fn set(&mut self, pairs: &[(&str, &str)]) -> LabelsRef<'_> {
        self.0.clear();
        if pairs.is_sorted_by(|a, b| a.0 < b.0) {
            for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
                push_text(&mut self.0, name);
                push_text(&mut self.0, value);
            }
        } else {
            self.0.push_str(&Labels::new(pairs.iter().copied()).0);
        }
        LabelsRef(&self.0)
    }

    /// Those of the labels whose names are kept.
    pub fn filter(&mut self, labels: &Labels, keep: impl Fn(&str) -> bool) -> LabelsRef<'_> {
        self.0.clear();
        for (name, value) in labels.iter().filter(|(name, _)| keep(name)) {
            push_text(&mut self.0, name);
            push_text(&mut self.0, value);
        }
        LabelsRef(&self.0)
    }
}

impl hashbrown::Equivalent<Labels> for LabelsRef<'_> {
    fn equivalent(&self, labels: &Labels) -> bool {
        labels == self
    }
}

/// The place at which two texts of the same beginning go apart; `None` if one begins with the other.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let words = a.chunks_exact(16).zip(b.chunks_exact(16)).take_while(|(a, b)| a == b).count() * 16;
    let rest = a[words..].iter().zip(&b[words..]).position(|(a, b)| a != b);
    rest.map(|at| words + at)
}

fn push_text(into: &mut String, text: &str) {
    let mut length = text.len();
    while length >= 64 {
        into.push(char::from(64 | (length & 63) as u8));
        length >>= 6;
    }
    into.push(char::from(length as u8));
    into.push_str(text);
}

/// The pairs of a label set.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iter<'a> {
    fn text(&mut self) -> &'a str {
        let (mut length, mut shift, mut at) = (0_usize, 0, 0);
        for byte in self.rest.bytes() {
            length |= usize::from(byte & 63) << shift;
            (shift, at) = (shift + 6, at + 1);
            if byte & 64 == 0 {
                break;
            }
        }
        let (text, rest) = self.rest[at..].split_at(length);
        self.rest = rest;
        text
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let name = self.text();
        Some((name, self.text()))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self::new(pairs)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self("".into())
    }
}

impl Ord for Labels {
    /// Pair by pair, names before values; of two where one begins the other the shorter is first.
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let Some(differs) = first_difference(a, b) else { return a.len().cmp(&b.len()) };
        // Everything before is the same, so the first text that reaches behind the difference decides.
        let (mut one, mut two) = (Iter { rest: &self.0 }, Iter { rest: &other.0 });
        loop {
            let before = one.rest;
            let text = one.text();
            if self.0.len() - one.rest.len() > differs {
                two.rest = &other.0[self.0.len() - before.len()..];
                return text.cmp(two.text());
            }
        }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Labels {
    /// `name{a="b"}`; a name that the text format cannot spell bare stands among the labels, as do quoted label names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let bare = is_bare(name, true);
        if bare {
            f.write_str(name)?;
        }
        let mut first = true;
        for (label, value) in self.iter().filter(|(label, _)| !(bare && *label == METRIC_NAME)) {
            f.write_str(if first { "{" } else { ", " })?;
            first = false;
            if is_bare(label, false) {
                f.write_str(label)?
            } else {
                f.write_str(&quote(label))?
            }
            write!(f, "={}", quote(value))?;
        }
        match (first, bare) {
            (true, false) => f.write_str("{}"),
            (true, true) => Ok(()),
            _ => f.write_str("}"),
        }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_bare(name: &str, colon: bool) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_unique_and_never_empty() {
        let labels = Labels::new([("b", "2"), ("a", "0"), ("c", ""), ("a", "1")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!(labels.get("a"), Some("1"));
        assert_eq!(labels.get("c"), None);
        assert_eq!(labels.len(), 2);
        assert_eq!(labels.with("a", ""), Labels::new([("b", "2")]));
        assert_eq!(labels.without(&["b"]), labels.keep(&["a"]));
        assert!(Labels::default().is_empty());
        assert_eq!(Labels::default(), Labels::new([("x", "")]));
    }

    #[test]
    fn long_and_foreign_texts_are_kept() {
        let long = "ä".repeat(5000);
        let labels = Labels::new([("name", long.as_str()), ("völlig fremd", "\u{0}\n")]);
        assert_eq!(labels.get("name"), Some(long.as_str()));
        assert_eq!(labels.get("völlig fremd"), Some("\u{0}\n"));
    }

    #[test]
    fn a_buffer_makes_the_same_labels() {
        let mut buffer = LabelsBuffer::default();
        for pairs in [
            &[("a", "1"), ("b", ""), ("c", "3")][..],
            &[("b", "2"), ("a", "1")],
            &[("a", "1"), ("a", "2")],
            &[],
        ] {
            let labels = Labels::new(pairs.iter().copied());
            assert!(labels == buffer.set(pairs), "{labels}");
            assert_eq!(buffer.set(pairs).to_labels(), labels);
            assert_eq!(buffer.set(pairs).is_empty(), labels.is_empty());
            assert!(labels.without(&["b"]) == buffer.filter(&labels, |name| name != "b"), "{labels}");
        }
    }

    #[test]
    fn order_is_pair_by_pair() {
        let set = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().copied());
        assert!(set(&[("a", "1")]) < set(&[("a", "1"), ("b", "1")]));
        assert!(set(&[("a", "10")]) < set(&[("a", "9")]));
        assert!(set(&[("a", "zzzzzzzzz")]) < set(&[("b", "a")]));
        assert_eq!(set(&[("a", "1")]).cmp(&set(&[("a", "1")])), Ordering::Equal);
    }

    #[test]
    fn order_is_that_of_the_pairs() {
        let texts = [
            "",
            "a",
            "ab",
            "abc",
            "b",
            "ä",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ];
        let mut sets = Vec::new();
        for one in texts {
            for two in texts {
                sets.push(Labels::new([("m", one), ("n", two)]));
                sets.push(Labels::new([("m", "same"), (if one.is_empty() { "z" } else { one }, two)]));
            }
        }
        for one in &sets {
            for two in &sets {
                assert_eq!(one.cmp(two), one.iter().cmp(two.iter()), "{one} {two}");
            }
        }
    }

    #[test]
    fn display_is_the_text_formats() {
        let check = |pairs: &[(&str, &str)], text: &str| {
            assert_eq!(Labels::new(pairs.iter().copied()).to_string(), text)
        };
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "up"), ("job", "a\"b")], "up{job=\"a\\\"b\"}");
        check(&[("a", "1"), ("b", "2")], "{a=\"1\", b=\"2\"}");
        check(&[("__name__", "two words"), ("a.b", "1")], "{__name__=\"two words\", \"a.b\"=\"1\"}");
    }
}
