//! `streamflow performance`: how right answers were, by labels that came after them.

use std::process::ExitCode;

use streamflow_model::Task;
use streamflow_performance::significant;

use super::{Context, block_on};
use crate::drift::task_of;
use crate::flows::later::later;
use crate::performance::later::{Later, Unit};
use crate::predictions::Window;
use crate::terminal::{counted_with, table};

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
        Ok::<_, anyhow::Error>((later(&workspace, args.by, window(args.last)).await?, task))
    })?;
    context.terminal.result(&later, || text(&later, task, args.last.is_some()))?;
    Ok(ExitCode::SUCCESS)
}

fn text(later: &Later, task: Task, is_part: bool) -> String {
    if later.periods.is_empty() {
        return match is_part {
            true => "No answer of that time is kept; without --last all that are kept are measured.",
            false => "No answer is kept; [log] enabled = true keeps those from the server's next start on.",
        }
        .to_owned();
    }
    let metric = task.metric();
    let name = if task == Task::Binary { "AUC".to_owned() } else { metric.name().to_uppercase() };
    let mut shown = table([
        "PERIOD",
        "VERSION",
        "ANSWERS",
        "ENTITIES",
        "LABELLED",
        "STATE",
        &format!("{name} (95 %)"),
        "ESTIMATE",
    ]);
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
            if found.entities > 0 { found.entities.to_string() } else { "–".to_owned() },
            found.counted_labelled.to_string(),
            found.state_words.clone(),
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
        let labels = counted_with(later.unknown_labels, "label", ["is", "are"]);
        text.push_str(&format!("\n{labels} of no answer that is kept."));
    }
    for note in &later.notes {
        text.push_str(&format!("\n{note}"));
    }
    text
}
