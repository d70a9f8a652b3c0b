//! `streamflow data`: what is stored, as files: whole, and not for longer than it is wanted.

mod bucket;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};
use streamflow_dataset::{FileState, Period, Verification, VerifiedFile};
use tokio::runtime::Handle;

use super::{Context, actor, block_on, date};
use crate::config::PostgresTables;
use crate::keep;
use crate::keep::prune::{Fate, plan};
use crate::store::inspect::{inspect, is_there};
use crate::tables::{Exported, Stopped, export as export_month};
use crate::terminal::table;
use crate::workspace::{look_at, snapshots};

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Read every file of every snapshot, and every object that a bucket's records name, and name what is not as it was written; changes nothing without --adopt
    Verify {
        /// Record checksums of the files that an older release wrote without: from then on they count as what was written
        #[arg(long)]
        adopt: bool,
    },
    /// Bring what is new in the bucket of the data directory: months, versions of models, reports, kept answers
    Pull {
        /// Copy the working copy there, as a data directory without the bucket
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Folder of the drift reports [default: from the configuration, reports/drift]
        #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
        report_dir: Option<PathBuf>,
    },
    /// Put what the bucket of the data directory lacks into it; with --from a folder, which becomes the working copy
    Push {
        /// A data directory on this machine whose months and models go to the bucket; nothing in it is changed
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Send anew what is missing or damaged there of months and models, where the working copy has it as the records say
        #[arg(long)]
        repair: bool,
        /// Folder of the drift reports [default: from the configuration, reports/drift]
        #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
        report_dir: Option<PathBuf>,
    },
    /// Write ingested months into tables of a database, TABLE_snapshots, in the place of what those have of the same dates
    Export {
        /// Where to: the database that [dataset.source.postgres] of the configuration names
        #[arg(long, value_enum)]
        to: Destination,
        /// The month; repeat for more. Each is written whole or not at all
        #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date, required = true)]
        as_of: Vec<Period>,
    },
    /// Delete the months, versions of models, reports and runs that are past the limits of the configuration
    Prune {
        /// Say what would go and why, and what is kept although it is old; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Folder of the drift reports [default: from the configuration, reports/drift]
        #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
        report_dir: Option<PathBuf>,
    },
}

/// Where months are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Destination {
    /// Tables of a Postgres database
    Postgres,
}

impl Args {
    /// Checksums that are recorded count from then on; what is deleted is gone.
    pub fn changes_something(&self) -> bool {
        match self {
            Self::Verify { adopt } => *adopt,
            Self::Pull { .. } | Self::Push { .. } => true,
            Self::Prune { dry_run, .. } => !dry_run,
            Self::Export { .. } => true,
        }
    }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match args {
        Args::Verify { adopt } => verify(*adopt, context),
        Args::Pull { to, report_dir } => bucket::pull(to.as_deref(), report_dir.as_deref(), context),
        Args::Push { from, repair, report_dir } => {
            bucket::push(from.as_deref(), *repair, report_dir.as_deref(), context)
        }
        Args::Prune { dry_run, report_dir } => prune(*dry_run, report_dir.as_deref(), context),
        Args::Export { to: Destination::Postgres, as_of } => export(as_of, context),
    }
}

fn export(months: &[Period], context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let Some(settings) = PostgresTables::of(&config.dataset)? else {
        bail!(
            "the configuration names no database; add a section [dataset.source.postgres], and put its URL into the environment variable STREAMFLOW_TABLES_URL"
        );
    };
    let url = settings.url(&config.base)?;
    let data_dir = context.data_dir_now(&config)?;
    context.check_data_dir(&data_dir)?;
    let snapshots = Arc::new(look_at(&data_dir, config.dataset)?);
    let mut exported = Vec::new();
    for as_of in months.iter().copied() {
        let done = block_on(async {
            let (runtime, stopped): (_, Stopped) = (Handle::current(), Arc::new(|| false));
            let (settings, url, data) = (settings.clone(), url.clone(), snapshots.clone());
            let work = move || export_month(&settings, &url, (&*data, as_of), (&runtime, stopped));
            tokio::task::spawn_blocking(work).await?
        })?;
        exported.push((as_of, done));
    }
    let months = exported.iter().map(|(as_of, tables)| json!({ "as_of": as_of, "tables": tables }));
    context
        .terminal
        .result(&json!({ "exported": months.collect::<Vec<_>>() }), || exported_text(&exported))?;
    Ok(ExitCode::SUCCESS)
}

fn exported_text(exported: &[(Period, Vec<Exported>)]) -> String {
    let mut rows = table(["DATE", "TABLE", "INTO", "ROWS", ""]);
    for (as_of, tables) in exported {
        for done in tables {
            let what = match (done.created, done.replaced) {
                (true, _) => "a new table".to_owned(),
                (false, 0) => String::new(),
                (false, rows) => format!("in the place of {rows}"),
            };
            rows.add_row([
                as_of.to_string(),
                done.table.clone(),
                done.into.clone(),
                done.rows.to_string(),
                what,
            ]);
        }
    }
    rows.to_string()
}

