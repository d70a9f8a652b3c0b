//! `streamflow forget`: one entity leaves the snapshots, the runs and their logs, the reports and the access log.
//!
//! The wish is recorded first and removed last, together with the receipt: what is cut off in between goes on with the
//! next `forget` or with the clean-up of a server.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamflow_dataset::{EntityRows, Error};
use streamflow_drift::Report;

use super::digest;
use super::lock::Upkeep;
use super::named::Named;
use crate::files::{below, write_aside};
use crate::predictions::{self, Naming};
use crate::random::random_hex;
use crate::store::forgetting::{Forgetting, Mask as _, NewForgetting};
use crate::store::now;
use crate::workspace::Workspace;

/// For how long another writer of snapshots is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Where an entity was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// `DATE TABLE` and the number of rows, or of places in the validation result.
    pub snapshots: Vec<(String, u64)>,
    /// `TABLE.COLUMN` of the database and the number of texts.
    pub database: Vec<(String, u64)>,
    /// Names of the files of reports.
    pub reports: Vec<String>,
    /// Lines of the access log.
    pub access_log: u64,
    /// Rows of the log of predictions.
    #[serde(default)]
    pub predictions: u64,
    /// Fingerprints of other keys that rows of the log were hashed by, in which nobody was looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_log_keys: Vec<String>,
    /// Labels that came after answers.
    #[serde(default)]
    pub labels: u64,
    /// Values of features that were pushed.
    #[serde(default)]
    pub pushed_features: u64,
    /// Files of models. They are left as they are.
    pub models: Vec<String>,
    /// Whether a table of a snapshot has it, features of it were pushed, or it was forgotten before: other words are none of anybody.
    #[serde(skip)]
    pub is_known: bool,
}

impl Found {
    /// One of the places.
    fn first_place(&self) -> String {
        let (snapshots, database) = (self.snapshots.first(), self.database.first());
        let named = snapshots.or(database).map(|(place, _)| place).or(self.reports.first());
        named.or(self.models.first()).map_or("the access log".to_owned(), Clone::clone)
    }

    pub fn is_nothing(&self) -> bool {
        *self == Self { is_known: self.is_known, ..Self::default() }
    }
}

/// What is left of it: who it was is not in there.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// The salted SHA-256 that names the entity from now on.
    pub hash: String,
    pub asked_at: String,
    pub done_at: String,
    pub by: String,
    pub reason: String,
    pub found: Value,
    /// The SHA-256 of the rest of the receipt, as JSON.
    pub receipt_sha256: String,
}

/// Who is to be forgotten, and why.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub entity: &'a str,
    pub reason: &'a str,
    pub actor: &'a str,
}

/// Where an entity is named. Changes nothing.
pub async fn find(workspace: &Workspace, entity: &str) -> anyhow::Result<Found> {
    let entity = workspace.snapshots.entity_text(entity)?;
    let named = named(workspace, &entity);
    let of_log = entity.clone();
    let labels = workspace.store.labels_of(&label_names(workspace, &entity)?).await?;
    let pushed_features = workspace.store.pushed_of(&entity).await?;
    let database = workspace.store.texts_naming(&named).await?;
    let snapshots = workspace.snapshots.clone();
    let (rows, is_forgotten) = tokio::task::spawn_blocking(move || {
        anyhow::Ok((snapshots.find_entity(&entity)?, snapshots.forgotten(&entity, "")?.1))
    })
    .await??;
    let is_known = is_forgotten || pushed_features > 0 || rows.iter().any(|rows| rows.table.is_some());
    let shown = |rows: EntityRows| {
        (format!("{} {}", rows.as_of, rows.table.as_deref().unwrap_or("validation result")), rows.rows)
    };
    let snapshots = rows.into_iter().map(shown).collect();
    let mut found = Found { snapshots, database, labels, pushed_features, is_known, ..Found::default() };
    let workspace = workspace.clone();
    tokio::task::spawn_blocking(move || {
        found.reports = reports(&workspace, &named)?.into_iter().map(|(name, _, _)| name).collect();
        found.access_log = access_log(&workspace, |text| named.blanked(text).is_some(), |_, _, _| Ok(()))?;
        let naming = naming(&workspace)?;
        found.predictions = predictions::count_entity(&log(&workspace), &of_log, &naming)?;
        found.other_log_keys = predictions::other_keys(&log(&workspace), &naming)?;
        found.models = models(&workspace, &named)?;
        Ok(found)
    })
    .await?
}

