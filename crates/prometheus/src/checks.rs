//! Rule files and configurations looked at before a server takes them, with the verdicts of `promtool check`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use streamflow_gotext::{Glob, format_duration_ms};
use streamflow_prometheus_yml::{
    Discovery, Document, HttpSettings, PrometheusConfig, parse_rules, parse_targets,
};

use crate::configuration::add_scrape_configs;
use crate::matching::matching;

/// How far a query looks back: series of jobs that scrape more rarely have gaps.
const LOOKBACK: Duration = Duration::from_secs(300);

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// Rules of a rule file, rule files of a configuration.
    pub found: usize,
    /// Why a server refuses it; empty where it does not.
    pub problems: Vec<String>,
    /// What is allowed and most likely a mistake.
    pub lint: Vec<Lint>,
    /// What is not there yet, or left out.
    pub warnings: Vec<String>,
}

/// A likely mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Which check found it.
    pub check: LintCheck,
    /// What it is.
    pub message: String,
}

/// A check for likely mistakes, by promtool's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LintCheck {
    /// Two rules that record one series.
    DuplicateRules,
    /// A job that scrapes more rarely than queries look back.
    TooLongScrapeInterval,
}

impl Checked {
    fn new(file: &Path) -> Self {
        let (problems, lint, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Self { file: file.to_owned(), found: 0, problems, lint, warnings }
    }
}

/// Looks at the text of the rule file at `path`.
#[must_use]
pub fn rules(path: &Path, text: &str) -> Checked {
    let mut checked = Checked::new(path);
    match parse_rules(text, path) {
        Ok(file) => {
            checked.found = file.groups.iter().map(|group| group.rules.len()).sum();
            let duplicate = |message| Lint { check: LintCheck::DuplicateRules, message };
            checked.lint.extend(file.warnings.into_iter().map(duplicate));
        }
        Err(error) => checked.problems.extend(error.0.iter().map(ToString::to_string)),
    }
    checked
}

/// Looks at a configuration, and unless `syntax_only` at the files that it names; gives the configuration first, then its
/// rule files.
#[must_use]
pub fn config(path: &Path, syntax_only: bool) -> Vec<Checked> {
    let mut checked = Checked::new(path);
    let mut rule_files = Vec::new();
    match read(path, syntax_only) {
        Ok((config, warnings)) => {
            checked.warnings = warnings;
            checked.lint.extend(long_intervals(&config));
            if !syntax_only {
                rule_files = rule_files_of(&config, &mut checked);
                other_files(&config, &mut checked);
            }
        }
        Err(problem) => checked.problems.push(problem),
    }
    checked.found = rule_files.len();
    let of_rules = rule_files.iter().map(|file| match std::fs::read_to_string(file) {
        Ok(text) => rules(file, &text),
        Err(error) => Checked { problems: vec![unread(file, &error)], ..Checked::new(file) },
    });
    let of_rules: Vec<Checked> = of_rules.collect();
    [vec![checked], of_rules].concat()
}

fn unread(file: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", file.display())
}

fn read(path: &Path, syntax_only: bool) -> Result<(PrometheusConfig, Vec<String>), String> {
    let text = std::fs::read_to_string(path).map_err(|error| unread(path, &error))?;
    let mut document = Document::read(&text, path).map_err(|error| error.to_string())?;
    if !syntax_only {
        for pattern in document.config.scrape_config_files.clone() {
            add_scrape_configs(&mut document, &pattern).map_err(|error| error.to_string())?;
        }
    }
    Ok((document.config, document.warnings))
}

fn long_intervals(config: &PrometheusConfig) -> impl Iterator<Item = Lint> {
    let long = config.scrape_configs.iter().filter(|scrape| scrape.scrape_interval >= LOOKBACK);
    long.map(|scrape| {
        let ms = i64::try_from(scrape.scrape_interval.as_millis()).unwrap_or(i64::MAX);
        let interval = format_duration_ms(ms);
        let message = format!(
            "the job {:?} scrapes every {interval}, and queries look back for 5m: its series have gaps",
            scrape.job_name
        );
        Lint { check: LintCheck::TooLongScrapeInterval, message }
    })
}

/// The rule files that are named; one that is named without a pattern has to be there.
fn rule_files_of(config: &PrometheusConfig, checked: &mut Checked) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for pattern in &config.rule_files {
        match matching(Path::new(pattern)) {
            Ok(found) if found.is_empty() && !Glob::is_pattern(pattern) => {
                checked.problems.push(format!("rule_files: {pattern} does not exist"));
            }
            Ok(found) => files.extend(found),
            Err(message) => checked.problems.push(format!("rule_files: {message}")),
        }
    }
    files
}

/// Files of targets and of credentials.
fn other_files(config: &PrometheusConfig, checked: &mut Checked) {
    for scrape in &config.scrape_configs {
        let place = format!("the job {:?}", scrape.job_name);
        secret_files(&scrape.http, &place, checked);
        target_files(&scrape.discovery, &place, checked);
    }
    for manager in &config.alerting.alertmanagers {
        target_files(&manager.discovery, "alertmanagers", checked);
    }
}

fn secret_files(http: &HttpSettings, place: &str, checked: &mut Checked) {
    let authorization = http.authorization.as_ref().and_then(|given| given.credentials_file.as_ref());
    let tls = http.tls_config.as_ref();
    for (key, file) in [
        ("bearer_token_file", http.bearer_token_file.as_ref()),
        ("credentials_file", authorization),
        ("cert_file", tls.and_then(|tls| tls.cert_file.as_ref())),
        ("key_file", tls.and_then(|tls| tls.key_file.as_ref())),
    ] {
        let named = file.filter(|file| !file.as_os_str().is_empty());
        if let Some(file) = named.filter(|file| !file.exists()) {
            checked.problems.push(format!("{place}: {key} {} does not exist", file.display()));
        }
    }
}

fn target_files(discovery: &Discovery, place: &str, checked: &mut Checked) {
    for pattern in discovery.file_sd_configs.iter().flat_map(|files| &files.files) {
        let found = matching(Path::new(pattern)).unwrap_or_default();
        if found.is_empty() {
            checked.warnings.push(format!("{place}: {pattern} of file_sd_configs does not exist"));
        }
        for file in found {
            let groups = std::fs::read(&file).map_err(|error| error.to_string());
            if let Err(reason) = groups.and_then(|content| parse_targets(&file, &content)) {
                checked.problems.push(format!("{place}: {}: {reason}", file.display()));
            }
        }
    }
}
