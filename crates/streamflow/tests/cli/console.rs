//! The console plane of the real binary against clients that are slow, wrong, or behind a proxy.

use std::io::Write as _;
use std::net::TcpStream;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::http::client;
use crate::project::Project;
use crate::server::Server;

/// A running `up`, asked at its console.
pub struct Console {
    pub server: Server,
    pub url: String,
    pub client: reqwest::Client,
}

impl Console {
    fn start(project: &Project) -> Self {
        Self::start_with(project, &[])
    }

    /// With these environment variables.
    pub fn start_with(project: &Project, variables: &[(&str, &str)]) -> Self {
        let args = ["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        let mut command = project.command(&args);
        command.envs(variables.iter().copied());
        let mut server = Server::of(command, "listening on http://");
        let line = server.next_line();
        let url = line.strip_prefix("console on ").unwrap_or_else(|| panic!("{line}"));
        Self { url: url.trim_end_matches('/').to_owned(), server, client: client() }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// A request with these headers to a path; `POST PATH` with an empty object.
    pub async fn ask(&self, request: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("{}{path}", self.url);
        let request = self.client.request(method.parse().unwrap(), url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = if method == "GET" { request } else { request.json(&json!({})) }.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A login that came through a proxy from `address`.
    async fn log_in(&self, address: &str, password: &str) -> Response {
        let request = self.client.post(format!("{}/api/streamflow/login", self.url));
        let request = request.header("x-forwarded-for", address).header("x-forwarded-proto", "https");
        request.json(&json!({ "user": "ada", "password": password })).send().await.unwrap()
    }
}

/// A project whose `[console]` has these keys.
fn project(keys: &str) -> Project {
    let project = Project::new();
    project.edit("streamflow.toml", |text| {
        let edited = text.replace("[console]\n", &format!("[console]\n{keys}\n"));
        assert_ne!(edited, text, "the template no longer has [console]");
        edited
    });
    project
}

fn hash(project: &Project, password: &str) -> String {
    let mut command = project.command(&["hash-password"]);
    let piped = std::process::Stdio::piped;
    let mut process = command.stdin(piped()).stdout(piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn half_open_bodies_do_not_stop_it() {
    let console = Console::start(&project("max_connections = 300"));
    let address = console.url.strip_prefix("http://").unwrap();
    let half = "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 100\r\n\r\nquery=";
    let slow: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(console.get("/-/healthy").send().await.unwrap().status(), 200);
        let query = console.client.post(format!("{}/api/v1/query", console.url)).body("query=1");
        let query = query.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(query.send().await.unwrap().status(), 200);
    }
    drop(slow);
    console.server.stop("-TERM");
}

#[tokio::test]
async fn guessing_is_slowed_down_by_address_and_takes_bounded_memory() {
    let unconfigured = Project::new();
    let hash = hash(&unconfigured, "correct horse");
    let console =
        Console::start(&project(&format!("trusted_proxies = [\"127.0.0.1\"]\nusers = {{ ada = {hash:?} }}")));
    let before = console.server.resident_bytes();
    let mut wrong = 0;
    let refused = loop {
        let answer = console.log_in("9.9.9.9", "wrong").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        wrong += 1;
        assert!(wrong < 100, "nobody is ever refused");
    };
    assert!(wrong >= 10, "refused after {wrong}");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    for last in 0..10 {
        assert_eq!(
            console.log_in(&format!("9.9.8.{last}"), "wrong").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let accepted = console.log_in("9.9.7.1, 127.0.0.1", "correct horse").await;
    assert_eq!(accepted.status(), StatusCode::NO_CONTENT);
    let cookie = accepted.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-streamflow_session=") && cookie.contains("; Secure"), "{cookie}");
    let grown = console.server.resident_bytes().saturating_sub(before);
    assert!(grown <= 64 << 20, "{grown} bytes more");

    // A path that is open checks no password, so one that was never checked is not known there.
    let session = console.get("/api/streamflow/session").basic_auth("ada", Some("correct horse"));
    let session: serde_json::Value = session.send().await.unwrap().json().await.unwrap();
    assert_eq!(session["login_required"], true);
    console.server.stop("-TERM");
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_host_that_was_asked_for() {
    for (keys, expected) in [
        ("hosts = [\"ops.example\"]\ntrusted_proxies = [\"127.0.0.0/8\"]", 200),
        ("trusted_proxies = [\"127.0.0.0/8\"]", 421),
        // Without trust the header says nothing, and the page is one of another site.
        ("hosts = [\"ops.example\"]", 403),
    ] {
        let console = Console::start(&project(keys));
        let session: serde_json::Value =
            console.get("/api/streamflow/session").send().await.unwrap().json().await.unwrap();
        let request = console.client.post(format!("{}/api/streamflow/logout", console.url));
        let request = request
            .header("x-forwarded-host", "ops.example:443, inner:9090")
            .header("origin", "https://ops.example")
            .header("x-streamflow-token", session["token"].as_str().unwrap());
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(if status == 204 { 200 } else { status }, expected, "{keys}");
        console.server.stop("-TERM");
    }
}

#[tokio::test]
async fn an_open_console_is_read_by_its_own_names_alone() {
    let console = Console::start(&project("hosts = [\"ops.example\"]"));
    for path in [
        "/api/v1/query?query=up",
        "/api/v1/status/config",
        "/metrics",
        "/reports/x.html",
        "/api/streamflow/runs/1/log.txt",
        "/api/streamflow/openapi.json",
    ] {
        let status = async |host: &str| {
            let asked = console.get(path).header("host", host).send().await.unwrap();
            asked.status().as_u16()
        };
        assert_eq!(status("evil.example:9090").await, 421, "{path}");
        for known in ["ops.example:9090", "10.0.0.7:9090", "streamflow:9090"] {
            assert!([200, 404].contains(&status(known).await), "{path} by {known}");
        }
    }
    let probed = console.get("/-/healthy").header("host", "evil.example").send().await.unwrap();
    assert_eq!(probed.status().as_u16(), 200);
    let refused = console.get("/metrics").header("host", "evil.example").send().await.unwrap();
    let text = refused.text().await.unwrap();
    assert!(text.contains("Prometheus") && text.contains("console.hosts = "), "{text}");
    console.server.stop("-TERM");
}

#[tokio::test]
async fn a_role_bounds_what_a_program_may_do() {
    let project = Project::new();
    let tokens = "viewer:v, operator:o, a";
    let console = Console::start_with(&project, &[("STREAMFLOW_API_TOKENS", tokens)]);
    const REFUSED: u16 = 403;
    for (request, [viewer, operator, admin]) in [
        ("GET /api/streamflow/models", [200, 200, 200]),
        ("GET /api/v1/query?query=1", [200, 200, 200]),
        ("POST /api/v1/labels", [200, 200, 200]),
        ("POST /-/reload", [REFUSED, 200, 200]),
        ("POST /api/streamflow/models/rollback", [REFUSED, 422, 422]),
        ("POST /api/streamflow/runs/1/cancel", [REFUSED, 404, 404]),
        ("POST /api/streamflow/flows/no/run", [REFUSED, 404, 404]),
        ("POST /api/v1/write", [REFUSED, REFUSED, 415]),
        // Allowed to them, and not by the settings.
        ("PUT /api/v1/admin/tsdb/delete_series?match[]=up", [REFUSED, 500, 500]),
        ("POST /api/v1/admin/tsdb/clean_tombstones", [REFUSED, 500, 500]),
        ("POST /api/v1/admin/tsdb/snapshot", [REFUSED, 500, 500]),
        ("POST /api/v1/targets", [REFUSED, REFUSED, 405]),
    ] {
        for (token, expected) in [("v", viewer), ("o", operator), ("a", admin)] {
            let (status, answer) =
                console.ask(request, &[("authorization", &format!("Bearer {token}"))]).await;
            assert_eq!(status, expected, "{request} by {token}: {answer}");
        }
    }
    let (_, answer) =
        console.ask("POST /api/streamflow/models/rollback", &[("authorization", "Bearer v")]).await;
    assert_eq!(answer["error"], "this needs the role operator, and token 1 has the role viewer");
    let (_, session) = console.ask("GET /api/streamflow/session", &[("authorization", "Bearer v")]).await;
    assert_eq!(session["role"], "viewer");
    console.server.stop("-TERM");
}

#[tokio::test]
async fn a_trusted_proxy_names_users_and_nobody_else_does() {
    const USER: &str = "x-forwarded-user";
    const GROUPS: &str = "x-forwarded-groups";
    const LOGIN: &str = "proxy_login = { admin = [\"admins\"], operator = [\"ml\"], viewer = [\"staff\"] }";
    let console = Console::start(&project(&format!("trusted_proxies = [\"127.0.0.1\"]\n{LOGIN}")));
    let promote = "POST /api/streamflow/models/promote";
    let session = async |sent: &[(&str, &str)]| console.ask("GET /api/streamflow/session", sent).await.1;

    let operator = [(USER, "ada"), (GROUPS, "staff,ml")];
    let known = session(&operator).await;
    assert_eq!((&known["user"], &known["role"]), (&json!("ada"), &json!("operator")), "{known}");
    let token = known["token"].as_str().unwrap().to_owned();
    let with_token = [&operator[..], &[("x-streamflow-token", &token)]].concat();
    assert_eq!(console.ask(promote, &operator).await.0, 403, "without the token");
    assert_eq!(console.ask(promote, &with_token).await.0, 422, "the body is wrong, and nothing else");
    let of_other = [(USER, "bob"), (GROUPS, "ml"), ("x-streamflow-token", &token)];
    assert_eq!(console.ask(promote, &of_other).await.0, 403, "with the token of another user");
    let cross_site = [&with_token[..], &[("origin", "http://evil.example")]].concat();
    assert_eq!(console.ask(promote, &cross_site).await.0, 403, "from a page of another site");
    let viewer = [(USER, "eve"), (GROUPS, "staff")];
    let token = session(&viewer).await["token"].as_str().unwrap().to_owned();
    let (status, answer) =
        console.ask(promote, &[&viewer[..], &[("x-streamflow-token", &token)]].concat()).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("eve has the role viewer")), (403, true));
    for (sent, expected) in [
        (&[(USER, "eve")][..], 403),
        (&[(USER, "eve"), (USER, "ada"), (GROUPS, "admins")], 403),
        (&[(USER, "eve"), (GROUPS, "admins"), (GROUPS, "staff")], 403),
        (&[(GROUPS, "admins")], 401),
        (&[], 401),
    ] {
        assert_eq!(console.ask("GET /api/streamflow/models", sent).await.0, expected, "{sent:?}");
    }
    let stranger = session(&[(USER, "eve")]).await;
    assert!(stranger["refusal"].as_str().unwrap().contains("in no group"), "{stranger}");
    console.server.stop("-TERM");

    // The same headers straight from a client, whose address no proxy has.
    let console = Console::start(&project(&format!("trusted_proxies = [\"127.0.0.2\"]\n{LOGIN}")));
    let spoofed = [(USER, "ada"), (GROUPS, "admins"), ("x-forwarded-for", "127.0.0.2")];
    assert_eq!(console.ask("GET /api/streamflow/models", &spoofed).await.0, 401);
    assert_eq!(console.ask("GET /metrics", &spoofed).await.0, 401);
    assert_eq!(console.ask("POST /-/reload", &spoofed).await.0, 401);
    console.server.stop("-TERM");
}
