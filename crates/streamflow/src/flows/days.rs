//! Days and hours that configured parameters stand for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value};

/// Parameters with the days that `{date}`, `{month_end}` and `{last_month_end}` stand for at `time`, in UTC, and with the
/// hour that has begun for `{hour}`.
pub fn filled(parameters: &Map<String, Value>, time: Timestamp) -> Map<String, Value> {
    let now = time.to_zoned(TimeZone::UTC).datetime();
    let date = now.date();
    let words = [
        ("{date}", date.to_string()),
        ("{month_end}", date.last_of_month().to_string()),
        ("{last_month_end}", before_month(date).to_string()),
        ("{hour}", format!("{date}T{:02}:00", now.hour())),
    ];
    let fill = |value: &Value| match value {
        Value::String(text) => {
            Value::String(words.iter().fold(text.clone(), |text, (word, day)| text.replace(word, day)))
        }
        other => other.clone(),
    };
    parameters.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
}

/// The first `{word}` in the parameters that stands for no day.
pub fn unknown_word(parameters: &Map<String, Value>) -> Option<&str> {
    const KNOWN: [&str; 4] = ["date", "month_end", "last_month_end", "hour"];
    let texts = parameters.values().filter_map(Value::as_str);
    texts.flat_map(words).find(|word| !KNOWN.contains(word))
}

/// The words that stand in braces, such as `as_of` in `--month={as_of}`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |word: &&str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).filter(is_word)
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
    fn words_stand_in_braces() {
        for (text, expected) in [
            ("{date}", &["date"][..]),
            ("a {last_month_end}/{name}", &["last_month_end", "name"]),
            ("{ print $1 } {} {a", &[]),
            ("${HOME}", &["HOME"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
        let unknown = |value| unknown_word(json!({ "as_of": value }).as_object().unwrap()).map(str::to_owned);
        assert_eq!(unknown("{month_end}"), None);
        assert_eq!(unknown("{moth_end}").as_deref(), Some("moth_end"));
    }

    #[test]
    fn words_become_days() {
        let given = json!({
            "as_of": "{last_month_end}", "drop": "drops/month_{month_end}", "note": "{date} {hour}", "share": 0.3
        });
        let time: Timestamp = "2024-03-01T06:00:00Z".parse().unwrap();
        let expected = json!({
            "as_of": "2024-02-29", "drop": "drops/month_2024-03-31", "note": "2024-03-01 2024-03-01T06:00", "share": 0.3
        });
        assert_eq!(Value::Object(filled(given.as_object().unwrap(), time)), expected);
    }
}
