//! The time that a snapshot describes.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The time that a snapshot describes: the end of a date, or a minute in UTC for snapshots that come more often. It is
/// written as `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM` everywhere but in names of files.
///
/// Periods are in the order of time: a date comes after all times of its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    date: Date,
    /// None for the end of the date; else a whole minute.
    time: Option<Time>,
}

/// What stands for a colon in names of files: Hive's escape, which whoever reads its layout turns back.
const COLON: &str = "%3A";

impl Period {
    /// The date, where it has no time.
    pub fn day(self) -> Option<Date> {
        self.time.is_none().then_some(self.date)
    }

    /// The first minute of a date; a time itself.
    pub(crate) fn beginning(self) -> Self {
        Period { time: self.time.or(Some(Time::midnight())), ..self }
    }

    /// The first minute after it; none after the last there is.
    pub(crate) fn next(self) -> Option<Self> {
        let next = match self.time {
            None => self.date.tomorrow().ok()?.to_datetime(Time::midnight()),
            Some(time) => self.date.to_datetime(time).checked_add(1.minute()).ok()?,
        };
        Some(Period { date: next.date(), time: Some(next.time()) })
    }

    /// Its time in UTC; of a date the midnight at which it begins. None beyond what a timestamp can say.
    pub fn timestamp(self) -> Option<Timestamp> {
        let time = self.date.to_datetime(self.time.unwrap_or(Time::midnight()));
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    /// The period as names of files and folders have it.
    pub fn file_name(self) -> String {
        self.to_string().replace(':', COLON)
    }

    /// The period that a name has as [`Period::file_name`] writes it.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let period: Self = name.replace(COLON, ":").parse().ok()?;
        (period.file_name() == name).then_some(period)
    }
}

impl Ord for Period {
    fn cmp(&self, other: &Self) -> Ordering {
        let of_day = |period: &Self| (period.time.is_none(), period.time);
        self.date.cmp(&other.date).then_with(|| of_day(self).cmp(&of_day(other)))
    }
}

impl PartialOrd for Period {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Date> for Period {
    fn from(date: Date) -> Self {
        Period { date, time: None }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.time {
            None => self.date.to_string(),
            Some(time) => format!("{}T{:02}:{:02}", self.date, time.hour(), time.minute()),
        };
        text.fmt(f)
    }
}

/// A text that is no [`Period`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a period; expected a date such as 2024-01-31, or a time in UTC such as 2024-01-31T13:00"
)]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    /// Takes only what [`Period`] prints, and a `Z` after a time: seconds and offsets, which a parser of times would skip
    /// or convert, are refused.
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let period = match text.split_once('T') {
            None => text.parse().ok().map(|date| Period { date, time: None }),
            Some((date, time)) => {
                let time = format!("{}:00", time.strip_suffix('Z').unwrap_or(time));
                date.parse().ok().zip(time.parse().ok()).map(|(date, time)| Period { date, time: Some(time) })
            }
        };
        let as_written = |period: &Period| {
            let printed = period.to_string();
            printed == text || (period.time.is_some() && Some(printed.as_str()) == text.strip_suffix('Z'))
        };
        period.filter(as_written).ok_or_else(|| PeriodError(crate::cell::shorten(text)))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a date in quotes, such as \"2024-01-31\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_dates_and_minutes_and_are_read_as_written() {
        for text in [
            "2024-02-29",
            "0001-01-01",
            "9999-12-31",
            "-000001-01-01",
            "2024-02-29T00:00",
            "2026-01-05T13:00",
            "9999-12-31T23:59",
        ] {
            let json = serde_json::to_string(&period(text)).unwrap();
            assert_eq!(
                (json.as_str(), period(text).to_string().as_str()),
                (format!("{text:?}").as_str(), text)
            );
            assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period(text));
            let name = period(text).file_name();
            assert!(!name.contains(':'), "{name}");
            assert_eq!(Period::from_file_name(&name), Some(period(text)), "{name}");
        }
        assert_eq!(period("2026-01-05T13:00Z"), period("2026-01-05T13:00"));
        for text in [
            "",
            "2024",
            "2023-02-29",
            "2024-1-31",
            "20240131",
            " 2024-01-31",
            "2024-01-31Z",
            "2024-01-31T",
            "2024-01-31T10",
            "2024-01-31T1:00",
            "2024-01-31T24:00",
            "2024-01-31T10:60",
            "2024-01-31T10:00:00",
            "2024-01-31T10:00+01:00",
            "2024-01-31T10:00ZZ",
            "2024-01-31t10:00",
            "2024-01-31 10:00",
        ] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is not a period; expected a date")), "{error}");
            assert!(serde_json::from_value::<Period>(text.into()).is_err(), "{text}");
        }
        for name in ["2026-01-05T13:00", "2026-01-05T13%3a00", "2026-01-05T13%3A00Z", "2026-01-05T1300"] {
            assert_eq!(Period::from_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_date_comes_after_its_times() {
        let texts = ["2026-01-04", "2026-01-05T00:00", "2026-01-05T23:59", "2026-01-05", "2026-01-06T00:00"];
        let periods = texts.map(period);
        assert!(periods.is_sorted_by(|a, b| a < b), "{periods:?}");
        let second = |text| period(text).timestamp().unwrap().as_second();
        assert_eq!(second("2026-01-05T13:30") - second("2026-01-05"), 13 * 3600 + 1800);
        assert_eq!(period("2026-01-05T13:30").day(), None);
        assert_eq!(period("2026-01-05").day(), Some(jiff::civil::date(2026, 1, 5)));
    }
}
