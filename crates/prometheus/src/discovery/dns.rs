//! Discovery by DNS (`dns_sd_configs`), asked as `/etc/resolv.conf` says.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use streamflow_prometheus_yml::{DnsDiscovery, LabelMap};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use super::dns_message::{self, A, AAAA, Answer, MX, NS, Record, SRV};

/// Where the servers of the machine stand.
const CONFIGURATION: &str = "/etc/resolv.conf";
/// Longest wait for one server.
const TIMEOUT: Duration = Duration::from_secs(5);
const NO_SUCH_NAME: u8 = 3;

/// What `/etc/resolv.conf` says.
#[derive(Debug, Default, PartialEq)]
struct Resolver {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    /// A name with so many dots is tried as it is before it is completed.
    dots: usize,
}

/// The targets of all names.
///
/// # Errors
/// A name that could not be looked up. Names that do not exist have no targets.
pub(super) async fn ask(config: &DnsDiscovery) -> Result<Vec<LabelMap>, String> {
    let text = tokio::fs::read_to_string(CONFIGURATION).await.unwrap_or_default();
    asked(config, &Resolver::read(&text)).await
}

async fn asked(config: &DnsDiscovery, resolver: &Resolver) -> Result<Vec<LabelMap>, String> {
    let kind = match config.kind.to_ascii_uppercase().as_str() {
        "A" => A,
        "AAAA" => AAAA,
        "MX" => MX,
        "NS" => NS,
        _ => SRV,
    };
    let mut targets = Vec::new();
    for name in &config.names {
        for record in resolver.look_up(name, kind).await? {
            targets.push(labels(name, kind, &record, config.port));
        }
    }
    Ok(targets)
}

fn labels(name: &str, kind: u16, record: &Record, port: u16) -> LabelMap {
    let mut labels = LabelMap::from([("__meta_dns_name".to_owned(), name.to_owned())]);
    let mut set = |label: &str, value: String| labels.insert(label.to_owned(), value);
    let address = match record {
        Record::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Record::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
        Record::Service(host, port) => {
            set("__meta_dns_srv_record_target", format!("{host}."));
            set("__meta_dns_srv_record_port", port.to_string());
            format!("{host}:{port}")
        }
        Record::Host(host) => {
            let label =
                if kind == MX { "__meta_dns_mx_record_target" } else { "__meta_dns_ns_record_target" };
            set(label, format!("{host}."));
            format!("{host}:{port}")
        }
    };
    set("__address__", address);
    labels
}

impl Resolver {
    fn read(text: &str) -> Self {
        let mut resolver = Self { dots: 1, ..Self::default() };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    resolver.servers.extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next();
                    resolver.dots = dots.unwrap_or(resolver.dots);
                }
                _ => {}
            }
        }
        if resolver.servers.is_empty() {
            resolver.servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        resolver
    }

    /// The names to try for a name, in their order.
    fn names(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let completed = self.search.iter().map(|domain| format!("{name}.{domain}"));
        let mut names: Vec<String> = completed.collect();
        let is_whole = name.matches('.').count() >= self.dots;
        names.insert(if is_whole { 0 } else { names.len() }, name.to_owned());
        names
    }

    async fn look_up(&self, name: &str, kind: u16) -> Result<Vec<Record>, String> {
        let mut failure = None;
        for name in self.names(name) {
            match self.ask_all(&name, kind).await {
                Ok(answer) if !answer.records.is_empty() => return Ok(answer.records),
                Ok(_) => {}
                Err(reason) => failure = Some(format!("DNS of {name}: {reason}")),
            }
        }
        failure.map_or(Ok(Vec::new()), Err)
    }

    /// The answer of the first server that has one.
    async fn ask_all(&self, name: &str, kind: u16) -> Result<Answer, String> {
        let mut failure = "no server is configured".to_owned();
        for server in &self.servers {
            let answer = tokio::time::timeout(TIMEOUT, ask_one(*server, name, kind)).await;
            match answer.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}"))) {
                Ok(answer) if matches!(answer.code, 0 | NO_SUCH_NAME) => return Ok(answer),
                Ok(answer) => failure = format!("{server} answers with the code {}", answer.code),
                Err(reason) => failure = format!("{server}: {reason}"),
            }
        }
        Err(failure)
    }
}

