//! `streamflow dashboards`: the console's panels as Grafana reads them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::{Context, check_output_folder, server_url};
use crate::files::write_aside;
use crate::panels;
use crate::templates;

/// URL of the provisioned data source unless the user says otherwise: the service of docker-compose.yml.
const DATASOURCE_URL: &str = "http://prometheus:9090";

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Write Grafana's provisioning files and dashboards
    Export {
        /// Folder to write to; files of the same names are replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The server that Grafana asks: this one's console address or a Prometheus
        #[arg(long, value_name = "URL", value_parser = server_url, default_value = DATASOURCE_URL)]
        datasource_url: reqwest::Url,
    },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Export { out, datasource_url } = args;
    check_output_folder(&out)?;
    let url = datasource_url.as_str().trim_end_matches('/');
    let provisioning = templates::FILES.iter().filter_map(|file| {
        let path = file.path.strip_prefix("grafana/provisioning/")?;
        Some((format!("provisioning/{path}"), file.contents.replace(DATASOURCE_URL, url)))
    });
    let dashboards =
        panels::grafana_files().into_iter().map(|(name, json)| (format!("dashboards/{name}"), json));
    let mut written = Vec::new();
    for (path, contents) in provisioning.chain(dashboards) {
        let file = out.join(&path);
        write_aside(&file, contents.as_bytes()).with_context(|| {
            format!("cannot write {}; choose a folder you may write to with --out", file.display())
        })?;
        written.push(path);
    }
    context.terminal.result(&serde_json::json!({ "dir": out, "files": written }), || {
        let files = written.iter().map(|file| format!("  {file}\n")).collect::<String>();
        format!("Wrote to {}:\n{files}Grafana reads provisioning/ from /etc/grafana/provisioning and dashboards/ from /etc/grafana/dashboards.", out.display())
    })?;
    Ok(ExitCode::SUCCESS)
}
