//! `streamflow demo`: the whole loop from one command, in a folder of its own that a second run reuses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::Url;
use streamflow_dataset::{Period, Snapshots};

use super::{Context, ingest, init};
use crate::config::{Config, DEFAULT_FILE};
use crate::drift::{Rules, entity_ids};
use crate::flows::monitor_month::{self, MonitorRequest};
use crate::flows::{ingest_month, train_model};
use crate::run::{self, Listeners};
use crate::sample::{self, SampleSettings};
use crate::terminal::Terminal;
use crate::traffic;
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the demonstration: configuration, drops, data and reports
    #[arg(default_value = "streamflow-demo")]
    dir: PathBuf,
    /// Address of the prediction API [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Address of the console [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR:PORT")]
    console: Option<SocketAddr>,
    /// Predictions a second that the built-in client asks for; 0 sends none
    #[arg(long, default_value_t = 10)]
    rate: u32,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut config = match &context.config_file {
        Some(file) => Config::load(Some(file))?,
        None => {
            let file = args.dir.join(DEFAULT_FILE);
            if !file.exists() {
                init::write(&args.dir)?;
            }
            Config::load(Some(&file))?
        }
    };
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    if let Some(console) = args.console {
        config.console.listen = console;
    }
    run::runtime()?.block_on(async {
        // The addresses first: a port in use must not cost the user a training.
        let listeners = Listeners::bind(&config, false).await?;
        let (api, console) = listeners.urls(&config)?;
        let shutdown = run::shutdown_signal()?;
        let workspace = context.workspace(config, None).await?;
        let demo = Demo::prepare(workspace, args.dir.join("drops"), context.terminal).await?;

        let requests = demo.requests()?;
        let example = requests.first().cloned().unwrap_or_default();
        let server = run::up(listeners, demo.workspace.clone(), shutdown.clone()).await?;
        let traffic = tokio::spawn(traffic::send(api.clone(), requests, args.rate, shutdown.clone()));
        demo.monitor().await?;
        demo.say_where_to_look(&api, &console, args.rate, &example)?;
        server.await??;
        traffic.await??;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is ready once data are in and a model is trained.
struct Demo {
    workspace: Workspace,
    months: Vec<Period>,
    terminal: Terminal,
}

impl Demo {
    async fn prepare(workspace: Workspace, drops: PathBuf, terminal: Terminal) -> anyhow::Result<Self> {
        let snapshots = workspace.snapshots.clone();
        let months =
            tokio::task::spawn_blocking(move || ingest_sample(&snapshots, &drops, terminal)).await??;
        let first = *months.first().context("the sample has no month")?;
        let model = &workspace.config.model;
        match workspace.registry.production(&model.name).await? {
            Some(model) => terminal
                .line(&format!("model     {} version {} is there already", model.name, model.version))?,
            None => {
                let outcome = train_model::run(&workspace, first, model.seed).await?;
                terminal.line(&format!(
                    "train     {} version {} on {first}: AUC {:.3} on users it never saw",
                    outcome.name, outcome.version, outcome.metrics.auc
                ))?;
            }
        }
        Ok(Self { workspace, months, terminal })
    }

    /// The bodies that the built-in client sends in turn: known users, and one that nobody knows.
    fn requests(&self) -> anyhow::Result<Vec<String>> {
        let entity = self.workspace.config.dataset.entity.column();
        let (_, table) = self.workspace.snapshots.online_features()?.context("no month was ingested")?;
        let known = entity_ids(&table, entity)?;
        let spread = (known.len() / 49).max(1);
        let ids = known.into_iter().step_by(spread).take(49).chain(["U0001".to_owned()]);
        Ok(ids.map(|id| serde_json::json!({ entity: id }).to_string()).collect())
    }

    /// Compares every later month with the first one.
    async fn monitor(&self) -> anyhow::Result<()> {
        let Some(&reference) = self.months.first() else {
            return Ok(());
        };
        for &current in self.months.iter().skip(1) {
            let rules = Rules::from(&self.workspace.config.monitor);
            let request = MonitorRequest { reference, current, rules };
            let outcome = monitor_month::run(&self.workspace, request).await?;
            self.terminal.line(&format!("monitor   {}", outcome.line))?;
        }
        Ok(())
    }

    fn say_where_to_look(&self, api: &Url, console: &Url, rate: u32, body: &str) -> anyhow::Result<()> {
        self.terminal.line(&format!(
            "\nlistening on {}\nconsole on {}\n\nOpen\n  \
             {console}         the console: requests, latency, drift, model, alerts\n  \
             {console}drift    the drift reports (also in {}/)\n  \
             {api}docs     the prediction API, to try out\n\nAsk\n  \
             curl '{console}api/v1/query?query=up'\n  \
             curl -X POST {api}predict -H 'Content-Type: application/json' -d '{body}'\n\n\
             {rate} predictions a second are being made. Ctrl-C stops.",
            api.as_str().trim_end_matches('/'),
            console.as_str().trim_end_matches('/'),
            self.workspace.reports.path().display()
        ))
    }
}

/// Three months of sample data, the last of which has drifted, generated and ingested where they are not there yet.
fn ingest_sample(snapshots: &Snapshots, drops: &Path, terminal: Terminal) -> anyhow::Result<Vec<Period>> {
    let settings = SampleSettings::default();
    let bar = terminal.progress(0, "generating");
    let folders = sample::write(drops, &settings, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let mut months = Vec::new();
    for folder in folders {
        let as_of = sample::as_of(&folder).context("a sample folder is named after its month")?.into();
        let report = ingest_month::run(snapshots, &folder, as_of, false, terminal)?;
        terminal.line(&format!("ingest    {as_of} {}", ingest::summary(&report)))?;
        months.push(as_of);
    }
    Ok(months)
}
