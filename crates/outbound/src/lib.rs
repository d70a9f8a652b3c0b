//! What every part that talks to another server needs: an HTTP client and a [`Receiver`].
//!
//! What it is: clients with the product's defaults, credentials that are read anew for each request, and a receiver
//! whose secrets no output shows. What it is not: it knows no protocol above HTTP, never retries and keeps no queue;
//! those decisions belong to whoever sends.
//!
//! ```
//! use streamflow_outbound::{Credentials, Receiver, Secret, client_of};
//!
//! let url = "https://user:word@example.org/push".parse()?;
//! let client = client_of(&url).build()?.into();
//! let credentials = Credentials::Token { scheme: "Bearer".to_owned(), token: Secret::Text("t0ken".to_owned()) };
//! let receiver = Receiver { url, client, credentials, timeout: std::time::Duration::from_secs(10) };
//! assert_eq!(receiver.shown_url(), "https://user:xxxxx@example.org/push");
//! assert!(!format!("{receiver:?}").contains("t0ken"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod credentials;
mod error;
mod named;
mod receiver;
mod validity;
mod verifier;

pub use client::{ClientSettings, TlsFiles, TlsVersion, USER_AGENT, client_of};
pub use credentials::{Credentials, Secret};
pub use error::{Error, causes, failure, is_unannounced_close};
pub use named::Client;
pub use receiver::{Receiver, shown_address};
