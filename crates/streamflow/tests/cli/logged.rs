//! Kept answers as the current side of comparisons.

use serde_json::{Value, json};

use crate::http::user_ids;
use crate::later::{keeping, post, serving};
use crate::project::Project;

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
