//! `streamflow forget`: one of two entities leaves everything, while a server runs, and wherever it is cut off.
#![allow(clippy::print_stdout)]

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;
use crate::up::Up;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];

/// Two months with a model and a report, and two users of both who are named in a log, a report and the access log.
fn project() -> (Project, [String; 2]) {
    let project = Project::with_sample(150);
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", MONTHS[0]]);
    project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    let users = |month: &str| {
        let text = std::fs::read_to_string(project.path(&format!("drops/month_{month}/users.csv"))).unwrap();
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let second = users(MONTHS[1]);
    let both: Vec<String> = users(MONTHS[0]).into_iter().filter(|user| second.contains(user)).collect();
    let [ada, bob] = [both[0].clone(), both[1].clone()];
    project.edit("streamflow.toml", |text| {
        let text = text.replace("batch_limit = 1000", "access_log = \"access.log\"");
        format!("{text}\n[flows.tell]\nsteps = [{{ run = [\"echo\", \"users {ada} and {bob} called\"] }}]\n")
    });
    project.ok(&["flows", "run", "tell"]);
    // The flow goes: its text is the configuration's.
    project.edit("streamflow.toml", |text| text.split("[flows.tell]").next().unwrap().to_owned());
    project.edit("reports/drift/drift_2024-01-31_vs_2024-02-29.html", |html| {
        html.replace("</body>", &format!("<p>{ada} and {bob}</p></body>"))
    });
    let line = |user: &str| format!("{{\"path\":\"/users/{user}\"}}\n");
    std::fs::write(project.path("access.log"), line(&ada) + &line(&bob)).unwrap();
    (project, [ada, bob])
}

/// Every file below the project but for the drops that has the text in its bytes.
fn naming(project: &Project, text: &str) -> Vec<String> {
    let parts = ["data", "reports", "access.log"];
    let files = parts.iter().flat_map(|part| project.files(part));
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    files.filter(|(_, bytes)| has(bytes)).map(|(path, _)| path.display().to_string()).collect()
}

fn body(user: &str) -> String {
    format!("{{\"user_id\":\"{user}\"}}")
}

#[test]
fn a_forgotten_user_is_named_nowhere_and_answered_404_and_the_other_is_not_touched() {
    let (project, [ada, bob]) = project();
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    server.wait_for(" 200 ", || server.predict(&body(&ada)));
    let of_bob = server.predict(&body(&bob)).split_once("\r\n\r\n").unwrap().1.to_owned();

    let dry = project.json(&["forget", &ada, "--dry-run"]);
    // Six tables in two months.
    assert_eq!(dry["found"]["snapshots"].as_array().unwrap().len(), 12, "{dry}");
    assert_eq!(dry["found"]["access_log"], 1);
    assert_eq!(dry["found"]["reports"], serde_json::json!(["drift_2024-01-31_vs_2024-02-29.html"]));
    assert!(dry["found"]["database"].to_string().contains("logs.message"), "{dry}");
    assert!(!naming(&project, &ada).is_empty());

    let receipt = project.json(&["forget", &ada, "--reason", "asked by letter"]);
    assert_eq!((&receipt["reason"], &receipt["found"]), (&Value::from("asked by letter"), &dry["found"]));
    assert_eq!(receipt["receipt_sha256"].as_str().unwrap().len(), 64);
    server.wait_for(" 404 ", || server.predict(&body(&ada)));
    assert_eq!(server.predict(&body(&bob)).split_once("\r\n\r\n").unwrap().1, of_bob);
    server.stop("-TERM");

    assert_eq!(naming(&project, &ada), Vec::<String>::new());
    assert!(naming(&project, &bob).len() >= 3);
    let log = std::fs::read_to_string(project.path("access.log")).unwrap();
    assert!(log.starts_with("{\"path\":\"/users/xxxx") && log.contains(&bob), "{log}");
    assert_eq!(project.run(&["data", "verify"]).code, 0);
    let nothing = project.json(&["forget", &ada, "--dry-run"]);
    assert_eq!(nothing["found"]["snapshots"], serde_json::json!([]));
    let again = project.run(&["forget", &ada]);
    assert!(again.code == 1 && again.stderr.contains("it was forgotten at"), "{}", again.stderr);

    // Without its list, or with a shorter one, the next ingest would bring the user back.
    let list = "data/snapshots/_ledger/forgotten.json";
    let good = std::fs::read(project.path(list)).unwrap();
    let empty = b"{\"format\":1,\"salt\":\"\",\"hashes\":[]}";
    let place = tempfile::tempdir().unwrap();
    let backup = place.path().join("b").display().to_string();
    for wrong in [Some(&empty[..]), None] {
        std::fs::remove_file(project.path(list)).unwrap();
        if let Some(wrong) = wrong {
            std::fs::write(project.path(list), wrong).unwrap();
        }
        for args in [&["data", "verify"][..], &["doctor"], &["backup", &backup]] {
            let run = project.run(args);
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(run.code == 1 && told.contains("the list of forgotten entities"), "{args:?}: {told}");
        }
        std::fs::write(project.path(list), &good).unwrap();
    }

    // Neither the same drop nor another one brings the user back.
    let month = format!("drops/month_{}", MONTHS[1]);
    assert!(project.ok(&["ingest", "--as-of", MONTHS[1], &month]).contains("unchanged"));
    let replaced = project.ok(&["ingest", "--as-of", "2024-04-30", &month]);
    assert!(replaced.contains("without 6 of entities that were to be forgotten"), "{replaced}");
    assert_eq!(project.json(&["forget", &ada, "--dry-run"])["found"]["snapshots"], serde_json::json!([]));
}

#[test]
fn what_names_nobody_or_too_much_is_refused() {
    let (project, [ada, _]) = project();
    let refused = |args: &[&str], expected: &str| {
        let run = project.run(args);
        assert!(run.code == 1 && run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    };
    refused(&["forget", "nobody"], "nothing names user_id \"nobody\", and nothing was changed");
    refused(&["forget", &ada, "--reason", &format!("{ada} asked")], "the reason names the entity");
    assert!(project.ok(&["forget", "nobody", "--dry-run"]).contains("Nothing names this entity."));
}

#[test]
fn a_word_that_is_nobody_is_refused_and_nothing_is_rewritten() {
    let (project, _) = project();
    for nobody in ["", " ", "\t"] {
        let run = project.run(&["forget", nobody]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("an empty text names nobody; name a value of"), "{}", run.stderr);
    }
    let stored = || {
        let files = ["data/snapshots", "data/models", "reports"].iter().flat_map(|part| project.files(part));
        let runs = project.json(&["flows", "runs"]);
        (files.collect::<Vec<_>>(), runs)
    };
    let before = stored();
    for word in ["calibrated", "columns", "div", "as_of", "tell", "echo"] {
        let run = project.run(&["forget", word]);
        let is_refused = run.stderr.contains("no table of any snapshot has user_id")
            || run.stderr.contains("nothing names user_id");
        assert!(run.code == 1 && is_refused, "{word}: {}", run.stderr);
        let dry = project.ok(&["forget", word, "--dry-run"]);
        assert!(dry.contains("No table of any snapshot") || dry.contains("Nothing names"), "{dry}");
    }
    assert!(stored() == before);
}

/// A project of two months with a report in which users have other names.
fn renamed(name: impl Fn(usize, &str) -> String) -> Project {
    let project = Project::with_sample(150);
    let mut names: Vec<String> = Vec::new();
    for month in MONTHS {
        let text = std::fs::read_to_string(project.path(&format!("drops/month_{month}/users.csv"))).unwrap();
        names.extend(text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()));
    }
    names.sort();
    names.dedup();
    for month in MONTHS {
        for (path, bytes) in project.files(&format!("drops/month_{month}")) {
            let mut text = String::from_utf8(bytes).unwrap();
            for (place, old) in names.iter().enumerate() {
                text = text.replace(old.as_str(), &name(place, old));
            }
            std::fs::write(path, text).unwrap();
        }
    }
    project
}

#[test]
fn a_user_who_is_named_like_a_word_of_ours_leaves_reports_that_are_read() {
    let project = renamed(|place, old| if place == 0 { "calibrated".to_owned() } else { old.to_owned() });
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    project.ok(&["forget", "calibrated"]);
    let doctor = project.run(&["doctor", "--format", "json"]);
    let value: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let reports = value["findings"].as_array().unwrap().iter().find(|line| line["check"] == "reports");
    assert_eq!(reports.unwrap()["what"], "reports: 1", "{value}");
}

#[test]
fn a_number_is_forgotten_however_it_is_spelled() {
    let project = renamed(|place, _| (40 + place).to_string());
    project.edit("streamflow.toml", |text| {
        let text = text.replace("user_id = \"string\"", "user_id = \"integer\"");
        format!("{text}\n[flows.tell]\nsteps = [{{ run = [\"echo\", \"user_id=44 and user_id=45\"] }}]\n")
    });
    project.ok(&["ingest", "--as-of", MONTHS[0], &format!("drops/month_{}", MONTHS[0])]);
    project.ok(&["flows", "run", "tell"]);
    project.edit("streamflow.toml", |text| text.split("[flows.tell]").next().unwrap().to_owned());
    project.ok(&["forget", "044"]);
    assert_eq!(naming(&project, "user_id=44"), Vec::<String>::new());
    assert!(!naming(&project, "user_id=45").is_empty());
    assert!(project.ok(&["forget", "44", "--dry-run"]).contains("Nothing names this entity."));
}

#[tokio::test]
async fn forgetting_killed_anywhere_goes_on() {
    let (project, [ada, bob]) = project();
    let faults = project.killed(&["forget", &ada], || {
        let verified = project.run(&["data", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        assert!(!naming(&project, &bob).is_empty());
    });
    // Whatever the last of them left, a server finishes.
    let up = Up::start(&project, &[]);
    crate::http::eventually("the rest is done", || async {
        match naming(&project, &ada) {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        }
    })
    .await;
    let audit = up.json("/api/streamflow/audit").await;
    let forgets = audit.as_array().unwrap().iter().filter(|entry| entry["action"] == "forget").count();
    assert_eq!(forgets, 1, "{audit}");
    up.server.stop("-TERM");
    let found = project.json(&["forget", &ada, "--dry-run"]);
    assert_eq!(found["found"]["snapshots"], serde_json::json!([]));
    assert_eq!(
        project.json(&["forget", &bob, "--dry-run"])["found"]["snapshots"].as_array().unwrap().len(),
        12
    );
    println!("kills of forgetting: {faults} faults, 0 lost");
}
