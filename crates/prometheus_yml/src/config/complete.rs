//! What the keys of the file owe each other: defaults from `global`, and rules about more than one key.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::{Alertmanager, FileDiscovery, PrometheusConfig, RemoteWrite, ScrapeConfig, TargetGroup};
use crate::relabel::is_label_name;

/// Where in the file something is wrong (keys and numbers in lists), and what.
type Fault = (Vec<String>, String);

/// Headers that a remote write sets itself.
const RESERVED_HEADERS: [&str; 9] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "x-prometheus-remote-write-version",
];

impl PrometheusConfig {
    /// Fills in what depends on other keys, and refuses what Prometheus refuses.
    pub(super) fn complete(&mut self) -> Result<(), Fault> {
        self.complete_global()?;
        let mut jobs = BTreeSet::new();
        for (index, scrape) in self.scrape_configs.iter_mut().enumerate() {
            let under = under(&["scrape_configs"], index);
            scrape.take_from(&self.global).and_then(|()| scrape.check()).map_err(&under)?;
            if !jobs.insert(scrape.job_name.clone()) {
                return Err(under(fault(
                    "job_name",
                    format!("the job {:?} is there twice", scrape.job_name),
                )));
            }
        }
        for (index, file) in self.rule_files.iter().enumerate() {
            if pattern_above_the_end(file) {
                let message = format!("rule file {file:?}: only the last part of the path may be a pattern");
                return Err((vec!["rule_files".to_owned(), index.to_string()], message));
            }
        }
        for (index, manager) in self.alerting.alertmanagers.iter().enumerate() {
            manager.check().map_err(under(&["alerting", "alertmanagers"], index))?;
        }
        let mut names = BTreeSet::new();
        for (index, remote) in self.remote_write.iter().enumerate() {
            let under = under(&["remote_write"], index);
            remote.check().map_err(&under)?;
            if !remote.name.is_empty() && !names.insert(&remote.name) {
                return Err(under(fault("name", format!("the name {:?} is there twice", remote.name))));
            }
        }
        Ok(())
    }

    fn complete_global(&mut self) -> Result<(), Fault> {
        let global = &mut self.global;
        for (duration, default) in [(&mut global.scrape_interval, 60), (&mut global.evaluation_interval, 60)]
        {
            if duration.is_zero() {
                *duration = Duration::from_secs(default);
            }
        }
        let interval = global.scrape_interval;
        let timeout = global.scrape_timeout.get_or_insert(interval.min(Duration::from_secs(10)));
        let mut found = Ok(());
        if *timeout > interval {
            found = Err(fault("scrape_timeout", "the timeout is above the scrape_interval"));
        } else if let Some(name) = global.external_labels.keys().find(|name| !is_label_name(name)) {
            found = Err(fault("external_labels", format!("{name:?} is not a valid label name")));
        }
        found.map_err(|(mut steps, message)| {
            steps.insert(0, "global".to_owned());
            (steps, message)
        })
    }

    /// Makes paths relative to the directory absolute.
    pub(super) fn resolve(&mut self, directory: &Path) {
        let join = |path: &mut String| *path = directory.join(&*path).to_string_lossy().into_owned();
        self.rule_files.iter_mut().for_each(join);
        let scrapes =
            self.scrape_configs.iter_mut().map(|scrape| (&mut scrape.http, &mut scrape.file_sd_configs));
        let managers = self.alerting.alertmanagers.iter_mut();
        let managers = managers.map(|manager| (&mut manager.http, &mut manager.file_sd_configs));
        for (http, discoveries) in scrapes.chain(managers) {
            http.resolve(directory);
            discoveries.iter_mut().flat_map(|discovery| &mut discovery.files).for_each(join);
        }
        self.remote_write.iter_mut().for_each(|remote| remote.http.resolve(directory));
    }
}

