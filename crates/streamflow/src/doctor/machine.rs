//! The machine: disk, clock, limits, and the folder of the data.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Resource, getrlimit};

use super::{Found, Project};
use crate::files::below;
use crate::store::inspect::inspect;
use crate::terminal::bytes;

/// Less than this of a disk, and less than so many bytes, is little; a tenth of both is as good as none.
const LITTLE_SHARE: f64 = 0.10;
const LITTLE_BYTES: u64 = 2_000_000_000;
/// How far apart two clocks may be that go right.
const LEEWAY: SignedDuration = SignedDuration::from_mins(5);
/// Files that a server has open beside its connections: samples, the database, certificates.
const OWN_FILES: u64 = 512;

/// Whether the data directory can be written to, and not by everybody.
pub fn data_directory(project: &Project) -> Vec<Found> {
    let dir = &project.data_dir;
    let shown = dir.display();
    let Ok(meta) = fs::metadata(dir) else {
        return vec![Found::warn(
            format!("{shown} is not there yet"),
            "`streamflow ingest` makes it; is --data-dir right?",
        )];
    };
    if !meta.is_dir() {
        return vec![Found::wrong(format!("{shown} is a file"), "name a folder with --data-dir")];
    }
    if let Err(error) = try_writing(dir) {
        return vec![Found::wrong(
            format!("{shown} cannot be written to: {error}"),
            "give its user the right to write, or run as that user",
        )];
    }
    if meta.permissions().mode() & 0o002 != 0 {
        return vec![Found::wrong(
            format!("everybody on this machine can change {shown}"),
            format!("chmod o-w {shown}"),
        )];
    }
    vec![Found::ok(format!("{shown} can be written to"))]
}

/// Writes a file to a folder and removes it.
pub fn try_writing(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".doctor.{}", std::process::id()));
    fs::write(&probe, []).and_then(|()| fs::remove_file(&probe))
}

