//! The values of a label in memory, and the series that have each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::matcher::Matcher;
use crate::postings::union;
use crate::texts::Texts;

/// Values, sorted, with the numbers of their series.
#[derive(Debug, Default)]
pub(super) struct Values {
    lists: BTreeMap<Box<str>, Ids>,
    /// Made when all values are looked at, until another one comes.
    dense: OnceLock<Dense>,
}

/// Numbers of series, ascending; most values of a label with very many are of one series.
#[derive(Debug)]
enum Ids {
    One(u64),
    Many(Vec<u64>),
}

/// The values one after the other: the map's texts lie all over the memory, and to look at a hundred thousand of them would
/// take ten times as long.
#[derive(Debug, Default)]
struct Dense {
    texts: Texts,
    /// The number of the series of each, or [`SEVERAL`].
    ids: Vec<u64>,
}

/// Stands for numbers that are looked up.
const SEVERAL: u64 = u64::MAX;

impl Ids {
    fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    fn insert(&mut self, id: u64) {
        match self {
            Self::One(first) => *self = Self::Many(vec![(*first).min(id), (*first).max(id)]),
            Self::Many(ids) if ids.last().is_some_and(|last| *last < id) => ids.push(id),
            // A log restores them in any order.
            Self::Many(ids) => ids.insert(ids.partition_point(|other| *other < id), id),
        }
    }

    /// Tells whether any is left.
    fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) -> bool {
        match self {
            Self::One(id) => keep(*id),
            Self::Many(ids) => {
                ids.retain(|id| keep(*id));
                !ids.is_empty()
            }
        }
    }
}

impl Values {
    pub(super) fn insert(&mut self, value: &str, id: u64) {
        match self.lists.get_mut(value) {
            Some(ids) => {
                if matches!(ids, Ids::One(_)) {
                    self.dense.take();
                }
                ids.insert(id);
            }
            None => {
                self.dense.take();
                self.lists.insert(value.into(), Ids::One(id));
            }
        }
    }

    /// Takes numbers away from a value, and the value with its last one.
    pub(super) fn remove(&mut self, value: &str, keep: impl FnMut(u64) -> bool) {
        self.dense.take();
        if self.lists.get_mut(value).is_some_and(|ids| !ids.retain(keep)) {
            self.lists.remove(value);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Each with the number of its series.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.lists.iter().map(|(value, ids)| (&**value, ids.as_slice().len()))
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.dense().texts
    }

    fn dense(&self) -> &Dense {
        self.dense.get_or_init(|| {
            let mut dense = Dense::default();
            for (value, ids) in &self.lists {
                dense.texts.push(value);
                dense.ids.push(if let Ids::One(id) = ids { *id } else { SEVERAL });
            }
            dense
        })
    }

    /// The numbers of the series that meet a matcher which the empty value does not.
    pub(super) fn postings(&self, matcher: &Matcher) -> Cow<'_, [u64]> {
        let list = |value: &str| self.lists.get(value).map(Ids::as_slice);
        if let Some(texts) = matcher.texts() {
            return union(texts.iter().filter_map(|text| list(text)).map(Cow::Borrowed).collect());
        }
        let dense = self.dense();
        let prefix = matcher.prefix();
        let mut single = Vec::new();
        let mut found = Vec::new();
        for (place, text) in dense.texts.iter().enumerate().skip(dense.texts.first_from(prefix)) {
            if !prefix.is_empty() && !text.starts_with(prefix) {
                break;
            }
            if !matcher.matches(text) {
                continue;
            }
            match dense.ids[place] {
                SEVERAL => found.extend(list(text).map(Cow::Borrowed)),
                id => single.push(id),
            }
        }
        single.sort_unstable();
        found.push(Cow::Owned(single));
        union(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::MatchOp;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn values_are_those_of_a_naive_list(
            steps in proptest::collection::vec(("[ab]{1,2}", 1_u64..20, any::<bool>()), 0..60),
        ) {
            let mut values = Values::default();
            let mut naive: BTreeSet<(String, u64)> = BTreeSet::new();
            for (value, id, removes) in steps {
                if removes {
                    values.remove(&value, |other| other != id);
                    naive.remove(&(value, id));
                } else if naive.iter().all(|(_, other)| *other != id) {
                    // A series has one value of a label.
                    naive.insert((value.clone(), id));
                    values.insert(&value, id);
                }
                let texts: BTreeSet<&str> = naive.iter().map(|(value, _)| value.as_str()).collect();
                prop_assert!(values.texts().iter().eq(texts.iter().copied()));
                prop_assert!(values.counts().eq(texts.iter().map(|text| (*text, naive.iter().filter(|(value, _)| value == text).count()))));
                prop_assert_eq!(values.is_empty(), naive.is_empty());
                for (op, pattern) in [(MatchOp::Regex, "a.*"), (MatchOp::Regex, "a|b"), (MatchOp::Regex, ".*b"), (MatchOp::NotEqual, "a")] {
                    let matcher = Matcher::new("l", op, pattern).unwrap();
                    let meeting = naive.iter().filter(|(value, _)| matcher.matches(value)).map(|(_, id)| *id);
                    let expected: Vec<u64> = meeting.collect::<BTreeSet<u64>>().into_iter().collect();
                    prop_assert_eq!(values.postings(&matcher).to_vec(), expected);
                }
            }
        }
    }
}
