//! The manifest of a backup: which files it has, with their checksums, and which formats they are in.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::digest;
use crate::store;

/// The format of the manifests that are written.
pub const FORMAT: u32 = 1;
/// Its name in a backup.
pub const MANIFEST: &str = "manifest.json";

/// The parts of a backup: the folders of the data directory and of the reports, and the configuration.
pub const DATA: &str = "data";
pub const REPORTS: &str = "reports";
pub const CONFIG: &str = "streamflow.toml";

/// What a backup is. Its commit point: a backup is there exactly when its manifest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The release that wrote it.
    pub streamflow: String,
    /// RFC 3339.
    pub created_at: String,
    /// The data directory that it is of.
    pub source: String,
    /// The newest step of the database's format.
    pub database: i64,
    /// The files by their path in the backup: `data/…`, `reports/…` and `streamflow.toml`.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// In hexadecimal digits.
    pub sha256: String,
    pub size_bytes: u64,
}

/// As it is written: with the checksum of its own text.
#[derive(Serialize, Deserialize)]
struct Sealed {
    sha256: String,
    manifest: Manifest,
}

/// What every format has.
#[derive(Deserialize)]
struct Versioned {
    manifest: Format,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    pub fn size_bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size_bytes))
    }

    pub fn to_json(&self) -> Vec<u8> {
        let sealed = Sealed { sha256: self.seal(), manifest: self.clone() };
        let mut json = serde_json::to_vec_pretty(&sealed).expect("a manifest has text keys");
        json.push(b'\n');
        json
    }

    /// The checksum of what the manifest says, however it is spaced.
    fn seal(&self) -> String {
        digest::of_bytes(&serde_json::to_vec(self).expect("a manifest has text keys"))
    }

    /// Reads a manifest from outside: one of a later format is refused by name, and so is one that is not as it was
    /// written, or that names files elsewhere.
    pub fn parse(json: &[u8], from: &Path) -> anyhow::Result<Self> {
        let shown = from.display();
        let Versioned { manifest: Format { format } } = serde_json::from_slice(json).with_context(|| {
            format!("the manifest of the backup {shown} is damaged; restore another backup")
        })?;
        if format > FORMAT {
            bail!(
                "the backup {shown} has the format {format} of a later release; this one reads the format {FORMAT}: \
                 restore it with that release"
            );
        }
        let Sealed { sha256, manifest } = serde_json::from_slice(json).with_context(|| {
            format!("the manifest of the backup {shown} is damaged; restore another backup")
        })?;
        if manifest.seal() != sha256 {
            bail!(
                "the manifest of the backup {shown} is damaged: it is not what was written; restore another backup"
            );
        }
        if let Some(path) = manifest.files.keys().find(|path| !is_inside(path)) {
            bail!("the backup {shown} names {path:?}, which is no place in a data directory");
        }
        if manifest.database > store::NEWEST {
            bail!(
                "the backup {shown} holds a database of version {} of a later release; this one knows versions up to {}: \
                 restore it with that release",
                manifest.database,
                store::NEWEST
            );
        }
        Ok(manifest)
    }
}

/// True for a path that stays in its part of the backup.
pub fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let first = parts.next().and_then(|part| part.as_os_str().to_str());
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    // Components pass over what is doubled: the path must be spelled as it will be asked for.
    let is_spelled_out = Path::new(path).components().collect::<std::path::PathBuf>().as_os_str() == path;
    is_plain
        && is_spelled_out
        && match first {
            Some(CONFIG) => parts.next().is_none(),
            Some(DATA | REPORTS) => parts.next().is_some(),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = FileEntry { sha256: "ab".repeat(32), size_bytes: 7 };
        Manifest {
            format: FORMAT,
            streamflow: "0.1.0".to_owned(),
            created_at: "2026-11-30T12:00:00Z".to_owned(),
            source: "/srv/data".to_owned(),
            database: store::NEWEST,
            files: BTreeMap::from([("data/streamflow.db".to_owned(), file)]),
        }
    }

    fn refused(json: &[u8]) -> String {
        format!("{:#}", Manifest::parse(json, Path::new("b")).unwrap_err())
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_not_otherwise() {
        let json = manifest().to_json();
        assert_eq!(Manifest::parse(&json, Path::new("b")).unwrap(), manifest());
        for (from, to, expected) in [
            ("\"size_bytes\": 7", "\"size_bytes\": 8", "it is not what was written"),
            ("\"files\"", "\"fines\"", "is damaged"),
            ("\"format\": 1", "\"format\": 2", "the format 2 of a later release"),
            ("/srv/data", "/srv/dato", "it is not what was written"),
        ] {
            let text = String::from_utf8(json.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            let message = refused(text.replace(from, to).as_bytes());
            assert!(message.contains(expected), "{message}");
        }
        assert!(refused(&json[..json.len() / 2]).contains("is damaged"));
    }

    #[test]
    fn what_a_later_release_wrote_is_refused_by_name() {
        let newer = Manifest { database: store::NEWEST + 1, ..manifest() };
        let expected = format!("a database of version {} of a later release", store::NEWEST + 1);
        assert!(refused(&newer.to_json()).contains(&expected));
    }

    #[test]
    fn a_file_has_its_place_in_a_part_of_the_backup() {
        for (path, expected) in [
            ("data/streamflow.db", true),
            ("data/snapshots/_ledger/as_of=2024-01-31.json", true),
            ("reports/drift_a_vs_b.html", true),
            ("streamflow.toml", true),
            ("streamflow.toml/x", false),
            ("data", false),
            ("data/", false),
            ("data/../x", false),
            ("data//x", false),
            ("data/./x", false),
            ("/data/x", false),
            ("../data/x", false),
            ("other/x", false),
            ("", false),
        ] {
            assert_eq!(is_inside(path), expected, "{path}");
        }
        let file = manifest().files["data/streamflow.db"].clone();
        let outside = Manifest { files: BTreeMap::from([("data/../x".to_owned(), file)]), ..manifest() };
        assert!(refused(&outside.to_json()).contains("which is no place in a data directory"));
    }
}
