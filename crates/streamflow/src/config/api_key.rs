//! Keys of the prediction API as the configuration has them: names and digests, never the keys.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::random::hex;

/// The name that this process has for its own requests.
pub const OWN_KEY_NAME: &str = "streamflow";
/// Longest name of a key; it becomes a label of metrics.
const NAME_CHARACTERS: usize = 64;

/// Keys by name.
pub type ApiKeys = BTreeMap<String, ApiKey>;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// What the key is recognised by.
    pub sha256: KeyDigest,
    /// Requests a second, over which they are answered 429; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<NonZeroU32>,
    /// Whether it may load and unload models.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_load: bool,
    /// Whether it may say what came true of answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_label: bool,
    /// Whether it may push features.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_push: bool,
}

/// The SHA-256 of a key. Keys are random, so that no slow hash is needed to keep one from being found again.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |at: usize| text.as_bytes().get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            let value = digit(2 * at).zip(digit(2 * at + 1)).map(|(high, low)| high * 16 + low);
            *byte = value.and_then(|value| u8::try_from(value).ok()).unwrap_or_default();
        }
        // What was no digit above makes the text another than the digest's own.
        if hex(&digest) == text.to_ascii_lowercase() {
            return Ok(Self(digest));
        }
        Err("a key's sha256 has 64 hexadecimal digits; `streamflow api-key new NAME` prints it".to_owned())
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        hex(&digest.0)
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyDigest(…)")
    }
}

/// The keys of a file whose lines are those of `[api.keys]`, beside those that stand there.
pub fn read(path: &Path, beside: &ApiKeys) -> anyhow::Result<ApiKeys> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the key file {} of api.key_file", path.display()))?;
    let keys: ApiKeys = toml::from_str(&text).map_err(|error| {
        anyhow::anyhow!(
            "{} is no key file: {}\nexpected lines such as {}",
            path.display(),
            error.to_string().trim_end(),
            "shop = { sha256 = \"…\" }, as `streamflow api-key new shop` prints them"
        )
    })?;
    if let Some(name) = keys.keys().find(|name| beside.contains_key(*name)) {
        bail!("{} and [api.keys] both have a key {name:?}; rename one of them", path.display());
    }
    check(&beside.clone().into_iter().chain(keys.clone()).collect())?;
    Ok(keys)
}

/// Refuses names that cannot stand in a metric, and two keys that are the same.
pub fn check(keys: &ApiKeys) -> anyhow::Result<()> {
    let mut known: BTreeMap<[u8; 32], &str> = BTreeMap::new();
    for (name, key) in keys {
        check_name(name)?;
        if let Some(other) = known.insert(key.sha256.0, name) {
            bail!("api.keys.{other} and api.keys.{name} are the same key; give every user one of its own");
        }
    }
    Ok(())
}

/// Refuses a name that cannot stand in a metric.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.chars().all(plain) {
        bail!(
            "{name:?} is no name of a key; expected 1 to {NAME_CHARACTERS} letters, digits, - and _, such as shop-web"
        );
    }
    if name == OWN_KEY_NAME {
        bail!("{name:?} is the name of this server's own requests; choose another name for the key");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_digests_with_names() {
        let digest = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
        let read = |text: &str| toml::from_str::<ApiKeys>(text).map_err(|error| error.to_string());
        let keys = read(&format!("shop = {{ sha256 = \"{digest}\", per_second = 5 }}")).unwrap();
        assert_eq!(keys["shop"].sha256, KeyDigest::of(b"test"));
        check(&keys).unwrap();
        assert!(!format!("{keys:?}").contains("9f86"), "{keys:?}");
        for (bad, expected) in [
            (format!("shop = {{ sha256 = \"{}\" }}", &digest[1..]), "64 hexadecimal digits"),
            (format!("shop = {{ sha256 = \"{digest}0\" }}"), "64 hexadecimal digits"),
            (format!("shop = {{ sha256 = \"+{}\" }}", &digest[1..]), "64 hexadecimal digits"),
            ("shop = { sha256 = \"\" }".to_owned(), "64 hexadecimal digits"),
            (format!("shop = {{ sha256 = \"{digest}\", per_second = 0 }}"), "per_second"),
            (format!("shop = {{ sha256 = \"{digest}\", per_minute = 1 }}"), "per_minute"),
        ] {
            let error = read(&bad).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
        let twice =
            read(&format!("a = {{ sha256 = \"{digest}\" }}\nb = {{ sha256 = \"{digest}\" }}")).unwrap();
        assert!(check(&twice).unwrap_err().to_string().contains("api.keys.a and api.keys.b"));
    }

    #[test]
    fn names_can_stand_in_a_metric() {
        for (name, expected) in
            [("shop-web_2", true), ("", false), ("a b", false), ("é", false), ("streamflow", false)]
        {
            assert_eq!(check_name(name).is_ok(), expected, "{name}");
        }
    }
}
