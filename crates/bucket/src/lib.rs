//! A bucket of an object store (S3, Google Cloud Storage, Azure) as this product uses one.
//!
//! What it is: a client. It lists and fetches tables, and it commits a *set* of files at once: the files go up first, under
//! names that nobody reads yet, and then one small **record** is put where its predecessor was, on the condition that the
//! predecessor is still the one that was read. Of two writers one wins, and the other is told who did. A reader that has a
//! record reads the files that it names and holds each against its SHA-256.
//!
//! What it is not: it knows nothing of months or models, and it has no lock: the condition of the store is all that writers
//! need.
//!
//! # Vocabulary
//! - **location**: `s3://BUCKET/PREFIX`, `gs://…` or `az://…`, below which all keys lie;
//! - **record**: the JSON document that names the files of a set, and the commit point of it;
//! - **generation**: 1 for the first record under a key, one more for each that takes its place; it stands in the names of
//!   files, so that no file is ever written over one that somebody reads;
//! - **pattern**: what names the objects of a table: a key, a folder, a folder in Hive's layout, or a glob.
//!
//! ```
//! use streamflow_bucket::Location;
//!
//! let location = Location::parse("s3://shop/data")?;
//! assert_eq!((location.bucket(), location.prefix()), ("shop", "data"));
//! assert!(Location::parse("s4://shop").is_err());
//! # Ok::<(), streamflow_bucket::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bucket;
mod cache;
mod commit;
mod connector;
mod counts;
mod credentials;
mod digest;
mod error;
mod location;
mod open;
mod record;
mod settings;
mod transfer;

pub use bucket::{Bucket, Object};
pub use cache::{Cache, Cached};
pub use commit::{Change, NewFile};
pub use counts::{Count, Counts, State};
pub use digest::sha256_of;
pub use error::{Error, Kind};
pub use location::{Location, Scheme, is_url};
pub use record::{Held, Record, RecordFile};
pub use settings::Settings;
