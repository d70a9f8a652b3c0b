//! What is stored: the database, the runs, snapshots, models, metrics and reports.

use std::fs::{self, File};
use std::path::Path;

use streamflow_dataset::FileState;
use streamflow_model::Stored;

use super::{Found, Project};
use crate::config::StoreKind;
use crate::drift::{ReportFolder, Rules};
use crate::keep::leftovers;
use crate::registry::{SUMS, missing};
use crate::store::NEWEST;
use crate::store::inspect::{Inspection, inspect, is_there};
use crate::terminal::one_line;
use crate::workspace;

/// What names a backup as the way out.
const RESTORE: &str = "stop what uses it and restore a backup (`streamflow restore`)";

/// The database, where there is one that can be read.
async fn inspected(project: &Project) -> Option<Inspection> {
    inspect(&project.config.store, &project.data_dir, false).await.ok()
}

/// Whether the database is of this release, and whole.
pub async fn database(project: &Project) -> Vec<Found> {
    if !is_there(&project.config.store, &project.data_dir) {
        return vec![Found::ok("there is no database yet: the first command makes it")];
    }
    vec![match inspect(&project.config.store, &project.data_dir, project.deep).await {
        Err(error) if project.config.store.kind == StoreKind::Postgres => Found::wrong(
            one_line(&error),
            "start the server, or mend its URL or its grants; predictions go on meanwhile (docs/store.md)",
        ),
        Err(error) => Found::wrong(one_line(&error), RESTORE),
        Ok(found) if found.version == 0 => {
            Found::ok("the schema holds nothing yet: the first command makes its tables")
        }
        Ok(found) if !found.faults.is_empty() => {
            Found::wrong(format!("the database is damaged: {}", found.faults.join("; ")), RESTORE)
        }
        Ok(found) if found.version > NEWEST => Found::wrong(
            format!(
                "the database has the version {} of a later release; this one knows {NEWEST}",
                found.version
            ),
            "use that release, or restore a backup that was made before the upgrade (`streamflow restore`)",
        ),
        Ok(found) if found.version < NEWEST => Found::warn(
            format!(
                "the database has the version {}, and the next command brings it up to {NEWEST}",
                found.version
            ),
            "make a backup first (`streamflow backup`): an older release does not read it afterwards",
        ),
        Ok(found) => Found::ok(format!("the database has the version {}", found.version)),
    }]
}

/// Runs that say they are worked on and are not.
pub async fn runs(project: &Project) -> Vec<Found> {
    let Inspection { orphaned, forgetting, .. } = inspected(project).await.unwrap_or_default();
    if orphaned.is_empty() && forgetting == 0 {
        return vec![Found::ok("no run has lost its process, and nobody waits to be forgotten")];
    }
    let gone = |(id, flow): &(i64, String)| {
        Found::warn(
            format!("run {id} of {flow} is active, and its process is gone"),
            format!("the next command ends it as crashed; `streamflow flows retry {id}` goes on from there"),
        )
    };
    let mut found: Vec<Found> = orphaned.iter().map(gone).collect();
    if forgetting > 0 {
        found.push(Found::warn(
            format!(
                "entities that are not wholly forgotten, because it was cut off or is going on: {forgetting}"
            ),
            "a server goes on within the hour, `streamflow forget` with any entity at once",
        ));
    }
    found
}

/// Whether every file that the ledger names is there; with `deep`, whether it is what was written.
pub async fn snapshots(project: &Project) -> Vec<Found> {
    let folder = project.data_dir.join("snapshots");
    if !folder.is_dir() {
        return vec![Found::ok("no month is ingested yet")];
    }
    let receipts = inspected(project).await.map(|found| found.forgotten).unwrap_or_default();
    let verified =
        workspace::look_at(&project.data_dir, project.config.dataset.clone()).and_then(|snapshots| {
            let mut found = if project.deep { snapshots.verify() } else { snapshots.survey() }?;
            found.hold_to(&snapshots, &receipts);
            Ok(found)
        });
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return vec![Found::wrong(one_line(&error), RESTORE)],
    };
    let mut found: Vec<Found> =
        verified.ledger_faults.iter().map(|fault| Found::wrong(fault.to_string(), RESTORE)).collect();
    for file in verified.files.iter().filter(|file| file.state != FileState::Intact) {
        let what = format!("{} is {}", file.path, file.state);
        found.push(match file.state {
            FileState::Unrecorded => {
                Found::warn(what, "`streamflow data verify --adopt` records what it is now")
            }
            FileState::Foreign => {
                Found::wrong(format!("{what}, and other programs would read it"), "move it away")
            }
            _ => Found::wrong(
                what,
                "ingest that month again (the same drop writes it anew), or restore a backup",
            ),
        });
    }
    if found.is_empty() {
        let how = if project.deep {
            "every byte is as it was written"
        } else {
            "all are there (--deep reads them)"
        };
        found.push(Found::ok(format!("files: {}; {how}", verified.files.len())));
    }
    found
}

