//! A set of files is committed at once.
//!
//! 1. The files go up under names with the generation that is to be and their checksum: nobody reads them yet.
//! 2. The record is put, on the condition that its predecessor is the one that the writer has read: **the commit point**.
//! 3. What no record names any more is removed.
//!
//! A writer that stops before 2 has changed nothing that anybody reads; what it left goes with the next commit of that set.
//! A reader of the old record that finds a file gone reads the record again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bucket::{Bucket, Condition};
use crate::digest::sha256_of;
use crate::error::{Error, Kind};
use crate::record::{FORMAT, Held, Record, RecordFile};

/// How often a reader begins anew because the set has changed meanwhile.
const ATTEMPTS: usize = 8;

/// A file of a set that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where it belongs in the set.
    pub path: String,
    /// Where it goes in the bucket: a folder, and a name that gets generation and checksum before its ending.
    pub key: String,
    /// The file itself.
    pub from: PathBuf,
}

/// A set that is to take the place of another.
#[derive(Debug)]
pub struct Change<'a> {
    /// The key of its record.
    pub key: &'a str,
    /// What is to be, such as `revision 2 of 2024-01-31`, for whoever comes second.
    pub what: String,
    /// The record that it takes the place of; none: there is none.
    pub expected: Option<&'a Held>,
    /// Who writes it: no two processes have the same.
    pub by: String,
    /// Whether the set is to be gone.
    pub removed: bool,
    /// The files.
    pub files: Vec<NewFile>,
    /// What is said of them.
    pub body: Value,
}

impl Bucket {
    /// The record under a key; none where there is none.
    ///
    /// # Errors
    /// What the store refuses; what is no record.
    pub async fn record(&self, key: &str) -> Result<Option<Held>, Error> {
        let Some((bytes, e_tag)) = self.get(key).await? else { return Ok(None) };
        let record = Record::of_bytes(&bytes).map_err(|reason| {
            let remedy = "put it there again from a working copy that has it (`streamflow data push`)";
            Error::new(Kind::Damaged, format!("{} is no record", self.location.shown(key)), reason, remedy)
        })?;
        Ok(Some(Held { record, e_tag }))
    }

    /// Commits a set; when it returns, every reader sees it.
    ///
    /// # Errors
    /// [`Kind::Lost`] where another writer was first; what the store refuses. After any error the set is what it was, but
    /// for one: where the answer of the store was lost and it cannot be asked, the error says so.
    pub async fn commit(&self, change: Change<'_>) -> Result<Held, Error> {
        let generation = change.expected.map_or(1, |held| held.record.generation + 1);
        let mut files = Vec::with_capacity(change.files.len());
        for file in &change.files {
            files.push(self.send(file, generation, change.expected).await?);
        }
        let Change { key, expected, by, removed, body, .. } = &change;
        let (by, body) = (by.clone(), body.clone());
        let record = Record { format: FORMAT, generation, by, removed: *removed, files, body };
        let bytes = record.to_bytes();
        let condition = expected.map_or(Condition::New, |held| Condition::Same(&held.e_tag));
        let put = self.put(key, bytes.clone(), condition).await;
        let e_tag = match put {
            Ok(e_tag) => e_tag,
            Err(error) => self.settle(&change, &bytes, &error).await?,
        };
        self.counts.committed(true);
        let held = Held { record, e_tag };
        self.sweep(&held, change.expected).await;
        Ok(held)
    }

    /// Sends a file, unless the set has that very file already.
    async fn send(&self, file: &NewFile, generation: u64, old: Option<&Held>) -> Result<RecordFile, Error> {
        let (sha256, size_bytes) = digest(&file.from).await?;
        let is_same = |known: &&RecordFile| known.sha256 == sha256 && known.path == file.path;
        if let Some(known) = old.and_then(|held| held.record.files.iter().find(is_same)) {
            return Ok(known.clone());
        }
        let key = named(&file.key, generation, &sha256);
        self.upload(&file.from, &key).await?;
        Ok(RecordFile { path: file.path.clone(), key, sha256, size_bytes })
    }

    /// What became of a write that ended with an error: the ETag where it was made after all.
    async fn settle(
        &self,
        change: &Change<'_>,
        bytes: &[u8],
        error: &object_store::Error,
    ) -> Result<String, Error> {
        let told = self.explain("commit", change.key, error);
        let may_have_come =
            matches!(told.kind(), Kind::Lost | Kind::Unreachable | Kind::Failing | Kind::Other);
        if !may_have_come {
            return Err(told);
        }
        // A request that was cut off may have been carried out, and one that was made twice comes second to itself.
        let found = match self.get(change.key).await {
            Ok(found) => found,
            Err(unknown) => {
                let what = format!("it is not known whether {} was committed", change.what);
                let remedy = "run the command again: it finds out, and does what is left to do";
                return Err(Error::new(told.kind(), what, format!("{told}; {unknown}"), remedy));
            }
        };
        match found {
            Some((found, e_tag)) if found == bytes => Ok(e_tag),
            Some((found, e_tag)) if change.expected.is_none_or(|held| held.e_tag != e_tag) => {
                self.counts.committed(false);
                Err(self.lost(change, &found))
            }
            _ => Err(told),
        }
    }

    fn lost(&self, change: &Change<'_>, found: &[u8]) -> Error {
        let what = format!("{} was not committed", change.what);
        let winner = Record::of_bytes(found).ok().map(|record| {
            let done = if record.removed { "removed it" } else { "committed another" };
            format!("another writer ({}) has {done} meanwhile, generation {}", record.by, record.generation)
        });
        let winner =
            winner.unwrap_or_else(|| "another writer has committed something else meanwhile".to_owned());
        let remedy =
            format!("nothing was changed; look at {} and do it again", self.location.shown(change.key));
        Error::new(Kind::Lost, what, winner, remedy)
    }

