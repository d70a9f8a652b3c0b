//! Formats of files: what a file has in it decides, so that an earlier release reads whatever it could have written.

/// Numbers alone: the format that all releases read.
pub(crate) const NUMBERS: u8 = 1;
/// Native histograms, or in the log deletions.
pub(crate) const HISTOGRAMS: u8 = 2;
/// Start timestamps. 3 is one flipped bit away from both of the others.
pub(crate) const STARTS: u8 = 4;

/// All that this release reads, ascending.
pub(crate) const KNOWN: [u8; 3] = [NUMBERS, HISTOGRAMS, STARTS];

/// Tells whether a file of this format was written by a later release. A number that is one flipped bit away from one of ours
/// is damage, which costs no more than the file's first bytes; our next formats pass over those numbers.
pub(crate) fn is_newer(format: u8) -> bool {
    let is_flipped = KNOWN.into_iter().any(|ours| (format ^ ours).count_ones() < 2);
    format > STARTS && !is_flipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_formats_lie_two_bits_apart_and_the_next_one_is_seven() {
        let apart = |a: u8, b: u8| a == b || (a ^ b).count_ones() > 1;
        assert!(KNOWN.into_iter().all(|a| KNOWN.into_iter().all(|b| apart(a, b))));
        assert_eq!((0..=u8::MAX).find(|format| is_newer(*format)), Some(7));
    }
}
