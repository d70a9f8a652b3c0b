//! Schedules in words. Common forms only: what takes longer to read in words stays an expression.

use jiff::tz::TimeZone;

use crate::{Expression, Schedule};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From 1 for Monday, so that a week ends with its Sunday.
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// More than that is not read as a list.
const LONGEST_LIST: usize = 4;

impl Schedule {
    /// The schedule in words, such as "at 06:00 on day 1 of every month, Europe/Paris".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Cron { expression, zone } => {
                let words = words(expression).unwrap_or_else(|| format!("cron `{}`", expression.as_str()));
                format!("{words}, {}", name(zone))
            }
            Self::Interval { every_s, anchor, zone } => {
                let (every_s, zone) = (every_s.get(), name(zone));
                let (date, time) = (anchor.strftime("%Y-%m-%d"), anchor.strftime("%H:%M"));
                match every_s / 86_400 {
                    1 if every_s % 86_400 == 0 => format!("at {time} every day, {zone}"),
                    days if every_s % 86_400 == 0 => {
                        format!("at {time} every {days} days, counted from {date}, {zone}")
                    }
                    _ => format!("every {}, counted from {date} {time}, {zone}", length(every_s)),
                }
            }
            Self::Once { at } => {
                format!("once, at {}, {}", at.strftime("%Y-%m-%d %H:%M"), name(at.time_zone()))
            }
        }
    }
}

fn name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) => offset.to_string(),
        (None, Err(_)) => "a zone without a name".to_owned(),
    }
}

fn length(seconds: u32) -> String {
    let (count, unit) = match seconds {
        3600.. if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        60.. if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 { unit.to_owned() } else { format!("{count} {unit}s") }
}

fn words(expression: &Expression) -> Option<String> {
    let (clock, often) = clock(expression)?;
    match days(expression)?.as_str() {
        "every day" if often => Some(clock),
        days => Some(format!("{clock} {days}")),
    }
}

/// The times of a day, and whether they come by the hour or faster.
fn clock(expression: &Expression) -> Option<(String, bool)> {
    let (minutes, hours) = (numbers(expression.minutes.bits), numbers(expression.hours.bits));
    if let [minute] = minutes[..] {
        let times: Vec<String> = hours.iter().map(|hour| format!("{hour:02}:{minute:02}")).collect();
        return match (step(&hours, 24), minute) {
            (Some(1), 0) => Some(("every hour".to_owned(), true)),
            (Some(1), _) => Some((format!("at minute {minute} of every hour"), true)),
            _ if times.len() <= LONGEST_LIST => Some((format!("at {}", list(&times)), false)),
            (Some(step), _) => Some((format!("every {step} hours from {}", times[0]), true)),
            (None, _) => None,
        };
    }
    match (step(&minutes, 60), hours.len()) {
        (Some(1), 24) => Some(("every minute".to_owned(), true)),
        (Some(step), 24) => Some((format!("every {step} minutes"), true)),
        (_, 1) if minutes.len() <= LONGEST_LIST => {
            let times: Vec<String> =
                minutes.iter().map(|minute| format!("{:02}:{minute:02}", hours[0])).collect();
            Some((format!("at {}", list(&times)), false))
        }
        _ => None,
    }
}

/// The days, as Vixie's cron takes both fields together.
fn days(expression: &Expression) -> Option<String> {
    let all_days = expression.days.bits.count_ones() == 31;
    let all_weekdays = expression.weekdays.bits.count_ones() == 7;
    let months = match expression.months.bits.count_ones() {
        12 => None,
        _ => Some(named(&numbers(expression.months.bits), &MONTHS)?),
    };
    let of = || format!("of {}", months.as_deref().unwrap_or("every month"));
    let inside = || months.as_ref().map_or_else(String::new, |months| format!(" in {months}"));
    match (expression.needs_both_days(), all_days, all_weekdays) {
        (true, true, true) | (false, true, _) | (false, _, true) => Some(format!("every day{}", inside())),
        (true, false, true) => Some(format!("{} {}", days_of_month(expression)?, of())),
        (true, true, false) => Some(format!("{}{}", days_of_week(expression)?, inside())),
        (true, false, false) => None,
        (false, false, false) => Some(format!(
            "{} {} or {}{}",
            days_of_month(expression)?,
            of(),
            days_of_week(expression)?,
            inside()
        )),
    }
}

fn days_of_month(expression: &Expression) -> Option<String> {
    let days = numbers(expression.days.bits);
    match (&days[..], expression.days.last_day) {
        ([], true) => Some("on the last day".to_owned()),
        ([day], false) => Some(format!("on day {day}")),
        ([day], true) => Some(format!("on day {day} and the last day")),
        (_, true) => None,
        (days, false) => {
            let texts: Vec<String> = days.iter().map(u32::to_string).collect();
            Some(format!("on days {}", run_or_list(days, &texts)?))
        }
    }
}

fn days_of_week(expression: &Expression) -> Option<String> {
    // Sunday as 7.
    let bits = expression.weekdays.bits;
    let days = numbers((bits | bits << 7) & 0xfe);
    let text = named(&days, &WEEKDAYS)?;
    Some(if text.contains(" to ") { format!("from {text}") } else { format!("every {text}") })
}

fn named(numbers: &[u32], names: &[&str]) -> Option<String> {
    let names: Vec<String> =
        numbers.iter().filter_map(|&number| Some((*names.get(number as usize - 1)?).to_owned())).collect();
    run_or_list(numbers, &names)
}

/// `a to c` of what follows one another, `a, b and d` of a few.
fn run_or_list(numbers: &[u32], texts: &[String]) -> Option<String> {
    match (numbers, texts) {
        ([low, .., high], [first, _, .., last])
            if texts.len() > 2 && (high - low) as usize == texts.len() - 1 =>
        {
            Some(format!("{first} to {last}"))
        }
        _ if texts.len() <= LONGEST_LIST => Some(list(texts)),
        _ => None,
    }
}

fn list(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [text] => text.clone(),
        [texts @ .., last] => format!("{} and {last}", texts.join(", ")),
    }
}

