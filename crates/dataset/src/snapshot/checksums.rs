//! The files of snapshots against their checksums in the ledger: each is held against its own when a process first reads
//! it, and all of them on request.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::commit::{self, locate};
use crate::snapshot::fingerprint::hex;
use crate::snapshot::forgotten::Forgotten;
use crate::snapshot::ledger::{self, FORMAT, Snapshot, SnapshotTable};
use crate::snapshot::snapshots::Snapshots;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(count) => hasher.update(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path)(error)),
        }
    }
}

/// The files that this process has found intact, by their path in the ledger and their checksum.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<HashSet<(String, String)>>);

impl Checked {
    /// Holds a file against its checksum, the first time that it is read; a file without one, of a ledger of format 1,
    /// is taken as it is.
    pub(crate) fn is_intact(&self, path: &Path, table: &SnapshotTable) -> Result<bool, Error> {
        let Some(expected) = &table.sha256 else { return Ok(true) };
        let key = (table.path.clone(), expected.clone());
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return Ok(true);
        }
        if sha256(path)? != *expected {
            return Ok(false);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        Ok(true)
    }
}

/// The names in a folder, in order.
fn names_in(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(Error::io("list", folder))?;
    names.sort_unstable();
    Ok(names)
}

/// Why a file that is not intact is not read.
pub(crate) const CHANGED: &str = "its bytes are not those that were written (SHA-256)";

/// What became of the files of all snapshots.
#[derive(Debug)]
pub struct Verification {
    /// Those of the dates whose ledger entries can be read, and files of no ingest.
    pub files: Vec<VerifiedFile>,
    /// What is wrong with the other ledger entries, of whose dates no file is known, and with the list of forgotten
    /// entities.
    pub ledger_faults: Vec<Error>,
}

impl Verification {
    /// Whether everything is what was written, as far as the ledger knows.
    pub fn is_intact(&self) -> bool {
        self.ledger_faults.is_empty() && self.files.iter().all(|file| !file.state.is_damaged())
    }

    /// Adds what is wrong with the list of forgotten entities where it lacks some of those of these hashes.
    pub fn hold_to(&mut self, snapshots: &Snapshots, hashes: &[String]) {
        if !self.ledger_faults.iter().any(|fault| matches!(fault, Error::Forgotten { .. })) {
            self.ledger_faults.extend(snapshots.check_forgotten(hashes).err());
        }
    }
}

/// A file of a snapshot and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFile {
    /// The date.
    pub as_of: Period,
    /// The table.
    pub table: String,
    /// The file, relative to the directory of the snapshots.
    pub path: String,
    /// Whether it is what was written.
    pub state: FileState,
}

/// Whether a file is what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// It is.
    Intact,
    /// Its ledger entry has no checksum, since a release of before wrote it.
    Unrecorded,
    /// Its bytes are others.
    Changed,
    /// It is not there.
    Missing,
    /// It lies among the tables and no ledger entry names it.
    Foreign,
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileState::Intact => "intact",
            FileState::Unrecorded => "no checksum recorded",
            FileState::Changed => "damaged",
            FileState::Missing => "missing",
            FileState::Foreign => "of no ingest",
        })
    }
}

impl FileState {
    /// Whether the file is not what was written, or was not written by an ingest.
    pub fn is_damaged(self) -> bool {
        matches!(self, FileState::Changed | FileState::Missing | FileState::Foreign)
    }
}

impl Snapshots {
    /// Reads every file of every snapshot and holds it against its checksum, and looks for files beside them that no
    /// ledger entry names. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Io`] but for a missing file.
    pub fn verify(&self) -> Result<Verification, Error> {
        self.examine(true)
    }

    /// The same without reading what the files hold: each must be there with its size.
    ///
    /// # Errors
    /// As [`Snapshots::verify`].
    pub fn survey(&self) -> Result<Verification, Error> {
        self.examine(false)
    }

    fn examine(&self, is_read: bool) -> Result<Verification, Error> {
        let (mut files, mut ledger_faults, mut unknown) = (Vec::new(), Vec::new(), HashSet::new());
        for (as_of, read) in ledger::read_each(&self.snapshots)? {
            let snapshot = match read {
                Ok(snapshot) => snapshot,
                Err(fault) => {
                    unknown.insert(as_of);
                    ledger_faults.push(fault);
                    continue;
                }
            };
            files.extend(self.verify_snapshot(&snapshot, is_read)?);
            if !self.snapshots.join(&snapshot.validation).exists() {
                let (as_of, path) = (snapshot.as_of, snapshot.validation.clone());
                let table = "validation result".to_string();
                files.push(VerifiedFile { as_of, table, path, state: FileState::Missing });
            }
        }
        ledger_faults.extend(Forgotten::read(&self.snapshots, "").err());
        let known: HashSet<String> = files.iter().map(|file| file.path.clone()).collect();
        files.extend(self.foreign(&known)?.into_iter().filter(|file| !unknown.contains(&file.as_of)));
        Ok(Verification { files, ledger_faults })
    }

