//! Who sent a request, for which host and over what: as its connection tells, or as proxies tell that are trusted.
//!
//! A proxy appends to `X-Forwarded-For` or `Forwarded` the address that it was asked from. Anybody can write the
//! beginning of such a list, so it is read from its end, for as long as what it names is a trusted proxy itself.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Network;
use crate::server::Peer;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Address of the client, or of the first proxy that nobody trusts.
    pub address: IpAddr,
    /// The hosts that were asked for, with their ports: every one that a trusted proxy names, else that of the request.
    pub hosts: Vec<String>,
    /// Whether the client's connection is encrypted.
    pub is_https: bool,
    /// The trusted proxy that handed the request on, where one did.
    pub proxy: Option<IpAddr>,
}

impl Sender {
    /// The sender of a request with these headers that came from `peer`.
    pub fn of(peer: Peer, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let Peer { address: peer, is_encrypted } = peer;
        let peer = peer.ip().to_canonical();
        let own_host = || list(headers, header::HOST.as_str()).into_iter().take(1).collect();
        if !is_trusted(peer) {
            return Self { address: peer, hosts: own_host(), is_https: is_encrypted, proxy: None };
        }
        let forwarded = Forwarded::of(headers);
        let by_list = |addresses: &[String]| client(peer, addresses, is_trusted);
        let x_addresses = list(headers, FORWARDED_FOR);
        // A proxy passes on the header it does not know, whoever wrote it: where both are there they must agree.
        let address = match (x_addresses.is_empty(), forwarded.addresses.is_empty()) {
            (_, true) => by_list(&x_addresses),
            (true, false) => by_list(&forwarded.addresses),
            (false, false) => {
                let (one, other) = (by_list(&x_addresses), by_list(&forwarded.addresses));
                if one == other { one } else { peer }
            }
        };
        let mut hosts = list(headers, FORWARDED_HOST);
        hosts.extend(forwarded.hosts);
        let mut schemes = list(headers, FORWARDED_PROTO);
        schemes.extend(forwarded.schemes);
        Self {
            address,
            hosts: if hosts.is_empty() { own_host() } else { hosts },
            is_https: match schemes.is_empty() {
                true => is_encrypted,
                false => schemes.iter().all(|scheme| scheme.eq_ignore_ascii_case("https")),
            },
            proxy: Some(peer),
        }
    }

    /// Leaves `headers` with the host that was asked for as the only forwarded one, for those who read it there.
    pub fn tell_host(&self, headers: &mut HeaderMap) {
        headers.remove(header::FORWARDED);
        headers.remove(FORWARDED_HOST);
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        if let Some(host) = self.hosts.first().filter(|host| own != Some(host.as_str()))
            && let Ok(host) = HeaderValue::from_str(host)
        {
            headers.insert(FORWARDED_HOST, host);
        }
    }
}

/// The client behind trusted proxies: the last address of the list that is none of theirs. Where an address cannot be
/// read, what lies before it is unknown, and the proxy that told it stands for the client.
fn client(peer: IpAddr, addresses: &[String], is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut found = peer;
    for text in addresses.iter().rev() {
        let Some(address) = address(text) else { break };
        found = address;
        if !is_trusted(address) {
            break;
        }
    }
    found
}

/// `1.2.3.4`, `1.2.3.4:56`, `::1`, `[::1]` or `[::1]:56`.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bracketed {
        Some((address, port)) => (address, port),
        None if text.matches(':').count() == 1 => text.split_at(text.find(':')?),
        None => (text, ""),
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let address: IpAddr =
        address.parse().ok().filter(|address: &IpAddr| bracketed.is_none() || address.is_ipv6())?;
    is_port.then(|| address.to_canonical())
}

/// The members of a header's list, over all of its lines.
pub fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let members = lines.flat_map(|line| split(&line, ',').map(unquoted).collect::<Vec<_>>());
    members.filter(|member| !member.is_empty()).collect()
}

/// What `Forwarded` (RFC 7239) says, in its order.
#[derive(Default)]
struct Forwarded {
    addresses: Vec<String>,
    hosts: Vec<String>,
    schemes: Vec<String>,
}

impl Forwarded {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for line in headers.get_all(header::FORWARDED) {
            let line = String::from_utf8_lossy(line.as_bytes());
            for pair in split(&line, ',').flat_map(|element| split(element, ';')) {
                let Some((name, value)) = pair.split_once('=') else { continue };
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => found.addresses.push(unquoted(value)),
                    "host" => found.hosts.push(unquoted(value)),
                    "proto" => found.schemes.push(unquoted(value)),
                    _ => {}
                }
            }
        }
        found
    }
}

