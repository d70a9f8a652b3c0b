//! `streamflow replay`: answers that were given, beside those that another version gives to the same features.

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;
use streamflow_model::Model;
use streamflow_performance::significant;

use super::models::show::asked;
use super::performance::{span_us, window};
use super::{Context, block_on};
use crate::predictions::{self, Window, score_again};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version that answers again
    #[arg(value_name = "[NAME:]VERSION|NAME")]
    version: String,
    /// Answers of the last such as 24h or 7d [default: all that are kept]
    #[arg(long, value_name = "DURATION", value_parser = span_us)]
    last: Option<i64>,
}

/// How two versions differ on the same features.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    name: String,
    version: i64,
    /// Answers that were scored again.
    rows: u64,
    /// Answers of other features than the version takes, or with values that it does not.
    left_out: u64,
    /// The first reason for which one was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    mean_score_before: f64,
    mean_score: f64,
    mean_abs_difference: f64,
    max_abs_difference: f64,
    /// Share of answers with another class; none of a regression.
    disagreement: Option<f64>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    context.check_data_dir(&data_dir)?;
    let (name, number, model) = block_on(async {
        let registry = context.registry(&config).await?;
        let (name, version) = asked(Some(&args.version), &config.model.name)?;
        let number = registry.resolve(&name, version).await?;
        let model = registry.load(&name, number).await?;
        Ok::<_, anyhow::Error>((name, number, model))
    })?;
    let mut replayed = replay(&predictions::folder(&data_dir), window(args.last), &model)?;
    (replayed.name, replayed.version) = (name, number);
    context.terminal.result(&replayed, || replayed.text())?;
    Ok(ExitCode::SUCCESS)
}

fn replay(folder: &std::path::Path, window: Window, model: &Model) -> anyhow::Result<Replayed> {
    let mut found = Replayed::default();
    let mut other_classes = 0_u64;
    predictions::read(folder, window, |row| {
        let (score, class) = match score_again(model, &row) {
            Ok(answered) => answered,
            Err(error) => {
                found.left_out += 1;
                found.reason.get_or_insert_with(|| format!("{error:#}"));
                return Ok(());
            }
        };
        let difference = (score - row.score).abs();
        found.rows += 1;
        found.mean_score_before += row.score;
        found.mean_score += score;
        found.mean_abs_difference += difference;
        found.max_abs_difference = found.max_abs_difference.max(difference);
        other_classes += u64::from(class.is_some() && class.as_deref() != row.prediction.as_deref());
        Ok(())
    })?;
    if found.rows == 0 {
        match &found.reason {
            None => bail!(
                "no answer of that time is kept; [log] enabled = true keeps those from the server's next start on"
            ),
            Some(reason) => bail!("none of {} answers could be scored again: {reason}", found.left_out),
        }
    }
    let rows = found.rows as f64;
    for sum in [&mut found.mean_score_before, &mut found.mean_score, &mut found.mean_abs_difference] {
        *sum /= rows;
    }
    let is_class = model.task() != streamflow_model::Task::Regression;
    found.disagreement = is_class.then(|| other_classes as f64 / rows);
    Ok(found)
}

impl Replayed {
    fn text(&self) -> String {
        let mut text = format!(
            "{} answers scored again with {} version {}: mean score {} before, {} now; scores differ by {} on average and {} \
             at most",
            self.rows,
            self.name,
            self.version,
            significant(self.mean_score_before),
            significant(self.mean_score),
            significant(self.mean_abs_difference),
            significant(self.max_abs_difference),
        );
        if let Some(share) = self.disagreement {
            text.push_str(&format!("; {:.1} % are of another class", share * 100.0));
        }
        text.push('.');
        if let (1.., Some(reason)) = (self.left_out, &self.reason) {
            text.push_str(&format!("\n{} answers were left out; the first because {reason}.", self.left_out));
        }
        text
    }
}
