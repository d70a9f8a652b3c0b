//! The files of all snapshots as one set that fits together, for a copy of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path};

use crate::error::Error;
use crate::snapshot::commit::{exists, locate, locate_validation};
use crate::snapshot::forgotten::FORGOTTEN;
use crate::snapshot::ledger::{self, LEDGER, Snapshot};
use crate::snapshot::snapshots::Snapshots;

/// How often a copy is begun anew because the ledger has changed meanwhile.
const ATTEMPTS: usize = 32;

/// A table's file in a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// The file, relative to the directory of the snapshots.
    pub path: String,
    /// The SHA-256 that the ledger has of it; not recorded in format 1.
    pub sha256: Option<String>,
}

impl Snapshots {
    /// Puts every file that the ledger names, and the ledger itself, under the directory `to`, in the places that they
    /// have in a directory of snapshots. Files are linked where the file system can, else copied: none of them is ever
    /// changed in its place, so the set stays what it is while months are ingested, replaced and removed. What the files
    /// hold is not read; it is to be held against the checksums that are given back.
    ///
    /// # Errors
    /// [`Error::Ledger`] or [`Error::NewerLedger`] for an entry that cannot be read, [`Error::Io`] for a file that the
    /// ledger names and that is not there, [`Error::Overtaken`].
    pub fn copy_to(&self, to: &Path) -> Result<Vec<CopiedTable>, Error> {
        let mut overtaken = Error::Overtaken { attempts: ATTEMPTS };
        for _ in 0..ATTEMPTS {
            if exists(to)? {
                fs::remove_dir_all(to).map_err(Error::io("remove", to))?;
            }
            let before = ledger::read_all(&self.snapshots)?;
            let copied: Result<Vec<_>, Error> = before.values().map(|found| self.link(found, to)).collect();
            let copied = copied.and_then(|tables| self.link_forgotten(to).map(|()| tables));
            match copied {
                // It was moved to its place meanwhile, or is lost.
                Err(gone @ Error::Io { .. }) if gone.io_kind() == Some(ErrorKind::NotFound) => {
                    overtaken = gone;
                }
                Err(other) => return Err(other),
                // The entries that were linked are those that were read, and nothing was added.
                Ok(tables) if ledger::read_all(&self.snapshots)? == before => {
                    if !before.is_empty() && ledger::read_all(to)? != before {
                        continue;
                    }
                    return Ok(tables.concat());
                }
                Ok(_) => {}
            }
        }
        Err(overtaken)
    }

    /// Without them, ingesting into the copy would bring back who was forgotten.
    fn link_forgotten(&self, to: &Path) -> Result<(), Error> {
        let place = Path::new(LEDGER).join(FORGOTTEN);
        let from = self.snapshots.join(&place);
        if exists(&from)? { link(&from, &to.join(place)) } else { Ok(()) }
    }

    fn link(&self, snapshot: &Snapshot, to: &Path) -> Result<Vec<CopiedTable>, Error> {
        let manifest = ledger::manifest_path(&self.snapshots, snapshot.as_of);
        let mut paths = snapshot.tables.values().map(|table| &table.path).chain([&snapshot.validation]);
        if let Some(outside) = paths.find(|path| !is_inside(path)) {
            let reason = format!("it names {outside:?}, which is no place among the snapshots");
            return Err(Error::Ledger { path: manifest, reason });
        }
        link(&manifest, &ledger::manifest_path(to, snapshot.as_of))?;
        link(&locate_validation(&self.snapshots, snapshot), &to.join(&snapshot.validation))?;
        let mut tables = Vec::new();
        for (name, table) in &snapshot.tables {
            let from = locate(&self.snapshots, snapshot, name);
            link(&from.unwrap_or_else(|| self.snapshots.join(&table.path)), &to.join(&table.path))?;
            tables.push(CopiedTable { path: table.path.clone(), sha256: table.sha256.clone() });
        }
        Ok(tables)
    }
}

/// True for a path that stays in its folder.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn link(from: &Path, to: &Path) -> Result<(), Error> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::io("read", from)(error)),
        // Not every file system has links.
        Err(_) => fs::copy(from, to).map(drop).map_err(Error::io("copy", from)),
    }
}
