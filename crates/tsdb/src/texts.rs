//! Many short texts in one allocation.

/// Texts one after the other: a hundred thousand of them cost two allocations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    /// One more.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    /// The first place of a sorted list whose text is not before this one.
    pub(crate) fn first_from(&self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(|other| other < text) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Leaves the first ones.
    pub fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Two sorted lists as one, each text once.
    pub(crate) fn united(self, more: Self) -> Self {
        if more.is_empty() {
            return self;
        }
        if self.is_empty() {
            return more;
        }
        let mut all: Vec<&str> = self.iter().chain(more.iter()).collect();
        // The stable sort knows lists that are in order, and merges them.
        all.sort();
        all.dedup();
        all.into_iter().collect()
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut list = Self::default();
        texts.into_iter().for_each(|text| list.push(text));
        list
    }
}

impl<const N: usize> PartialEq<[&str; N]> for Texts {
    fn eq(&self, other: &[&str; N]) -> bool {
        self.iter().eq(other.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn united_is_the_sets(a in proptest::collection::btree_set("[abé]{0,3}", 0..20),
                              b in proptest::collection::btree_set("[abé]{0,3}", 0..20),
                              kept in 0_usize..20) {
            let list = |set: &BTreeSet<String>| set.iter().map(String::as_str).collect::<Texts>();
            let mut united = list(&a).united(list(&b));
            let mut expected: Vec<&str> = a.union(&b).map(String::as_str).collect();
            prop_assert_eq!(united.iter().collect::<Vec<_>>(), expected.clone());
            united.truncate(kept);
            expected.truncate(kept);
            prop_assert_eq!(united, expected.into_iter().collect::<Texts>());
        }
    }
}
