//! `streamflow drift` and `profile`: two files, profiles of parts, many months.

use serde_json::Value;

use crate::project::{Project, shared};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not only JSON ({error}): {text}"))
}

#[test]
fn standard_output_is_only_the_document() {
    let project = Project::with_sample(600);
    let files = ["drops/month_2024-01-31/usage_agg_30d.csv", "drops/month_2024-03-31/usage_agg_30d.csv"];
    let drift = |more: &[&str]| project.ok(&[&["drift"][..], &files, more].concat());

    let chosen = json(&drift(&[
        "--type",
        "skips_7d=numerical",
        "--num-method",
        "psi",
        "--profile",
        "evidently",
        "--json",
        "-",
    ]));
    let skips =
        chosen["columns"].as_array().unwrap().iter().find(|column| column["name"] == "skips_7d").unwrap();
    assert_eq!((&skips["method"], &skips["drifted"]), (&"psi".into(), &true.into()));
    assert!(skips["score"].as_f64().unwrap() >= skips["threshold"].as_f64().unwrap());

    let automatic = json(&drift(&["--entity", "user_id", "--format", "json"]));
    assert_eq!(automatic["decision"], "RETRAINING_TRIGGERED");
    assert!(drift(&["--markdown", "-"]).starts_with("## Drift"));
    assert!(drift(&["--entity", "user_id"]).contains("-> RETRAINING_TRIGGERED"));
}

