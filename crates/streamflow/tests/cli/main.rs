//! The binary as its users run it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_input;
mod course;
mod demo;
mod drift;
mod everyday_files;
mod golden_drift;
mod house;
mod http;
mod notify;
mod outside;
mod project;
mod prometheus;
mod serve;
mod server;
mod up;
