//! What families mean by the word of those who send samples here: remote write, in both of its versions.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::scrape::Metadata;

/// How many families are kept; later ones are passed over.
const FAMILIES_MAX: usize = 20_000;
/// The longest help that is kept; a longer one is passed over with its family.
const HELP_BYTES_MAX: usize = 4096;

/// Families that were told, the last word of each; in memory alone.
#[derive(Debug, Default)]
pub struct ToldFamilies(Mutex<BTreeMap<String, Metadata>>);

impl ToldFamilies {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Metadata>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is said of a family. A saying of nothing is none.
    pub fn tell(&self, family: &str, told: (&'static str, &str, &str)) {
        let (kind, help, unit) = told;
        let is_empty = kind == "unknown" && help.is_empty() && unit.is_empty();
        if family.is_empty() || is_empty || help.len() + unit.len() + family.len() > HELP_BYTES_MAX {
            return;
        }
        let mut known = self.known();
        if let Some(metadata) = known.get_mut(family) {
            if (metadata.kind, metadata.help.as_str(), metadata.unit.as_str()) != told {
                *metadata = Metadata { kind, help: help.to_owned(), unit: unit.to_owned() };
            }
        } else if known.len() < FAMILIES_MAX {
            let metadata = Metadata { kind, help: help.to_owned(), unit: unit.to_owned() };
            known.insert(family.to_owned(), metadata);
        }
    }

    /// One family, or all of them.
    pub fn told(&self, family: Option<&str>) -> Vec<(String, Metadata)> {
        let known = self.known();
        let own = |(family, metadata): (&String, &Metadata)| (family.clone(), metadata.clone());
        match family {
            Some(family) => known.get_key_value(family).map(own).into_iter().collect(),
            None => known.iter().map(own).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_there_are_bounds() {
        let families = ToldFamilies::default();
        families.tell("a", ("counter", "Old.", ""));
        families.tell("a", ("counter", "New.", "seconds"));
        families.tell("b", ("unknown", "", ""));
        families.tell("", ("gauge", "Nameless.", ""));
        families.tell("c", ("gauge", &"x".repeat(5000), ""));
        let expected = Metadata { kind: "counter", help: "New.".to_owned(), unit: "seconds".to_owned() };
        assert_eq!(families.told(None), [("a".to_owned(), expected.clone())]);
        assert_eq!(families.told(Some("a")), [("a".to_owned(), expected)]);
        assert_eq!(families.told(Some("b")), []);
        (0..FAMILIES_MAX + 5).for_each(|n| families.tell(&format!("f{n}"), ("gauge", "", "")));
        assert_eq!(families.told(None).len(), FAMILIES_MAX);
    }
}
