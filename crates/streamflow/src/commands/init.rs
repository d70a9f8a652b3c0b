//! `streamflow init`: the files a new project begins with.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::LabelTask;

use super::{Context, TaskWord, check_folder};
use crate::config::DEFAULT_FILE;
use crate::console::hash_password;
use crate::files::write_aside;
use crate::random::random_hex;
use crate::templates::{self, Layout};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the project; created where it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What the label of the example is for, as that of `streamflow sample --task`
    #[arg(long, value_enum, default_value_t = TaskWord::Binary)]
    task: TaskWord,
    /// For how much the Docker Compose files are
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
    /// Write a kustomize base for Kubernetes in the place of the Docker Compose files; in a folder that has a project
    /// already, its configuration, rules and dashboards stay
    #[arg(long, conflicts_with = "size")]
    kubernetes: bool,
}

/// For how much the Docker Compose files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// One server that keeps everything in its data directory
    Small,
    /// Servers behind a proxy, one that runs the flows, and a Postgres that they share
    Large,
}

impl Args {
    fn layout(&self) -> Layout {
        match self.size {
            _ if self.kubernetes => Layout::Kubernetes,
            Size::Small => Layout::Small,
            Size::Large => Layout::Large,
        }
    }
}

/// Names of files, from the project's folder.
struct Written {
    files: Vec<&'static str>,
    /// Those that were there and stay.
    kept: Vec<&'static str>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let layout = args.layout();
    let written = write_for(&args.dir, args.task.into(), layout)?;
    let mut result = serde_json::json!({ "dir": args.dir, "files": written.files });
    if layout == Layout::Kubernetes {
        result["kept"] = serde_json::json!(written.kept);
    }
    context.terminal.result(&result, || told(&args.dir, &written, layout))?;
    Ok(ExitCode::SUCCESS)
}

/// What was written, and what comes next.
fn told(dir: &Path, written: &Written, layout: Layout) -> String {
    let mut text = format!("Wrote to {}:\n", dir.display());
    for file in &written.files {
        let _ = writeln!(text, "  {file}");
    }
    if !written.kept.is_empty() {
        let _ = writeln!(text, "There already, and as they were: {}", written.kept.join(", "));
    }
    if written.kept.contains(&DEFAULT_FILE) {
        text.push_str(
            "Several servers share a database: streamflow.toml must say kind = \"postgres\" under [store]\n",
        );
    }
    let next = match layout {
        Layout::Small => {
            "put your tables into streamflow.toml, then\n  \
             streamflow ingest --as-of YYYY-MM-DD DROP_FOLDER\n  streamflow train --as-of YYYY-MM-DD\n  streamflow serve"
        }
        Layout::Large => {
            "put your tables into streamflow.toml, then\n  docker compose up --detach\n  \
             docker compose run --rm --volume \"$PWD/drops:/drops:ro\" flows ingest --as-of YYYY-MM-DD /drops/FOLDER\n  \
             docker compose run --rm flows train --as-of YYYY-MM-DD"
        }
        Layout::Kubernetes => {
            "put your tables into streamflow.toml, name your image and your bucket in kustomization.yaml, make the \
             Secret that it describes, then\n  kubectl apply --kustomize"
        }
    };
    let _ = write!(text, "\nNext: {next}");
    if layout == Layout::Kubernetes {
        let _ = write!(text, " {}", dir.display());
    }
    text
}

/// Writes every file of a project of one machine below `dir`, or none when one of them is there already.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    write_for(dir, LabelTask::Binary, Layout::Small).map(drop)
}

/// As [`write`], with an example whose label is for the task, and deployed as `layout` says.
fn write_for(dir: &Path, task: LabelTask, layout: Layout) -> anyhow::Result<Written> {
    check_folder(dir)?;
    let (kept, files): (Vec<_>, Vec<_>) =
        layout.files().into_iter().partition(|file| dir.join(file.path).exists());
    // A project that ran on one machine goes to Kubernetes with its configuration.
    let is_own = |path: &str| layout.own_files().iter().any(|file| file.path == path);
    let refused: Vec<&str> =
        kept.iter().map(|f| f.path).filter(|path| layout != Layout::Kubernetes || is_own(path)).collect();
    if !refused.is_empty() {
        bail!(
            "{} already holds {}; nothing was written. Choose an empty folder (`streamflow init DIR`) or move these files away",
            dir.display(),
            refused.join(", ")
        );
    }
    for file in &files {
        let path = dir.join(file.path);
        write_aside(&path, file.contents_for(task, layout).as_bytes()).with_context(|| {
            format!(
                "cannot write {}; choose a folder you may write to: `streamflow init DIR`",
                path.display()
            )
        })?;
    }
    let paths = |files: Vec<&'static templates::Template>| files.iter().map(|file| file.path).collect();
    let mut written = Written { files: paths(files), kept: paths(kept) };
    if layout != Layout::Kubernetes && write_passwords(dir, layout)? {
        written.files.push(templates::ENV);
    }
    Ok(written)
}

/// Writes `.env` with passwords that nobody knows yet, readable by its owner alone. One that is there already is left as
/// it is: it may hold the passwords of servers that run.
fn write_passwords(dir: &Path, layout: Layout) -> anyhow::Result<bool> {
    let path = dir.join(templates::ENV);
    let mut options = std::fs::OpenOptions::new();
    let mut file = match options.write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        opened => opened.with_context(|| format!("cannot write {}", path.display()))?,
    };
    file.write_all(passwords(layout)?.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn passwords(layout: Layout) -> anyhow::Result<String> {
    let made_up = || random_hex::<24>().context("the system gives no random bytes");
    let mut text = format!(
        "# Read by docker compose. The first login of Grafana is admin with this password.\nGRAFANA_PASSWORD={}\n",
        made_up()?
    );
    if layout == Layout::Large {
        let console = made_up()?;
        let _ = writeln!(
            text,
            "# The password of the database, which its first start sets.\nPOSTGRES_PASSWORD={}",
            made_up()?
        );
        let _ = writeln!(
            text,
            "# The login of the console is admin with this password; the line below it is what the console knows of it.\n\
             CONSOLE_PASSWORD={console}\nSTREAMFLOW_CONSOLE_USERS='admin:{}'",
            hash_password(&console)?
        );
    }
    Ok(text)
}
