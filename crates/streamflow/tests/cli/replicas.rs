//! Several servers of one data directory with Postgres: who runs the schedules, what reaches all of them, and what they
//! do while the database is away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};
use streamflow_oracles::{OwnPostgres, own_postgres, postgres};

use crate::features::keys;
use crate::http::{client, eventually, predict, user_ids};
use crate::project::Project;
use crate::server::Server;
use crate::up::Up;

/// Has a project keep its runs in a schema of this server.
fn with_postgres(project: &Project, url: &str, schema: &str) {
    std::fs::write(project.path("url"), url).unwrap();
    project.edit("streamflow.toml", |text| {
        let settings = format!("[store]\nkind = \"postgres\"\nurl_file = \"url\"\nschema = \"{schema}\"");
        let edited = text.replace("[store]", &settings);
        assert_ne!(edited, text, "the template no longer has [store]");
        edited
    });
}

/// A schema for the project of a test, where there is a server.
pub fn shared(project: &Project) -> Option<()> {
    let url = postgres("nothing was served from Postgres")?;
    let name = project.dir.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    with_postgres(project, &url, &format!("t{name}{}", std::process::id()));
    Some(())
}

/// A month ingested and a model trained.
fn trained(project: &Project) {
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
}

async fn ready(server: &Server) -> Value {
    let answer = client().get(format!("{}/ready", server.url())).send().await.unwrap();
    answer.json().await.unwrap()
}

/// Starts an `up` whose samples lie apart.
fn up(project: &Project, name: &str) -> Up {
    let dir = project.path(name);
    Up::start(project, &["--metrics-dir", dir.to_str().unwrap()])
}

