//! Fields of the time that a sample holds in seconds since 1970, in UTC.

use crate::eval::moment::Moment;

pub(super) fn minute(moment: Moment) -> f64 {
    (moment.seconds.rem_euclid(3_600) / 60) as f64
}

pub(super) fn hour(moment: Moment) -> f64 {
    (moment.seconds.rem_euclid(86_400) / 3_600) as f64
}

pub(super) fn day_of_month(moment: Moment) -> f64 {
    moment.day as f64
}

/// 0 is Sunday.
pub(super) fn day_of_week(moment: Moment) -> f64 {
    (moment.days + 4).rem_euclid(7) as f64
}

/// 1 is the first of January.
pub(super) fn day_of_year(moment: Moment) -> f64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_day = i64::from(moment.month > 2 && moment.is_leap());
    (BEFORE[(moment.month - 1) as usize] + moment.day + leap_day) as f64
}

pub(super) fn days_in_month(moment: Moment) -> f64 {
    match moment.month {
        2 => 28.0 + f64::from(u8::from(moment.is_leap())),
        4 | 6 | 9 | 11 => 30.0,
        _ => 31.0,
    }
}

pub(super) fn month(moment: Moment) -> f64 {
    moment.month as f64
}

pub(super) fn year(moment: Moment) -> f64 {
    moment.year as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let check = |seconds: f64, expected: [f64; 8]| {
            let moment = Moment::from_seconds(seconds);
            let found = [year, month, day_of_month, hour, minute, day_of_week, day_of_year, days_in_month];
            assert_eq!(found.map(|field| field(moment)), expected, "{seconds}");
        };
        // date --utc -d @SECONDS '+%Y %m %d %H %M %w %j'
        check(0.0, [1970.0, 1.0, 1.0, 0.0, 0.0, 4.0, 1.0, 31.0]);
        check(1_709_208_000.5, [2024.0, 2.0, 29.0, 12.0, 0.0, 4.0, 60.0, 29.0]);
        check(-1.0, [1969.0, 12.0, 31.0, 23.0, 59.0, 3.0, 365.0, 31.0]);
        check(1_735_689_599.0, [2024.0, 12.0, 31.0, 23.0, 59.0, 2.0, 366.0, 31.0]);
        check(4_107_542_400.0, [2100.0, 3.0, 1.0, 0.0, 0.0, 1.0, 60.0, 31.0]);
    }

    #[test]
    fn no_number_panics() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 9.2e18] {
            let moment = Moment::from_seconds(seconds);
            assert!(day_of_year(moment) >= 1.0 && days_in_month(moment) >= 28.0);
        }
    }
}
