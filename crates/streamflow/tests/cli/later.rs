//! Answers that are kept, labels that come after them, and what both say.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::http::user_ids;
use crate::project::{Project, course};
use crate::server::Server;

/// A project that keeps answers, with a key that may label and one that may not.
pub fn keeping(project: &Project) -> [String; 2] {
    let made = ["shop", "guest"].map(|name| project.json(&["api-key", "new", name]));
    let line = |made: &Value, more: &str| {
        let name = made["name"].as_str().unwrap();
        format!("{name} = {{ sha256 = \"{}\"{more} }}", made["sha256"].as_str().unwrap())
    };
    let config = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
    let config = config.replace("# enabled = false", "enabled = true");
    let config = config.replace("# flush_seconds = 10", "flush_seconds = 1");
    let keys = format!("{}\n{}", line(&made[0], ", may_label = true"), line(&made[1], ""));
    std::fs::write(project.path("streamflow.toml"), format!("{config}\n[api.keys]\n{keys}\n")).unwrap();
    made.map(|made| made["key"].as_str().unwrap().to_owned())
}

pub fn serving(project: &Project) -> Server {
    Server::start(project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://")
}

/// A time after all answers of a test that labels may have, so many minutes after it was first asked for one.
pub fn label_time(minutes: i64) -> String {
    static FIRST: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
    (*FIRST + jiff::SignedDuration::from_mins(minutes)).to_string()
}

/// The status and the body of an answer.
pub fn post(server: &Server, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let answer = server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\nX-API-Key: {key}\r\n\
         X-Request-ID: request-{}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len() % 1000,
        body.len()
    ));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

pub fn periods(project: &Project) -> Value {
    project.json(&["performance", "--by", "month"])
}

