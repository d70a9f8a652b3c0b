//! Entities that are to be forgotten, as salted hashes: an ingest leaves their rows out, and nobody reads from them who
//! they were.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use arrow_array::BooleanArray;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cell::Cell;
use crate::entity_key::KeyCells;
use crate::error::Error;
use crate::snapshot::commit;
use crate::snapshot::commit_point::Publication;
use crate::snapshot::fingerprint::hex;
use crate::snapshot::ledger::{self, LEDGER};
use crate::snapshot::snapshots::Snapshots;

/// Its name in the ledger.
pub(crate) const FORGOTTEN: &str = "forgotten.json";
/// The format that is written.
const FORMAT: u32 = 1;

/// The file of forgotten entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forgotten {
    format: u32,
    /// Goes before every entity that is hashed, so that lists of hashes made elsewhere are of no use.
    salt: String,
    /// The SHA-256 of the salt and an entity, each in hexadecimal digits.
    hashes: BTreeSet<String>,
    /// The SHA-256 of the rest, in hexadecimal digits; releases of before wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Forgotten {
    /// The entities that are forgotten; with `salt` where none is yet.
    pub(crate) fn read(snapshots: &Path, salt: &str) -> Result<Self, Error> {
        let path = snapshots.join(LEDGER).join(FORGOTTEN);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let none =
                    Self { format: FORMAT, salt: salt.to_string(), hashes: BTreeSet::new(), sha256: None };
                return none.held_to_ledger(snapshots, &path);
            }
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        let found: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Forgotten { path: path.clone(), reason: error.to_string() })?;
        if found.format > FORMAT {
            return Err(Error::NewerLedger { path, format: found.format, newest: FORMAT });
        }
        let is_whole = found.sha256.as_ref().is_none_or(|sha256| *sha256 == found.seal())
            && found.hashes.iter().all(|hash| decoded(hash).is_some_and(|found| found.len() == 32));
        if !is_whole {
            return Err(Error::Forgotten { path, reason: "it is not what was written".to_string() });
        }
        found.held_to_ledger(snapshots, &path)
    }

    /// Refuses a list without anybody where months tell of rows that were left out.
    fn held_to_ledger(self, snapshots: &Path, path: &Path) -> Result<Self, Error> {
        let has_left_out = || -> Result<bool, Error> {
            let ledger = ledger::read_each(snapshots)?;
            Ok(ledger.into_values().flatten().any(|snapshot| snapshot.forgotten_rows() > 0))
        };
        if self.hashes.is_empty() && snapshots.join(LEDGER).is_dir() && has_left_out()? {
            let reason = "it has nobody, and rows of entities were left out of the snapshots".to_string();
            return Err(Error::Forgotten { path: path.to_path_buf(), reason });
        }
        Ok(self)
    }

    /// The checksum of what it says, however it is spaced.
    fn seal(&self) -> String {
        let Self { format, salt, hashes, .. } = self;
        let json = serde_json::to_vec(&(format, salt, hashes)).expect("texts and a number are JSON");
        hex(Sha256::new_with_prefix(json))
    }

    /// Refuses a list without some of the entities of these hashes.
    pub(crate) fn holds(&self, snapshots: &Path, hashes: &[String]) -> Result<(), Error> {
        let missing = hashes.iter().filter(|hash| !self.hashes.contains(*hash)).count();
        if missing == 0 {
            return Ok(());
        }
        let (path, count) = (snapshots.join(LEDGER).join(FORGOTTEN), hashes.len());
        let reason = format!(
            "it lacks {missing} of {count} entities that were forgotten, as the audit trail says, and an ingest would bring \
             them back"
        );
        Err(Error::Forgotten { path, reason })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The hash of an entity.
    pub(crate) fn hash(&self, entity: Cell<'_>) -> String {
        hex(self.hasher(entity))
    }

    fn hasher(&self, entity: Cell<'_>) -> Sha256 {
        let mut hasher = Sha256::new_with_prefix(&self.salt);
        match entity {
            Cell::Text(text) => hasher.update(text.as_bytes()),
            Cell::Integer(number) => hasher.update(number.to_string().as_bytes()),
            // Nothing else names an entity.
            _ => {}
        }
        hasher
    }

    pub(crate) fn has(&self, entity: Cell<'_>) -> bool {
        self.hashes.contains(&self.hash(entity))
    }

    /// Adds an entity, and makes that last.
    pub(crate) fn add(&mut self, store: &Snapshots, entity: Cell<'_>) -> Result<(), Error> {
        if !self.hashes.insert(self.hash(entity)) {
            return Ok(());
        }
        self.sha256 = Some(self.seal());
        let value = serde_json::to_value(&*self).expect("it has text keys");
        store.ask(&Publication::Forgotten { list: &value })?;
        commit::replace(&store.disk, &store.snapshots.join(LEDGER), FORGOTTEN, &value)
    }

    /// Which rows are of entities that are not forgotten.
    pub(crate) fn kept(&self, entities: &KeyCells<'_>, rows: usize) -> BooleanArray {
        // As bytes: a row is too often none of them to spell its hash out.
        let hashes: HashSet<Vec<u8>> = self.hashes.iter().filter_map(|hash| decoded(hash)).collect();
        let is_kept = |row| entities.with(row, |cell| !hashes.contains(&self.hasher(cell).finalize()[..]));
        (0..rows).map(|row| Some(is_kept(row))).collect()
    }
}

/// The bytes of hexadecimal digits.
fn decoded(digits: &str) -> Option<Vec<u8>> {
    if digits.len() % 2 == 1 {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
