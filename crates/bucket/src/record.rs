//! Records: what a set of files is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::location::is_key;

/// The format of the records that are written.
pub(crate) const FORMAT: u32 = 1;

/// What stands under the key of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this document's format.
    pub format: u32,
    /// 1 for the first under its key, one more for each that takes its place.
    pub generation: u64,
    /// Who wrote it.
    pub by: String,
    /// Whether the set is gone. Its record stays, so that nobody takes a listing without it for a removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The files.
    pub files: Vec<RecordFile>,
    /// What the writer says of them.
    pub body: Value,
}

/// A file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFile {
    /// Where it belongs in the set.
    pub path: String,
    /// Where it lies in the bucket, below the prefix.
    pub key: String,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
}

/// A record with what the next writer must show of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The record.
    pub record: Record,
    /// The ETag of its object.
    pub e_tag: String,
}

/// The oldest form of a record, for telling a newer one from a damaged one.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl Record {
    /// The record as it is stored.
    ///
    /// # Panics
    /// Never: it has text keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a record has text keys");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a record, whose files lie below the prefix of the bucket and belong below a folder.
    ///
    /// # Errors
    /// Why the bytes are no record, in words.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Versioned { format } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if format > FORMAT {
            return Err(format!("it has the format {format} of a later release; this one reads {FORMAT}"));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for file in &record.files {
            if !is_key(&file.path) || !is_key(&file.key) {
                return Err(format!("it names {:?} under {:?}, which leads elsewhere", file.path, file.key));
            }
            if !is_digest(&file.sha256) {
                return Err(format!("{:?} is no SHA-256 of {:?}", file.sha256, file.path));
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let file = RecordFile {
            path: "usage.parquet".into(),
            key: "usage/part-g1-0.parquet".into(),
            sha256: "0".repeat(64),
            size_bytes: 3,
        };
        Record {
            format: 1,
            generation: 1,
            by: "a".into(),
            removed: false,
            files: vec![file],
            body: Value::Null,
        }
    }

    #[test]
    fn records_are_read_as_written_and_what_leads_elsewhere_is_refused() {
        let written = record();
        assert_eq!(Record::of_bytes(&written.to_bytes()).unwrap(), written);
        type Change = fn(&mut Record);
        let changes: [(Change, &str); 4] = [
            (|record| record.files[0].path = "../../etc/passwd".into(), "leads elsewhere"),
            (|record| record.files[0].key = "/etc".into(), "leads elsewhere"),
            (|record| record.files[0].sha256 = "ff".into(), "is no SHA-256"),
            (|record| record.format = 9, "the format 9 of a later release"),
        ];
        for (change, expected) in changes {
            let mut changed = record();
            change(&mut changed);
            let reason = Record::of_bytes(&changed.to_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
        assert!(Record::of_bytes(b"{").is_err());
    }
}