#[test]
fn mistakes_are_named() {
    let project = Project::with_sample(50);
    let file = "drops/month_2024-01-31/usage_agg_30d.csv";
    std::fs::write(project.path("noise.csv"), b"\xff\xfe\x00\x01").unwrap();
    std::fs::write(project.path("twice.csv"), "a,a\n1,2\n").unwrap();
    std::fs::write(project.path("dates.csv"), "day\n2024-01-31\n2024-02-29\n").unwrap();
    std::fs::write(project.path("gone.csv"), "x\n1\n2\n3\n").unwrap();
    std::fs::write(project.path("all_missing.csv"), "x,y\n,1\n,2\n").unwrap();
    for (args, expected) in [
        (vec!["drift", file, "nowhere.csv"], "nowhere.csv"),
        (vec!["drift", file, "noise.csv"], "noise.csv"),
        (vec!["drift", file, "twice.csv"], "twice.csv"),
        (vec!["drift", file, file, "--type", "skip_7d=numerical"], "did you mean skips_7d?"),
        (vec!["drift", "--history"], "no snapshot was ingested"),
        (vec!["drift", file, file, "--separator", ";"], "the header has no ';', and ',' would make"),
        (
            vec!["drift", file, file, "--method", "user_id=ks"],
            "--method user_id=ks leaves user_id without a test",
        ),
        (vec!["drift", "dates.csv", "dates.csv"], "no column of dates.csv and dates.csv could be tested"),
        (
            vec!["drift", "gone.csv", "all_missing.csv", "--untested", "ignored"],
            "could be tested, so there is no verdict: x (no values in",
        ),
        (vec!["--data-dir", "typo", "data", "verify"], "typo holds no snapshots"),
    ] {
        let run = project.run(&args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{args:?} says\n{}\nshould say: {expected}", run.stderr);
    }
    assert!(!project.path("typo").exists());
}

#[test]
fn profiles_of_parts_compare_as_the_whole_does() {
    let project = Project::with_sample(600);
    let table = "drops/month_2024-01-31/usage_agg_30d.csv";
    let text = std::fs::read_to_string(project.path(table)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let part = |rows: &[&str]| format!("{}\n{}\n", lines[0], rows.join("\n"));
    std::fs::write(project.path("a.csv"), part(&lines[1..200])).unwrap();
    std::fs::write(project.path("b.csv"), part(&lines[200..])).unwrap();
    project.ok(&["profile", "a.csv", "--out", "a.json"]);
    project.ok(&["profile", "b.csv", "a.json", "--out", "parts.json"]);
    project.ok(&["profile", table, "--out", "whole.json"]);
    assert_eq!(
        project.files("parts.json").into_values().next(),
        project.files("whole.json").into_values().next()
    );

    let current = "drops/month_2024-03-31/usage_agg_30d.csv";
    let columns = |reference: &str| {
        json(&project.ok(&["drift", reference, current, "--entity", "user_id", "--format", "json"]))["columns"].clone()
    };
    assert_eq!(columns("parts.json"), columns(table));

    project.edit("whole.json", |json| json[..json.len() / 2].to_owned());
    let run = project.run(&["drift", "whole.json", current]);
    assert!(run.code == 1 && run.stderr.contains("whole.json"), "{}", run.stderr);
}

#[test]
fn history_compares_every_later_month_with_the_reference() {
    let project = Project::with_sample(600);
    for month in ["2024-01-31", "2024-02-29", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let history = project.json(&["drift", "--history", "--html", "history.html"]);
    let months = history["months"].as_array().unwrap();
    let decisions: Vec<&str> = months.iter().map(|month| month["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["NO_ACTION", "RETRAINING_TRIGGERED"]);
    assert!(project.path("history.html").exists());

    let monitored = project.json(&["monitor", "--reference", "2024-01-31", "--current", "2024-03-31"]);
    assert_eq!(months[1]["drift_share"], monitored["drift_share"]);
    let text = project.ok(&["drift", "--history", "--reference", "2024-02-29"]);
    assert!(text.contains("RETRAINING_TRIGGERED in 1 of 1 months"), "{text}");
    let refused = project.run(&["drift", "--history", "--reference", "2024-03-31"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("no snapshot after 2024-03-31"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_was_not_looked_at_is_in_the_verdict() {
    let project = Project::with_sample(50);
    let rows = |make: &dyn Fn(i32) -> String| (0..300).map(make).collect::<String>();
    let amounts = |i: i32| f64::from(i * 7919 % 300) / 10.0;
    let reference = rows(&|i| format!("{},{}\n", amounts(i), i % 7));
    std::fs::write(project.path("reference.csv"), format!("amount,code\n{reference}")).unwrap();
    std::fs::write(project.path("gone.csv"), format!("code\n{}", rows(&|i| format!("{}\n", i % 7)))).unwrap();
    std::fs::write(project.path("null.csv"), format!("amount,code\n{}", rows(&|i| format!(",{}\n", i % 7))))
        .unwrap();
    std::fs::write(project.path("no_rows.csv"), "amount,code\n").unwrap();
    std::fs::write(project.path("other.csv"), "elsewhere\n1\n").unwrap();
    let code = |args: &[&str]| project.run(&[&["drift", "reference.csv"], args].concat()).code;
    for current in ["gone.csv", "null.csv"] {
        let report = json(&project.ok(&["drift", "reference.csv", current, "--format", "json"]));
        assert_eq!(
            (&report["decision"], &report["drift_share"]),
            (&"RETRAINING_TRIGGERED".into(), &0.5.into())
        );
        assert_eq!(report["not_tested"][0]["column"], "amount");
        assert_eq!(report["not_tested"][0]["counted"], true);
        assert_eq!(code(&[current]), 0);
        assert_eq!(code(&[current, "--fail-on-drift"]), 3);
        assert_eq!(code(&[current, "--fail-on-drift", "--untested", "ignored"]), 0);
        let text = project.ok(&["drift", "reference.csv", current]);
        assert!(text.contains("not tested, counts as drifted: amount"), "{text}");
    }
    for (current, expected) in
        [("no_rows.csv", "no_rows.csv has no rows"), ("other.csv", "have no column in common")]
    {
        let run = project.run(&["drift", "reference.csv", current]);
        assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains(expected), "{}", run.stderr);
    }
}

#[test]
fn a_report_of_other_rules_takes_no_reports_place() {
    let project = Project::with_sample(600);
    for month in ["2024-01-31", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let monitor = ["monitor", "--reference", "2024-01-31", "--current", "2024-03-31"];
    for more in [&[][..], &["--profile", "evidently"], &["--threshold", "0.5"]] {
        project.ok(&[&monitor[..], more].concat());
    }
    for name in ["", ".evidently-0.30", ".calibrated-0.50"] {
        let file = format!("reports/drift/drift_2024-01-31_vs_2024-03-31{name}.html");
        assert!(project.path(&file).exists(), "{file}");
    }
    assert_eq!(project.run(&[&monitor[..], &["--fail-on-drift"]].concat()).code, 3);
    assert_eq!(project.run(&[&monitor[..], &["--fail-on-drift", "--threshold", "1"]].concat()).code, 0);
}

#[test]
fn many_files_are_compared_with_the_first() {
    let project = Project::with_sample(600);
    let table = |month: &str| format!("drops/month_{month}/usage_agg_30d.csv");
    let [first, second, third] = ["2024-01-31", "2024-02-29", "2024-03-31"].map(table);
    let history = json(&project.ok(&["drift", "--history", &first, &third, &second, "--json", "-"]));
    assert_eq!(history["reference"]["name"], first.as_str());
    let names: Vec<&Value> =
        history["months"].as_array().unwrap().iter().map(|month| &month["current"]["name"]).collect();
    assert_eq!(names, [&Value::from(second.as_str()), &Value::from(third.as_str())]);
    let text = project.ok(&["drift", "--history", &first, &third, &second]);
    assert!(text.contains("FILE ") && text.contains("of 2 files (threshold"), "{text}");
}

#[test]
fn columns_are_judged_as_the_configuration_says() {
    let project = Project::with_sample(600);
    let files = ["drops/month_2024-01-31/usage_agg_30d.csv", "drops/month_2024-03-31/usage_agg_30d.csv"];
    let column = |name: &str, more: &[&str]| {
        let report =
            json(&project.ok(&[&["drift", "--entity", "user_id", "--json", "-"][..], &files, more].concat()));
        report["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone()
    };
    assert_eq!(column("skips_7d", &[])["drifted"], true);
    project.edit("streamflow.toml", |text| {
        text.replace(
            "untested = \"drifted\"",
            "untested = \"drifted\"\ncolumns = { skips_7d = { method = \"wasserstein\", threshold = 1e9 }, watch_hours_30d = { ignore = true } }",
        )
    });
    let skips = column("skips_7d", &[]);
    assert_eq!((&skips["drifted"], &skips["effect_size"]["threshold"]), (&false.into(), &1e9.into()));
    assert_eq!(column("watch_hours_30d", &[])["status"], "ignored");
    // The command line goes before the configuration.
    assert_eq!(column("skips_7d", &["--column-threshold", "skips_7d=0.01"])["drifted"], true);
    assert_eq!(column("watch_hours_30d", &["--type", "watch_hours_30d=numerical"])["status"], "tested");
    // And the months follow it too.
    for month in ["2024-01-31", "2024-03-31"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let outcome = project.json(&["monitor", "--reference", "2024-01-31", "--current", "2024-03-31"]);
    let drifted = outcome["drifted"].as_array().unwrap();
    assert!(
        !drifted.contains(&"skips_7d".into()) && !drifted.contains(&"watch_hours_30d".into()),
        "{drifted:?}"
    );
}

#[test]
fn cells_that_are_no_numbers_are_noted() {
    let project = Project::new();
    let rows = |bad: &str| {
        (0..200)
            .map(|row| if row == 7 { format!("{bad}\n") } else { format!("{}\n", row % 50) })
            .collect::<String>()
    };
    std::fs::write(project.path("a.csv"), format!("n\n{}", rows("3"))).unwrap();
    std::fs::write(project.path("b.csv"), format!("n\n{}", rows("12A"))).unwrap();
    let report = json(&project.ok(&["drift", "a.csv", "b.csv", "--json", "-"]));
    let notes = report["columns"][0]["notes"].as_array().unwrap();
    assert!(
        notes.contains(&"1 cell in current is no number (\"12A\"): taken as missing".into()),
        "{notes:?}"
    );
}

#[test]
fn dates_that_are_declared_are_tested() {
    let project = Project::new();
    let days =
        |month: &str| (0..60).map(|row| format!("2024-{month}-0{}\n", row % 3 + 1)).collect::<String>();
    std::fs::write(project.path("a.csv"), format!("day\n{}", days("01"))).unwrap();
    std::fs::write(project.path("b.csv"), format!("day\n{}", days("02"))).unwrap();
    let report = json(&project.ok(&["drift", "a.csv", "b.csv", "--type", "day=categorical", "--json", "-"]));
    assert_eq!(
        (&report["columns"][0]["status"], &report["columns"][0]["drifted"]),
        (&"tested".into(), &true.into())
    );
    assert!(report["columns"][0]["explanation"].as_str().unwrap().contains("2024-02-01"));
}

#[test]
fn each_side_may_be_written_in_its_own_way() {
    let project = Project::new();
    let rows = |separator: &str, word: &str| {
        (0..200).map(|row| format!("{word}{}{separator}{}\n", row % 3, row % 50)).collect::<String>()
    };
    let utf8 = format!("plan,n\n{}", rows(",", "caf\u{e9}"));
    let text = format!("plan:n\n{}", rows(":", "caf#"));
    let latin1: Vec<u8> = text.bytes().map(|byte| if byte == b'#' { 0xe9 } else { byte }).collect();
    std::fs::write(project.path("old.csv"), latin1).unwrap();
    std::fs::write(project.path("new.csv"), utf8).unwrap();
    for (files, flags) in [
        (["old.csv", "new.csv"], ["--reference-separator", ":", "--reference-encoding", "latin1"]),
        (["new.csv", "old.csv"], ["--current-separator", ":", "--current-encoding", "latin1"]),
    ] {
        let report = json(&project.ok(&[&["drift", "--json", "-"][..], &files, &flags].concat()));
        assert_eq!((&report["drift_share"], &report["tested_columns"]), (&0.0.into(), &2.into()), "{report}");
    }
}

#[test]
fn columns_that_are_left_out_can_be_named() {
    let Some(cases) = shared("cases/drift") else { return };
    let project = Project::new();
    let files =
        ["uuid_list.ref.parquet", "uuid_list.cur.parquet"].map(|name| cases.join(name).display().to_string());
    let drift = |more: &[&str]| project.run(&[&["drift", &files[0], &files[1]][..], more].concat());
    let ignored = drift(&["--type", "uid=ignore", "--type", "tags=ignore", "--entity", "uid"]);
    assert_eq!(ignored.code, 0, "{}", ignored.stderr);
    let text = drift(&["--type", "uid=text"]);
    let expected = "the column \"uid\" cannot be compared: the type fixed-size binary is not compared";
    assert!(text.code == 1 && text.stderr.contains(expected), "{}", text.stderr);
    let none = drift(&["--type", "uit=ignore"]);
    assert!(none.code == 1 && none.stderr.contains("neither table has a column \"uit\""), "{}", none.stderr);
}

#[test]
fn what_a_pipe_brings_is_no_file() {
    let project = Project::new();
    std::fs::write(project.path("a.csv"), "x\n1\n2\n3\n").unwrap();
    let mut command = project.command(&["drift", "a.csv", "/dev/stdin"]);
    let (reader, _writer) = std::io::pipe().unwrap();
    let output = command.stdin(reader).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let expected =
        "/dev/stdin: is no file that can be read more than once (a pipe?); save it as a file first";
    assert!(output.status.code() == Some(1) && text.contains(expected), "{text}");
}
