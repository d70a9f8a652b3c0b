//! `streamflow restore`: a backup becomes a data directory again.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Context, block_on, check_folder};
use crate::config::{Config, DEFAULT_FILE, StoreKind};
use crate::keep::restore::{Backup, Restored, Target};
use crate::terminal::bytes;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `streamflow backup` wrote: its folder or its archive
    from: PathBuf,
    /// Folder of the drift reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let backup = Backup::open(&args.from)?;
    let (config, place) = match Config::load_here(context.config_file.as_deref())? {
        Some(config) => (config, None),
        None => (backup.config()?, Some(PathBuf::from(DEFAULT_FILE))),
    };
    let (data_dir, report_dir) = (context.data_dir(&config), config.report_dir(args.report_dir.as_deref()));
    check_folder(&data_dir)?;
    check_folder(&report_dir)?;
    let target = Target { data_dir, report_dir, config: place };
    let progress = context.terminal.progress(0, "restoring");
    let restored = block_on(backup.restore(&target, &progress));
    progress.finish_and_clear();
    let restored = restored?;
    let is_distant = config.store.kind == StoreKind::Postgres;
    context.terminal.result(&restored, || text(&restored, is_distant))?;
    Ok(ExitCode::SUCCESS)
}

fn text(restored: &Restored, is_distant: bool) -> String {
    let mut text = format!(
        "Restored {} files, {}, of the backup of {} by release {}.\n  data directory  {}\n  reports         {}",
        restored.files,
        bytes(restored.bytes),
        restored.created_at,
        restored.streamflow,
        restored.data_dir.display(),
        restored.report_dir.display()
    );
    match &restored.config {
        Some(file) => text.push_str(&format!("\n  configuration   {}", file.display())),
        None => text.push_str("\n  configuration   as it is here; the backup's was left in the backup"),
    }
    if is_distant {
        text.push_str(
            "\nThe database is the file streamflow.db, and [store] names Postgres: bring it there with `streamflow \
             migrate --to postgres`, into an empty schema",
        );
    }
    if !restored.crashed_runs.is_empty() {
        let runs: Vec<String> = restored.crashed_runs.iter().map(i64::to_string).collect();
        text.push_str(&format!(
            "\nRuns that were active when the backup was made have ended as crashed: {}",
            runs.join(", ")
        ));
    }
    text
}
