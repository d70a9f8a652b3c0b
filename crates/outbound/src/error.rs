//! What keeps a request from being sent, and how a failed one is told.

use std::path::PathBuf;

/// Why there is no client, or no request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of certificates or credentials.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that holds no certificate, or none with this key.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: reqwest::Error,
    },
    /// A client that could not be built.
    #[error("{0}")]
    Client(#[source] reqwest::Error),
    /// A token with line breaks or other characters that headers exclude.
    #[error("the credentials hold characters that no header takes")]
    Token,
}

/// Why a request had no answer, in a few words that never repeat the URL: it may hold a password.
pub fn failure(error: &reqwest::Error) -> &'static str {
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => "no answer in time",
        (_, true) => "cannot connect",
        _ => "the request failed",
    }
}

/// Why a request had no answer, with all causes in one line and without the URL.
pub fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
