//! Many label sets in order.
//!
//! Sets of one metric begin alike, and each comparison of two would read both from their first byte on. Here the first
//! text in which any of them differ is looked for once, eight of its bytes are a number for each, and numbers are
//! sorted; those of the same number are told apart in the same way.

use super::{Iter, Labels, first_difference};

/// Fewer are compared in pairs.
const FEW: usize = 32;
/// As often sets of the same number are told apart by another one, before they are compared in pairs.
const DEPTH: usize = 16;

/// Sorts by labels; those of the same labels in any order.
pub(crate) fn sorted<T>(items: Vec<T>, labels: impl Fn(&T) -> &Labels + Copy) -> Vec<T> {
    let mut keyed: Vec<(u64, T)> = items.into_iter().map(|item| (0, item)).collect();
    sort(&mut keyed, labels, DEPTH);
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn sort<T>(items: &mut [(u64, T)], labels: impl Fn(&T) -> &Labels + Copy, depth: usize) {
    if items.len() < FEW || depth == 0 || !find_keys(items, labels) {
        items.sort_unstable_by(|a, b| labels(&a.1).cmp(labels(&b.1)));
        return;
    }
    items.sort_unstable_by_key(|(key, _)| *key);
    for same in items.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        sort(same, labels, depth - 1);
    }
}

/// Gives each its number; false if that is the same for all.
fn find_keys<T>(items: &mut [(u64, T)], labels: impl Fn(&T) -> &Labels) -> bool {
    let first = labels(&items[0].1).clone();
    let all = || items.iter().map(|(_, item)| &*labels(item).0);
    let start = text_behind(&first, shared(&first.0, all()));
    let skipped = shared(text_at(&first.0, start), all().map(|set| text_at(set, start)));
    for (key, item) in items.iter_mut() {
        *key = number(&text_at(&labels(item).0, start).as_bytes()[skipped..]);
    }
    items.iter().any(|(key, _)| *key != items[0].0)
}

/// The text whose length is written there; empty at the set's end.
fn text_at(set: &str, start: usize) -> &str {
    Iter { rest: &set[start..] }.text()
}

/// How many bytes all begin with as `first` does.
fn shared<'a>(first: &str, all: impl Iterator<Item = &'a str>) -> usize {
    let first = first.as_bytes();
    all.fold(first.len(), |shared, other| {
        let both = shared.min(other.len());
        first_difference(&first[..both], &other.as_bytes()[..both]).unwrap_or(both)
    })
}

/// The start of the text of a set, its length included, that reaches behind that many bytes; the set's end if none does.
fn text_behind(set: &Labels, bytes: usize) -> usize {
    let (mut texts, mut start) = (set.iter(), 0);
    while !texts.rest.is_empty() {
        texts.text();
        let end = set.0.len() - texts.rest.len();
        if end > bytes {
            break;
        }
        start = end;
    }
    start
}

/// The first eight bytes, so that what is smaller has no larger number.
fn number(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = Labels> {
        let text = prop_oneof![
            "[ab]{0,3}",
            "same",
            "a\u{0}{0,3}",
            "(shared text of a length|shared text)[ab0-9é]{0,12}",
            Just("ä".repeat(70)),
        ];
        proptest::collection::vec(("[ab]{0,2}|__name__", text), 0..5).prop_map(Labels::new)
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_comparing(sets in proptest::collection::vec(set(), 0..400)) {
            let mut expected = sets.clone();
            expected.sort();
            prop_assert_eq!(sorted(sets, |labels| labels), expected);
        }
    }

    #[test]
    fn sets_that_differ_far_behind_are_sorted() {
        let one = |n: usize| Labels::new([("m", "x".repeat(n)), ("n", (n * 7 % 300).to_string())]);
        let sets: Vec<Labels> = (0..300).map(one).collect();
        let mut expected = sets.clone();
        expected.sort();
        assert_eq!(sorted(sets, |labels| labels), expected);
    }
}
