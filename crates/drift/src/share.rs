//! A share of a whole.

use serde::{Serialize, Serializer};

use crate::error::Error;

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// The share of that value; `name` is what the caller calls it, for the message.
    ///
    /// # Errors
    /// [`Error::Share`] for a value outside 0 to 1.
    pub fn new(name: &str, value: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Error::Share { name: name.to_owned(), value })
        }
    }

    /// The share in percent, for constants.
    pub(crate) const fn percent(percent: u8) -> Self {
        assert!(percent <= 100, "a share is at most 100 %");
        Self(percent as f64 / 100.0)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_from_0_to_1() {
        let check = |value: f64, expected: Result<f64, &str>| {
            let found = Share::new("threshold", value).map(Share::get).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        check(0.0, Ok(0.0));
        check(1.0, Ok(1.0));
        check(-0.1, Err("threshold is -0.1; expected a share from 0 to 1, such as 0.30"));
        check(30.0, Err("threshold is 30; expected a share from 0 to 1, such as 0.30"));
        check(f64::NAN, Err("threshold is NaN; expected a share from 0 to 1, such as 0.30"));
    }
}
