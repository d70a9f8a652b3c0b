//! The entities that a model learned from elsewhere, kept so that their rows do not judge it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A list of entities as digests: an artefact names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedEntities {
    /// How many entities were listed, each once.
    pub entities: usize,
    /// The digests in ascending order; left out where only their number is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    digests: Vec<u64>,
}

impl TrainedEntities {
    /// Keeps entities, whose texts are those of the dataset's key.
    pub fn new<'a>(entities: impl Iterator<Item = &'a str>) -> TrainedEntities {
        let mut digests: Vec<u64> = entities.map(digest).collect();
        digests.sort_unstable();
        digests.dedup();
        TrainedEntities { entities: digests.len(), digests }
    }

    /// Whether an entity is on the list. Another one may have the digest of one that is: between a million of each, with
    /// a probability of 5e-8.
    pub fn contains(&self, entity: &str) -> bool {
        self.digests.binary_search(&digest(entity)).is_ok()
    }

    /// The number of entities alone, for people.
    #[must_use]
    pub fn counted(&self) -> TrainedEntities {
        TrainedEntities { entities: self.entities, digests: Vec::new() }
    }
}

/// The first eight bytes, big endian, of the SHA-256 of `trained-on:ENTITY`.
fn digest(entity: &str) -> u64 {
    let digest = Sha256::new().chain_update("trained-on:").chain_update(entity).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_contains_its_entities_and_no_others() {
        let listed = TrainedEntities::new(["b", "a", "b", ""].into_iter());
        assert_eq!(listed.entities, 3);
        assert!(["a", "b", ""].into_iter().all(|entity| listed.contains(entity)));
        assert!(!listed.contains("c"));
        let saved: TrainedEntities = serde_json::from_str(&serde_json::to_string(&listed).unwrap()).unwrap();
        assert_eq!(saved, listed);
        assert!(!serde_json::to_string(&listed.counted()).unwrap().contains("digests"));
    }
}
