//! Relabeling: rules that rename, drop and compute labels, as Prometheus has them.

use std::collections::BTreeMap;

use serde::Deserialize;
use streamflow_gotext::Regex;

use crate::md5::md5;

/// Labels while they are being rewritten; an empty value is a missing label and is not kept.
pub type LabelMap = BTreeMap<String, String>;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Action {
    #[default]
    Replace,
    Keep,
    Drop,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
    KeepEqual,
    DropEqual,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Relabel {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
}

impl PartialEq for Relabel {
    fn eq(&self, other: &Self) -> bool {
        let parts = |rule: &Self| {
            let texts = (rule.separator.clone(), rule.target_label.clone(), rule.replacement.clone());
            (rule.source_labels.clone(), rule.regex.as_str().to_owned(), rule.modulus, rule.action, texts)
        };
        parts(self) == parts(other)
    }
}

/// A rule as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    source_labels: Option<Vec<String>>,
    separator: Option<String>,
    regex: Option<String>,
    modulus: Option<u64>,
    target_label: Option<String>,
    replacement: Option<String>,
    action: Option<String>,
}

impl<'de> Deserialize<'de> for Relabel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.rule().map_err(serde::de::Error::custom)
    }
}

impl Written {
    fn rule(self) -> Result<Relabel, String> {
        let written = self.action.clone().unwrap_or_else(|| "replace".to_owned());
        let name = written.to_ascii_lowercase();
        let action =
            Action::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&name))
                .map_err(|_| format!("unknown relabel action {written:?}"))?;
        self.check(action, &name)?;
        let regex = self.regex.as_deref().unwrap_or("(.*)");
        Ok(Relabel {
            regex: Regex::anchored(regex).map_err(|error| format!("regex {regex:?}: {error}"))?,
            source_labels: self.source_labels.unwrap_or_default(),
            separator: self.separator.unwrap_or_else(|| ";".to_owned()),
            modulus: self.modulus.unwrap_or_default(),
            target_label: self.target_label.unwrap_or_default(),
            replacement: self.replacement.unwrap_or_else(|| "$1".to_owned()),
            action,
        })
    }

    /// What Prometheus refuses.
    fn check(&self, action: Action, name: &str) -> Result<(), String> {
        use Action::*;
        if self.source_labels.iter().flatten().any(String::is_empty) {
            return Err("source_labels: a label has no name".to_owned());
        }
        let target = self.target_label.as_deref().unwrap_or_default();
        let replacement = self.replacement.as_deref().unwrap_or("$1");
        if action == HashMod && self.modulus.unwrap_or_default() == 0 {
            return Err("action hashmod needs a modulus above 0".to_owned());
        }
        if matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual)
            && target.is_empty()
        {
            return Err(format!("action {name} needs a target_label"));
        }
        if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual) && replacement != "$1" {
            return Err(format!("replacement cannot be set for action {name}"));
        }
        if action == LabelMap && replacement.is_empty() {
            return Err("action labelmap needs a replacement".to_owned());
        }
        let only_regex = matches!(action, LabelDrop | LabelKeep);
        let sources = self.source_labels.as_ref().is_some_and(|labels| !labels.is_empty());
        let separator = self.separator.as_deref().unwrap_or(";") != ";";
        let modulus = self.modulus.unwrap_or_default() != 0;
        if only_regex && (sources || !target.is_empty() || modulus || separator || replacement != "$1") {
            return Err(format!("action {name} takes only regex"));
        }
        let regex = self.regex.as_deref().unwrap_or("(.*)") != "(.*)";
        if matches!(action, KeepEqual | DropEqual) && (regex || modulus || separator) {
            return Err(format!("action {name} takes only source_labels and target_label"));
        }
        Ok(())
    }
}

impl Relabel {
    /// Rewrites the labels; `false` says that what they name is dropped.
    fn apply(&self, labels: &mut LabelMap) -> bool {
        let text = |name: &String| labels.get(name).map_or("", String::as_str);
        let value = self.source_labels.iter().map(text).collect::<Vec<_>>().join(&self.separator);
        match self.action {
            Action::Keep => return self.regex.is_match(&value),
            Action::Drop => return !self.regex.is_match(&value),
            Action::KeepEqual => return text(&self.target_label) == value,
            Action::DropEqual => return text(&self.target_label) != value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => set(labels, self.target_label.clone(), value.to_lowercase()),
            Action::Uppercase => set(labels, self.target_label.clone(), value.to_uppercase()),
            Action::HashMod => {
                let [.., a, b, c, d, e, f, g, h] = md5(value.as_bytes());
                let shard = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % self.modulus;
                set(labels, self.target_label.clone(), shard.to_string());
            }
            Action::LabelMap => {
                for (name, value) in labels.clone() {
                    if self.regex.is_match(&name) {
                        let name = self.regex.replace_all(&name, &self.replacement);
                        set(labels, name, value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|name, _| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, value: &str, labels: &mut LabelMap) {
        let Some(captures) = self.regex.captures(value) else { return };
        let name = captures.expand(&self.target_label);
        if name.is_empty() {
            return;
        }
        set(labels, name, captures.expand(&self.replacement));
    }
}

/// Applies the rules in their order; `false` says that what the labels name is dropped.
pub fn relabel(labels: &mut LabelMap, rules: &[Relabel]) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

fn set(labels: &mut LabelMap, name: String, value: String) {
    if value.is_empty() {
        labels.remove(&name);
    } else {
        labels.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
