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
    #[error("{}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// A name of a server that is none.
    #[error("server_name {0:?} is no name of a host")]
    ServerName(String),
    /// Bounds that leave no version of TLS.
    #[error("min_version and max_version leave no version of TLS, expected TLS12 or TLS13 between them")]
    TlsVersions,
    /// A header whose name or value is none.
    #[error("http_headers: {0:?} is no header, or its value is none")]
    Header(String),
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

/// Whether a connection was closed without the notice that TLS has for it.
pub fn is_unannounced_close(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| {
            io.kind() == std::io::ErrorKind::UnexpectedEof && io.to_string().contains("close_notify")
        }) {
            return true;
        }
        source = cause.source();
    }
    false
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
