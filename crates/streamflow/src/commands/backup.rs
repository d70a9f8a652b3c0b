//! `streamflow backup`: the data directory, the reports and the configuration, also while a server uses them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::{Context, block_on, check_parent};
use crate::keep::Origin;
use crate::keep::backup::{Made, backup};
use crate::terminal::bytes;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder, into which a further backup writes only what has changed, or one archive: NAME.tar, NAME.tar.gz (or .tgz) or NAME.tar.zst (or .tzst)
    to: PathBuf,
    /// Folder of the drift reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    check_parent(&args.to)?;
    if let Some(folder) = args.report_dir.as_ref().filter(|folder| !folder.is_dir()) {
        bail!(
            "there is no folder of reports {}, and no backup was made; is --report-dir (or REPORT_DIR) right?",
            folder.display()
        );
    }
    let config = context.config()?;
    let (data_dir, report_dir) = (context.data_dir(&config), config.report_dir(args.report_dir.as_deref()));
    let progress = context.terminal.progress(0, "backing up");
    let made = block_on(backup(&Origin { config, data_dir, report_dir }, &args.to, progress.clone()));
    progress.finish_and_clear();
    let made = made?;
    context.terminal.result(&made, || text(&made))?;
    Ok(ExitCode::SUCCESS)
}

fn text(made: &Made) -> String {
    let text = format!(
        "{} holds {} files, {}; {} of them, {}, were written now.",
        made.to.display(),
        made.files,
        bytes(made.bytes),
        made.written_files,
        bytes(made.written_bytes)
    );
    match &made.warning {
        Some(warning) => format!("{text}\nwarning: {warning}"),
        None => text,
    }
}
