//! Months into Postgres and out of it, as a user moves them.

use crate::project::Project;

const AS_OF: &str = "2024-01-31";
const DROP: &str = "drops/month_2024-01-31";

/// Has the configuration name the database whose URL stands in the file `url`.
fn name_database(project: &Project, url: &str) {
    std::fs::write(project.path("url"), format!("{url}\n")).unwrap();
    project.edit("streamflow.toml", |text| {
        let section = "[dataset.source.postgres]\nurl_file = \"url\"\n\n[dataset.label]";
        text.replacen("[dataset.label]", section, 1)
    });
}

#[test]
fn a_month_goes_into_the_database_and_comes_back_as_it_was() {
    let Some(server) = streamflow_oracles::own_postgres("no month was exported or read") else { return };
    let project = Project::with_sample(300);
    let refused = project.run(&["ingest", "--as-of", AS_OF]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("say where the tables are, in [dataset.source.postgres]"),
        "{}",
        refused.stderr
    );
    let refused = project.run(&["flows", "run", "ingest_month", "--param", "as_of=2024-01-31"]);
    assert!(refused.stderr.contains("flow ingest_month needs drop"), "{}", refused.stderr);
    name_database(&project, &server.url());
    project.ok(&["ingest", "--as-of", AS_OF, DROP]);
    let export = ["data", "export", "--to", "postgres", "--as-of", AS_OF];
    let first = project.json(&export);
    assert!(first["exported"][0]["tables"].as_array().unwrap().iter().all(|table| table["created"] == true));
    let again = project.json(&export);
    for table in again["exported"][0]["tables"].as_array().unwrap() {
        assert_eq!((&table["rows"], &table["replaced"]), (&300.into(), &300.into()));
    }
    // Into an empty data directory, by a command and by the flow that a schedule starts.
    let ingest = ["--data-dir", "other", "ingest", "--as-of", AS_OF];
    let made = project.json(&ingest);
    assert_eq!((&made["outcome"], &made["revision"]), (&"created".into(), &1.into()));
    assert_eq!(made["tables"]["users"]["source"], "users_snapshots");
    assert_eq!(project.json(&ingest)["outcome"], "unchanged");
    let flow = ["--data-dir", "other", "flows", "run", "ingest_month", "--param", "as_of=2024-01-31"];
    assert!(project.ok(&flow).contains("unchanged"));
    // What the server has no more is an error that names it, and the month stays.
    let missing = project.run(&["--data-dir", "other", "ingest", "--as-of", "2024-02-29"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("users_snapshots: has no rows as of 2024-02-29"), "{}", missing.stderr);
    server.stop();
    let away = project.run(&ingest);
    assert_eq!(away.code, 1);
    assert!(away.stderr.contains("cannot connect to the database postgres at 127.0.0.1"), "{}", away.stderr);
    server.start();
    assert_eq!(project.json(&ingest)["outcome"], "unchanged");
}