fn signal(up: &Up, signal: &str) {
    let pid = up.server.pid().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

async fn ticks(up: &Up) -> Vec<Value> {
    up.json("/api/streamflow/runs?flow=tick&state=completed&limit=500").await.as_array().unwrap().clone()
}

/// Until this many more have completed.
async fn wait_for_more_ticks(up: &Up, more: usize) -> Vec<Value> {
    let before = ticks(up).await.len();
    eventually(&format!("{more} more ticks than {before}"), || async {
        let found = ticks(up).await;
        if found.len() >= before + more { Ok(found) } else { Err(found.len()) }
    })
    .await
}

fn each_once(ticks: &[Value]) {
    let mut due: Vec<&str> = ticks.iter().map(|run| run["due"].as_str().unwrap()).collect();
    let all = due.len();
    due.sort_unstable();
    due.dedup();
    assert_eq!(due.len(), all, "no time twice");
}

#[tokio::test]
async fn a_promotion_reaches_every_server() {
    let project = Project::with_sample(400);
    let Some(()) = shared(&project) else { return };
    trained(&project);
    project.ok(&["train", "--as-of", "2024-01-31", "--seed", "7"]);
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let servers = [(), ()].map(|()| Server::start(&project, &serve, "listening on http://"));
    for server in &servers {
        assert_eq!(ready(server).await["model"]["version"], "1");
    }
    project.ok(&["models", "promote", "2"]);
    for server in &servers {
        eventually("version 2 is served", || async {
            let found = ready(server).await;
            if found["model"]["version"] == "2" { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

/// Distinct entities and requests of the last quarter of an hour, as the page Live shows them.
async fn quarter(up: &Up) -> Value {
    let live = up.json("/api/streamflow/live").await;
    let of = &live["versions"][0]["windows"][0];
    json!([of["entities"], of["requests"]])
}

#[tokio::test]
async fn live_drift_is_that_of_all_servers() {
    let project = Project::with_sample(400);
    let Some(()) = shared(&project) else { return };
    trained(&project);
    let (first, second) = (up(&project, "samples-of-first"), up(&project, "samples-of-second"));
    for server in [&first, &second] {
        eventually("traffic is looked at", || async {
            let live = server.json("/api/streamflow/live").await;
            if live["why"].is_null() { Ok(()) } else { Err(live) }
        })
        .await;
    }
    let users = user_ids(&project, "2024-01-31");
    // Fifty ask both of them.
    for (server, of) in [(&first, &users[..200]), (&second, &users[150..300])] {
        for user in of {
            assert_eq!(predict(&server.client, &server.api, user).await, 200);
        }
    }
    let whole = json!([300, 350]);
    for server in [&first, &second] {
        eventually("the minute has ended", || async {
            let found = quarter(server).await;
            if found == whole { Ok(()) } else { Err(found) }
        })
        .await;
    }
    for (server, requests) in [(&first, 200), (&second, 150)] {
        let metrics = server.server.get("/metrics");
        assert!(
            metrics.contains("streamflow_live_window_entities{version=\"1\",window=\"15m\"} 300"),
            "{metrics}"
        );
        assert!(metrics.contains(&format!("\napi_requests_total {requests}")), "counted by each: {metrics}");
    }

    // What was stored outlives its server, and one that is asked to stop leaves its open minute too.
    first.server.kill();
    for user in &users[300..330] {
        assert_eq!(predict(&second.client, &second.api, user).await, 200);
    }
    // One of them sends the rest of its request when the server has been asked to stop.
    let body = json!({ "user_id": users[330] }).to_string();
    let mut late = TcpStream::connect(second.api.strip_prefix("http://").unwrap()).unwrap();
    let head =
        "POST /predict HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue";
    write!(late, "{head}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    let mut goes_on = [0; 25];
    late.read_exact(&mut goes_on).unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    signal(&second, "-TERM");
    eventually("nobody is let in any more", || async {
        match TcpStream::connect(late.peer_addr().unwrap()) {
            Ok(_) => Err("let in"),
            Err(_) => Ok(()),
        }
    })
    .await;
    late.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    second.server.stop("-TERM");
    eventually("the minute that was open is seen when it is over", || async {
        let status = project.json(&["live", "status"]);
        let of = &status["versions"][0]["windows"][0];
        let found = json!([of["entities"], of["requests"]]);
        if found == json!([331, 381]) { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn another_server_takes_over_and_a_stopped_leader_that_goes_on_does_nothing_twice() {
    let project = Project::new();
    let Some(()) = shared(&project) else { return };
    project.edit("streamflow.toml", |text| {
        format!("{text}\n[flows.tick]\nschedule = {{ every = \"1s\" }}\nsteps = [{{ run = [\"true\"] }}]\n")
    });
    let first = up(&project, "samples-of-first");
    wait_for_more_ticks(&first, 2).await;
    let second = up(&project, "samples-of-second");

    signal(&first, "-STOP");
    wait_for_more_ticks(&second, 3).await;
    signal(&first, "-CONT");
    // Both are up, and the one that was stopped answers from the same database.
    each_once(&wait_for_more_ticks(&first, 3).await);

    // Now the second leads. Its end is seen at once.
    second.server.kill();
    each_once(&wait_for_more_ticks(&first, 3).await);
    let third = up(&project, "samples-of-third");
    // A leader that is asked to stop gives its place up.
    first.server.stop("-TERM");
    each_once(&wait_for_more_ticks(&third, 3).await);
}

#[tokio::test]
async fn predictions_go_on_while_the_database_is_away_and_it_is_found_again() {
    let project = Project::with_sample(400);
    let Some(postgres): Option<OwnPostgres> = own_postgres("no database was stopped") else { return };
    with_postgres(&project, &postgres.url(), "streamflow");
    trained(&project);
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let user = user_ids(&project, "2024-01-31")[0].clone();
    let asks = client();
    assert_eq!(predict(&asks, &server.url(), &user).await, 200);
    server.wait_for("streamflow_database_up 1", || server.get("/metrics"));

    postgres.stop();
    server.wait_for("streamflow_database_up 0", || server.get("/metrics"));
    let away = ready(&server).await;
    assert_eq!(away["status"], "ready");
    assert!(away["database_away"]["trouble"].is_string(), "{away}");
    assert_eq!(predict(&asks, &server.url(), &user).await, 200);
    let refused = project.run(&["models", "ls"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("cannot open the database streamflow of 127.0.0.1:"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("does the server run"), "{}", refused.stderr);

    postgres.start();
    server.wait_for("streamflow_database_up 1", || server.get("/metrics"));
    assert_eq!(ready(&server).await.get("database_away"), None);
    project.ok(&["train", "--as-of", "2024-01-31", "--seed", "7"]);
    project.ok(&["models", "promote", "2"]);
    eventually("version 2 is served", || async {
        let found = ready(&server).await;
        if found["model"]["version"] == "2" { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn what_needs_a_database_that_is_away_is_answered_503_with_since_when() {
    let project = Project::with_sample(200);
    let Some(postgres) = own_postgres("no database was stopped under a console") else { return };
    with_postgres(&project, &postgres.url(), "streamflow");
    let settings = "url_file = \"url\"\ntimeout_seconds = 2";
    project.edit("streamflow.toml", |text| text.replace("url_file = \"url\"", settings));
    let [pipeline, _] = keys(&project);
    trained(&project);
    let user = user_ids(&project, "2024-01-31")[0].clone();
    let up = up(&project, "samples");
    up.server.wait_for("200 OK", || up.server.get("/ready"));
    postgres.stop();
    up.server.wait_for("streamflow_database_up 0", || up.server.get("/metrics"));

    let features = json!({ "monthly_fee": 1.0 });
    let body = json!({ "rows": [{ "user_id": user, "time": "2024-02-10T08:00:00Z", "features": features }] });
    let push = client().post(format!("{}/features", up.api)).header("x-api-key", pipeline).json(&body);
    let mut asked = vec![push];
    for page in ["runs", "models", "flows"] {
        asked.push(up.client.get(format!("{}/api/streamflow/{page}", up.console)));
    }
    for request in asked {
        let answer = request.send().await.unwrap();
        let url = answer.url().clone();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"1".parse().unwrap()),
            "{url}"
        );
        let body: Value = answer.json().await.unwrap();
        assert!(
            body["error"].as_str().unwrap().starts_with("the database is away since 20"),
            "{url}: {body}"
        );
    }
}

#[tokio::test]
async fn a_run_goes_on_over_a_restart_of_the_database() {
    let project = Project::new();
    let Some(postgres) = own_postgres("no database was restarted") else { return };
    with_postgres(&project, &postgres.url(), "streamflow");
    let waits = "[flows.waits]\nsteps = [{ run = [\"sh\", \"-c\", \"touch begun; until [ -e on ]; do sleep 0.1; done\"] }]";
    project.edit("streamflow.toml", |text| format!("{text}\n{waits}\n"));
    let mut run = project.command(&["flows", "run", "waits"]).spawn().unwrap();
    let begun = project.path("begun");
    eventually("the step has begun", || async { if begun.exists() { Ok(()) } else { Err("not yet") } }).await;
    postgres.stop();
    postgres.start();
    std::fs::write(project.path("on"), "").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(project.json(&["flows", "runs"])[0]["state"], "completed");
}

#[test]
fn a_project_goes_to_postgres_and_back() {
    let project = Project::with_sample(400);
    let Some(url) = postgres("nothing was migrated") else { return };
    trained(&project);
    let before = project.json(&["models", "ls"]);
    let name = project.dir.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    std::fs::write(project.path("url"), &url).unwrap();
    let settings = format!("[store]\nurl_file = \"url\"\nschema = \"m{name}{}\"", std::process::id());
    project.edit("streamflow.toml", |text| text.replace("[store]", &settings));

    let told = project.ok(&["migrate", "--to", "postgres"]);
    assert!(told.contains("both sides sum up to the same"), "{told}");
    assert!(told.contains("Set kind = \"postgres\" in [store]"), "{told}");
    let again = project.run(&["migrate", "--to", "postgres"]);
    assert!(again.stderr.contains("the target is not empty"), "{}", again.stderr);

    project.edit("streamflow.toml", |text| text.replace("[store]", "[store]\nkind = \"postgres\""));
    assert_eq!(project.json(&["models", "ls"]), before);
    project.ok(&["train", "--as-of", "2024-01-31", "--seed", "7"]);
    project.ok(&["backup", "backup.tar"]);
    std::fs::rename(project.path("data/streamflow.db"), project.path("old.db")).unwrap();
    let told = project.ok(&["migrate", "--to", "sqlite"]);
    assert!(told.contains("the schema in Postgres is as it was"), "{told}");
    project.edit("streamflow.toml", |text| text.replace("kind = \"postgres\"", "kind = \"sqlite\""));
    assert_eq!(project.json(&["models", "ls"]).as_array().unwrap().len(), 2);

    // The backup that was made of Postgres holds the same, as a file.
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = project.path("backup.tar");
    let restored = Project { dir: elsewhere };
    restored.ok(&["restore", archive.to_str().unwrap()]);
    restored.edit("streamflow.toml", |text| text.replace("kind = \"postgres\"", "kind = \"sqlite\""));
    assert_eq!(restored.json(&["models", "ls"]).as_array().unwrap().len(), 2);
}
