//! Every key of `prometheus.yml`: read, or known to Prometheus and not read. A row is a key, with all places of it.
//!
//! Source: the configuration page of Prometheus 3; what its release 2.42 does not know is accepted as well.

use Meaning::{Holds, Read, Unread};
use Place::{
    Alerting, Alertmanager, Authorization, BasicAuth, DnsDiscovery, File, FileDiscovery, Global,
    HttpDiscovery, Metadata, Otlp, Queue, Relabel, RemoteWrite, Scrape, ScrapeFile, TargetGroup, Tls,
};

/// A mapping of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The whole file.
    File,
    /// A file of `scrape_config_files`.
    ScrapeFile,
    Global,
    Scrape,
    TargetGroup,
    FileDiscovery,
    HttpDiscovery,
    DnsDiscovery,
    Relabel,
    Tls,
    BasicAuth,
    Authorization,
    Alerting,
    Alertmanager,
    RemoteWrite,
    Queue,
    Metadata,
    Otlp,
}

impl Place {
    /// The place as messages name it.
    pub fn name(self) -> &'static str {
        match self {
            File => "the file",
            ScrapeFile => "a file of scrape_config_files",
            Global => "global",
            Scrape => "a scrape config",
            TargetGroup => "static_configs",
            FileDiscovery => "file_sd_configs",
            HttpDiscovery => "http_sd_configs",
            DnsDiscovery => "dns_sd_configs",
            Relabel => "a relabel rule",
            Tls => "tls_config",
            BasicAuth => "basic_auth",
            Authorization => "authorization",
            Alerting => "alerting",
            Alertmanager => "alertmanagers",
            RemoteWrite => "remote_write",
            Queue => "queue_config",
            Metadata => "metadata_config",
            Otlp => "otlp",
        }
    }

    /// The rows of the keys that may stand here.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.places.contains(&self))
    }
}

/// What becomes of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The value is read.
    Read,
    /// The value is a mapping of its own, or a list of them.
    Holds(Place),
    /// Prometheus knows the key and we ignore it, with a warning.
    Unread,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    pub meaning: Meaning,
    pub places: &'static [Place],
}

const fn key(name: &'static str, meaning: Meaning, places: &'static [Place]) -> Key {
    Key { name, meaning, places }
}

/// Where everything stands that a job may take from `global`.
const SCRAPES: &[Place] = &[Global, Scrape];
/// Where targets are discovered.
const DISCOVERERS: &[Place] = &[Scrape, Alertmanager];
/// Where an HTTP client is described.
const CLIENTS: &[Place] = &[Scrape, Alertmanager, RemoteWrite, HttpDiscovery];

