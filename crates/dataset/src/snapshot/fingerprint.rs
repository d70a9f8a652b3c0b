//! Hashes: of values, to keep what must be unique in 16 bytes each however long it is, and of files.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::cell::Cell;

/// The [`fingerprint`]s of the entities of a drop.
pub(crate) type Entities = HashSet<u128>;

/// The first 128 bits of the value's SHA-256: two different values with one key would be found once
/// in 2^64 tries by someone looking for them, and never by accident.
pub(crate) fn fingerprint(cell: Cell<'_>) -> u128 {
    let mut hasher = Sha256::new();
    match cell {
        Cell::Missing => hasher.update([0]),
        Cell::Boolean(value) => hasher.update([1, u8::from(value)]),
        Cell::Integer(value) => hasher.update(value.to_le_bytes()),
        // Both zeros are one value.
        Cell::Float(value) => hasher.update((value + 0.0).to_bits().to_le_bytes()),
        Cell::Text(text) => hasher.update(text.as_bytes()),
        Cell::Date(days) => hasher.update(days.to_le_bytes()),
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    u128::from_le_bytes(key)
}

/// A SHA-256 in hexadecimal digits.
pub(crate) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