/// The distance of numbers that divide the whole span from 0 on.
fn step(numbers: &[u32], span: u32) -> Option<u32> {
    let step = span / u32::try_from(numbers.len()).ok()?;
    let evenly = (0..span).step_by(step as usize);
    (span.is_multiple_of(step) && evenly.eq(numbers.iter().copied())).then_some(step)
}

fn numbers(bits: u64) -> Vec<u32> {
    (0..64).filter(|number| bits >> number & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use crate::ScheduleText;

    #[test]
    fn common_expressions_are_put_in_words() {
        let cases = [
            ("0 6 1 * *", "at 06:00 on day 1 of every month"),
            ("0 6 L * *", "at 06:00 on the last day of every month"),
            ("0 6 15,L * *", "at 06:00 on day 15 and the last day of every month"),
            ("0 6 1,15 1,7 *", "at 06:00 on days 1 and 15 of January and July"),
            ("0 6 1-7 * *", "at 06:00 on days 1 to 7 of every month"),
            ("@daily", "at 00:00 every day"),
            ("@weekly", "at 00:00 every Sunday"),
            ("@yearly", "at 00:00 on day 1 of January"),
            ("@hourly", "every hour"),
            ("30 * * * *", "at minute 30 of every hour"),
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0,15,30,45 * * * *", "every 15 minutes"),
            ("0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00 every day"),
            ("30 */2 * * *", "every 2 hours from 00:30"),
            ("30 2,14 * * *", "at 02:30 and 14:30 every day"),
            ("0,30 6 * * *", "at 06:00 and 06:30 every day"),
            ("0 6 * * MON-FRI", "at 06:00 from Monday to Friday"),
            ("0 6 * * SAT,SUN", "at 06:00 every Saturday and Sunday"),
            ("0 6 * * FRI-SUN", "at 06:00 from Friday to Sunday"),
            ("0 6 * JUN-AUG MON", "at 06:00 every Monday in June to August"),
            ("*/15 * * * 1-5", "every 15 minutes from Monday to Friday"),
            ("*/15 * * 12 *", "every 15 minutes every day in December"),
            ("0 0 13 * 5", "at 00:00 on day 13 of every month or every Friday"),
            ("0 0 13 6 5", "at 00:00 on day 13 of June or every Friday in June"),
            // Both fields are needed only where one begins with a star.
            ("0 0 1-31 * 5", "at 00:00 every day"),
            ("0 0 13 * 0-6", "at 00:00 every day"),
            // Too long for words.
            ("0 0 */2 * 5", "cron `0 0 */2 * 5`"),
            ("*/7 * * * *", "cron `*/7 * * * *`"),
            ("*/15 9-17 * * 1-5", "cron `*/15 9-17 * * 1-5`"),
            ("0 1,2,3,5,8 * * *", "cron `0 1,2,3,5,8 * * *`"),
            ("0 0 1,2,3,5,8 * *", "cron `0 0 1,2,3,5,8 * *`"),
            ("0 0 1,2,L * *", "cron `0 0 1,2,L * *`"),
        ];
        for (cron, expected) in cases {
            let text = ScheduleText { cron: Some(cron.to_owned()), ..ScheduleText::default() };
            assert_eq!(text.parse().unwrap().describe(), format!("{expected}, UTC"), "{cron}");
        }
    }

    #[test]
    fn lengths_have_their_largest_whole_unit() {
        let cases = [
            ("1h", "every hour"),
            ("36h", "every 36 hours"),
            ("90m", "every 90 minutes"),
            ("1m", "every minute"),
            ("61s", "every 61 seconds"),
        ];
        for (every, expected) in cases {
            let text = ScheduleText { every: Some(every.to_owned()), ..ScheduleText::default() };
            let expected = format!("{expected}, counted from 2001-01-01 00:00, UTC");
            assert_eq!(text.parse().unwrap().describe(), expected);
        }
    }
}
