//! `streamflow hash-password`: what a user of the console is configured with.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::Context;
use crate::console::hash_password;

/// Longest password; more is a mistake, such as a whole file.
const LONGEST_BYTES: u64 = 1024;

pub fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_BYTES + 1)
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || text.len() as u64 > LONGEST_BYTES {
        bail!(
            "expected a password of 1 to {LONGEST_BYTES} bytes on standard input, such as `streamflow hash-password < file`"
        );
    }
    let hash = hash_password(password)?;
    context.terminal.result(&serde_json::json!({ "hash": hash }), || hash.clone())?;
    Ok(ExitCode::SUCCESS)
}
