//! The binary as its users run it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod audit;
mod backup;
mod bad_input;
mod console;
mod course;
mod demo;
mod doctor;
mod drift;
mod everyday_files;
mod flow_faults;
mod flows;
mod flows_alone;
mod forget;
mod golden_drift;
mod house;
mod http;
mod notify;
mod outside;
mod project;
mod prometheus;
mod prune;
mod serve;
mod server;
mod tls;
mod up;
