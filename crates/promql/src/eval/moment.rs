//! The calendar, in UTC.

/// A moment's date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    /// Days since 1970.
    pub(crate) days: i64,
    pub(crate) year: i64,
    /// 1 is January.
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Moment {
    /// Any number has a date: the year is not bounded. Not a number is the earliest second, as Go's conversion gives.
    pub(crate) fn from_seconds(seconds: f64) -> Self {
        Self::from_whole_seconds(if seconds.is_nan() { i64::MIN } else { seconds as i64 })
    }

    /// Days to a date of the proleptic Gregorian calendar (Hinnant 2013, `civil_from_days`).
    fn from_whole_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            seconds,
            days,
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    pub(crate) fn is_leap(&self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }
}
