//! Who may ask for predictions where keys are configured, and how often.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use axum::http::{HeaderMap, HeaderName, header};
use subtle::ConstantTimeEq as _;

use super::error::ApiError;
use crate::attempts::Attempts;
use crate::config::{ApiConfig, ApiKey, ApiKeys, KeyDigest, OWN_KEY_NAME, read_keys};
use crate::random::random_hex;
use crate::terminal::one_line;

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

/// How often the key file is looked at.
const RECHECK: Duration = Duration::from_secs(2);

/// The keys of one prediction API, those of its key file as the file is now.
pub struct KeyRing {
    inline: ApiKeys,
    file: Option<PathBuf>,
    /// None where no key is configured: then everybody may ask.
    current: ArcSwapOption<Keys>,
}

/// The keys at one moment.
struct Keys(Vec<Arc<Key>>);

/// One of them.
pub struct Key {
    pub name: String,
    configured: ApiKey,
    allowed: Option<Attempts>,
}

impl KeyRing {
    /// The keys of the configuration. Where there is a key file a key is needed, also while the file holds none.
    pub fn new(settings: &ApiConfig) -> Self {
        let ring =
            Self { inline: settings.keys.clone(), file: settings.key_file.clone(), current: None.into() };
        ring.replace(&settings.file_keys);
        ring
    }

    /// The key that a request carries; none where nobody needs one.
    ///
    /// # Errors
    /// No key, one that nobody has.
    pub fn of_request(&self, headers: &HeaderMap) -> Result<Option<Arc<Key>>, ApiError> {
        let current = self.current.load();
        current.as_ref().map(|keys| keys.of_request(headers)).transpose()
    }

    /// Takes the keys of the file as they are now. A key that stays goes on with what it has used of its rate.
    fn replace(&self, of_file: &ApiKeys) {
        let configured: ApiKeys = self.inline.clone().into_iter().chain(of_file.clone()).collect();
        if configured.is_empty() && self.file.is_none() {
            return;
        }
        let known = self.current.load();
        let sha256 = KeyDigest::of(own_key().as_bytes());
        let own = ApiKey { sha256, per_second: None, may_load: false, may_label: false, may_push: false };
        let all = configured.into_iter().chain([(OWN_KEY_NAME.to_owned(), own)]);
        let keys = all.map(|(name, key)| {
            let same = |old: &&Arc<Key>| old.name == name && old.configured == key;
            let kept = known.as_ref().and_then(|keys| keys.0.iter().find(same)).cloned();
            kept.unwrap_or_else(|| Arc::new(Key::new(name, key)))
        });
        self.current.store(Some(Arc::new(Keys(keys.collect()))));
    }

    /// Reads the key file again whenever it changes; never ends. What cannot be used is told, and the keys of before stay.
    pub async fn follow(&self) {
        let Some(file) = &self.file else { return std::future::pending().await };
        let changed = || std::fs::metadata(file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        let mut known = changed();
        loop {
            tokio::time::sleep(RECHECK).await;
            let now = changed();
            if now == known {
                continue;
            }
            known = now;
            match read_keys(file, &self.inline) {
                Ok(keys) => {
                    self.replace(&keys);
                    tracing::info!(file = %file.display(), keys = keys.len(), "the key file was read again");
                }
                Err(error) => tracing::error!("the keys stay those of before: {}", one_line(&error)),
            }
        }
    }
}

impl Keys {
    fn of_request(&self, headers: &HeaderMap) -> Result<Arc<Key>, ApiError> {
        let digest = KeyDigest::of(sent(headers).ok_or(ApiError::NoKey)?);
        // Every key is compared, so that the time says nothing about which one is like it.
        let found = self.0.iter().fold(None, |found, key| {
            if bool::from(key.configured.sha256.0.ct_eq(&digest.0)) { Some(key) } else { found }
        });
        found.cloned().ok_or(ApiError::UnknownKey)
    }
}

impl Key {
    fn new(name: String, configured: ApiKey) -> Self {
        let allowed = configured
            .per_second
            .map(|number| Attempts::new(number.get(), Duration::from_secs(1) / number.get()));
        Self { name, configured, allowed }
    }

    /// Whether it may say what came true of answers.
    pub fn may_label(&self) -> bool {
        self.configured.may_label
    }

    /// Whether it may push features.
    pub fn may_push(&self) -> bool {
        self.configured.may_push
    }

    /// Whether it may load and unload models.
    pub fn may_load(&self) -> bool {
        self.configured.may_load
    }

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

    fn key(text: &str) -> ApiKey {
        ApiKey {
            sha256: KeyDigest::of(text.as_bytes()),
            per_second: None,
            may_load: false,
            may_label: false,
            may_push: false,
        }
    }

    fn ring(names: &[&str], file: Option<&str>) -> KeyRing {
        let keys = names.iter().map(|name| ((*name).to_owned(), key(name))).collect();
        KeyRing::new(&ApiConfig { keys, key_file: file.map(PathBuf::from), ..ApiConfig::default() })
    }

    fn headers(sent: &[(&'static str, &str)]) -> HeaderMap {
        sent.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_has_the_key_it_carries() {
        let keys = ring(&["shop", "batch"], None);
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
            match (keys.of_request(&headers(sent)), expected) {
                (Ok(Some(key)), Ok(name)) => assert_eq!(key.name, name, "{sent:?}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{sent:?}: {error}"),
                (found, _) => {
                    panic!("{sent:?}: {:?}", found.map(|key| key.map(|key| key.name.clone())).err())
                }
            }
        }
        assert!(matches!(ring(&[], None).of_request(&HeaderMap::new()), Ok(None)));
        let empty = ring(&[], Some("keys.toml")).of_request(&HeaderMap::new());
        assert!(matches!(empty, Err(ApiError::NoKey)), "an empty key file lets nobody in");
    }

    #[test]
    fn keys_of_the_file_come_and_go_and_a_rate_goes_on() {
        let keys = ring(&["shop"], Some("keys.toml"));
        let once = ApiKey { per_second: std::num::NonZeroU32::new(1), ..key("once") };
        let is_known = |name: &str| keys.of_request(&headers(&[("x-api-key", name)])).is_ok();
        keys.replace(&[("once".to_owned(), once.clone())].into());
        let found = keys.of_request(&headers(&[("x-api-key", "once")])).unwrap().unwrap();
        found.take().unwrap();
        keys.replace(&[("once".to_owned(), once), ("next".to_owned(), key("next"))].into());
        let again = keys.of_request(&headers(&[("x-api-key", "once")])).unwrap().unwrap();
        assert!(again.take().is_err(), "it has had its request of this second");
        assert!(is_known("next") && is_known("shop"));
        keys.replace(&ApiKeys::new());
        assert!(is_known("shop") && !is_known("next") && !is_known("once"));
    }
}
