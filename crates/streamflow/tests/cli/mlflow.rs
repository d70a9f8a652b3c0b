//! An MLflow server that is not there, names that name nothing, and versions as files for other programs.

use crate::project::Project;

const MONTH: &str = "2024-01-31";

fn project() -> Project {
    let project = Project::with_sample(600);
    project.ok(&["ingest", "--as-of", MONTH, &format!("drops/month_{MONTH}")]);
    project
}

/// The address of a port that was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_training_goes_on_whatever_mlflow_says() {
    let project = project();
    let train = |uri: &str| {
        let mut command = project.command(&["train", "--as-of", MONTH]);
        let output = command.env("MLFLOW_TRACKING_URI", uri).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let away = train(&nobody());
    assert!(away.contains("MLflow was not told of everything") && away.contains("tells the rest"), "{away}");
    let wrong = train("sqlite:///mlruns.db");
    assert!(wrong.contains("MLflow is told nothing") && wrong.contains("http://HOST:PORT"), "{wrong}");
    assert_eq!(project.json(&["models", "ls"]).as_array().unwrap().len(), 2);
    // Nothing is said where no server is named.
    let quiet = project.run(&["train", "--as-of", MONTH]);
    assert!(!quiet.stderr.contains("MLflow"), "{}", quiet.stderr);
}

#[test]
fn check_says_what_makes_no_sense() {
    let project = project();
    let check = |mlflow: &str, source: &str| {
        let text = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
        let edited = text
            .replace("[model]\n", &format!("[model]\nsource = \"{source}\"\n"))
            .replace("[mlflow]\n", &format!("[mlflow]\n{mlflow}\n"));
        std::fs::write(project.path("other.toml"), edited).unwrap();
        let run = project.run(&["check", "--config", "other.toml"]);
        (run.code, run.stderr)
    };
    let uri = "tracking_uri = \"http://mlflow:5000\"";
    assert_eq!(check(uri, "mlflow").0, 0);
    for (mlflow, source, expected) in [
        ("", "mlflow", "no server is named"),
        ("tracking_uri = \"databricks\"", "local", "mlflow.tracking_uri is no URL"),
        (&format!("{uri}\nserve = \"churn\""), "mlflow", "names no model of MLflow"),
        (uri, "mlfow", "unknown variant `mlfow`"),
        ("tracking_url = \"\"", "local", "did you mean `tracking_uri`?"),
    ] {
        let (code, stderr) = check(mlflow, source);
        assert!(code == 1 && stderr.contains(expected), "{mlflow} {source}: {stderr}");
    }
}

#[test]
fn a_model_of_a_server_that_is_not_there_is_not_served() {
    let project = Project::new();
    let serve = |model: &str, uri: Option<String>| {
        let mut command = project.command(&["serve", "--listen", "127.0.0.1:0", "--model", model]);
        if let Some(uri) = uri {
            command.env("MLFLOW_TRACKING_URI", uri);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (model, uri, expected) in [
        ("models:/churn@champion", None, "set MLFLOW_TRACKING_URI to http://HOST:PORT"),
        ("models:/churn@champion", Some(nobody()), "MLflow did not answer registered-models/alias"),
        ("models:/churn", Some(nobody()), "names no model of MLflow"),
        ("runs:/abc/../x", Some(nobody()), "names no model of MLflow"),
    ] {
        let stderr = serve(model, uri);
        assert!(stderr.contains(expected), "{model}: {stderr}");
    }
}

#[test]
fn a_version_is_exported_and_scores_the_same() {
    let project = project();
    project.ok(&["train", "--as-of", MONTH]);
    let written = project.ok(&["models", "export", "--out", "churn.onnx"]);
    assert!(written.starts_with("Wrote version 1 of churn to churn.onnx: ONNX, "), "{written}");
    let imported = project.json(&["models", "import", "churn.onnx"]);
    assert_eq!((&imported["version"], &imported["format"]), (&2.into(), &"ONNX".into()));
    let table = "months_active,monthly_fee,paperless_billing,plan_stream_tv,plan_stream_movies,net_service,\
        watch_hours_30d,avg_session_mins_7d,unique_devices_30d,skips_7d,rebuffer_events_7d,failed_payments_90d,\
        support_tickets_90d,ticket_avg_resolution_hrs_90d\n\
        2,90.5,true,true,false,Fiber optic,4,12.5,1,9,7,2,3,40\n\
        60,20.25,false,,,DSL,60,55,3,1,0,0,0,\n\
        ,,,,,nowhere,,,,,,,,\n";
    std::fs::write(project.path("table.csv"), table).unwrap();
    let scores = |model: &str| {
        let args = ["predict", "table.csv", "--model", model, "--out", "-"];
        project.json(&args)["outputs"].clone()
    };
    let (own, onnx, imported) = (scores("churn:1"), scores("churn.onnx"), scores("churn:2"));
    assert_eq!(own["label"], onnx["label"], "the threshold is in the file");
    let mut seen = std::collections::BTreeSet::new();
    for row in 0..3 {
        let of = |scores: &serde_json::Value| {
            let given = &scores["probability"][row];
            given.as_f64().or_else(|| given[1].as_f64()).unwrap()
        };
        let (own, onnx, imported) = (of(&own), of(&onnx), of(&imported));
        assert!(
            (own - onnx).abs() < 1e-6 && (own - imported).abs() < 1e-6,
            "row {row}: {own} {onnx} {imported}"
        );
        seen.insert((own * 1e6) as i64);
    }
    assert_eq!(seen.len(), 3, "the rows are told apart");
    // An imported version is the file that it came in.
    project.ok(&["models", "export", "churn:2", "--out", "again.onnx"]);
    let read = |name: &str| std::fs::read(project.path(name)).unwrap();
    assert_eq!(read("churn.onnx"), read("again.onnx"));
    for (args, expected) in [
        (&["models", "export", "churn:9", "--out", "a.onnx"][..], "has no version 9"),
        (&["models", "export", "other", "--out", "a.onnx"], "there is no model \"other\""),
        (&["models", "export", "churn:x", "--out", "a.onnx"], "expected NAME or NAME:VERSION"),
        (&["models", "export", "1", "--out", "a.json"], "expected a name that ends in .onnx"),
        (&["models", "export", "1", "--out", "drops"], "a folder; expected a file"),
    ] {
        let run = project.run(args);
        assert!(run.code != 0 && run.stderr.contains(expected), "{args:?}: {}", run.stderr);
        assert!(!project.path("a.onnx").exists() && !project.path("a.json").exists());
    }
}
