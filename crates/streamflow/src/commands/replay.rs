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
    /// Answers of other versions that were scored again.
    rows: u64,
    /// Answers that the version gave itself: they are no comparison, and left out of what follows.
    own_rows: u64,
    /// By how much the version differs from its own answers at most, which is by nothing where the log is whole; none without
    /// any.
    own_max_abs_difference: Option<f64>,
    /// Answers of other features than the version takes, or with values that it does not.
    left_out: u64,
    /// The first reason for which one was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How the scores differ; none without rows.
    #[serde(flatten)]
    scores: Option<Scores>,
    /// Share of answers with another class; none of a regression, and without rows.
    disagreement: Option<f64>,
}

/// How the scores of two versions differ.
#[derive(Debug, Default, Serialize)]
struct Scores {
    mean_score_before: f64,
    mean_score: f64,
    mean_abs_difference: f64,
    max_abs_difference: f64,
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
    let replayed = replay(&predictions::folder(&data_dir), window(args.last), (&name, number), &model)?;
    context.terminal.result(&replayed, || replayed.text())?;
    Ok(ExitCode::SUCCESS)
}

fn replay(
    folder: &std::path::Path,
    window: Window,
    (name, version): (&str, i64),
    model: &Model,
) -> anyhow::Result<Replayed> {
    let mut found = Replayed { name: name.to_owned(), version, ..Replayed::default() };
    let (mut sums, mut other_classes, number) = (Scores::default(), 0_u64, version.to_string());
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
        if row.shape.model == name && row.shape.version == number {
            found.own_rows += 1;
            found.own_max_abs_difference =
                Some(found.own_max_abs_difference.unwrap_or_default().max(difference));
            return Ok(());
        }
        found.rows += 1;
        sums.mean_score_before += row.score;
        sums.mean_score += score;
        sums.mean_abs_difference += difference;
        sums.max_abs_difference = sums.max_abs_difference.max(difference);
        other_classes += u64::from(class.is_some() && class.as_deref() != row.prediction.as_deref());
        Ok(())
    })?;
    match (found.rows + found.own_rows, &found.reason) {
        (0, None) => bail!(
            "no answer of that time is kept; [log] enabled = true keeps those from the server's next start on"
        ),
        (0, Some(reason)) => bail!("none of {} answers could be scored again: {reason}", found.left_out),
        _ => {}
    }
    if found.rows > 0 {
        let rows = found.rows as f64;
        for sum in [&mut sums.mean_score_before, &mut sums.mean_score, &mut sums.mean_abs_difference] {
            *sum /= rows;
        }
        found.scores = Some(sums);
        let is_class = model.task() != streamflow_model::Task::Regression;
        found.disagreement = is_class.then(|| other_classes as f64 / rows);
    }
    Ok(found)
}

impl Replayed {
    fn text(&self) -> String {
        let mut text = match &self.scores {
            Some(scores) => self.differences(scores),
            None => format!("No other version than {} {} answered.", self.name, self.version),
        };
        if let Some(most) = self.own_max_abs_difference {
            text.push_str(&format!(
                "\n{} answers are the version's own and no comparison; scored again they differ by {} at most.",
                self.own_rows,
                significant(most)
            ));
        }
        if let (1.., Some(reason)) = (self.left_out, &self.reason) {
            text.push_str(&format!("\n{} answers were left out; the first because {reason}.", self.left_out));
        }
        text
    }

    fn differences(&self, scores: &Scores) -> String {
        let mut text = format!(
            "{} answers of other versions scored again with {} version {}: mean score {} before, {} now; scores differ by {} on \
             average and {} at most",
            self.rows,
            self.name,
            self.version,
            significant(scores.mean_score_before),
            significant(scores.mean_score),
            significant(scores.mean_abs_difference),
            significant(scores.max_abs_difference),
        );
        if let Some(share) = self.disagreement {
            text.push_str(&format!("; {:.1} % are of another class", share * 100.0));
        }
        text.push('.');
        text
    }
}
