//! Every mistake a user can make gets one clear line, exit 1 (2 for the command line itself), and a data directory byte
//! for byte as before.

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
    refused_with(1, project, args, expected);
}

fn refused_with(code: i32, project: &Project, args: &[&str], expected: &[&str]) {
    let data = |project: &Project| {
        let mut files = project.files("data");
        // The database is written to by the record of the failed run itself.
        files.retain(|path, _| !path.to_string_lossy().contains("streamflow.db"));
        files
    };
    let before = data(project);
    let run = project.run(args);
    assert_eq!(run.code, code, "{args:?}: {}{}", run.stdout, run.stderr);
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
        (vec!["ingest", "--as-of", "2024-03-31", "nowhere"], vec!["nowhere"]),
        (vec!["ingest", "--as-of", "2024-01-31", "drops/month_2024-02-29"], vec!["2024-01-31", "--replace"]),
        (vec!["train", "--as-of", "2023-12-31"], vec!["2023-12-31", "2024-01-31"]),
        (
            vec!["monitor", "--reference", "2024-01-31", "--current", "2024-05-31"],
            vec!["2024-05-31", "2024-01-31", "2024-02-29"],
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
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let project = Project::with_sample(50);
    let file = "drops/month_2024-01-31/usage_agg_30d.csv";
    let months = ["monitor", "--reference", "2024-01-31", "--current"];
    let monitor = |more: &[&'static str]| [&months[..], more].concat();
    let drift = |more: &[&'static str]| [&["drift", file, file][..], more].concat();
    let date = "expected YYYY-MM-DD, such as 2024-01-31";
    let share = "expected a share from 0 to 1, such as 0.30";
    let url = "expected a URL with http:// or https://, such as http://localhost:9090";
    let time = "expected Unix seconds, RFC 3339, now, or before now as in -1h30m";
    let ascii = "expected one ASCII character such as ; or |";
    for (args, expected) in [
        (vec!["monitor"], "--current <YYYY-MM-DD[THH:MM]|live>"),
        (vec!["drift", file], "<CURRENT>"),
        (vec!["nonsense"], "unrecognized subcommand"),
        (vec!["ingest", "--as-of", "2024-02-30", "drops"], "there is no day 2024-02-30 in the calendar"),
        (vec!["ingest", "--as-of", "2024-2-30", "drops"], date),
        (vec!["train", "--as-of", "january"], date),
        (monitor(&["2024"]), date),
        (vec!["drift", "--history", "--reference", "x"], date),
        (vec!["sample", "--out", "more", "--start", "2024-1-1"], date),
        (monitor(&["2024-02-29", "--threshold", "30"]), share),
        (monitor(&["2024-01-31"]), "is named as the reference and as the current snapshot"),
        (drift(&["--threshold", "3"]), share),
        (drift(&["--separator", "\u{e9}"]), ascii),
        (drift(&["--current-separator", "ab"]), ascii),
        (drift(&["--encoding", "klingon"]), "there is no encoding \"klingon\""),
        (drift(&["--reference-encoding", "klingon"]), "there is no encoding \"klingon\""),
        (drift(&["--type", "skips_7d=number"]), "numerical, categorical, text or ignore"),
        (drift(&["--type", "skips_7d"]), "it lacks a '='; expected COLUMN=VALUE"),
        (drift(&["--method", "skips_7d=kss"]), "did you mean ks?"),
        (drift(&["--num-method", "kss"]), "did you mean ks?"),
        (drift(&["--column-threshold", "skips_7d=-1"]), "expected a number over 0"),
        (drift(&["--untested", "maybe"]), "--untested"),
        (drift(&["--profile", "strict"]), "--profile"),
        (drift(&["--html", "-", "--json", "-"]), "standard output"),
        (drift(&["--html", "-", "--format", "json"]), "--format json has JSON on standard output"),
        (drift(&["--html", file]), "would be written over"),
        (drift(&["--html", "same", "--json", "same"]), "same would be written over same"),
        (drift(&[file]), "drift compares two files and 3 are named; --history compares many"),
        (vec!["drift", "--history", file], "nothing to compare with it"),
        (
            vec!["drift", "--history", "--method", "skips_7d=ks"],
            "on the command line all these are for files",
        ),
        (vec!["drift", "--history", "--encoding", "latin1"], "on the command line all these are for files"),
        (vec!["profile", file, "--out", file], "would be written over"),
        (vec!["profile", file, "--out", "p.json", "--encoding", "klingon"], "there is no encoding"),
        (vec!["sample", "--out", "more", "--months", "0"], "--months is 0, expected 1 to 120"),
        (vec!["sample", "--out", "more", "--rows", "0"], "--rows is 0, expected 1 to 9000000"),
        (vec!["sample", "--out", "more", "--drift-month", "9"], "--drift-month is 9, expected 1 to 3"),
        (vec!["flows", "runs", "--limit", "0"], "0 is not in 1..=4294967295"),
        (vec!["models", "promote", "x"], "expected the number of a version"),
        (vec!["query", "up", "--url", "localhost:9090"], url),
        (vec!["query", "up", "--url", "ftp://localhost/"], "expected a URL with http:// or https://"),
        (vec!["dashboards", "export", "--out", "more", "--datasource-url", "localhost:9090"], url),
        (vec!["query", "up", "--time", "noon"], time),
        (vec!["query", "up", "--start", "-1h", "--end", "yesterday"], time),
        (vec!["query", "up", "--start", "now", "--end", "-1h"], "--end is before --start"),
        (vec!["query", "up", "--start", "-1h", "--step", "0"], "expected a duration longer than nothing"),
        (vec!["serve", "--listen", "8000"], "--listen"),
        (vec!["init", "more", "--size", "huge"], "small, large"),
        (vec!["init", "more", "--size", "large", "--kubernetes"], "cannot be used with"),
        (vec!["ping", "localhost:8000"], "expected a URL with http:// or https://"),
        (vec!["ping", "--timeout", "0"], "0 is not in 1..=3600"),
        (vec!["check", "--format", "xml"], "--format"),
    ] {
        refused_with(2, &project, &args, &[expected]);
    }
    assert!(!project.path("more").exists());
    assert!(
        project.ok(&["--help"]).contains("Exit codes: 0 done, 1 failed, 2 wrong command line, 3 retraining")
    );
}

#[test]
fn an_output_has_its_place_before_anything_is_computed() {
    let project = Project::with_sample(50);
    let file = "drops/month_2024-01-31/usage_agg_30d.csv";
    let nowhere = "there is no folder nope; make it first, or name another place";
    for (args, expected) in [
        (vec!["drift", file, file, "--json", "nope/x.json"], nowhere),
        (vec!["drift", file, file, "--html", "nope/x.html"], nowhere),
        (vec!["drift", file, file, "--evidently-json", "nope/x.json"], nowhere),
        (vec!["drift", file, file, "--markdown", "nope/x.md"], nowhere),
        (vec!["drift", file, file, "--html", "drops"], "drops is a folder; name a file in it"),
        (vec!["drift", file, file, "--json", "streamflow.toml/x"], "there is no folder streamflow.toml"),
        (vec!["profile", file, "--out", "nope/p.json"], nowhere),
        (vec!["sample", "--out", "nope/drops"], nowhere),
        (vec!["sample", "--out", "streamflow.toml"], "streamflow.toml is a file; name a folder"),
        (vec!["dashboards", "export", "--out", "nope/grafana"], nowhere),
        (
            vec!["dashboards", "export", "--out", "streamflow.toml"],
            "streamflow.toml is a file; name a folder",
        ),
        (vec!["tsdb", "snapshot", "--out", "nope/copy"], nowhere),
        (vec!["tsdb", "snapshot", "--out", "copy"], "data/metrics holds no stored metrics"),
        (vec!["init", "streamflow.toml"], "streamflow.toml is a file; name a folder"),
        (
            vec!["monitor", "--reference", "2024-01-31", "--current", "2024-02-29", "--report-dir", file],
            "usage_agg_30d.csv is a file; name a folder",
        ),
    ] {
        refused(&project, &args, &[expected]);
    }
    assert!(!project.path("nope").exists());
    project.ok(&["dashboards", "export", "--out", "grafana-2"]);
}

#[test]
fn a_damaged_ledger_entry_is_named_beside_the_other_months() {
    let project = trained();
    std::fs::write(project.path("data/snapshots/_ledger/as_of=2024-01-31.json"), "{").unwrap();
    let run = project.run(&["data", "verify"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for part in
        ["as_of=2024-01-31.json is damaged", "with --replace", "6 of 6 files", "1 faults of the ledger"]
    {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
    let json = project.run(&["data", "verify", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["ledger"].as_array().unwrap().len(), json["files"].as_array().unwrap().len()), (1, 6));
    project.ok(&["ingest", "--as-of", "2024-01-31", "--replace", "drops/month_2024-01-31"]);
    assert!(project.ok(&["data", "verify"]).contains("12 of 12 files are as they were written."));
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

#[test]
fn a_damaged_key_file_stops_only_what_needs_the_keys() {
    let project = Project::new();
    project.edit("streamflow.toml", |text| text.replace("[api]\n", "[api]\nkey_file = \"keys.toml\"\n"));
    std::fs::write(project.path("keys.toml"), "shop = 12").unwrap();
    for args in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"], &["up", "--listen", "127.0.0.1:0"]] {
        refused(&project, args, &["keys.toml is no key file"]);
    }
    project.ok(&["flows", "runs"]);
    project.ok(&["audit", "ls"]);
    project.ok(&["models", "ls"]);
}

#[test]
fn a_data_directory_that_was_mistyped_is_not_made() {
    let project = Project::new();
    for args in [&["audit", "ls"][..], &["models", "ls"], &["flows", "runs"]] {
        let args = [&["--data-dir", "dta"], args].concat();
        refused(&project, &args, &["there is no data directory dta; is --data-dir"]);
        assert!(!project.path("dta").exists(), "{args:?}");
    }
}

#[test]
fn words_of_flows_commands_are_checked() {
    let project = Project::new();
    let runs = |state| project.run(&["flows", "runs", "--state", state]);
    let broken = runs("broken");
    assert_eq!(broken.code, 2, "{}", broken.stderr);
    assert!(broken.stderr.contains("\"broken\" is no state of a run; expected scheduled, pending"));
    assert!(broken.stderr.contains("NO_ACTION"), "{}", broken.stderr);
    for state in ["failed", "Completed", "no_action", "TimedOut"] {
        assert_eq!(runs(state).code, 0, "{state}");
    }
    let turned = ["flows", "backfill", "monitor_month", "--from", "2024-03-31", "--to", "2024-01-31"];
    refused_with(2, &project, &turned, &["--from 2024-03-31 is after --to 2024-01-31"]);
}

#[test]
fn flows_that_cannot_run_or_never_end_are_refused() {
    for (lines, expected) in [
        ("[flows.a]\non = [\"flow:a\"]\nsteps = [{ run = [\"true\"] }]", "a → a start each other for ever"),
        (
            "[flows.monthly]\nschedule = { every = \"1d\" }",
            "flows.monthly.schedule would start the flow without as_of",
        ),
    ] {
        let project = Project::new();
        project.edit("streamflow.toml", |text| format!("{text}\n{lines}\n"));
        refused(&project, &["check"], &[expected]);
    }
}
