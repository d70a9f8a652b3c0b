//! `streamflow data pull` and `data push`: between a bucket and the folder on this machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::Period;

use super::super::{Context, Usage, block_on, check_parent};
use crate::config::{Config, Place};
use crate::keep::copy_data;
use crate::storage::{Objects, Storage, open_bucket, verify_objects};
use crate::workspace::{Workspace, look_at};

/// Brings everything.
pub fn pull(to: Option<&Path>, report_dir: Option<&Path>, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    if let Some(to) = to {
        check_parent(to)?;
    }
    block_on(check_there(&config, &config.place(context.data_dir.as_deref())))?;
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

/// What the records of the bucket name, held against it; none where the data directory is a folder. A bucket that does not
/// answer is an error: what was not looked at counts as nothing.
pub fn objects(config: &Config, context: &Context) -> anyhow::Result<Option<Objects>> {
    let place = config.place(context.data_dir.as_deref());
    let Some(location) = &place.location else { return Ok(None) };
    let here = months_here(config, &place)?;
    let bucket = open_bucket(location, &config.storage)?;
    let objects = block_on(async { Ok(verify_objects(&bucket, &here).await?) });
    objects
        .map(Some)
        .with_context(|| format!("the objects in {location} were not held against their records"))
}

fn months_here(config: &Config, place: &Place) -> anyhow::Result<Vec<Period>> {
    if !place.folder.join(Storage::LEDGER).is_dir() {
        return Ok(Vec::new());
    }
    let snapshots = look_at(&place.folder, config.dataset.clone())?.snapshots()?;
    Ok(snapshots.iter().map(|snapshot| snapshot.as_of).collect())
}

/// The lines of a verification below those of the working copy.
pub fn objects_text(objects: Option<&Objects>) -> String {
    let Some(objects) = objects else { return String::new() };
    let faults: String = objects.faults.iter().map(|fault| format!("{fault}\n")).collect();
    format!(" That is of the working copy.\n{faults}{}", objects.summary())
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
        let found = &pushed.found;
        let mut text: String = found.mended.iter().map(|object| format!("mended: {object}\n")).collect();
        text.push_str(&listed("put there", &pushed.months, &pushed.versions));
        text.push_str(&format!("{} reports and files of kept answers were sent", pushed.files));
        if repair {
            text.push_str(&format!(
                ", {} objects that were missing or damaged were sent anew",
                found.mended.len()
            ));
        }
        text.push('.');
        found.faults.iter().for_each(|fault| text.push_str(&format!("\n{fault}")));
        text
    })?;
    Ok(if pushed.found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses an address below which nobody has put a data directory, before anything is made here. One that the working copy
/// has months of was emptied, which the pull itself says.
async fn check_there(config: &Config, place: &Place) -> anyhow::Result<()> {
    let Some(location) = &place.location else { return Ok(()) };
    let has_months = std::fs::read_dir(place.folder.join(Storage::LEDGER))
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()));
    let bucket = open_bucket(location, &config.storage)?;
    for prefix in [Storage::LEDGER, Storage::REGISTRY] {
        if has_months || !bucket.list(prefix).await?.is_empty() {
            return Ok(());
        }
    }
    bail!(
        "there is no data directory in {location}: expected records of months below {} or of models below {}, and nothing lies \
         there; is --data-dir right? `streamflow data push --from DIR` puts one there",
        location.shown(Storage::LEDGER),
        location.shown(Storage::REGISTRY)
    )
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
