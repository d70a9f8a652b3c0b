//! For tests: the real programs that ours are held against.
//!
//! A program that is missing fails the test under `CI=true`; elsewhere the test is told so, and standard error says
//! what was left out. Tests alone depend on this crate.
//!
//! ```no_run
//! let Some(program) = streamflow_oracles::prometheus("nothing was compared") else { return };
//! println!("comparing with {}", program.display());
//! ```

mod certificate;
mod postgres;
mod redis;
mod s3;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use certificate::certificate;
pub use postgres::{OwnPostgres, own_encrypted_postgres, own_postgres, postgres};
pub use redis::{OwnRedis, own_redis};
pub use s3::S3Server;

/// The Prometheus that STREAMFLOW_PROMETHEUS names; `left_out` says what is not done without it.
///
/// # Panics
/// Where there is none and `CI=true`.
#[must_use]
pub fn prometheus(left_out: &str) -> Option<PathBuf> {
    named("STREAMFLOW_PROMETHEUS", "Prometheus", left_out)
}

/// The Prometheus 3 that STREAMFLOW_PROMETHEUS_3 names, else the one in the folder of tools; `left_out` says what is not
/// done without it. Debian's releases have Prometheus 2, so a machine without one is told so and fails no test.
#[must_use]
#[allow(clippy::print_stderr)]
pub fn prometheus_3(left_out: &str) -> Option<PathBuf> {
    let named = std::env::var_os("STREAMFLOW_PROMETHEUS_3").map(PathBuf::from);
    let of_tools = || {
        let tools = PathBuf::from(std::env::var_os("STREAMFLOW_CACHE")?);
        Some(tools.join("prometheus35/usr/bin/prometheus"))
    };
    let program = named.or_else(of_tools).filter(|program| program.is_file());
    if program.is_none() {
        eprintln!("SKIPPED: STREAMFLOW_PROMETHEUS_3 names no Prometheus 3, {left_out}");
    }
    program
}

/// The Alertmanager that STREAMFLOW_ALERTMANAGER names; `left_out` says what is not done without it.
///
/// # Panics
/// Where there is none and `CI=true`.
#[must_use]
pub fn alertmanager(left_out: &str) -> Option<PathBuf> {
    named("STREAMFLOW_ALERTMANAGER", "Alertmanager", left_out)
}

/// The S3-compatible server that STREAMFLOW_MOTO names, else the one in the folder of tools.
///
/// # Panics
/// Where there is none and `CI=true`.
#[must_use]
pub fn moto(left_out: &str) -> Option<PathBuf> {
    let named = std::env::var_os("STREAMFLOW_MOTO").map(PathBuf::from);
    let of_tools = || Some(PathBuf::from(std::env::var_os("STREAMFLOW_CACHE")?).join("moto/bin/moto_server"));
    let program = named.or_else(of_tools);
    let reason = format!("neither STREAMFLOW_MOTO nor STREAMFLOW_CACHE leads to a moto_server: {program:?}");
    there(program, &reason, left_out)
}

/// The promtool that STREAMFLOW_PROMTOOL names, else the one beside STREAMFLOW_PROMETHEUS.
///
/// # Panics
/// Where there is none and `CI=true`.
#[must_use]
pub fn promtool() -> Option<PathBuf> {
    let named = std::env::var_os("STREAMFLOW_PROMTOOL").map(PathBuf::from);
    let sibling =
        || Some(PathBuf::from(std::env::var_os("STREAMFLOW_PROMETHEUS")?).with_file_name("promtool"));
    let program = named.or_else(sibling);
    let reason =
        format!("neither STREAMFLOW_PROMTOOL nor STREAMFLOW_PROMETHEUS leads to a promtool: {program:?}");
    there(program, &reason, "nothing was compared with Prometheus")
}

/// Runs a program in `dir`: whether it was content, and what it said.
///
/// # Panics
/// Where it cannot be started.
#[must_use]
pub fn run(program: &Path, dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(dir).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

fn named(variable: &str, name: &str, left_out: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from);
    let reason = format!("{variable} names no {name}: {program:?}");
    there(program, &reason, left_out)
}

/// The program, where it is a file.
#[allow(clippy::print_stderr)]
fn there(program: Option<PathBuf>, reason: &str, left_out: &str) -> Option<PathBuf> {
    let program = program.filter(|program| program.is_file());
    if program.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("SKIPPED: {reason}, {left_out}");
    }
    program
}
