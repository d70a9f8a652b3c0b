//! A client that may ask for another host in the handshake than the one that it talks to (`server_name`).
//!
//! The HTTP library takes the name of the handshake from the URL. So the URL of such a request names the host that is
//! asked for, the header `Host` the one of the address, and a resolver finds the address under the other name. Open
//! connections are kept by the name in the URL, which is why each host has a client of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Method, RequestBuilder, Url};
use rustls::pki_types::ServerName;

use crate::client::Parts;

/// Hosts whose clients are kept. Where discovery finds ever new ones, those kept so far are left to end with their
/// requests.
const HOSTS_MAX: usize = 10_000;

/// Sends requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    direct: reqwest::Client,
    named: Option<Arc<Named>>,
}

impl From<reqwest::Client> for Client {
    fn from(direct: reqwest::Client) -> Self {
        Self { direct, named: None }
    }
}

impl Client {
    pub(crate) fn new(parts: Parts, name: Option<ServerName<'static>>) -> reqwest::Result<Self> {
        let direct = parts.builder().build()?;
        let named = match name {
            Some(ServerName::DnsName(name)) => Some(name.as_ref().to_ascii_lowercase()),
            _ => None,
        };
        let named = named.map(|name| Arc::new(Named { name, parts, clients: Mutex::default() }));
        Ok(Self { direct, named })
    }

    /// A request whose method is `GET`.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A request to the host of the URL.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let named = self.named.as_deref().filter(|_| url.scheme() == "https");
        let named = named.and_then(|named| named.request(method.clone(), &url));
        named.unwrap_or_else(|| self.direct.request(method, url))
    }
}

#[derive(Debug)]
struct Named {
    /// What the handshake asks for.
    name: String,
    parts: Parts,
    /// By host.
    clients: Mutex<HashMap<String, reqwest::Client>>,
}

impl Named {
    /// None where the name is no host of a URL: the certificate is held against it all the same.
    fn request(&self, method: Method, url: &Url) -> Option<RequestBuilder> {
        let host = url.host_str()?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut asked = url.clone();
        asked.set_host(Some(&self.name)).ok()?;
        let header = HeaderValue::from_str(&authority).ok()?;
        (asked.domain() == Some(&self.name)).then_some(())?;
        Some(self.client(host)?.request(method, asked).header(HOST, header))
    }

    fn client(&self, host: &str) -> Option<reqwest::Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(host) {
            return Some(client.clone());
        }
        let mut builder = self.parts.builder();
        if self.parts.redirects > 0 {
            let limited = Policy::limited(self.parts.redirects);
            builder = builder.redirect(Policy::custom(move |attempt| {
                if stays(&attempt) { limited.redirect(attempt) } else { attempt.error(ELSEWHERE) }
            }));
        }
        let client = builder.dns_resolver(Arc::new(Address(host.to_owned()))).build().ok()?;
        if clients.len() >= HOSTS_MAX {
            clients.clear();
        }
        clients.insert(host.to_owned(), client.clone());
        Some(client)
    }
}

/// The header `Host` of the first request would go to the other host.
const ELSEWHERE: &str = "the redirect names a host, which is not followed with server_name; expected one that names the path alone";

fn stays(attempt: &Attempt<'_>) -> bool {
    let of = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    attempt.previous().last().is_some_and(|last| of(last) == of(attempt.url()))
}

/// Finds the addresses of one host under any name.
struct Address(String);

impl Resolve for Address {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.trim_start_matches('[').trim_end_matches(']').to_owned();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
