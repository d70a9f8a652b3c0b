//! What surrounds a flow fails: the database is locked, the disk is full, the labels are not what they should be.

use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::flows::{first_month, left_by, monthly};
use crate::project::Project;

#[tokio::test]
async fn a_locked_database_is_waited_for() {
    let Some((project, drop)) = first_month() else { return };
    let args = monthly(&drop);
    let mut process = project
        .command(&args.each_ref().map(String::as_str))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let options = SqliteConnectOptions::new().filename(project.path("data/streamflow.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let lock = sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await;
    lock.expect("a writer gives way within the busy timeout");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(process.try_wait().unwrap(), None, "it waits");
    sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
    let status = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    assert!(status.success());
    assert_eq!(left_by(&project, 3).await.outcome, "PROMOTED");
}

/// Runs a command whose files cannot grow beyond so many blocks of 512 bytes, as on a disk that is full.
fn on_a_full_disk(project: &Project, args: &[&str], blocks: u32) -> (i32, String) {
    let inner = project.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh", &blocks.to_string()]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_full_disk_ends_a_run_in_words_and_the_next_one_goes_on() {
    let Some((project, drop)) = first_month() else { return };
    let args = monthly(&drop);
    let args = args.each_ref().map(String::as_str);
    project.ok(&args);
    let expected = left_by(&project, 3).await;

    let mut faults = 0;
    for blocks in [16, 160, 320, 480, 640, 960, 1280] {
        let Some((project, _)) = first_month() else { return };
        let (code, stderr) = on_a_full_disk(&project, &args, blocks);
        if code == 0 {
            continue;
        }
        faults += 1;
        assert_eq!(code, 1, "{blocks} blocks: {stderr}");
        assert!(stderr.contains("error: ") && !stderr.contains("panicked"), "{blocks} blocks: {stderr}");
        let runs = project.json(&["flows", "runs", "--flow", "monthly"]);
        let run = runs[0]["id"].as_i64();
        let again = match run {
            Some(run) => project.run(&["flows", "retry", &run.to_string()]),
            None => project.run(&args),
        };
        assert_eq!(again.code, 0, "{blocks} blocks: {}\n{stderr}", again.stderr);
        assert_eq!(left_by(&project, 3).await, expected, "{blocks} blocks");
    }
    assert!(faults >= 3, "only {faults} runs met the end of the disk");
    eprintln!("{faults} faults, 0 lost");
}

/// A month of generated users whose labels are made anew, ingested after one as it was generated.
fn with_labels(label: impl Fn(usize, &str) -> String, extra: &str) -> Project {
    let project = Project::with_sample(900);
    project.edit("streamflow.toml", |text| {
        let rule = "[[dataset.tables.labels.expectations]]\nexpect = \"expect_column_values_to_exist_in_table\"\ncolumn = \"user_id\"\ntable = \"users\"\n";
        assert!(text.contains(rule));
        text.replace(rule, "")
            .replace(
                "to_not_be_null\"\ncolumn = \"churn_label\"\n",
                "to_not_be_null\"\ncolumn = \"churn_label\"\nmostly = 0.0\n",
            )
    });
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project.edit("drops/month_2024-02-29/labels.csv", |text| {
        let mut lines = text.lines();
        let head = lines.next().unwrap().to_owned();
        let users = lines.map(|line| line.split(',').next().unwrap());
        let rows = users.enumerate().map(|(place, user)| format!("\n{user},{}", label(place, user)));
        format!("{head}{}{extra}\n", rows.collect::<String>())
    });
    project
}

#[test]
fn labels_that_decide_nothing_say_what_is_missing() {
    for (name, project, expected) in [
        ("one class", with_labels(|_, _| "False".to_owned(), ""), "of one class"),
        (
            "thirty labels",
            with_labels(|place, _| if place < 30 { (place % 2 == 0).to_string() } else { String::new() }, ""),
            "200 are needed",
        ),
    ] {
        let told = project.run(&[
            "flows",
            "run",
            "monthly",
            "--param",
            "as_of=2024-02-29",
            "--param",
            "drop=drops/month_2024-02-29",
        ]);
        assert_eq!(told.code, 0, "{name}: {}", told.stderr);
        let line = told.stdout.lines().find(|line| line.starts_with("[performance]")).unwrap_or_default();
        assert!(line.contains("-> UNDECIDED") && line.contains(expected), "{name}: {}", told.stdout);
    }
}

#[test]
fn labels_of_users_that_nobody_knows_are_counted_as_rows_without_features() {
    let project = with_labels(
        |place, _| (place % 3 == 0).to_string(),
        &(0..40).map(|n| format!("\nnobody-{n},True")).collect::<String>(),
    );
    let told = project.run(&["ingest", "--as-of", "2024-02-29", "drops/month_2024-02-29"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let evaluated = project.json(&["evaluate", "--as-of", "2024-02-29"]);
    let measured = &evaluated["realised"]["measured"];
    let rows = measured["rows"].as_u64().unwrap() + evaluated["left_out"].as_u64().unwrap();
    assert_eq!(rows, 900, "only users with features are scored: {measured}");
}
