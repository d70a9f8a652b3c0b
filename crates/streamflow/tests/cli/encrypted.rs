//! Databases that take encrypted connections alone: a Postgres with the tables and the store, and a Redis with features.

use serde_json::json;
use streamflow_oracles::{certificate, own_encrypted_postgres, own_redis};

use crate::http::user_ids;
use crate::later::{post, serving};
use crate::project::Project;

const AS_OF: &str = "2024-01-31";
const DROP: &str = "drops/month_2024-01-31";

/// A project with a sample, and certificates of the database and of somebody else.
fn project() -> Project {
    let project = Project::with_sample(200);
    ["db", "other"].iter().for_each(|name| certificate(project.dir.path(), name));
    project
}

#[test]
fn a_postgres_is_known_by_its_certificate() {
    let project = project();
    let of_server = (project.dir.path(), "db");
    let Some(server) = own_encrypted_postgres(of_server, "no table and no store was encrypted") else {
        return;
    };
    let name = |file: &str, host: &str, mode: &str, authority: &str| {
        let authority = project.path(authority);
        let parameters = format!("sslmode={mode}&sslrootcert={}", authority.display());
        let url = format!("{}?{parameters}", server.url().replace("127.0.0.1", host));
        std::fs::write(project.path(file), url).unwrap();
    };
    project.edit("streamflow.toml", |text| {
        text.replacen(
            "[dataset.label]",
            "[dataset.source.postgres]\nurl_file = \"tables.url\"\n\n[dataset.label]",
            1,
        )
    });
    name("tables.url", "127.0.0.1", "verify-full", "db-ca.pem");
    project.ok(&["ingest", "--as-of", AS_OF, DROP]);
    project.ok(&["data", "export", "--to", "postgres", "--as-of", AS_OF]);
    let ingest = ["--data-dir", "other", "ingest", "--as-of", AS_OF];
    assert_eq!(project.json(&ingest)["outcome"], "created");
    let wrong = [
        ("127.0.0.1", "verify-full", "other-ca.pem", "UnknownIssuer"),
        ("localhost", "verify-full", "db-ca.pem", "certificate not valid for name \"localhost\""),
        ("127.0.0.1", "disable", "db-ca.pem", "no encryption"),
    ];
    for (host, mode, authority, expected) in wrong {
        name("tables.url", host, mode, authority);
        let refused = project.run(&ingest);
        assert!(refused.code == 1 && refused.stderr.contains(expected), "{}", refused.stderr);
    }
    name("tables.url", "localhost", "verify-ca", "db-ca.pem");
    assert_eq!(project.json(&ingest)["outcome"], "unchanged");

    project.edit("streamflow.toml", |text| {
        text.replace("[store]\n", "[store]\nkind = \"postgres\"\nurl_file = \"store.url\"\n")
    });
    name("store.url", "127.0.0.1", "verify-full", "db-ca.pem");
    project.ok(&["flows", "runs"]);
    for (host, mode, authority, expected) in wrong {
        name("store.url", host, mode, authority);
        let refused = project.run(&["flows", "runs"]);
        assert!(refused.code == 1 && refused.stderr.contains(expected), "{}", refused.stderr);
    }
}

#[test]
fn a_redis_is_known_by_its_certificate() {
    let project = project();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let [file, key] = ["db.pem", "db.key"].map(|file| project.path(file).display().to_string());
    let settings =
        ["--tls-port", &port, "--tls-cert-file", &file, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(_redis) = own_redis(&settings, "no features were pushed encrypted") else { return };
    project.ok(&["ingest", "--as-of", AS_OF, DROP]);
    project.ok(&["train", "--as-of", AS_OF]);
    let original = std::fs::read_to_string(project.path("streamflow.toml")).unwrap();
    let configure = |host: &str, authority: &str| {
        let section = format!(
            "[features]\nsource = \"redis\"\nstore = \"rediss://{host}:{port}/0\"\nstore_ca_file = \"{authority}\"\ntimeout_ms = 5000\n"
        );
        project.edit("streamflow.toml", |_| original.replace("[features]\n", &section));
    };
    configure("127.0.0.1", "db-ca.pem");
    project.ok(&["features", "push"]);
    let server = serving(&project);
    let user = user_ids(&project, AS_OF).remove(0);
    let (status, answer) = post(&server, "/predict", "", &json!({ "user_id": user }));
    assert_eq!((status, &answer["features_from"]), (200, &json!("redis")), "{answer}");
    for (host, authority, expected) in [
        ("127.0.0.1", "other-ca.pem", "UnknownIssuer"),
        ("localhost", "db-ca.pem", "not valid for name"),
        ("127.0.0.1", "db.key", "holds no certificate in PEM"),
    ] {
        configure(host, authority);
        let refused = project.run(&["features", "push"]);
        assert!(refused.code == 1 && refused.stderr.contains(expected), "{}", refused.stderr);
    }
}
