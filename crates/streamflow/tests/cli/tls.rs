//! Encrypted listeners of the real binary: its own certificate, those of clients, and a certificate that is replaced.

use std::path::Path;
use std::process::Command;

use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use streamflow_oracles::certificate;

use crate::http::{client, eventually};
use crate::project::Project;
use crate::server::Server;

fn read(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap()
}

/// A client that trusts one authority, with a certificate of its own or without.
fn trusting(dir: &Path, authority: &str, own: Option<&str>) -> Client {
    // For its provider of cryptography.
    drop(client());
    let authority = Certificate::from_pem(&read(dir, &format!("{authority}-ca.pem"))).unwrap();
    let builder = Client::builder().no_proxy().tls_certs_only([authority]);
    let builder = match own {
        None => builder,
        Some(name) => {
            let pem = [read(dir, &format!("{name}.pem")), read(dir, &format!("{name}.key"))].concat();
            builder.identity(Identity::from_pem(&pem).unwrap())
        }
    };
    builder.build().unwrap()
}

#[tokio::test]
async fn both_planes_are_encrypted_and_ask_for_certificates_where_they_should() {
    let project = Project::new();
    let dir = project.dir.path().to_path_buf();
    ["server", "next", "client", "stranger"].iter().for_each(|name| certificate(&dir, name));
    project.edit("streamflow.toml", |text| {
        let tls = "tls = { cert_file = \"server.pem\", key_file = \"server.key\"";
        let text = text.replace("[console]\n", &format!("[console]\n{tls} }}\n"));
        let text = text.replace("[api]\n", &format!("[api]\n{tls}, client_ca_file = \"client-ca.pem\" }}\n"));
        text.replace("scrape_interval_seconds = 10", "scrape_interval_seconds = 1")
    });
    let args = ["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let mut server = Server::start(&project, &args, "listening on https://");
    let api = server.url().replace("http://", "https://");
    let console = server.next_line().strip_prefix("console on ").unwrap().trim_end_matches('/').to_owned();

    let known = trusting(&dir, "server", Some("client"));
    assert_eq!(known.get(format!("{api}/health")).send().await.unwrap().status(), 200);
    for unknown in [trusting(&dir, "server", None), trusting(&dir, "server", Some("stranger"))] {
        assert!(unknown.get(format!("{api}/health")).send().await.is_err());
    }
    let distrusting = trusting(&dir, "next", Some("client"));
    assert!(distrusting.get(format!("{api}/health")).send().await.is_err());

    // Who logs in nowhere reads the console without a certificate.
    let reader = trusting(&dir, "server", None);
    let get = async |path: &str| -> Value {
        reader.get(format!("{console}{path}")).send().await.unwrap().json().await.unwrap()
    };
    let token = get("/api/streamflow/session").await["token"].as_str().unwrap().to_owned();
    let asked = reader.post(format!("{console}/api/streamflow/predict")).header("x-streamflow-token", token);
    let answer: Value =
        asked.json(&json!({ "entity": "nobody" })).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], 503, "the process asks itself: {answer}");
    eventually("the process scrapes itself", || async {
        let answer = get("/api/v1/query?query=up").await;
        let samples = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let host = |url: &str| url.split("://").nth(1).unwrap().to_owned();
        let is_up = |url: &str| {
            samples
                .iter()
                .any(|sample| sample["metric"]["instance"] == host(url) && sample["value"][1] == "1")
        };
        if is_up(&api) && is_up(&console) { Ok(()) } else { Err(answer) }
    })
    .await;

    std::fs::write(dir.join("server.key"), read(&dir, "next.key")).unwrap();
    std::fs::write(dir.join("server.pem"), read(&dir, "next.pem")).unwrap();
    eventually("the new certificate is shown", || async {
        trusting(&dir, "next", None).get(format!("{console}/-/healthy")).send().await
    })
    .await;
    server.stop("-TERM");
}

#[test]
fn grpc_is_encrypted_by_the_files_of_the_prediction_api() {
    let project = Project::new();
    certificate(project.dir.path(), "server");
    std::fs::write(project.path("churn.txt"), crate::foreign_models::MODEL).unwrap();
    project.edit("streamflow.toml", |text| {
        text.replace("[api]\n", "[api]\ntls = { cert_file = \"server.pem\", key_file = \"server.key\" }\n")
    });
    let args = ["serve", "--model", "churn.txt", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
    let mut server = Server::start(&project, &args, "listening on https://");
    let health = format!("{}/health", server.url().replacen("http:", "https:", 1));
    // Nobody here vouches for the certificate.
    let refused = project.run(&["ping", &health]);
    assert!(refused.code == 1 && refused.stderr.contains("--insecure"), "{}", refused.stderr);
    project.ok(&["ping", &health, "--insecure"]);
    let line = server.next_line();
    let address = line.strip_prefix("gRPC on ").unwrap();
    let shaken = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            address,
            "-alpn",
            "h2",
            "-CAfile",
            "server-ca.pem",
            "-verify_return_error",
        ])
        .current_dir(project.dir.path())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the test needs the program openssl");
    let said = String::from_utf8_lossy(&shaken.stdout);
    assert!(said.contains("ALPN protocol: h2") && said.contains("Verify return code: 0 (ok)"), "{said}");
    server.stop("-TERM");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_the_start() {
    let project = Project::new();
    let dir = project.dir.path().to_path_buf();
    ["server", "other"].iter().for_each(|name| certificate(&dir, name));
    std::fs::write(dir.join("empty.pem"), "").unwrap();
    let original = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
    for (cert, key, expected) in [
        ("server.pem", "other.key", "is not the key of the certificate in"),
        ("server.pem", "absent.key", "cannot read a private key in PEM from"),
        ("empty.pem", "server.key", "holds no certificate in PEM"),
    ] {
        let tls = format!("[api]\ntls = {{ cert_file = {cert:?}, key_file = {key:?} }}\n");
        project.edit("streamflow.toml", |_| original.replace("[api]\n", &tls));
        let run = project.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(run.code == 1 && run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
}