/// Forgets an entity; what others have begun is finished before.
pub async fn forget(workspace: &Workspace, wish: Wish<'_>) -> anyhow::Result<Receipt> {
    // As the tables spell it: texts have 44 where somebody asks for 044.
    let entity = workspace.snapshots.entity_text(wish.entity)?;
    let wish = Wish { entity: &entity, ..wish };
    let named = named(workspace, wish.entity);
    if named.masked(wish.reason).is_some() {
        bail!("the reason names the entity, and it is kept: say it without the name");
    }
    let _lock = Upkeep::begin(&workspace.data_dir)?;
    finish_all(workspace).await?;
    let salt = random_hex::<16>()?;
    let (snapshots, owned, of_salt) = (workspace.snapshots.clone(), wish.entity.to_owned(), salt.clone());
    let found = find(workspace, wish.entity).await?;
    let (hash, is_forgotten) =
        tokio::task::spawn_blocking(move || snapshots.forgotten(&owned, &of_salt)).await??;
    if found.is_nothing() {
        if is_forgotten && let Some(receipt) = workspace.store.receipt(&hash).await? {
            bail!(
                "nothing names this entity any more: it was forgotten at {} ({hash})",
                receipt["done_at"].as_str().unwrap_or("an earlier time")
            );
        }
        bail!(
            "nothing names {} {:?}, and nothing was changed; is it spelled as in the tables?",
            workspace.config.dataset.entity,
            wish.entity
        );
    }
    if !found.is_known {
        bail!(
            "no table of any snapshot has {} {:?}, and nothing was changed: it is a word of other texts, such as {}; name \
             the entity as the tables do (`--dry-run` lists what has the word)",
            workspace.config.dataset.entity,
            wish.entity,
            found.first_place()
        );
    }
    let new = NewForgetting {
        entity: wish.entity,
        hash: &hash,
        salt: &salt,
        actor: wish.actor,
        reason: wish.reason,
        found: &serde_json::to_value(&found)?,
    };
    workspace.store.begin_forgetting(&new).await?;
    let receipts = finish_all(workspace).await?;
    receipts.into_iter().find(|receipt| receipt.hash == hash).context("what was begun is finished")
}

/// Finishes what was cut off; the number of entities.
pub async fn resume(workspace: &Workspace) -> anyhow::Result<usize> {
    if workspace.store.unfinished_forgetting().await?.is_empty() {
        // It may have been cut off after its receipt and before its last step.
        workspace.store.write_back().await?;
        return Ok(0);
    }
    let _lock = Upkeep::begin(&workspace.data_dir)?;
    Ok(finish_all(workspace).await?.len())
}

async fn finish_all(workspace: &Workspace) -> anyhow::Result<Vec<Receipt>> {
    let mut receipts = Vec::new();
    for wish in workspace.store.unfinished_forgetting().await? {
        receipts.push(finish(workspace, &wish).await?);
    }
    Ok(receipts)
}

/// Every step may be made again.
async fn finish(workspace: &Workspace, wish: &Forgetting) -> anyhow::Result<Receipt> {
    clear_snapshots(workspace, wish).await?;
    let named = named(workspace, &wish.entity);
    workspace.store.mask_texts(&named).await?;
    workspace.store.forget_labels(&label_names(workspace, &wish.entity)?).await?;
    workspace.store.forget_pushed(&wish.entity).await?;
    workspace.store.forget_live_entity(&wish.entity).await?;
    let (of, in_files) = (workspace.clone(), named.clone());
    let entity = wish.entity.clone();
    tokio::task::spawn_blocking(move || clear_files(&of, &in_files, &entity)).await??;
    let receipt = Receipt::of(wish, &named);
    workspace.store.end_forgetting(wish, &serde_json::to_value(&receipt)?).await?;
    Ok(receipt)
}

/// Takes the entity out of the snapshots and keeps it out of later ones. Another writer is waited for.
async fn clear_snapshots(workspace: &Workspace, wish: &Forgetting) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let snapshots = workspace.snapshots.clone();
        let (entity, salt) = (wish.entity.clone(), wish.salt.clone());
        let forgotten = tokio::task::spawn_blocking(move || snapshots.forget_entity(&entity, &salt));
        match forgotten.await? {
            Err(Error::Locked { .. }) if begun.elapsed() < LOCK_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            forgotten => return Ok(forgotten?),
        }
    }
}

