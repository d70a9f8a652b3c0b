//! How right the answers of this data directory were, by labels that came after them.

use anyhow::{Context as _, bail};
use streamflow_model::Task;

use super::evaluate_month::version_of;
use crate::drift::task_of;
use crate::performance::Reference;
use crate::performance::later::{Join, Known, Later, Unit, Versions};
use crate::predictions::{self, Window};
use crate::workspace::Workspace;

/// Joins the answers of a window with the labels, and measures them.
///
/// # Errors
/// Answers of several classes; a file of the log that is damaged.
pub async fn later(workspace: &Workspace, unit: Unit, window: Window) -> anyhow::Result<Later> {
    let task = task_of(&workspace.config.dataset.label);
    if task == Task::Multiclass {
        bail!(
            "answers of several classes are kept with the probability of the predicted class alone, so they are not measured \
             here; `streamflow evaluate` measures a month whose labels were ingested"
        );
    }
    let labels = workspace.store.labels().await.context("cannot read the labels")?;
    let folder = predictions::folder(&workspace.data_dir);
    let model = workspace.config.model.name.clone();
    let mut join = Join::new(unit, labels);
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
