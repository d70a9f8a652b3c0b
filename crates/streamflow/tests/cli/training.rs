//! What `[model]` says about training, from the configuration to the version, its evaluation and what is said of it.

use crate::project::Project;

const MONTHS: [&str; 3] = ["2024-01-31", "2024-02-29", "2024-03-31"];

/// A project with three months whose `[model]` has these keys.
fn project(keys: &str) -> Project {
    let project = Project { dir: tempfile::tempdir().unwrap() };
    project.ok(&["init", "."]);
    let path = project.path("streamflow.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, written.replacen("seed = 42", &format!("seed = 42\n{keys}"), 1)).unwrap();
    project.ok(&["sample", "--out", "drops", "--rows", "2500", "--months", "3"]);
    project.ok(&["ingest", "--as-of", MONTHS[0], &format!("drops/month_{}", MONTHS[0])]);
    project
}

fn refused(project: &Project, args: &[&str]) -> String {
    let run = project.run(args);
    assert_eq!(run.code, 1, "streamflow {}: {}", args.join(" "), run.stdout);
    run.stderr
}

fn later_months(project: &Project) {
    for month in &MONTHS[1..] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
}

#[test]
fn a_version_that_time_validates_learns_from_the_months_before_and_is_judged_by_later_ones() {
    let project = project("validation = \"time\"");
    let message = refused(&project, &["train", "--as-of", MONTHS[0]]);
    assert!(message.contains("no month before 2024-01-31 was ingested to learn from"), "{message}");
    later_months(&project);
    let trained = project.json(&["train", "--as-of", MONTHS[1]]);
    let rows = |key: &str| trained["metrics"][key].as_u64().unwrap();
    assert_eq!((rows("n_train"), rows("n_validation")), (2500, 2500));
    let shown = project.json(&["models", "show"]);
    assert_eq!(shown["training"]["months"], serde_json::json!([MONTHS[0]]));
    assert_eq!(shown["training"]["settings"]["validation"], "time");
    let said = project.ok(&["models", "show", "1"]);
    assert!(said.contains("by time; learned from 2024-01-31"), "{said}");

    // All rows of the month that judged it and of later ones are new to it.
    for month in &MONTHS[1..] {
        let evaluated = project.json(&["evaluate", "--as-of", month]);
        assert_eq!((&evaluated["left_out"], &evaluated["trained_on"]), (&0.into(), &MONTHS[0].into()));
        assert_eq!(evaluated["realised"]["measured"]["labelled"], 2500);
    }
    let validated = project.json(&["evaluate", "--as-of", MONTHS[1]]);
    assert_eq!(validated["validation"]["value"], trained["metrics"]["auc"]);
    let message = refused(&project, &["evaluate", "--as-of", MONTHS[0]]);
    assert!(message.contains("was trained on all rows of the months until 2024-01-31"), "{message}");
}

#[test]
fn what_was_asked_for_is_kept_with_the_version_and_shown() {
    let project = project(
        "class_weight = \"balanced\"\nmonotone = { months_active = \"decreasing\" }\ncalibration = \"sigmoid\"\nsearch = { trials = 6 }",
    );
    let trained = project.ok(&["train", "--as-of", MONTHS[0]]);
    for expected in [
        "class weights      balanced",
        "monotone           decreasing in months_active",
        "search             11 settings tried, 4 given up early",
        "calibration        slope ",
    ] {
        assert!(trained.contains(expected), "{trained}\nshould contain {expected}");
    }
    let shown = project.json(&["models", "show", "1"]);
    let selection = &shown["training"]["selection"];
    assert_eq!(selection["candidates"].as_array().unwrap().len(), 11);
    assert!(selection["calibration"]["intercepts"][0].as_f64().unwrap() < -0.5, "{selection}");
    assert!(project.ok(&["models", "show"]).contains("DEPTH"));
    assert!(refused(&project, &["models", "show", "7"]).contains("has no version 7"));
    // The same keys, the same model.
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let again = project.json(&["models", "show", "2"]);
    assert_eq!(again["training"], shown["training"]);
}

#[test]
fn a_search_ends_when_its_time_is_up() {
    let project = project("search = { budget = \"300ms\" }");
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let shown = project.json(&["models", "show"]);
    let tried = shown["training"]["selection"]["candidates"].as_array().unwrap().len();
    assert!((5..200).contains(&tried), "{tried}");
    assert_eq!(shown["training"]["settings"]["search"], "until_stopped");
}

#[test]
fn keys_that_the_data_cannot_meet_are_refused_by_name() {
    for (keys, expected) in [
        ("monotone = { tenure = \"decreasing\" }", "monotone names \"tenure\", which is no feature"),
        (
            "monotone = { net_service = \"increasing\" }",
            "\"net_service\", which is a category and has no order",
        ),
        ("class_weight = { maybe = 2.0 }", "class_weight names the class \"maybe\"; expected one of"),
    ] {
        let project = project(keys);
        let message = refused(&project, &["train", "--as-of", MONTHS[0]]);
        assert!(message.contains(expected), "{message}\nshould contain {expected}");
        assert!(project.ok(&["models", "ls"]).contains("No model has been trained yet"));
    }
}
