//! Why an engine has no answer.

use thiserror::Error;

/// What went wrong, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No engine has this name.
    #[error(
        "{given:?} is no engine, expected datafusion or ballista://HOST:PORT such as ballista://127.0.0.1:50050"
    )]
    NoEngine {
        /// What was given.
        given: String,
    },
    /// Nothing listens at the scheduler's address.
    #[error(
        "the Ballista scheduler at {address} does not answer: {reason}; start it (docker compose -f \
         docker-compose.cluster.yml up), or name another address"
    )]
    Unreachable {
        /// HOST:PORT of the scheduler.
        address: String,
        /// What the connection came to.
        reason: String,
    },
    /// The scheduler listens and nobody works for it.
    #[error(
        "the Ballista scheduler at {address} has not answered a query of a few rows within {seconds} s; look whether \
         executors are running and have registered with it"
    )]
    Idle {
        /// HOST:PORT of the scheduler.
        address: String,
        /// How long it was waited for.
        seconds: f64,
    },
    /// The scheduler was there and has gone while it worked on a query.
    #[error(
        "the Ballista scheduler at {address} has gone in mid-query ({reason}); start it again and repeat the command"
    )]
    Gone {
        /// HOST:PORT of the scheduler.
        address: String,
        /// What the query came to.
        reason: String,
    },
    /// A query failed.
    #[error("{engine} cannot answer the query for {subject}: {reason}")]
    Query {
        /// The engine.
        engine: String,
        /// What was asked for.
        subject: String,
        /// What it says.
        reason: String,
    },
    /// A query was not answered in time.
    #[error(
        "{engine} has not answered the query for {subject} within {seconds} s; look whether its executors are running and \
         repeat the command, or give it longer with --engine-timeout"
    )]
    TimedOut {
        /// The engine.
        engine: String,
        /// What was asked for.
        subject: String,
        /// The limit.
        seconds: f64,
    },
    /// The engine counts otherwise than this machine.
    #[error(
        "{engine} counts {subject} of the canary otherwise than this machine: expected {expected}, found {found}; its \
         answers are not to be trusted, so use the version of the scheduler and executors that docs/cluster.md names"
    )]
    Differs {
        /// The engine.
        engine: String,
        /// Which column of the canary.
        subject: &'static str,
        /// What this machine counts.
        expected: String,
        /// What the engine counts.
        found: String,
    },
    /// The engine reads another table.
    #[error(
        "{engine} sees {found} rows in {table} where this machine sees {expected}; the executors read other files, so \
         mount the same folder under the same path everywhere"
    )]
    OtherTable {
        /// The engine.
        engine: String,
        /// The table.
        table: String,
        /// Rows that the footers of the files have here.
        expected: u64,
        /// Rows that the engine counts.
        found: u64,
    },
    /// The counts of a column do not add up to the table.
    #[error(
        "the values of column {column:?} in {table} add up to {found} rows, expected {expected}; the table has changed \
         while it was read, so repeat the command when nobody writes it"
    )]
    Torn {
        /// The column.
        column: String,
        /// The table.
        table: String,
        /// Rows of the table.
        expected: u64,
        /// The sum of the counts.
        found: u64,
    },
    /// A column that is not in the table.
    #[error("{table} has no column {column:?} that can be compared")]
    NoColumn {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// More rows than can be counted.
    #[error(transparent)]
    Counts(#[from] streamflow_drift::Error),
}
