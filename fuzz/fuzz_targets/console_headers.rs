//! Any bytes as the headers by which a caller of the console is known: nobody comes in without the token, whatever a
//! client says that a proxy had said.
#![no_main]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use streamflow::config::{ConsoleConfig, Role};
use streamflow::console::{Auth, Credentials, Sender, Token};
use streamflow::server::Peer;
use streamflow_prometheus::is_cross_site;

const TOKEN: &str = "a token that is too long to be found by chance";
const SETTINGS: &str = r#"
trusted_proxies = ["10.0.0.0/8"]
proxy_login = { user_header = "X-Forwarded-User", roles_header = "X-Forwarded-Groups", admin = ["*"] }
"#;
/// No trusted proxy.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

static AUTH: LazyLock<Arc<Auth>> = LazyLock::new(|| {
    let settings: ConsoleConfig = toml::from_str(SETTINGS).expect("settings are valid");
    let tokens = vec![Token { text: TOKEN.to_owned(), role: Role::Viewer }];
    Auth::new(Credentials { users: BTreeMap::new(), tokens }, &settings).expect("a source of randomness")
});

const NAMES: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::ORIGIN,
    header::HOST,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-user"),
    HeaderName::from_static("x-forwarded-groups"),
];

fuzz_target!(|lines: Vec<(u8, &[u8])>| {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(NAMES[usize::from(name) % NAMES.len()].clone(), value);
    }
    let has_token = headers.values().any(|value| value.to_str().is_ok_and(|text| text.contains(TOKEN)));
    let peer = Peer { address: SocketAddr::new(CLIENT, 1), is_encrypted: false };
    let sender = Sender::of(peer, &headers, AUTH.trusted_proxies());
    assert_eq!(sender.address, CLIENT);
    let caller = AUTH.known(&headers, &sender).ok().flatten();
    assert!(caller.is_none() || has_token);
    let _ = is_cross_site(&headers);
});