const KEYS: &[Key] = &[
    key("rule_files", Read, &[File]),
    key("global", Holds(Global), &[File]),
    key("scrape_configs", Holds(Scrape), &[File, ScrapeFile]),
    key("alerting", Holds(Alerting), &[File]),
    key("remote_write", Holds(RemoteWrite), &[File]),
    key("scrape_config_files", Read, &[File]),
    key("remote_read", Unread, &[File]),
    key("storage", Unread, &[File]),
    key("tracing", Unread, &[File]),
    key("otlp", Holds(Otlp), &[File]),
    key("runtime", Unread, &[File]),
    key("evaluation_interval", Read, &[Global]),
    key("external_labels", Read, &[Global]),
    key("query_log_file", Unread, &[Global]),
    key("rule_query_offset", Read, &[Global]),
    key("extra_scrape_metrics", Unread, &[Global]),
    key("scrape_interval", Read, SCRAPES),
    key("scrape_timeout", Read, SCRAPES),
    key("body_size_limit", Read, SCRAPES),
    key("sample_limit", Read, SCRAPES),
    key("target_limit", Read, SCRAPES),
    key("label_limit", Read, SCRAPES),
    key("label_name_length_limit", Read, SCRAPES),
    key("label_value_length_limit", Read, SCRAPES),
    key("keep_dropped_targets", Read, SCRAPES),
    key("scrape_protocols", Read, SCRAPES),
    key("fallback_scrape_protocol", Read, &[Scrape]),
    key("scrape_native_histograms", Read, SCRAPES),
    key("always_scrape_classic_histograms", Read, SCRAPES),
    key("scrape_classic_histograms", Unread, SCRAPES),
    key("convert_classic_histograms_to_nhcb", Read, SCRAPES),
    key("metric_name_validation_scheme", Read, SCRAPES),
    key("metric_name_escaping_scheme", Read, SCRAPES),
    key("native_histogram_bucket_limit", Read, SCRAPES),
    key("native_histogram_min_bucket_factor", Read, SCRAPES),
    key("scrape_failure_log_file", Unread, SCRAPES),
    key("job_name", Read, &[Scrape]),
    key("metrics_path", Read, &[Scrape]),
    key("params", Read, &[Scrape]),
    key("honor_labels", Read, &[Scrape]),
    key("honor_timestamps", Read, &[Scrape]),
    key("track_timestamps_staleness", Read, &[Scrape]),
    key("extra_scrape_metrics", Read, &[Scrape]),
    key("enable_compression", Read, &[Scrape]),
    key("metric_relabel_configs", Holds(Relabel), &[Scrape]),
    key("scheme", Read, DISCOVERERS),
    key("static_configs", Holds(TargetGroup), DISCOVERERS),
    key("file_sd_configs", Holds(FileDiscovery), DISCOVERERS),
    key("relabel_configs", Holds(Relabel), DISCOVERERS),
    key("azure_sd_configs", Unread, DISCOVERERS),
    key("consul_sd_configs", Unread, DISCOVERERS),
    key("digitalocean_sd_configs", Unread, DISCOVERERS),
    key("docker_sd_configs", Unread, DISCOVERERS),
    key("dockerswarm_sd_configs", Unread, DISCOVERERS),
    key("dns_sd_configs", Holds(DnsDiscovery), DISCOVERERS),
    key("ec2_sd_configs", Unread, DISCOVERERS),
    key("eureka_sd_configs", Unread, DISCOVERERS),
    key("gce_sd_configs", Unread, DISCOVERERS),
    key("hetzner_sd_configs", Unread, DISCOVERERS),
    key("http_sd_configs", Holds(HttpDiscovery), DISCOVERERS),
    key("ionos_sd_configs", Unread, DISCOVERERS),
    key("kubernetes_sd_configs", Unread, DISCOVERERS),
    key("kuma_sd_configs", Unread, DISCOVERERS),
    key("lightsail_sd_configs", Unread, DISCOVERERS),
    key("linode_sd_configs", Unread, DISCOVERERS),
    key("marathon_sd_configs", Unread, DISCOVERERS),
    key("nerve_sd_configs", Unread, DISCOVERERS),
    key("nomad_sd_configs", Unread, DISCOVERERS),
    key("openstack_sd_configs", Unread, DISCOVERERS),
    key("ovhcloud_sd_configs", Unread, DISCOVERERS),
    key("puppetdb_sd_configs", Unread, DISCOVERERS),
    key("scaleway_sd_configs", Unread, DISCOVERERS),
    key("serverset_sd_configs", Unread, DISCOVERERS),
    key("stackit_sd_configs", Unread, DISCOVERERS),
    key("triton_sd_configs", Unread, DISCOVERERS),
    key("uyuni_sd_configs", Unread, DISCOVERERS),
    key("vultr_sd_configs", Unread, DISCOVERERS),
    key("targets", Read, &[TargetGroup]),
    key("labels", Read, &[TargetGroup]),
    key("files", Read, &[FileDiscovery]),
    key("refresh_interval", Read, &[FileDiscovery, HttpDiscovery, DnsDiscovery]),
    key("names", Read, &[DnsDiscovery]),
    key("port", Read, &[DnsDiscovery]),
    key("source_labels", Read, &[Relabel]),
    key("separator", Read, &[Relabel]),
    key("regex", Read, &[Relabel]),
    key("modulus", Read, &[Relabel]),
    key("target_label", Read, &[Relabel]),
    key("replacement", Read, &[Relabel]),
    key("action", Read, &[Relabel]),
    key("bearer_token", Read, CLIENTS),
    key("bearer_token_file", Read, CLIENTS),
    key("follow_redirects", Read, CLIENTS),
    key("tls_config", Holds(Tls), CLIENTS),
    key("basic_auth", Holds(BasicAuth), CLIENTS),
    key("authorization", Holds(Authorization), CLIENTS),
    key("oauth2", Unread, CLIENTS),
    key("proxy_url", Unread, CLIENTS),
    key("no_proxy", Unread, CLIENTS),
    key("proxy_from_environment", Unread, CLIENTS),
    key("proxy_connect_header", Unread, CLIENTS),
    key("enable_http2", Unread, CLIENTS),
    key("http_headers", Read, CLIENTS),
    key("ca_file", Read, &[Tls]),
    key("cert_file", Read, &[Tls]),
    key("key_file", Read, &[Tls]),
    key("insecure_skip_verify", Read, &[Tls]),
    key("server_name", Read, &[Tls]),
    key("min_version", Read, &[Tls]),
    key("max_version", Read, &[Tls]),
    key("ca", Read, &[Tls]),
    key("cert", Read, &[Tls]),
    key("key", Read, &[Tls]),
    key("ca_ref", Unread, &[Tls]),
    key("cert_ref", Unread, &[Tls]),
    key("key_ref", Unread, &[Tls]),
    key("username", Read, &[BasicAuth]),
    key("username_file", Read, &[BasicAuth]),
    key("password", Read, &[BasicAuth]),
    key("password_file", Read, &[BasicAuth]),
    key("username_ref", Unread, &[BasicAuth]),
    key("password_ref", Unread, &[BasicAuth]),
    key("type", Read, &[Authorization, DnsDiscovery]),
    key("credentials", Read, &[Authorization]),
    key("credentials_file", Read, &[Authorization]),
    key("credentials_ref", Unread, &[Authorization]),
    key("alert_relabel_configs", Holds(Relabel), &[Alerting, Alertmanager]),
    key("alertmanagers", Holds(Alertmanager), &[Alerting]),
    key("path_prefix", Read, &[Alertmanager]),
    key("timeout", Read, &[Alertmanager]),
    key("api_version", Read, &[Alertmanager]),
    key("sigv4", Unread, &[Alertmanager, RemoteWrite]),
    key("url", Read, &[RemoteWrite, HttpDiscovery]),
    key("name", Read, &[RemoteWrite]),
    key("remote_timeout", Read, &[RemoteWrite]),
    key("headers", Read, &[RemoteWrite]),
    key("write_relabel_configs", Holds(Relabel), &[RemoteWrite]),
    key("queue_config", Holds(Queue), &[RemoteWrite]),
    key("send_exemplars", Read, &[RemoteWrite]),
    key("send_native_histograms", Read, &[RemoteWrite]),
    key("metadata_config", Holds(Metadata), &[RemoteWrite]),
    key("send", Read, &[Metadata]),
    key("send_interval", Read, &[Metadata]),
    key("azuread", Unread, &[RemoteWrite]),
    key("google_iam", Unread, &[RemoteWrite]),
    key("protobuf_message", Read, &[RemoteWrite]),
    key("round_robin_dns", Unread, &[RemoteWrite]),
    key("capacity", Read, &[Queue]),
    key("max_shards", Read, &[Queue]),
    key("min_shards", Read, &[Queue]),
    key("max_samples_per_send", Read, &[Queue, Metadata]),
    key("batch_send_deadline", Read, &[Queue]),
    key("min_backoff", Read, &[Queue]),
    key("max_backoff", Read, &[Queue]),
    key("retry_on_http_429", Read, &[Queue]),
    key("sample_age_limit", Read, &[Queue]),
    key("translation_strategy", Read, &[Otlp]),
    key("promote_all_resource_attributes", Read, &[Otlp]),
    key("promote_resource_attributes", Read, &[Otlp]),
    key("ignore_resource_attributes", Read, &[Otlp]),
    key("keep_identifying_resource_attributes", Read, &[Otlp]),
    key("convert_histograms_to_nhcb", Read, &[Otlp]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_meaning_in_a_place() {
        for (index, row) in KEYS.iter().enumerate() {
            for other in KEYS[index + 1..].iter().filter(|other| other.name == row.name) {
                let twice = row.places.iter().find(|place| other.places.contains(place));
                assert_eq!(twice, None, "{} stands there twice", row.name);
                assert_ne!(row.meaning, other.meaning, "{} needs one row only", row.name);
            }
        }
    }
}
