//! Who may ask for predictions where keys are configured, and how often.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, header};
use subtle::ConstantTimeEq as _;

use super::error::ApiError;
use crate::attempts::Attempts;
use crate::config::{ApiKeys, KeyDigest, OWN_KEY_NAME};
use crate::random::random_hex;

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// What every key begins with, so that one that leaked is recognised.
const BEGINNING: &str = "sfk_";

/// A key that nobody has yet.
pub fn new_key() -> std::io::Result<String> {
    Ok(format!("{BEGINNING}{}", random_hex::<32>()?))
}

/// The key of this process's own requests, which nothing outside of it knows.
pub fn own_key() -> &'static str {
    static KEY: LazyLock<String> = LazyLock::new(|| new_key().expect("the system has random bytes"));
    &KEY
}

/// The keys of one prediction API.
pub struct Keys(Vec<Key>);

/// One of them.
pub struct Key {
    pub name: String,
    digest: KeyDigest,
    allowed: Option<Attempts>,
}

impl Keys {
    /// None where no key is configured: then everybody may ask.
    pub fn of(configured: &ApiKeys) -> Option<Self> {
        let own =
            Key { name: OWN_KEY_NAME.to_owned(), digest: KeyDigest::of(own_key().as_bytes()), allowed: None };
        let keys = configured.iter().map(|(name, key)| Key {
            name: name.clone(),
            digest: key.sha256,
            allowed: key
                .per_second
                .map(|number| Attempts::new(number.get(), Duration::from_secs(1) / number.get())),
        });
        (!configured.is_empty()).then(|| Self(keys.chain([own]).collect()))
    }

    /// The key that a request carries.
    ///
    /// # Errors
    /// No key, one that nobody has.
    pub fn of_request(&self, headers: &HeaderMap) -> Result<&Key, ApiError> {
        let digest = KeyDigest::of(sent(headers).ok_or(ApiError::NoKey)?);
        // Every key is compared, so that the time says nothing about which one is like it.
        let found = self.0.iter().fold(None, |found, key| {
            if bool::from(key.digest.0.ct_eq(&digest.0)) { Some(key) } else { found }
        });
        found.ok_or(ApiError::UnknownKey)
    }
}

impl Key {
    /// Takes one of the requests that the key has in a second.
    ///
    /// # Errors
    /// There is none left.
    pub fn take(&self) -> Result<(), ApiError> {
        let taken = self.allowed.as_ref().map_or(Ok(()), |allowed| allowed.take((), Instant::now()));
        taken.map_err(ApiError::TooOften)
    }
}

/// The key of `X-API-Key` or `Authorization: Bearer`.
fn sent(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(KEY_HEADER) {
        return Some(key.as_bytes());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ApiKey;

    #[test]
    fn a_request_has_the_key_it_carries() {
        let configured = ["shop", "batch"].map(|name| {
            (name.to_owned(), ApiKey { sha256: KeyDigest::of(name.as_bytes()), per_second: None })
        });
        let keys = Keys::of(&configured.into()).unwrap();
        for (sent, expected) in [
            (&[("x-api-key", "shop")][..], Ok("shop")),
            (&[("authorization", "Bearer batch")], Ok("batch")),
            (&[("authorization", "bearer  batch ")], Ok("batch")),
            (&[("authorization", &format!("Bearer {}", own_key()))], Ok("streamflow")),
            (&[("x-api-key", "shop "), ("authorization", "Bearer batch")], Err("the key is not known")),
            (&[("x-api-key", "other")], Err("the key is not known")),
            (&[("authorization", "Bearer ")], Err("the key is not known")),
            (&[("authorization", "Basic shop")], Err("a key is needed")),
            (&[("authorization", "Bear")], Err("a key is needed")),
            (&[], Err("a key is needed")),
        ] {
            let headers =
                sent.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            match (keys.of_request(&headers.collect()), expected) {
                (Ok(key), Ok(name)) => assert_eq!(key.name, name, "{sent:?}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{sent:?}: {error}"),
                (found, _) => panic!("{sent:?}: {:?}", found.map(|key| key.name.clone()).err()),
            }
        }
        assert!(Keys::of(&ApiKeys::new()).is_none());
    }
}