/// Room for more data, in bytes and in files.
pub fn disk(project: &Project) -> Vec<Found> {
    let existing = project.data_dir.ancestors().find(|dir| dir.exists());
    let dir = existing.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(dir) {
        Ok(disk) => {
            let size = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            vec![space(size(disk.f_bavail), size(disk.f_blocks)), inodes(disk.f_favail, disk.f_files)]
        }
        Err(error) => vec![Found::warn(
            format!("the disk of {} does not tell how full it is: {error}", dir.display()),
            "look with df",
        )],
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a disk needs no last byte")]
fn space(free: u64, total: u64) -> Found {
    let what = format!("{} of {} are free", bytes(free), bytes(total));
    let remedy = "delete what is not needed (`streamflow data prune`, [metrics] retention_days and retention), or take a larger disk";
    let share = free as f64 / total.max(1) as f64;
    if share < LITTLE_SHARE / 10.0 && free < LITTLE_BYTES || free < LITTLE_BYTES / 10 {
        return Found::wrong(format!("{what}: the next ingest, backup or compaction may fail"), remedy);
    }
    if share < LITTLE_SHARE && free < LITTLE_BYTES {
        return Found::warn(what, remedy);
    }
    Found::ok(what)
}

#[expect(clippy::cast_precision_loss, reason = "a share of a disk needs no last file")]
fn inodes(free: u64, total: u64) -> Found {
    // Some file systems have as many as there is room.
    let share = if total == 0 { 1.0 } else { free as f64 / total as f64 };
    let what = format!("room for {free} more files");
    let remedy = "delete folders of many small files on that disk; df -i tells how many there are";
    match share {
        share if share < 0.01 => Found::wrong(format!("{what}: new files may fail"), remedy),
        share if share < 0.05 => Found::warn(what, remedy),
        _ if total == 0 => Found::ok("the disk has no limit of files"),
        _ => Found::ok(what),
    }
}

/// The clock against the build and against what was written with it.
pub async fn clock(project: &Project) -> Vec<Found> {
    let mut written = Vec::new();
    if let Ok(found) = inspect(&project.config.store, &project.data_dir, false).await
        && let Some(at) = found.last_at.and_then(|at| at.parse::<Timestamp>().ok())
    {
        written.push(("the last run or change", at));
    }
    for (what, folder) in [("the last sample", "metrics/wal"), ("the ledger", "snapshots/_ledger")] {
        written.extend(newest(&project.data_dir.join(folder)).map(|at| (what, at)));
    }
    vec![held(Timestamp::now(), &written)]
}

/// When the last file of a folder was written.
fn newest(folder: &Path) -> Option<Timestamp> {
    let files = below(folder).ok()?;
    let times = files.values().filter_map(|file| fs::metadata(file).ok()?.modified().ok());
    times.max().and_then(|time| Timestamp::try_from(time).ok())
}

fn held(now: Timestamp, written: &[(&str, Timestamp)]) -> Found {
    let remedy = "set the clock (chrony or systemd-timesyncd keep it), then look again";
    let year = i64::from(now.to_zoned(jiff::tz::TimeZone::UTC).year());
    let built: i64 = env!("STREAMFLOW_BUILD_YEAR").parse().unwrap_or(0);
    if year < built {
        return Found::wrong(
            format!("the clock says {now:.0}, and this release was built in {built}"),
            remedy,
        );
    }
    match written.iter().max_by_key(|(_, at)| *at) {
        Some((what, at)) if *at > now + LEEWAY => Found::wrong(
            format!(
                "the clock says {now:.0}, and {what} is of {at:.0}: schedules and samples would wait until then"
            ),
            remedy,
        ),
        _ => Found::ok(format!("the clock says {now:.0}")),
    }
}

/// Open files against connections.
pub fn open_files(project: &Project) -> Vec<Found> {
    let limit = getrlimit(Resource::Nofile).current;
    let (api, console) =
        (project.config.api.max_connections.get(), project.config.console.max_connections.get());
    vec![files(limit, (api + console) as u64)]
}

fn files(limit: Option<u64>, connections: u64) -> Found {
    let needed = connections + OWN_FILES;
    match limit {
        Some(limit) if limit < needed => Found::warn(
            format!(
                "a process started from here may open {limit} files, and {connections} connections need {needed}: more \
                 clients than that are not accepted"
            ),
            format!(
                "ulimit -n {needed} (LimitNOFILE= of systemd), or fewer max_connections in [api] and [console]"
            ),
        ),
        Some(limit) => {
            Found::ok(format!("a process started from here may open {limit} files, {needed} are enough"))
        }
        None => Found::ok("a process started from here may open any number of files"),
    }
}

/// Who else may read a file: nobody, its group, everybody.
pub fn readers(file: &Path) -> std::io::Result<u32> {
    Ok(fs::metadata(file)?.mode() & 0o077)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{self, Ok as Fine, Warn, Wrong};
    use super::*;

    #[test]
    fn a_disk_that_is_full_is_wrong_before_it_is() {
        const GB: u64 = 1_000_000_000;
        for (free, total, expected) in [
            (500 * GB, 1000 * GB, Fine),
            (50 * GB, 1000 * GB, Fine),
            (GB, 1000 * GB, Wrong),
            (GB, 12 * GB, Warn),
            (GB / 10, 12 * GB, Wrong),
            (GB, 5 * GB, Fine),
            (0, 0, Wrong),
        ] {
            assert_eq!(space(free, total).verdict, expected, "{free} of {total}");
        }
        for (free, total, expected) in [(0, 0, Fine), (900, 1000, Fine), (40, 1000, Warn), (9, 1000, Wrong)] {
            assert_eq!(inodes(free, total).verdict, expected, "{free} of {total}");
        }
    }

    #[test]
    fn a_clock_before_the_build_or_before_what_was_written_is_wrong() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let verdict = |now: &str, written: &str| held(at(now), &[("a run", at(written))]).verdict;
        for (now, written, expected) in [
            ("2970-01-01T00:00:00Z", "2969-12-31T00:00:00Z", Fine),
            ("2970-01-01T00:00:00Z", "2970-01-01T00:04:00Z", Fine),
            ("2970-01-01T00:00:00Z", "2970-01-01T00:06:00Z", Wrong),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", Wrong),
        ] {
            assert_eq!(verdict(now, written), expected, "{now} {written}");
        }
    }

    #[test]
    fn fewer_files_than_connections_are_told() {
        let verdict = |limit| -> Verdict { files(limit, 1000).verdict };
        assert_eq!([verdict(Some(1024)), verdict(Some(1512)), verdict(None)], [Warn, Fine, Fine]);
    }
}