#[test]
fn answers_are_kept_labelled_scored_again_and_forgotten() {
    let project = Project::with_sample(300);
    let [shop, guest] = keeping(&project);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
        project.ok(&["train", "--as-of", month]);
    }
    without_labels(&project, "drops/month_2024-02-29/labels.csv");
    project.ok(&["ingest", "--as-of", "2024-02-29", "drops/month_2024-02-29", "--replace"]);
    let users = user_ids(&project, "2024-02-29");
    let nothing = project.ok(&["performance"]);
    assert!(nothing.contains("No answer is kept"), "{nothing}");
    let refused = project.run(&["replay", "2"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("no answer of that time is kept"),
        "{}",
        refused.stderr
    );

    let server = serving(&project);
    let (status, answer) = post(&server, "/predict/batch", &shop, &json!({ "entities": users }));
    assert_eq!(status, 200, "{answer}");
    let one = json!({ "user_id": users[0] });
    assert_eq!(post(&server, "/predict", &guest, &one).0, 200);
    server.wait_for_metric("prediction_log_rows_total", users.len() as f64 + 1.0);
    assert_eq!(periods(&project)["periods"][0]["state"], "pending");

    // Who may ask for predictions may not say what came true.
    let labels = json!({ "labels": [{ "user_id": users[1], "time": label_time(5), "label": true }] });
    for (key, expected) in [(&shop, 200), (&guest, 403), (&"sfk_other".to_owned(), 401)] {
        assert_eq!(post(&server, "/labels", key, &labels).0, expected);
    }
    let (_, again) = post(&server, "/labels", &shop, &labels);
    let future =
        json!({ "labels": [{ "user_id": users[1], "time": "2099-01-01T00:00:00Z", "label": true }] });
    let (status, refused) = post(&server, "/labels", &shop, &future);
    assert!(status == 422 && refused.to_string().contains("2099-01-01T00:00:00Z"), "{refused}");
    assert_eq!(again, json!({ "new": 0, "corrected": 0, "unchanged": 1 }));
    let others = |value: usize| {
        let label = |(place, user): (usize, &String)| json!({ "user_id": user, "time": label_time(5), "label": (place + value) % 2 });
        let unknown = [json!({ "request_id": "nobody-asked-this", "label": 0 })];
        json!({ "labels": users.iter().enumerate().skip(2).map(label).chain(unknown).collect::<Vec<_>>() })
    };
    post(&server, "/labels", &shop, &others(0));
    let (_, corrected) = post(&server, "/labels", &shop, &others(1));
    assert_eq!(corrected, json!({ "new": 0, "corrected": users.len() - 2, "unchanged": 1 }));
    let broken =
        json!({ "labels": [{ "user_id": users[0], "time": label_time(5), "label": 1 }, { "label": 1 }] });
    assert_eq!(post(&server, "/labels", &shop, &broken).0, 422);
    // One was labelled twice, by its entity: the newest answer about it has it.
    let found = periods(&project);
    let period = &found["periods"][0];
    assert_eq!(
        (&period["rows"], &period["labelled"]),
        (&json!(users.len() + 1), &json!(users.len() - 1)),
        "{found:#}"
    );
    assert_eq!((&period["state"], &found["unknown_labels"]), (&json!("partial"), &json!(1)));
    assert!(period["realised"]["roc_auc"]["value"].is_number(), "{found:#}");
    // One user was asked about twice and counts once.
    assert_eq!(
        (&period["entities"], &period["counted"], &period["counted_labelled"]),
        (&json!(users.len()), &json!(users.len()), &json!(users.len() - 1))
    );
    // The request of one answer, which was about one user and no other.
    let id = format!("request-{}", one.to_string().len() % 1000);
    let another = json!({ "labels": [{ "request_id": id, "user_id": users[3], "label": 0 }] });
    assert_eq!(post(&server, "/labels", &shop, &another).0, 200);
    let text = project.ok(&["performance"]);
    assert!(
        text.contains(&format!(
            "1 label names an entity that its request was not about, so it does not count (request {id})"
        )),
        "{text}"
    );
    post(&server, "/labels", &shop, &json!({ "labels": [{ "request_id": id, "label": 0 }] }));
    let found = periods(&project);
    assert_eq!(
        (&found["periods"][0]["labelled"], &found["periods"][0]["state"]),
        (&json!(users.len()), &json!("final"))
    );
    let text = project.ok(&["performance"]);
    assert!(text.contains("final") && text.contains("1 label is of no answer that is kept."), "{text}");

    // What a version answered itself is no comparison with it.
    let same = project.json(&["replay", "1"]);
    assert_eq!(
        (&same["rows"], &same["own_rows"], &same["own_max_abs_difference"], &same["disagreement"]),
        (&json!(0), &json!(users.len() + 1), &json!(0.0), &Value::Null),
        "{same:#}"
    );
    let text = project.ok(&["replay", "1"]);
    assert!(text.contains("No other version than churn 1 answered."), "{text}");
    let other = project.json(&["replay", "2", "--last", "1h"]);
    assert_eq!((&other["rows"], &other["own_rows"]), (&json!(users.len() + 1), &json!(0)));
    assert!(other["mean_abs_difference"].as_f64().unwrap() > 0.0, "{other:#}");

    let backup = project.path("backup");
    project.ok(&["backup", backup.to_str().unwrap()]);
    let dry = project.json(&["forget", &users[1], "--dry-run"]);
    assert_eq!((&dry["found"]["predictions"], &dry["found"]["labels"]), (&json!(1), &json!(1)), "{dry:#}");
    project.ok(&["forget", &users[1], "--reason", "they asked for it"]);
    assert_eq!(periods(&project)["periods"][0]["rows"], users.len());
    // Who is forgotten is not labelled again.
    let again = json!({ "labels": [
        { "user_id": users[1], "time": label_time(5), "label": true },
        { "user_id": users[2], "time": label_time(6), "label": true },
    ] });
    let (status, taken) = post(&server, "/labels", &shop, &again);
    assert_eq!((status, taken), (200, json!({ "new": 1, "corrected": 0, "unchanged": 0, "forgotten": 1 })));
    server.wait_for_metric("api_labels_total{outcome=\"forgotten\"}", 1.0);
    let dry = project.json(&["forget", &users[1], "--dry-run"]);
    assert_eq!((&dry["found"]["labels"], &dry["found"]["database"]), (&json!(0), &json!([])), "{dry:#}");
    server.stop("-TERM");
}

#[test]
fn a_flipped_bit_in_the_log_stops_every_command_that_reads_it() {
    let project = Project::with_sample(300);
    let [shop, _] = keeping(&project);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let users = user_ids(&project, "2024-01-31");
    let server = serving(&project);
    assert_eq!(post(&server, "/predict/batch", &shop, &json!({ "entities": users })).0, 200);
    server.stop("-TERM");
    // Its verdict is also about the free disk of the machine that the tests run on.
    let sound = project.run(&["doctor"]).stdout;
    assert!(
        sound.contains("files of answers: 1,") && sound.contains("all are as they were written"),
        "{sound}"
    );
    let file = log_file(&project.path("data/predictions")).expect("the log has a file");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let reference = "drops/month_2024-01-31/users.csv";
    for args in [
        &["performance"][..],
        &["replay", "1"],
        &["monitor", "--current", "live"],
        &["drift", reference, "--current", "live"],
        &["forget", &users[0], "--reason", "they asked for it"],
    ] {
        let run = project.run(args);
        assert!(
            run.code == 1 && run.stderr.contains(name) && run.stderr.contains("by its checksum"),
            "{args:?} ended with {}: {}{}",
            run.code,
            run.stdout,
            run.stderr
        );
        assert!(run.stderr.contains("restore it from a backup, or delete it"), "{args:?}: {}", run.stderr);
    }
    let doctor = project.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains(name), "{}", doctor.stdout);
    std::fs::remove_file(&file).unwrap();
    assert!(project.ok(&["performance"]).contains("No answer is kept"));
}