fn prune(dry_run: bool, report_dir: Option<&Path>, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let fates = block_on(async {
        let workspace = context.workspace(config, report_dir).await?;
        let plan = plan(&workspace).await?;
        let gone = if dry_run { Vec::new() } else { keep::prune::prune(&workspace, &actor()).await? };
        // What was kept is told all the same.
        Ok(match dry_run {
            true => plan,
            false => gone.into_iter().chain(plan.into_iter().filter(|fate| !fate.goes)).collect(),
        })
    })?;
    let value = json!({ "dry_run": dry_run, "fates": fates });
    context.terminal.result(&value, || fates_text(&fates, dry_run))?;
    Ok(ExitCode::SUCCESS)
}

fn fates_text(fates: &[Fate], dry_run: bool) -> String {
    if fates.is_empty() {
        return "Nothing is past a limit: [snapshots], [model], [monitor] and [runs] of the configuration have them."
            .to_owned();
    }
    let word = |goes: bool| match (goes, dry_run) {
        (true, true) => "would go",
        (true, false) => "deleted",
        (false, _) => "kept",
    };
    let mut rows = table(["WHAT", "NAME", "", "WHY"]);
    for fate in fates {
        rows.add_row([fate.kind.as_str(), &fate.name, word(fate.goes), &fate.why]);
    }
    let gone = fates.iter().filter(|fate| fate.goes).count();
    format!("{rows}\n\n{gone} {}, {} kept although past a limit.", word(true), fates.len() - gone)
}

fn verify(adopt: bool, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    let objects = bucket::objects(&config, context)?;
    let is_in_bucket =
        objects.as_ref().is_some_and(|objects| objects.records > 0 || !objects.faults.is_empty());
    if !is_in_bucket && !data_dir.join("snapshots").is_dir() {
        bail!(
            "{} holds no snapshots: `streamflow ingest` makes the first; is --data-dir right?",
            objects.map_or_else(|| data_dir.display().to_string(), |objects| objects.location)
        );
    }
    let (snapshots, store) = (snapshots(&data_dir, config.dataset)?, config.store);
    let adopted = if adopt { snapshots.adopt()? } else { 0 };
    let mut found = snapshots.verify()?;
    let receipts = match is_there(&store, &data_dir) {
        true => block_on(inspect(&store, &data_dir, false))?.forgotten,
        false => Vec::new(),
    };
    found.hold_to(&snapshots, &receipts);
    let value = json!({
        "files": found.files.iter().map(json_of).collect::<Vec<_>>(),
        "ledger": found.ledger_faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "adopted": adopted,
        "bucket": objects,
    });
    context.terminal.result(&value, || text(&found, adopted) + &bucket::objects_text(objects.as_ref()))?;
    let is_intact = found.is_intact() && objects.is_none_or(|objects| objects.faults.is_empty());
    Ok(if is_intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn json_of(file: &VerifiedFile) -> Value {
    json!({ "as_of": file.as_of, "table": file.table, "path": file.path, "state": file.state.to_string() })
}

fn text(found: &Verification, adopted: usize) -> String {
    let files = &found.files;
    let mut text = String::new();
    if files.iter().any(|file| file.state != FileState::Intact) {
        let mut rows = table(["DATE", "TABLE", "STATE", "FILE"]);
        for file in files.iter().filter(|file| file.state != FileState::Intact) {
            rows.add_row([
                file.as_of.to_string(),
                file.table.clone(),
                file.state.to_string(),
                file.path.clone(),
            ]);
        }
        text.push_str(&format!("{rows}\n\n"));
    }
    for fault in &found.ledger_faults {
        text.push_str(&format!("{fault}\n\n"));
    }
    if adopted > 0 {
        text.push_str(&format!("The checksums of {adopted} files were recorded.\n"));
    }
    let intact = files.iter().filter(|file| file.state == FileState::Intact).count();
    format!("{text}{intact} of {} files are as they were written{}.", files.len(), remedies(found))
}

/// What is not as it should be, with the remedy of each kind.
fn remedies(found: &Verification) -> String {
    let count = |state: FileState| found.files.iter().filter(|file| file.state == state).count();
    [
        (found.ledger_faults.len(), "faults of the ledger: see above"),
        (
            count(FileState::Changed) + count(FileState::Missing),
            "are damaged or missing: ingest these months again (the same drop writes them anew)",
        ),
        (count(FileState::Foreign), "are of no ingest, and other programs would read them: move them away"),
        (
            count(FileState::Unrecorded),
            "have no checksum in the ledger: `streamflow data verify --adopt` records what they are now",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, remedy)| format!("; {count} {remedy}"))
    .collect()
}
