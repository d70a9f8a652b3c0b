//! Cron expressions: their five fields, and the minutes of a clock that they name.

use jiff::civil::Date;

use crate::Error;
use crate::calendar::{MINUTES_A_DAY, date_of, minute_of};
use crate::field::{Field, KINDS};

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression that fires.
///
/// Minute, hour, day of the month, month and day of the week, as Vixie's cron reads them: numbers, `JAN-DEC`,
/// `SUN-SAT`, lists, ranges and steps, and `L` for the last day of a month. It names the days that fit the day of the
/// month *or* the day of the week, and those that fit both only where one of these fields begins with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    pub(crate) minutes: Field,
    pub(crate) hours: Field,
    pub(crate) days: Field,
    pub(crate) months: Field,
    pub(crate) weekdays: Field,
}

impl Expression {
    /// Reads five fields, or a nickname such as `@daily`.
    ///
    /// # Errors
    /// Where the text is no expression, or names no day that any year has.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = |reason| Error::Cron { expression: text.to_owned(), reason };
        let fields: Vec<&str> = expanded(text).map_err(wrong)?.split_whitespace().collect();
        let fields: [&str; 5] =
            fields.try_into().map_err(|fields: Vec<&str>| wrong(wrong_count(fields.len())))?;
        let field = |place: usize| Field::parse(&KINDS[place], fields[place]).map_err(wrong);
        let expression = Self {
            text: text.to_owned(),
            minutes: field(0)?,
            hours: field(1)?,
            days: field(2)?,
            months: field(3)?,
            weekdays: field(4)?,
        };
        // The calendar repeats after 400 years.
        let fires = |year| (1..=12).any(|month| expression.days_of(year, month) != 0);
        if (2000..2400).any(fires) { Ok(expression) } else { Err(Error::NeverFires(text.to_owned())) }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it follows real time rather than the clock where the clock is put forward or back.
    pub(crate) fn follows_real_time(&self) -> bool {
        self.minutes.starred || self.hours.starred
    }

    /// Whether a day must fit both fields of days.
    pub(crate) fn needs_both_days(&self) -> bool {
        self.days.starred || self.weekdays.starred
    }

    /// The first minute that it names from `from` on; `None` beyond the calendar.
    pub(crate) fn next_minute(&self, from: i64) -> Option<i64> {
        let (date, passed) = date_of(from)?;
        let today = 1 << date.day();
        if self.days_of(date.year(), date.month()) & today != 0
            && let Some(minute) = self.minute_of_day(passed)
        {
            return Some(from - passed + minute);
        }
        let (mut year, mut month) = (date.year(), date.month());
        let mut later = !(today | (today - 1));
        loop {
            let days = self.days_of(year, month) & later;
            if days != 0 {
                let day = i8::try_from(days.trailing_zeros()).ok()?;
                let midnight = minute_of(Date::new(year, month, day).ok()?.to_datetime(Default::default()))?;
                return Some(midnight + self.minute_of_day(0)?);
            }
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            // What fires at all does so once in 400 years, and the calendar ends with 9999.
            Date::new(year, month, 1).ok()?;
            later = !0;
        }
    }

    /// The first minute of a day, from `from` on.
    fn minute_of_day(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        let rest = self.minutes.bits >> minute << minute;
        if self.hours.bits >> hour & 1 == 1 && rest != 0 {
            return Some(hour * 60 + i64::from(rest.trailing_zeros()));
        }
        let later = self.hours.bits >> (hour + 1) << (hour + 1);
        let minute = i64::from(later.trailing_zeros()) * 60 + i64::from(self.minutes.bits.trailing_zeros());
        (minute < MINUTES_A_DAY).then_some(minute)
    }

    /// The days of a month that it names, a bit for each.
    fn days_of(&self, year: i16, month: i8) -> u64 {
        let Ok(first) = Date::new(year, month, 1) else { return 0 };
        if self.months.bits >> month & 1 == 0 {
            return 0;
        }
        let (length, weekday) = (first.days_in_month(), first.weekday().to_sunday_zero_offset());
        let in_month = (2 << length) - 2;
        let last_day = u64::from(self.days.last_day) << length;
        let of_month = (self.days.bits | last_day) & in_month;
        let of_week = (1..=length)
            .filter(|day| self.weekdays.bits >> ((weekday + day - 1) % 7) & 1 == 1)
            .fold(0, |bits, day| bits | 1 << day);
        if self.needs_both_days() { of_month & of_week } else { of_month | of_week }
    }
}

/// A nickname as five fields, anything else as it is.
fn expanded(text: &str) -> Result<&str, String> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    match NICKNAMES.iter().find(|(name, _)| *name == text) {
        Some((_, fields)) => Ok(fields),
        None if text.starts_with("@every") => {
            Err("`@every` is a key of its own; write every = \"6h\" instead of cron".to_owned())
        }
        None => {
            let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
            Err(format!("expected one of {}, or five fields", names.join(", ")))
        }
    }
}

