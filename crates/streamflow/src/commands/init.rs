//! `streamflow init`: the files a new project begins with.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::LabelTask;

use super::{Context, TaskWord, check_folder};
use crate::files::write_aside;
use crate::random::random_hex;
use crate::templates;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the project; created where it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What the label of the example is for, as that of `streamflow sample --task`
    #[arg(long, value_enum, default_value_t = TaskWord::Binary)]
    task: TaskWord,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let written = write_for(&args.dir, args.task.into())?;
    context.terminal.result(&serde_json::json!({ "dir": args.dir, "files": written }), || {
        let files = written.iter().map(|file| format!("  {file}\n")).collect::<String>();
        format!(
            "Wrote to {}:\n{files}\nNext: put your tables into streamflow.toml, then\n  \
             streamflow ingest --as-of YYYY-MM-DD DROP_FOLDER\n  streamflow train --as-of YYYY-MM-DD\n  streamflow serve",
            args.dir.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes every template below `dir`, or none when one of the files is there already.
pub fn write(dir: &Path) -> anyhow::Result<Vec<&'static str>> {
    write_for(dir, LabelTask::Binary)
}

/// As [`write`], with an example whose label is for the task.
fn write_for(dir: &Path, task: LabelTask) -> anyhow::Result<Vec<&'static str>> {
    check_folder(dir)?;
    let there: Vec<&str> =
        templates::FILES.iter().map(|f| f.path).filter(|path| dir.join(path).exists()).collect();
    if !there.is_empty() {
        bail!(
            "{} already holds {}; nothing was written. Choose an empty folder (`streamflow init DIR`) or move these files away",
            dir.display(),
            there.join(", ")
        );
    }
    for file in templates::FILES {
        let path = dir.join(file.path);
        write_aside(&path, file.contents_for(task).as_bytes()).with_context(|| {
            format!(
                "cannot write {}; choose a folder you may write to: `streamflow init DIR`",
                path.display()
            )
        })?;
    }
    let mut written: Vec<&str> = templates::FILES.iter().map(|f| f.path).collect();
    if write_password(dir)? {
        written.push(templates::ENV);
    }
    Ok(written)
}

/// Writes `.env` with a password for Grafana that nobody knows yet, readable by its owner alone. One that is there
/// already is left as it is: it may hold the password of a Grafana that runs.
fn write_password(dir: &Path) -> anyhow::Result<bool> {
    let path = dir.join(templates::ENV);
    let mut options = std::fs::OpenOptions::new();
    let mut file = match options.write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        opened => opened.with_context(|| format!("cannot write {}", path.display()))?,
    };
    let password = random_hex::<24>().context("the system gives no random bytes")?;
    writeln!(file, "# Read by docker compose. The first login of Grafana is admin with this password.\nGRAFANA_PASSWORD={password}")
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}
