//! A bucket is opened: settings and environment become a client.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use url::{Host, Url};

use crate::connector::Connector;
use crate::counts::Counts;
use crate::credentials::described;
use crate::error::{Error, Kind, Surroundings};
use crate::location::{Location, Scheme};
use crate::settings::Settings;

/// The region of S3 where nobody says another: what the provider's own tools take.
const DEFAULT_REGION: &str = "us-east-1";

/// Longest time over all attempts of one request.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);

/// The variables of the process, as a store's tools read them.
pub(crate) type Variables = [(String, String)];

/// The store of a location and what its errors say beside the store's words.
pub(crate) fn open(
    location: &Location,
    settings: &Settings,
    variables: &Variables,
    counts: &Arc<Counts>,
) -> Result<(Arc<dyn ObjectStore>, Surroundings), Error> {
    let of = |name: &str| {
        let found = variables.iter().rev().find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let what = || format!("cannot use {location}");
    let first = |names: &[&str]| names.iter().find_map(|name| of(name));
    let endpoint = settings.endpoint.clone().or_else(|| match location.scheme() {
        Scheme::S3 => first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]),
        Scheme::Gs => first(&["GOOGLE_STORAGE_BASE_URL", "GOOGLE_BASE_URL"]),
        Scheme::Az => first(&["AZURE_ENDPOINT", "AZURE_STORAGE_ENDPOINT"]),
    });
    let is_true =
        |name: &str| of(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
    let allows_http = settings.allow_http || is_true("AWS_ALLOW_HTTP");
    let endpoint = endpoint.map(|text| checked(&text, allows_http, &what)).transpose()?;
    let anonymous = settings.anonymous || is_true("AWS_SKIP_SIGNATURE");
    let region = settings.region.clone().or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let surroundings = Surroundings {
        bucket: location.whole_bucket().to_string(),
        credentials: described(location.scheme(), anonymous, &of),
        endpoint: endpoint.as_ref().map_or_else(|| own_endpoint(location, &region), |url| url.to_string()),
        region: region.clone(),
    };
    let asked = endpoint.clone().map_or_else(|| Url::parse("https://object-store"), Ok);
    let asked = asked.map_err(|error| Error::new(Kind::Settings, what(), error.to_string(), ""))?;
    let connector = Connector::new(&asked, settings, of("AWS_CA_BUNDLE").as_deref(), counts.clone())?;
    let reached = Reached { location, endpoint, region, anonymous, retry: retry(settings), variables };
    let store = match location.scheme() {
        Scheme::S3 => reached.s3(connector),
        Scheme::Gs => reached.gs(connector),
        Scheme::Az => reached.az(connector),
    };
    let store = store.map_err(|error| surroundings.explain(what(), &error))?;
    Ok((store, surroundings))
}

fn own_endpoint(location: &Location, region: &str) -> String {
    match location.scheme() {
        Scheme::S3 => format!("S3 in {region}"),
        Scheme::Gs => "Google Cloud Storage".to_owned(),
        Scheme::Az => "Azure Blob Storage".to_owned(),
    }
}

fn retry(settings: &Settings) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: settings.retries as usize, retry_timeout: RETRY_TIMEOUT }
}

/// An endpoint that may be spoken to.
fn checked(text: &str, allows_http: bool, what: &dyn Fn() -> String) -> Result<Url, Error> {
    let wrong = |reason: String, remedy: &str| Error::new(Kind::Settings, what(), reason, remedy);
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| {
        wrong(
            format!("the endpoint {text:?} is no URL"),
            "expected http:// or https:// and a host, such as http://127.0.0.1:9000",
        )
    })?;
    let is_this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !allows_http && !is_this_machine {
        return Err(wrong(
            format!("the endpoint {text} would be sent data and credentials in the clear"),
            "use https://, or set storage.allow_http = true (or AWS_ALLOW_HTTP=true)",
        ));
    }
    Ok(url)
}

/// How a store is reached.
struct Reached<'a> {
    location: &'a Location,
    endpoint: Option<Url>,
    region: String,
    anonymous: bool,
    retry: RetryConfig,
    variables: &'a Variables,
}

impl Reached<'_> {
    fn endpoint_text(&self) -> Option<String> {
        self.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    fn s3(self, connector: Connector) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in self.variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
            if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = self.endpoint_text() {
            builder = builder.with_endpoint(endpoint);
        }
        let builder = builder
            .with_bucket_name(self.location.bucket())
            .with_region(self.region)
            .with_skip_signature(self.anonymous)
            .with_retry(self.retry)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }

    fn gs(self, connector: Connector) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = GoogleCloudStorageBuilder::new();
        for (name, value) in self.variables.iter().filter(|(name, _)| name.starts_with("GOOGLE_")) {
            if let Ok(key) = GoogleConfigKey::from_str(&name.to_ascii_lowercase()) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = self.endpoint_text() {
            builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
        }
        let builder = builder
            .with_bucket_name(self.location.bucket())
            .with_skip_signature(self.anonymous)
            .with_retry(self.retry)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }

    fn az(self, connector: Connector) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in self.variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
            if let Ok(key) = AzureConfigKey::from_str(&name.to_ascii_lowercase()) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = self.endpoint_text() {
            builder = builder.with_endpoint(endpoint);
        }
        let builder = builder
            .with_container_name(self.location.bucket())
            .with_skip_signature(self.anonymous)
            .with_retry(self.retry)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_without_tls_are_this_machine_or_allowed() {
        for (endpoint, allow_http, expected) in [
            ("http://127.0.0.1:9000", false, None),
            ("http://localhost:9000", false, None),
            ("https://store.example", false, None),
            ("http://store.example", true, None),
            ("http://store.example", false, Some("in the clear; use https://, or set storage.allow_http")),
            ("store.example", false, Some("the endpoint \"store.example\" is no URL; expected http://")),
        ] {
            let settings =
                Settings { endpoint: Some(endpoint.to_owned()), allow_http, ..Settings::default() };
            for scheme in ["s3", "gs"] {
                let location = Location::parse(&format!("{scheme}://shop")).unwrap();
                let variables = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
                let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let settings = Settings { anonymous: scheme == "gs", ..settings.clone() };
                match (open(&location, &settings, &variables, &Arc::default()), expected) {
                    (Ok((_, surroundings)), None) => assert!(surroundings.endpoint.starts_with(endpoint)),
                    (Err(error), Some(expected)) => {
                        assert!(error.to_string().contains(expected), "{endpoint}: {error}");
                        assert_eq!(error.kind(), Kind::Settings);
                    }
                    (found, _) => panic!("{endpoint}: {:?}", found.map(|(_, around)| around)),
                }
            }
        }
    }
}
