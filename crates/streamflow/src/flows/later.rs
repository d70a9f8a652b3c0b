//! How right the answers of this data directory were, by labels that came after them.

use std::collections::HashMap;

use anyhow::Context as _;
use streamflow_dataset::{Error, Period};
use streamflow_model::{Labels, MISSING};

use super::evaluate_month::version_of;
use crate::drift::task_of;
use crate::performance::later::{Join, Known, Later, MonthLabels, Unit, Versions};
use crate::performance::{Reference, month};
use crate::predictions::{self, Naming, Window};
use crate::store::labels::Truth;
use crate::workspace::Workspace;

/// Joins the answers of a window with the labels, and measures them.
///
/// # Errors
/// A file of the log, or a month whose labels are asked for, that is damaged.
pub async fn later(workspace: &Workspace, unit: Unit, window: Window) -> anyhow::Result<Later> {
    let task = task_of(&workspace.config.dataset.label);
    let labels = workspace.store.labels().await.context("cannot read the labels")?;
    let drops = workspace.store.label_drops().await.context("cannot read when labels were ingested")?;
    let folder = predictions::folder(&workspace.data_dir);
    let model = workspace.config.model.name.clone();
    let runtime = tokio::runtime::Handle::current();
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || {
        let naming = Naming::of(workspace.config.log.entity);
        let mut read_month = |as_of: &str| match &naming {
            Ok(naming) => month_labels(&workspace, as_of, naming, &drops),
            Err(_) => Ok(None),
        };
        let mut join = Join::new(unit, task, labels, &mut read_month);
        predictions::read(
            &folder,
            window,
            |row| {
                if row.shape.model == model { join.add(&row) } else { Ok(()) }
            },
        )?;
        let mut read = |number: &str| {
            let Ok(number) = number.parse() else { return Ok(None) };
            // A version that was deleted has no threshold and no reference; its answers are measured all the same.
            let Ok(Some(version)) = runtime.block_on(version_of(&workspace, Some(number))) else {
                return Ok(None);
            };
            let reference = Reference::of(&workspace.snapshots, &version)?;
            Ok(Some(Known::new(version, reference)))
        };
        let mut later = join.measure(&mut Versions::new(&mut read))?;
        later.not_joined = naming.err().map(|error| format!("{error:#}"));
        Ok(later)
    })
    .await?
}

/// The labels of the month that answers were made from; none where it is gone.
fn month_labels(
    workspace: &Workspace,
    as_of: &str,
    naming: &Naming,
    drops: &HashMap<String, i64>,
) -> anyhow::Result<Option<MonthLabels>> {
    let Ok(period) = as_of.parse::<Period>() else { return Ok(None) };
    let table = match month(&workspace.snapshots, period) {
        Err(error) if matches!(error.downcast_ref(), Some(Error::NoSnapshot { .. })) => return Ok(None),
        table => table.with_context(|| format!("cannot read the labels of {period}"))?,
    };
    let truths: Vec<Option<Truth>> = match table.labels {
        Labels::Binary(truths) => {
            let truth = |truth: Option<bool>| truth.map(|truth| Truth::Number(f64::from(u8::from(truth))));
            truths.into_iter().map(truth).collect()
        }
        Labels::Regression(numbers) => {
            let truth = |number: f64| (!number.is_nan()).then_some(Truth::Number(number));
            numbers.into_iter().map(truth).collect()
        }
        Labels::Multiclass { codes, classes } => {
            let class =
                |code: &u32| (*code != MISSING).then(|| classes.get(*code as usize).cloned()).flatten();
            codes.iter().map(|code| class(code).map(Truth::Class)).collect()
        }
    };
    let known = table
        .entities
        .iter()
        .zip(truths)
        .filter_map(|(entity, truth)| Some((naming.of_entity(entity)?.into(), truth?)));
    let at_us = drops.get(as_of).copied().unwrap_or_default();
    Ok(Some(MonthLabels { at_us, truths: known.collect() }))
}
