//! `streamflow api-key`: keys of the prediction API.

use std::process::ExitCode;

use anyhow::Context as _;

use super::Context;
use crate::api;
use crate::config::{KeyDigest, check_key_name};

#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// A new key, shown once, and the line of [api.keys] or of the key file that lets it in
    New {
        /// What the key is called in the configuration and in the metrics
        name: String,
    },
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::New { name } = args;
    check_key_name(name)?;
    let key = api::new_key().context("the system gives no random bytes")?;
    let digest = String::from(KeyDigest::of(key.as_bytes()));
    let line = format!("{name} = {{ sha256 = \"{digest}\" }}");
    let value = serde_json::json!({ "name": name, "key": key, "sha256": digest, "line": line });
    context.terminal.result(&value, || {
        format!("The key, which is shown this once:\n  {key}\n\nThe line for [api.keys] or for the file of api.key_file:\n  {line}")
    })?;
    Ok(ExitCode::SUCCESS)
}
