//! `streamflow backup`: a data directory, its reports and its configuration as a folder or an archive.
//!
//! In a folder, files lie under their checksum (`objects/ab/abcd…`), so a further backup writes only those that are not
//! there yet, and the manifest, which is renamed into place last, says which of them are the backup. An archive has the
//! files under their own names, is written aside and renamed when it is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::archive::{Packing, Writer};
use super::digest::{self, Digest};
use super::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, REPORTS};
use super::stage::{Origin, Stage};
use crate::files::{below, sync, write_aside};
use crate::store::now;

/// Folder of the files of a backup that is a folder.
pub const OBJECTS: &str = "objects";
/// End of the name of an archive that is not whole.
const PARTIAL: &str = "partial";

/// What a backup did.
#[derive(Debug, Serialize)]
pub struct Made {
    pub to: PathBuf,
    /// Files of the backup and their bytes.
    pub files: usize,
    pub bytes: u64,
    /// Those of them that were not there before.
    pub written_files: usize,
    pub written_bytes: u64,
    /// What it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Backs a data directory up. `to` is an archive where its name ends like that of one.
pub async fn backup(origin: &Origin, to: &Path, progress: ProgressBar) -> anyhow::Result<Made> {
    let source = origin.data_dir.canonicalize().unwrap_or_else(|_| origin.data_dir.clone());
    refuse_inside(to, &source)?;
    let packing = Packing::of(to);
    if packing.is_none() && Packing::is_another(to) {
        bail!(
            "{} is named like an archive of a kind that is not written; an archive ends with .tar, .tar.gz (.tgz) or \
             .tar.zst (.tzst), and any other name is that of a folder",
            to.display()
        );
    }
    if packing.is_none() {
        refuse_foreign(to, &source)?;
    }
    let stage = Stage::gather(origin).await?;
    let warning = lost_reports(&stage, origin, to)?;
    let to = to.to_owned();
    tokio::task::spawn_blocking(move || {
        let manifest = Manifest {
            format: FORMAT,
            streamflow: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: now(),
            source: source.display().to_string(),
            database: stage.database,
            files: BTreeMap::new(),
        };
        progress.set_length(stage.files.len() as u64);
        let writing = Writing { stage: &stage, to: &to, manifest, progress, warning };
        match packing {
            Some(packing) => writing.archive(packing),
            None => writing.folder(),
        }
    })
    .await?
}

/// A backup inside the data directory would be lost with it.
fn refuse_inside(to: &Path, source: &Path) -> anyhow::Result<()> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = to.canonicalize().or_else(|_| parent.canonicalize());
    if place.is_ok_and(|place| place.starts_with(source)) {
        bail!("{} lies in the data directory {}; name a place elsewhere", to.display(), source.display());
    }
    Ok(())
}

/// A folder that holds anything but a backup of this data directory is left alone.
fn refuse_foreign(to: &Path, source: &Path) -> anyhow::Result<()> {
    if to.is_file() {
        bail!(
            "{} is a file; name a folder, or an archive that ends with .tar, .tar.gz or .tar.zst",
            to.display()
        );
    }
    let manifest = to.join(MANIFEST);
    if let Ok(json) = fs::read(&manifest) {
        let found = Manifest::parse(&json, to)?;
        if Path::new(&found.source) != source {
            bail!(
                "{} holds a backup of {}, and this is one of {}: it would take its place; name another folder",
                to.display(),
                found.source,
                source.display()
            );
        }
        return Ok(());
    }
    let others = fs::read_dir(to).into_iter().flatten().flatten().map(|entry| entry.file_name());
    // The first backup may have been cut off while it wrote its manifest.
    let manifest_aside = format!(".{MANIFEST}.");
    let is_ours = |name: &OsString| name == OBJECTS || name.to_string_lossy().starts_with(&manifest_aside);
    if let Some(other) = others.into_iter().find(|name| !is_ours(name)) {
        bail!(
            "{} holds {} and no backup; name an empty folder or one of an earlier backup",
            to.display(),
            other.display()
        );
    }
    Ok(())
}

/// Runs name reports and none is there: that is told, and not at the cost of those that an earlier backup has.
fn lost_reports(stage: &Stage, origin: &Origin, to: &Path) -> anyhow::Result<Option<String>> {
    let Some(lost) = stage.lost_reports.last() else { return Ok(None) };
    let told = format!("runs name reports such as {lost}, and {} has none", origin.report_dir.display());
    let earlier = fs::read(to.join(MANIFEST)).ok().map(|json| Manifest::parse(&json, to)).transpose()?;
    let of_report = |path: &String| path.starts_with(&format!("{REPORTS}/"));
    if to.is_file() || earlier.is_some_and(|earlier| earlier.files.keys().any(of_report)) {
        bail!(
            "{told}: no backup was made, so that those of the last one stay; name their folder with --report-dir, or back up \
             to another place"
        );
    }
    Ok(Some(format!("{told}: this backup is without reports; is --report-dir right?")))
}

struct Writing<'a> {
    stage: &'a Stage,
    to: &'a Path,
    manifest: Manifest,
    progress: ProgressBar,
    warning: Option<String>,
}

