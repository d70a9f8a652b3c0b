//! `streamflow init`: the files a new project begins with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::{Context, check_folder};
use crate::files::write_aside;
use crate::templates;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the project; created where it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let written = write(&args.dir)?;
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
pub fn write(dir: &std::path::Path) -> anyhow::Result<Vec<&'static str>> {
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
        write_aside(&path, file.contents.as_bytes()).with_context(|| {
            format!(
                "cannot write {}; choose a folder you may write to: `streamflow init DIR`",
                path.display()
            )
        })?;
    }
    Ok(templates::FILES.iter().map(|f| f.path).collect())
}
