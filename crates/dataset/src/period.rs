//! The time that a snapshot describes.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The time that a snapshot describes: the end of a date. It is written as `YYYY-MM-DD` everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Date);

impl Period {
    /// The date at whose end the period ends.
    pub fn date(self) -> Date {
        self.0
    }
}

impl From<Date> for Period {
    fn from(date: Date) -> Self {
        Period(date)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no [`Period`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a period; expected a date such as 2024-01-31")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    /// Takes only what [`Period`] prints: a time of day, which a date's own parser skips, is refused.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let date: Option<Date> = text.parse().ok();
        let period = date.map(Period).filter(|period| period.to_string() == text);
        period.ok_or_else(|| PeriodError(crate::cell::shorten(text)))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_are_periods_and_they_are_read_as_written() {
        for text in ["2024-02-29", "0001-01-01", "9999-12-31", "-000001-01-01"] {
            let period: Period = text.parse().unwrap();
            let json = serde_json::to_string(&period).unwrap();
            assert_eq!((json.as_str(), period.to_string().as_str()), (format!("{text:?}").as_str(), text));
            assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
        }
        for text in ["", "2024", "2023-02-29", "2024-1-31", "20240131", "2024-01-31T10:00", " 2024-01-31"] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not a period; expected a date such as 2024-01-31"));
            assert!(serde_json::from_value::<Period>(text.into()).is_err(), "{text}");
        }
    }
}
