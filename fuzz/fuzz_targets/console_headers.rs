//! Any bytes as the headers by which a caller of the console is known: nobody comes in without the token.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use streamflow::console::Auth;
use streamflow_prometheus::is_cross_site;

const TOKEN: &str = "a token that is too long to be found by chance";

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    Auth::new(BTreeMap::new(), vec![TOKEN.to_owned()], Duration::from_secs(60)).expect("a source of randomness")
});

const NAMES: [HeaderName; 5] =
    [header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::HOST, HeaderName::from_static("x-forwarded-host")];

fuzz_target!(|lines: Vec<(u8, &[u8])>| {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(NAMES[usize::from(name) % NAMES.len()].clone(), value);
    }
    let has_token = headers.values().any(|value| value.to_str().is_ok_and(|text| text.contains(TOKEN)));
    assert!(AUTH.caller(&headers).is_none() || has_token);
    let _ = is_cross_site(&headers);
});
