//! What can be asked of a time that `toTime` made: `{{ (toTime $value).Format "15:04" }}`.

use jiff::tz::TimeZone;

use super::value::{Value, time_text};

/// Go writes a layout as the look of 2 January 2006, 15:04:05; longer spellings first.
const LAYOUT: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    ("Z07:00", "Z"),
    (".000", ".%3f"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("_2", "%e"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

/// The method's answer.
///
/// # Errors
/// `None` where a time has no such method; else the reason.
pub fn method(ms: i64, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    let wanted = usize::from(name == "Format");
    let answer = |value: Value| {
        if arguments.len() == wanted {
            Ok(value)
        } else {
            Err(format!("wrong number of args for {name}: want {wanted} got {}", arguments.len()))
        }
    };
    let time = jiff::Timestamp::from_millisecond(ms).ok()?.to_zoned(TimeZone::UTC);
    Some(answer(match name {
        "Unix" => Value::Int(ms.div_euclid(1000)),
        "UnixMilli" => Value::Int(ms),
        "Year" => Value::Int(time.year().into()),
        "Month" => Value::String(time.strftime("%B").to_string()),
        "Day" => Value::Int(time.day().into()),
        "Hour" => Value::Int(time.hour().into()),
        "Minute" => Value::Int(time.minute().into()),
        "Second" => Value::Int(time.second().into()),
        "YearDay" => Value::Int(time.day_of_year().into()),
        "Weekday" => Value::String(time.strftime("%A").to_string()),
        "UTC" => Value::Time(ms),
        "String" => Value::String(time_text(ms)),
        "Format" => match arguments {
            [Value::String(layout)] => {
                return Some(formatted(&strftime(layout), &time));
            }
            [other] => {
                return Some(Err(format!(
                    "wrong type for value; expected string; got {}",
                    other.type_name()
                )));
            }
            _ => Value::Nil,
        },
        _ => return None,
    }))
}

fn formatted(format: &str, time: &jiff::Zoned) -> Result<Value, String> {
    jiff::fmt::strtime::format(format, time).map(Value::String).map_err(|error| error.to_string())
}

/// Go's layout as strftime's.
fn strftime(layout: &str) -> String {
    let mut format = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        match LAYOUT.iter().find(|(look, _)| rest.starts_with(look)) {
            Some((look, verb)) => {
                format.push_str(verb);
                rest = &rest[look.len()..];
            }
            None => {
                if c == '%' {
                    format.push('%');
                }
                format.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let text = |layout: &str| {
            method(1_136_214_245_250, "Format", &[Value::String(layout.to_owned())]).unwrap().unwrap().text()
        };
        assert_eq!(text("2006-01-02T15:04:05.000Z07:00"), "2006-01-02T15:04:05.250Z");
        assert_eq!(
            text("Mon, 2 Jan 06 3:04PM MST 100%"),
            "Mon, 2 Jan 06 3:04PM UTC %-m00%".replace("%-m", "1")
        );
        assert!(method(0, "Add", &[]).is_none());
        assert!(method(0, "Unix", &[Value::Nil]).unwrap().is_err());
        assert_eq!(method(-1, "Unix", &[]).unwrap().unwrap(), Value::Int(-1));
    }
}
