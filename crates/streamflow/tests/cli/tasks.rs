//! Labels that are numbers or one of several classes, from `init` to a promotion, and what goes wrong on the way.

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;

const MONTHS: [&str; 3] = ["2024-01-31", "2024-02-29", "2024-03-31"];

/// A project of the task whose third month has another relation of columns and label.
fn project(task: &str, rows: u32) -> Project {
    let project = Project { dir: tempfile::tempdir().unwrap() };
    project.ok(&["init", ".", "--task", task]);
    let rows = rows.to_string();
    project.ok(&["sample", "--out", "drops", "--rows", &rows, "--relation-month", "3", "--task", task]);
    project
}

fn ingest(project: &Project, month: &str) {
    project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
}

/// The user of a line of the newest month, and the body that asks for it.
fn body(project: &Project, month: &str) -> String {
    let users = std::fs::read_to_string(project.path(&format!("drops/month_{month}/users.csv"))).unwrap();
    format!("{{\"user_id\":\"{}\"}}", users.lines().nth(1).unwrap().split(',').next().unwrap())
}

fn json_of(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// From the first drop to the promotion of a better candidate; gives the project and a running server.
fn life(task: &str, metric: &str) -> (Project, Server) {
    let project = project(task, 3000);
    ingest(&project, MONTHS[0]);
    let trained = project.json(&["train", "--as-of", MONTHS[0]]);
    assert_eq!((&trained["task"], &trained["production"]), (&task.into(), &true.into()));
    let promised = trained["metrics"][metric].as_f64().unwrap();
    let interval = &trained["metrics"]["intervals"][metric];
    assert!(interval["low"].as_f64().unwrap() < promised && promised < interval["high"].as_f64().unwrap());

    ingest(&project, MONTHS[1]);
    let quiet = project.json(&["evaluate"]);
    assert_eq!(quiet["verdict"]["decision"], "no_action", "{}", quiet["verdict"]);
    let listed = project.ok(&["models", "ls"]);
    assert!(listed.contains("TASK") && listed.contains(task), "{listed}");

    ingest(&project, MONTHS[2]);
    let monitored = project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[2]]);
    let line = monitored.lines().find(|line| line.starts_with("[performance]")).unwrap();
    assert!(line.contains(&format!("{metric}=")) && line.contains("-> RETRAINING_TRIGGERED"), "{line}");
    let report = format!("reports/drift/{}_vs_{}", MONTHS[0], MONTHS[2]);
    let html =
        project.files("reports").into_iter().find(|(path, _)| path.to_string_lossy().ends_with(".html"));
    let html = String::from_utf8(html.unwrap_or_else(|| panic!("{report}")).1).unwrap();
    assert!(html.contains("<h2 id=\"performance\">Performance</h2>") && !html.contains("ROC: positives"));

    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let run =
        project.json(&["flows", "run", "train_and_compare", "--param", &format!("as_of={}", MONTHS[2])]);
    let text = run.to_string();
    assert!(text.contains("PROMOTED"), "{text}");
    server.wait_for("\"version\":\"2\"", || server.predict(&body(&project, MONTHS[2])));
    let history = project.ok(&["evaluate", "--history"]);
    assert!(history.contains(&metric.to_uppercase()), "{history}");
    project.ok(&["models", "rollback"]);
    server.wait_for("\"version\":\"1\"", || server.predict(&body(&project, MONTHS[2])));
    (project, server)
}

