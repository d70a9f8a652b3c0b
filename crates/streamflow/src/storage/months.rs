//! Months in the bucket: `snapshots/_ledger/as_of=DATE.json` is the record of one, and its commit point.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamflow_bucket::{Change, Error, Held, Kind, NewFile};
use streamflow_dataset::{CommitPoint, Period, Publication, Refusal, Snapshot, Snapshots};

use super::{Found, Storage};

const LEDGER: &str = Storage::LEDGER;
/// Longest wait for another writer of the working copy, and how long until it is looked at again.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
const LOCK_PAUSE: Duration = Duration::from_millis(200);
/// Where files are fetched to, in the working copy: on its file system.
const FETCHED: &str = ".bucket-fetched";
const FORGOTTEN: &str = "snapshots/_ledger/forgotten.json";

/// What the record of a month says beside its files.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    /// The last that was there; what was removed keeps its revision, which the next one must exceed.
    snapshot: Snapshot,
    validation: Value,
}

/// What a pull has brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// Months that are new here, or others than they were.
    pub months: Vec<String>,
    /// Months that were removed.
    pub removed: Vec<String>,
    /// Versions of models that are new here.
    pub versions: Vec<String>,
    /// Reports and files of kept answers.
    pub files: usize,
}

pub(super) fn record_key(as_of: Period) -> String {
    format!("{LEDGER}/as_of={}.json", as_of.file_name())
}

/// The date of a record's key.
pub(super) fn date_of(key: &str) -> Option<Period> {
    let name = key.strip_prefix(LEDGER)?.strip_prefix("/as_of=")?.strip_suffix(".json")?;
    Period::from_file_name(name)
}

fn lost(as_of: Period, revision: u64, held: &Held) -> Error {
    let done = match (&held.record.removed, body_of(held)) {
        (true, _) => "removed it".to_owned(),
        (false, Ok(body)) => format!("committed revision {} of {as_of}", body.snapshot.revision),
        (false, Err(_)) => "committed another".to_owned(),
    };
    let what = format!("revision {revision} of {as_of} was not committed");
    let reason = format!("another writer ({}) has {done} meanwhile", held.record.by);
    Error::new(
        Kind::Lost,
        what,
        reason,
        "nothing was changed; run the command again, which takes it over first",
    )
}

fn body_of(held: &Held) -> Result<Body, Error> {
    serde_json::from_value(held.record.body.clone()).map_err(|error| {
        let what = "a record of a month cannot be read";
        Error::new(Kind::Damaged, what, error.to_string(), "put it there again (`streamflow data push`)")
    })
}

