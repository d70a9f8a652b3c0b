//! `--print-sql`, and engines that count in place of this process.

use crate::project::Project;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-03-31"];

/// A project with two months as Parquet, and where one of their tables lies.
fn project() -> (Project, [String; 2]) {
    let project = Project::with_sample(600);
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let part = |month: &str| format!("data/snapshots/usage_agg_30d/as_of={month}/part-0.parquet");
    let tables = MONTHS.map(part);
    (project, tables)
}

#[test]
fn the_queries_of_two_tables_are_printed_for_an_engine() {
    let (project, [reference, current]) = project();
    let print =
        |flag: &str, more: &[&str]| project.ok(&[&["drift", &reference, &current, flag], more].concat());

    let sql = print("--print-sql", &[]);
    assert_eq!(sql, print("--print-sql=datafusion", &[]));
    assert!(sql.contains("SELECT COUNT(*) AS row_count, COUNT(\"user_id\") AS present_0,"), "{sql}");
    assert!(sql.contains("SELECT x, COUNT(*) AS n FROM (SELECT \"user_id\" AS x FROM \"reference\") AS v GROUP BY x LIMIT 10006;"));
    let spark = print("--print-sql=spark", &[]);
    assert_eq!(spark.matches("FROM `current`").count(), sql.matches("FROM \"current\"").count());
    assert!(!spark.contains('"'), "{spark}");

    let queries: serde_json::Value =
        serde_json::from_str(&print("--print-sql=trino", &["--target", "skips_7d", "--format", "json"]))
            .unwrap();
    let columns = queries["tables"][1]["columns"].as_array().unwrap();
    let skips = columns.iter().find(|column| column["column"] == "skips_7d").unwrap();
    assert!(skips["histogram"].is_string() && skips["moments"].is_string() && skips["by_label"].is_null());
    let user = &columns[0];
    assert!(user["histogram"].is_null(), "{user}");
    assert!(
        user["by_label"]
            .as_str()
            .unwrap()
            .starts_with("SELECT label, x, COUNT(*) AS n FROM (SELECT \"skips_7d\" AS label, ")
    );
}

#[test]
fn what_no_engine_can_do_is_named() {
    let (project, [reference, current]) = project();
    let csv = "drops/month_2024-01-31/usage_agg_30d.csv";
    let run = project.run(&["drift", csv, &current, "--print-sql"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("usage_agg_30d.csv is not files of Parquet, which is what an engine reads"),
        "{}",
        run.stderr
    );
    let run = project.run(&["drift", &reference, &current, "--print-sql", "--target", "nope"]);
    assert!(run.code == 1 && run.stderr.contains("the target nope is a column of neither"), "{}", run.stderr);
    let run = project.run(&["drift", &reference, &current, "--print-sql", "--html", "report.html"]);
    assert!(run.code == 2 && run.stderr.contains("cannot be used with"), "{}", run.stderr);
    let run = project.run(&["drift", &reference, &current, "--print-sql=hive"]);
    assert!(run.code == 2 && run.stderr.contains("expected datafusion, spark or trino"), "{}", run.stderr);
    let run = project.run(&["drift", "--history", "--engine", "datafusion"]);
    assert!(run.code == 2 && run.stderr.contains("no engine counts them"), "{}", run.stderr);
    let run = project.run(&["drift", &reference, &current, "--engine-fallback"]);
    assert!(run.code == 2 && run.stderr.contains("--engine <ENGINE>"), "{}", run.stderr);
    for seconds in ["0", "604801", "soon"] {
        let run = project.run(&[
            "profile",
            &current,
            "--engine",
            "datafusion",
            "--engine-timeout",
            seconds,
            "--out",
            "-",
        ]);
        let named = format!("invalid value '{seconds}' for '--engine-timeout <SECONDS>'");
        assert!(run.code == 2 && run.stderr.contains(&named), "{}", run.stderr);
    }

    // Nobody listens there.
    let engine =
        format!("ballista://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let run = project.run(&["drift", &reference, &current, "--engine", &engine]);
    assert_eq!(run.code, 1);
    if cfg!(feature = "cluster") {
        assert!(
            run.stderr.contains("does not answer") && run.stderr.contains("--engine-fallback"),
            "{}",
            run.stderr
        );
        let run = project.run(&[
            "drift",
            &reference,
            &current,
            "--engine",
            &engine,
            "--engine-fallback",
            "--json",
            "-",
        ]);
        assert!(
            run.stderr.starts_with("counting on this machine: the Ballista scheduler at 127.0.0.1:"),
            "{}",
            run.stderr
        );
        assert_eq!(run.stdout, project.ok(&["drift", &reference, &current, "--json", "-"]));
    } else {
        assert!(run.stderr.contains("built without the engine ballista://127.0.0.1:"), "{}", run.stderr);
    }
}

#[cfg(feature = "cluster")]
#[test]
fn an_engine_in_this_process_makes_the_same_profile_and_report() {
    let (project, [reference, current]) = project();
    let engine = ["--engine", "datafusion"];
    for (table, name) in [(&reference, "reference"), (&current, "current")] {
        let of = |out: &str, more: &[&str]| {
            project.ok(&[&["profile", table, "--out", out], more].concat());
            std::fs::read_to_string(project.path(out)).unwrap()
        };
        assert_eq!(of("engine.json", &engine), of(&format!("{name}.json"), &[]));
    }
    let report = |tables: [&str; 2], more: &[&str]| {
        let flags = ["--entity", "user_id", "--target", "skips_7d", "--json", "-"];
        let mut report: serde_json::Value =
            serde_json::from_str(&project.ok(&[&["drift"][..], &tables, &flags, more].concat())).unwrap();
        for side in ["reference", "current"] {
            report[side].as_object_mut().unwrap().remove("name");
        }
        report
    };
    let found = report([&reference, &current], &engine);
    assert_eq!(found, report(["reference.json", "current.json"], &[]));
    assert_eq!(found["decision"], "RETRAINING_TRIGGERED");
    let run = project.run(&[
        "drift",
        "drops/month_2024-01-31/usage_agg_30d.csv",
        &current,
        "--engine",
        "datafusion",
    ]);
    assert!(run.code == 1 && run.stderr.contains("is not files of Parquet"), "{}", run.stderr);
    let run = project.run(&["profile", &current, "--engine", "spark://host", "--out", "-"]);
    assert!(
        run.code == 1 && run.stderr.contains("\"spark://host\" is no engine, expected datafusion or"),
        "{}",
        run.stderr
    );
}
