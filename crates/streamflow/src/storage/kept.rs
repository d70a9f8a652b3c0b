//! Reports and the answers that are kept: files that go to the bucket as they are, one object each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Storage;
use crate::files::below;

const REPORTS: &str = "reports";
const PREDICTIONS: &str = "predictions";

impl Storage {
    /// Sends the reports of a folder that the bucket lacks or has otherwise, and gives how many files those are; with `again`
    /// also those that were there and are not any more.
    pub async fn push_reports(&self, folder: &Path, again: bool) -> anyhow::Result<usize> {
        let is_report = |path: &str| !path.split('/').any(|part| part.starts_with('.'));
        self.send_changed(REPORTS, folder, again, &is_report).await
    }

    /// Brings the reports that the folder lacks.
    pub async fn pull_reports(&self, folder: &Path) -> anyhow::Result<usize> {
        self.bring_new(REPORTS, folder).await
    }

    /// Sends the kept answers of hours that are closed: nothing is added to them any more; `again` as there.
    pub async fn push_predictions(&self, now: jiff::Timestamp, again: bool) -> anyhow::Result<usize> {
        let open = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("date=%Y-%m-%d/hour=%H/").to_string();
        let is_closed = move |path: &str| {
            // Hours are named in the order of time.
            path.starts_with("date=")
                && path < open.as_str()
                && !path.rsplit('/').next().is_some_and(|name| name.starts_with(['.', '_']))
        };
        self.send_changed(PREDICTIONS, &self.folder().join(PREDICTIONS), again, &is_closed).await
    }

    /// Brings the kept answers that the working copy lacks.
    pub async fn pull_predictions(&self) -> anyhow::Result<usize> {
        self.bring_new(PREDICTIONS, &self.folder().join(PREDICTIONS)).await
    }

    async fn send_changed(
        &self,
        prefix: &str,
        folder: &Path,
        again: bool,
        is_meant: &(dyn Fn(&str) -> bool + Sync),
    ) -> anyhow::Result<usize> {
        if !folder.is_dir() {
            return Ok(0);
        }
        let mut sent = 0;
        let listed = self.note(self.bucket.list(prefix).await)?;
        let known: BTreeSet<&str> = listed.iter().map(|object| object.path.as_str()).collect();
        let files: BTreeMap<String, PathBuf> =
            below(folder)?.into_iter().filter(|(path, _)| is_meant(path)).collect();
        for (path, from) in &files {
            let key = format!("{prefix}/{path}");
            // One that was replaced while this was asked is sent with the next.
            let Ok((sha256, _)) = streamflow_bucket::sha256_of(from) else { continue };
            // What was sent before and is not there was removed by another.
            if self.seen.has(&key, Some(&sha256)) && (known.contains(key.as_str()) || !again) {
                continue;
            }
            self.note(self.bucket.upload(from, &key).await)?;
            self.seen.note(&key, &sha256);
            sent += 1;
        }
        // What was here and is gone, for its age or because somebody is to be forgotten, goes there too.
        for key in self.seen.keys(&format!("{prefix}/")) {
            let path = key.strip_prefix(prefix).and_then(|path| path.strip_prefix('/')).unwrap_or(&key);
            if !folder.join(path).exists() {
                self.note(self.bucket.delete(&key).await)?;
                self.seen.forget(&key);
            }
        }
        Ok(sent)
    }

    async fn bring_new(&self, prefix: &str, folder: &Path) -> anyhow::Result<usize> {
        let mut brought = 0;
        for object in self.note(self.bucket.list(prefix).await)? {
            let Some(path) = object.path.strip_prefix(prefix).and_then(|path| path.strip_prefix('/')) else {
                continue;
            };
            let to = folder.join(path);
            if to.exists() {
                continue;
            }
            let fetched = self.bucket.download(&object.path, object.e_tag.as_deref(), &to, &|_| ()).await;
            let sha256 = self.note(fetched).with_context(|| format!("cannot bring {}", to.display()))?;
            self.seen.note(&object.path, &sha256);
            brought += 1;
        }
        Ok(brought)
    }
}
