//! The addresses that a server takes: free, or taken by one of ours.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use streamflow_dataset::Period;

use super::{Found, Project};
use crate::config::PostgresTables;
use crate::tables::faults;

/// For an answer from this machine.
const PATIENCE: Duration = Duration::from_secs(2);

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
            .map(|fault| {
                Found::wrong(fault, "mend it; `streamflow ingest` without a folder fails until then")
            })
            .collect(),
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
