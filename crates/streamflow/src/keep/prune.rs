//! What has become old is deleted as the configuration says: reports, versions of models, snapshots, runs. What is still
//! needed is kept however old it is, and the plan says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;
use streamflow_dataset::Period;

use super::leftover::leftovers;
use super::lock::Upkeep;
use crate::config::Keep;
use crate::store::audit::{DONE, NewEntry};
use crate::store::models::{By, ModelVersion};
use crate::store::retention::Retention;
use crate::store::runs::Run;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// What a plan is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Report,
    Model,
    Snapshot,
    Run,
    /// What a process that is gone was writing.
    Leftover,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Report => "report",
            Kind::Model => "model",
            Kind::Snapshot => "snapshot",
            Kind::Run => "run",
            Kind::Leftover => "leftover",
        }
    }
}

/// What becomes of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fate {
    pub kind: Kind,
    pub name: String,
    pub goes: bool,
    /// Why it goes, or why it is kept although it is old.
    pub why: String,
    #[serde(skip)]
    of: Thing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Report,
    Model { name: String, version: i64 },
    Snapshot(Period),
    Run,
    Leftover(PathBuf),
}

/// What is known of a thing beside its age.
struct Candidate {
    kind: Kind,
    name: String,
    of: Thing,
    age_days: i64,
    /// Why it is needed.
    needed: Option<String>,
}

/// What would go and what is kept although it is past a limit; what is within the limits is not in it.
pub async fn plan(workspace: &Workspace) -> anyhow::Result<Vec<Fate>> {
    let needs = Needs::of(workspace).await?;
    let mut fates = needs.reports(workspace).await?;
    fates.extend(needs.models(workspace));
    fates.extend(needs.snapshots(workspace).await?);
    let old = workspace.store.old_runs(runs_kept(workspace)).await?;
    fates.extend(old.into_iter().map(|run| Fate {
        kind: Kind::Run,
        name: run.to_string(),
        goes: true,
        why: "it ended too long ago, or is not among the newest of its flow".to_owned(),
        of: Thing::Run,
    }));
    fates.extend(leftovers(&workspace.data_dir, workspace.reports.path()).into_iter().map(|path| Fate {
        kind: Kind::Leftover,
        name: path.display().to_string(),
        goes: true,
        why: "the process that was writing it is gone".to_owned(),
        of: Thing::Leftover(path),
    }));
    Ok(fates)
}

/// Deletes what a plan says goes; what went.
pub async fn prune(workspace: &Workspace, actor: &str) -> anyhow::Result<Vec<Fate>> {
    let _lock = Upkeep::begin(&workspace.data_dir)?;
    workspace.registry.finish_removals().await?;
    let mut gone = Vec::new();
    for fate in plan(workspace).await?.into_iter().filter(|fate| fate.goes) {
        if fate.recorded(workspace, actor).await.with_context(|| format!("cannot delete {}", fate.name))? {
            gone.push(fate);
        }
    }
    workspace.store.forget_runs(runs_kept(workspace)).await?;
    Ok(gone)
}

fn runs_kept(workspace: &Workspace) -> Retention {
    let config = &workspace.config.runs;
    Retention { days: config.keep_days.get(), runs_of_flow: config.keep_of_flow.get() }
}

impl Fate {
    /// Deletes it, with its entry in the audit trail: begun before, so that nothing goes without one.
    async fn recorded(&self, workspace: &Workspace, actor: &str) -> anyhow::Result<bool> {
        // That of a version is recorded in the moment in which it leaves the registry, those of runs nowhere.
        if !matches!(self.kind, Kind::Report | Kind::Snapshot) {
            return self.remove(workspace, actor).await;
        }
        let subject = format!("{} {}", self.kind.as_str(), self.name);
        let (subject, detail) = (subject.as_str(), self.why.as_str());
        let entry = NewEntry { actor, action: "prune", subject, detail, ..NewEntry::default() };
        let begun = workspace.store.begin_change(&entry).await?;
        let removed = self.remove(workspace, actor).await;
        let outcome = match &removed {
            Ok(true) => DONE.to_owned(),
            Ok(false) => "refused: it is gone already".to_owned(),
            Err(error) => format!("failed: {}", one_line(error)),
        };
        workspace.store.end_change(begun, &outcome).await?;
        removed
    }

