//! Which series have which label: sorted lists of their numbers, and what is made of them.

use std::borrow::Cow;

use crate::labels::Labels;
use crate::matcher::Matcher;

/// The numbers of the series that meet those matchers that an index can answer, and the matchers that are left:
/// those that a missing label meets too. They are cheaper asked of each candidate.
pub(crate) fn candidates<'a, 'm>(
    matchers: &'m [Matcher],
    all: impl FnOnce() -> Vec<u64>,
    find: impl Fn(&Matcher) -> Cow<'a, [u64]>,
) -> (Vec<u64>, Vec<&'m Matcher>) {
    let (filters, indexed): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| matcher.matches(""));
    let mut lists = Vec::with_capacity(indexed.len());
    for matcher in indexed {
        let list = find(matcher);
        if list.is_empty() {
            return (Vec::new(), filters);
        }
        lists.push(list);
    }
    lists.sort_by_key(|list| list.len());
    let mut lists = lists.into_iter();
    let Some(first) = lists.next() else { return (all(), filters) };
    let found = lists.fold(first.into_owned(), |mut found, list| {
        intersect(&mut found, &list);
        found
    });
    (found, filters)
}

/// Keeps of `found` what is in `list` too; gallops through the longer one.
fn intersect(found: &mut Vec<u64>, list: &[u64]) {
    let mut rest = list;
    found.retain(|id| {
        let mut step = 1;
        while step < rest.len() && rest[step] < *id {
            step *= 2;
        }
        let from = step / 2;
        let to = (step + 1).min(rest.len());
        rest = &rest[from.min(to)..];
        rest = &rest[rest[..to - from.min(to)].partition_point(|other| other < id)..];
        rest.first() == Some(id)
    });
}

/// Tells whether the labels meet all of them.
pub(crate) fn meets(labels: &Labels, filters: &[&Matcher]) -> bool {
    filters.iter().all(|matcher| matcher.matches(labels.get(matcher.name()).unwrap_or("")))
}

/// Several disjoint lists as one.
pub(crate) fn union<'a>(mut lists: Vec<Cow<'a, [u64]>>) -> Cow<'a, [u64]> {
    match lists.len() {
        0 => Cow::Borrowed(&[]),
        1 => lists.swap_remove(0),
        _ => {
            let mut all = lists.concat();
            all.sort_unstable();
            all.dedup();
            Cow::Owned(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn intersection_is_the_sets(a in proptest::collection::btree_set(0_u64..300, 0..200),
                                    b in proptest::collection::btree_set(0_u64..300, 0..200)) {
            let mut found: Vec<u64> = a.iter().copied().collect();
            intersect(&mut found, &b.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), &a & &b);
        }
    }
}
