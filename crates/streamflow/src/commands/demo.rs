//! `streamflow demo`: the whole loop from one command, in a folder of its own that a second run reuses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde_json::{Map, Value, json};
use streamflow_dataset::{Period, Values};
use tokio::sync::watch;

use super::{Context, init};
use crate::config::{Config, DEFAULT_FILE};
use crate::drift::entity_ids;
use crate::flows::train_model::{self, TrainOutcome};
use crate::flows::{self, Ended, ingest_month, monthly};
use crate::run::{self as server, Listeners};
use crate::sample::{self, SampleSettings};
use crate::terminal::Terminal;
use crate::traffic::{self, Callers};
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
    /// Let the traffic drift after a minute: the page Live shows it, and its alert fires
    #[arg(long)]
    live: bool,
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
    server::runtime()?.block_on(async {
        // The addresses first: a port in use must not cost the user a training.
        let listeners = Listeners::bind(&config, false).await?;
        let (api, console) = listeners.urls(&config)?;
        let shutdown = server::shutdown_signal()?;
        let workspace = context.workspace(config, None).await?;
        let demo = Demo::prepare(workspace, args.dir.join("drops"), context.terminal).await?;

        let requests = demo.requests()?;
        let example = requests.first().cloned().unwrap_or_default();
        let (drift, has_drifted) = watch::channel(false);
        let callers = match args.live {
            false => Callers { usual: requests, drifted: Vec::new(), has_drifted },
            true => demo.everybody_then_some(has_drifted)?,
        };
        let server = server::up(
            listeners,
            demo.workspace.clone(),
            demo.workspace.data_dir.join("metrics"),
            shutdown.clone(),
        )
        .await?;
        let traffic = tokio::spawn(traffic::send(api.clone(), callers, args.rate, shutdown.clone()));
        demo.later_months().await?;
        demo.say_where_to_look(&api, &console, args.rate, &example)?;
        if args.live {
            demo.let_drift(drift, &console, shutdown).await?;
        }
        server.await??;
        traffic.await??;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The feature that drifts in the traffic of `--live`, and for how long it does not.
const DRIFTING: &str = "monthly_fee";
const USUAL: Duration = Duration::from_secs(60);

fn is_prime(number: usize) -> bool {
    number > 1 && (2..).take_while(|by| by * by <= number).all(|by| !number.is_multiple_of(by))
}

/// What is ready once the first month is in and a model is trained.
struct Demo {
    workspace: Workspace,
    /// The drops, oldest first.
    drops: Vec<(Period, PathBuf)>,
    terminal: Terminal,
}

impl Demo {
    async fn prepare(workspace: Workspace, folder: PathBuf, terminal: Terminal) -> anyhow::Result<Self> {
        let drops = sample_drops(folder, terminal).await?;
        let demo = Self { workspace, drops, terminal };
        let (first, drop) = demo.drops.first().context("the sample has no month")?;
        demo.ingest(*first, drop).await?;
        let model = &demo.workspace.config.model;
        match demo.workspace.registry.production(&model.name).await? {
            Some(model) => terminal
                .line(&format!("model     {} version {} is there already", model.name, model.version))?,
            None => {
                let ended = demo.run(train_model::FLOW.name, json!({ "as_of": first })).await?;
                let outcome: TrainOutcome = serde_json::from_value(ended.value)?;
                let auc = outcome.metrics.binary().map_or(f64::NAN, |metrics| metrics.auc);
                terminal.line(&format!(
                    "train     {} version {} on {first}: AUC {auc:.3} on users it never saw",
                    outcome.name, outcome.version
                ))?;
            }
        }
        Ok(demo)
    }

    async fn ingest(&self, as_of: Period, drop: &Path) -> anyhow::Result<()> {
        let given = json!({ "as_of": as_of, "drop": std::path::absolute(drop)? });
        let ended = self.run(ingest_month::FLOW.name, given).await?;
        self.terminal.line(&format!("ingest    {as_of} {}", ended.message))
    }

    /// Runs a flow to its end.
    async fn run(&self, flow: &str, given: Value) -> anyhow::Result<Ended> {
        let flow = flows::known(&self.workspace.config, flow)?;
        let parameters = flow.parameters(given.as_object().unwrap_or(&Map::new()))?;
        let bar = self.terminal.progress(1, flow.name);
        flows::run_here(&self.workspace, flow, &flows::Start::now(&parameters, "command"), bar).await?.outcome
    }

    /// The bodies that the built-in client sends in turn: known users, and one that nobody knows.
    fn requests(&self) -> anyhow::Result<Vec<String>> {
        let key = &self.workspace.config.dataset.entity;
        let (_, table) = self.workspace.snapshots.online_features()?.context("no month was ingested")?;
        let known = entity_ids(&table, key)?;
        let spread = (known.len() / 49).max(1);
        let ids = known.into_iter().step_by(spread).take(49).chain(["U0001".to_owned()]);
        Ok(ids.map(|id| serde_json::json!({ key.to_string(): id }).to_string()).collect())
    }

    /// Everybody in turn, and later on only the third with the largest values of a feature.
    fn everybody_then_some(&self, has_drifted: watch::Receiver<bool>) -> anyhow::Result<Callers> {
        let key = &self.workspace.config.dataset.entity;
        let (_, table) = self.workspace.snapshots.online_features()?.context("no month was ingested")?;
        let ids = entity_ids(&table, key)?;
        let mut by_value: Vec<(f64, usize)> = match table.column(DRIFTING).map(|column| &column.values) {
            Some(Values::Float(values)) => values.iter().copied().zip(0..).collect(),
            _ => bail!("demo --live lets {DRIFTING} drift, and this configuration has no such number"),
        };
        by_value.retain(|(value, _)| !value.is_nan());
        by_value.sort_by(|a, b| a.0.total_cmp(&b.0));
        let body = |row: usize| json!({ key.to_string(): ids[row] }).to_string();
        // Neighbours in the table are not neighbours in time.
        let mixed = |rows: Vec<usize>| -> Vec<String> {
            let step = (1..).map(|more| rows.len() * 5 / 8 + more).find(|step| is_prime(*step)).unwrap_or(1);
            (0..rows.len()).map(|place| body(rows[place * step % rows.len()])).collect()
        };
        let drifted = by_value.split_off(by_value.len() * 2 / 3).into_iter().map(|(_, row)| row).collect();
        Ok(Callers { usual: mixed((0..ids.len()).collect()), drifted: mixed(drifted), has_drifted })
    }

    /// A minute of usual traffic, and then the change.
    async fn let_drift(
        &self,
        drift: watch::Sender<bool>,
        console: &Url,
        mut shutdown: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        self.terminal.line(&format!(
            "\nIn {} seconds only the third with the largest {DRIFTING} will ask. Watch it on\n  {console}live     \
             what the traffic says\n  {console}alerts   LiveTrafficDrifted, two or three minutes later",
            USUAL.as_secs()
        ))?;
        tokio::select! {
            () = tokio::time::sleep(USUAL) => {}
            _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
        }
        drift.send_replace(true);
        self.terminal.line(&format!("{DRIFTING} drifts from here on."))
    }

    /// What the second month brings, whose labels changed, and the third, whose columns did: from the drop to a better
    /// model, while the server answers.
    async fn later_months(&self) -> anyhow::Result<()> {
        for (as_of, drop) in self.drops.iter().skip(1) {
            let known = self.workspace.snapshots.snapshots()?;
            if known.iter().any(|snapshot| snapshot.as_of == *as_of) {
                self.ingest(*as_of, drop).await?;
                continue;
            }
            let given = json!({ "as_of": as_of, "drop": std::path::absolute(drop)? });
            let ended = self.run(monthly::FLOW.name, given).await?;
            for line in ended.text.lines().filter(|line| line.starts_with('[')) {
                self.terminal.line(&format!("monthly   {line}"))?;
            }
            self.terminal.line(&format!("monthly   {as_of} {}: {}", ended.name, ended.message))?;
        }
        Ok(())
    }

    fn say_where_to_look(&self, api: &Url, console: &Url, rate: u32, body: &str) -> anyhow::Result<()> {
        self.terminal.line(&format!(
            "\nlistening on {}\nconsole on {}\n\nOpen\n  \
             {console}         the console: requests, latency, drift, model, alerts\n  \
             {console}performance   how right the model was, month by month\n  \
             {console}runs     what ran, from the drop to the promotion\n  \
             {console}drift    the reports (also in {}/)\n  \
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

/// Three months of sample data, generated where they are not there yet: in the second other users churn than before, and
/// in the third the columns have drifted.
async fn sample_drops(folder: PathBuf, terminal: Terminal) -> anyhow::Result<Vec<(Period, PathBuf)>> {
    let (settings, bar) = (
        SampleSettings { relation_month: Some(2), ..SampleSettings::default() },
        terminal.progress(0, "generating"),
    );
    let folders = tokio::task::spawn_blocking(move || {
        let folders = sample::write(&folder, &settings, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        folders
    });
    let named = |folder: PathBuf| {
        let as_of = sample::as_of(&folder).context("a sample folder is named after its month")?;
        Ok((as_of.into(), folder))
    };
    folders.await??.into_iter().map(named).collect()
}
