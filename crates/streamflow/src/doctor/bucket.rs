//! Whether the bucket of the data directory answers, and lets months be read, written and taken back.

use super::{Found, Project};
use crate::storage::{Storage, open_bucket};

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
            vec![Found::ok(format!(
                "{location} answers at {} with {}: {months} months are in its ledger",
                opened.endpoint(),
                opened.credentials()
            ))]
        }
        Err(error) => vec![wrong(&error)],
    }
}

fn wrong(error: &streamflow_bucket::Error) -> Found {
    Found::wrong(error.problem(), error.remedy())
}