/// The first file of a log.
fn log_file(folder: &Path) -> Option<std::path::PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.find_map(|path| match path.is_dir() {
        true => log_file(&path),
        false => path.extension().is_some_and(|suffix| suffix == "parquet").then_some(path),
    })
}

#[test]
fn a_killed_server_leaves_a_log_that_is_read() {
    let project = Project::with_sample(300);
    let [shop, _] = keeping(&project);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let users = user_ids(&project, "2024-01-31");
    let mut asked = 0;
    for pause_ms in [0, 700, 990, 1010, 1100] {
        let server = serving(&project);
        assert_eq!(post(&server, "/predict/batch", &shop, &json!({ "entities": users })).0, 200);
        std::thread::park_timeout(std::time::Duration::from_millis(pause_ms));
        server.kill();
        asked += users.len();
        // Whole answers of the batches that were written, and nothing half.
        let text = project.run(&["performance"]);
        assert_eq!(text.code, 0, "{}", text.stderr);
    }
    let rows = periods(&project)["periods"][0]["rows"].as_u64().unwrap_or(0) as usize;
    assert!((1..=asked).contains(&rows), "{rows} of {asked}");
    // What is stopped in order loses nothing.
    let server = serving(&project);
    assert_eq!(post(&server, "/predict/batch", &shop, &json!({ "entities": users })).0, 200);
    server.stop("-TERM");
    assert_eq!(periods(&project)["periods"][0]["rows"], rows + users.len());
}

#[test]
fn a_shadow_answers_and_is_not_heard() {
    let project = Project::with_sample(300);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
        project.ok(&["train", "--as-of", month]);
    }
    let users = user_ids(&project, "2024-02-29");
    let ask = |server: &Server| {
        let (status, answer) = post(server, "/predict/batch", "", &json!({ "entities": users }));
        assert_eq!((status, &answer["model"]["version"]), (200, &json!("1")), "the shadow is not heard");
    };
    let server = serving(&project);
    server.wait_for("\"status\":\"ready\"", || server.get("/ready"));
    ask(&server);
    assert!(!server.get("/metrics").contains("shadow_predictions_total"));
    for (args, code, said) in [
        (vec!["models", "shadow", "9"], 1, "has no version 9"),
        (vec!["models", "shadow", "1"], 1, "version 1 is in production and is heard by everybody"),
        (vec!["models", "shadow"], 2, "name the version, or say --end"),
        (vec!["models", "shadow", "2", "--end"], 2, "cannot be used with"),
    ] {
        let refused = project.run(&args);
        assert!(refused.code == code && refused.stderr.contains(said), "{args:?}: {}", refused.stderr);
    }
    project.ok(&["models", "shadow", "2"]);
    server.wait_for("shadow_score_difference", || server.get("/metrics"));
    ask(&server);
    let metric = "shadow_predictions_total{agrees=\"true\",version=\"2\"}";
    server.wait_for_metric(metric, 1.0);
    let differing = server.get("/metrics").contains("shadow_score_difference_count");
    assert!(differing);
    project.ok(&["models", "shadow", "--end"]);
    let ended = || format!("has it: {}", server.get("/metrics").contains("shadow_predictions_total"));
    server.wait_for("has it: false", ended);
    ask(&server);
    server.stop("-TERM");

    // Named by the configuration, where nobody has named another.
    project.edit("streamflow.toml", |text| text.replace("# shadow = \"churn@7\"", "shadow = \"churn@2\""));
    let server = serving(&project);
    server.wait_for("shadow_score_difference", || server.get("/metrics"));
    let refused = project.run(&["models", "shadow", "--end"]);
    assert!(
        refused.code == 1
            && refused
                .stderr
                .contains("the configuration names version 2 ([serve] shadow = \"churn@2\"); it ends when"),
        "{}",
        refused.stderr
    );
    server.stop("-TERM");
    project.edit("streamflow.toml", |text| text.replace("churn@2", "sales@2"));
    let refused = project.run(&["check"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("expected a version of the model, such as churn@7"),
        "{}",
        refused.stderr
    );
}

