//! Commands outside of a project, in a folder below one, and what an interrupted command leaves behind.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::project::Project;

/// An empty folder.
fn nowhere() -> Project {
    Project { dir: tempfile::tempdir().unwrap() }
}

#[test]
fn without_a_configuration_nothing_is_written_and_the_remedy_is_named() {
    let folder = nowhere();
    for args in [
        &["check"][..],
        &["models", "ls"],
        &["flows", "runs"],
        &["train", "--as-of", "2024-01-31"],
        &["monitor", "--reference", "2024-01-31", "--current", "2024-02-29"],
        &["drift", "--history"],
        &["ingest", "--as-of", "2024-01-31", "."],
        &["up"],
        &["serve"],
    ] {
        let run = folder.run(args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.stdout);
        let expected = "there is no streamflow.toml here or in a folder above: run `streamflow init`, or name one with --config";
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
        assert_eq!(folder.files(".").len(), 0, "{args:?} left something behind");
    }
}

#[test]
fn files_are_compared_anywhere() {
    let folder = nowhere();
    std::fs::write(folder.path("a.csv"), "x\n1\n2\n3\n").unwrap();
    assert!(folder.ok(&["drift", "a.csv", "a.csv"]).contains("NO_ACTION"));
    folder.ok(&["profile", "a.csv", "--out", "a.json"]);
    assert_eq!(folder.files(".").len(), 2);
}

#[test]
fn a_folder_below_a_project_belongs_to_it() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("notes/deep")).unwrap();
    let mut command = project.command(&["check"]);
    let output = command.current_dir(project.path("notes/deep")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("The configuration is valid.") && output.status.success(), "{text}");
    let data = project
        .path("data")
        .canonicalize()
        .unwrap_or_else(|_| project.dir.path().canonicalize().unwrap().join("data"));
    assert!(text.contains(&data.display().to_string()), "{text}\nshould name {}", data.display());
}

