//! The audit trail of the real binary: one entry for each change, by whichever way it was asked for.

use serde_json::{Value, json};

use crate::console::Console;
use crate::project::Project;

/// Action, subject, detail and outcome of each entry, the oldest first.
fn told(entries: &Value) -> Vec<[String; 4]> {
    let entries = entries.as_array().unwrap().iter().rev();
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    entries.map(|entry| ["action", "subject", "detail", "outcome"].map(|name| text(&entry[name]))).collect()
}

#[tokio::test]
async fn every_change_through_the_console_leaves_one_entry() {
    let project = Project::new();
    project.edit("streamflow.toml", |text| {
        text.replace("[console]\n", "[console]\ntrusted_proxies = [\"127.0.0.1\"]\n")
            + "\n[flows.export]\non = [\"webhook\"]\nsteps = [{ name = \"say\", run = [\"true\"] }]\n"
    });
    let console = Console::start_with(&project, &[("STREAMFLOW_API_TOKENS", "a, viewer:v")]);
    let (admin, viewer) = (("authorization", "Bearer a"), ("authorization", "Bearer v"));
    let from = ("x-forwarded-for", "9.9.9.9");
    let rollback = "POST /api/streamflow/models/rollback";
    for (request, headers, expected) in [
        ("GET /api/streamflow/models", &[admin][..], 200),
        ("POST /api/v1/query?query=1", &[admin], 200),
        ("POST /-/reload", &[admin], 200),
        (rollback, &[admin, from], 422),
        (rollback, &[viewer, from], 403),
        (rollback, &[], 401),
        (rollback, &[admin, ("origin", "http://evil.example")], 403),
        ("POST /api/v1/write", &[admin], 415),
        ("PUT /api/v1/admin/tsdb/delete_series?match[]=up", &[admin], 500),
        ("POST /api/streamflow/hooks/export", &[admin], 200),
        ("POST /api/streamflow/runs/77/cancel?token=x", &[admin], 404),
    ] {
        let (status, answer) = console.ask(request, headers).await;
        assert_eq!(status, expected, "{request} {headers:?}: {answer}");
    }
    let body = json!({ "parameters": { "password": "hunter2", "as_of": "2024-01-31" } });
    let url = format!("{}/api/streamflow/flows/export/run", console.url);
    let started = console.client.post(url).bearer_auth("a").json(&body).send().await.unwrap();
    assert_eq!(started.status(), 200);

    let (_, entries) = console.ask("GET /api/streamflow/audit", &[viewer]).await;
    let no_earlier =
        "failed: 422 model churn has no earlier production version to return to; see `streamflow models ls`";
    let refused = "refused: this needs the role operator, and token 2 has the role viewer";
    let expected = [
        ["POST", "/-/reload", "{}", "done"],
        ["POST", "/api/streamflow/models/rollback", "{}", no_earlier],
        ["POST", "/api/streamflow/models/rollback", "", refused],
        ["PUT", "/api/v1/admin/tsdb/delete_series?match[]=up", "{}", "failed: 500"],
        ["POST", "/api/streamflow/hooks/export", "{}", "done"],
        ["POST", "/api/streamflow/runs/77/cancel?token=(hidden)", "{}", "failed: 404 there is no run 77"],
    ];
    let told = told(&entries);
    assert_eq!(told[..expected.len()], expected, "{entries:#}");
    let last = told.last().unwrap();
    assert!(last[2].contains("\"password\":\"(hidden)\"") && last[2].contains("2024-01-31"), "{last:?}");
    assert_eq!(told.len(), expected.len() + 1, "{entries:#}");
    assert!(!entries.to_string().contains("hunter2"), "{entries:#}");
    let refused = &entries[told.len() - 3];
    assert_eq!(
        (&refused["actor"], &refused["address"], &refused["proxy"]),
        (&json!("token 2"), &json!("9.9.9.9"), &json!("127.0.0.1"))
    );
    let (_, later) = console.ask("GET /api/streamflow/audit?since=2999-01-31T00:00:00Z", &[viewer]).await;
    assert_eq!(later, json!([]));
    for bad in ["audit?since=lately", "audit?limit=-1", "audit?limit=0", "promotions?limit=0", "runs?limit=0"]
    {
        assert_eq!(console.ask(&format!("GET /api/streamflow/{bad}"), &[viewer]).await.0, 422, "{bad}");
    }
    console.server.stop("-TERM");
}

