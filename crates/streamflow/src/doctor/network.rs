//! The addresses that a server takes: free, or taken by one of ours.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use streamflow_dataset::{ColumnType, KeyPart, Period};

use super::{Found, Project};
use crate::config::{Config, PostgresTables};
use crate::feature_store::{FeatureStore, Name};
use crate::tables::faults;

/// For an answer from this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the feature store gives of the features that the model is configured with; nothing is said where none is asked.
pub async fn feature_store(project: &Project) -> Vec<Found> {
    let config = &project.config;
    let store = match FeatureStore::of(&config.features, &config.base, &config.dataset.entity) {
        Ok(None) => return Vec::new(),
        Ok(Some(store)) => store,
        Err(error) => return vec![Found::wrong(format!("{error:#}"), "mend the section [features]")],
    };
    // Nobody has this name: the answer says what would be given of somebody.
    let part = |kind: &ColumnType| match kind {
        ColumnType::Integer => KeyPart::Integer(i64::MIN),
        _ => KeyPart::Text("".into()),
    };
    let nobody: Name = config.dataset.key_types().iter().map(part).collect();
    vec![match store.look_up(&[nobody]).await {
        Err(error) => Found::wrong(
            error.to_string(),
            "start the feature server, or mend features.url, features.service and features.references",
        ),
        Ok(found) => {
            given(&store, config, found.iter().flat_map(|found| &found.values).map(|(name, _)| &**name))
        }
    }]
}

/// Whether the tables that an ingest without a drop reads are there with the configured columns; nothing is said where no
/// database is configured.
pub async fn tables(project: &Project) -> Vec<Found> {
    let (dataset, base) = (&project.config.dataset, &project.config.base);
    let settings = match PostgresTables::of(dataset) {
        Ok(None) => return Vec::new(),
        Ok(Some(settings)) => settings,
        Err(error) => {
            return vec![Found::wrong(format!("{error:#}"), "mend the section [dataset.source.postgres]")];
        }
    };
    let today = Period::from(jiff::Timestamp::now().to_zoned(TimeZone::UTC).date());
    let looked = async { faults(&settings, &settings.url(base)?, dataset, today).await };
    match looked.await {
        Err(error) => vec![Found::wrong(
            format!("{error:#}"),
            "mend the URL, or the section [dataset.source.postgres]; `streamflow ingest` without a folder fails until then",
        )],
        Ok(faults) if faults.is_empty() => {
            vec![Found::ok(format!("the database has all {} tables", dataset.tables.len()))]
        }
        Ok(faults) => faults
            .into_iter()
            .map(|fault| Found::wrong(fault, "mend it; `streamflow ingest` without a folder fails until then"))
            .collect(),
    }
}

fn given<'a>(store: &FeatureStore, config: &Config, names: impl Iterator<Item = &'a str>) -> Found {
    let names: HashSet<&str> = names.collect();
    let lacking: Vec<&str> =
        config.dataset.features.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
    let all = config.dataset.features.len();
    let (url, given) = (store.shown_url(), all - lacking.len());
    match (given, lacking.is_empty()) {
        (_, true) => Found::ok(format!("the feature store at {url} gives all {all} features")),
        (0, _) => Found::wrong(
            format!("the feature store at {url} gives none of the {all} features"),
            "ask for a service or for references that have features of dataset.features",
        ),
        _ => Found::warn(
            format!(
                "the feature store at {url} gives {given} of {all} features; {} come from the newest snapshot",
                lacking.join(", ")
            ),
            "nothing where that is meant; else add them to the service or to features.references",
        ),
    }
}

/// Both listeners of the configuration.
pub async fn ports(project: &Project) -> Vec<Found> {
    let (api, console) = (&project.config.api, &project.config.console);
    let session = format!("{}/api/streamflow/session", console.path_prefix);
    let planes = [
        Plane {
            name: "api.listen",
            address: api.listen,
            is_encrypted: api.tls.is_some(),
            path: "/openapi.json",
            sign: "/predict/batch",
        },
        Plane {
            name: "console.listen",
            address: console.listen,
            is_encrypted: console.tls.is_some(),
            path: &session,
            sign: "login_required",
        },
    ];
    let mut found = Vec::new();
    for plane in planes {
        found.push(plane.look().await);
    }
    if api.listen == console.listen && api.listen.port() != 0 {
        let what = format!("api.listen and console.listen are both {}", api.listen);
        found.push(Found::wrong(what, "give one of them another port"));
    }
    found
}

struct Plane<'a> {
    name: &'a str,
    address: SocketAddr,
    is_encrypted: bool,
    /// What a server of ours answers there, and what its answer holds.
    path: &'a str,
    sign: &'a str,
}

impl Plane<'_> {
    async fn look(&self) -> Found {
        let Self { name, address, .. } = self;
        match TcpListener::bind(address) {
            Ok(_) => Found::ok(format!("{name} {address} is free")),
            Err(error) if error.kind() == ErrorKind::AddrInUse && self.is_encrypted => Found::warn(
                format!(
                    "{name} {address} is taken, and whether by StreamFlow is not told from outside an encrypted connection"
                ),
                "nothing where that is so",
            ),
            Err(error) if error.kind() == ErrorKind::AddrInUse => match self.is_ours().await {
                true => Found::ok(format!("{name} {address} is taken by StreamFlow")),
                false => Found::wrong(
                    format!("{name} {address} is taken by another program: a server cannot start"),
                    format!("stop that program (ss -ltnp shows it), or choose another port for {name}"),
                ),
            },
            Err(error) => Found::wrong(
                format!("{name} {address} cannot be listened on: {error}"),
                format!("choose an address of this machine and a port over 1023 for {name}"),
            ),
        }
    }

    async fn is_ours(&self) -> bool {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        let ask = async {
            let url = Url::parse(&format!("http://{address}{}", self.path)).ok()?;
            let client = streamflow_outbound::client_of(&url).build().ok()?;
            let answer = client.get(url).send().await.ok()?;
            answer.text().await.ok()
        };
        let answer = tokio::time::timeout(PATIENCE, ask).await;
        answer.ok().flatten().is_some_and(|text| text.contains(self.sign))
    }
}
