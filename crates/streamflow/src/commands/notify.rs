//! `streamflow notify`: the channels of the configuration, and whether they work.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::{Context, block_on};
use crate::config::{Config, nearest};
use crate::notify::{Channel, Message, TRY_MAX};
use crate::terminal::table;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// The channels there are and what they are told
    Ls,
    /// Send a test message to a channel and say what came back
    Test { name: String },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    match args {
        Args::Ls => ls(&config, context)?,
        Args::Test { name } => test(&config, &name, context)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ls(config: &Config, context: &Context) -> anyhow::Result<()> {
    context.terminal.result(&config.notify, || {
        if config.notify.is_empty() {
            return "Nobody is told; add a [notify.NAME] section to streamflow.toml (docs/notifications.md)."
                .to_owned();
        }
        let mut table = table(["CHANNEL", "KIND", "IS TOLD OF", "FLOWS"]);
        for (name, channel) in &config.notify {
            let on: Vec<&str> = channel.on.iter().map(|news| news.as_str()).collect();
            let kind = format!("{:?}", channel.kind).to_lowercase();
            let flows = if channel.flows.is_empty() { "all".to_owned() } else { channel.flows.join(", ") };
            table.add_row([name.clone(), kind, on.join(", "), flows]);
        }
        table.to_string()
    })
}

fn test(config: &Config, name: &str, context: &Context) -> anyhow::Result<()> {
    let Some(settings) = config.notify.get(name) else {
        let names: Vec<&str> = config.notify.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let near = nearest(name, names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        bail!(
            "there is no channel {name:?} under [notify] in the configuration; its channels are {known}{near}"
        );
    };
    let now = jiff::Timestamp::now();
    let message = Message {
        what: "test".to_owned(),
        decision: "TEST".to_owned(),
        message: format!("a test of the channel {name}, sent by `streamflow notify test`"),
        at: format!("{now:.3}"),
        url: config.console.url(),
        ..Message::default()
    };
    let answer = block_on(async {
        let channel = Channel::new(name, settings, &config.base);
        let sent = tokio::time::timeout(TRY_MAX + Duration::from_secs(1), channel.send(&message, 0)).await;
        sent.with_context(|| format!("notify.{name} did not answer within {TRY_MAX:?}"))?
    })?;
    context.terminal.result(&json!({ "channel": name, "answer": answer }), || {
        format!("{name} took the message: {answer}")
    })
}