#[test]
fn every_command_that_changes_something_leaves_one_entry() {
    let project = Project::with_sample(200);
    let drops = ["2024-01-31", "2024-03-31"];
    for month in drops {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
        project.ok(&["train", "--as-of", month]);
    }
    project.ok(&["models", "ls"]);
    project.ok(&["flows", "runs"]);
    project.ok(&["models", "promote", "2"]);
    project.ok(&["models", "rollback"]);
    assert_eq!(project.run(&["models", "promote", "9"]).code, 1);
    assert_eq!(project.run(&["models", "promote", "nine"]).code, 2);
    assert_eq!(project.run(&["flows", "run", "ingest_month", "--param", "secret_token=hunter2"]).code, 1);

    let entries = project.json(&["audit", "ls"]);
    let told: Vec<String> = told(&entries)
        .into_iter()
        .map(|[action, subject, _, outcome]| {
            format!("{action} {subject}: {}", outcome.split(';').next().unwrap_or_default())
        })
        .collect();
    let expected = [
        "command ingest --as-of 2024-01-31 drops/month_2024-01-31: done",
        "command train --as-of 2024-01-31: done",
        "promote churn version 1: done",
        "command ingest --as-of 2024-03-31 drops/month_2024-03-31: done",
        "command train --as-of 2024-03-31: done",
        "command models promote 2: done",
        "command models rollback: done",
        "command models promote 9: failed: model churn has no version 9",
    ];
    assert_eq!(told[..expected.len()], expected, "{entries:#}");
    assert!(told.last().unwrap().contains("secret_token=(hidden)"), "{told:#?}");
    assert!(!entries.to_string().contains("hunter2"));
    let whoami = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let whoami = String::from_utf8(whoami).unwrap();
    assert!(entries.as_array().unwrap().iter().all(|entry| {
        entry["action"] == "promote" || entry["actor"] == whoami.trim() && entry["address"] == Value::Null
    }));
    assert_eq!(project.json(&["audit", "ls", "--since", "2999-01-31"]), json!([]));
    let text = project.ok(&["audit", "ls", "--limit", "2"]);
    assert!(text.contains("this machine") && text.contains("models promote 9"), "{text}");
}

#[test]
fn what_a_failed_run_was_given_in_secret_is_told_nowhere() {
    let project = Project::new();
    let flow = "[flows.tell]\nsteps = [{ run = [\"false\", \"{db_password}\", \"{host}\"] }]";
    project.edit("streamflow.toml", |text| format!("{text}\n{flow}\n"));
    let host = "--param=host=https://ada:hunter3@example.com/?token=hunter4";
    let failed = project.run(&["flows", "run", "tell", "--param=db_password=hunter2", host]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(!failed.stderr.contains("hunter2"), "{}", failed.stderr);
    let entries = project.json(&["audit", "ls"]);
    assert!(!entries.to_string().contains("hunter"), "{entries:#}");
    let [action, subject, _, outcome] = &told(&entries)[0];
    assert_eq!(
        (action.as_str(), subject.as_str()),
        (
            "command",
            "flows run tell --param=db_password=(hidden) \
             --param=host=https://ada:hidden@example.com/?token=(hidden)"
        )
    );
    assert!(outcome.contains("failed: false (hidden) https://ada:hidden@example.com"), "{outcome}");
    let run = project.json(&["flows", "inspect", "1"]);
    assert!(!run["run"]["message"].as_str().unwrap().contains("hunter2"), "{run:#}");

    project.run(&["flows", "run", "tell", "--param", &format!("note={}", "long ".repeat(200))]);
    let text = project.ok(&["audit", "ls", "--limit", "1"]);
    assert!(text.contains('…') && text.matches("long").count() < 50, "{text}");
}