impl ScrapeConfig {
    fn take_from(&mut self, global: &super::Global) -> Result<(), Fault> {
        self.scrape_interval = self.written_interval.unwrap_or(global.scrape_interval);
        let timeout = global.scrape_timeout.unwrap_or(Duration::from_secs(10)).min(self.scrape_interval);
        self.scrape_timeout = self.written_timeout.unwrap_or(timeout);
        if self.scrape_timeout > self.scrape_interval {
            return Err(fault("scrape_timeout", "the timeout is above the scrape_interval"));
        }
        for (own, shared) in [
            (&mut self.body_size_limit, global.body_size_limit),
            (&mut self.sample_limit, global.sample_limit),
            (&mut self.target_limit, global.target_limit),
            (&mut self.label_limit, global.label_limit),
            (&mut self.label_name_length_limit, global.label_name_length_limit),
            (&mut self.label_value_length_limit, global.label_value_length_limit),
            (&mut self.keep_dropped_targets, global.keep_dropped_targets),
        ] {
            if *own == 0 {
                *own = shared;
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        if self.job_name.is_empty() {
            return Err(fault("job_name", "a scrape config needs a job_name"));
        }
        self.http.check().map_err(|(key, message)| fault(key, message))?;
        check_discovery(&self.static_configs, &self.file_sd_configs)
    }
}

impl Alertmanager {
    fn check(&self) -> Result<(), Fault> {
        if !matches!(self.api_version.as_str(), "v1" | "v2") {
            return Err(fault(
                "api_version",
                format!("{:?} is not a version, expected v2", self.api_version),
            ));
        }
        self.http.check().map_err(|(key, message)| fault(key, message))?;
        check_discovery(&self.static_configs, &self.file_sd_configs)
    }
}

impl RemoteWrite {
    fn check(&self) -> Result<(), Fault> {
        if self.url.is_empty() {
            return Err(fault("url", "a remote write needs a url"));
        }
        Url::parse(&self.url).map_err(|error| fault("url", format!("{:?} is no URL: {error}", self.url)))?;
        let reserved = |name: &&String| RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        if let Some(name) = self.headers.keys().find(reserved) {
            return Err(fault("headers", format!("the header {name} is set otherwise, remove it")));
        }
        self.http.check().map_err(|(key, message)| fault(key, message))
    }
}

fn check_discovery(groups: &[TargetGroup], discoveries: &[FileDiscovery]) -> Result<(), Fault> {
    for (index, group) in groups.iter().enumerate() {
        group.check().map_err(|message| under(&["static_configs"], index)(fault("targets", message)))?;
    }
    for (index, discovery) in discoveries.iter().enumerate() {
        let under = under(&["file_sd_configs"], index);
        if discovery.files.is_empty() {
            return Err(under(fault("files", "file_sd_configs needs at least one file")));
        }
        for file in &discovery.files {
            let extension = Path::new(file).extension().unwrap_or_default().to_string_lossy();
            let known = ["json", "yml", "yaml", "JSON", "YML", "YAML"].contains(&extension.as_ref());
            if pattern_above_the_end(file) || !known {
                let expected = "a path to .json, .yml or .yaml whose last part may be a pattern";
                return Err(under(fault(
                    "files",
                    format!("{file:?} is no file of targets, expected {expected}"),
                )));
            }
        }
    }
    Ok(())
}

impl TargetGroup {
    /// What Prometheus refuses.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(target) = self.targets.iter().find(|target| target.contains('/')) {
            return Err(format!(
                "the target {target:?} is no address, expected host:port without scheme and path"
            ));
        }
        match self.labels.keys().find(|name| !is_label_name(name)) {
            Some(name) => Err(format!("{name:?} is not a valid label name")),
            None => Ok(()),
        }
    }
}

/// Whether a `*` stands before the last part, or twice.
fn pattern_above_the_end(path: &str) -> bool {
    path.split_once('*').is_some_and(|(_, behind)| behind.contains(['/', '*']))
}

fn fault(key: &str, message: impl Into<String>) -> Fault {
    (vec![key.to_owned()], message.into())
}

/// Puts the place of an entry before the place in it.
fn under(steps: &[&str], index: usize) -> impl Fn(Fault) -> Fault {
    let before: Vec<String> =
        steps.iter().map(|step| (*step).to_owned()).chain([index.to_string()]).collect();
    move |(steps, message)| (before.iter().cloned().chain(steps).collect(), message)
}
