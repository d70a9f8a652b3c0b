//! `streamflow data pull` and `data push`: between a bucket and the folder on this machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::super::{Context, Usage, block_on, check_parent};
use crate::config::Place;
use crate::keep::copy_data;
use crate::workspace::Workspace;

/// Brings everything.
pub fn pull(to: Option<&Path>, report_dir: Option<&Path>, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    if let Some(to) = to {
        check_parent(to)?;
    }
    let (pulled, folder) = block_on(async {
        let workspace = context.workspace_as_is(config.clone(), report_dir).await?;
        let Some(storage) = &workspace.storage else { return Err(no_bucket(&workspace)) };
        let mut pulled = workspace.pull().await?;
        pulled.files += storage.pull_predictions().await?;
        let Some(to) = to else { return Ok((pulled, workspace.data_dir.clone())) };
        copy_data(&config, &workspace.data_dir, to).await?;
        Ok((pulled, to.to_owned()))
    })?;
    context.terminal.result(&pulled, || {
        format!(
            "{}{} reports and files of kept answers are new.\nWhat the bucket has is in {}, which is a data directory without \
             the bucket too (--data-dir).",
            gone(&pulled.removed) + &listed("brought", &pulled.months, &pulled.versions),
            pulled.files,
            folder.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Puts everything there.
pub fn push(
    from: Option<&Path>,
    repair: bool,
    report_dir: Option<&Path>,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let place = config.place(context.data_dir.as_deref());
    if let Some(from) = from {
        if place.location.is_none() {
            return Err(Usage::error(
                "--from is of a data directory that goes to a bucket; name that by data_dir",
            ));
        }
        block_on(copy_data(&config, from, &place.folder))
            .with_context(|| format!("nothing was put into {}", shown(&place)))?;
    }
    let pushed = block_on(async {
        let workspace = context.workspace_as_is(config, report_dir).await?;
        if workspace.storage.is_none() {
            return Err(no_bucket(&workspace));
        }
        let found = workspace.snapshots.verify()?;
        if !found.is_intact() {
            bail!(
                "the working copy is damaged, and nothing was put there: `streamflow data verify` says what is wrong"
            );
        }
        workspace.push(repair).await
    })?;
    context.terminal.result(&pushed, || {
        format!(
            "{}{} reports and files of kept answers were sent.",
            listed("put there", &pushed.months, &pushed.versions),
            pushed.files
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn shown(place: &Place) -> String {
    place.location.as_ref().map_or_else(|| place.folder.display().to_string(), ToString::to_string)
}

fn no_bucket(workspace: &Workspace) -> anyhow::Error {
    anyhow::anyhow!(
        "the data directory {} lies in no bucket; set data_dir = \"s3://BUCKET/PREFIX\" or name one with --data-dir",
        workspace.data_dir.display()
    )
}

fn gone(months: &[String]) -> String {
    months.iter().map(|month| format!("removed: {month}\n")).collect()
}

fn listed(what: &str, months: &[String], versions: &[String]) -> String {
    let mut text: String = months.iter().chain(versions).map(|name| format!("{what}: {name}\n")).collect();
    text.push_str(&format!("{} months and {} versions {what}, ", months.len(), versions.len()));
    text
}
