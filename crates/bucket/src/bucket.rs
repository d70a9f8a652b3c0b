//! A bucket that is open: small objects are read and written, and all are listed.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};

use crate::counts::Counts;
use crate::error::{Error, Kind, Surroundings};
use crate::location::{Location, is_key};
use crate::open;
use crate::settings::Settings;

/// Most bytes of an object that is read whole: a record.
const WHOLE_BYTES: u64 = 64 << 20;

/// An object as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its path below the prefix of the bucket.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Another value says that it is another object.
    pub e_tag: Option<String>,
}

/// What a write is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition<'a> {
    /// Nothing lies there.
    New,
    /// What lies there has this ETag.
    Same(&'a str),
}

/// A location that is open. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) location: Location,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) counts: Arc<Counts>,
}

impl Bucket {
    /// Opens a location; nothing is sent yet. `variables` are those of the environment.
    ///
    /// # Errors
    /// Settings that contradict themselves.
    pub fn open(
        location: &Location,
        settings: &Settings,
        variables: &[(String, String)],
    ) -> Result<Self, Error> {
        Self::open_counted(location, settings, variables, Arc::default())
    }

    /// The same, counting where others count too.
    ///
    /// # Errors
    /// As [`Bucket::open`].
    pub fn open_counted(
        location: &Location,
        settings: &Settings,
        variables: &[(String, String)],
        counts: Arc<Counts>,
    ) -> Result<Self, Error> {
        let (store, around) = open::open(location, settings, variables, &counts)?;
        Ok(Self { store, location: location.clone(), around: Arc::new(around), counts })
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What was asked of it and what came of that.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// With which credentials it is asked, in words.
    pub fn credentials(&self) -> &str {
        &self.around.credentials
    }

    /// Where requests go, in words.
    pub fn endpoint(&self) -> &str {
        &self.around.endpoint
    }

    pub(crate) fn key(&self, path: &str) -> Result<Path, Error> {
        let key = self.location.key(path);
        let refused = |reason: String| {
            Error::new(Kind::Settings, format!("{:?} is no key", self.location.shown(path)), reason, "")
        };
        if !key.is_empty() && !is_key(&key) {
            return Err(refused("a part of it is empty, `.` or `..`".to_owned()));
        }
        Path::parse(&key).map_err(|error| refused(error.to_string()))
    }

    pub(crate) fn explain(&self, doing: &str, path: &str, error: &object_store::Error) -> Error {
        self.around.explain(format!("cannot {doing} {}", self.location.shown(path)), error)
    }

    /// All objects below a path, by their paths; those of the whole location where it is empty.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn list(&self, path: &str) -> Result<Vec<Object>, Error> {
        let prefix = self.key(path)?;
        let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
        let listed: Result<Vec<_>, _> = self.store.list(prefix.as_ref()).try_collect().await;
        let listed = listed.map_err(|error| self.explain("list", path, &error))?;
        let object = |meta: object_store::ObjectMeta| {
            let path = self.location.path(meta.location.as_ref())?.to_owned();
            Some(Object { path, size_bytes: meta.size, e_tag: meta.e_tag })
        };
        let mut objects: Vec<Object> = listed.into_iter().filter_map(object).collect();
        objects.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(objects)
    }

    /// One object as a listing has it; none where nothing lies there.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn head(&self, path: &str) -> Result<Option<Object>, Error> {
        let key = self.key(path)?;
        match self.store.head(&key).await {
            Ok(meta) => Ok(Some(Object { path: path.to_owned(), size_bytes: meta.size, e_tag: meta.e_tag })),
            Err(error) => {
                let told = self.explain("look for", path, &error);
                if told.kind() == Kind::NotFound { Ok(None) } else { Err(told) }
            }
        }
    }

    /// An object and its ETag; none where nothing lies there.
    ///
    /// # Errors
    /// What the store refuses; an object that is no small document.
    pub async fn get(&self, path: &str) -> Result<Option<(Vec<u8>, String)>, Error> {
        let key = self.key(path)?;
        let explained = |error: object_store::Error| {
            let told = self.explain("read", path, &error);
            if told.kind() == Kind::NotFound { Ok(None) } else { Err(told) }
        };
        let found = match self.store.get_opts(&key, GetOptions::default()).await {
            Ok(found) => found,
            Err(error) => return explained(error),
        };
        if found.meta.size > WHOLE_BYTES {
            let shown = self.location.shown(path);
            let reason = format!("it has {} bytes; expected at most {WHOLE_BYTES}", found.meta.size);
            return Err(Error::new(Kind::Damaged, format!("cannot read {shown}"), reason, ""));
        }
        let e_tag = found.meta.e_tag.clone().unwrap_or_default();
        match found.bytes().await {
            Ok(bytes) => {
                self.counts.fetched(bytes.len() as u64);
                Ok(Some((bytes.to_vec(), e_tag)))
            }
            Err(error) => explained(error),
        }
    }

    /// Writes a small object on a condition and gives its ETag.
    pub(crate) async fn put(
        &self,
        path: &str,
        bytes: Vec<u8>,
        condition: Condition<'_>,
    ) -> Result<String, object_store::Error> {
        let key = Path::parse(self.location.key(path))
            .map_err(|source| object_store::Error::InvalidPath { source })?;
        let mode = match condition {
            Condition::New => PutMode::Create,
            Condition::Same(e_tag) => {
                PutMode::Update(UpdateVersion { e_tag: Some(e_tag.to_owned()), version: None })
            }
        };
        let size = bytes.len() as u64;
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&key, bytes.into(), options).await?;
        self.counts.sent(size);
        Ok(put.e_tag.unwrap_or_default())
    }

    /// Removes an object; one that is gone already was removed.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        let key = self.key(path)?;
        match self.store.delete(&key).await {
            Err(error) => {
                let told = self.explain("delete", path, &error);
                if told.kind() == Kind::NotFound { Ok(()) } else { Err(told) }
            }
            Ok(()) => Ok(()),
        }
    }
}
