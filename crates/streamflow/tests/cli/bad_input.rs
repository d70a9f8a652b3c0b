//! Every mistake a user can make gets one clear line, exit 1, and a data directory byte for byte as before.

use crate::project::Project;

/// Two ingested months and a trained model.
fn trained() -> Project {
    let project = Project::with_sample(600);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project
}

fn refused(project: &Project, args: &[&str], expected: &[&str]) {
    let data = |project: &Project| {
        let mut files = project.files("data");
        // The database is written to by the record of the failed run itself.
        files.retain(|path, _| !path.to_string_lossy().contains("streamflow.db"));
        files
    };
    let before = data(project);
    let run = project.run(args);
    assert_eq!(run.code, 1, "{args:?}: {}{}", run.stdout, run.stderr);
    for part in expected {
        assert!(run.stderr.contains(part), "{args:?} says\n{}\nshould say: {part}", run.stderr);
    }
    assert!(data(project) == before, "{args:?} changed the data directory");
}

const INGEST: [&str; 4] = ["ingest", "--as-of", "2024-03-31", "drops/month_2024-03-31"];

#[test]
fn a_bad_drop_names_file_table_column_and_row() {
    let project = trained();
    let file = |table: &str| format!("drops/month_2024-03-31/{table}.csv");
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    type Change = Box<dyn Fn(String) -> String>;
    let cases: Vec<(&str, Change, Vec<&str>)> = vec![
        ("usage_agg_30d", Box::new(|_| String::new()), vec!["usage_agg_30d.csv", "empty"]),
        (
            "usage_agg_30d",
            Box::new(|text| text.replacen("watch_hours_30d", "watch_hours", 1)),
            vec!["usage_agg_30d", "watch_hours_30d", "watch_hours"],
        ),
        (
            "users",
            Box::new(|text| format!("{text}{}\n", text.lines().nth(1).unwrap())),
            vec!["users", "user_id", "602"],
        ),
        (
            "payments_agg_90d",
            Box::new(|text| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                let id = lines[17].split(',').next().unwrap().to_owned();
                lines[17] = format!("{id},many");
                lines.join("\n") + "\n"
            }),
            vec!["payments_agg_90d", "failed_payments_90d", "many", "whole number", "18"],
        ),
        ("users", Box::new(|text| text.replacen("20", "2O", 1)), vec!["users", "signup_date", "2024-01-31"]),
        ("users", Box::new(move |text| format!("{}\n", header(&text))), vec!["users", "no rows"]),
    ];
    for (table, change, expected) in cases {
        let whole = std::fs::read_to_string(project.path(&file(table))).unwrap();
        project.edit(&file(table), change);
        refused(&project, &INGEST, &expected);
        std::fs::write(project.path(&file(table)), whole).unwrap();
    }

    let whole = std::fs::read(project.path(&file("users"))).unwrap();
    let mut broken = whole.clone();
    broken[500] = 0xff;
    std::fs::write(project.path(&file("users")), broken).unwrap();
    refused(&project, &INGEST, &["users.csv", "UTF-8"]);
    std::fs::remove_file(project.path(&file("users"))).unwrap();
    refused(&project, &INGEST, &["users.csv"]);
    std::fs::write(project.path(&file("users")), whole).unwrap();
    project.ok(&INGEST);
}

#[test]
fn wrong_dates_folders_and_keys_are_named() {
    let project = trained();
    for (args, expected) in [
        (vec!["ingest", "--as-of", "2024-02-30", "drops/month_2024-03-31"], vec!["2024-02-30", "YYYY-MM-DD"]),
        (vec!["ingest", "--as-of", "2024-03-31", "nowhere"], vec!["nowhere"]),
        (vec!["ingest", "--as-of", "2024-01-31", "drops/month_2024-02-29"], vec!["2024-01-31", "--replace"]),
        (vec!["train", "--as-of", "2023-12-31"], vec!["2023-12-31", "2024-01-31"]),
        (
            vec!["monitor", "--reference", "2024-01-31", "--current", "2024-05-31"],
            vec!["2024-05-31", "2024-01-31", "2024-02-29"],
        ),
        (
            vec!["monitor", "--reference", "2024-01-31", "--current", "2024-02-29", "--threshold", "30"],
            vec!["--threshold 30", "0.30"],
        ),
        (vec!["models", "promote", "7"], vec!["no version 7", "1"]),
        (vec!["models", "rollback"], vec!["no earlier production version"]),
        (vec!["flows", "inspect", "99"], vec!["no run 99"]),
        (vec!["init", "."], vec!["already holds", "streamflow.toml"]),
        (vec!["--config", "other.toml", "check"], vec!["other.toml", "streamflow init"]),
    ] {
        refused(&project, &args, &expected);
    }
    project.edit("streamflow.toml", |text| text.replacen("threshold =", "treshold =", 1));
    refused(&project, &["check"], &["treshold", "did you mean `threshold`?"]);
    assert_eq!(project.run(&["monitor"]).code, 2, "a missing flag is a usage error");
}

#[test]
fn one_class_and_a_corrupt_model_are_refused() {
    let project = trained();
    project.edit("drops/month_2024-03-31/labels.csv", |text| text.replace("True", "False"));
    project.ok(&INGEST);
    refused(&project, &["train", "--as-of", "2024-03-31"], &["one class"]);

    project.ok(&["train", "--as-of", "2024-02-29"]);
    let (path, bytes) =
        project.files("data/models/churn/2").into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    refused(&project, &["models", "promote", "2"], &["version 2 of churn", &name]);
}

#[test]
fn a_port_in_use_is_one_line() {
    let project = trained();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&project, &["serve", "--listen", &address], &[&address, "--listen"]);
    refused(&project, &["demo", "demo", "--listen", &address], &[&address, "--listen"]);
}