    /// The files in the folders of tables and dates that are not known.
    fn foreign(&self, known: &HashSet<String>) -> Result<Vec<VerifiedFile>, Error> {
        let mut files = Vec::new();
        for table in names_in(&self.snapshots)? {
            if table.starts_with(['.', '_']) || !self.snapshots.join(&table).is_dir() {
                continue;
            }
            for date in names_in(&self.snapshots.join(&table))? {
                let folder = self.snapshots.join(&table).join(&date);
                let Some(as_of) = date.strip_prefix("as_of=").and_then(|date| date.parse().ok()) else {
                    continue;
                };
                for name in names_in(&folder)? {
                    let path = format!("{table}/{date}/{name}");
                    if !known.contains(&path) {
                        files.push(VerifiedFile {
                            as_of,
                            table: table.clone(),
                            path,
                            state: FileState::Foreign,
                        });
                    }
                }
            }
        }
        Ok(files)
    }

    /// Whether the list of forgotten entities has those of these hashes, of which somebody keeps receipts.
    ///
    /// # Errors
    /// [`Error::Forgotten`] where it lacks some or is damaged, [`Error::Io`].
    pub fn check_forgotten(&self, hashes: &[String]) -> Result<(), Error> {
        Forgotten::read(&self.snapshots, "")?.holds(&self.snapshots, hashes)
    }

    /// Records the checksums of files whose ledger entry has none: from then on they count as what was written. Gives
    /// how many they are.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::Io`]. Each date is recorded whole or not at all.
    pub fn adopt(&self) -> Result<usize, Error> {
        let _lock = self.lock()?;
        commit::recover(&self.disk, &self.snapshots)?;
        let mut adopted = 0;
        // What cannot be read is for `verify` to tell.
        for mut snapshot in ledger::read_each(&self.snapshots)?.into_values().flatten() {
            let before = adopted;
            for table in snapshot.tables.values_mut().filter(|table| table.sha256.is_none()) {
                table.sha256 = Some(sha256(&self.snapshots.join(&table.path))?);
                adopted += 1;
            }
            if adopted > before {
                snapshot.format = FORMAT;
                snapshot.entity.get_or_insert_with(|| self.spec.entity.clone());
                commit::rewrite_manifest(&self.disk, &self.snapshots, &snapshot)?;
            }
        }
        Ok(adopted)
    }

    /// Whether all files of a snapshot are what was written: as far as the ledger knows, or `certainly`.
    pub(crate) fn is_whole(&self, snapshot: &Snapshot, certainly: bool) -> Result<bool, Error> {
        let validation = self.snapshots.join(&snapshot.validation);
        let is_fine = |file: &VerifiedFile| {
            file.state == FileState::Intact || (!certainly && file.state == FileState::Unrecorded)
        };
        Ok(validation.exists() && self.verify_snapshot(snapshot, true)?.iter().all(is_fine))
    }

    fn verify_snapshot(&self, snapshot: &Snapshot, is_read: bool) -> Result<Vec<VerifiedFile>, Error> {
        let state = |name: &String, table: &SnapshotTable| -> Result<FileState, Error> {
            let path =
                locate(&self.snapshots, snapshot, name).unwrap_or_else(|| self.snapshots.join(&table.path));
            let Some(expected) = &table.sha256 else {
                return Ok(if path.exists() { FileState::Unrecorded } else { FileState::Missing });
            };
            if !is_read {
                return Ok(match std::fs::metadata(&path) {
                    Ok(found) if found.len() == table.size_bytes => FileState::Intact,
                    Ok(_) => FileState::Changed,
                    Err(_) => FileState::Missing,
                });
            }
            match sha256(&path) {
                Ok(found) if found == *expected => Ok(FileState::Intact),
                Ok(_) => Ok(FileState::Changed),
                Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => Ok(FileState::Missing),
                Err(error) => Err(error),
            }
        };
        let file = |(name, table): (&String, &SnapshotTable)| {
            let (as_of, path) = (snapshot.as_of, table.path.clone());
            Ok(VerifiedFile { as_of, table: name.clone(), path, state: state(name, table)? })
        };
        snapshot.tables.iter().map(file).collect()
    }
}
