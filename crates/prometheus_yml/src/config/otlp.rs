//! `otlp`.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Fault, fault};

/// How what OpenTelemetry sends becomes series.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Otlp {
    /// How names are made.
    pub translation_strategy: OtlpTranslation,
    /// Whether all attributes of a resource become labels of its series.
    pub promote_all_resource_attributes: bool,
    /// The attributes that become labels, unless all do.
    pub promote_resource_attributes: Vec<String>,
    /// The attributes that do not become labels where all others do.
    pub ignore_resource_attributes: Vec<String>,
    /// Whether `target_info` also has the attributes of which `job` and `instance` are made.
    pub keep_identifying_resource_attributes: bool,
    /// Whether histograms with explicit bounds become native histograms with custom bounds.
    pub convert_histograms_to_nhcb: bool,
}

/// `translation_strategy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum OtlpTranslation {
    /// Letters, digits and `_` alone, with units and `_total` at the end.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Names as they come, with units and `_total` at the end.
    NoUtf8EscapingWithSuffixes,
    /// Names as they come.
    NoTranslation,
}

impl TryFrom<String> for OtlpTranslation {
    type Error = String;

    /// An empty name is the default.
    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "" | "UnderscoreEscapingWithSuffixes" => Ok(Self::UnderscoreEscapingWithSuffixes),
            "NoUTF8EscapingWithSuffixes" => Ok(Self::NoUtf8EscapingWithSuffixes),
            "NoTranslation" => Ok(Self::NoTranslation),
            _ => Err(format!(
                "the translation strategy {name:?} is not known, expected UnderscoreEscapingWithSuffixes, \
                 NoUTF8EscapingWithSuffixes or NoTranslation"
            )),
        }
    }
}

impl Otlp {
    pub(super) fn check(&self, legacy_names: bool) -> Result<(), Fault> {
        for (key, attributes) in [
            ("promote_resource_attributes", &self.promote_resource_attributes),
            ("ignore_resource_attributes", &self.ignore_resource_attributes),
        ] {
            let mut known = BTreeSet::new();
            for attribute in attributes.iter().map(|attribute| attribute.trim()) {
                if attribute.is_empty() {
                    return Err(fault(key, format!("an attribute of {key} has no name")));
                }
                if !known.insert(attribute) {
                    return Err(fault(key, format!("the attribute {attribute:?} is there twice")));
                }
            }
        }
        let all = self.promote_all_resource_attributes;
        if all && !self.promote_resource_attributes.is_empty() {
            let message =
                "promote_all_resource_attributes promotes these already, remove one of the two keys";
            return Err(fault("promote_resource_attributes", message));
        }
        if !all && !self.ignore_resource_attributes.is_empty() {
            let message = "ignore_resource_attributes needs promote_all_resource_attributes: true";
            return Err(fault("ignore_resource_attributes", message));
        }
        if legacy_names && self.translation_strategy != OtlpTranslation::default() {
            let message = "the names that this strategy makes need metric_name_validation_scheme: utf8; use \
                           UnderscoreEscapingWithSuffixes";
            return Err(fault("translation_strategy", message));
        }
        Ok(())
    }
}