#[test]
fn a_number_is_learned_served_monitored_and_learned_anew() {
    let (project, server) = life("regression", "rmse");
    let answer = json_of(&server.predict(&body(&project, MONTHS[2])));
    assert!(answer["value"].is_f64() && answer["probability"].is_null() && answer["prediction"].is_null());
    server.wait_for("streamflow_model_performance_deciding{metric=\"rmse\"", || server.get("/metrics"));
    let metrics = server.get("/metrics");
    assert!(metrics.contains("prediction_value_count"), "{metrics}");
    assert!(!metrics.contains("prediction_score"), "{metrics}");
    let document = json_of(&server.get("/openapi.json"));
    let properties = &document["components"]["schemas"]["Prediction"]["properties"];
    assert!(properties["value"].is_object() && properties["probability"].is_null(), "{properties}");
    server.stop("-TERM");

    // What is estimated without labels follows the validation: the columns are as they were.
    let evaluation = project.json(&["evaluate", "--as-of", MONTHS[1]]);
    let of = |part: &Value| part["metrics"]["rmse"]["value"].as_f64().unwrap();
    let estimated = of(&evaluation["estimated"]["estimated"]);
    let validated = evaluation["validation"]["value"].as_f64().unwrap();
    assert!((estimated / validated - 1.0).abs() < 0.25, "{estimated} {validated}");
    let table = "drops/month_2024-03-31/users.csv";
    let joined = project.run(&["predict", table, "--out", "scores.csv"]);
    assert!(joined.code == 1 && joined.stderr.contains("is missing; the model takes"), "{}", joined.stderr);
}

#[test]
fn one_of_three_classes_is_learned_served_monitored_and_learned_anew() {
    let (project, server) = life("multiclass", "log_loss");
    let answer = json_of(&server.predict(&body(&project, MONTHS[2])));
    let probabilities = answer["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.keys().collect::<Vec<_>>(), ["basic", "plus", "premium"]);
    let sum: f64 = probabilities.values().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{answer}");
    let largest = probabilities.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap()));
    assert_eq!(answer["prediction"], largest.unwrap().0.as_str());
    let metrics = server.get("/metrics");
    let counted = format!("predictions_total{{prediction=\"{}\"}}", answer["prediction"].as_str().unwrap());
    assert!(
        metrics.contains(&counted) && !metrics.contains("predictions_total{prediction=\"1\"}"),
        "{metrics}"
    );
    let document = json_of(&server.get("/openapi.json"));
    let properties = &document["components"]["schemas"]["Prediction"]["properties"];
    assert_eq!(properties["prediction"]["enum"][2], "premium", "{properties}");
    server.stop("-TERM");

    let evaluation = project.json(&["evaluate", "--as-of", MONTHS[1]]);
    let details = &evaluation["realised"]["details"]["multiclass"];
    assert_eq!(details["names"], serde_json::json!(["basic", "plus", "premium"]));
    assert_eq!(evaluation["task"], "multiclass");
    // The columns are as they were, so that the estimate follows the validation.
    let estimated = &evaluation["estimated"]["estimated"]["metrics"]["log_loss"];
    let (value, validated) = (estimated["value"].as_f64().unwrap(), &evaluation["validation"]["value"]);
    assert!((value / validated.as_f64().unwrap() - 1.0).abs() < 0.25, "{estimated} {validated}");
    assert!(estimated["band"]["low"].as_f64().unwrap() < value, "{estimated}");
    let text = project.ok(&["evaluate", "--as-of", MONTHS[1]]);
    assert!(text.contains("ESTIMATE") && text.contains("roc_auc_ovr"), "{text}");
    let monitored = project.json(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    let page = std::fs::read_to_string(project.path(monitored["report_html"].as_str().unwrap())).unwrap();
    let said = format!("differ by {:.1} %", 100.0 * monitored["target_drift"].as_f64().unwrap());
    assert!(page.contains(&said) && !page.contains("unknown: no labels"), "{said} {monitored}");
    assert!(page.contains("are calibrated") || page.contains("are not calibrated"), "{monitored}");
    let listed = project.json(&["models", "ls"]);
    assert!(listed[0]["how"].as_str().unwrap().starts_with("trained, "), "{listed}");
}

