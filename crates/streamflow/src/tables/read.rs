//! Reads the tables of a month into an ingest, all of them as they are at one moment.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use reqwest::Url;
use streamflow_dataset::{Cell, DatasetSpec, Error, Period, RowDrop, TableIntake};
use tokio::runtime::Handle;

use super::binary::{BinaryRow, BinaryRows};
use super::plan::{self, Plan, PlannedColumn, plan};
use super::session::{Session, Stopped, shown};
use crate::config::PostgresTables;

/// Rows after which it is looked whether the work is to stop.
const LOOKED_ROWS: u64 = 1024;

/// Reads tables. It blocks its thread: `runtime` does what waits for the server.
pub struct Reader {
    settings: PostgresTables,
    url: Url,
    as_of: Period,
    stopped: Stopped,
    runtime: Handle,
    /// The table that may not be empty.
    entity_table: String,
    /// Opened for the first table.
    session: Option<Session>,
}

impl Reader {
    /// A reader of the tables that the settings name.
    pub fn new(settings: PostgresTables, url: Url, as_of: Period, stopped: Stopped, runtime: Handle) -> Self {
        Self { settings, url, as_of, stopped, runtime, entity_table: String::new(), session: None }
    }

    /// The name of the drop, for messages.
    pub fn name(&self) -> String {
        format!("from {} as of {}", shown(&self.url), self.as_of)
    }

    /// Passes the tables of the dataset to `ingest`, which reads them where it wants them.
    ///
    /// # Errors
    /// Those of `ingest`, and [`Error::Came`] for what the database and the way to it do.
    pub fn read<T>(
        &mut self,
        dataset: &DatasetSpec,
        ingest: impl FnOnce(RowDrop<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let origins =
            dataset.in_order().map(|table| (table.to_owned(), self.settings.origin(table).shown(table)));
        let (origins, name): (BTreeMap<_, _>, _) = (origins.collect(), self.name());
        let runtime = self.runtime.clone();
        self.entity_table.clone_from(&dataset.entity_table);
        let mut feed = |intake: &mut TableIntake<'_>| runtime.block_on(self.table(intake)).map_err(came);
        let ingested = ingest(RowDrop { name, origins, feed: &mut feed });
        // What was read is read, however the connection ends.
        if let (Ok(_), Some(session)) = (&ingested, self.session.take()) {
            let _ = self.runtime.block_on(session.finish());
        }
        self.session = None;
        ingested
    }

    async fn table(&mut self, intake: &mut TableIntake<'_>) -> anyhow::Result<()> {
        let shown = self.settings.origin(intake.table()).shown(intake.table());
        if self.session.is_none() {
            let mut session = Session::open(&self.settings, &self.url, self.stopped.clone()).await?;
            session.begin_reading().await?;
            self.session = Some(session);
        }
        let session = self.session.as_mut().context("a connection was opened")?;
        let Some(plan) = plan(&self.settings, self.as_of, session, intake).await? else { return Ok(()) };
        let header: Vec<String> = plan.columns.iter().map(|column| column.name.clone()).collect();
        if !intake.begin(&header)? {
            return Ok(());
        }
        let read = rows(session, &plan, intake).await.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => error.context(format!("cannot read {shown}")),
        });
        if read? == 0 && intake.table() == self.entity_table {
            intake.problem(
                None,
                format!("has no rows as of {}; is the month there, and is its date right?", self.as_of),
            );
        }
        Ok(())
    }
}

/// What keeps the tables of a dataset from being read as of a date, without reading a row.
///
/// # Errors
/// What the database and the way to it do.
pub async fn faults(
    settings: &PostgresTables,
    url: &Url,
    dataset: &DatasetSpec,
    as_of: Period,
) -> anyhow::Result<Vec<String>> {
    let mut session = Session::open(settings, url, Arc::new(|| false)).await?;
    session.begin_reading().await?;
    let faults = plan::faults(settings, as_of, &mut session, dataset).await?;
    session.finish().await?;
    Ok(faults)
}

/// What ended an ingest, for the dataset.
fn came(error: anyhow::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|error| Error::Came(error.into()))
}

/// Streams the rows of a table; how many they were.
async fn rows(session: &mut Session, plan: &Plan, intake: &mut TableIntake<'_>) -> anyhow::Result<u64> {
    let Session { connection, patience } = session;
    let mut stream = patience.wait(connection.copy_out_raw(&plan.copy)).await?;
    let mut rows = BinaryRows::new(plan.columns.len());
    let mut text = String::new();
    loop {
        let next = poll_fn(|context| stream.as_mut().poll_next(context));
        let Some(bytes) = patience.wait(async { next.await.transpose() }).await? else { break };
        if rows.rows().is_multiple_of(LOOKED_ROWS) {
            patience.go_on()?;
        }
        rows.add(&bytes);
        intake.add_bytes(bytes.len());
        while let Some(row) = rows.next_row()? {
            add(&row, &plan.columns, &mut text, intake)?;
        }
    }
    ensure!(rows.is_whole(), "the rows stopped after {} without their end; do it again", rows.rows());
    Ok(rows.rows())
}

/// Adds a row, or what is wrong with it.
fn add(
    row: &BinaryRow<'_>,
    columns: &[PlannedColumn],
    text: &mut String,
    intake: &mut TableIntake<'_>,
) -> Result<(), Error> {
    for (field, column) in row.fields().zip(columns) {
        match field.map(|bytes| column.decoder.read(bytes, column.wanted, text)) {
            None => intake.push(Cell::Missing),
            Some(Ok(cell)) => intake.push(cell),
            Some(Err(what)) => intake.refuse(what),
        }
    }
    intake.end_row()
}
