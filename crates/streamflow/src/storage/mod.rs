//! Buckets of object stores: tables that are read from them, and a data directory that lies in one.
//!
//! A data directory in a bucket has a *working copy* on this machine's disk, on which everything else works as on any
//! data directory. The bucket is the truth: `months.rs` and `models.rs` commit there before anything is visible here, and
//! bring what others have committed. `kept.rs` has the reports and the answers that are kept. The database stays here.

mod inputs;
mod kept;
mod models;
mod months;
mod seen;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamflow_bucket::{Bucket, Error, Kind, Location};

use crate::config::{Place, StorageConfig};

pub use inputs::Inputs;
pub use models::{ModelRecord, Promotion, VersionRow};
pub use months::Pulled;
use seen::Seen;
pub use verify::{Found, Objects, verify_objects};

/// The bucket that a data directory lies in. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Storage {
    bucket: Bucket,
    config: Arc<StorageConfig>,
    /// The working copy.
    folder: PathBuf,
    /// Who this process is to other writers.
    by: String,
    seen: Arc<Seen>,
}

impl Storage {
    /// Opens the bucket of a data directory with its working copy; nothing is asked of it yet.
    ///
    /// # Errors
    /// Settings that contradict themselves; a working copy that cannot be written to.
    pub fn open(place: &Place, config: &StorageConfig) -> anyhow::Result<Option<Self>> {
        let Some(location) = &place.location else { return Ok(None) };
        let bucket = open_bucket(location, config)?;
        months::clear_old(&place.folder);
        let seen = Arc::new(Seen::open(&place.folder)?);
        let (config, folder) = (Arc::new(config.clone()), place.folder.clone());
        Ok(Some(Self { bucket, config, folder, by: writer(), seen }))
    }

    /// Where the records of months lie.
    pub const LEDGER: &str = "snapshots/_ledger";

    /// Where the records of models lie.
    pub const REGISTRY: &str = models::REGISTRY;

    /// The same with connections of its own, for another runtime.
    fn reopened(&self) -> Result<Self, Error> {
        let settings = self.config.settings();
        let bucket =
            Bucket::open_counted(self.location(), &settings, &variables(), self.bucket.counts().clone())?;
        Ok(Self { bucket, ..self.clone() })
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        self.bucket.location()
    }

    /// The working copy.
    fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bucket itself.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Notes for metrics and for whoever asks how the store does.
    pub fn note<T>(&self, ended: Result<T, Error>) -> Result<T, Error> {
        let fault = ended.as_ref().err().filter(|error| error.kind() != Kind::Lost);
        self.bucket.counts().note(fault.map(|error| (error.kind(), error.to_string())));
        ended
    }
}

/// Opens a bucket as the configuration and the environment say.
///
/// # Errors
/// Settings that contradict themselves.
pub fn open_bucket(location: &Location, config: &StorageConfig) -> Result<Bucket, Error> {
    Bucket::open(location, &config.settings(), &variables())
}

fn variables() -> Vec<(String, String)> {
    let texts =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(texts).collect()
}

/// Names this process: the machine, the process, and when it began, so that no other has the same name.
fn writer() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let machine = machine.map_or_else(|_| "a machine".to_owned(), |name| name.trim().to_owned());
    format!("{machine} process {} at {}", std::process::id(), jiff::Timestamp::now())
}
