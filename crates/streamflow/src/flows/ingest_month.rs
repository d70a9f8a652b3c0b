//! `ingest_month`: one monthly drop, or the tables of a database as of a date, validated and committed whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_dataset::{Error, IngestReport, Outcome, Period, Progress, Snapshots};
use tokio::runtime::Handle;

use super::parameters::{DROP, Kind, optional, required};
use super::{Ended, Flow, FlowRun, StepContext, blocking};
use crate::config::PostgresTables;
use crate::tables::{Reader, Stopped};
use crate::terminal::{self, counted};

/// Longest wait for another writer.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "ingest_month",
    doc: "Validate a monthly drop and commit it whole or not at all",
    parameters: &[
        required("as_of", Kind::Date, "The date that the drop describes"),
        DROP,
        optional("replace", Kind::Flag, "Whether a month that was ingested with other content is replaced"),
    ],
    period: Some("as_of"),
    body: |run| Box::pin(async move { Ok(steps(run).await?.ended()) }),
};

/// What was ingested.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ingested {
    /// The outcome in words, with tables and rows.
    pub summary: String,
    /// Everything, for people.
    pub text: String,
    /// Everything, as `--format json` prints it.
    pub value: Value,
}

impl Ingested {
    fn new(report: &IngestReport) -> Self {
        let snapshot = &report.snapshot;
        let value = json!({
            "outcome": format!("{:?}", report.outcome).to_lowercase(),
            "as_of": snapshot.as_of,
            "revision": snapshot.revision,
            "tables": snapshot.tables,
            "ignored_files": report.ignored_files,
            "validation": report.validation.as_ref().map(|validation| validation.to_json()),
        });
        Self { summary: summary(report), text: text(report), value }
    }

    fn ended(self) -> Ended {
        Ended { name: "Completed".to_owned(), message: self.summary, value: self.value, text: self.text }
    }
}

/// The steps, for this flow and for those that begin with it.
pub async fn steps(run: &mut FlowRun) -> anyhow::Result<Ingested> {
    let as_of = run.parameters.date("as_of")?.context("as_of is checked to be there")?;
    let origin = Origin::of(run)?;
    // What another machine has committed meanwhile is not ingested again, and is told where it differs.
    run.workspace.pull().await?;
    let (snapshots, replace) = (run.workspace.snapshots.clone(), run.parameters.flag("replace"));
    let ingested: Ingested = run
        .step("ingest", move |step| {
            let work = Work { snapshots: snapshots.clone(), as_of, replace, step };
            let (origin, runtime) = (origin.clone(), Handle::current());
            blocking(move || Ok(Ingested::new(&work.ingest(&origin, runtime)?)))
        })
        .await?;
    let labels = &ingested.value["tables"][&run.workspace.config.dataset.label.table]["source_sha256"];
    if let Some(sha256) = labels.as_str() {
        let store = &run.workspace.store;
        store.add_label_drop(&as_of.to_string(), sha256).await.context("cannot record the month's labels")?;
    }
    Ok(ingested)
}

/// Where the tables come from.
#[derive(Clone)]
enum Origin {
    Drop(PathBuf),
    Postgres(Box<PostgresTables>, Url),
}

impl Origin {
    fn of(run: &FlowRun) -> anyhow::Result<Self> {
        // A relative folder starts where the command was given, which its process knows.
        if let Some(drop) = run.parameters.path(DROP.name) {
            return Ok(Self::Drop(drop));
        }
        let config = &run.workspace.config;
        let settings = PostgresTables::of(&config.dataset)?.context(
            "no drop was named: give a folder with one file a table, or say where the tables are, in [dataset.source.postgres]",
        )?;
        let url = settings.url(&config.base)?;
        Ok(Self::Postgres(Box::new(settings), url))
    }
}

/// One ingest.
struct Work {
    snapshots: Arc<Snapshots>,
    as_of: Period,
    replace: bool,
    step: StepContext,
}

impl Work {
    /// Ingests, waiting for another writer to finish.
    fn ingest(&self, origin: &Origin, runtime: Handle) -> anyhow::Result<IngestReport> {
        let begun = Instant::now();
        let mut announced = false;
        loop {
            let outcome = match origin {
                Origin::Drop(dir) => {
                    self.snapshots.ingest(dir, self.as_of, self.replace, &mut |progress| self.show(progress))
                }
                Origin::Postgres(settings, url) => {
                    let stop = self.step.stop.clone();
                    let stopped: Stopped = Arc::new(move || stop.is_set());
                    let settings = (**settings).clone();
                    let mut reader = Reader::new(settings, url.clone(), self.as_of, stopped, runtime.clone());
                    reader.read(&self.snapshots.spec().at(self.as_of), |drop| {
                        let progress = &mut |progress: Progress<'_>| self.show(progress);
                        self.snapshots.ingest_rows(drop, self.as_of, self.replace, progress)
                    })
                }
            };
            match outcome {
                Err(Error::Locked { path })
                    if begun.elapsed() < LOCK_PATIENCE && !self.step.stop.is_set() =>
                {
                    if !announced {
                        terminal::stderr(&format!(
                            "waiting for another writer to release {} ...",
                            path.display()
                        ));
                        announced = true;
                    }
                    std::thread::park_timeout(Duration::from_millis(200));
                }
                other => return Ok(other?),
            }
        }
    }

    /// Of what comes from a database nobody knows how much there is.
    fn show(&self, progress: Progress<'_>) {
        let (bar, table) = (&self.step.bar, progress.table);
        if progress.total_bytes == 0 {
            return bar.set_message(format!("ingesting {table}: {} rows", progress.rows));
        }
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
        bar.set_message(format!("ingesting {table}"));
    }
}

/// One line about an ingest.
fn summary(report: &IngestReport) -> String {
    let snapshot = &report.snapshot;
    let what = match report.outcome {
        Outcome::Created => "ingested",
        Outcome::Replaced => "replaced",
        Outcome::Mended => "damaged files were written again: ingested",
        Outcome::Unchanged => "unchanged, it was ingested before:",
    };
    let summary =
        format!("{what} {}, {}", counted(snapshot.tables.len(), "table"), counted(snapshot.rows(), "row"));
    match snapshot.forgotten_rows() {
        0 => summary,
        rows => format!("{summary}, without {rows} of entities that were to be forgotten"),
    }
}

fn text(report: &IngestReport) -> String {
    let mut table = terminal::table(["TABLE", "ROWS", "SOURCE", "SHA-256"]);
    for (name, of) in &report.snapshot.tables {
        table.add_row([name.as_str(), &of.rows.to_string(), &of.source, &of.source_sha256[..12]]);
    }
    let mut text = format!("{} {}\n\n{table}", report.snapshot.as_of, summary(report));
    if let Some(validation) = &report.validation {
        text.push_str(&format!("\n\n{validation}"));
    }
    if !report.ignored_files.is_empty() {
        text.push_str(&format!(
            "\n\nLeft alone, they belong to no table: {}",
            report.ignored_files.join(", ")
        ));
    }
    text
}