/// Asks by UDP, and by TCP where the answer is too long for it.
async fn ask_one(server: SocketAddr, name: &str, kind: u16) -> Result<Answer, String> {
    let told = |error: std::io::Error| error.to_string();
    let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await.map_err(told)?;
    socket.connect(server).await.map_err(told)?;
    let id = rand_id();
    let question = dns_message::question(id, name, kind).ok_or("it is no name")?;
    socket.send(&question).await.map_err(told)?;
    let mut buffer = [0; 4096];
    let answer = loop {
        let length = socket.recv(&mut buffer).await.map_err(told)?;
        // Something else may have come to this port.
        if let Some(answer) = dns_message::records(&buffer[..length], id, kind) {
            break answer;
        }
    };
    if !answer.truncated {
        return Ok(answer);
    }
    let mut stream = TcpStream::connect(server).await.map_err(told)?;
    let length = u16::try_from(question.len()).map_err(|error| error.to_string())?;
    stream.write_all(&[&length.to_be_bytes()[..], &question].concat()).await.map_err(told)?;
    let mut message = vec![0; usize::from(stream.read_u16().await.map_err(told)?)];
    stream.read_exact(&mut message).await.map_err(told)?;
    dns_message::records(&message, id, kind).ok_or_else(|| "the answer is no message of DNS".to_owned())
}

/// A number that a stranger cannot guess.
fn rand_id() -> u16 {
    use std::hash::{BuildHasher as _, RandomState};
    let [low, high, ..] = RandomState::new().hash_one(0).to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says() {
        let text = "# comment\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.example b.example\noptions ndots:2 rotate\n";
        let resolver = Resolver::read(text);
        assert_eq!(resolver.servers, [([10, 0, 0, 1], 53).into(), "[::1]:53".parse().unwrap()]);
        assert_eq!(resolver.names("x"), ["x.a.example", "x.b.example", "x"]);
        assert_eq!(resolver.names("x.y.z"), ["x.y.z", "x.y.z.a.example", "x.y.z.b.example"]);
        assert_eq!(resolver.names("x."), ["x."]);
        assert_eq!(Resolver::read("").servers, ["127.0.0.1:53".parse().unwrap()]);
    }

    /// Answers every question for `there.` with one address by UDP, or cut by UDP and whole by TCP.
    async fn server(truncates: bool) -> SocketAddr {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let answer = |question: &[u8], cut: bool| {
            let mut message = question.to_vec();
            let there = question[13..].starts_with(b"there");
            (message[2], message[3]) = (if cut { 0x83 } else { 0x81 }, if there { 0x80 } else { 0x83 });
            if there && !cut {
                message[7] = 1;
                message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 7]);
            }
            message
        };
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                udp.send_to(b"noise", from).await.unwrap();
                udp.send_to(&answer(&buffer[..length], truncates), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut question).await.unwrap();
                let answer = answer(&question, false);
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn names_become_targets() {
        for truncates in [false, true] {
            let resolver = Resolver { servers: vec![server(truncates).await], search: Vec::new(), dots: 1 };
            let config = DnsDiscovery {
                names: vec!["there".to_owned(), "gone".to_owned()],
                kind: "a".to_owned(),
                port: 9100,
                ..DnsDiscovery::default()
            };
            let found = asked(&config, &resolver).await.unwrap();
            let [target] = &found[..] else { panic!("{found:?}") };
            assert_eq!(
                (target["__address__"].as_str(), target["__meta_dns_name"].as_str()),
                ("10.0.0.7:9100", "there")
            );
            let wrong = DnsDiscovery { names: vec!["a..b".to_owned()], ..config };
            assert!(asked(&wrong, &resolver).await.unwrap_err().contains("DNS of a..b"));
        }
    }

    #[test]
    fn labels_of_records() {
        let service = labels("n", SRV, &Record::Service("h.example".to_owned(), 80), 0);
        assert_eq!(
            (service["__address__"].as_str(), service["__meta_dns_srv_record_target"].as_str()),
            ("h.example:80", "h.example.")
        );
        let mail = labels("n", MX, &Record::Host("m".to_owned()), 25);
        assert_eq!(
            (mail["__address__"].as_str(), mail["__meta_dns_mx_record_target"].as_str()),
            ("m:25", "m.")
        );
        let six = labels("n", AAAA, &Record::Address("::1".parse().unwrap()), 9);
        assert_eq!(six["__address__"], "[::1]:9");
    }
}
