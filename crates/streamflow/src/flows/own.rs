//! Flows of one's own: steps that the configuration names, each a flow that is built in or a command.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::cache::Inputs;
use super::parameters::check;
use super::{Ended, FlowRun, Parameters, StepContext, find};
use crate::config::{FlowConfig, StepConfig};
use crate::store::audit::{HIDDEN, is_secret};

/// The steps of the flow `name`.
pub async fn steps(run: &mut FlowRun, name: &str, flow: &FlowConfig) -> anyhow::Result<Ended> {
    let given = run.parameters.clone();
    let mut ended = Ended { name: "Completed".to_owned(), ..Ended::default() };
    for step in &flow.steps {
        ended = match &step.flow {
            Some(inner) => {
                let inner = find(inner)?;
                run.parameters = inner_parameters(&given, step, inner.name, inner.parameters)?;
                (inner.body)(run).await?
            }
            None => command(run, name, step, &given).await?,
        };
    }
    Ok(ended)
}

/// What the run was given, as far as the inner flow knows it, and what the step says in its place.
fn inner_parameters(
    given: &Parameters,
    step: &StepConfig,
    flow: &str,
    table: &[super::Parameter],
) -> anyhow::Result<Parameters> {
    let mut values = given.to_map();
    values.retain(|name, _| table.iter().any(|parameter| parameter.name == name));
    values.extend(step.parameters.clone());
    check(flow, table, &values)
}

async fn command(
    run: &mut FlowRun,
    flow: &str,
    step: &StepConfig,
    given: &Parameters,
) -> anyhow::Result<Ended> {
    let program = Arc::new(Program::of(run, flow, step, given));
    let message = format!("{} ended with 0", program.shown);
    let started = program.clone();
    let work = move |context| {
        let program = started.clone();
        async move { program.run(&context).await }
    };
    if step.inputs.is_empty() {
        // It may read anything.
        run.step(step.name(), work).await?;
    } else {
        let inputs = || program.inputs(flow, step, given);
        run.cached(step.name(), inputs, async |done| Ok(Some(done)), work).await?;
    }
    Ok(Ended { name: "Completed".to_owned(), message, ..Ended::default() })
}

/// A command with everything it is started with.
struct Program {
    words: Vec<String>,
    /// The words as they may be told: without the parameters that are secrets.
    shown: String,
    variables: Vec<(String, String)>,
    base: PathBuf,
}

impl Program {
    fn of(run: &FlowRun, flow: &str, step: &StepConfig, given: &Parameters) -> Self {
        let mut variables: Vec<(String, String)> = step.env.clone().into_iter().collect();
        variables.push(("STREAMFLOW_FLOW".to_owned(), flow.to_owned()));
        variables.push(("STREAMFLOW_RUN_ID".to_owned(), run.id.to_string()));
        variables.extend(
            given.words().map(|(name, value)| (format!("STREAMFLOW_PARAM_{}", name.to_uppercase()), value)),
        );
        let words = step.run.iter().map(|word| filled(word, given.words())).collect();
        let told = || {
            given.words().map(|(name, value)| match is_secret(name) {
                true => (name, HIDDEN.to_owned()),
                false => (name, value),
            })
        };
        let shown: Vec<String> = step.run.iter().map(|word| filled(word, told())).collect();
        let shown = shown.join(" ");
        Self { words, shown, variables, base: run.workspace.config.base.clone() }
    }

    /// The hash of what the command says that it reads.
    fn inputs(&self, flow: &str, step: &StepConfig, given: &Parameters) -> anyhow::Result<String> {
        let told = Inputs::of(step.name()).add(&(flow, &self.words, &step.env, given.to_value()))?;
        let read = |inputs: Inputs, path| inputs.add_file(&self.base.join(path));
        step.inputs.iter().try_fold(told, read).map(Inputs::finish)
    }

    async fn run(&self, context: &StepContext) -> anyhow::Result<()> {
        let (program, arguments) = self.words.split_first().context("a command has a program")?;
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        if !self.base.as_os_str().is_empty() {
            command.current_dir(&self.base);
        }
        let status = followed(command, context).await.with_context(|| format!("cannot run {program}"))?;
        if !status.success() {
            bail!("{} ended with {status}; its output stands in the log of the run", self.shown);
        }
        Ok(())
    }
}

/// Text with the parameters in the place of `{name}`.
fn filled<'a>(text: &str, given: impl Iterator<Item = (&'a str, String)>) -> String {
    given.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value))
}

/// Runs a command, its output into the log of the run, and ends it when the run is to stop.
async fn followed(mut command: Command, context: &StepContext) -> anyhow::Result<ExitStatus> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let logs = async {
        tokio::join!(lines(stdout, "info", context), lines(stderr, "warning", context));
    };
    let ended = async {
        logs.await;
        child.wait().await
    };
    let status = tokio::select! {
        status = ended => Some(status?),
        () = context.stop.wait() => None,
    };
    match status {
        Some(status) => Ok(status),
        None => {
            terminate(&child).await;
            Ok(child.wait().await?)
        }
    }
}

/// Asks the command, and what it has started, to end.
async fn terminate(child: &Child) {
    let Some(id) = child.id() else { return };
    let asked = Command::new("kill").args(["-TERM", "--", &format!("-{id}")]).status().await;
    if let Err(error) = asked {
        tracing::warn!("a cancelled command could not be asked to end: {error}");
    }
}

async fn lines(output: Option<impl AsyncRead + Unpin>, level: &'static str, context: &StepContext) {
    let Some(output) = output else { return };
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        context.log(level, String::from_utf8_lossy(&line).trim_end()).await;
        line.clear();
    }
}
