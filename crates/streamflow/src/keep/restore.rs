//! `streamflow restore`: a backup becomes a data directory again, whole or not at all.
//!
//! Every file is written beside the data directory and held against its checksum on the way; then the reports and the
//! configuration take their places where none is, and last the data directory is renamed into its own: the commit point.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::archive;
use super::backup::object;
use super::digest::{self, Digest};
use super::lock::locked;
use super::manifest::{CONFIG, DATA, FileEntry, MANIFEST, Manifest, REPORTS, is_inside};
use crate::config::{Config, check_model_name};
use crate::files::{below, sync};
use crate::store::Store;
use crate::store::inspect::active_runs;

/// A manifest is small: more than this is none.
const MANIFEST_BYTES_MAX: u64 = 1 << 28;
/// And so is a configuration.
const CONFIG_BYTES_MAX: u64 = 1 << 24;

/// Where a backup goes.
#[derive(Debug, Clone)]
pub struct Target {
    pub data_dir: PathBuf,
    pub report_dir: PathBuf,
    /// Where the configuration is put; none where there is one already.
    pub config: Option<PathBuf>,
}

/// What a restore did.
#[derive(Debug, Serialize)]
pub struct Restored {
    pub data_dir: PathBuf,
    pub report_dir: PathBuf,
    /// The configuration that was put in place.
    pub config: Option<PathBuf>,
    pub files: usize,
    pub bytes: u64,
    /// When the backup was made, and by which release.
    pub created_at: String,
    pub streamflow: String,
    /// Runs that were active then: they have ended as crashed.
    pub crashed_runs: Vec<i64>,
}

/// A backup that was found to be one.
#[derive(Debug)]
pub struct Backup {
    from: PathBuf,
    pub manifest: Manifest,
}

impl Backup {
    /// Reads the manifest of a backup, which is a folder or an archive.
    pub fn open(from: &Path) -> anyhow::Result<Self> {
        let json = if from.is_dir() {
            let path = from.join(MANIFEST);
            fs::read(&path).with_context(|| {
                format!("{} holds no whole backup: cannot read {}", from.display(), path.display())
            })?
        } else {
            manifest_of(from)?
        };
        Ok(Self { from: from.to_owned(), manifest: Manifest::parse(&json, from)? })
    }