/// The parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let is_separator = character == separator && !is_quoted;
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && is_quoted && !is_escaped;
        is_separator
    })
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace('\\', ""),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1:4000";

    fn sender(peer: &str, sent: &[(&'static str, &str)]) -> Sender {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "inner:9090")].iter().chain(sent) {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = Peer { address: peer.parse().unwrap(), is_encrypted: false };
        Sender::of(peer, &headers, &trusted)
    }

    #[test]
    fn the_client_is_the_last_that_is_no_trusted_proxy() {
        for (peer, sent, expected) in [
            ("1.2.3.4:5", &[][..], "1.2.3.4"),
            ("1.2.3.4:5", &[("x-forwarded-for", "9.9.9.9")], "1.2.3.4"),
            ("[::ffff:1.2.3.4]:5", &[], "1.2.3.4"),
            (PROXY, &[], "10.0.0.1"),
            (PROXY, &[("x-forwarded-for", "9.9.9.9")], "9.9.9.9"),
            (PROXY, &[("x-forwarded-for", "6.6.6.6, 9.9.9.9")], "9.9.9.9"),
            (PROXY, &[("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.2")], "9.9.9.9"),
            (PROXY, &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "9.9.9.9,10.0.0.2")], "9.9.9.9"),
            (PROXY, &[("x-forwarded-for", "9.9.9.9:1234")], "9.9.9.9"),
            (PROXY, &[("x-forwarded-for", "[2001:db8::1]:1234")], "2001:db8::1"),
            (PROXY, &[("x-forwarded-for", "2001:db8::1, fd00::2")], "2001:db8::1"),
            (PROXY, &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (PROXY, &[("x-forwarded-for", "6.6.6.6, unknown")], "10.0.0.1"),
            (PROXY, &[("x-forwarded-for", "6.6.6.6, unknown, 10.0.0.2")], "10.0.0.2"),
            (PROXY, &[("x-forwarded-for", "9.9.9.9:port")], "10.0.0.1"),
            (PROXY, &[("x-forwarded-for", "[9.9.9.9]")], "10.0.0.1"),
            (PROXY, &[("forwarded", "for=9.9.9.9;proto=https;by=10.0.0.1")], "9.9.9.9"),
            (PROXY, &[("forwarded", "for=6.6.6.6, For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            (PROXY, &[("forwarded", "for=\"9.9.9.9:80\"; host=\"a,b;c\" , for=10.0.0.2")], "9.9.9.9"),
            (PROXY, &[("forwarded", "for=_hidden")], "10.0.0.1"),
            (PROXY, &[("forwarded", "for=9.9.9.9"), ("x-forwarded-for", "9.9.9.9")], "9.9.9.9"),
            (PROXY, &[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "9.9.9.9")], "10.0.0.1"),
        ] {
            assert_eq!(sender(peer, sent).address.to_string(), expected, "{peer} {sent:?}");
        }
    }

    #[test]
    fn hosts_and_schemes_are_those_of_trusted_proxies() {
        for (peer, sent, hosts, is_https) in [
            (
                "1.2.3.4:5",
                &[("x-forwarded-host", "evil"), ("x-forwarded-proto", "https")][..],
                "inner:9090",
                false,
            ),
            (PROXY, &[], "inner:9090", false),
            (PROXY, &[("x-forwarded-host", "ops.example:8443")], "ops.example:8443", false),
            (PROXY, &[("x-forwarded-host", "ops.example, mid:80")], "ops.example mid:80", false),
            (PROXY, &[("forwarded", "host=\"ops.example:8443\";proto=https")], "ops.example:8443", true),
            (PROXY, &[("x-forwarded-proto", "https")], "inner:9090", true),
            (PROXY, &[("x-forwarded-proto", "HTTPS, https")], "inner:9090", true),
            (PROXY, &[("x-forwarded-proto", "https, http")], "inner:9090", false),
            (PROXY, &[("x-forwarded-proto", "http"), ("forwarded", "proto=https")], "inner:9090", false),
        ] {
            let found = sender(peer, sent);
            assert_eq!(
                (found.hosts.join(" ").as_str(), found.is_https),
                (hosts, is_https),
                "{peer} {sent:?}"
            );
        }
    }
}
