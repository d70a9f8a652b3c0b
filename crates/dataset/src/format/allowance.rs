//! What a file in memory may unpack to: a few bytes can stand for gigabytes, and a server reads what anybody sends.

use std::cell::Cell;

thread_local! {
    static LEFT_BYTES: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// A limit on what this thread unpacks, until it is dropped.
pub(crate) struct Allowance;

impl Allowance {
    pub(crate) fn of(bytes: u64) -> Allowance {
        LEFT_BYTES.set(bytes);
        Allowance
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        LEFT_BYTES.set(u64::MAX);
    }
}

/// Why no more is unpacked.
pub(crate) const EXCEEDED: &str = "its values take more memory than a table of its size may";

/// Takes bytes that are about to be unpacked off the limit, where there is one.
///
/// # Errors
/// More bytes than are left.
pub(crate) fn charge(bytes: impl FnOnce() -> u64) -> Result<(), String> {
    let left = LEFT_BYTES.get();
    if left == u64::MAX {
        return Ok(());
    }
    let left = left.checked_sub(bytes()).ok_or(EXCEEDED)?;
    LEFT_BYTES.set(left);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_of_one_file() {
        assert!(charge(|| u64::MAX).is_ok(), "files on disk have no limit");
        let allowance = Allowance::of(10);
        assert!(charge(|| 6).is_ok());
        assert!(charge(|| 6).is_err());
        assert!(charge(|| 4).is_ok());
        drop(allowance);
        assert!(charge(|| u64::MAX).is_ok());
    }
}
