use super::*;
use crate::store::temporary;

fn snapshots(data_dir: &std::path::Path) -> Arc<Snapshots> {
    let mut template: toml::Table = toml::from_str(crate::templates::STREAMFLOW_TOML).unwrap();
    let spec = template.remove("dataset").unwrap().try_into().unwrap();
    Arc::new(Snapshots::open(data_dir, spec).unwrap())
}

fn labels_of(desk: &Desk, body: &str) -> Result<Vec<Label>, String> {
    let read = desk.read(body.as_bytes(), &EntityKey::new("user_id"));
    let labels = read.map(|given| given.into_iter().map(|given| given.label).collect());
    labels.map_err(|error| error.to_string())
}

#[tokio::test]
async fn labels_of_the_forgotten_are_not_kept() {
    let (dir, store) = temporary().await;
    let snapshots = snapshots(dir.path());
    for naming in [Naming::Clear, Naming::Hashed(b"0123456789abcdef".to_vec())] {
        let (task, classes, store) = (Task::Binary, Vec::new(), store.clone());
        let desk = Desk { store, task, classes, naming, snapshots: snapshots.clone() };
        let body = r#"{"labels":[
            {"user_id":"ada","time":"1970-01-01T00:00:01Z","label":1},
            {"request_id":"r1","user_id":"ada","label":1},
            {"request_id":"r2","user_id":"bob","label":1},
            {"request_id":"r3","label":1}]}"#;
        let given = || desk.read(body.as_bytes(), &EntityKey::new("user_id")).unwrap();
        if !snapshots.forgotten_of(&["ada"]).unwrap()[0] {
            assert_eq!(desk.keep(given(), "key shop").await.unwrap().1, 0);
            assert_eq!(desk.store.labels(0).await.unwrap().len(), 4);
            snapshots.forget_entity("ada", "salt").unwrap();
            desk.store.forget_labels(&["ada".to_owned()]).await.unwrap();
        }
        let (added, forgotten) = desk.keep(given(), "key shop").await.unwrap();
        assert_eq!((added.new + added.unchanged, forgotten), (2, 2));
        let mut names = desk.store.labels(0).await.unwrap().into_iter().map(|taken| taken.label.entity);
        assert!(names.all(|name| !name.contains("ada")), "nobody names the forgotten");
    }
    // Where it is not known who is forgotten, no label is taken.
    std::fs::write(dir.path().join("snapshots/_ledger/forgotten.json"), "{").unwrap();
    let (task, classes, naming) = (Task::Binary, Vec::new(), Naming::Clear);
    let desk = Desk { store, task, classes, naming, snapshots };
    let body = r#"{"labels":[{"request_id":"r9","user_id":"bob","label":1}]}"#;
    let given = desk.read(body.as_bytes(), &EntityKey::new("user_id")).unwrap();
    assert!(desk.keep(given, "key shop").await.unwrap_err().to_string().contains("forgotten.json"));
}

#[test]
fn a_time_that_has_not_come_is_refused() {
    let now = "2024-03-01T12:00:00.25Z".parse().unwrap();
    for time in ["2024-03-01T12:10:00.25Z", "2024-03-01T13:10:00+01:00", "1970-01-01T00:00:00Z"] {
        assert_eq!(past(time, now), Ok(time.parse().unwrap()));
    }
    for time in ["2024-03-01T12:10:00.26Z", "2024-03-01T12:11:00-01:00", "2099-01-01T00:00:00Z"] {
        let expected = format!(
            "time is {time:?}; expected a time that has come: it is 2024-03-01T12:00:00Z here, and ten minutes more are \
             taken"
        );
        assert_eq!(past(time, now), Err(expected));
    }
    let error = past("2024-02-28T12:00:00+25:00", now).unwrap_err();
    assert!(error.contains("\"2024-02-28T12:00:00+25:00\"; expected a time with its offset"), "{error}");
}

