//! Ingesting one monthly drop: validated and committed whole or not at all.

use std::path::Path;
use std::time::{Duration, Instant};

use streamflow_dataset::{Error, IngestReport, Period, Snapshots};

use crate::terminal::{self, OutputFormat, Terminal};

/// Longest wait for another writer.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Ingests with a progress bar, waiting for another writer to finish.
pub fn run(
    snapshots: &Snapshots,
    dir: &Path,
    as_of: Period,
    replace: bool,
    terminal: Terminal,
) -> anyhow::Result<IngestReport> {
    let bar = terminal.progress(0, "ingesting");
    let begun = Instant::now();
    let mut announced = false;
    let outcome = loop {
        let outcome = snapshots.ingest(dir, as_of, replace, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("ingesting {}", progress.table));
        });
        match outcome {
            Err(Error::Locked { path }) if begun.elapsed() < LOCK_PATIENCE => {
                if !announced {
                    terminal::stderr(&format!(
                        "waiting for another writer to release {} ...",
                        path.display()
                    ));
                    announced = true;
                }
                std::thread::park_timeout(Duration::from_millis(200));
            }
            other => break other,
        }
    };
    bar.finish_and_clear();
    if let (Err(Error::ExpectationsFailed(validation)), OutputFormat::Json) = (&outcome, terminal.format) {
        terminal.stdout(&serde_json::to_string_pretty(&validation.to_json())?)?;
    }
    Ok(outcome?)
}
