//! Flows of one's own: steps that the configuration names, each a flow that is built in or a command.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::parameters::check;
use super::{Ended, FlowRun, Parameters, StepContext, find};
use crate::config::{FlowConfig, StepConfig};

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
    let words: Vec<String> = step.run.iter().map(|word| filled(word, given)).collect();
    let mut variables: Vec<(String, String)> = step.env.clone().into_iter().collect();
    variables.push(("STREAMFLOW_FLOW".to_owned(), flow.to_owned()));
    variables.push(("STREAMFLOW_RUN_ID".to_owned(), run.id.to_string()));
    variables.extend(
        given.words().map(|(name, value)| (format!("STREAMFLOW_PARAM_{}", name.to_uppercase()), value)),
    );
    let base = run.workspace.config.base.clone();
    let message = format!("{} ended with 0", words.join(" "));
    run.step(step.name(), move |context| {
        let (words, variables, base) = (words.clone(), variables.clone(), base.clone());
        async move {
            let (program, arguments) = words.split_first().context("a command has a program")?;
            let mut command = Command::new(program);
            command.args(arguments).envs(variables).stdin(Stdio::null());
            if !base.as_os_str().is_empty() {
                command.current_dir(&base);
            }
            let status =
                followed(command, &context).await.with_context(|| format!("cannot run {program}"))?;
            if !status.success() {
                bail!("{} ended with {status}; its output stands in the log of the run", words.join(" "));
            }
            Ok(())
        }
    })
    .await?;
    Ok(Ended { name: "Completed".to_owned(), message, ..Ended::default() })
}

/// Text with the parameters in the place of `{name}`.
fn filled(text: &str, given: &Parameters) -> String {
    given.words().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value))
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
