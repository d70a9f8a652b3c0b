//! What a target says about its families: type, help, unit.

use std::collections::BTreeMap;

/// How many families of one target are kept.
const FAMILIES_MAX: usize = 20_000;
/// Scrapes for which a family that is no longer there is still told.
const KEPT_SCRAPES: u64 = 10;

/// Type, help and unit of one family, as `/api/v1/metadata` answers them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata {
    /// `counter`, `gauge`, …, `unknown`.
    pub kind: &'static str,
    /// May be empty.
    pub help: String,
    /// May be empty.
    pub unit: String,
}

/// The families of one target.
#[derive(Debug, Default)]
pub(super) struct Families {
    families: BTreeMap<String, (Metadata, u64)>,
    scrape: u64,
}

impl Families {
    pub fn begin(&mut self) {
        self.scrape += 1;
    }

    pub fn end(&mut self) {
        let scrape = self.scrape;
        self.families.retain(|_, (_, seen)| scrape - *seen <= KEPT_SCRAPES);
    }

    pub fn set_type(&mut self, family: &str, kind: &'static str) {
        self.change(family, |metadata| metadata.kind = kind);
    }

    pub fn set_help(&mut self, family: &str, help: &str) {
        self.change(family, |metadata| {
            if metadata.help != help {
                help.clone_into(&mut metadata.help);
            }
        });
    }

    pub fn set_unit(&mut self, family: &str, unit: &str) {
        self.change(family, |metadata| unit.clone_into(&mut metadata.unit));
    }

    fn change(&mut self, family: &str, change: impl FnOnce(&mut Metadata)) {
        if !self.families.contains_key(family) {
            if self.families.len() >= FAMILIES_MAX {
                return;
            }
            let new = Metadata { kind: "unknown", help: String::new(), unit: String::new() };
            self.families.insert(family.to_owned(), (new, self.scrape));
        }
        if let Some((metadata, seen)) = self.families.get_mut(family) {
            *seen = self.scrape;
            change(metadata);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Metadata)> {
        self.families.iter().map(|(family, (metadata, _))| (family.as_str(), metadata))
    }

    pub fn get(&self, family: &str) -> Option<&Metadata> {
        self.families.get(family).map(|(metadata, _)| metadata)
    }
}
