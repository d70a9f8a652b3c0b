//! Files on their way to the bucket and from it.

use std::path::Path;

use futures_util::StreamExt as _;
use object_store::GetOptions;
use object_store::buffered::BufWriter;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::bucket::Bucket;
use crate::digest::hex;
use crate::error::{Error, Kind};

/// Bytes of a part of an upload, and the size up to which a file is sent in one request.
const PART_BYTES: usize = 8 << 20;

/// Parts of a file that are sent at the same time.
const PARTS_AT_ONCE: usize = 2;

impl Bucket {
    /// Sends a file; one that lies there is written over.
    ///
    /// # Errors
    /// What the store or the disk refuses.
    pub async fn upload(&self, from: &Path, path: &str) -> Result<(), Error> {
        let key = self.key(path)?;
        let unread = |error| Error::disk(format!("cannot read {}", from.display()))(error);
        let mut file = tokio::fs::File::open(from).await.map_err(unread)?;
        let writer = BufWriter::with_capacity(self.store.clone(), key, PART_BYTES);
        let mut writer = writer.with_max_concurrency(PARTS_AT_ONCE);
        let sent = match tokio::io::copy(&mut file, &mut writer).await {
            Ok(sent) => sent,
            Err(error) => {
                // Without this, the parts that went up would stay there.
                let _ = writer.abort().await;
                return Err(self.of_io("write", path, error));
            }
        };
        writer.shutdown().await.map_err(|error| self.of_io("write", path, error))?;
        self.counts.sent(sent);
        Ok(())
    }

    /// Fetches an object into a file, which is whole or absent, and gives the SHA-256 of it. Where `e_tag` is given it must
    /// still be that object. `progress` is told of bytes.
    ///
    /// # Errors
    /// What the store or the disk refuses.
    pub async fn download(
        &self,
        path: &str,
        e_tag: Option<&str>,
        to: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<String, Error> {
        let folder = to.parent().unwrap_or(Path::new("."));
        let unwritten = |error| Error::disk(format!("cannot write {}", to.display()))(error);
        tokio::fs::create_dir_all(folder).await.map_err(unwritten)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let aside = folder.join(format!(".{name}.{}", std::process::id()));
        let fetched = self.read_through(path, e_tag, Some(&aside), progress).await;
        let placed = match fetched {
            Ok(sha256) => tokio::fs::rename(&aside, to).await.map_err(unwritten).map(|()| sha256),
            Err(error) => Err(error),
        };
        if placed.is_err() {
            // The first error is what is told; what is left is written over by the next attempt.
            let _ = tokio::fs::remove_file(&aside).await;
        }
        placed
    }

    /// The SHA-256 of an object, which is read for it; none where nothing lies there.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn checksum(&self, path: &str) -> Result<Option<String>, Error> {
        match self.read_through(path, None, None, &|_| ()).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            ended => ended.map(Some),
        }
    }

    /// Reads an object, into a file where one is named, and gives its SHA-256.
    async fn read_through(
        &self,
        path: &str,
        e_tag: Option<&str>,
        aside: Option<&Path>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<String, Error> {
        let key = self.key(path)?;
        let unwritten =
            |error| Error::disk(format!("cannot write {}", aside.unwrap_or(Path::new("")).display()))(error);
        let options = GetOptions { if_match: e_tag.map(str::to_owned), ..GetOptions::default() };
        let found = self.store.get_opts(&key, options).await;
        let found = found.map_err(|error| self.explain("read", path, &error))?;
        let size = found.meta.size;
        let mut file = match aside {
            Some(aside) => Some(tokio::fs::File::create(aside).await.map_err(unwritten)?),
            None => None,
        };
        let (mut hasher, mut fetched, mut pieces) = (Sha256::new(), 0, found.into_stream());
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.explain("read", path, &error))?;
            hasher.update(&piece);
            if let Some(file) = &mut file {
                file.write_all(&piece).await.map_err(unwritten)?;
            }
            fetched += piece.len() as u64;
            self.counts.fetched(piece.len() as u64);
            progress(piece.len() as u64);
        }
        if let Some(file) = file {
            file.sync_all().await.map_err(unwritten)?;
        }
        if fetched != size {
            let shown = self.location.shown(path);
            let reason = format!("it has {size} bytes and {fetched} came");
            return Err(Error::new(Kind::Unreachable, format!("cannot read {shown}"), reason, "try again"));
        }
        Ok(hex(hasher))
    }

    /// An error of a writer that hides the store's in one of the operating system's.
    fn of_io(&self, doing: &str, path: &str, error: std::io::Error) -> Error {
        let text = error.to_string();
        match error.into_inner().and_then(|inner| inner.downcast::<object_store::Error>().ok()) {
            Some(error) => self.explain(doing, path, &error),
            None => {
                let what = format!("cannot {doing} {}", self.location.shown(path));
                Error::new(Kind::Unreachable, what, text, "")
            }
        }
    }
}
