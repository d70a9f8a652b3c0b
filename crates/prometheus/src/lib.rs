//! A Prometheus server as a library: everything of it that waits or talks.
//!
//! What it is: the scraper, the rules with their alerts, remote write in both directions and the HTTP API, around one
//! sample store. What it is not: it binds no port, reads no command line and asks for no password; whoever embeds it
//! mounts [`Handle::router`] behind a listener and a guard of its own.
//!
//! Vocabulary: the [`Server`] is what runs, its [`Handle`] what others ask while it does; the *configuration* is
//! `prometheus.yml` with its rule files, or what stands in for them; *own metrics* are those of the server itself.
//!
//! Architecture invariant: nothing here knows of tables, models or drift.
//!
//! ```no_run
//! use streamflow_prometheus::{Server, Settings, Source};
//!
//! # async fn run(shutdown: tokio::sync::watch::Receiver<bool>) -> Result<(), Box<dyn std::error::Error>> {
//! let source = Source::File("prometheus.yml".into());
//! let server = Server::open(Settings::new("data".into(), source)).await?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9090").await?;
//! let app = server.handle().router();
//! tokio::spawn(async move { axum::serve(listener, app).await });
//! server.run(shutdown).await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
pub mod checks;
mod clients;
mod clock;
mod configuration;
mod discovery;
mod error;
mod exemplars;
mod expansion;
mod families;
#[doc(hidden)]
pub mod fuzzing;
mod go_json;
mod handle;
mod matching;
mod own_metrics;
mod own_targets;
mod process;
mod relabeling;
mod remote_write;
mod rules;
mod scrape;
mod server;
mod settings;
pub mod transfer;

pub use api::{DurationMs, Limits, is_cross_site, parse_duration, parse_time, paths};
pub use clock::now_ms;
pub use error::Error;
pub use handle::Handle;
pub use process::render_process;
pub use rules::unit_tests;
pub use server::Server;
pub use settings::{Job, Settings, Source};
