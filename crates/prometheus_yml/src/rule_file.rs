//! Rule files as Prometheus reads them: groups of recording and alerting rules.
//!
//! A file is taken whole or refused with all that is wrong in it. It gets the verdict of `promtool check rules`; the
//! keys `query_offset` and `labels` of a group, which newer versions have, are known too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;
use streamflow_gotext::parse_duration_ms;
use streamflow_promql::{Engine, Query};
use streamflow_template::Template;
use streamflow_tsdb::{Labels, METRIC_NAME};

use crate::scalar::Whole;
use crate::yaml::{self, first_document};

/// A rule file that was found good.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFile {
    /// Where it was read.
    pub path: PathBuf,
    /// In the order of the file, names unique.
    pub groups: Vec<RuleGroup>,
    /// What is allowed and most likely a mistake: the same rule twice.
    pub warnings: Vec<String>,
}

/// Rules that are evaluated one after another at the same times.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroup {
    /// Unique in the file.
    pub name: String,
    /// Time between evaluations; `None` for the configuration's.
    pub interval_ms: Option<i64>,
    /// Most series or alerts of one rule; no limit below 1.
    pub limit: i64,
    /// How far in the past the expressions are evaluated; `None` for the configuration's.
    pub query_offset_ms: Option<i64>,
    /// In the order of evaluation.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The series that it records, or the alert.
    pub name: String,
    /// What is evaluated.
    pub expr: Query,
    /// The same spelled as Prometheus would.
    pub query: String,
    /// Labels of the rule and its group, as written: templates, where the rule is an alert.
    pub labels: BTreeMap<String, String>,
    /// `None` for a recording rule.
    pub alert: Option<AlertRule>,
}

/// What only alerts have.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// How long the expression must hold before the alert fires.
    pub for_ms: i64,
    /// How long it fires on after the expression no longer holds.
    pub keep_firing_for_ms: i64,
    /// The annotations as written.
    pub annotations: BTreeMap<String, String>,
    /// The rule's labels, parsed.
    pub label_templates: Vec<(String, Template)>,
    /// The annotations, parsed.
    pub annotation_templates: Vec<(String, Template)>,
}

/// One thing that is wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// The file.
    pub file: PathBuf,
    /// From 1; 0 where it is not known.
    pub line: u64,
    /// The group's name.
    pub group: Option<String>,
    /// The rule's place in its group, from 1, and its name.
    pub rule: Option<(usize, String)>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Display for RuleProblem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(group) = &self.group {
            write!(f, "group {group:?}, ")?;
        }
        if let Some((place, name)) = &self.rule {
            write!(f, "rule {place} {name:?}: ")?;
        }
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

/// Why a rule file is refused: everything that is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RuleError(pub Vec<RuleProblem>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    groups: Option<Vec<Option<Spanned<GroupText>>>>,
}

type Texts = Option<BTreeMap<String, Option<Spanned<String>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    name: Option<Spanned<String>>,
    interval: Option<Spanned<String>>,
    query_offset: Option<Spanned<String>>,
    limit: Option<Whole>,
    labels: Texts,
    rules: Option<Vec<Spanned<RuleText>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    record: Option<Spanned<String>>,
    alert: Option<Spanned<String>>,
    expr: Option<Spanned<String>>,
    r#for: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    labels: Texts,
    annotations: Texts,
}

/// Reads the text of a rule file; `path` is for messages and for the groups' identity.
///
/// # Errors
/// All problems of the file, each with its line.
pub fn parse_rules(text: &str, path: &Path) -> Result<RuleFile, RuleError> {
    let mut reader = Reader { path, problems: Vec::new(), line: 0, group: None, rule: None };
    let text = first_document(text);
    let file: FileText = if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        FileText { groups: None }
    } else {
        match serde_saphyr::from_str_with_options(text, yaml::options()) {
            Ok(file) => file,
            Err(error) => {
                reader.line = error.location().map_or(0, |location| location.line());
                let said = error.without_snippet().to_string();
                reader.problem(said, "see docs/alerts.md for the keys of a rule file");
                return Err(RuleError(reader.problems));
            }
        }
    };
    let mut groups: Vec<RuleGroup> = Vec::new();
    for group in file.groups.unwrap_or_default().into_iter().flatten() {
        let group = reader.group(group);
        if groups.iter().any(|known| known.name == group.name) {
            reader.group = Some(group.name.clone());
            reader.problem("the group's name is used twice in the file", "give each group its own name");
        }
        groups.push(group);
    }
    let warnings = duplicates(path, &groups);
    if reader.problems.is_empty() {
        Ok(RuleFile { path: path.to_owned(), groups, warnings })
    } else {
        Err(RuleError(reader.problems))
    }
}

/// Goes through the file and keeps what is wrong.
struct Reader<'p> {
    path: &'p Path,
    problems: Vec<RuleProblem>,
    /// Where it stands.
    line: u64,
    group: Option<String>,
    rule: Option<(usize, String)>,
}