#[test]
fn wrong_words_are_explained() {
    let project = Project::new();
    std::fs::create_dir(project.path("empty")).unwrap();
    for (args, code, expected) in [
        (&["flows", "runs", "--limit", "0"][..], 2, "0 is not in 1..=4294967295"),
        (
            &["models", "promote", "x"],
            2,
            "expected the number of a version; `streamflow models ls` lists them",
        ),
        (&["flows", "inspect", "x"], 2, "expected the number of a run; `streamflow flows runs` lists them"),
        (
            &["tsdb", "verify", "empty"],
            1,
            "empty holds no stored metrics: a store has the folders blocks/ and wal/",
        ),
        (&["tsdb", "verify"], 1, "holds no stored metrics"),
    ] {
        let run = project.run(args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{args:?} says\n{}\nshould say: {expected}", run.stderr);
    }
}

#[test]
fn json_is_json_all_the_way_down() {
    let project = Project::with_sample(300);
    let months = ["2024-01-31", "2024-02-29"];
    for month in months {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", months[0]]);
    assert!(project.json(&["models", "ls"])[0]["metrics"]["auc"].is_number());
    let outcome = project.json(&["monitor", "--reference", months[0], "--current", months[1]]);
    let runs = project.json(&["flows", "runs"]);
    assert_eq!(runs[0]["parameters"]["current"], months[1]);
    assert_eq!(runs[0]["report"], outcome["report"]);
    let run = runs[0]["id"].to_string();
    assert_eq!(project.json(&["flows", "inspect", &run])["run"]["parameters"]["current"], months[1]);
}

#[test]
fn what_a_killed_sample_left_is_removed_by_the_next() {
    let project = Project::new();
    let mut killed = project
        .command(&["sample", "--out", "drops", "--rows", "2000000", "--months", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(project.path("drops")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while names().is_empty() {
        assert!(Instant::now() < deadline, "sample writes nothing");
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(names()[0].starts_with(".month_"), "{:?}", names());
    project.ok(&["sample", "--out", "drops", "--rows", "50", "--months", "1"]);
    assert_eq!(names(), ["month_2024-01-31"]);
}

#[test]
fn init_makes_up_a_password_for_grafana_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let password = |project: &Project| {
        let text = std::fs::read_to_string(project.path(".env")).unwrap();
        text.lines().find_map(|line| line.strip_prefix("GRAFANA_PASSWORD=").map(str::to_owned)).unwrap()
    };
    let (one, other) = (Project::new(), Project::new());
    assert_eq!(std::fs::metadata(one.path(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(password(&one).len() >= 32);
    assert_ne!(password(&one), password(&other));

    let again = one.path("again");
    std::fs::create_dir(&again).unwrap();
    std::fs::write(again.join(".env"), "GRAFANA_PASSWORD=mine\n").unwrap();
    let written = one.json(&["init", "again"]);
    assert!(!written["files"].as_array().unwrap().contains(&".env".into()), "{written}");
    assert_eq!(std::fs::read_to_string(again.join(".env")).unwrap(), "GRAFANA_PASSWORD=mine\n");
}

#[test]
fn init_writes_the_large_size_with_passwords_that_its_files_ask_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = nowhere();
    let written = project.json(&["init", ".", "--size", "large"]);
    let text = |file: &str| std::fs::read_to_string(project.path(file)).unwrap();
    for file in [
        "docker-compose.yml",
        "docker-compose.cluster.yml",
        "haproxy.cfg",
        "prometheus.yml",
        "streamflow.toml",
        ".env",
    ] {
        assert!(written["files"].as_array().unwrap().contains(&file.into()), "{file}: {written}");
    }
    assert!(
        text("docker-compose.yml").contains("postgres:") && text("prometheus.yml").contains("names: [api]")
    );
    assert!(text("streamflow.toml").contains("\nkind = \"postgres\"\n"));
    assert_eq!(std::fs::metadata(project.path(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    let env = text(".env");
    let value = |name: &str| {
        let line = env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{name} is not in {env}")).to_owned()
    };
    // Compose takes what is asked for with :? from there.
    for (at, _) in text("docker-compose.yml").match_indices(":?") {
        let before = text("docker-compose.yml")[..at].to_owned();
        value(before.rsplit("${").next().unwrap());
    }
    assert_ne!(value("POSTGRES_PASSWORD"), value("GRAFANA_PASSWORD"));
    // Single quotes, since a hash is full of dollars.
    assert!(value("STREAMFLOW_CONSOLE_USERS").starts_with("'admin:$argon2id$"));
    assert!(value("CONSOLE_PASSWORD").len() >= 32);
}

#[test]
fn init_for_kubernetes_goes_into_a_project_and_keeps_what_it_has() {
    let fresh = nowhere();
    let written = fresh.json(&["init", ".", "--kubernetes"]);
    assert_eq!(written["kept"].as_array().unwrap().len(), 0, "{written}");
    assert!(!fresh.path(".env").exists() && !fresh.path("docker-compose.yml").exists());
    let text = std::fs::read_to_string(fresh.path("streamflow.toml")).unwrap();
    assert!(text.contains("\nkind = \"postgres\"\n"), "{text}");

    let project = Project::new();
    project.edit("streamflow.toml", |text| text.replacen("threshold = 0.30", "threshold = 0.25", 1));
    let before = project.files(".");
    let said = project.ok(&["init", ".", "--kubernetes"]);
    for part in ["kustomization.yaml", "as they were: streamflow.toml", "kind = \"postgres\" under [store]"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let after = project.files(".");
    assert!(
        before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)),
        "a file of the project changed"
    );
    assert!(after.contains_key(&project.path("./kubernetes/api.yaml")) && after.len() == before.len() + 6);

    let again = project.run(&["init", ".", "--kubernetes"]);
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("already holds kustomization.yaml, kubernetes/api.yaml"),
        "{}",
        again.stderr
    );
    assert_eq!(project.files("."), after);
}
