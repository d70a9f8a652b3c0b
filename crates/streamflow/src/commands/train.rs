//! `streamflow train`: fit on one month, evaluate on entities never trained on, register.

use std::process::ExitCode;
use std::time::Duration;

use streamflow_dataset::Period;

use super::{Context, block_on, date};
use crate::flows::train_model::{self, TrainOutcome};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month to learn from: its features and its labels
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    as_of: Period,
    /// Seed of the fit and of the validation split [default: from the configuration, 42]
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let bar = context.terminal.progress(1, "training");
    bar.enable_steady_tick(Duration::from_millis(100));
    let outcome = block_on(async {
        let seed = args.seed.unwrap_or(config.model.seed);
        train_model::run(&context.workspace(config, None).await?, args.as_of, seed).await
    })?;
    bar.finish_and_clear();
    context.terminal.result(&outcome, || text(&outcome))?;
    Ok(ExitCode::SUCCESS)
}

fn text(outcome: &TrainOutcome) -> String {
    let TrainOutcome { name, version, as_of, metrics, .. } = outcome;
    let stage = if outcome.production {
        "It is in production.".to_owned()
    } else {
        format!("Promote it with `streamflow models promote {version}`.")
    };
    format!(
        "Trained {name} version {version} on {as_of}: {} rows to learn from, {} held out.\n\n  \
         AUC                {:.4}\n  F1                 {:.4}   predicting 1 from a probability of {:.3}\n  \
         accuracy           {:.4}\n  log loss           {:.4}\n  Brier score        {:.4}\n  \
         calibration error  {:.4}\n  positive rate      {:.4}\n\n{stage}",
        metrics.n_train,
        metrics.n_validation,
        metrics.auc,
        metrics.f1,
        metrics.threshold,
        metrics.accuracy,
        metrics.log_loss,
        metrics.brier_score,
        metrics.expected_calibration_error,
        metrics.positive_rate,
    )
}
