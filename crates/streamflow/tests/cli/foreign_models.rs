//! Models that were trained elsewhere: registered, served, judged, and the files that are none.

use crate::project::{Project, shared};
use crate::server::Server;

/// A model of LightGBM: customers of few months leave, unless they pay little.
pub const MODEL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n\
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

/// A month of which every label is the other one: the relation that the model knows is turned round.
fn turn_labels(project: &Project, month: &str) {
    project.edit(&format!("drops/month_{month}/labels.csv"), |text| {
        let turned = |line: &str| match line.rsplit_once(',') {
            Some((user, "True")) => format!("{user},False\n"),
            Some((user, "False")) => format!("{user},True\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(turned).collect()
    });
}

#[test]
fn an_import_that_unseen_rows_judged_can_fall_and_no_other_is_ever_well() {
    let project = Project::with_sample(1500);
    std::fs::write(project.path("model.txt"), MODEL).unwrap();
    turn_labels(&project, MONTHS[1]);
    project.ok(&["ingest", "--as-of", MONTHS[0], &format!("drops/month_{}", MONTHS[0])]);
    let import = ["models", "import", "model.txt", "--map", "fee=monthly_fee"];
    let judged = project.json(&[&import[..], &["--trained-until", "2023-12-31"]].concat());
    assert_eq!(judged["evaluation"]["imported"]["judged_on"], MONTHS[0]);
    project.ok(&import);
    let future = project.ok(&[&import[..], &["--trained-until", "2030-01-01"]].concat());
    let said = "it is said to have been trained until 2030-01-01, so these rows are not unseen";
    assert!(future.contains(said) && !future.contains("nobody has said"), "{future}");
    assert!(!future.contains("validation NaN"), "{future}");
    project.ok(&["ingest", "--as-of", MONTHS[1], &format!("drops/month_{}", MONTHS[1])]);

    let evaluate = |version| project.json(&["evaluate", "--as-of", MONTHS[1], "--model", version]);
    let fallen = evaluate("1");
    assert_eq!(fallen["verdict"]["decision"], "fallen", "{fallen}");
    assert!(fallen["estimated"].is_object() && fallen["why"].is_object(), "{fallen}");
    for version in ["2", "3"] {
        let found = evaluate(version);
        let reason = found["verdict"]["reason"].as_str().unwrap();
        assert_eq!(found["verdict"]["decision"], "undecided", "{found}");
        assert!(reason.contains("import it again with `--trained-until DATE`"), "{reason}");
    }
    let run = project.run(&["evaluate", "--as-of", MONTHS[1], "--fail-on-fall"]);
    assert_eq!(run.code, 3, "{} {}", run.stdout, run.stderr);

    // On rows that it may have seen, a version that does as it did is not well by that.
    let seen = project.json(&[&import[..], &["--trained-until", MONTHS[0]]].concat());
    assert_eq!(seen["evaluation"]["imported"]["judged_on"], MONTHS[1]);
    let found = project.json(&["evaluate", "--as-of", MONTHS[0], "--model", "4"]);
    assert_ne!(found["verdict"]["decision"], "no_action", "{found}");

    let shown = project.ok(&["models", "show", "1"]);
    assert!(shown.contains("judged at import") && !shown.contains("seed"), "{shown}");
    let shown = project.ok(&["models", "show", "2"]);
    assert!(shown.contains("none: no labelled rows that are known to be new to it"), "{shown}");
}

#[test]
fn listed_entities_do_not_judge_an_import() {
    let project = project();
    let users =
        std::fs::read_to_string(project.path(&format!("drops/month_{}/users.csv", MONTHS[1]))).unwrap();
    let ids: Vec<&str> = users.lines().skip(1).take(100).filter_map(|line| line.split(',').next()).collect();
    let write = |name: &str, text: String| std::fs::write(project.path(name), text).unwrap();
    write("ids.txt", format!("{}\nnobody\n", ids.join("\n")));
    write("ids.csv", format!("plan,user_id\nbasic,{}\nbasic,nobody\n", ids.join("\nbasic,")));
    write("empty.csv", "user_id\n".to_owned());
    write("nothing.txt", String::new());
    write("other.csv", "a,b\n1,2\n".to_owned());
    write("gap.csv", "user_id,b\nu1,2\n,3\n".to_owned());
    let import = ["models", "import", "model.txt", "--map", "fee=monthly_fee", "--trained-on"];
    for (file, version) in [("ids.txt", "1"), ("ids.csv", "2")] {
        let found = project.json(&[&import[..], &[file]].concat());
        assert_eq!(found["listed"]["entities"], 101, "{file}: {found}");
        assert_eq!(found["listed"]["unknown"], 1, "{file}: {found}");
        let evaluation = &found["evaluation"];
        assert_eq!((&evaluation["left_out"], &evaluation["may_know"]), (&100.into(), &false.into()));
        assert_eq!(evaluation["realised"]["measured"]["labelled"], 500);
        let shown = project.json(&["models", "show", version]);
        assert_eq!(shown["import"]["trained_on"], serde_json::json!({"entities": 101}));
        assert_eq!(shown["import"]["judged"]["rows"], 500);
        assert!(shown["metrics"]["auc"].is_f64(), "{shown}");
    }
    let text = project.ok(&[&import[..], &["ids.txt"]].concat());
    assert!(
        text.contains("trained on 101 entities, of which 100 have rows in 2024-02-29 and 1 have none"),
        "{text}"
    );
    assert!(
        text.contains("100 rows of the 101 entities that it is said to have been trained on are left out"),
        "{text}"
    );
    // As a candidate it has fair rows.
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let cases = [
        ("empty.csv", "lists no entity"),
        ("nothing.txt", "nothing.txt"),
        ("other.csv", "has the columns a, b; expected user_id"),
        ("gap.csv", "the row has no value of user_id"),
        ("none.csv", "none.csv"),
    ];
    for (file, expected) in cases {
        let run = project.run(&[&import[..], &[file]].concat());
        assert!(run.code == 1 && run.stderr.contains(expected), "{file}: {}", run.stderr);
    }
    assert_eq!(
        project.json(&["models", "ls"]).as_array().unwrap().len(),
        4,
        "refused files register nothing"
    );
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
    // A zip archive of whatever size within is told by its first bytes, and nothing of it is unpacked.
    write("bomb.keras", b"PK\x03\x04\x14\x00\x00\x00\x08\x00");
    if let Some(whole) = shared("golden/models/xgb_v1_7_6_ubj/model.ubj") {
        let ubj = std::fs::read(whole).unwrap();
        write("cut.ubj", &ubj[..ubj.len() / 2]);
        let run = project.run(&["models", "import", "cut.ubj"]);
        assert!(run.code == 1 && run.stderr.contains("not a sound XGBoost UBJSON model"), "{}", run.stderr);
    }
    let twice = project.run(&["serve", "--model", "a=model.txt", "--model", "a=model.txt"]);
    assert!(twice.code == 1 && twice.stderr.contains("two models have the name \"a\""), "{}", twice.stderr);
    std::fs::File::create(project.path("large.onnx")).unwrap().set_len(2 << 30).unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&["bomb.keras"], "this is a zip archive (skops, PyTorch or Keras), not a model file"),
        (&["model.pkl"], "this is a pickle, which is Python code and is never run here"),
        (&["cut.txt"], "not a sound LightGBM text model: it ends before \"end of trees\""),
        (
            &["linear.txt"],
            "LightGBM text model with linear trees (is_linear=1): train with linear_tree=false",
        ),
        (&["regression.txt"], "the model is a regression, and the label is for a classifier of two classes"),
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
    for name in ["../../../outside", "/outside", "", ".", "..", "a/b", "churn:2", "a\nb", "<script>"] {
        let arguments = ["models", "import", "model.txt", "--map", "fee=monthly_fee", "--name", name];
        let run = project.run(&arguments);
        assert_eq!(
            (run.code, run.stderr.contains("it names a folder")),
            (2, true),
            "{name:?}: {}",
            run.stderr
        );
    }
    let wrong = project.run(&["models", "import", "model.txt", "--map", "fee"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(project.json(&["models", "ls"]).as_array().unwrap().is_empty(), "nothing was registered");
}

#[test]
fn a_table_without_rows_is_an_error_wherever_the_answers_go() {
    let project = Project::new();
    std::fs::write(project.path("model.txt"), MODEL).unwrap();
    std::fs::write(project.path("in.csv"), "months_active,fee\n").unwrap();
    let outs: [&[&str]; 4] = [&["out.csv"], &["out.parquet"], &["-"], &["-", "--format", "json"]];
    for out in outs {
        let run = project.run(&[&["predict", "in.csv", "--model", "model.txt", "--out"][..], out].concat());
        assert!(
            run.code == 1 && run.stderr.contains("in.csv has no rows to score"),
            "{out:?}: {}",
            run.stderr
        );
        assert!(run.stdout.is_empty(), "{out:?}: {}", run.stdout);
    }
    assert!(!project.path("out.csv").exists() && !project.path("out.parquet").exists());
}

#[test]
fn a_graph_that_nobody_here_computes_tells_how_to_get_who_does() {
    let project = Project::new();
    let file = include_bytes!("../../../inference/tests/files/classifier.onnx");
    let at = file.windows(6).position(|window| window == b"Scaler").unwrap();
    let changed = [&file[..at], b"Loopen", &file[at + 6..]].concat();
    std::fs::write(project.path("graph.onnx"), changed).unwrap();
    std::fs::write(project.path("in.csv"), "X[0],X[1]\n1,2\n").unwrap();
    let mut command = project.command(&["predict", "in.csv", "--model", "graph.onnx", "--out", "out.csv"]);
    let output = command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let beginning = [&file[..2], b"\x3a\x08\x0a\x06\x22\x04Loop", &file[2..]].concat();
    let at = beginning.windows(6).position(|window| window == b"Scaler").unwrap();
    let looped = [&beginning[..at], b"Loopen", &beginning[at + 6..]].concat();
    std::fs::write(project.path("loop.onnx"), looped).unwrap();
    let run = project.run(&["predict", "in.csv", "--model", "loop.onnx", "--out", "out.csv"]);
    assert!(
        run.code == 1 && run.stderr.contains("the operator Loop: it may run without end"),
        "{}",
        run.stderr
    );
    for part in
        ["the operator Loopen", "/nowhere/libonnxruntime.so cannot be loaded", "pip install onnxruntime"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!project.path("out.csv").exists());
}

/// An answer of the command, as the libraries give it.
fn answers(
    project: &Project,
    folder: &std::path::Path,
    expected: &serde_json::Value,
    all_trees: bool,
) -> serde_json::Value {
    let table = folder.join("input.csv");
    let model = folder.join(expected["model"][0].as_str().unwrap());
    let (table, model) = (table.to_str().unwrap(), model.to_str().unwrap());
    let mut arguments = vec!["predict", table, "--model", model, "--out", "-"];
    if all_trees {
        arguments.push("--all-trees");
    }
    project.json(&arguments)["outputs"].clone()
}

/// Whether two answers are equal within the bounds; numbers of 32 bits are read as such.
fn is_near(
    given: &serde_json::Value,
    expected: &serde_json::Value,
    bounds: (f64, f64),
    is_single: bool,
) -> bool {
    let number = |value: &serde_json::Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if is_single { text.parse::<f32>().map(f64::from) } else { text.parse::<f64>() }
    };
    match (given.as_array(), expected.as_array()) {
        (Some(given), Some(expected)) => {
            given.len() == expected.len()
                && given
                    .iter()
                    .zip(expected)
                    .all(|(given, expected)| is_near(given, expected, bounds, is_single))
        }
        // A value of one column may be written as a list of one.
        (None, Some(expected)) if expected.len() == 1 => is_near(given, &expected[0], bounds, is_single),
        (None, None) => match (number(given), number(expected)) {
            (Ok(given), Ok(expected)) => {
                given == expected
                    || (given.is_nan() && expected.is_nan())
                    || (given - expected).abs() <= bounds.0 + bounds.1 * expected.abs()
            }
            _ => given == expected,
        },
        _ => false,
    }
}

#[test]
fn tables_are_scored_as_the_libraries_score_them() {
    let Some(cases) = shared("golden/models") else { return };
    let project = Project::new();
    let mut folders: Vec<_> = std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("expected.json").is_file());
    folders.sort();
    let (mut counts, mut differing) = (std::collections::BTreeMap::new(), Vec::new());
    for folder in &folders {
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let case = expected["case"].as_str().unwrap();
        let library = case.split('_').next().unwrap().to_owned();
        if expected["refuse"].is_string() {
            let model = folder.join(expected["model"][0].as_str().unwrap());
            let table = folder.join("input.csv");
            let run = project.run(&[
                "predict",
                table.to_str().unwrap(),
                "--model",
                model.to_str().unwrap(),
                "--out",
                "-",
            ]);
            assert!(run.code == 1 && run.stderr.contains(" model with "), "{case}: {}", run.stderr);
            *counts.entry((library, "refused by name")).or_insert(0) += 1;
            continue;
        }
        let outputs = expected["outputs"].as_object().unwrap();
        let given = answers(&project, folder, &expected, false);
        let has_all = outputs.keys().any(|name| name.starts_with("all_trees_"));
        let of_all =
            if has_all { answers(&project, folder, &expected, true) } else { serde_json::Value::Null };
        for (name, wanted) in outputs {
            let part = name.trim_start_matches("all_trees_");
            let given = if part == name { &given[part] } else { &of_all[part] };
            let tolerance = &expected["tolerance"][if part == "margin" { "margin" } else { "other" }];
            let bounds = (tolerance["abs"].as_f64().unwrap(), tolerance["rel"].as_f64().unwrap());
            if !is_near(given, wanted, bounds, expected["dtypes"][name] == "float32") {
                differing.push(format!("{case}: {name}"));
            }
        }
        *counts.entry((library, "equal")).or_insert(0) += 1;
    }
    for ((library, outcome), count) in &counts {
        eprintln!("{library}: {count} {outcome}");
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(counts.values().sum::<i32>() as usize, folders.len());
}

#[test]
fn a_table_is_scored_into_a_file_of_every_format_and_by_a_version_of_the_registry() {
    let project = project();
    std::fs::write(project.path("in.csv"), "id;fee;months_active\na;20;1\nb;;60\nc;x;1\n").unwrap();
    let score = |arguments: &[&str]| {
        project.run(&[&["predict", "in.csv", "--model", "model.txt"][..], arguments].concat())
    };
    let failed = score(&["--out", "out.csv"]);
    let expected = "in.csv: line 4: feature \"fee\" is the text \"x\", but the model takes a number";
    assert!(failed.code == 1 && failed.stderr.contains(expected), "{}", failed.stderr);
    assert!(!project.path("out.csv").exists() && !project.path(".out.csv.partial").exists());

    std::fs::write(project.path("in.csv"), "id;fee;months_active\na;20;1\nb;;60\n").unwrap();
    for name in ["out.csv", "out.parquet", "out.arrow"] {
        assert_eq!(
            score(&["--out", name, "--keep", "id"]).stdout.trim(),
            format!("Scored 2 rows into {name}.")
        );
    }
    let text = std::fs::read_to_string(project.path("out.csv")).unwrap();
    assert_eq!(text, "id,probability,margin,label\na,0.2689414213699951,-1,0\nb,0.11920292202211755,-2,0\n");
    // The files are tables again.
    for name in ["out.parquet", "out.arrow"] {
        let profile = project.json(&["profile", name, "--out", "-"]);
        assert!(profile.to_string().contains("probability"), "{profile}");
    }
    for (arguments, code, expected) in [
        (&["--out", "out.xlsx"][..], 2, "expected .parquet, .arrow, .csv, or - for standard output"),
        (&["--out", "out.csv", "--keep", "nobody"], 1, "--keep nobody: in.csv has no such column"),
        (&["--out", "out.csv", "--map", "x=fee"], 1, "names a feature that the model does not have"),
        (&["--out", "no/out.csv"], 1, "there is no folder no"),
    ] {
        let run = score(arguments);
        assert_eq!((run.code, run.stderr.contains(expected)), (code, true), "{}", run.stderr);
    }

    project.ok(&["models", "import", "model.txt", "--map", "fee=monthly_fee"]);
    let map = ["--map", "monthly_fee=fee"];
    let by_name =
        project.json(&[&["predict", "in.csv", "--model", "churn:1", "--out", "-"][..], &map].concat());
    let by_file = project.json(&["predict", "in.csv", "--model", "model.txt", "--out", "-"]);
    assert_eq!(by_name["outputs"]["probability"], by_file["outputs"]["probability"]);
    // A column that is named for a feature goes before the one of its name, in every order of the columns.
    for (name, text) in [
        ("a.csv", "fee,monthly_fee,months_active\n20,500,1\n"),
        ("b.csv", "months_active,monthly_fee,fee\n1,500,20\n"),
    ] {
        std::fs::write(project.path(name), text).unwrap();
        let mapped =
            project.json(&[&["predict", name, "--model", "churn:1", "--out", "-"][..], &map].concat());
        assert_eq!(mapped["outputs"]["probability"][0], by_file["outputs"]["probability"][0], "{name}");
        let swapped = ["predict", name, "--model", "model.txt", "--out", "-", "--map", "fee=monthly_fee"];
        assert_eq!(project.json(&swapped)["outputs"]["margin"][0], 0.5, "{name}");
    }
    std::fs::write(project.path("twice.csv"), "fee,fee,months_active,id,id\n1,45,1,a,b\n").unwrap();
    for (arguments, expected) in [
        (
            &["a.csv", "--model", "model.txt", "--map", "fee=months_active"][..],
            "the column \"months_active\" is taken for the feature \"fee\", and the feature \"months_active\" has no other",
        ),
        (
            &["a.csv", "--model", "churn:1", "--map", "months_active=monthly_fee"],
            "the column \"monthly_fee\" is taken for the feature \"months_active\"",
        ),
        (
            &["a.csv", "--model", "model.txt", "--map", "fee=fee", "--map", "fee=monthly_fee"],
            "a feature that another mapping names too",
        ),
        (
            &["twice.csv", "--model", "model.txt"],
            "the table has several columns with the name \"fee\"; rename or drop all but one",
        ),
        (
            &["twice.csv", "--model", "churn:1", "--map", "monthly_fee=fee"],
            "several columns with the name \"fee\"",
        ),
        (&["twice.csv", "--model", "model.txt", "--keep", "id"], "several columns with the name"),
    ] {
        let run = project.run(&[&["predict", "--out", "-"][..], arguments].concat());
        assert_eq!((run.code, run.stderr.contains(expected)), (1, true), "{arguments:?}: {}", run.stderr);
    }
    let none = project.run(&["predict", "in.csv", "--model", "other", "--out", "-"]);
    assert!(none.stderr.contains("there is no model \"other\" in the registry"), "{}", none.stderr);
}

#[test]
fn a_model_file_is_served_without_a_dataset() {
    let project = Project { dir: tempfile::tempdir().unwrap() };
    std::fs::write(project.path("churn.txt"), MODEL).unwrap();
    let server = Server::start(
        &project,
        &["serve", "--model", "churn.txt", "--listen", "127.0.0.1:0"],
        "listening on http://",
    );
    let answer = server.predict(r#"{"features": {"months_active": 3, "fee": 80.5}}"#);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["probability"], 1.0 / (1.0 + (-0.5_f64).exp()));
    assert_eq!(body["model"], serde_json::json!({ "name": "churn", "version": "file" }));
    let refused = server.predict(r#"{"features": {"months_active": 3}}"#);
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.contains("features.fee: field required"),
        "{refused}"
    );
    for (path, expected) in [
        ("/ready", "\"status\":\"ready\""),
        ("/metrics", "model_info{name=\"churn\",version=\"file\"} 1"),
        ("/openapi.json", "\"months_active\""),
    ] {
        let answer = server.get(path);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(expected), "{path}: {answer}");
    }
    assert!(server.get("/metrics").contains("api_requests_total 2"), "one set of metrics");
    server.stop("-TERM");
    let none = project.run(&["serve", "--model", "none.txt"]);
    assert!(none.code == 1 && none.stderr.contains("cannot read none.txt"), "{}", none.stderr);
}

#[test]
fn model_files_are_served_by_their_names() {
    let project = Project { dir: tempfile::tempdir().unwrap() };
    std::fs::write(project.path("churn.txt"), MODEL).unwrap();
    std::fs::write(project.path("price=now.txt"), MODEL.replace("binary sigmoid:1", "regression")).unwrap();
    let models = ["--model", "churn.txt", "--model", "price=price=now.txt", "--model", "price=now.txt"];
    let addresses = ["--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--allow-load"];
    let arguments = [&["serve"][..], &models, &addresses].concat();
    let mut server = Server::start(&project, &arguments, "listening on http://");
    let grpc = server.next_line();
    let grpc: std::net::SocketAddr = grpc.strip_prefix("gRPC on ").unwrap().parse().unwrap();
    // It says nothing, and is not waited for at the end.
    let _silent = std::net::TcpStream::connect(grpc).expect("gRPC is listened for");
    let models = server.get("/v1/models");
    assert!(models.ends_with(r#"{"models":["churn","price","price=now"]}"#), "{models}");
    let post = |path: &str| {
        server.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    assert!(post("/v2/repository/models/churn/unload").starts_with("HTTP/1.1 200"));
    assert!(server.get("/v2/models/churn").starts_with("HTTP/1.1 404"));
    assert!(post("/v2/repository/models/churn/load").starts_with("HTTP/1.1 200"));
    assert!(server.get("/v2/models/churn/ready").starts_with("HTTP/1.1 200"));
    let asked = std::time::Instant::now();
    server.stop("-TERM");
    assert!(asked.elapsed() < std::time::Duration::from_secs(8), "{:?}", asked.elapsed());

    for (arguments, code, expected) in [
        (
            &["--model", "churn.txt", "--model", "churn=churn.txt"][..],
            1,
            "two models have the name \"churn\"",
        ),
        (&["--model", "batch=churn.txt"], 1, "the name batch is that of the route /predict/batch"),
        (&["--allow-load"], 2, "--model"),
    ] {
        let run = project.run(&[&["serve", "--listen", "127.0.0.1:0"][..], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
    // Without a flag or a configuration there is no gRPC, and nobody loads.
    let server = Server::start(
        &project,
        &["serve", "--model", "churn.txt", "--listen", "127.0.0.1:0"],
        "listening on http://",
    );
    let refused = server.send(
        "POST /v2/repository/models/churn/unload HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert_eq!(server.lines.len(), 1, "{:?}", server.lines);
    server.stop("-TERM");
}