/// Whether every registered version has its artefact, with all of its files; with `deep`, whether it is what was written.
pub async fn models(project: &Project) -> Vec<Found> {
    let models = inspected(project).await.map(|found| found.models).unwrap_or_default();
    let damage = |(name, version): &(String, i64)| {
        let folder = project.data_dir.join("models").join(name).join(version.to_string());
        let what = damage_of(&folder, project.deep)?;
        Some(Found::wrong(
            format!("version {version} of {name} {what}"),
            "promote another version (`streamflow models ls`), or restore a backup",
        ))
    };
    let mut found: Vec<Found> = models.iter().filter_map(damage).collect();
    if found.is_empty() {
        let how = if project.deep {
            "every byte is as it was written"
        } else {
            "all are there (--deep reads them)"
        };
        found.push(Found::ok(format!("versions: {}; {how}", models.len())));
    }
    found
}

/// What is wrong with the artefact of a version; `deep` reads all of it.
fn damage_of(folder: &Path, deep: bool) -> Option<String> {
    if !folder.join(SUMS).is_file() {
        return Some(format!("is registered, and {} is not there", folder.display()));
    }
    match missing(folder) {
        Err(error) => Some(format!("is damaged: {}", one_line(&error))),
        Ok(Some(file)) => Some(format!("is damaged: {} is missing", folder.join(file).display())),
        Ok(None) if !deep => None,
        Ok(None) => Stored::load(folder).err().map(|error| format!("is damaged: {error}")),
    }
}

/// The stored samples: only `deep` reads them, and only where no server has them open.
pub fn metrics(project: &Project) -> Vec<Found> {
    let dir = project.data_dir.join("metrics");
    if !dir.is_dir() {
        return vec![Found::ok("no samples are stored yet")];
    }
    if !project.deep {
        return vec![Found::ok("stored samples are there (--deep reads them)")];
    }
    if is_locked(&dir.join("lock")) {
        return vec![Found::warn(
            "the stored samples were not looked at: a server has them open",
            "its console says whether they are damaged (status); or stop it and look again",
        )];
    }
    match streamflow_tsdb::verify(&dir) {
        Err(error) => vec![Found::wrong(error.to_string(), RESTORE)],
        Ok(report) if report.damage.is_empty() => {
            vec![Found::ok(format!(
                "{} stored samples are as they were written",
                report.samples + report.wal_samples
            ))]
        }
        Ok(report) => {
            let lost = |damage: &streamflow_tsdb::Damage| {
                Found::wrong(
                    format!("{}: {}", damage.file.display(), damage.what),
                    "the rest is served; restore a backup where the lost samples matter",
                )
            };
            report.damage.iter().map(lost).collect()
        }
    }
}

/// Whether another process holds a lock file.
fn is_locked(file: &Path) -> bool {
    File::open(file).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// Whether the report folder can be written to and read.
pub fn reports(project: &Project) -> Vec<Found> {
    let dir = &project.report_dir;
    if !dir.exists() {
        return vec![Found::ok(format!("no report is there yet; {} is made with the first", dir.display()))];
    }
    let probe = dir.join(format!(".doctor.{}", std::process::id()));
    if let Err(error) = fs::write(&probe, []).and_then(|()| fs::remove_file(&probe)) {
        return vec![Found::wrong(
            format!("reports cannot be written to {}: {error}", dir.display()),
            "give the server's user the right to write there, or name another folder (monitor.report_dir)",
        )];
    }
    let folder = ReportFolder::new(dir.clone(), Rules::from(&project.config.monitor));
    match folder.list() {
        Err(error) => vec![Found::wrong(one_line(&error), "make it readable")],
        Ok((reports, damaged)) if damaged.is_empty() => {
            vec![Found::ok(format!("reports: {}", reports.len()))]
        }
        Ok((_, damaged)) => {
            let remedy = "make it again (`streamflow monitor`), or delete it";
            damaged.into_iter().map(|what| Found::wrong(what, remedy)).collect()
        }
    }
}

/// What something that was cut off has left: never in the way, but it takes room.
pub fn left_over(project: &Project) -> Vec<Found> {
    let left = |path: &Path, remedy: &str| {
        Found::warn(format!("{} is left of something that was cut off", path.display()), remedy)
    };
    let remedy = "a server removes it within the hour, `streamflow data prune` at once";
    let aside = leftovers(&project.data_dir, &project.report_dir);
    let mut found: Vec<Found> = aside.iter().map(|path| left(path, remedy)).collect();
    let mut look = |folder: &Path, prefix: &str, remedy: &str| {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(left(&entry.path(), remedy));
            }
        }
    };
    if !is_locked(&project.data_dir.join(".lock")) {
        look(&project.data_dir.join("snapshots"), ".ingest-", "the next ingest finishes or removes it");
    }
    if !is_locked(&project.data_dir.join(".upkeep.lock")) {
        look(&project.data_dir, ".backup", "the next backup removes it");
    }
    if let (Some(name), Some(parent)) = (project.data_dir.file_name(), project.data_dir.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        look(
            parent,
            &format!(".{}.restoring", name.to_string_lossy()),
            "the next restore removes it, or delete it",
        );
    }
    if found.is_empty() {
        found.push(Found::ok("nothing is left of what was cut off"));
    }
    found
}
