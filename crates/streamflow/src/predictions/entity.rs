//! How an entity stands in the log: in clear, as a hash that only the key's owner can make again, or not at all.

use std::borrow::Cow;

use anyhow::bail;
use sha2::{Digest as _, Sha256};

use crate::config::EntityForm;
use crate::random::hex;

/// The variable with the key of hashed entities.
const KEY: &str = "STREAMFLOW_LOG_KEY";
/// What a key is told apart by: no entity is empty, so this is the hash of none.
const FINGERPRINT: &[u8] = b"";
const FINGERPRINT_BYTES: usize = 8;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// Fewest bytes of a key that is not guessed.
const LEAST_KEY_BYTES: usize = 16;

/// How entities are written.
#[derive(Clone)]
pub enum Naming {
    /// As they were asked for.
    Clear,
    /// By a key.
    Hashed(Vec<u8>),
    /// Not at all.
    Left,
}

impl Naming {
    /// As the configuration says, with the key of the environment where there has to be one.
    ///
    /// # Errors
    /// Entities are to be hashed, and there is no key, or a short one.
    pub fn of(form: EntityForm) -> anyhow::Result<Self> {
        match form {
            EntityForm::Clear => Ok(Self::Clear),
            EntityForm::None => Ok(Self::Left),
            EntityForm::Hashed => match std::env::var(KEY) {
                Ok(key) if key.len() >= LEAST_KEY_BYTES => Ok(Self::Hashed(key.into_bytes())),
                Ok(key) => {
                    bail!("{KEY} has {} bytes; expected a key of at least {LEAST_KEY_BYTES}", key.len())
                }
                Err(_) => bail!(
                    "log.entity is \"hashed\", and {KEY} has no key; set it, or say \"clear\" or \"none\""
                ),
            },
        }
    }

    /// What tells the key apart from others without telling it; none where entities are not hashed.
    pub fn fingerprint(&self) -> Option<String> {
        match self {
            Self::Hashed(key) => hmac(key, FINGERPRINT).get(..FINGERPRINT_BYTES).map(hex),
            Self::Clear | Self::Left => None,
        }
    }

    /// The entity as it stands in the log.
    pub fn of_entity(&self, entity: &str) -> Option<Box<str>> {
        self.named(entity.into()).map(|name| name.into_owned().into())
    }

    /// The same, of a text that is taken as it is where entities stand in clear.
    pub fn named<'a>(&self, entity: Cow<'a, str>) -> Option<Cow<'a, str>> {
        match self {
            Self::Clear => Some(entity),
            Self::Hashed(key) => Some(hex(&hmac(key, entity.as_bytes())).into()),
            Self::Left => None,
        }
    }
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |byte: u8| block.map(|part| part ^ byte);
    let inner = Sha256::new_with_prefix(padded(0x36)).chain_update(message).finalize();
    Sha256::new_with_prefix(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_4231() {
        // Test cases 2 and 6.
        for (key, message, expected) in [
            (
                b"Jefe".to_vec(),
                &b"what do ya want for nothing?"[..],
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(&key, message)), expected);
        }
        assert_eq!(Naming::Clear.of_entity("a").as_deref(), Some("a"));
        assert_eq!(Naming::Left.of_entity("a"), None);
    }
}