    /// False where it is needed by now, or gone already.
    async fn remove(&self, workspace: &Workspace, actor: &str) -> anyhow::Result<bool> {
        match &self.of {
            // All of them go at once, at the end.
            Thing::Run => Ok(true),
            Thing::Leftover(path) => {
                let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                removed.map(|()| true).with_context(|| format!("cannot remove {}", path.display()))
            }
            Thing::Report => {
                workspace.store.forget_report(&self.name).await?;
                workspace.reports.remove(&self.name)?;
                Ok(true)
            }
            Thing::Model { name, version } => {
                let by = By { actor, run: None };
                workspace.registry.remove(name, *version, by).await
            }
            Thing::Snapshot(as_of) => {
                let (snapshots, as_of) = (workspace.snapshots.clone(), *as_of);
                Ok(tokio::task::spawn_blocking(move || snapshots.remove(as_of)).await??)
            }
        }
    }
}

/// What production and unfinished work refer to.
struct Needs {
    now: Timestamp,
    versions: Vec<ModelVersion>,
    /// By model, the version that a rollback returns to.
    previous: BTreeMap<String, i64>,
    unfinished: Vec<Run>,
}

impl Needs {
    async fn of(workspace: &Workspace) -> anyhow::Result<Self> {
        let versions = workspace.registry.versions().await?;
        let names: BTreeSet<String> = versions.iter().map(|version| version.name.clone()).collect();
        let mut previous = BTreeMap::new();
        for name in names {
            previous.extend(workspace.store.previous_production(&name).await?.map(|version| (name, version)));
        }
        let unfinished = workspace.store.unfinished_runs().await?;
        Ok(Self { now: Timestamp::now(), versions, previous, unfinished })
    }

    async fn reports(&self, workspace: &Workspace) -> anyhow::Result<Vec<Fate>> {
        let config = &workspace.config.monitor;
        let keep = Keep { days: config.keep_report_days, count: config.keep_reports };
        if keep.is_everything() {
            return Ok(Vec::new());
        }
        let folder = workspace.reports.clone();
        let learned = self.production(&workspace.config.model.name).map(|version| version.as_of.clone());
        let (names, newest) = tokio::task::spawn_blocking(move || {
            let names = folder.names()?;
            let newest = folder.newest(names.clone(), learned.as_deref())?;
            anyhow::Ok((names, newest.map(|report| folder.report_name(&report))))
        })
        .await??;
        let candidates = names.into_iter().map(|(name, written)| {
            let shown = newest.as_ref() == Some(&name);
            let run = || self.run(|run| run.report.as_ref() == Some(&name));
            let needed = shown.then(|| "metrics and alerts tell of it".to_owned()).or_else(run);
            Candidate { kind: Kind::Report, age_days: self.age(written), of: Thing::Report, needed, name }
        });
        Ok(judged(candidates.collect(), keep))
    }

    fn models(&self, workspace: &Workspace) -> Vec<Fate> {
        let config = &workspace.config.model;
        let keep = Keep { days: config.keep_days, count: config.keep_versions };
        if keep.is_everything() {
            return Vec::new();
        }
        let mut fates = Vec::new();
        // They come by name, the newest first.
        for versions in self.versions.chunk_by(|a, b| a.name == b.name) {
            let candidates = versions.iter().enumerate().map(|(place, version)| Candidate {
                kind: Kind::Model,
                name: format!("{} version {}", version.name, version.version),
                of: Thing::Model { name: version.name.clone(), version: version.version },
                age_days: version.created_at.parse().map_or(0, |created| self.age(created)),
                needed: self.model_needed(place, version),
            });
            fates.extend(judged(candidates.collect(), keep));
        }
        fates
    }

    fn model_needed(&self, place: usize, version: &ModelVersion) -> Option<String> {
        if version.production {
            return Some("it is in production".to_owned());
        }
        if self.previous.get(&version.name) == Some(&version.version) {
            return Some("a rollback returns to it".to_owned());
        }
        // Numbers are given once.
        if place == 0 {
            return Some("it is the newest version".to_owned());
        }
        version.run_id.and_then(|id| self.run(|run| run.id == id))
    }

