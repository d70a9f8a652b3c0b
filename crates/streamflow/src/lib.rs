//! StreamFlow in one binary: everything that waits, listens, schedules or talks.
//!
//! The libraries below it compute; this crate reads the command line and the configuration and runs one command.
//! ARCHITECTURE.md names its modules and the order in which they may use each other; a test holds them to it.
#![cfg_attr(test, allow(clippy::unwrap_used))]
// Public for the tests and benches of this package only.
#![allow(missing_docs)]

pub mod api;
mod attempts;
pub mod canary;
pub mod cli;
mod clock;
mod commands;
pub mod config;
pub mod console;
mod doctor;
pub mod drift;
pub mod feature_store;
mod files;
mod flows;
mod imports;
pub mod keep;
mod live;
mod metrics_engine;
mod mlflow;
mod model_file;
mod notify;
mod panels;
mod performance;
pub mod predictions;
mod prefect;
mod random;
mod registry;
mod run;
mod sample;
mod scoring;
pub mod server;
pub mod serving;
mod storage;
mod store;
pub mod tables;
mod templates;
mod terminal;
mod traffic;
mod workspace;