    /// The configuration that it holds.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mut text = None;
        self.each(&mut |path, entry, from| {
            if path == CONFIG {
                let mut bytes = Vec::new();
                let found = digest::copy(&mut from.take(CONFIG_BYTES_MAX), &mut bytes)?;
                self.check(path, entry, &found)?;
                text =
                    Some(String::from_utf8(bytes).with_context(|| format!("{CONFIG} is no text in UTF-8"))?);
            }
            Ok(())
        })?;
        let text = text.with_context(|| {
            format!("the backup {} holds no {CONFIG}; name one with --config", self.from.display())
        })?;
        Config::of_text(&text, &self.from.join(CONFIG))
    }

    /// Puts everything in its place.
    pub async fn restore(&self, target: &Target, progress: &ProgressBar) -> anyhow::Result<Restored> {
        refuse_occupied(target)?;
        progress.set_length(self.manifest.files.len() as u64);
        let aside = aside(&target.data_dir)?;
        let _claim = Claim::of(&aside)?;
        // Another restore may have ended in between.
        refuse_occupied(target)?;
        clear(&aside)?;
        let unpacked = self.unpack(&aside, progress).and_then(|()| self.refuse_other_reports(target));
        let crashed = match unpacked {
            Ok(()) => opened(&aside.join(DATA)).await,
            Err(error) => Err(error),
        };
        let placed = crashed.and_then(|crashed| self.place(&aside, target).map(|config| (crashed, config)));
        // A restore that failed leaves nothing; a file that cannot be removed either is for the next one.
        let _ = clear(&aside);
        let (crashed_runs, config) = placed?;
        Ok(Restored {
            data_dir: target.data_dir.clone(),
            report_dir: target.report_dir.clone(),
            config,
            files: self.manifest.files.len(),
            bytes: self.manifest.size_bytes(),
            created_at: self.manifest.created_at.clone(),
            streamflow: self.manifest.streamflow.clone(),
            crashed_runs,
        })
    }

    /// Hands every file of the backup to `sink`, with its path and its entry in the manifest.
    fn each(
        &self,
        sink: &mut dyn FnMut(&str, &FileEntry, &mut dyn Read) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if !self.from.is_dir() {
            return archive::read(&self.from, |path, _, from| {
                if path == MANIFEST {
                    return Ok(());
                }
                let entry = self.manifest.files.get(path).with_context(|| {
                    format!(
                        "the archive {} holds {path:?}, which its manifest does not name",
                        self.from.display()
                    )
                })?;
                sink(path, entry, from)
            });
        }
        for (path, entry) in &self.manifest.files {
            let object = object(&self.from, &entry.sha256);
            let mut from = File::open(&object).with_context(|| {
                format!(
                    "{path} is missing from the backup {}: cannot read {}; nothing was restored, restore another backup",
                    self.from.display(),
                    object.display()
                )
            })?;
            sink(path, entry, &mut from)?;
        }
        Ok(())
    }

    /// Writes all files under `aside`, each held against its checksum.
    fn unpack(&self, aside: &Path, progress: &ProgressBar) -> anyhow::Result<()> {
        let (mut seen, mut folders) = (BTreeSet::new(), BTreeSet::new());
        fs::create_dir_all(aside.join(DATA)).with_context(|| format!("cannot create {}", aside.display()))?;
        self.each(&mut |path, entry, from| {
            // The manifest was held to it, and the archive's names are those of the manifest.
            debug_assert!(is_inside(path));
            let file = aside.join(path);
            let folder = file.parent().unwrap_or(aside).to_owned();
            let failed = || format!("cannot write {}", file.display());
            fs::create_dir_all(&folder).with_context(failed)?;
            let mut to = File::create_new(&file).with_context(failed)?;
            // More than was backed up is damage, and would fill the disk.
            let from = &mut from.take(entry.size_bytes.saturating_add(1));
            let found = digest::copy(from, &mut to).with_context(|| {
                format!("cannot read {path} of the backup {}; nothing was restored", self.from.display())
            })?;
            to.sync_all().with_context(failed)?;
            self.check(path, entry, &found)?;
            seen.insert(path.to_owned());
            folders.insert(folder);
            progress.inc(1);
            Ok(())
        })?;
        if let Some(missing) = self.manifest.files.keys().find(|path| !seen.contains(*path)) {
            bail!("{missing} is missing from the backup {}; nothing was restored", self.from.display());
        }
        folders.iter().try_for_each(|folder| sync(folder))
    }

    fn check(&self, path: &str, entry: &FileEntry, found: &Digest) -> anyhow::Result<()> {
        if (&found.sha256, found.size_bytes) == (&entry.sha256, entry.size_bytes) {
            return Ok(());
        }
        bail!(
            "{path} of the backup {} is damaged: its bytes are not those that were backed up (SHA-256); nothing was \
             restored, restore another backup",
            self.from.display()
        )
    }

    /// Reports that lie there already must be those of the backup.
    fn refuse_other_reports(&self, target: &Target) -> anyhow::Result<()> {
        for (path, entry) in &self.manifest.files {
            let Some(name) = path.strip_prefix(REPORTS).and_then(|name| name.strip_prefix('/')) else {
                continue;
            };
            let file = target.report_dir.join(name);
            if file.exists() && digest::of_file(&file)?.sha256 != entry.sha256 {
                bail!(
                    "{} is there already and is another report than the backup's; nothing was restored: name another \
                     folder with --report-dir, or move it away",
                    file.display()
                );
            }
        }
        Ok(())
    }

    /// The reports and the configuration first, then the data directory: the commit point.
    fn place(&self, aside: &Path, target: &Target) -> anyhow::Result<Option<PathBuf>> {
        let reports = aside.join(REPORTS);
        let reports = if reports.is_dir() { below(&reports)? } else { BTreeMap::new() };
        for (name, file) in &reports {
            put(file, &target.report_dir.join(name))?;
        }
        let config = target.config.clone().filter(|_| self.manifest.files.contains_key(CONFIG));
        if let Some(config) = &config {
            put(&aside.join(CONFIG), config)?;
        }
        let (from, to) = (aside.join(DATA), &target.data_dir);
        // An empty folder gives way to the renamed one.
        fs::rename(&from, to)
            .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))?;
        sync(parent(to))?;
        Ok(config)
    }
}

