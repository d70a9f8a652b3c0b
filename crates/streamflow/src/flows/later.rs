//! How right the answers of this data directory were, by labels that came after them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use streamflow_dataset::{Error, Period};
use streamflow_model::{Labels, MISSING, Task};

use super::evaluate_month::version_of;
use crate::drift::task_of;
use crate::performance::later::{Hour, Join, Known, Later, MonthLabels, Unit, Versions, hash};
use crate::performance::{Reference, TrainedOn, month};
use crate::predictions::{self, Naming, Window};
use crate::store::labels::Truth;
use crate::workspace::Workspace;

/// Answers of ended hours that are held between two measurements, thirty-one bytes each.
const MOST_HELD: usize = 1_000_000;
/// Answers of an hour and a version whose features are held, where an estimate needs them.
const HOUR_FEATURES: usize = 500;

/// Joins the answers of a window with the labels, and measures them.
///
/// # Errors
/// A file of the log, or a month whose labels are asked for, that is damaged.
pub async fn later(workspace: &Workspace, unit: Unit, window: Window) -> anyhow::Result<Later> {
    let folder = predictions::folder(&workspace.data_dir);
    let model = workspace.config.model.name.clone();
    let feed = move |join: &mut Join<'_>| {
        predictions::read(
            &folder,
            window,
            |row| {
                if row.shape.model == model { join.add(&row) } else { Ok(()) }
            },
        )
    };
    measured(workspace, unit, window, feed).await
}

/// Measures again and again, and reads only what has changed since: hours that have ended are held, as far as they fit.
#[derive(Default)]
pub struct Repeated {
    hours: Arc<Mutex<Held>>,
    last: Option<(State, Later)>,
}

/// All that a measurement depends on.
#[derive(Debug, PartialEq)]
struct State {
    files: Vec<(PathBuf, u64)>,
    labels: (i64, i64),
    drops: HashMap<String, i64>,
}

/// The answers of hours that have ended, by when they start, with the files that they were read from.
#[derive(Default)]
struct Held {
    hours: BTreeMap<i64, (Vec<(PathBuf, u64)>, Hour)>,
    /// Answers of an hour and a version whose features are held with it.
    most_features: usize,
}

impl Repeated {
    /// How right answers were, by the day. The estimate of a regression needs features: those of some answers are held.
    ///
    /// # Errors
    /// As [`later`].
    pub async fn measure(&mut self, workspace: &Workspace, window: Window) -> anyhow::Result<&Later> {
        let folder = predictions::folder(&workspace.data_dir);
        let state = State {
            files: sized(predictions::files(&folder, window)?),
            labels: workspace.store.labels_mark().await?,
            drops: workspace.store.label_drops().await?,
        };
        let is_known = self.last.as_ref().is_some_and(|(last, _)| *last == state);
        if !is_known {
            let has_features = task_of(&workspace.config.dataset.label) == Task::Regression;
            let (held, model) = (self.hours.clone(), workspace.config.model.name.clone());
            let feed = move |join: &mut Join<'_>| {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                held.most_features = if has_features { HOUR_FEATURES } else { 0 };
                held.feed(&folder, window, &model, join)
            };
            let found = measured(workspace, Unit::Day, window, feed).await?;
            self.last = Some((state, found));
        }
        self.last.as_ref().map(|(_, later)| later).context("it was measured just now")
    }
}

fn sized(files: Vec<PathBuf>) -> Vec<(PathBuf, u64)> {
    let size = |path: PathBuf| {
        // A file that is gone by now has no rows.
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        (path, bytes)
    };
    files.into_iter().map(size).collect()
}

impl Held {
    fn feed(
        &mut self,
        folder: &Path,
        window: Window,
        model: &str,
        join: &mut Join<'_>,
    ) -> anyhow::Result<()> {
        let _reading = predictions::reading(folder)?;
        let hours = predictions::files_by_hour(folder, window)?;
        let first = hours.first().map_or(i64::MAX, |(start, _)| *start);
        self.hours.retain(|start, _| *start >= first);
        let last = hours.last().map(|(start, _)| *start);
        // The newest hours are asked about the longest.
        for (start, files) in hours.into_iter().rev() {
            let files = sized(files);
            if self.hours.get(&start).is_none_or(|(known, _)| *known != files) {
                self.hours.remove(&start);
                let hour = Hour::with_features(start, self.most_features);
                let hour = read_hour(hour, &files, model)?;
                join.add_hour(&hour, |time_us| window.contains(time_us))?;
                let rows: usize = self.hours.values().map(|(_, hour)| hour.rows()).sum();
                if Some(start) != last && rows + hour.rows() <= MOST_HELD {
                    self.hours.insert(start, (files, hour));
                }
            } else if let Some((_, hour)) = self.hours.get(&start) {
                join.add_hour(hour, |time_us| window.contains(time_us))?;
            }
        }
        Ok(())
    }
}

fn read_hour(mut hour: Hour, files: &[(PathBuf, u64)], model: &str) -> anyhow::Result<Hour> {
    for (path, _) in files.iter().filter(|(path, _)| path.exists()) {
        predictions::read_file(path, &mut |row| {
            if row.shape.model == model {
                hour.add(&row).with_context(|| format!("{} has a row of another hour", path.display()))?;
            }
            Ok(())
        })?;
    }
    Ok(hour)
}