impl Reader<'_> {
    fn problem(&mut self, message: impl Into<String>, remedy: &'static str) {
        self.problems.push(RuleProblem {
            file: self.path.to_owned(),
            line: self.line,
            group: self.group.clone(),
            rule: self.rule.clone(),
            message: message.into(),
            remedy,
        });
    }

    /// The text, and the line it stands in for what is said next; empty where there is none.
    fn text(&mut self, text: Option<Spanned<String>>) -> String {
        match text {
            Some(text) => {
                self.line = text.referenced.line();
                text.value
            }
            None => String::new(),
        }
    }

    fn duration(&mut self, key: &str, text: Option<Spanned<String>>) -> Option<i64> {
        let text = self.text(Some(text?));
        match parse_duration_ms(&text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.problem(format!("{key}: {error}"), "write a duration as 30s, 5m or 1h30m");
                None
            }
        }
    }

    fn group(&mut self, text: Spanned<GroupText>) -> RuleGroup {
        (self.line, self.group, self.rule) = (text.referenced.line(), None, None);
        let text = text.value;
        let name = self.text(text.name);
        if name.is_empty() {
            self.problem("a group has no name", "add name: to the group");
        }
        self.group = Some(name.clone());
        let interval_ms = self.duration("interval", text.interval).filter(|interval| *interval > 0);
        let query_offset_ms = self.duration("query_offset", text.query_offset);
        let labels = self.labels(text.labels);
        let rules = text.rules.unwrap_or_default();
        let rules =
            rules.into_iter().enumerate().filter_map(|(at, rule)| self.rule(at + 1, rule, &labels)).collect();
        RuleGroup { name, interval_ms, limit: text.limit.map_or(0, |limit| limit.0), query_offset_ms, rules }
    }

    fn rule(
        &mut self,
        place: usize,
        text: Spanned<RuleText>,
        group_labels: &BTreeMap<String, String>,
    ) -> Option<Rule> {
        self.line = text.referenced.line();
        let text = text.value;
        let (record, alert) = (self.text(text.record), self.text(text.alert));
        let name = if alert.is_empty() { record.clone() } else { alert.clone() };
        self.rule = Some((place, name.clone()));
        match (record.is_empty(), alert.is_empty()) {
            (true, true) => self.problem("neither record nor alert is set", "set one of them"),
            (false, false) => self.problem("record and alert are both set", "make two rules of it"),
            // Any text may name a series, but this is an expression in the wrong place.
            (false, true) if record.contains(['{', '}']) => self.problem(
                format!("braces in the name {record:?} of the recorded series"),
                "move what they hold to expr or labels",
            ),
            _ => {}
        }
        let expr = self.expr(text.expr);
        let for_ms = self.duration("for", text.r#for).unwrap_or(0);
        let keep_firing_for_ms = self.duration("keep_firing_for", text.keep_firing_for).unwrap_or(0);
        let mut labels = group_labels.clone();
        labels.extend(self.labels(text.labels));
        let annotations = self.annotations(text.annotations);
        if !record.is_empty() {
            let of_alerts = [
                ("for", for_ms != 0),
                ("keep_firing_for", keep_firing_for_ms != 0),
                ("annotations", !annotations.is_empty()),
            ];
            for (key, _) in of_alerts.iter().filter(|(_, set)| *set) {
                self.problem(
                    format!("{key} in a recording rule"),
                    "remove it, or write alert in place of record",
                );
            }
        }
        let alert_rule = (!alert.is_empty()).then(|| AlertRule {
            for_ms,
            keep_firing_for_ms,
            label_templates: self.templates(&alert, "label", &labels),
            annotation_templates: self.templates(&alert, "annotation", &annotations),
            annotations,
        });
        let expr = expr?;
        let query = expr.expr.to_string();
        Some(Rule { name, expr, query, labels, alert: alert_rule })
    }

    fn expr(&mut self, text: Option<Spanned<String>>) -> Option<Query> {
        let text = self.text(text);
        if text.is_empty() {
            self.problem("no expr", "add the PromQL expression as expr:");
            return None;
        }
        match Query::parse(&Engine::default(), &text) {
            Ok(query) => Some(query),
            Err(error) => {
                self.problem(format!("cannot parse the expression {text:?}: {error}"), "correct expr");
                None
            }
        }
    }

    fn labels(&mut self, texts: Texts) -> BTreeMap<String, String> {
        let texts = self.texts(texts);
        for name in texts.keys() {
            if name.is_empty() || name == METRIC_NAME {
                self.problem(format!("{name:?} is no name of a label"), "give it another name");
            }
        }
        texts
    }

    fn annotations(&mut self, texts: Texts) -> BTreeMap<String, String> {
        let texts = self.texts(texts);
        for name in texts.keys() {
            if name.is_empty() {
                self.problem("an annotation has no name".to_owned(), "give it a name");
            }
        }
        texts
    }

    fn texts(&mut self, texts: Texts) -> BTreeMap<String, String> {
        texts.unwrap_or_default().into_iter().map(|(name, text)| (name, self.text(text))).collect()
    }

    fn templates(
        &mut self,
        alert: &str,
        what: &str,
        texts: &BTreeMap<String, String>,
    ) -> Vec<(String, Template)> {
        let mut templates = Vec::with_capacity(texts.len());
        for (name, text) in texts {
            match Template::parse(alert, text) {
                Ok(template) => templates.push((name.clone(), template)),
                Err(error) => self.problem(format!("{what} {name:?}: {error}"), "correct the template"),
            }
        }
        templates
    }
}

/// Rules that would write the same series.
fn duplicates(path: &Path, groups: &[RuleGroup]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut warnings = Vec::new();
    for (group, rule) in
        groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (&group.name, rule)))
    {
        let labels = Labels::new(rule.labels.iter()).with(METRIC_NAME, &rule.name);
        match seen.entry(labels) {
            Entry::Vacant(entry) => {
                entry.insert(group);
            }
            Entry::Occupied(entry) => warnings.push(format!(
                "{}: {} is in group {:?} and again in group {group:?}: the series of both mix; give one of them another name or label",
                path.display(),
                entry.key(),
                entry.get(),
            )),
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
