//! Which entities a canary answers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A share of all entities: above 0, and up to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    /// None outside of 0 to 1, and for 0, which is no canary.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share <= 1.0).then_some(Self(share))
    }

    /// Between 0 and 1.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whether an entity at this [`place`] belongs to the share. Who belongs to a share belongs to every larger one.
    #[must_use]
    pub fn takes(self, place: u64) -> bool {
        // 53 bits are exact as a float, and the largest of them is below 1.
        ((place >> 11) as f64) < self.0 * (1_u64 << 53) as f64
    }
}

/// `10%`, `10 %` or `0.1`.
impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("{text:?} is no share; expected above 0 % and up to 100 %, such as 10% or 0.1");
        let trimmed = text.trim();
        let number = match trimmed.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse::<f64>().map(|percent| percent / 100.0),
            None => trimmed.parse(),
        };
        number.ok().and_then(Share::new).ok_or_else(expected)
    }
}

/// `10 %`.
impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nine decimals hide what a division by 100 adds.
        let percent = (self.0 * 100.0 * 1e9).round() / 1e9;
        write!(formatter, "{percent} %")
    }
}

/// Where an entity stands on the line that shares are cut from: the first eight bytes of the SHA-256 of
/// `MODEL@VERSION:KEY`, big-endian. The version is that of the candidate, so that its canary meets other entities than the
/// one before. The place is the same in every process and every release.
#[must_use]
pub fn place(model: &str, version: &str, key: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    for part in [model.as_bytes(), b"@", version.as_bytes(), b":", key] {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const ENTITIES: u64 = 100_000;

    /// Where the entities stand for each of two candidates.
    static PLACES: LazyLock<[Vec<u64>; 2]> = LazyLock::new(|| {
        ["3", "4"].map(|version| (0..ENTITIES).map(|number| place_of(version, number)).collect())
    });

    fn place_of(version: &str, number: u64) -> u64 {
        place("churn", version, format!("user-{number}").as_bytes())
    }

    fn taken(candidate: usize, share: f64) -> Vec<bool> {
        let share = Share::new(share).unwrap();
        PLACES[candidate].iter().map(|place| share.takes(*place)).collect()
    }

    proptest! {
        /// Within five standard deviations, sticky, growing, and another group for another version.
        #[test]
        fn a_share_of_the_entities_is_routed(share in 0.001_f64..0.6, more in 1.0_f64..1.6, again in 0..ENTITIES) {
            let group = taken(0, share);
            let count = |group: &[bool]| group.iter().filter(|taken| **taken).count() as f64;
            let bound = |p: f64| 5.0 * (ENTITIES as f64 * p * (1.0 - p)).sqrt();
            let n = ENTITIES as f64;
            prop_assert!((count(&group) - n * share).abs() <= bound(share), "{} of {share}", count(&group));
            let same = Share::new(share).unwrap().takes(place_of("3", again));
            prop_assert_eq!(same, group[usize::try_from(again).unwrap()], "the same entity, the same answer");
            let larger = taken(0, (share * more).min(1.0));
            prop_assert!(group.iter().zip(&larger).all(|(before, after)| !before || *after), "nobody leaves");
            let other = taken(1, share);
            let both = group.iter().zip(&other).filter(|(one, other)| **one && **other).count() as f64;
            prop_assert!((both - n * share * share).abs() <= bound(share * share) + 1.0, "{both} are in both");
        }
    }

    #[test]
    fn the_place_is_that_of_the_documentation() {
        // printf 'churn@3:user-1' | sha256sum
        assert_eq!(place("churn", "3", b"user-1"), 0x5901_bbbf_e7b0_9ba3);
        assert_ne!(place("churn", "3", b"user-1"), place("churn", "31", b":user-1"));
    }

    #[test]
    fn everybody_belongs_to_the_whole() {
        let all = Share::new(1.0).unwrap();
        assert!(all.takes(u64::MAX) && all.takes(0));
        assert!(!Share::new(0.5).unwrap().takes(u64::MAX));
    }

    #[test]
    fn shares_are_read_and_written() {
        for (text, share, shown) in [
            ("10%", 0.1, "10 %"),
            ("10 %", 0.1, "10 %"),
            ("0.1", 0.1, "10 %"),
            ("100%", 1.0, "100 %"),
            (" 0.5% ", 0.005, "0.5 %"),
        ] {
            let read: Share = text.parse().unwrap();
            assert!((read.value() - share).abs() < 1e-12, "{text}");
            assert_eq!(read.to_string(), shown);
        }
        for text in ["", "%", "0", "0%", "101%", "-1%", "1.5", "nan", "inf", "ten"] {
            let error = text.parse::<Share>().unwrap_err();
            assert!(error.contains("expected above 0 % and up to 100 %"), "{error}");
        }
    }
}
