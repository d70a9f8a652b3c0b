//! Servers whose certificate names another host than their address, which `server_name` tells the client.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use streamflow_outbound::{Client, ClientSettings, Secret, TlsFiles, causes};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Made by `openssl req -x509 -days 36500`, for `inner.example` and 192.0.2.7.
const CERTIFICATE: &str = include_str!("certificates/named.pem");
const KEY: &str = include_str!("certificates/named.key");

/// What a server was told: the name of the handshake, the header `Host` and the path.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    name: Option<String>,
    host: String,
    path: String,
}

struct Server {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Server {
    fn start(listener: TcpListener) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let (acceptor, told) = (TlsAcceptor::from(Arc::new(config)), Arc::default());
        let server = Self { address: listener.local_addr().unwrap(), told: Arc::clone(&told) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), stream, Arc::clone(&told)));
            }
        });
        server
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    async fn asked(&self, client: &Client, path: &str) -> Result<u16, String> {
        let url = format!("https://{}{path}", self.address).parse().unwrap();
        client.get(url).send().await.map(|answer| answer.status().as_u16()).map_err(causes)
    }
}

/// Answers the requests of one connection, which stays open between them.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream, told: Arc<Mutex<Vec<Told>>>) -> Option<()> {
    let stream = acceptor.accept(stream).await.ok()?;
    let name = stream.get_ref().1.server_name().map(str::to_owned);
    let mut lines = BufReader::new(stream).lines();
    loop {
        let path = lines.next_line().await.ok()??.split(' ').nth(1)?.to_owned();
        let mut host = String::new();
        while let Some(line) = lines.next_line().await.ok()?.filter(|line| !line.is_empty()) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("host: ") {
                value.clone_into(&mut host);
            }
        }
        let head = match path.as_str() {
            "/moved" => "302 Found\r\nlocation: /there",
            "/away" => "302 Found\r\nlocation: https://other.example/there",
            _ => "200 OK",
        };
        told.lock().unwrap().push(Told { name: name.clone(), host, path });
        let text = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
        lines.get_mut().write_all(text.as_bytes()).await.ok()?;
    }
}

/// Two servers at one port of two addresses.
async fn servers() -> [Server; 2] {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = one.local_addr().unwrap().port();
        if let Ok(other) = TcpListener::bind(("127.0.0.2", port)).await {
            return [one, other].map(Server::start);
        }
    }
}

fn client(server_name: Option<&str>, is_verified: bool, follow_redirects: bool) -> Client {
    let tls = TlsFiles {
        ca: is_verified.then(|| Secret::Text(CERTIFICATE.to_owned())),
        server_name: server_name.map(str::to_owned),
        insecure_skip_verify: !is_verified,
        ..TlsFiles::default()
    };
    ClientSettings { follow_redirects, tls: Some(tls), headers: Vec::new() }.client().unwrap()
}

#[tokio::test]
async fn the_handshake_asks_for_the_name_and_the_request_goes_to_the_address() {
    let servers = servers().await;
    for is_verified in [true, false] {
        let client = client(Some("Inner.Example"), is_verified, true);
        // The connections are open in the second round; each server is told what was meant for it.
        for path in ["/first", "/second"] {
            for server in &servers {
                assert_eq!(server.asked(&client, path).await, Ok(200));
                let (name, host) = (Some("inner.example".to_owned()), server.address.to_string());
                assert_eq!(server.told(), [Told { name, host, path: path.to_owned() }]);
            }
        }
    }
}

#[tokio::test]
async fn another_name_than_that_of_the_certificate_is_refused() {
    let [server, _] = servers().await;
    for name in [None, Some("outer.example"), Some("192.0.2.8"), Some("a_b.example")] {
        let refused = server.asked(&client(name, true, true), "/").await;
        assert!(refused.as_ref().is_err_and(|error| error.contains("certificate")), "{name:?}: {refused:?}");
        assert_eq!(server.told(), []);
        // Where nothing is verified, the name is sent all the same.
        assert_eq!(server.asked(&client(name, false, true), "/").await, Ok(200));
        let sent = server.told().remove(0).name;
        assert_eq!(sent.as_deref(), name.filter(|name| name.ends_with("example")));
    }
    // An address is looked for in the certificate and not sent.
    assert_eq!(server.asked(&client(Some("192.0.2.7"), true, true), "/").await, Ok(200));
    assert_eq!(server.told().remove(0).name, None);
}

#[tokio::test]
async fn redirects_stay_at_the_address() {
    let [server, _] = servers().await;
    let following = client(Some("inner.example"), true, true);
    assert_eq!(server.asked(&following, "/moved").await, Ok(200));
    let paths: Vec<_> = server.told().into_iter().map(|told| (told.host, told.path)).collect();
    let host = server.address.to_string();
    assert_eq!(paths, [(host.clone(), "/moved".to_owned()), (host, "/there".to_owned())]);
    let error = server.asked(&following, "/away").await.unwrap_err();
    assert!(error.contains("not followed with server_name"), "{error}");
    assert_eq!(server.asked(&client(Some("inner.example"), true, false), "/moved").await, Ok(302));
}
