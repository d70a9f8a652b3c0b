//! What nobody can guess, from the system.

use std::io::{self, Read as _};

/// A text of so many random bytes, two digits each.
pub fn random_hex<const N: usize>() -> io::Result<String> {
    Ok(hex(&random_bytes::<N>()?))
}

/// Random bytes.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
