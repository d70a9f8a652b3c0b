//! Labels of several classes and of numbers, sent and ingested.

use serde_json::{Value, json};

use crate::http::user_ids;
use crate::later::{keeping, label_time, periods, post, serving};
use crate::project::Project;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];

/// The labels of a month, in the order of their lines.
fn labels_of(project: &Project) -> (String, Vec<(String, String)>) {
    let text =
        std::fs::read_to_string(project.path(&format!("drops/month_{}/labels.csv", MONTHS[1]))).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let pair = |line: &str| {
        let (user, label) = line.split_once(',').unwrap();
        (user.to_owned(), label.trim().to_owned())
    };
    (header.to_owned(), lines.lines().map(pair).collect())
}

/// A month that comes without labels, is asked about, and gets them later: `send` makes the JSON of one.
fn life(task: &str, metric: &str, send: impl Fn(&str) -> Value) -> (Project, Value) {
    let project = Project { dir: tempfile::tempdir().unwrap() };
    project.ok(&["init", ".", "--task", task]);
    project.ok(&["sample", "--out", "drops", "--rows", "900", "--task", task]);
    let [shop, _] = keeping(&project);
    let drops = MONTHS.map(|month| format!("drops/month_{month}"));
    project.ok(&["ingest", "--as-of", MONTHS[0], &drops[0]]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let (header, labels) = labels_of(&project);
    let file = format!("{}/labels.csv", drops[1]);
    let write = |labels: &[(String, String)]| {
        let lines: String = labels.iter().map(|(user, label)| format!("{user},{label}\n")).collect();
        std::fs::write(project.path(&file), format!("{header}\n{lines}")).unwrap();
    };
    write(&[]);
    project.ok(&["ingest", "--as-of", MONTHS[1], &drops[1]]);

    let users = user_ids(&project, MONTHS[1]);
    let server = serving(&project);
    assert_eq!(post(&server, "/predict/batch", &shop, &json!({ "entities": users })).0, 200);
    server.wait_for_metric("prediction_log_rows_total", users.len() as f64);
    let period = || periods(&project)["periods"][0].clone();
    let pending = period();
    assert_eq!(
        (&pending["state"], &pending["metric"], &pending["rows"]),
        (&json!("pending"), &json!(metric), &json!(users.len()))
    );

    let wrong = json!({ "labels": [{ "user_id": users[0], "time": label_time(5), "label": { "a": 1 } }] });
    assert_eq!(post(&server, "/labels", &shop, &wrong).0, 422);
    let sent = |labels: &[(String, String)]| {
        let label = |(user, label): &(String, String)| json!({ "user_id": user, "time": label_time(5), "label": send(label) });
        let body = json!({ "labels": labels.iter().map(label).collect::<Vec<_>>() });
        let (status, answer) = post(&server, "/labels", &shop, &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let known: Vec<(String, String)> = labels.into_iter().filter(|(_, label)| !label.is_empty()).collect();
    let (early, late) = known.split_at(known.len() / 2);
    assert_eq!(sent(early)["new"], early.len());
    let partial = period();
    assert_eq!((&partial["state"], &partial["labelled"]), (&json!("partial"), &json!(early.len())));
    assert!(partial["realised"][metric]["value"].is_number(), "{partial:#}");

    // The month's labels are newer than those that were sent, and then one is corrected.
    write(&known);
    project.ok(&["ingest", "--as-of", MONTHS[1], &drops[1], "--replace"]);
    let ingested = period();
    assert_eq!(
        (&ingested["labelled"], &ingested["from_ingest"]),
        (&json!(known.len()), &json!(known.len())),
        "{ingested:#}"
    );
    // The same drop again is no newer.
    assert_eq!(sent(late)["new"], late.len());
    project.ok(&["ingest", "--as-of", MONTHS[1], &drops[1], "--replace"]);
    let both = period();
    assert_eq!((&both["labelled"], &both["from_ingest"]), (&json!(known.len()), &json!(early.len())));
    assert_eq!(both["realised"], ingested["realised"], "the same labels, whichever way they came");
    let other = known.iter().find(|(_, label)| *label != late[0].1).unwrap();
    assert_eq!(sent(&[(late[0].0.clone(), other.1.clone())])["corrected"], 1);
    assert_ne!(period()["realised"][metric], both["realised"][metric]);
    server.wait_for_metric("api_labels_total{outcome=\"corrected\"}", 1.0);
    server.stop("-TERM");
    let server = serving(&project);
    let told = format!("streamflow_answers_performance{{metric=\"{metric}\"");
    server.wait_for(&told, || server.get("/metrics"));
    server.stop("-TERM");
    (project, both)
}

#[test]
fn several_classes_are_labelled_and_measured() {
    let (project, period) = life("multiclass", "log_loss", |label| json!(label));
    for metric in ["accuracy", "macro_f1", "log_loss"] {
        assert!(period["realised"][metric]["value"].is_number(), "{period:#}");
    }
    let estimated = period["estimated"]["value"].as_f64().unwrap();
    let realised = period["realised"]["log_loss"]["value"].as_f64().unwrap();
    assert!((0.5..2.0).contains(&(estimated / realised)), "{estimated} {realised}");
    let text = project.ok(&["performance"]);
    assert!(text.contains("LOG_LOSS") && text.contains("about "), "{text}");
}

#[test]
fn numbers_are_labelled_measured_and_estimated() {
    let (project, period) = life("regression", "rmse", |label| json!(label.parse::<f64>().unwrap()));
    let of = |value: &Value| value["value"].as_f64().unwrap();
    let (realised, estimated) = (of(&period["realised"]["rmse"]), of(&period["estimated"]));
    assert!(period["realised"]["mae"]["value"].is_number(), "{period:#}");
    assert!((0.5..2.0).contains(&(estimated / realised)), "{estimated} {realised}");
    let text = project.ok(&["performance"]);
    assert!(text.contains("RMSE") && text.contains("about "), "{text}");
}
