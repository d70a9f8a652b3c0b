//! The log's age and size: the oldest hours go first.

use std::path::Path;

use anyhow::Context as _;

use super::read::{HOUR_US, entries, hours};
use crate::config::LogConfig;

const DAY_US: i64 = 24 * HOUR_US;

/// Deletes hours that are too old, and the oldest over the size. The bytes that stay. Without a time that can be believed no
/// hour is too old.
pub fn keep(folder: &Path, config: &LogConfig, now: Option<jiff::Timestamp>) -> anyhow::Result<u64> {
    let age_us = i64::from(config.keep_days.get()).saturating_mul(DAY_US);
    let oldest = now.map_or(i64::MIN, |now| now.as_microsecond().saturating_sub(age_us));
    let mut kept = Vec::new();
    for (start, path) in hours(folder)? {
        if start.saturating_add(HOUR_US) <= oldest {
            remove(&path)?
        } else {
            kept.push((size_bytes(&path)?, path))
        }
    }
    let mut total: u64 = kept.iter().map(|(bytes, _)| bytes).sum();
    // The newest hour is being written.
    for (bytes, path) in kept.iter().take(kept.len().saturating_sub(1)) {
        if total <= config.max_bytes.get() {
            break;
        }
        remove(path)?;
        total -= bytes;
    }
    Ok(total)
}

fn size_bytes(hour: &Path) -> anyhow::Result<u64> {
    let files = entries(hour)?;
    // A file that is gone by now takes no room.
    Ok(files.iter().filter_map(|(_, path)| Some(path.metadata().ok()?.len())).sum())
}

/// Deletes an hour, and its day where that is empty then.
fn remove(hour: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(hour) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot delete {}", hour.display()));
        }
        _ => {}
    }
    if let Some(day) = hour.parent() {
        // It stays where it has other hours.
        let _ = std::fs::remove_dir(day);
    }
    Ok(())
}
