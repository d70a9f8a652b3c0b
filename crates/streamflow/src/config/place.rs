//! Where a data directory lies: in a folder, or in a bucket with a working copy in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_bucket::{Location, is_url};

use super::StorageConfig;

/// A data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder that everything works on.
    pub folder: PathBuf,
    /// The bucket that is the truth of it, where there is one.
    pub location: Option<Location>,
}

impl Place {
    /// A folder alone.
    pub fn folder(folder: PathBuf) -> Self {
        Self { folder, location: None }
    }

    /// What a setting names: a path, `file://` and a path, or a place in a bucket.
    ///
    /// # Errors
    /// A URL that is none of these.
    pub fn parse(text: &Path, config: &StorageConfig) -> anyhow::Result<Self> {
        let Some(url) = text.to_str().filter(|text| is_url(text)) else {
            return Ok(Self::folder(text.to_path_buf()));
        };
        if let Some(path) = url.strip_prefix("file://") {
            if !path.starts_with('/') {
                bail!(
                    "{url:?} names no folder; expected file:/// and an absolute path, such as file:///srv/data"
                );
            }
            return Ok(Self::folder(PathBuf::from(path)));
        }
        let location = Location::parse(url).context("the data directory cannot be used")?;
        let name: String = url
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' })
            .collect();
        // Two names that differ in other characters alone are told apart by their checksum.
        let digest = crate::files::sha256_of_text(&location.to_string());
        let folder = config.cache_dir().join("data").join(format!("{name}-{}", &digest[..8]));
        Ok(Self { folder, location: Some(location) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_a_folder_or_a_bucket_with_a_working_copy() {
        let config = StorageConfig { cache_dir: Some("/cache".into()), ..StorageConfig::default() };
        let parsed = |text: &str| Place::parse(Path::new(text), &config);
        assert_eq!(parsed("data").unwrap(), Place::folder("data".into()));
        assert_eq!(parsed("file:///srv/data").unwrap(), Place::folder("/srv/data".into()));
        let [one, other] = ["s3://shop/a_b", "s3://shop/a/b/"].map(|text| parsed(text).unwrap());
        assert_ne!(one.folder, other.folder);
        assert!(other.folder.starts_with("/cache/data"), "{other:?}");
        assert_eq!(other.location.unwrap().to_string(), "s3://shop/a/b");
        for (text, expected) in [("file://data", "an absolute path"), ("ftp://shop", "the scheme \"ftp\"")] {
            let error = format!("{:#}", parsed(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
