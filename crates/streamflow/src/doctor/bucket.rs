//! Whether the bucket of the data directory answers, and lets months be read, written and taken back.

use streamflow_bucket::Bucket;

use super::{Found, Project};
use crate::storage::{Storage, open_bucket, verify_objects};
use crate::terminal::counted_with;

/// Asks the store of the data directory.
pub async fn bucket(project: &Project) -> Vec<Found> {
    let Some(location) = &project.place.location else {
        return vec![Found::ok("the data directory is a folder on this machine")];
    };
    let opened = match open_bucket(location, &project.config.storage) {
        Ok(opened) => opened,
        Err(error) => return vec![wrong(&error)],
    };
    match opened.list(Storage::LEDGER).await {
        Ok(listed) => {
            let months = listed.iter().filter(|object| object.path.contains("/as_of=")).count();
            let mut found = vec![Found::ok(format!(
                "{location} answers at {} with {}: {} in its ledger",
                opened.endpoint(),
                opened.credentials(),
                counted_with(months, "month", ["is", "are"])
            ))];
            if project.deep {
                found.push(objects(&opened).await);
            }
            found
        }
        Err(error) => vec![wrong(&error)],
    }
}

/// Every object, held against its record.
async fn objects(opened: &Bucket) -> Found {
    match verify_objects(opened, &[]).await {
        Ok(objects) if objects.faults.is_empty() => Found::ok(objects.summary()),
        Ok(objects) => Found::wrong(
            objects.faults.join("; "),
            "`streamflow data push --repair` from a working copy that has them",
        ),
        Err(error) => wrong(&error),
    }
}

fn wrong(error: &streamflow_bucket::Error) -> Found {
    Found::wrong(error.problem(), error.remedy())
}
