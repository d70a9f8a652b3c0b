//! What the keys of the file owe each other: defaults from `global`, and rules about more than one key.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::{Alertmanager, PrometheusConfig, RemoteWrite, ScrapeConfig};
use crate::discovery::star_above_the_end;
use crate::native::NativeHistograms;
use crate::protocol::{NameSchemes, ScrapeProtocol};

/// Where in the file something is wrong (keys and numbers in lists), and what.
pub(crate) type Fault = (Vec<String>, String);

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
        for (key, files) in
            [("rule_files", &self.rule_files), ("scrape_config_files", &self.scrape_config_files)]
        {
            if let Some((index, file)) = files.iter().enumerate().find(|(_, file)| star_above_the_end(file)) {
                let message = format!("{key} {file:?}: * may stand in the last part of the path alone");
                return Err((vec![key.to_owned(), index.to_string()], message));
            }
        }
        for (index, manager) in self.alerting.alertmanagers.iter().enumerate() {
            manager.check().map_err(under(&["alerting", "alertmanagers"], index))?;
        }
        let legacy_names = self.global.metric_name_validation_scheme == "legacy";
        self.otlp.check(legacy_names).map_err(|(mut steps, message)| {
            steps.insert(0, "otlp".to_owned());
            (steps, message)
        })?;
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
        } else if global.external_labels.contains_key("") {
            found = Err(fault("external_labels", "a label has no name"));
        } else if let Some(protocols) = &global.scrape_protocols {
            found = check_protocols(protocols);
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
        self.scrape_config_files.iter_mut().for_each(join);
        let scrapes = self.scrape_configs.iter_mut().map(|scrape| (&mut scrape.http, &mut scrape.discovery));
        let managers = self.alerting.alertmanagers.iter_mut();
        let managers = managers.map(|manager| (&mut manager.http, &mut manager.discovery));
        for (http, discovery) in scrapes.chain(managers) {
            http.resolve(directory);
            discovery.resolve(directory);
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
        if self.scrape_protocols.is_empty() {
            self.usual_protocols = global.scrape_protocols.is_none();
            let shared = global.scrape_protocols.as_deref().unwrap_or(&ScrapeProtocol::DEFAULT);
            self.scrape_protocols = shared.to_vec();
        }
        let own = NameSchemes {
            validation: &self.metric_name_validation_scheme,
            escaping: &self.metric_name_escaping_scheme,
        };
        let shared = NameSchemes {
            validation: &global.metric_name_validation_scheme,
            escaping: &global.metric_name_escaping_scheme,
        };
        let resolved = own.resolved(shared).map_err(|(key, message)| fault(key, message))?;
        (self.legacy_names, self.escaping) = resolved;
        self.take_native(global);
        Ok(())
    }

    fn take_native(&mut self, global: &super::Global) {
        let enabled = &mut self.scrape_native_histograms;
        *enabled = enabled.or(global.scrape_native_histograms);
        let switch = |own: Option<bool>, shared| own.or(shared).unwrap_or(false);
        let (limit, factor) = (self.native_histogram_bucket_limit, self.native_histogram_min_bucket_factor);
        self.native = NativeHistograms {
            enabled: switch(*enabled, None),
            always_classic: switch(
                self.always_scrape_classic_histograms,
                global.always_scrape_classic_histograms,
            ),
            convert_classic: switch(
                self.convert_classic_histograms_to_nhcb,
                global.convert_classic_histograms_to_nhcb,
            ),
            bucket_limit: if limit == 0 { global.native_histogram_bucket_limit } else { limit },
            min_bucket_factor: if factor == 0.0 { global.native_histogram_min_bucket_factor } else { factor },
        };
        self.ask_for_protobuf();
    }

    fn check(&self) -> Result<(), Fault> {
        if self.job_name.is_empty() {
            return Err(fault("job_name", "a scrape config needs a job_name"));
        }
        check_protocols(&self.scrape_protocols)?;
        self.http.check().map_err(|(key, message)| fault(key, message))?;
        self.discovery.check(!self.relabel_configs.is_empty())
    }
}

/// Refuses a list that is empty or names a protocol twice.
fn check_protocols(protocols: &[ScrapeProtocol]) -> Result<(), Fault> {
    let twice = protocols.iter().enumerate().find(|(index, protocol)| protocols[..*index].contains(protocol));
    match twice {
        Some((_, protocol)) => Err(fault("scrape_protocols", format!("{protocol:?} is there twice"))),
        None if protocols.is_empty() => {
            Err(fault("scrape_protocols", "name one protocol, or leave the key out"))
        }
        None => Ok(()),
    }
}

impl Alertmanager {
    fn check(&self) -> Result<(), Fault> {
        if self.api_version != "v2" {
            return Err(fault(
                "api_version",
                format!("{:?} is not a version, expected v2", self.api_version),
            ));
        }
        self.http.check().map_err(|(key, message)| fault(key, message))?;
        self.discovery.check(!self.relabel_configs.is_empty())
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

pub(crate) fn fault(key: &str, message: impl Into<String>) -> Fault {
    (vec![key.to_owned()], message.into())
}

/// Puts the place of an entry before the place in it.
pub(crate) fn under(steps: &[&str], index: usize) -> impl Fn(Fault) -> Fault {
    let before: Vec<String> =
        steps.iter().map(|step| (*step).to_owned()).chain([index.to_string()]).collect();
    move |(steps, message)| (before.iter().cloned().chain(steps).collect(), message)
}
