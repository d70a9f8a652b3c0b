//! Days that configured parameters stand for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value};

/// Parameters with the days that `{date}`, `{month_end}` and `{last_month_end}` stand for at `time`, in UTC.
pub fn filled(parameters: &Map<String, Value>, time: Timestamp) -> Map<String, Value> {
    let date = time.to_zoned(TimeZone::UTC).date();
    let words =
        [("{date}", date), ("{month_end}", date.last_of_month()), ("{last_month_end}", before_month(date))];
    let fill = |value: &Value| match value {
        Value::String(text) => Value::String(
            words.iter().fold(text.clone(), |text, (word, day)| text.replace(word, &day.to_string())),
        ),
        other => other.clone(),
    };
    parameters.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
}

/// The last day of the month before that of `date`.
fn before_month(date: Date) -> Date {
    date.first_of_month().checked_sub(1.day()).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_become_days() {
        let given = json!({
            "as_of": "{last_month_end}", "drop": "drops/month_{month_end}", "note": "{date}", "share": 0.3
        });
        let time: Timestamp = "2024-03-01T06:00:00Z".parse().unwrap();
        let expected = json!({
            "as_of": "2024-02-29", "drop": "drops/month_2024-03-31", "note": "2024-03-01", "share": 0.3
        });
        assert_eq!(Value::Object(filled(given.as_object().unwrap(), time)), expected);
    }
}
