//! Flows that run by themselves while a server is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::http::{client, eventually, predict, user_ids};
use crate::project::{Project, course};
use crate::up::Up;

/// A project with these lines in its configuration.
fn configured(lines: &str) -> Project {
    let project = Project::new();
    project.edit("streamflow.toml", |text| format!("{text}\n{lines}\n"));
    project
}

async fn runs(up: &Up, filter: &str) -> Vec<Value> {
    up.json(&format!("/api/streamflow/runs{filter}")).await.as_array().unwrap().clone()
}

async fn wait_for_runs(up: &Up, filter: &str, least: usize) -> Vec<Value> {
    let what = format!("{least} runs of {filter}");
    eventually(&what, || async {
        let found = runs(up, filter).await;
        if found.len() >= least { Ok(()) } else { Err(found) }
    })
    .await;
    runs(up, filter).await
}

async fn post(up: &Up, path: &str, body: Value) -> (u16, Value) {
    let token = up.token().await;
    let request = up.client.post(format!("{}{path}", up.console)).json(&body);
    let answer = request.header("X-StreamFlow-Token", token).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn each_scheduled_time_starts_one_run_and_a_second_server_none() {
    let project = configured(
        "[flows.tick]\nschedule = { every = \"1s\" }\nsteps = [{ run = [\"true\"] }]\n\
         [flows.after]\non = [\"flow:tick\"]\nsteps = [{ run = [\"true\"] }]",
    );
    let first = Up::start(&project, &[]);
    let second = project.run(&["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    assert!(second.stderr.contains("is another StreamFlow running on it?"), "{}", second.stderr);
    let ticks = wait_for_runs(&first, "?flow=tick&state=completed", 3).await;
    let mut due: Vec<&str> = ticks.iter().map(|run| run["due"].as_str().unwrap()).collect();
    let all = due.len();
    due.sort_unstable();
    due.dedup();
    assert_eq!(due.len(), all, "no time twice");
    wait_for_runs(&first, "?flow=after&state=completed", 2).await;

    let (status, flow) = post(&first, "/api/streamflow/flows/tick/schedule", json!({ "paused": true })).await;
    assert_eq!((status, &flow["paused"]), (200, &json!(true)));
    first.server.stop("-TERM");
}

#[tokio::test]
async fn a_drop_in_the_watched_folder_becomes_a_month() {
    let project = Project::with_sample(300);
    project.edit("streamflow.toml", |text| {
        format!("{text}\n[flows.ingest_month]\nwatch = \"inbox\"\n[flows.evaluate_month]\non = [\"snapshot\", \"webhook\"]\n")
    });
    let up = Up::start(&project, &[]);
    std::fs::create_dir(project.path("inbox")).unwrap();
    std::fs::rename(project.path("drops/month_2024-01-31"), project.path("inbox/month_2024-01-31")).unwrap();
    std::fs::write(project.path("inbox/month_2024-01-31/_SUCCESS"), "").unwrap();
    let ingested = wait_for_runs(&up, "?flow=ingest_month&state=completed", 1).await;
    assert_eq!(ingested[0]["period"], "2024-01-31");
    assert!(ingested[0]["cause"].as_str().unwrap().starts_with("drop "), "{}", ingested[0]);
    // There is no model to evaluate yet, which the run says.
    let evaluated = wait_for_runs(&up, "?flow=evaluate_month&state=failed", 1).await;
    assert!(evaluated[0]["message"].as_str().unwrap().contains("no model was trained yet"));
    assert_eq!(evaluated[0]["cause"], "snapshot 2024-01-31");

    let (status, run) = post(&up, "/api/streamflow/hooks/evaluate_month", json!({})).await;
    assert_eq!((status, &run["cause"]), (200, &json!("webhook")), "{run}");
    let hook = format!("{}/api/streamflow/hooks/evaluate_month", up.console);
    let answer = up.client.post(&hook).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "without a body or a type of it");
    let answer = up.client.post(&hook).body("as_of").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 415, "a body says what it is");
    let (status, _) = post(&up, "/api/streamflow/hooks/train_model", json!({})).await;
    assert_eq!(status, 404, "a flow without webhook has no hook");
    let (status, refused) =
        post(&up, "/api/streamflow/flows/train_model/run", json!({ "parameters": { "as_off": 1 } })).await;
    assert_eq!(status, 422);
    assert!(refused["error"].as_str().unwrap().contains("did you mean as_of?"), "{refused}");
    up.server.stop("-TERM");
}

#[tokio::test]
async fn a_server_that_was_killed_goes_on_with_its_runs() {
    let Some(course) = course() else { return };
    let project = configured("[flows.monthly]\nparameters = { promote = \"yes\" }");
    let month = |number: &str| course.join(format!("month_{number}")).to_string_lossy().into_owned();
    project.ok(&["ingest", "--as-of", "2024-01-31", &month("000")]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let up = Up::start(&project, &[]);
    let body = json!({ "parameters": { "as_of": "2024-02-29", "drop": month("001") } });
    let (status, run) = post(&up, "/api/streamflow/flows/monthly/run", body).await;
    assert_eq!(status, 200, "{run}");
    let path = format!("/api/streamflow/runs/{}", run["id"]);
    eventually("the run trains", || async {
        let run = up.json(&path).await;
        let trains = run["tasks"].as_array().unwrap().iter().any(|task| task["name"] == "train");
        if trains { Ok(()) } else { Err(run["tasks"].clone()) }
    })
    .await;
    up.server.kill();

    let up = Up::start(&project, &[]);
    eventually("the run goes on to its end", || async {
        let run = up.json(&path).await;
        if run["state"] == "completed" { Ok(()) } else { Err(run["state_name"].clone()) }
    })
    .await;
    let run = up.json(&path).await;
    assert_eq!((&run["state_name"], &run["attempt"]), (&json!("PROMOTED"), &json!(2)), "{run}");
    let audit = up.json("/api/streamflow/audit").await;
    let promoted: Vec<&str> = audit
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["action"] == "promote")
        .map(|e| e["subject"].as_str().unwrap())
        .collect();
    assert_eq!(promoted, ["churn version 2", "churn version 1"]);
    let models = up.json("/api/streamflow/models").await;
    assert_eq!((&models["production"], models["versions"].as_array().unwrap().len()), (&json!(2), 2));
    let performance = up.json("/api/streamflow/performance").await;
    assert_eq!(performance[0]["evaluation"]["verdict"]["decision"], "fallen");
    up.server.stop("-TERM");
}

#[tokio::test]
async fn a_promotion_under_load_fails_no_request() {
    let project = Project::new();
    project.ok(&["sample", "--out", "drops", "--rows", "2000", "--months", "2", "--relation-month", "2"]);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let up = Up::start(&project, &[]);
    // Who has left by the second month is not known any more once it is served.
    let mut users = user_ids(&project, "2024-01-31");
    let stay = user_ids(&project, "2024-02-29");
    users.retain(|user| stay.contains(user));
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|place| {
            let (client, url, users, is_over) = (client(), up.api.clone(), users.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut codes = BTreeMap::<u16, usize>::new();
                for user in users.iter().cycle().skip(place * 100) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    *codes.entry(predict(&client, &url, user).await).or_default() += 1;
                }
                codes
            })
        })
        .collect();
    let drop = project.path("drops/month_2024-02-29");
    let given = json!({ "parameters": { "as_of": "2024-02-29", "drop": drop } });
    let (status, told) = post(&up, "/api/streamflow/flows/monthly/run", given).await;
    assert!(status < 300, "{status} {told}");
    let ended = wait_for_runs(&up, "?flow=monthly&state=completed", 1).await;
    assert_eq!(ended[0]["state_name"], "PROMOTED", "{}", ended[0]);
    let url = format!("{}/predict", up.api);
    eventually("the promoted version answers", || async {
        let body = json!({ "user_id": users[0] });
        let answer: Value = up.client.post(&url).json(&body).send().await.unwrap().json().await.unwrap();
        if answer["model"]["version"] == "2" { Ok(()) } else { Err(answer) }
    })
    .await;
    is_over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for client in clients {
        for (code, count) in client.await.unwrap() {
            assert_eq!(code, 200, "{count} requests");
            answered += count;
        }
    }
    assert!(answered > 100, "only {answered} requests");
    eprintln!("{answered} requests over a promotion, 0 failed");
    up.server.stop("-TERM");
}