/// Copies a file to a place that may be on another file system. A name aside that is always the same one leaves nothing
/// behind where a restore that was cut off is made again.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", to.display());
    let name = to.file_name().with_context(failed)?.to_string_lossy().into_owned();
    let aside = to.with_file_name(format!(".{name}.restoring"));
    fs::create_dir_all(parent(to)).with_context(failed)?;
    fs::copy(from, &aside).with_context(failed)?;
    sync(&aside)?;
    fs::rename(&aside, to).with_context(failed)?;
    sync(parent(to))
}

/// Opens the restored database once: it is brought up to date, and the runs that were active belong to no process here.
async fn opened(data: &Path) -> anyhow::Result<Vec<i64>> {
    let active = active_runs(data).await?;
    let store = Store::open(data).await?;
    for version in store.model_versions().await? {
        check_model_name("the name of a model in the backup", &version.name)?;
    }
    store
        .end_active_runs("it was active when the backup was made that this data directory was restored from")
        .await?;
    store.end_sessions().await?;
    store.close().await;
    Ok(active)
}

/// Refuses a data directory that holds anything, or that nothing can be renamed to.
fn refuse_occupied(target: &Target) -> anyhow::Result<()> {
    let data_dir = &target.data_dir;
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    if data_dir.is_dir() && device(data_dir) != device(parent(data_dir)) {
        bail!(
            "{} is mounted, and a data directory takes its place in one step, within one file system: name a folder in \
             it with --data-dir, and as data_dir in the configuration, or restore where it is not mounted",
            data_dir.display()
        );
    }
    match fs::read_dir(data_dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!(
                "{} is not empty, and a restore replaces nothing: move it away first, or name another folder with \
                 --data-dir",
                data_dir.display()
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot restore to {}", data_dir.display())),
    }
}

/// Where a data directory is put together: beside its place, on its file system.
fn aside(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let name = data_dir.file_name().with_context(|| {
        format!("{} names no folder; name the data directory with --data-dir", data_dir.display())
    })?;
    let parent = parent(data_dir);
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(parent.join(format!(".{}.restoring", name.to_string_lossy())))
}

/// A place that one restore at a time writes to; it ends with the process, however that ends.
struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    fn of(aside: &Path) -> anyhow::Result<Self> {
        let path = aside.with_added_extension("lock");
        // Who had it has removed it at the end: what is locked must be what lies there.
        let lies_there = |file: &File| {
            let own = file.metadata().with_context(|| format!("cannot lock {}", path.display()))?.ino();
            anyhow::Ok(fs::metadata(&path).is_ok_and(|found| found.ino() == own))
        };
        match locked(&path)? {
            Some(file) if lies_there(&file)? => Ok(Self { path, _file: file }),
            _ => bail!(
                "another restore is writing to this place ({} is locked); wait until it has finished",
                path.display()
            ),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // One that stays is taken by the next restore.
        let _ = fs::remove_file(&self.path);
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn clear(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// The manifest of an archive, which is its last file: one that was cut off has none.
fn manifest_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut json = None;
    archive::read(path, |name, size, from| {
        if name == MANIFEST && size <= MANIFEST_BYTES_MAX {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes)?;
            json = Some(bytes);
        }
        Ok(())
    })?;
    json.with_context(|| {
        format!(
            "{} holds no whole backup: it has no {MANIFEST}; is it an archive of `streamflow backup`?",
            path.display()
        )
    })
}