#[test]
fn a_class_that_training_never_had_is_always_wrong_and_told() {
    let project = project("multiclass", 1200);
    ingest(&project, MONTHS[0]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let labels = "drops/month_2024-02-29/labels.csv";
    project.edit(labels, |text| {
        let line = |(at, line): (usize, &str)| match line.split_once(',') {
            Some((user, _)) if at > 0 && at % 10 == 0 => format!("{user},family\n"),
            _ => format!("{line}\n"),
        };
        text.lines().enumerate().map(line).collect()
    });
    ingest(&project, MONTHS[1]);
    let text = project.ok(&["evaluate"]);
    assert!(text.contains("of a class that the version was not trained with (family)"), "{text}");
    assert!(text.contains("RETRAINING_TRIGGERED"), "{text}");
}

#[test]
fn labels_that_are_yes_and_no_are_two_classes() {
    let project = Project::with_sample(600);
    let month = MONTHS[0];
    let labels = format!("drops/month_{month}/labels.csv");
    let plain = {
        ingest(&project, month);
        project.ok(&["train", "--as-of", month]);
        project.files("data/models/churn/1")
    };
    let other = Project::with_sample(600);
    other.edit("streamflow.toml", |text| {
        text.replace("churn_label = \"boolean\"", "churn_label = \"string\"")
            .replace("# positive = \"Yes\"", "positive = \"Yes\"")
    });
    other.edit(&labels, |text| text.replace(",True", ",Yes").replace(",False", ",No"));
    ingest(&other, month);
    other.ok(&["train", "--as-of", month]);
    let model = |files: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        files.iter().find(|(path, _)| path.ends_with("model.bin")).unwrap().1.clone()
    };
    assert!(
        model(&plain) == model(&other.files("data/models/churn/1")),
        "the same labels make the same model"
    );
    other.edit(&labels, |text| text.replacen(",No", ",Maybe", 1));
    let run = other.run(&["ingest", "--as-of", MONTHS[1], &format!("drops/month_{month}")]);
    assert!(
        run.code == 1 && run.stderr.contains("\"Maybe\"") && run.stderr.contains("multiclass"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_task_that_was_changed_names_both_and_the_remedy() {
    let project = project("regression", 600);
    ingest(&project, MONTHS[0]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    project.edit("streamflow.toml", |text| text.replace("task = \"regression\"", "task = \"multiclass\""));
    let said = [
        "version 1 of spend is of the task \"regression\", and dataset.label.task is \"multiclass\"",
        "give model.name another name",
    ];
    for command in
        [&["train", "--as-of", MONTHS[0]][..], &["evaluate"], &["flows", "run", "train_and_compare"]]
    {
        let run = project.run(command);
        assert_eq!(run.code, 1, "{command:?}: {}", run.stderr);
        for said in said {
            assert!(run.stderr.contains(said), "{command:?}: {}", run.stderr);
        }
    }
    let versions = project.json(&["models", "ls"]);
    assert_eq!(versions.as_array().unwrap().len(), 1, "nothing was registered");
}

#[test]
fn labels_of_which_nothing_is_learned_are_named() {
    type Label = dyn Fn(usize) -> String;
    let cases: [(&str, &Label, &[&str]); 5] = [
        ("regression", &|_| "7.5".to_owned(), &["are 7.5; a regression learns from numbers that differ"]),
        (
            "regression",
            &|row| if row < 30 { format!("{row}") } else { String::new() },
            &["labelled rows, but at least"],
        ),
        (
            "multiclass",
            &|_| "basic".to_owned(),
            &["are of the class \"basic\"; rows of at least two classes"],
        ),
        (
            "regression",
            &|row| if row == 5 { "inf".to_owned() } else { format!("{row}") },
            &["labels.csv line 7", "\"inf\" is not a finite number"],
        ),
        (
            "regression",
            &|row| if row == 5 { "gold".to_owned() } else { format!("{row}") },
            &["labels.csv line 7", "\"gold\" is not a number"],
        ),
    ];
    for (task, label, expected) in cases {
        let project = project(task, 600);
        let month = MONTHS[0];
        // A month may have unlabelled rows here.
        let column = if task == "regression" { "spend_next_30d" } else { "next_plan" };
        let expectation = format!(
            "\n[[dataset.tables.labels.expectations]]\nexpect = \"expect_column_values_to_not_be_null\"\ncolumn = \"{column}\"\n"
        );
        project.edit("streamflow.toml", |text| text.replace(&expectation, ""));
        project.edit(&format!("drops/month_{month}/labels.csv"), |text| {
            let line = |(at, line): (usize, &str)| match line.split_once(',') {
                Some((user, _)) if at > 0 => format!("{user},{}\n", label(at - 1)),
                _ => format!("{line}\n"),
            };
            text.lines().enumerate().map(line).collect()
        });
        let mut run = project.run(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
        if run.code == 0 {
            run = project.run(&["train", "--as-of", month]);
        }
        assert_eq!(run.code, 1, "{task} {expected:?}");
        for expected in expected {
            assert!(run.stderr.contains(expected), "{}", run.stderr);
        }
    }
}

/// A regression of LightGBM: a longer tenure spends more.
const REGRESSION: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\n\
    objective=regression\nfeature_names=months_active\nfeature_infos=[0:72]\n\nTree=0\n\
    num_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=12.5\ndecision_type=8\nleft_child=-1\n\
    right_child=-2\nleaf_value=60 80\n\n\nend of trees\n\npandas_categorical:[]\n";

#[test]
fn imported_models_are_those_of_the_task() {
    let project = project("regression", 600);
    ingest(&project, MONTHS[0]);
    ingest(&project, MONTHS[1]);
    let write = |name: &str, text: &str| std::fs::write(project.path(name), text).unwrap();
    write("regression.txt", REGRESSION);
    write("binary.txt", &REGRESSION.replace("objective=regression", "objective=binary sigmoid:1"));
    let run = project.run(&["models", "import", "binary.txt"]);
    assert_eq!(run.code, 1);
    let said = "the model is a classifier of two classes, and the label is for a regression (dataset.label.task = \"regression\")";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let imported = project.json(&["models", "import", "regression.txt", "--trained-until", MONTHS[0]]);
    assert_eq!(imported["evaluation"]["task"], "regression");
    assert!(imported["evaluation"]["realised"]["measured"]["metrics"]["rmse"]["value"].is_f64());
    assert_eq!(imported["evaluation"]["imported"]["judged_on"], MONTHS[1]);
    assert!(imported["evaluation"]["validation"]["value"].is_f64(), "{imported}");
    let range = imported["scores"]["range"].as_array().unwrap();
    assert_eq!((range[0].as_f64(), range[1].as_f64()), (Some(60.0), Some(80.0)));
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let answer = json_of(&server.predict(&body(&project, MONTHS[1])));
    assert!(matches!(answer["value"].as_f64(), Some(60.0 | 80.0)), "{answer}");
    server.stop("-TERM");
}

#[test]
fn imported_classes_go_by_their_names_or_by_the_declared_order() {
    let project = project("multiclass", 600);
    ingest(&project, MONTHS[0]);
    let tree = |value: &str| {
        format!(
            "num_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=12.5\ndecision_type=8\nleft_child=-1\nright_child=-2\nleaf_value={value}\n\n"
        )
    };
    let trees: String = ["1 0", "0 1", "0 0"]
        .iter()
        .enumerate()
        .map(|(at, value)| format!("Tree={at}\n{}\n", tree(value)))
        .collect();
    let model = format!(
        "tree\nversion=v4\nnum_class=3\nnum_tree_per_iteration=3\nmax_feature_idx=0\nobjective=multiclass num_class:3\nfeature_names=months_active\nfeature_infos=[0:72]\n\n{trees}\nend of trees\n\npandas_categorical:[]\n"
    );
    std::fs::write(project.path("model.txt"), &model).unwrap();
    // The model counts its classes; the label has as many, in the order of their names.
    let imported = project.json(&["models", "import", "model.txt"]);
    let shares: Vec<&str> = imported["scores"]["class_shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one[0].as_str().unwrap())
        .collect();
    assert_eq!(shares, ["basic", "plus", "premium"]);
    project.edit("streamflow.toml", |text| {
        text.replace(
            "# classes = [\"basic\", \"plus\", \"premium\"]",
            "classes = [\"basic\", \"plus\", \"premium\", \"family\"]",
        )
    });
    let run = project.run(&["models", "import", "model.txt"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("the model has the classes 0, 1, 2, and the label basic, plus, premium, family"),
        "{}",
        run.stderr
    );
}