    /// Removes what earlier generations of a set have left. It is made up for by the next commit where it fails, so what
    /// fails is not told.
    async fn sweep(&self, held: &Held, old: Option<&Held>) {
        let named: BTreeSet<&str> = held.record.files.iter().map(|file| file.key.as_str()).collect();
        let before = old.iter().flat_map(|held| &held.record.files);
        let files = held.record.files.iter().chain(before);
        let folders: BTreeSet<&str> =
            files.filter_map(|file| file.key.rsplit_once('/')).map(|(folder, _)| folder).collect();
        for folder in folders {
            let Ok(objects) = self.list(folder).await else { continue };
            for object in objects {
                let is_old = generation_of(&object.path).is_some_and(|of| of <= held.record.generation);
                if is_old && !named.contains(object.path.as_str()) {
                    let _ = self.delete(&object.path).await;
                }
            }
        }
    }

    /// Fetches the files of a set that are wanted into a folder, each under its path, and gives the record that they are
    /// of: the one under the key now, where that has changed meanwhile. Each is held against its SHA-256.
    ///
    /// # Errors
    /// What the store or the disk refuses; a file that is not what was written; a set that is gone.
    pub async fn fetch(
        &self,
        key: &str,
        held: Held,
        folder: &Path,
        wanted: &(dyn Fn(&RecordFile) -> bool + Sync),
    ) -> Result<Held, Error> {
        let mut held = held;
        for _ in 0..ATTEMPTS {
            let gone = match self.fetch_all(&held, folder, wanted).await {
                Ok(()) => return Ok(held),
                Err(error) if error.kind() == Kind::NotFound => error,
                Err(error) => return Err(error),
            };
            match self.record(key).await? {
                Some(now) if now != held => held = now,
                _ => {
                    let what = format!("a file of {} is not there", self.location.shown(key));
                    let remedy = "put it there again from a working copy that has it (`streamflow data push --repair`)";
                    return Err(Error::new(Kind::Damaged, what, gone.to_string(), remedy));
                }
            }
        }
        let what = format!("cannot read {}", self.location.shown(key));
        Err(Error::new(Kind::Lost, what, format!("it changed during each of {ATTEMPTS} reads"), "try again"))
    }

    async fn fetch_all(
        &self,
        held: &Held,
        folder: &Path,
        wanted: &(dyn Fn(&RecordFile) -> bool + Sync),
    ) -> Result<(), Error> {
        for file in held.record.files.iter().filter(|file| wanted(file)) {
            let to = folder.join(&file.path);
            if to.is_file() && digest(&to).await?.0 == file.sha256 {
                continue;
            }
            let sha256 = self.download(&file.key, None, &to, &|_| ()).await?;
            if sha256 != file.sha256 {
                let _ = tokio::fs::remove_file(&to).await;
                let what = format!("{} is damaged", self.location.shown(&file.key));
                let reason = format!("its SHA-256 is {sha256}; expected {}", file.sha256);
                let remedy =
                    "put it there again from a working copy that has it (`streamflow data push --repair`)";
                return Err(Error::new(Kind::Damaged, what, reason, remedy));
            }
        }
        Ok(())
    }
}

async fn digest(path: &Path) -> Result<(String, u64), Error> {
    let (owned, what) = (path.to_owned(), format!("cannot read {}", path.display()));
    match tokio::task::spawn_blocking(move || sha256_of(&owned)).await {
        Ok(digest) => digest.map_err(Error::disk(what)),
        Err(error) => Err(Error::new(Kind::Other, what, error.to_string(), "")),
    }
}

/// A key with generation and checksum before its ending: `usage/part-0.parquet` is `usage/part-0-g2-0a1b2c3d4e5f.parquet`.
fn named(key: &str, generation: u64, sha256: &str) -> String {
    let (folder, name) = key.rsplit_once('/').map_or(("", key), |(folder, name)| (folder, name));
    let slash = if folder.is_empty() { "" } else { "/" };
    let (stem, ending) = name.split_once('.').map_or((name, ""), |(stem, ending)| (stem, ending));
    let dot = if ending.is_empty() { "" } else { "." };
    format!("{folder}{slash}{stem}-g{generation}-{}{dot}{ending}", &sha256[..12])
}

/// The generation in the name of a file.
fn generation_of(key: &str) -> Option<u64> {
    let name = key.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    let (rest, sum) = stem.rsplit_once('-')?;
    let (_, generation) = rest.rsplit_once("-g")?;
    (sum.len() == 12 && sum.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
    generation.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_generation_and_give_it_back() {
        let sha256 = "0a1b2c3d4e5f".repeat(6);
        for (key, expected) in [
            (
                "usage/as_of=2024-01-31/part-0.parquet",
                "usage/as_of=2024-01-31/part-0-g7-0a1b2c3d4e5f.parquet",
            ),
            ("a.b.c", "a-g7-0a1b2c3d4e5f.b.c"),
            ("x/SHA256SUMS", "x/SHA256SUMS-g7-0a1b2c3d4e5f"),
        ] {
            let name = named(key, 7, &sha256);
            assert_eq!((name.as_str(), generation_of(&name)), (expected, Some(7)));
            assert_eq!(generation_of(key), None);
        }
        assert_eq!(generation_of("a-g2-short.parquet"), None);
    }
}