/// A time before which no label was taken that an answer of the window has: a day before the first hour of answers, since
/// clocks may differ.
fn first_us(folder: &Path, window: Window) -> anyhow::Result<i64> {
    const DAY_US: i64 = 24 * 3_600_000_000;
    let hours = predictions::files_by_hour(folder, window)?;
    Ok(hours.first().map_or(i64::MAX, |(start, _)| (*start).max(window.from_us).saturating_sub(DAY_US)))
}

async fn measured(
    workspace: &Workspace,
    unit: Unit,
    window: Window,
    feed: impl FnOnce(&mut Join<'_>) -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<Later> {
    let task = task_of(&workspace.config.dataset.label);
    let since_us = first_us(&predictions::folder(&workspace.data_dir), window)?;
    let labels = workspace.store.labels(since_us).await.context("cannot read the labels")?;
    let older = workspace.store.labels_before(since_us).await.context("cannot count the labels")?;
    let drops = workspace.store.label_drops().await.context("cannot read when labels were ingested")?;
    let runtime = tokio::runtime::Handle::current();
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || {
        let naming = Naming::of(workspace.config.log.entity);
        let mut read_month = |as_of: &str| match &naming {
            Ok(naming) => month_labels(&workspace, as_of, naming, &drops),
            Err(_) => Ok(None),
        };
        let mut join = Join::new(unit, task, labels, &mut read_month);
        feed(&mut join)?;
        let mut read = |number: &str| {
            let Ok(number) = number.parse() else { return Ok(None) };
            // A version that was deleted has no threshold and no reference; its answers are measured all the same.
            let Ok(Some(version)) = runtime.block_on(version_of(&workspace, Some(number))) else {
                return Ok(None);
            };
            let (trained_on, reference) = Reference::of(&workspace.snapshots, &version)?;
            let trained = naming.as_ref().ok().and_then(|naming| hashed(&trained_on, naming));
            Ok(Some(Known::new(version, reference, trained)))
        };
        let mut later = join.measure(&mut Versions::new(&mut read))?;
        later.unknown_labels += usize::try_from(older).unwrap_or(usize::MAX);
        if let Ok(naming) = &naming {
            let folder = predictions::folder(&workspace.data_dir);
            later.other_keys = predictions::other_keys(&folder, naming)?;
        }
        later.not_joined = naming.err().map(|error| format!("{error:#}"));
        later.tell();
        Ok(later)
    })
    .await?
}

/// The entities that a version learned from, as the log has them; none where they are not known one by one.
fn hashed(trained_on: &TrainedOn, naming: &Naming) -> Option<HashSet<u64>> {
    let TrainedOn::Known(entities) = trained_on else { return None };
    entities.iter().map(|entity| Some(hash(&naming.of_entity(entity)?))).collect()
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
        .filter_map(|(entity, truth)| Some((hash(&naming.of_entity(entity)?), truth?)));
    let at_us = drops.get(as_of).copied().unwrap_or_default();
    Ok(Some(MonthLabels { at_us, truths: known.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogConfig;
    use crate::predictions::{Cell, Record, Shape};

    /// 2024-03-01T07:00:00Z.
    const TIME_US: i64 = 1_709_276_400_000_000;
    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn hours_that_have_ended_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let config = LogConfig { keep_days: std::num::NonZeroU32::MAX, ..LogConfig::default() };
        let (sink, writing) = predictions::open(dir.path(), &config).unwrap();
        let shape = Arc::new(Shape {
            model: "churn".into(),
            version: "1".into(),
            as_of: "2024-02-29".into(),
            classes: Vec::new(),
            features: vec![("hours".into(), true)],
        });
        for number in 0..9 {
            sink.send_record(&Record {
                shape: shape.clone(),
                time_us: TIME_US + number / 3 * HOUR_US + number,
                request_id: None,
                entity: Some(number.to_string().into()),
                protocol: "predict",
                latency_us: 1,
                score: 0.5,
                prediction: None,
                features_sent: 0,
                probabilities: [].into(),
                values: vec![Cell::Number(1.0)],
            });
        }
        writing.end();
        let mut held = Held::default();
        let mut feed = |window| {
            let mut no_month = |_: &str| Ok(None);
            let mut join = Join::new(Unit::Day, Task::Binary, Vec::new(), &mut no_month);
            held.feed(dir.path(), window, "churn", &mut join)?;
            let later = join.measure(&mut Versions::new(&mut |_| Ok(None)))?;
            anyhow::Ok(later.periods.iter().map(|found| found.rows).sum::<usize>())
        };
        assert_eq!(feed(Window::ALL).unwrap(), 9);
        // What has ended is not read again, also where it could not be; the newest hour is.
        let files = predictions::files(dir.path(), Window::ALL).unwrap();
        let damage = |file: &Path| {
            let bytes = vec![7; usize::try_from(file.metadata().unwrap().len()).unwrap()];
            std::fs::write(file, bytes).unwrap();
        };
        files[..2].iter().for_each(|file| damage(file));
        assert_eq!(feed(Window::ALL).unwrap(), 9);
        let window = Window { from_us: TIME_US + 1, to_us: i64::MAX };
        assert_eq!(feed(window).unwrap(), 8, "the window cuts an hour that is held");
        damage(&files[2]);
        assert!(format!("{:#}", feed(Window::ALL).unwrap_err()).contains("part-"));
        std::fs::remove_file(&files[2]).unwrap();
        std::fs::remove_file(&files[0]).unwrap();
        // The second hour is the newest by now, and what has changed is read.
        std::fs::write(&files[1], "other").unwrap();
        assert!(feed(Window::ALL).is_err());
    }
}