impl Writing<'_> {
    /// Writes the objects that are not there, then the manifest, then removes those that it does not name.
    fn folder(mut self) -> anyhow::Result<Made> {
        let objects = self.to.join(OBJECTS);
        fs::create_dir_all(&objects).with_context(|| format!("cannot create {}", objects.display()))?;
        let (mut written_files, mut written_bytes, mut changed) = (0, 0, BTreeSet::new());
        for (path, file) in &self.stage.files {
            let found = self.checked(path, digest::of_file(file)?)?;
            let object = object(self.to, &found.sha256);
            if !is_whole(&object, &found) {
                put(file, &object, &found)?;
                written_files += 1;
                written_bytes += found.size_bytes;
                changed.insert(object.parent().unwrap_or(&objects).to_owned());
            }
            self.add(path, found);
        }
        for folder in changed {
            sync(&folder)?;
        }
        sync(&objects)?;
        let manifest = self.to.join(MANIFEST);
        write_aside(&manifest, &self.manifest.to_json())
            .with_context(|| format!("cannot write {}", manifest.display()))?;
        self.sweep(&objects)?;
        // One backup of a data directory is made at a time, so that what lies there is of one that was cut off.
        let aside = format!(".{MANIFEST}.");
        for entry in fs::read_dir(self.to).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&aside) {
                let path = entry.path();
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(self.made(written_files, written_bytes))
    }

    /// Removes the objects that no backup needs any more.
    fn sweep(&self, objects: &Path) -> anyhow::Result<()> {
        let needed: BTreeSet<&str> = self.manifest.files.values().map(|file| file.sha256.as_str()).collect();
        for (path, file) in below(objects)? {
            let name = path.rsplit('/').next().unwrap_or_default();
            if !needed.contains(name) {
                fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
        Ok(())
    }

    fn archive(mut self, packing: Packing) -> anyhow::Result<Made> {
        let name = self.to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = self.to.with_file_name(format!(".{name}.{PARTIAL}"));
        let failed = || format!("cannot write {}", aside.display());
        let mut archive = Writer::create(&aside, packing).with_context(failed)?;
        let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        for (path, file) in &self.stage.files {
            let found = self.checked(path, digest::of_file(file)?)?;
            let mut from = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
            archive.add(path, found.size_bytes, seconds, &mut from).with_context(failed)?;
            self.add(path, found);
        }
        let json = self.manifest.to_json();
        archive.add(MANIFEST, json.len() as u64, seconds, &mut json.as_slice()).with_context(failed)?;
        let written_bytes = archive.finish().with_context(failed)?;
        fs::rename(&aside, self.to).with_context(|| format!("cannot write {}", self.to.display()))?;
        let parent = self.to.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
        let files = self.manifest.files.len();
        Ok(self.made(files, written_bytes))
    }

    /// Refuses a file that is not what the ledger or its model says: a backup of it would take the place of a good one.
    fn checked(&self, path: &str, found: Digest) -> anyhow::Result<Digest> {
        match self.stage.expected.get(path) {
            Some(expected) if *expected != found.sha256 => bail!(
                "{path} is damaged: its bytes are not those that were written (SHA-256), and no backup was made, so that \
                 the last one stays; `streamflow data verify` and `streamflow doctor --deep` tell more"
            ),
            _ => Ok(found),
        }
    }

    fn add(&mut self, path: &str, found: Digest) {
        let Digest { sha256, size_bytes } = found;
        self.manifest.files.insert(path.to_owned(), FileEntry { sha256, size_bytes });
        self.progress.inc(1);
    }

    fn made(&self, written_files: usize, written_bytes: u64) -> Made {
        let (files, bytes) = (self.manifest.files.len(), self.manifest.size_bytes());
        Made {
            to: self.to.to_owned(),
            files,
            bytes,
            written_files,
            written_bytes,
            warning: self.warning.clone(),
        }
    }
}

/// The place of a file in a backup that is a folder.
pub fn object(backup: &Path, sha256: &str) -> PathBuf {
    backup.join(OBJECTS).join(sha256.get(..2).unwrap_or("__")).join(sha256)
}

/// Whether an object is there and is what its name says: one that is damaged is written anew.
fn is_whole(object: &Path, expected: &Digest) -> bool {
    digest::of_file(object).is_ok_and(|found| found == *expected)
}

/// Writes an object aside and renames it, so that none is ever half there.
fn put(from: &Path, object: &Path, expected: &Digest) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", object.display());
    let folder = object.parent().context("an object lies in a folder")?;
    fs::create_dir_all(folder).with_context(failed)?;
    let aside = object.with_extension(PARTIAL);
    let mut from = File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut to = File::create(&aside).with_context(failed)?;
    let written = digest::copy(&mut from.by_ref(), &mut to).with_context(failed)?;
    if written != *expected {
        bail!("{} changed while it was backed up; try again", object.display());
    }
    to.sync_all().with_context(failed)?;
    fs::rename(&aside, object).with_context(failed)
}