fn wrong_count(count: usize) -> String {
    let remedy = match count {
        ..=4 => "write `*` for what does not matter",
        5..=6 => "seconds, which some systems have as a sixth field, are left out",
        _ => "years and seconds are left out",
    };
    format!(
        "expected five fields (minute, hour, day of month, month, day of week) and found {count}; {remedy}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_vixie_cron_are_read() {
        let accepted = [
            "0 6 1 * *",
            " 0\t6  1 * * ",
            "*/15 * * * *",
            "0-30/10 0,12 * jan-MAR mon-fri",
            "0 0 * * 7",
            "00 06 01 01 00",
            "*/60 */24 */31 */12 */8",
            "5,*/20 * * * *",
            "0 0 L 2 *",
            "0 0 1,l * *",
            "0 0 29 2 *",
            "0 0 31 2 5",
            "0 0 30 */2 *",
            "0 0 29 2 */7",
            "@daily",
            "@annually",
        ];
        for text in accepted {
            assert_eq!(Expression::parse(text).map(|expression| expression.text), Ok(text.trim().to_owned()));
        }
    }

    #[test]
    fn what_is_refused_is_named_with_its_remedy() {
        let cases = [
            ("", "found 0; write `*` for what does not matter"),
            ("0 6 1 *", "expected five fields (minute, hour, day of month, month, day of week) and found 4"),
            ("0 0 0 * * *", "found 6; seconds, which some systems have as a sixth field, are left out"),
            ("0 0 0 * * * 2026", "found 7; years and seconds are left out"),
            ("60 * * * *", "\"60\" in the minute field: expected 0-59, as `*`, a number"),
            ("* 24 * * *", "\"24\" in the hour field: expected 0-23"),
            ("* * 0 * *", "in the day-of-month field: expected 1-31 or `L` for the last day"),
            ("* * * 13 *", "in the month field: expected 1-12 or JAN-DEC"),
            ("* * * * 8", "in the day-of-week field: expected 0-7 or SUN-SAT"),
            ("* * * * MONDAY", "\"MONDAY\" in the day-of-week field"),
            ("1,,2 * * * *", "\"\" in the minute field"),
            ("-5 * * * *", "\"-5\" in the minute field"),
            ("+5 * * * *", "\"+5\" in the minute field"),
            ("5- * * * *", "\"5-\" in the minute field"),
            ("1-2-3 * * * *", "\"1-2-3\" in the minute field"),
            ("*-5 * * * *", "\"*-5\" in the minute field"),
            ("** * * * *", "\"**\" in the minute field"),
            ("999999999999 * * * *", "expected 0-59"),
            ("5/15 * * * *", "a step needs a range; write `5-59/15`"),
            ("*/0 * * * *", "expected a step from 1 to 60"),
            ("*/90 * * * *", "longer steps than the field has are intervals (`every`)"),
            ("*/ * * * *", "expected a step"),
            ("* 22-2 * * *", "the range runs backwards; write it in two, `22-23,0-2`"),
            ("0 0 ? * 1", "\"?\" in the day-of-month field: `?` is not read; write `*`"),
            (
                "H * * * *",
                "\"H\" in the minute field: `H` and `R` (any number) are not read; write the number",
            ),
            ("H(0-29)/5 * * * *", "`H` and `R`"),
            ("* R * * *", "`H` and `R`"),
            ("0 0 15W * *", "`W` (the nearest working day) is not read; write the day itself"),
            ("0 0 LW * *", "`W`"),
            ("0 0 * * MON#1", "`#` (the nth weekday of a month) is not read"),
            ("0 0 * * 5L", "`L` (the last day of a month) stands for itself in the day-of-month field"),
            ("0 0 L-3 * *", "`L` (the last day"),
            ("@reboot", "expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly"),
            ("@every 5m", "write every = \"6h\" instead of cron"),
            ("@", "expected one of"),
            ("täglich * * * *", "\"täglich\" in the minute field"),
        ];
        for (text, expected) in cases {
            let message = Expression::parse(text).unwrap_err().to_string();
            assert!(message.starts_with(&format!("cron = {text:?}: ")), "{message}");
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn what_never_fires_is_refused() {
        for text in ["0 0 31 2 *", "0 0 30 FEB *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 2 */3"] {
            assert_eq!(Expression::parse(text), Err(Error::NeverFires(text.to_owned())));
        }
        let message = Error::NeverFires("0 0 31 2 *".to_owned()).to_string();
        assert!(message.contains("none of its months has such a day"), "{message}");
    }
}
