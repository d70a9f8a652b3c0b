//! `streamflow serve` beside the commands that change what it serves.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::project::Project;
use crate::server::Server;

#[test]
fn a_running_server_takes_what_is_newer_without_failing_a_request() {
    let project = Project::with_sample(300);
    let users = std::fs::read_to_string(project.path("drops/month_2024-02-29/users.csv")).unwrap();
    let first = std::fs::read_to_string(project.path("drops/month_2024-01-31/users.csv")).unwrap();
    // A user of both months: those who left are no longer served.
    let known = users.lines().skip(1).find(|line| first.contains(line.split(',').next().unwrap())).unwrap();
    let body = format!("{{\"user_id\":\"{}\"}}", known.split(',').next().unwrap());

    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let predict = || server.predict(&body);
    let answer = predict();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("Model or feature store not initialized"),
        "{answer}"
    );

    let month = |date: &str| project.ok(&["ingest", "--as-of", date, &format!("drops/month_{date}")]);
    month("2024-01-31");
    project.ok(&["train", "--as-of", "2024-01-31"]);
    server.wait_for("\"as_of\":\"2024-01-31\"", predict);

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let answer = predict();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        });
        month("2024-02-29");
        server.wait_for("\"as_of\":\"2024-02-29\"", predict);
        project.ok(&["train", "--as-of", "2024-02-29"]);
        assert!(predict().contains("\"version\":\"1\""), "a second version waits for its promotion");
        project.ok(&["models", "promote", "2"]);
        server.wait_for("\"version\":\"2\"", predict);
        project.ok(&["models", "rollback"]);
        server.wait_for("\"version\":\"1\"", predict);
        done.store(true, Ordering::Relaxed);
        traffic.join().unwrap();
    });
    server.stop("-TERM");
}

#[test]
fn reports_that_monitor_wrote_elsewhere_are_told_as_metrics() {
    let project = Project::with_sample(300);
    let months = ["2024-01-31", "2024-02-29"];
    for month in months {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    let elsewhere = ["--report-dir", "elsewhere"];
    let monitor = ["monitor", "--reference", months[0], "--current", months[1]];
    project.ok(&[&monitor[..], &elsewhere].concat());
    let serve = [&["serve", "--listen", "127.0.0.1:0"][..], &elsewhere].concat();
    let server = Server::start(&project, &serve, "listening on http://");
    server.wait_for_metric("streamflow_drift_share_threshold", 0.3);
    server.stop("-TERM");
}

#[test]
fn a_key_file_is_read_again_when_it_changes_and_a_damaged_one_changes_nothing() {
    let project = Project::new();
    project.edit("streamflow.toml", |text| text.replace("[api]\n", "[api]\nkey_file = \"keys.toml\"\n"));
    let new_key = |name: &str| {
        let made = project.json(&["api-key", "new", name]);
        ["key", "line"].map(|part| made[part].as_str().unwrap().to_owned())
    };
    let ([first, first_line], [second, second_line]) = (new_key("first"), new_key("second"));
    let write = |text: &str| std::fs::write(project.path("keys.toml"), text).unwrap();
    write("");
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let predict = |key: &str| server.predict_with(key, "{\"user_id\":\"x\"}");
    // Without a model, who has a key is told so.
    let (refused, let_in) = ("HTTP/1.1 401", "HTTP/1.1 503");
    assert!(predict(&first).starts_with(refused), "an empty key file lets nobody in");
    write(&first_line);
    server.wait_for(let_in, || predict(&first));
    assert!(predict(&second).starts_with(refused));
    write("first = 5");
    // It is looked at every two seconds: what is written next is read after it.
    let looked_at = std::time::Instant::now();
    while looked_at.elapsed().as_secs() < 5 {
        assert!(predict(&first).starts_with(let_in), "the keys of before stay");
        std::thread::park_timeout(std::time::Duration::from_millis(200));
    }
    write(&second_line);
    server.wait_for(let_in, || predict(&second));
    assert!(predict(&first).starts_with(refused), "a key that is gone is refused");
    server.stop("-TERM");
}
