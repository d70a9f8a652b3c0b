//! Prometheus's own `promtool`, which the tests are held against.

use std::path::PathBuf;
use std::process::Command;

/// Where promtool is: STREAMFLOW_PROMTOOL, else beside STREAMFLOW_PROMETHEUS. `None` (loudly) where there is none;
/// fails instead when `CI=true`.
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("STREAMFLOW_PROMTOOL").map(PathBuf::from);
    let sibling = || {
        std::env::var_os("STREAMFLOW_PROMETHEUS").map(|path| PathBuf::from(path).with_file_name("promtool"))
    };
    let program = named.or_else(sibling);
    if let Some(program) = program.as_ref().filter(|program| program.is_file()) {
        return Some(program.clone());
    }
    let reason =
        format!("neither STREAMFLOW_PROMTOOL nor STREAMFLOW_PROMETHEUS leads to a promtool: {program:?}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    #[allow(clippy::print_stderr)]
    {
        eprintln!("SKIPPED: {reason}, nothing was compared with Prometheus");
    }
    None
}

/// Runs it in `dir`: whether it was content, and what it said.
pub fn run(program: &PathBuf, dir: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(dir).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
