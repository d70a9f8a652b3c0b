//! The log of predictions.

use jiff::{SignedDuration, Timestamp};

use super::machine::try_writing;
use super::{Found, Project};
use crate::predictions::{self, Health, look};
use crate::terminal::{bytes, one_line};

/// Files that are read without `--deep`, the newest.
const NEWEST_FILES: usize = 100;
/// Damaged files that are named.
const NAMED: usize = 10;
/// How far over its size the log may be: a server looks once a minute.
const LEEWAY: f64 = 1.1;

/// Whether answers are kept whole, within their bounds, and in a folder that takes them.
pub fn log(project: &Project) -> Vec<Found> {
    let (folder, config) = (predictions::folder(&project.data_dir), &project.config.log);
    if folder.exists() && !folder.is_dir() {
        let is_no_folder =
            format!("{} is a file, where the log of predictions has its folder", folder.display());
        return vec![Found::wrong(is_no_folder, "move it away: no answer is kept while it is there")];
    }
    if !folder.is_dir() {
        let why = if config.enabled { "no answer is kept yet" } else { "[log] enabled is false" };
        return vec![Found::ok(format!("there is no log of predictions: {why}"))];
    }
    let most = if project.deep { usize::MAX } else { NEWEST_FILES };
    let health = match look(&folder, most) {
        Ok(health) => health,
        Err(error) => {
            let error = one_line(&error);
            return vec![Found::wrong(error, "mend what it says; nothing reads the log until then")];
        }
    };
    let mut found: Vec<Found> = damaged(&health);
    found.extend(astray(&health));
    found.extend(left_over(&health));
    found.extend(bounds(project, &health));
    if config.enabled
        && let Err(error) = try_writing(&folder)
    {
        found.push(Found::wrong(
            format!("{} cannot be written to, so that answers are dropped: {error}", folder.display()),
            "give its user the right to write, or run as that user",
        ));
    }
    if found.is_empty() {
        let (all, checked) = (health.files, health.checked);
        let how = if checked == all { "all are" } else { "--deep reads all; the newest 100 are" };
        let size = bytes(health.size_bytes);
        found.push(Found::ok(format!("files of answers: {all}, {size}; {how} as they were written")));
    }
    found
}

fn damaged(health: &Health) -> Vec<Found> {
    let remedy = "restore a backup, or delete the file: whatever reads the log stops at it until then";
    first_named(&health.faults, "more files of the log are damaged", remedy)
}

fn astray(health: &Health) -> Vec<Found> {
    let remedy = "move it to where its answers belong, or delete it: answers are looked for in the folder of their hour alone";
    first_named(&health.astray, "more folders or files of the log are of no hour, or of another one", remedy)
}

/// The first of some faults, and how many more there are.
fn first_named(faults: &[String], more_are: &str, remedy: &str) -> Vec<Found> {
    let named = faults.iter().take(NAMED);
    let mut found: Vec<Found> = named.map(|fault| Found::wrong(fault, remedy)).collect();
    if let more @ 1.. = faults.len().saturating_sub(NAMED) {
        found.push(Found::wrong(format!("{more} {more_are}"), remedy));
    }
    found
}

fn left_over(health: &Health) -> Vec<Found> {
    let remedy = "the next start of a server with [log] enabled removes it";
    let mut found = Vec::new();
    if let Some(first) = health.unfinished.first() {
        found.push(Found::warn(
            format!(
                "{} files of answers were being written by processes that are gone, such as {}",
                health.unfinished.len(),
                first.display()
            ),
            remedy,
        ));
    }
    if health.lists > 0 {
        found.push(Found::warn(
            format!("files of {} hours are being merged, or were when a process was killed", health.lists),
            "a server finishes it; rows are read once meanwhile",
        ));
    }
    found
}

fn bounds(project: &Project, health: &Health) -> Vec<Found> {
    let config = &project.config.log;
    let remedy = if config.enabled {
        "a running server deletes the oldest hours every minute: is one running?"
    } else {
        "[log] enabled is false, so that no server deletes the oldest hours: delete them, or the folder"
    };
    let mut found = Vec::new();
    let most = config.max_bytes.get();
    #[expect(clippy::cast_precision_loss, reason = "a share of a size needs no last byte")]
    let is_large = health.size_bytes as f64 > most as f64 * LEEWAY;
    if is_large {
        let (size, most) = (bytes(health.size_bytes), bytes(most));
        found.push(Found::warn(
            format!("the log of predictions has {size}, over log.max_bytes ({most})"),
            remedy,
        ));
    }
    let kept = SignedDuration::from_hours(24 * i64::from(config.keep_days.get()) + 2);
    let oldest = health.oldest_us.and_then(|start_us| Timestamp::from_microsecond(start_us).ok());
    if let Some(oldest) = oldest.filter(|oldest| Timestamp::now().duration_since(*oldest) > kept) {
        let (hour, days) = (oldest.strftime("%Y-%m-%dT%H"), config.keep_days);
        found.push(Found::warn(
            format!("the oldest answers are of {hour} UTC, older than log.keep_days ({days})"),
            remedy,
        ));
    }
    found
}
