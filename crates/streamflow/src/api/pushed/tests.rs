use streamflow_dataset::EntityKey;

use super::*;

fn columns() -> Columns {
    let mut template: toml::Table = toml::from_str(crate::templates::STREAMFLOW_TOML).unwrap();
    Columns::of(&template.remove("dataset").unwrap().try_into().unwrap())
}

fn read(body: &str) -> Result<Vec<PushedFeature>, String> {
    columns().read(body.as_bytes(), &EntityKey::new("user_id")).map_err(|error| error.to_string())
}

fn row(features: &str) -> String {
    format!(r#"{{"rows":[{{"user_id":"u1","time":"2024-03-01T12:00:00+02:00","features":{features}}}]}}"#)
}

#[test]
fn rows_are_values_of_entities_at_their_times() {
    let values = read(&row(r#"{"monthly_fee":95,"net_service":"basic","months_active":3.0}"#)).unwrap();
    let [fee, plan, tenure] = values.as_slice() else { panic!("{values:?}") };
    assert_eq!((fee.entity.as_str(), fee.feature.as_str(), fee.number), ("u1", "monthly_fee", Some(95.0)));
    assert_eq!(fee.time_us, 1_709_287_200_000_000, "in UTC");
    assert_eq!((plan.kind.as_str(), plan.number, plan.text.as_deref()), ("text", None, Some("basic")));
    assert_eq!((tenure.kind.as_str(), tenure.number), ("number", Some(3.0)));
    let missing = read(&row(r#"{"monthly_fee":null}"#)).unwrap();
    assert_eq!((missing[0].kind.as_str(), missing[0].number), ("missing", None));
    assert_eq!(read(r#"{"rows":[]}"#), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_is_named() {
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let at = |time: &str| row("{}").replace("2024-03-01T12:00:00+02:00", time);
    for (body, expected) in [
        ("{}".to_owned(), "rows: field required"),
        (r#"{"rows":1}"#.to_owned(), "rows: expected a list, got the integer 1"),
        (r#"{"rows":[1]}"#.to_owned(), "rows[0]: expected an object, got the integer 1"),
        (row(r#"{"fee":1}"#), "rows[0]: \"fee\" is no feature of dataset.features; expected months_active, "),
        (row(r#"{"user_id":"x"}"#), "rows[0]: \"user_id\" is no feature of dataset.features"),
        (row(r#"{"monthly_fee":"9"}"#), "rows[0]: monthly_fee is the text \"9\"; expected a finite number"),
        (
            row(r#"{"monthly_fee":9007199254740993}"#),
            "monthly_fee is the integer 9007199254740993; expected a finite",
        ),
        (
            row(r#"{"months_active":null}"#),
            "months_active is null; expected an integer that a 64-bit float holds exactly, since the column is declared as not nullable",
        ),
        (row(r#"{"months_active":1.5}"#), "months_active is the number 1.5; expected an integer"),
        (row(r#"{"net_service":1}"#), "net_service is the integer 1; expected a text"),
        (row(r#"{"monthly_fee":1,"monthly_fee":2}"#), "monthly_fee stands twice; expected one value"),
        (
            row(&format!(r#"{{"net_service":"{}"}}"#, "x".repeat(1025))),
            "net_service is a text of 1025 bytes; expected at most 1024",
        ),
        (row("[]"), "rows[0]: features is a list; expected an object"),
        (row("{}").replace("\"u1\"", "17"), "user_id is the integer 17; expected a text that is not empty"),
        (row("{}").replace("\"u1\"", "\"\""), "user_id is the text \"\"; expected a text that is not empty"),
        (
            row("{}").replace("u1", "u\\u0000"),
            "user_id is the text \"u\\0\"; expected a text that is not empty and has no NUL character",
        ),
        (
            row("{}").replace("user_id", "user"),
            "rows[0]: \"user\" is no field; expected user_id, time and features",
        ),
        (at("2024-03-01"), "time is \"2024-03-01\"; expected a time with its offset"),
        (at("2024-03-01T12:00:00"), "time is \"2024-03-01T12:00:00\"; expected a time with its offset"),
        (
            at("2024-03-01T12:00:00+25:00"),
            "time is \"2024-03-01T12:00:00+25:00\"; expected a time with its offset",
        ),
        (at(&ahead.to_string()), "expected a time that has come"),
        (row("{}").replace("\"time\"", "\"features\""), "time is missing"),
    ] {
        let error = read(&body).unwrap_err();
        assert!(error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn one_request_has_a_bound() {
    let one = r#"{"user_id":"u1","time":"2024-03-01T12:00:00Z","features":{"monthly_fee":1}}"#;
    let many = |rows: usize| format!("{{\"rows\":[{}]}}", vec![one; rows].join(","));
    assert_eq!(read(&many(20_000)).unwrap().len(), 20_000);
    let error = read(&many(20_001)).unwrap_err();
    assert!(error.contains("expected at most 20000 values in a request"), "{error}");
}

#[test]
fn values_come_back_from_the_database_as_they_were() {
    for (json, expected) in [
        (r#"{"monthly_fee":29.85}"#, Value::Number(29.85)),
        (r#"{"monthly_fee":-0.0}"#, Value::Number(0.0)),
        (r#"{"net_service":""}"#, Value::Text(String::new())),
        (r#"{"net_service":null}"#, Value::Missing),
    ] {
        let change = change_of(read(&row(json)).unwrap().remove(0));
        assert_eq!((change.entity.as_str(), change.value.value), ("u1", expected), "{json}");
    }
}
