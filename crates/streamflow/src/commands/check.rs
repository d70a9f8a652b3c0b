//! `streamflow check`: is the configuration valid, and what does it say?

use std::process::ExitCode;

use super::Context;
use crate::flows::catalog;
use crate::imports;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut config = context.config()?;
    config.api.read_key_file()?;
    catalog::check(&config)?;
    config.console.check_proxy_login()?;
    imports::mlflow::check(&config)?;
    let dataset = &config.dataset;
    context.terminal.result(&config, || {
        format!(
            "The configuration is valid.\n  data directory  {}\n  reports         {}\n  entity          {}\n  label           {}.{} ({})\n  \
             features        {}\n  tables          {}\n  model           {}\n  drift           {} profile, retraining at a share of {:.2}\n  api             {}",
            context.data_dir(&config).display(),
            config.report_dir(None).display(),
            dataset.entity,
            dataset.label.table,
            dataset.label.column,
            dataset.label.task.name(),
            dataset.features.len(),
            dataset.tables.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            config.model.name,
            config.monitor.profile.as_str(),
            config.monitor.threshold.get(),
            config.api.listen,
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
