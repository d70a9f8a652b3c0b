//! Kept answers as the current side of comparisons.

use serde_json::{Value, json};

use crate::http::user_ids;
use crate::later::{keeping, label_time, post, serving};
use crate::project::Project;
use crate::up::Up;

const LIVE: [&str; 3] = ["monitor", "--current", "live"];

/// The command fails with the status and says this.
#[track_caller]
fn refused(project: &Project, args: &[&str], code: i32, said: &str) {
    let run = project.run(args);
    assert!(run.code == code && run.stderr.contains(said), "{args:?}: {}\n{}", run.code, run.stderr);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
}

#[test]
fn live_traffic_is_compared_as_a_month_is() {
    let project = Project::with_sample(300);
    for month in ["2024-01-31", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    refused(
        &project,
        &LIVE,
        1,
        "answers are not kept, so there is no live traffic to compare: [log] enabled",
    );
    let [shop, _] = keeping(&project);
    refused(&project, &LIVE, 1, "no answer of churn is kept from");
    project.ok(&["train", "--as-of", "2024-01-31"]);
    refused(&project, &["monitor", "--current", "2024-03-31"], 2, "--reference is missing");
    let of_month = ["monitor", "--reference", "2024-01-31", "--current", "2024-03-31", "--last", "1h"];
    refused(&project, &of_month, 2, "--last is of live traffic");

    let users = user_ids(&project, "2024-03-31");
    let server = serving(&project);
    let ask = |users: &[String], rows: usize| {
        let (status, answer) = post(&server, "/predict/batch", &shop, &json!({ "entities": users }));
        assert_eq!((status, &answer["as_of"]), (200, &json!("2024-03-31")), "{answer}");
        server.wait_for_metric("prediction_log_rows_total", rows as f64);
    };
    ask(&users[..150], 150);
    refused(&project, &LIVE, 1, "about 150 entities; expected at least 200 (live.min_entities)");
    ask(&users, 150 + users.len());
    server.stop("-TERM");

    // All users of the month were asked about, some twice: what has drifted is what has drifted in the month.
    let month = project.json(&["monitor", "--reference", "2024-01-31", "--current", "2024-03-31"]);
    let live = project.json(&LIVE);
    assert_eq!(
        (&live["live"]["answers"], &live["live"]["entities"], &live["live"]["versions"]),
        (&json!(150 + users.len()), &json!(users.len()), &json!(["1"])),
        "{live:#}"
    );
    assert_eq!(live["drifted"], month["drifted"]);
    assert_eq!(live["decision"], "RETRAINING_TRIGGERED");
    let read = |outcome: &Value| -> Value {
        let report = std::fs::read(project.path(outcome["report_json"].as_str().unwrap())).unwrap();
        serde_json::from_slice(&report).unwrap()
    };
    let (of_live, of_month) = (read(&live), read(&month));
    assert_eq!(of_live["weighted"], of_month["weighted"]);
    assert!(of_live["current"]["name"].as_str().unwrap().starts_with("live_20"), "{of_live:#}");
    for column in of_live["columns"].as_array().unwrap() {
        let columns = of_month["columns"].as_array().unwrap();
        let same = columns.iter().find(|found| found["name"] == column["name"]).unwrap();
        let found = |column: &Value| {
            (column["effect_size"].clone(), column["p_value"].clone(), column["drifted"].clone())
        };
        assert_eq!(found(column), found(same), "{column:#}");
    }
    let html = std::fs::read_to_string(project.path(live["report_html"].as_str().unwrap())).unwrap();
    assert!(html.contains("Live traffic") && html.contains("one entity counts once"));
    let text = project.run(&[&LIVE[..], &["--last", "1h", "--fail-on-drift"]].concat());
    assert!(text.code == 3 && text.stdout.contains("about 300 entities"), "{} {}", text.code, text.stdout);

    // A file as the reference: its columns that are no features are listed and count for nothing.
    let usage = "drops/month_2024-01-31/usage_agg_30d.csv";
    let report: Value =
        serde_json::from_str(&project.ok(&["drift", usage, "--current", "live", "--json", "-"])).unwrap();
    let of = |name: &str| report["columns"].as_array().unwrap().iter().find(|column| column["name"] == name);
    assert_eq!(of("user_id").unwrap()["status"], "ignored");
    let same =
        of_live["columns"].as_array().unwrap().iter().find(|column| column["name"] == "watch_hours_30d");
    assert_eq!(of("watch_hours_30d").unwrap()["effect_size"], same.unwrap()["effect_size"]);
    let markdown = project.ok(&["drift", usage, "--current", "live", "--last", "24h", "--markdown", "-"]);
    assert!(markdown.contains("live\\_20"), "{markdown}");
    for (args, said) in [
        (vec!["drift", usage, usage, "--current", "live"], "cannot be used with"),
        (vec!["drift", usage, "--current", "yesterday"], "invalid value 'yesterday'"),
        (vec!["drift", usage, usage, "--last", "1h"], "name it by --current live"),
        (vec!["drift", usage, "--current", "live", "--last", "0s"], "above 0"),
    ] {
        refused(&project, &args, 2, said);
    }

    // A damaged file is named, and there is no verdict without it.
    let logged = project.files("data/predictions");
    let damaged = logged.keys().find(|path| path.extension().is_some()).unwrap();
    std::fs::write(damaged, "PAR1, and then nothing").unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    refused(&project, &LIVE, 1, name);
    refused(&project, &["drift", usage, "--current", "live"], 1, name);
}

/// The log keeps the score and the features apart: scored again, they agree only where both are of the merged values.
#[test]
fn sent_features_are_kept_as_they_were_answered() {
    let project = Project::with_sample(300);
    let [shop, _] = keeping(&project);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let users = &user_ids(&project, "2024-01-31")[..20];
    let server = serving(&project);
    let sent: Vec<_> = (0..20).map(|place| json!({ "months_active": place, "monthly_fee": null })).collect();
    let body = json!({ "entities": users, "features": sent });
    let (status, answer) = post(&server, "/predict/batch", &shop, &body);
    assert_eq!(status, 200, "{answer}");
    let (_, stored) = post(&server, "/predict/batch", &shop, &json!({ "entities": users }));
    let probability = |answer: &Value, place: usize| answer["predictions"][place]["probability"].clone();
    assert!((0..20).any(|place| probability(&answer, place) != probability(&stored, place)), "{answer}");
    server.wait_for_metric("prediction_log_rows_total", 40.0);
    server.stop("-TERM");
    let again = project.json(&["replay", "1"]);
    assert_eq!((&again["own_rows"], &again["own_max_abs_difference"]), (&json!(40), &json!(0.0)), "{again}");
    // The month's labels are those of its users; what was answered of other features may be about others.
    let period = project.json(&["performance"])["periods"][0].clone();
    assert_eq!(
        (&period["rows"], &period["counted"], &period["state"], &period["assumed"]),
        (&json!(40), &json!(20), &json!("final"), &json!(0)),
        "the newest answers are of stored features: {period:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_log_and_the_console_measures_it() {
    let project = Project::with_sample(300);
    let [shop, _] = keeping(&project);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project.edit("drops/month_2024-02-29/labels.csv", |text| format!("{}\n", text.lines().next().unwrap()));
    project.ok(&["ingest", "--as-of", "2024-02-29", "drops/month_2024-02-29"]);
    let users = user_ids(&project, "2024-02-29");
    let server = serving(&project);
    for users in users.chunks(60) {
        assert_eq!(post(&server, "/predict/batch", &shop, &json!({ "entities": users })).0, 200);
    }
    server.wait_for_metric("prediction_log_rows_total", users.len() as f64);
    let label = |(place, user): (usize, &String)| json!({ "user_id": user, "time": label_time(5), "label": place % 3 == 0 });
    let labels = json!({ "labels": users.iter().enumerate().take(100).map(label).collect::<Vec<_>>() });
    assert_eq!(post(&server, "/labels", &shop, &labels).0, 200);
    server.stop("-TERM");

    // An hour of long ago, in many files, is merged beside what is answered.
    let log = project.path("data/predictions");
    let hour = |name: &str| log.join("date=2024-01-01").join(name);
    let written = project.files("data/predictions");
    let files: Vec<_> = written.keys().filter(|path| path.extension().is_some()).collect();
    std::fs::create_dir_all(hour("hour=05")).unwrap();
    project.edit("streamflow.toml", |text| text.replace("# keep_days = 30", "keep_days = 100000"));
    for number in 0..20 {
        let file = hour("hour=05").join(format!("part-1704085200000000-1-{number}.parquet"));
        std::fs::copy(files[number % files.len()], file).unwrap();
    }
    let up = Up::start(&project, &[]);
    up.server
        .wait_for("1 files", || format!("{} files", std::fs::read_dir(hour("hour=05")).unwrap().count()));
    std::fs::remove_dir_all(log.join("date=2024-01-01")).unwrap();

    // The console plane, by the day and by the hour.
    let get = async |query: &str| {
        let url = format!("{}/api/streamflow/performance/answers{query}", up.console);
        let answer = up.client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let json_of = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let (status, by_day) = get("").await;
    let by_day = json_of(&by_day);
    assert_eq!(status, 200, "{by_day:#}");
    let total = |found: &Value, what: &str| -> u64 {
        found["periods"].as_array().unwrap().iter().map(|period| period[what].as_u64().unwrap()).sum()
    };
    assert_eq!((total(&by_day, "rows"), total(&by_day, "labelled")), (users.len() as u64, 100));
    assert_eq!(by_day["periods"][0]["state"], "partial");
    assert!(by_day["periods"][0]["estimated"]["value"].is_number(), "{by_day:#}");
    let by_hour = json_of(&get("?by=hour&days=1").await.1);
    assert_eq!(by_hour["periods"][0]["period"].as_str().unwrap().len(), "2024-03-01T07".len());
    for (query, code, said) in
        [("?days=0", 422, "days is 0"), ("?by=week", 400, "`week`"), ("?month=1", 400, "`month`")]
    {
        let (status, refused) = get(query).await;
        assert!(status == code && refused.contains(said), "{status} {refused}");
    }
    up.server.stop("-TERM");

    // A backup and what is restored from it say the same.
    let backup = project.path("backup");
    project.ok(&["backup", backup.to_str().unwrap()]);
    let restored = Project { dir: tempfile::tempdir().unwrap() };
    restored.ok(&["restore", backup.to_str().unwrap()]);
    let told = |project: &Project| project.json(&["performance", "--by", "month"]);
    assert_eq!(told(&restored), told(&project));
    assert_eq!(told(&restored)["periods"][0]["rows"], users.len());
}
