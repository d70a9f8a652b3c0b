//! The whole loop on two real months: what the README's tour promises, with the values of the original stack.

use crate::project::{Project, course};

fn ingested(course: &std::path::Path) -> Project {
    let project = Project::new();
    for (as_of, month) in [("2024-01-31", "month_000"), ("2024-02-29", "month_001")] {
        let dir = course.join(month);
        let report = project.json(&["ingest", "--as-of", as_of, dir.to_str().unwrap()]);
        assert_eq!(report["tables"]["users"]["rows"], 7043, "{report:#}");
    }
    project
}

const MONTHS: [&str; 5] = ["monitor", "--reference", "2024-01-31", "--current", "2024-02-29"];

#[test]
fn monitor_prints_the_line_that_other_tools_look_for() {
    let Some(course) = course() else { return };
    let project = ingested(&course);

    let calibrated = project.ok(&MONTHS);
    let line = calibrated.lines().last().unwrap();
    assert!(
        line.starts_with(
            "[drift] report_html=reports/drift/drift_2024-01-31_vs_2024-02-29.html report_json="
        ),
        "{line}"
    );
    assert!(
        line.ends_with("drift_share=0.07 -> NO_ACTION drift_share=0.07 < 0.30 (target_drift=0.0239)"),
        "{line}"
    );
    for file in ["html", "json", "evidently.json"] {
        assert!(project.path(&format!("reports/drift/drift_2024-01-31_vs_2024-02-29.{file}")).exists());
    }

    let evidently = project.ok(&[&MONTHS[..], &["--profile", "evidently"]].concat());
    assert!(evidently.contains("drift_share=0.06 -> NO_ACTION drift_share=0.06 < 0.30"), "{evidently}");

    let strict = project.ok(&[&MONTHS[..], &["--threshold", "0.02"]].concat());
    assert!(strict.contains("RETRAINING_TRIGGERED drift_share=0.07 >= 0.02"), "{strict}");

    let runs = project.json(&["flows", "runs"]);
    let states: Vec<&str> =
        runs.as_array().unwrap().iter().map(|r| r["state_name"].as_str().unwrap()).collect();
    assert_eq!(states, ["RETRAINING_TRIGGERED", "NO_ACTION", "NO_ACTION", "Completed", "Completed"]);
    let run = project.json(&["flows", "inspect", "3"]);
    let tasks: Vec<&str> =
        run["tasks"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(
        tasks,
        ["build_reference_table", "build_current_table", "compare_tables", "evaluate", "write_reports"]
    );
}

#[test]
fn evidently_s_values_are_reproduced() {
    let Some(course) = course() else { return };
    let project = ingested(&course);
    let outcome = project.json(&[&MONTHS[..], &["--profile", "evidently"]].concat());
    assert_eq!(outcome["drifted"], serde_json::json!(["rebuffer_events_7d"]));
    assert!((outcome["drift_share"].as_f64().unwrap() - 1.0 / 16.0).abs() < 1e-12);

    let read = |path: std::path::PathBuf| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let ours = read(project.path(outcome["report_evidently_json"].as_str().unwrap()));
    let theirs = read(course.join("evidently_drift_2024-01-31_vs_2024-02-29.json"));
    let mut compared = 0;
    for metric in theirs["metrics"].as_array().unwrap() {
        let id = metric["metric_id"].as_str().unwrap();
        // The text test moves with row order; Evidently's run used the second month's labels on both sides.
        let comparable = id.starts_with("ValueDrift") || id.starts_with("DriftedColumnsCount");
        if !comparable || id.contains("user_id") || id.contains("churn_label") {
            continue;
        }
        let metrics = ours["metrics"].as_array().unwrap();
        let found =
            metrics.iter().find(|ours| ours["metric_id"] == *id).unwrap_or_else(|| panic!("{id} is missing"));
        let number = |value: &serde_json::Value| value.as_f64().or_else(|| value["share"].as_f64()).unwrap();
        let (expected, actual) = (number(&metric["value"]), number(&found["value"]));
        assert!((expected - actual).abs() <= 1e-9 * expected.abs(), "{id}: {expected} there, {actual} here");
        compared += 1;
    }
    assert_eq!(compared, 15);

    // Measured with Evidently 0.7.23 on each month's own labels.
    let columns = read(project.path(outcome["report_json"].as_str().unwrap()))["columns"].clone();
    let label = columns.as_array().unwrap().iter().find(|column| column["name"] == "churn_label").unwrap();
    let (expected, actual) = (0.01939086159417894, label["score"].as_f64().unwrap());
    assert!((expected - actual).abs() <= 1e-9 * expected, "{actual}");
}

#[test]
fn ingesting_again_changes_nothing_and_other_content_is_refused() {
    let Some(course) = course() else { return };
    let project = ingested(&course);
    let before = project.files("data/snapshots");
    let month = |name: &str| course.join(name).to_str().unwrap().to_owned();

    project.ok(&["ingest", "--as-of", "2024-01-31", &month("month_000")]);
    assert_eq!(project.files("data/snapshots"), before);

    let refused = project.run(&["ingest", "--as-of", "2024-01-31", &month("month_001")]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert_eq!(project.files("data/snapshots"), before);

    project.ok(&["ingest", "--as-of", "2024-01-31", &month("month_001"), "--replace"]);
    assert_ne!(project.files("data/snapshots"), before);
}

#[test]
fn training_is_registered_and_the_first_version_is_production() {
    let Some(course) = course() else { return };
    let project = ingested(&course);
    let mut aucs = Vec::new();
    for seed in ["1", "2", "3", "4", "5"] {
        let outcome = project.json(&["train", "--as-of", "2024-01-31", "--seed", seed]);
        assert_eq!(outcome["production"], seed == "1");
        aucs.push(outcome["metrics"]["auc"].as_f64().unwrap());
    }
    let mean = aucs.iter().sum::<f64>() / 5.0;
    assert!(mean >= 0.825, "the mean AUC of five seeds is {mean}: {aucs:?}");

    project.ok(&["models", "promote", "3"]);
    let production = |project: &Project| -> i64 {
        let versions = project.json(&["models", "ls"]);
        let found = versions.as_array().unwrap().iter().find(|v| v["production"] == true).cloned();
        found.unwrap()["version"].as_i64().unwrap()
    };
    assert_eq!(production(&project), 3);
    project.ok(&["models", "rollback"]);
    assert_eq!(production(&project), 1);
}
