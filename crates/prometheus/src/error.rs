//! What keeps a server from starting, running on or taking a configuration.

use std::path::PathBuf;

use streamflow_prometheus_yml::{ConfigError, RuleError};

/// A failure of the server as a whole. What fails in one target, rule or receiver is a state of it instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sample store does not open.
    #[error("the sample store {} cannot be opened; is another StreamFlow running on it? {source}", dir.display())]
    Open {
        /// Its folder.
        dir: PathBuf,
        /// What the store says.
        source: streamflow_tsdb::Error,
    },
    /// The sample store did not take its last samples.
    #[error("the sample store was not closed: {0}")]
    Close(#[source] streamflow_tsdb::Error),
    /// The configuration cannot be read.
    #[error("cannot read {}; metrics.prometheus_config names it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that the configuration names cannot be read.
    #[error("cannot read {}; scrape_config_files names it: {source}", path.display())]
    ReadPart {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule file is not valid.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A server that is to be told of alerts or samples is not described well.
    #[error("{section}: {message}")]
    Receiver {
        /// The key of the configuration.
        section: &'static str,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// The process cannot be told to read its configuration anew.
    #[error("SIGHUP cannot be listened to: {0}")]
    Signal(#[source] std::io::Error),
    /// A task ended in a panic, which is a bug.
    #[error("{0} ended in a panic, which is a bug")]
    Panicked(&'static str),
}
