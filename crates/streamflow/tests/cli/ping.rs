//! `streamflow ping`, as a health check runs it.

use std::net::TcpListener;

use crate::project::Project;
use crate::server::Server;

#[test]
fn a_server_that_answers_is_told_from_one_that_does_not() {
    let project = Project::new();
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let (health, ready) = (format!("{}/health", server.url()), format!("{}/ready", server.url()));
    assert_eq!(project.ok(&["ping", &health]).trim_end(), format!("{health} answered 200"));
    assert_eq!(project.json(&["ping", &health])["status"], 200);

    for (url, expected) in [
        (ready.as_str(), "503 Service Unavailable; it has no model or no snapshot yet"),
        (&format!("{}/helth", server.url()), "is the URL right?"),
    ] {
        let run = project.run(&["ping", url]);
        assert_eq!(run.code, 1, "{}", run.stdout);
        assert!(run.stderr.contains(url) && run.stderr.contains(expected), "{}", run.stderr);
    }

    // A proxy of the environment is for other servers.
    let mut command = project.command(&["ping", &health]);
    let proxied = command.env("http_proxy", "http://127.0.0.1:1").env_remove("no_proxy").output().unwrap();
    assert!(proxied.status.success(), "{}", String::from_utf8_lossy(&proxied.stderr));

    server.stop("-TERM");
    let run = project.run(&["ping", &health]);
    assert!(run.code == 1 && run.stderr.contains("start a server with `streamflow serve`"), "{}", run.stderr);
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", silent.local_addr().unwrap());
    let run = Project::new().run(&["ping", &url, "--timeout", "1"]);
    assert!(run.code == 1 && run.stderr.contains("within 1 s"), "{}", run.stderr);
}
