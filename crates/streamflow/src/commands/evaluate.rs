//! `streamflow evaluate`: how right a version of the model was on a month, or on every labelled month.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::json;
use streamflow_dataset::Period;
use streamflow_performance::{Metric, significant};

use super::flows::Invocation;
use super::{Context, block_on, date};
use crate::flows::evaluate_month::{self, FLOW};
use crate::performance::Evaluation;
use crate::terminal::{one_line, stderr, table};
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month [default: the newest]
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date, conflicts_with = "history")]
    as_of: Option<Period>,
    /// The version, as VERSION or NAME:VERSION [default: the one in production]
    #[arg(long, value_name = "[NAME:]VERSION")]
    model: Option<String>,
    /// Every ingested month
    #[arg(long)]
    history: bool,
    /// Exit with 3 when the performance has fallen
    #[arg(long)]
    fail_on_fall: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let version = args.model.as_deref().map(|text| version(text, &config.model.name)).transpose()?;
    let has_fallen = if args.history {
        history(version, context)?
    } else {
        let given = json!({ "as_of": args.as_of, "version": version });
        let ended = Invocation::new(FLOW.name, given).run(context)?.ended;
        context.terminal.result(&ended.value, || ended.text.clone())?;
        ended.name == "RETRAINING_TRIGGERED"
    };
    Ok(super::drift::exit_code(args.fail_on_fall, has_fallen))
}

/// The number in `2`, `v2` or `churn:2`.
fn version(text: &str, model: &str) -> anyhow::Result<i64> {
    let number = match text.rsplit_once(':') {
        Some((name, number)) if name == model => number,
        Some((name, _)) => bail!("--model names {name:?}, and the configuration has model {model:?}"),
        None => text,
    };
    number.parse().ok().with_context(|| {
        format!("--model {text:?} is no version; expected such as 2 or {model}:2, see `streamflow models ls`")
    })
}

/// Evaluates the version on every month and tells whether its performance has fallen on the newest.
fn history(version: Option<i64>, context: &Context) -> anyhow::Result<bool> {
    let evaluations = block_on(async {
        let workspace = context.workspace(context.config()?, None).await?;
        evaluate_all(&workspace, version).await
    })?;
    let has_fallen = evaluations.last().is_some_and(Evaluation::has_fallen);
    context.terminal.result(&evaluations, || text(&evaluations))?;
    Ok(has_fallen)
}

async fn evaluate_all(workspace: &Workspace, version: Option<i64>) -> anyhow::Result<Vec<Evaluation>> {
    let snapshots = workspace.snapshots.clone();
    let months: Vec<Period> = tokio::task::spawn_blocking(move || {
        anyhow::Ok(snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect())
    })
    .await??;
    let (mut evaluations, mut left_out) = (Vec::new(), None);
    for month in months {
        let evaluated = match evaluate_month::evaluate(workspace.clone(), month, version, None).await {
            Err(error) if is_of_other_columns(&error) => {
                stderr(&format!("left out: {}", one_line(&error)));
                left_out = Some(error);
                continue;
            }
            evaluated => evaluated?,
        };
        let evaluated = evaluated.context("no model was trained yet; see `streamflow train`")?;
        evaluations.push(evaluated.evaluation);
    }
    match left_out.filter(|_| evaluations.is_empty()) {
        Some(error) => Err(error),
        None => Ok(evaluations),
    }
}

/// Whether the tables of a month lack a feature of the version, or have it in another type: they changed since or before.
fn is_of_other_columns(error: &anyhow::Error) -> bool {
    use streamflow_model::Error::{KindMismatch, MissingFeature};
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(MissingFeature { .. } | KindMismatch { .. })))
}

fn text(evaluations: &[Evaluation]) -> String {
    if evaluations.is_empty() {
        return "No month was ingested; see `streamflow ingest`.".to_owned();
    }
    let metric = evaluations[0].task.metric();
    let (name, usual) = match metric {
        Metric::RocAuc => ("AUC (95 %)".to_owned(), "USUAL FROM"),
        error => (format!("{} (95 %)", error.name().to_uppercase()), "USUAL UP TO"),
    };
    let is_month = evaluations.iter().all(|evaluation| evaluation.period.day().is_some());
    let mut table = table([
        if is_month { "MONTH" } else { "SNAPSHOT" },
        "LABELLED",
        &name,
        usual,
        "ESTIMATE",
        "DECISION",
    ]);
    for evaluation in evaluations {
        let [measured, estimate] = evaluation.deciding_words();
        let labelled = evaluation.realised.as_ref().map_or(0, |realised| realised.measured.labelled);
        table.add_row([
            evaluation.period.to_string(),
            labelled.to_string(),
            measured,
            evaluation.usual.and_then(|usual| usual.bound()).map_or_else(
                || "–".to_owned(),
                |bound| match metric {
                    Metric::RocAuc => format!("{bound:.3}"),
                    _ => significant(bound),
                },
            ),
            estimate,
            evaluation.decision().to_owned(),
        ]);
    }
    let first = &evaluations[0];
    format!(
        "{} version {}, trained on {}; users that it was trained on are left out\n\n{table}",
        first.model, first.version, first.trained_on
    )
}