impl Receipt {
    fn of(wish: &Forgetting, named: &Named) -> Self {
        let mut receipt = Self {
            hash: wish.hash.clone(),
            asked_at: wish.at.clone(),
            done_at: now(),
            by: named.masked_name(&wish.actor).unwrap_or_else(|| wish.actor.clone()),
            reason: wish.reason.clone(),
            found: wish.found.clone(),
            receipt_sha256: String::new(),
        };
        let mut rest = json!(receipt);
        rest.as_object_mut().map(|rest| rest.remove("receipt_sha256"));
        receipt.receipt_sha256 = digest::of_bytes(rest.to_string().as_bytes());
        receipt
    }
}

fn named(workspace: &Workspace, entity: &str) -> Named {
    Named::new(entity, &workspace.config.dataset.entity)
}

/// How entities stand in the log of predictions. Without the key of hashed ones, those in clear are found.
fn naming(workspace: &Workspace) -> anyhow::Result<Naming> {
    Naming::of(workspace.config.log.entity)
}

/// How labels may name an entity.
fn label_names(workspace: &Workspace, entity: &str) -> anyhow::Result<Vec<String>> {
    let kept = naming(workspace)?.of_entity(entity).map(String::from);
    let other = kept.filter(|kept| kept != entity);
    Ok([Some(entity.to_owned()), other].into_iter().flatten().collect())
}

fn log(workspace: &Workspace) -> PathBuf {
    predictions::folder(&workspace.data_dir)
}

fn clear_files(workspace: &Workspace, named: &Named, entity: &str) -> anyhow::Result<()> {
    predictions::forget_entity(&log(workspace), entity, &naming(workspace)?)?;
    for (_, path, text) in reports(workspace, named)? {
        write_aside(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    access_log(
        workspace,
        |text| named.blanked(text).is_some(),
        |file, at, text| match named.blanked(text) {
            Some(blank) => file.write_all_at(blank.as_bytes(), at),
            None => Ok(()),
        },
    )?;
    Ok(())
}

/// The files of reports that name the entity: name, path, text without it.
fn reports(workspace: &Workspace, named: &Named) -> anyhow::Result<Vec<(String, PathBuf, String)>> {
    let mut found = Vec::new();
    for (name, _) in workspace.reports.names()? {
        for path in workspace.reports.files(&name)? {
            // A form of it may be missing; what is no text is no report of ours.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let masked = match name.rsplit_once('.') {
                Some((_, "html")) => named.masked_html(&text),
                _ if name.ends_with(".evidently.json") => named.masked(&text),
                _ => named.masked_json(&text, |json| Report::from_json(json).is_ok()),
            };
            found.extend(masked.map(|text| (name, path, text)));
        }
    }
    Ok(found)
}

/// The lines of the access log that meet a condition, each handed on with its place: a server goes on writing behind them.
fn access_log(
    workspace: &Workspace,
    is_due: impl Fn(&str) -> bool,
    change: impl Fn(&File, u64, &str) -> std::io::Result<()>,
) -> anyhow::Result<u64> {
    let config = &workspace.config;
    let Some(path) = config.api.access_log.as_ref().filter(|path| *path != Path::new("stdout")) else {
        return Ok(0);
    };
    if !path.exists() {
        return Ok(0);
    }
    let failed = || format!("cannot read or change the access log {}", path.display());
    let file = OpenOptions::new().read(true).write(true).open(path).with_context(failed)?;
    let mut lines = BufReader::new(file.try_clone().with_context(failed)?);
    let (mut at, mut count, mut line) = (0, 0, Vec::new());
    while lines.read_until(b'\n', &mut line).with_context(failed)? > 0 {
        if let Ok(text) = std::str::from_utf8(&line)
            && is_due(text)
        {
            count += 1;
            change(&file, at, text).with_context(failed)?;
        }
        at += line.len() as u64;
        line.clear();
    }
    Ok(count)
}

/// The files of models that name the entity: they learn from rows and keep none, so there are none unless a category is
/// named like an entity.
fn models(workspace: &Workspace, named: &Named) -> anyhow::Result<Vec<String>> {
    let folder = workspace.data_dir.join("models");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (name, path) in below(&folder)? {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if named.is_in(&String::from_utf8_lossy(&bytes)) {
            found.push(name);
        }
    }
    Ok(found)
}
