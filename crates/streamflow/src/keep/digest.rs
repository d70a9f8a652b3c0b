//! Copies and files with their SHA-256.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::random::hex;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 18;

/// What passed through a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// In hexadecimal digits.
    pub sha256: String,
    pub size_bytes: u64,
}

/// Copies everything and tells what it was.
pub fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<Digest> {
    let (mut hasher, mut size_bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(Digest { sha256: hex(&hasher.finalize()), size_bytes }),
            Ok(count) => {
                hasher.update(&chunk[..count]);
                to.write_all(&chunk[..count])?;
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a file to its end.
pub fn of_file(path: &Path) -> anyhow::Result<Digest> {
    let read = || copy(&mut File::open(path)?, &mut io::sink());
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