    async fn snapshots(&self, workspace: &Workspace) -> anyhow::Result<Vec<Fate>> {
        let config = &workspace.config.snapshots;
        let keep = Keep { days: config.keep_days, count: config.keep_months };
        if keep.is_everything() {
            return Ok(Vec::new());
        }
        let snapshots = workspace.snapshots.clone();
        let dates: Vec<Period> = tokio::task::spawn_blocking({
            let snapshots = snapshots.clone();
            move || snapshots.snapshots().map(|found| found.iter().rev().map(|found| found.as_of).collect())
        })
        .await??;
        let model = &workspace.config.model.name;
        let candidates = dates.iter().enumerate().map(|(place, as_of)| Candidate {
            kind: Kind::Snapshot,
            name: as_of.to_string(),
            of: Thing::Snapshot(*as_of),
            age_days: self.age_of_date(*as_of),
            needed: self.snapshot_needed(model, *as_of, place, dates.len()),
        });
        let mut fates = judged(candidates.collect(), keep);
        let going = |fates: &[Fate]| -> BTreeSet<Period> {
            let dates = fates.iter().filter(|fate| fate.goes);
            dates
                .filter_map(|fate| if let Thing::Snapshot(as_of) = fate.of { Some(as_of) } else { None })
                .collect()
        };
        // What a month that stays shows must not change.
        for as_of in &dates {
            let going = going(&fates);
            let Some(first) = going.first() else { break };
            if going.contains(as_of) || as_of < first {
                continue;
            }
            let (snapshots, as_of) = (snapshots.clone(), *as_of);
            let sources = tokio::task::spawn_blocking(move || snapshots.sources(as_of)).await??;
            for fate in fates.iter_mut().filter(|fate| fate.goes) {
                if matches!(fate.of, Thing::Snapshot(source) if sources.contains(&source)) {
                    fate.goes = false;
                    fate.why = format!("the table of {as_of} takes features from it");
                }
            }
        }
        Ok(fates)
    }

    fn snapshot_needed(&self, model: &str, as_of: Period, place: usize, count: usize) -> Option<String> {
        if place == 0 {
            return Some("it is served".to_owned());
        }
        let date = as_of.to_string();
        let production = self.production(model);
        if let Some(version) = production.filter(|version| version.as_of == date) {
            return Some(format!("version {}, which is in production, learned from it", version.version));
        }
        let previous = self.previous.get(model);
        let of = |version: &&ModelVersion| version.name == model && Some(&version.version) == previous;
        if let Some(version) = self.versions.iter().find(of).filter(|version| version.as_of == date) {
            return Some(format!(
                "version {}, to which a rollback returns, learned from it",
                version.version
            ));
        }
        if production.is_none() && place + 1 == count {
            return Some("months are compared with it while no version is in production".to_owned());
        }
        let names =
            |run: &Run| run.period.as_ref() == Some(&date) || run.parameters.to_string().contains(&date);
        self.run(names)
    }

    fn production(&self, model: &str) -> Option<&ModelVersion> {
        self.versions.iter().find(|version| version.production && version.name == model)
    }

    /// The run that has not ended and needs something.
    fn run(&self, needs: impl Fn(&Run) -> bool) -> Option<String> {
        let run = self.unfinished.iter().find(|run| needs(run))?;
        Some(format!("run {} of {}, which has not ended, needs it", run.id, run.flow))
    }

    fn age(&self, then: Timestamp) -> i64 {
        self.now.duration_since(then).as_hours() / 24
    }

    fn age_of_date(&self, as_of: Period) -> i64 {
        // A day has not passed before its end.
        let length = if as_of.day().is_some() { 24 } else { 0 };
        as_of.timestamp().map_or(0, |time| self.age(time.saturating_add(length.hours()).unwrap_or(time)))
    }
}

/// What becomes of candidates, the newest first: those within the limits are not in it.
fn judged(candidates: Vec<Candidate>, keep: Keep) -> Vec<Fate> {
    let fate = |(place, candidate): (usize, Candidate)| {
        let Candidate { kind, name, of, age_days, needed } = candidate;
        let limit = keep.limit(age_days, place)?;
        Some(Fate { kind, name, goes: needed.is_none(), why: needed.unwrap_or(limit), of })
    };
    candidates.into_iter().enumerate().filter_map(fate).collect()
}
