//! Models that were trained elsewhere: registered, served, judged, and the files that are none.

use crate::project::Project;
use crate::server::Server;

/// A model of LightGBM: customers of few months leave, unless they pay little.
const MODEL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n\
    objective=binary sigmoid:1\nfeature_names=months_active fee\nfeature_infos=[0:72] [18:120]\n\nTree=0\n\
    num_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=12.5 50\ndecision_type=8 8\nleft_child=1 -1\n\
    right_child=-3 -2\nleaf_value=-1 0.5 -2\n\n\nend of trees\n\npandas_categorical:[]\n";

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];

fn project() -> Project {
    let project = Project::with_sample(600);
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    std::fs::write(project.path("model.txt"), MODEL).unwrap();
    project
}

#[test]
fn an_imported_model_is_served_judged_and_taken_back_like_a_trained_one() {
    let project = project();
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let import = ["models", "import", "model.txt", "--map", "fee=monthly_fee"];
    let unknown = project.json(&import);
    assert_eq!((&unknown["version"], &unknown["production"]), (&2.into(), &false.into()));
    assert_eq!(unknown["evaluation"]["may_know"], true);
    let scores = &unknown["scores"];
    assert_eq!((scores["rows"].as_u64(), scores["as_of"].as_str()), (Some(600), Some(MONTHS[1])));
    let known = project.json(&[&import[..], &["--trained-until", MONTHS[0]]].concat());
    assert_eq!(known["evaluation"]["may_know"], false);
    assert_eq!(known["evaluation"]["realised"]["measured"]["labelled"], 600);

    // What may have been trained on the rows has no metrics among those of validation.
    let versions = project.json(&["models", "ls"]);
    let of = |version: u64| versions.as_array().unwrap().iter().find(|v| v["version"] == version).unwrap();
    assert!(of(2)["metrics"]["auc"].is_null() && of(3)["metrics"]["auc"].is_f64(), "{versions}");
    assert_eq!(of(3)["origin"]["trained_until"], MONTHS[0]);

    project.ok(&["models", "promote", "3"]);
    let users = std::fs::read_to_string(project.path("drops/month_2024-02-29/users.csv")).unwrap();
    let user = users.lines().nth(1).unwrap().split(',').next().unwrap();
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let predict = || server.predict(&format!("{{\"user_id\":\"{user}\"}}"));
    server.wait_for("\"version\":\"3\"", predict);
    let answer = predict();
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let feature = |name: &str| body["features_used"][name].as_f64().unwrap();
    let margin: f64 = match (feature("months_active") <= 12.5, feature("monthly_fee") <= 50.0) {
        (false, _) => -2.0,
        (true, true) => -1.0,
        (true, false) => 0.5,
    };
    let probability = 1.0 / (1.0 + (-margin).exp());
    assert_eq!(body["probability"].as_f64(), Some(probability));
    assert_eq!(body["prediction"], u8::from(probability >= 0.5));
    project.ok(&["models", "rollback"]);
    server.wait_for("\"version\":\"1\"", predict);
    server.stop("-TERM");

    let line = project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    assert!(line.contains("[drift]"), "{line}");
}

#[test]
fn a_retrained_model_may_take_the_place_of_an_imported_one_and_not_the_other_way_round() {
    let project = project();
    project.ok(&["models", "import", "model.txt", "--map", "fee=monthly_fee"]);
    let run = project.json(&["flows", "run", "train_and_compare", "--param", "as_of=2024-02-29"]);
    let text = run.to_string();
    assert!(!text.contains("may have been trained on"), "production's advantage is no reason: {text}");
    assert!(text.contains("AUC"), "{text}");
}

#[test]
fn what_is_no_model_is_refused_with_the_reason() {
    let project = project();
    let write = |name: &str, bytes: &[u8]| std::fs::write(project.path(name), bytes).unwrap();
    write("model.pkl", b"\x80\x04\x95\x10");
    write("cut.txt", &MODEL.as_bytes()[..MODEL.len() / 2]);
    write("linear.txt", MODEL.replace("num_cat=0", "num_cat=0\nis_linear=1").as_bytes());
    write("regression.txt", MODEL.replace("binary sigmoid:1", "regression").as_bytes());
    write("text.txt", b"hello");
    std::fs::File::create(project.path("large.onnx")).unwrap().set_len(2 << 30).unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&["model.pkl"], "this is a pickle, which is Python code and is never run here"),
        (&["cut.txt"], "not a sound LightGBM text model: it ends before \"end of trees\""),
        (
            &["linear.txt"],
            "LightGBM text model with linear trees (is_linear=1): train with linear_tree=false",
        ),
        (&["regression.txt"], "the model is one of regression, and only binary classifiers are registered"),
        (&["text.txt"], "this is no model file that is known here"),
        (&["large.onnx"], "has 2147483648 bytes; a model file may have 268435456"),
        (&["none.onnx"], "cannot read none.onnx"),
        (&["model.txt"], "feature \"fee\" is missing; the model takes 2 features: months_active, fee"),
        (&["model.txt", "--map", "fee=net_service"], "feature \"fee\" is the text"),
    ];
    for (arguments, expected) in cases {
        let run = project.run(&[&["models", "import"][..], arguments].concat());
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
    let wrong = project.run(&["models", "import", "model.txt", "--map", "fee"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(project.json(&["models", "ls"]).as_array().unwrap().is_empty(), "nothing was registered");
}
