//! `streamflow ping`: whether a running server answers. It is the health check of images that hold no other client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use streamflow_outbound::client_of;

use super::{Context, block_on, server_url};

/// Where `serve` and `up` tell that they live, by default.
const DEFAULT_URL: &str = "http://127.0.0.1:8000/health";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is asked for: /health tells that the server lives, /ready that it can predict
    #[arg(value_parser = server_url, default_value = DEFAULT_URL)]
    url: Url,
    /// Longest wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Take any certificate, for a server that is asked by another name than its certificate's, such as 127.0.0.1
    #[arg(long)]
    insecure: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let status = block_on(ask(args))?;
    let url = args.url.as_str();
    context.terminal.result(&serde_json::json!({ "url": url, "status": status }), || {
        format!("{url} answered {status}")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The status of the answer, which is a good one.
async fn ask(args: &Args) -> anyhow::Result<u16> {
    let Args { url, timeout, insecure } = args;
    // A proxy of the environment would be asked in the place of the server.
    let mut client = client_of(url).no_proxy().timeout(Duration::from_secs(*timeout));
    if *insecure {
        client = client.tls_danger_accept_invalid_certs(true);
    }
    let remedy = match url.scheme() {
        "https" if !insecure => "is that the name of its certificate? --insecure takes any",
        _ => "start a server with `streamflow serve`, or name the URL of one",
    };
    let answer = client.build()?.get(url.clone()).send().await;
    let answer = answer.with_context(|| format!("no answer from {url} within {timeout} s: {remedy}"))?;
    let status = answer.status();
    if !status.is_success() {
        let remedy = match status.as_u16() {
            503 => {
                "it has no model or no snapshot yet, or too much to do: look at its log, or at `streamflow doctor`"
            }
            404 | 421 => "is the URL right? /health and /ready are paths of the prediction API",
            _ => "look at its log",
        };
        bail!("{url} answered {status}; {remedy}");
    }
    Ok(status.as_u16())
}
