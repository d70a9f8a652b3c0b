//! `streamflow performance`: how right answers were, by labels that came after them.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_model::Task;
use streamflow_performance::significant;

use super::{Context, block_on};
use crate::drift::task_of;
use crate::flows::evaluate_month::version_of;
use crate::performance::Reference;
use crate::performance::later::{Join, Known, Later, Unit, Versions};
use crate::predictions::{self, Window};
use crate::terminal::table;
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What a period is
    #[arg(long, value_enum, default_value = "day")]
    by: Unit,
    /// Answers of the last such as 24h or 7d [default: all that are kept]
    #[arg(long, value_name = "DURATION", value_parser = span_us)]
    last: Option<i64>,
}

/// A length of time in microseconds.
pub fn span_us(text: &str) -> Result<i64, String> {
    let milliseconds = streamflow_gotext::parse_duration_ms(text).map_err(|error| error.to_string())?;
    milliseconds
        .checked_mul(1000)
        .filter(|span| *span > 0)
        .ok_or_else(|| "expected a length above 0, such as 24h".into())
}

/// The window of the last span, or of all times.
pub fn window(last: Option<i64>) -> Window {
    let now = jiff::Timestamp::now().as_microsecond();
    last.map_or(Window::ALL, |span| Window { from_us: now.saturating_sub(span), to_us: i64::MAX })
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (later, task) = block_on(async {
        let workspace = context.workspace(context.config()?, None).await?;
        let task = task_of(&workspace.config.dataset.label);
        Ok::<_, anyhow::Error>((later(&workspace, task, args).await?, task))
    })?;
    context.terminal.result(&later, || text(&later, task, args.last.is_some()))?;
    Ok(ExitCode::SUCCESS)
}

async fn later(workspace: &Workspace, task: Task, args: &Args) -> anyhow::Result<Later> {
    if task == Task::Multiclass {
        bail!(
            "answers of several classes are kept with the probability of the predicted class alone, so they are not measured \
             here; `streamflow evaluate` measures a month whose labels were ingested"
        );
    }
    let labels = workspace.store.labels().await.context("cannot read the labels")?;
    let folder = predictions::folder(&workspace.data_dir);
    let model = workspace.config.model.name.clone();
    let (mut join, window) = (Join::new(args.by, labels), window(args.last));
    let runtime = tokio::runtime::Handle::current();
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || {
        predictions::read(&folder, window, |row| {
            if row.shape.model == model {
                join.add(&row);
            }
            Ok(())
        })?;
        let mut read = |number: &str| {
            let Ok(number) = number.parse() else { return Ok(None) };
            // A version that was deleted has no threshold and no reference; its answers are measured all the same.
            let Ok(Some(version)) = runtime.block_on(version_of(&workspace, Some(number))) else {
                return Ok(None);
            };
            let reference = Reference::of(&workspace.snapshots, &version)?;
            Ok(Some(Known { version, reference }))
        };
        join.measure(&mut Versions::new(task, &mut read))
    })
    .await?
}

fn text(later: &Later, task: Task, is_part: bool) -> String {
    if later.periods.is_empty() {
        return "No answer is kept; [log] enabled = true keeps those from the server's next start on."
            .to_owned();
    }
    let metric = task.metric();
    let name = if task == Task::Binary { "AUC".to_owned() } else { metric.name().to_uppercase() };
    let mut shown =
        table(["PERIOD", "VERSION", "ANSWERS", "LABELLED", "STATE", &format!("{name} (95 %)"), "ESTIMATE"]);
    let mut notes = Vec::new();
    for found in &later.periods {
        let realised = found.realised.get(&metric).and_then(|realised| {
            let value = significant(realised.value?);
            let interval = realised.interval.map(|interval| {
                format!(" ({} to {})", significant(interval.low), significant(interval.high))
            });
            Some(value + &interval.unwrap_or_default())
        });
        let estimate = found.estimated.as_ref().and_then(|estimated| estimated.value).map(significant);
        shown.add_row([
            found.period.clone(),
            found.version.clone(),
            found.rows.to_string(),
            found.labelled.to_string(),
            found.state_words(),
            realised.unwrap_or_else(|| "–".to_owned()),
            estimate.map_or_else(|| "–".to_owned(), |value| format!("about {value}")),
        ]);
        notes.extend(
            found.notes.iter().map(|note| format!("{} version {}: {note}", found.period, found.version)),
        );
    }
    let mut text = shown.to_string();
    for note in notes {
        text.push_str(&format!("\n{note}"));
    }
    if later.unknown_labels > 0 && !is_part {
        text.push_str(&format!("\n{} labels are of no answer that is kept.", later.unknown_labels));
    }
    if later.ambiguous_labels > 0 {
        text.push_str(&format!(
            "\n{} labels name a request with several answers and none of its entities; send the entity with them.",
            later.ambiguous_labels
        ));
    }
    text
}