/// The labels of the second month say that the model is no better than chance there, which no estimate sees.
#[test]
fn labels_of_the_course_say_what_scores_cannot() {
    let Some(course) = course() else { return };
    let project = Project::new();
    let [shop, _] = keeping(&project);
    let month = |name: &str| course.join(name).to_str().unwrap().to_owned();
    project.ok(&["ingest", "--as-of", "2024-01-31", &month("month_000")]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let without = project.path("month_001");
    std::fs::create_dir(&without).unwrap();
    for file in std::fs::read_dir(course.join("month_001")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), without.join(file.file_name())).unwrap();
    }
    without_labels(&project, "month_001/labels.csv");
    project.ok(&["ingest", "--as-of", "2024-02-29", "month_001"]);
    let server = serving(&project);
    server.wait_for("\"status\":\"ready\"", || server.get("/ready"));
    let labels = churned(&course.join("month_001/labels.csv"));
    for users in labels.chunks(1000) {
        let entities: Vec<&str> = users.iter().map(|(user, _)| user.as_str()).collect();
        let (status, answer) = post(&server, "/predict/batch", &shop, &json!({ "entities": entities }));
        assert_eq!((status, &answer["as_of"]), (200, &json!("2024-02-29")));
    }
    server.wait_for_metric("prediction_log_rows_total", labels.len() as f64);
    let auc = |value: &Value| value["value"].as_f64().unwrap();
    let pending = periods(&project)["periods"][0].clone();
    assert_eq!(pending["state"], "pending");
    assert!((0.82..0.88).contains(&auc(&pending["estimated"])), "{pending:#}");

    let label =
        |(user, label): &(String, bool)| json!({ "user_id": user, "time": label_time(5), "label": label });
    let sent = json!({ "labels": labels.iter().map(label).collect::<Vec<_>>() });
    let (status, taken) = post(&server, "/labels", &shop, &sent);
    assert_eq!((status, &taken["new"]), (200, &json!(7043)), "{taken}");
    let found = periods(&project)["periods"][0].clone();
    assert_eq!((&found["state"], &found["labelled"]), (&json!("final"), &json!(7043)));
    assert!((0.47..0.53).contains(&auc(&found["realised"]["roc_auc"])), "{found:#}");
    let said = project.ok(&["performance"]);
    for part in [
        "The labels say roc_auc 0.",
        "where the scores of the same answers alone suggested 0.8",
        "which no estimate sees",
        "about 0.8",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    server.stop("-TERM");
    // A server looks at the answers of the week when it starts.
    let server = serving(&project);
    server.wait_for("kind=\"realised\"", || server.get("/metrics"));
    let metrics = server.get("/metrics");
    for part in [
        "streamflow_answers_performance{metric=\"roc_auc\",version=\"1\"",
        "kind=\"estimated\"",
        "streamflow_answers_labelled_share{",
    ] {
        assert!(metrics.contains(part), "{part} is not in\n{metrics}");
    }
    server.stop("-TERM");
}

#[test]
fn a_report_weighs_what_drifted_by_what_the_model_uses() {
    let project = Project::with_sample(300);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let monitor = ["monitor", "--reference", "2024-01-31", "--current", "2024-02-29"];
    let read = |project: &Project| -> Value {
        let outcome = project.json(&monitor);
        let report = std::fs::read(project.path(outcome["report_json"].as_str().unwrap())).unwrap();
        serde_json::from_slice(&report).unwrap()
    };
    assert_eq!(read(&project)["weighted"], Value::Null, "no model is known yet");
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let weighted = read(&project)["weighted"].clone();
    assert_eq!(weighted["model"], "churn version 1");
    let columns = weighted["columns"].as_array().unwrap();
    let share = |drifted: bool| -> f64 {
        let of = columns.iter().filter(|column| !drifted || column["drifted"] == true);
        of.map(|column| column["share"].as_f64().unwrap()).sum()
    };
    assert!((share(false) - 1.0).abs() < 1e-9, "{weighted:#}");
    assert!((share(true) - weighted["drift_share"].as_f64().unwrap()).abs() < 1e-9, "{weighted:#}");

    let shown = project.json(&["models", "show"]);
    let features = shown["importance"]["features"].as_array().unwrap();
    assert_eq!(features[0]["feature"], columns[0]["column"], "{shown:#}");
    let text = project.ok(&["models", "show", "1"]);
    assert!(
        text.contains("churn version 1, binary, in production") && text.contains("MEAN |CONTRIBUTION|"),
        "{text}"
    );
    let unknown = project.run(&["models", "show", "9"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("has no version 9"), "{}", unknown.stderr);
}

/// Leaves the first line of a file of labels alone: they are not known yet.
fn without_labels(project: &Project, file: &str) {
    project.edit(file, |text| format!("{}\n", text.lines().next().unwrap()));
}

/// The users of a file of labels, and whether they left.
fn churned(file: &Path) -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(file).unwrap();
    let label = |line: &str| {
        let (user, label) = line.split_once(',').unwrap();
        (user.to_owned(), label.trim() == "True")
    };
    text.lines().skip(1).map(label).collect()
}