#[tokio::test]
async fn labels_are_read_or_named() {
    let (dir, store) = temporary().await;
    let snapshots = snapshots(dir.path());
    let (task, classes, naming) = (Task::Binary, Vec::new(), Naming::Clear);
    let desk = Desk { store, task, classes, naming, snapshots: snapshots.clone() };
    let read = |body: &str| labels_of(&desk, body);
    let of_request =
        Label { request_id: "r".into(), entity: String::new(), time_us: 0, truth: Truth::Number(1.0) };
    assert_eq!(read(r#"{"labels":[{"request_id":"r","label":true}]}"#), Ok(vec![of_request]));
    let of_entity = Label {
        request_id: String::new(),
        entity: "7".into(),
        time_us: 1_000_000,
        truth: Truth::Number(0.0),
    };
    let body = r#"{"labels":[{"user_id":7,"time":"1970-01-01T00:00:01Z","label":0}]}"#;
    assert_eq!(read(body), Ok(vec![of_entity]));
    let long_request = format!(r#"{{"request_id":"{}","label":1}}"#, "x".repeat(5000));
    let refused_request = format!(
        "request_id is the text \"{}…\" of 5000 bytes; expected the X-Request-ID of an answer, 1 to 128 visible ASCII \
         characters",
        "x".repeat(60)
    );
    let long_entity = format!(r#"{{"request_id":"r","user_id":"{}","label":1}}"#, "é".repeat(513));
    let refused_entity = format!(
        "user_id is \"{}…\" of 1026 bytes; expected at most 1024, and the request_id alone names a label too",
        "é".repeat(60)
    );
    for (label, expected) in [
        (r#"{"request_id":"r"}"#, "label is missing"),
        (r#"{"request_id":"r","label":2}"#, "label is the integer 2; expected true, false, 1 or 0"),
        (r#"{"request_id":"r","label":"yes"}"#, "label is the text \"yes\"; expected true, false, 1 or 0"),
        (r#"{"label":1}"#, "expected either request_id, or user_id and time"),
        (r#"{"user_id":"a","label":1}"#, "expected either request_id, or user_id and time"),
        (
            r#"{"request_id":"r","time":"1970-01-01T00:00:01Z","label":1}"#,
            "expected either request_id, or user_id and time",
        ),
        (
            r#"{"user_id":"a","time":"yesterday","label":1}"#,
            "time is \"yesterday\"; expected a time with its offset, such as 2024-03-01T12:00:00Z",
        ),
        (
            r#"{"user_id":"a","time":1796146480,"label":1}"#,
            "time is the integer 1796146480; expected a time with its offset, such as 2024-03-01T12:00:00Z",
        ),
        (
            r#"{"user_id":"a","time":"9999-01-01T00:00:00Z","label":1}"#,
            "time is \"9999-01-01T00:00:00Z\"; expected a time that has come: it is ",
        ),
        (
            r#"{"request_id":5,"label":1}"#,
            "request_id is the integer 5; expected the X-Request-ID of an answer, 1 to 128 visible ASCII characters",
        ),
        (
            r#"{"request_id":"a\u0000b","label":1}"#,
            "request_id is the text \"a\\0b\"; expected the X-Request-ID of an answer, 1 to 128 visible ASCII characters",
        ),
        (
            r#"{"user_id":"\u0000","time":"1970-01-01T00:00:01Z","label":1}"#,
            "user_id is the text \"\\0\"; expected a text that is not empty and has no NUL character, or an integer",
        ),
        (
            r#"{"request":"r","label":1}"#,
            "\"request\" is no field; expected request_id, user_id, time and label",
        ),
        (
            r#"{"user_id":"a","time":"0000-01-01T00:00:00Z","label":1}"#,
            "time is \"0000-01-01T00:00:00Z\"; expected a time of an answer, from 1970-01-01T00:00:00Z on",
        ),
        ("7", "expected an object, got the integer 7"),
        (&long_request, &refused_request),
        (&long_entity, &refused_entity),
    ] {
        let body = format!(r#"{{"labels":[{{"request_id":"q","label":1}},{label}]}}"#);
        let error = read(&body).unwrap_err();
        let said = error.strip_prefix("labels[1]: ").unwrap();
        let names_now = expected.ends_with("it is ") && said.starts_with(expected);
        assert!(said == expected || names_now, "{label}: {error}");
    }
    assert_eq!(read("{}"), Err("labels: field required".to_owned()));
    let many = format!(r#"{{"labels":[{}]}}"#, vec!["1"; MOST_LABELS + 1].join(","));
    assert_eq!(read(&many), Err("labels: expected at most 20000 labels in a request, got 20001".to_owned()));
    let other = |task, classes: &[&str]| Desk {
        task,
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        naming: Naming::Left,
        store: desk.store.clone(),
        snapshots: snapshots.clone(),
    };
    let numbers = other(Task::Regression, &[]);
    let read = |body: &str| labels_of(&numbers, body);
    assert_eq!(read(r#"{"labels":[{"request_id":"r","label":1.5}]}"#).unwrap()[0].truth, Truth::Number(1.5));
    let error = read(r#"{"labels":[{"user_id":"a","time":"1970-01-01T00:00:01Z","label":1}]}"#).unwrap_err();
    assert!(error.contains("log.entity is \"none\""), "{error}");

    let long = format!("\"{}\"", "x".repeat(MOST_CLASS_BYTES + 1));
    for (classes, label, expected) in [
        (&[][..], "\"plus\"", Ok("plus")),
        (&[], "7", Ok("7")),
        (&["basic", "plus"], "\"plus\"", Ok("plus")),
        (&["basic", "plus"], "\"Plus\"", Err("label is the text \"Plus\"; expected one of basic, plus")),
        (
            &[],
            "true",
            Err(
                "label is true; expected the name of a class, of at most 256 bytes and without a NUL character",
            ),
        ),
        (&[], "\"\"", Err("label is the text \"\"; expected the name of a class, of at most 256 bytes")),
        (
            &[],
            "\"a\\u0000\"",
            Err(
                "label is the text \"a\\0\"; expected the name of a class, of at most 256 bytes and without a NUL character",
            ),
        ),
        (&[], &long, Err("expected the name of a class, of at most 256 bytes")),
    ] {
        let body = format!(r#"{{"labels":[{{"request_id":"r","label":{label}}}]}}"#);
        let desk = other(Task::Multiclass, classes);
        match (labels_of(&desk, &body), expected) {
            (Ok(labels), Ok(class)) => assert_eq!(labels[0].truth, Truth::Class(class.into())),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (found, _) => panic!("{label}: {found:?}"),
        }
    }
}
