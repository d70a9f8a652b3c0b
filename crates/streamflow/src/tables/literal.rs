//! Names and times as SQL has them.

use streamflow_dataset::Period;

/// A name in quotes: letters of any case and kind stay what they are.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name of a table, which may have that of its schema before a point, in quotes.
pub(super) fn table(name: &str, schema: Option<&str>) -> String {
    match (name.split_once('.'), schema) {
        (Some((schema, name)), _) => format!("{}.{}", quoted(schema), quoted(name)),
        (None, Some(schema)) => format!("{}.{}", quoted(schema), quoted(name)),
        (None, None) => quoted(name),
    }
}

/// The time that stands for a period in a column of a type: its number, and its name as messages have it.
///
/// # Errors
/// A type that does not hold it.
pub(super) fn period(as_of: Period, oid: i64, shown: &str) -> Result<String, String> {
    let minute = as_of.to_string().replace('T', " ");
    match (oid, as_of.day()) {
        (1082, Some(day)) => Ok(format!("DATE '{day}'")),
        (1082, None) => Err(format!(
            "has the type date, and the drop is as of the minute {as_of}; give it the type timestamp with time zone"
        )),
        (1114, _) => Ok(format!("TIMESTAMP '{minute}'")),
        (1184, Some(day)) => Ok(format!("TIMESTAMPTZ '{day} 00:00+00'")),
        (1184, None) => Ok(format!("TIMESTAMPTZ '{minute}+00'")),
        _ => Err(format!("has the type {shown}; expected date or timestamp with time zone")),
    }
}

/// A query with the time of a period in the place of `$as_of`.
pub(super) fn filled(query: &str, as_of: Period) -> String {
    let literal = match as_of.day() {
        Some(day) => format!("DATE '{day}'"),
        None => format!("TIMESTAMPTZ '{}+00'", as_of.to_string().replace('T', " ")),
    };
    query.trim().trim_end_matches(';').replace("$as_of", &literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_times_are_those_of_the_type() {
        assert_eq!(table("users", None), "\"users\"");
        assert_eq!(table("users", Some("Shop")), "\"Shop\".\"users\"");
        assert_eq!(table("a\"b.users", Some("shop")), "\"a\"\"b\".\"users\"");
        let (day, minute) = ("2024-01-31".parse().unwrap(), "2024-01-31T13:00".parse().unwrap());
        assert_eq!(period(day, 1082, "date").unwrap(), "DATE '2024-01-31'");
        assert_eq!(period(day, 1184, "").unwrap(), "TIMESTAMPTZ '2024-01-31 00:00+00'");
        assert_eq!(period(minute, 1114, "").unwrap(), "TIMESTAMP '2024-01-31 13:00'");
        assert_eq!(period(minute, 1184, "").unwrap(), "TIMESTAMPTZ '2024-01-31 13:00+00'");
        assert!(period(minute, 1082, "date").unwrap_err().contains("timestamp with time zone"));
        assert!(period(day, 25, "text").unwrap_err().contains("has the type text"));
        assert_eq!(filled("SELECT $as_of ; \n", day), "SELECT DATE '2024-01-31' ");
    }
}