impl Storage {
    /// The commit point of the snapshots of the working copy.
    pub fn commit_point(&self) -> CommitPoint {
        let storage = self.clone();
        CommitPoint::new(move |publication| {
            // A thread of its own: this one may be of a runtime that waits for it.
            let ended = std::thread::scope(|scope| scope.spawn(|| storage.decide(publication)).join());
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn decide(&self, publication: &Publication<'_>) -> Result<(), Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(self.reopened()?.publish(publication));
        Ok(self.note(ended)?)
    }

    async fn publish(&self, publication: &Publication<'_>) -> Result<(), Error> {
        match publication {
            Publication::Month { snapshot, validation, files } => {
                self.publish_month(snapshot, validation, files).await
            }
            Publication::Removal { as_of } => self.publish_removal(*as_of).await,
            Publication::Forgotten { list } => self.publish_document(FORGOTTEN, (*list).clone()).await,
        }
    }

    /// Commits a month.
    async fn publish_month(
        &self,
        snapshot: &Snapshot,
        validation: &Value,
        files: &[(String, PathBuf)],
    ) -> Result<(), Error> {
        let (as_of, revision) = (snapshot.as_of, snapshot.revision);
        let key = record_key(as_of);
        let expected = self.bucket.record(&key).await?;
        if let Some(held) = expected.as_ref().filter(|held| !held.record.removed)
            && body_of(held)?.snapshot.revision >= revision
        {
            return Err(lost(as_of, revision, held));
        }
        let file = |(table, from): &(String, PathBuf)| NewFile {
            path: format!("{table}.parquet"),
            key: format!("snapshots/{table}/as_of={}/part-0.parquet", as_of.file_name()),
            from: from.clone(),
        };
        let body = Body { snapshot: snapshot.clone(), validation: validation.clone() };
        let change = Change {
            key: &key,
            what: format!("revision {revision} of {as_of}"),
            expected: expected.as_ref(),
            by: self.by.clone(),
            removed: false,
            files: files.iter().map(file).collect(),
            body: serde_json::to_value(body).expect("a manifest has text keys"),
        };
        let held = match self.bucket.commit(change).await {
            Err(error) if error.kind() == Kind::Lost => {
                let winner = self.bucket.record(&key).await?;
                return Err(winner.map_or(error, |held| lost(as_of, revision, &held)));
            }
            other => other?,
        };
        self.seen.note(&key, &held.e_tag);
        Ok(())
    }

    async fn publish_removal(&self, as_of: Period) -> Result<(), Error> {
        let key = record_key(as_of);
        let Some(held) = self.bucket.record(&key).await? else { return Ok(()) };
        if held.record.removed {
            return Ok(());
        }
        let change = Change {
            key: &key,
            what: format!("the removal of {as_of}"),
            expected: Some(&held),
            by: self.by.clone(),
            removed: true,
            files: Vec::new(),
            body: held.record.body.clone(),
        };
        let held = self.bucket.commit(change).await?;
        self.seen.note(&key, &held.e_tag);
        Ok(())
    }

    /// Commits a document without files. What another writer has put there meanwhile is not written over.
    pub(super) async fn publish_document(&self, key: &str, body: Value) -> Result<(), Error> {
        let expected = self.bucket.record(key).await?;
        if let Some(held) = expected.as_ref().filter(|held| !self.seen.has(key, Some(&held.e_tag))) {
            let what = format!("{key} was not committed");
            let reason = format!("another writer ({}) has committed another meanwhile", held.record.by);
            let remedy = "nothing was changed; run the command again, which takes it over first";
            return Err(Error::new(Kind::Lost, what, reason, remedy));
        }
        let (what, by) = (key.to_owned(), self.by.clone());
        let change =
            Change { key, what, expected: expected.as_ref(), by, removed: false, files: Vec::new(), body };
        let held = self.bucket.commit(change).await?;
        self.seen.note(key, &held.e_tag);
        Ok(())
    }

    /// Brings the months that others have committed. A month that a listing lacks is asked for by its name: a listing may
    /// be old, and only a record that says so removes a month.
    pub async fn pull_months(&self, snapshots: &Arc<Snapshots>, pulled: &mut Pulled) -> anyhow::Result<()> {
        let listed = self.note(self.bucket.list(LEDGER).await)?;
        let here: Vec<Period> = snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect();
        let mut keys: Vec<(String, Option<String>)> =
            listed.into_iter().map(|object| (object.path, object.e_tag)).collect();
        let unlisted = here.iter().map(|as_of| record_key(*as_of));
        let unlisted: Vec<String> =
            unlisted.filter(|key| !keys.iter().any(|(other, _)| other == key)).collect();
        keys.extend(unlisted.into_iter().map(|key| (key, None)));
        for (key, e_tag) in keys {
            let is_here = date_of(&key).is_none_or(|as_of| here.contains(&as_of));
            if self.seen.has(&key, e_tag.as_deref()) && (is_here || self.was_removed(&key).await?) {
                continue;
            }
            let Some(held) = self.note(self.bucket.record(&key).await)? else {
                bail!(
                    "{} lacks {key}, which the working copy has: the bucket was emptied, or is another one; nothing was \
                     changed. `streamflow data push` puts it back",
                    self.location()
                );
            };
            match date_of(&key) {
                Some(as_of) => self.take_over_month(snapshots, as_of, held, pulled).await?,
                None if key == FORGOTTEN => {
                    snapshots.take_over_forgotten(&held.record.body)?;
                    self.seen.note(&key, &held.e_tag);
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn was_removed(&self, key: &str) -> Result<bool, Error> {
        Ok(self.bucket.record(key).await?.is_none_or(|held| held.record.removed))
    }

    async fn take_over_month(
        &self,
        snapshots: &Arc<Snapshots>,
        as_of: Period,
        held: Held,
        pulled: &mut Pulled,
    ) -> anyhow::Result<()> {
        let (key, e_tag) = (record_key(as_of), held.e_tag.clone());
        if held.record.removed {
            if snapshots.withdraw(as_of)? {
                pulled.removed.push(as_of.to_string());
            }
            self.seen.note(&key, &e_tag);
            return Ok(());
        }
        let process = std::process::id();
        let fetched = self.folder().join(FETCHED).join(format!("{}-{process}", as_of.file_name()));
        let ended = self.bucket.fetch(&key, held, &fetched, &|_| true).await;
        let held = self.note(ended)?;
        if held.record.removed {
            // It went while it was fetched; the next pull removes it here.
            return Ok(());
        }
        let (body, e_tag) = (Arc::new(body_of(&held)?), held.e_tag.clone());
        let began = Instant::now();
        let taken = loop {
            let (here, from, body) = (snapshots.clone(), fetched.clone(), body.clone());
            let taken = tokio::task::spawn_blocking(move || {
                here.take_over(&body.snapshot, &body.validation, |folder| Ok(move_all(&from, folder)?))
            });
            match taken.await? {
                // Another process writes to the working copy; it may be bringing the same.
                Err(streamflow_dataset::Error::Locked { .. }) if began.elapsed() < LOCK_PATIENCE => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                ended => break ended,
            }
        };
        if taken.with_context(|| format!("cannot bring {as_of} from {}", self.location()))? {
            pulled.months.push(as_of.to_string());
        }
        // What is left of it is fetched over the next time.
        let _ = std::fs::remove_dir_all(&fetched);
        self.seen.note(&key, &e_tag);
        Ok(())
    }

    /// Puts months of the working copy into the bucket that it lacks or has in an older revision; with `repair` also the
    /// files of those that it has, where they are missing or damaged there.
    pub async fn push_months(
        &self,
        snapshots: &Snapshots,
        repair: bool,
        found: &mut Found,
    ) -> anyhow::Result<Vec<String>> {
        let mut pushed = Vec::new();
        for as_of in snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of) {
            let Some((snapshot, validation, files)) = snapshots.published(as_of)? else { continue };
            let there = self.note(self.bucket.record(&record_key(as_of)).await)?;
            let is_there = match &there {
                Some(held) if held.record.removed => bail!(
                    "{as_of} was removed from {} by {}, and is in the working copy; bring the removal here first \
                     (`streamflow data pull`), or ingest that month again",
                    self.location(),
                    held.record.by
                ),
                Some(held) => body_of(held)?.snapshot.revision >= snapshot.revision,
                None => false,
            };
            if let Some(held) = there.as_ref().filter(|_| is_there) {
                let path = |(table, from): (String, PathBuf)| (format!("{table}.parquet"), from);
                let files: Vec<_> = files.into_iter().map(path).collect();
                self.look_after(held, &files, repair, found).await?;
            } else {
                self.note(self.publish_month(&snapshot, &validation, &files).await)?;
                pushed.push(as_of.to_string());
            }
        }
        if let Some(list) = snapshots.forgotten_list()? {
            let there = self.note(self.bucket.record(FORGOTTEN).await)?;
            if there.as_ref().is_none_or(|held| held.record.body != list) {
                if let Some(held) = &there {
                    self.seen.note(FORGOTTEN, &held.e_tag);
                }
                self.note(self.publish_document(FORGOTTEN, list).await)?;
                pushed.push("the list of forgotten entities".to_owned());
            }
        }
        Ok(pushed)
    }
}

/// Removes what processes that were killed have fetched over a day ago. What cannot be removed is in nobody's way.
pub(super) fn clear_old(folder: &Path) {
    const DAY: Duration = Duration::from_secs(86_400);
    for entry in std::fs::read_dir(folder.join(FETCHED)).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > DAY)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Moves the files of a folder into another one.
fn move_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
