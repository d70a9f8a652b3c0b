//! Where targets come from.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::config::{Fault, duration, fault, or_default, under};
use crate::http_settings::HttpSettings;

/// Everything that names the targets of a job or of Alertmanagers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Discovery {
    #[serde(deserialize_with = "or_default")]
    pub static_configs: Vec<TargetGroup>,
    #[serde(deserialize_with = "or_default")]
    pub file_sd_configs: Vec<FileDiscovery>,
    #[serde(deserialize_with = "or_default")]
    pub http_sd_configs: Vec<HttpDiscovery>,
    #[serde(deserialize_with = "or_default")]
    pub dns_sd_configs: Vec<DnsDiscovery>,
}

/// Addresses with labels that they share: an entry of `static_configs` or of a discovery file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetGroup {
    /// `host:port`, without a scheme or path unless relabeling makes an address of it.
    #[serde(deserialize_with = "or_default")]
    pub targets: Vec<String>,
    /// Names are not empty.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// Files of target groups, in JSON or YAML.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FileDiscovery {
    /// Paths; the last part may be a pattern.
    #[serde(deserialize_with = "or_default")]
    pub files: Vec<String>,
    /// How long a change may go unnoticed at most.
    #[serde(deserialize_with = "duration")]
    pub refresh_interval: Duration,
}

impl Default for FileDiscovery {
    fn default() -> Self {
        FileDiscovery { files: Vec::new(), refresh_interval: Duration::from_secs(300) }
    }
}

/// A server that answers with a JSON list of target groups.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct HttpDiscovery {
    /// Where it is asked.
    pub url: String,
    /// Time between two questions.
    #[serde(deserialize_with = "duration")]
    pub refresh_interval: Duration,
    /// Credentials and TLS of the questions.
    #[serde(skip)]
    pub http: HttpSettings,
}

impl Default for HttpDiscovery {
    fn default() -> Self {
        HttpDiscovery {
            url: String::new(),
            refresh_interval: Duration::from_secs(60),
            http: HttpSettings::default(),
        }
    }
}

/// Names whose DNS records are targets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsDiscovery {
    /// The names.
    #[serde(deserialize_with = "or_default")]
    pub names: Vec<String>,
    /// Time between two questions.
    #[serde(deserialize_with = "duration")]
    pub refresh_interval: Duration,
    /// `SRV`, `A`, `AAAA`, `MX` or `NS`, in any case.
    #[serde(rename = "type")]
    pub kind: String,
    /// The port of targets whose records have none; 0 where it is not set.
    pub port: u16,
}

impl Default for DnsDiscovery {
    fn default() -> Self {
        DnsDiscovery {
            names: Vec::new(),
            refresh_interval: Duration::from_secs(30),
            kind: "SRV".to_owned(),
            port: 0,
        }
    }
}

/// The clients of `http_sd_configs`, whose keys stand beside their own.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DiscoveryClients {
    #[serde(deserialize_with = "or_default")]
    pub http_sd_configs: Vec<HttpSettings>,
}

impl Discovery {
    /// What Prometheus refuses. Where relabeling may make an address of anything, targets are not looked at.
    pub(crate) fn check(&self, is_relabeled: bool) -> Result<(), Fault> {
        for (index, group) in self.static_configs.iter().enumerate() {
            let addresses = if is_relabeled { Ok(()) } else { group.check_addresses() };
            let checked = addresses.and_then(|()| group.check_labels());
            checked.map_err(|message| under(&["static_configs"], index)(fault("targets", message)))?;
        }
        for (index, files) in self.file_sd_configs.iter().enumerate() {
            files.check().map_err(under(&["file_sd_configs"], index))?;
        }
        for (index, http) in self.http_sd_configs.iter().enumerate() {
            http.check().map_err(under(&["http_sd_configs"], index))?;
        }
        for (index, dns) in self.dns_sd_configs.iter().enumerate() {
            dns.check().map_err(under(&["dns_sd_configs"], index))?;
        }
        Ok(())
    }

    /// Makes paths relative to the directory absolute.
    pub(crate) fn resolve(&mut self, directory: &Path) {
        for file in self.file_sd_configs.iter_mut().flat_map(|discovery| &mut discovery.files) {
            *file = directory.join(&*file).to_string_lossy().into_owned();
        }
        self.http_sd_configs.iter_mut().for_each(|discovery| discovery.http.resolve(directory));
    }
}

impl TargetGroup {
    /// Refuses a label without a name.
    pub(crate) fn check_labels(&self) -> Result<(), String> {
        if self.labels.contains_key("") {
            return Err("a label of the targets has no name".to_owned());
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), String> {
        let Some(target) = self.targets.iter().find(|target| target.contains('/')) else { return Ok(()) };
        Err(format!(
            "the target {target:?} is no address, expected host:port without scheme and path, or relabel_configs \
             that make an address of it"
        ))
    }
}

impl FileDiscovery {
    fn check(&self) -> Result<(), Fault> {
        if self.files.is_empty() {
            return Err(fault("files", "file_sd_configs needs at least one file"));
        }
        for file in &self.files {
            let extension = Path::new(file).extension().unwrap_or_default().to_string_lossy();
            let known = ["json", "yml", "yaml", "JSON", "YML", "YAML"].contains(&extension.as_ref());
            if star_above_the_end(file) || !known {
                let expected = "a path to .json, .yml or .yaml with * in its last part alone";
                return Err(fault("files", format!("{file:?} is no file of targets, expected {expected}")));
            }
        }
        Ok(())
    }
}

impl HttpDiscovery {
    fn check(&self) -> Result<(), Fault> {
        let refused = |why: String| {
            fault("url", format!("{:?} {why}, expected one like http://host/targets", self.url))
        };
        let url = Url::parse(&self.url).map_err(|error| refused(format!("is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("is not of http or https".to_owned()));
        }
        self.http.check().map_err(|(key, message)| fault(key, message))
    }
}

impl DnsDiscovery {
    fn check(&self) -> Result<(), Fault> {
        if self.names.is_empty() {
            return Err(fault("names", "dns_sd_configs needs at least one name"));
        }
        match self.kind.to_ascii_uppercase().as_str() {
            "SRV" => Ok(()),
            "A" | "AAAA" | "MX" | "NS" if self.port == 0 => {
                Err(fault("port", format!("records of type {} have no port, set one", self.kind)))
            }
            "A" | "AAAA" | "MX" | "NS" => Ok(()),
            _ => Err(fault("type", format!("{:?} is none of SRV, A, AAAA, MX and NS", self.kind))),
        }
    }
}

/// Whether a `*` stands before the last part of a path.
pub(crate) fn star_above_the_end(path: &str) -> bool {
    path.split_once('*').is_some_and(|(_, behind)| behind.contains('/'))
}
