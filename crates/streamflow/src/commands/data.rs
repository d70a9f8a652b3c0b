//! `streamflow data`: the snapshots as files.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};
use streamflow_dataset::{FileState, Verification, VerifiedFile};

use super::Context;
use crate::terminal::table;
use crate::workspace::snapshots;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Read every file of every snapshot and name what is not as it was written; changes nothing without --adopt
    Verify {
        /// Record checksums of the files that an older release wrote without: from then on they count as what was written
        #[arg(long)]
        adopt: bool,
    },
}

impl Args {
    /// Checksums that are recorded count from then on.
    pub fn changes_something(&self) -> bool {
        let Self::Verify { adopt } = self;
        *adopt
    }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Verify { adopt } = args;
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    if !data_dir.join("snapshots").is_dir() {
        bail!(
            "{} holds no snapshots: `streamflow ingest` makes the first; is --data-dir right?",
            data_dir.display()
        );
    }
    let snapshots = snapshots(&data_dir, config.dataset)?;
    let adopted = if *adopt { snapshots.adopt()? } else { 0 };
    let found = snapshots.verify()?;
    let value = json!({
        "files": found.files.iter().map(json_of).collect::<Vec<_>>(),
        "ledger": found.ledger_faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "adopted": adopted,
    });
    context.terminal.result(&value, || text(&found, adopted))?;
    Ok(if found.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
        (found.ledger_faults.len(), "ledger entries cannot be read: see above"),
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
