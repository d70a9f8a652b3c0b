//! Where data lies: `s3://BUCKET/PREFIX` and its like.

use std::fmt;

use crate::error::{Error, Kind};

/// The store of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

impl Scheme {
    const ALL: [(&'static str, Self); 3] = [("s3", Self::S3), ("gs", Self::Gs), ("az", Self::Az)];

    /// As it stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }
}

/// A bucket and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    scheme: Scheme,
    bucket: String,
    prefix: String,
}

/// Whether a text names something in a bucket rather than a path.
pub fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    })
}

impl Location {
    /// Reads `SCHEME://BUCKET` or `SCHEME://BUCKET/PREFIX`; slashes at its end count for nothing.
    ///
    /// # Errors
    /// Another scheme, no bucket, a prefix with an empty part, `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| {
            let remedy = "expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";
            Error::new(Kind::Settings, format!("{text:?} names no place in a bucket"), reason, remedy)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let known = Scheme::ALL.iter().find(|(name, _)| *name == scheme);
        let (_, scheme) = known.ok_or_else(|| wrong(&format!("the scheme {scheme:?} is not known")))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(is_name) {
            return Err(wrong(&format!("{bucket:?} is no name of a bucket")));
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !is_key(prefix) {
            return Err(wrong("its prefix has an empty part, `.`, `..` or a control character"));
        }
        Ok(Self { scheme: *scheme, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket, or the container.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What all keys begin with, without a slash at its end; empty for the whole bucket.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The bucket alone.
    #[must_use]
    pub fn whole_bucket(&self) -> Self {
        Self { prefix: String::new(), ..self.clone() }
    }

    /// The key of a path below the prefix.
    pub(crate) fn key(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }

    /// The path below the prefix that a key has.
    pub(crate) fn path<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() {
            return Some(key);
        }
        key.strip_prefix(&self.prefix)?.strip_prefix('/')
    }

    /// A path below the prefix as people write it.
    pub fn shown(&self, path: &str) -> String {
        format!("{}://{}/{}", self.scheme.name(), self.bucket, self.key(path))
    }
}

/// Whether a text may be a key: no part of it is empty or leads elsewhere.
pub(crate) fn is_key(text: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    text.split('/').all(is_part)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{}{slash}{}", self.scheme.name(), self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_they_are_written() {
        for (text, expected) in [
            ("s3://shop", Ok("s3://shop")),
            ("s3://shop/", Ok("s3://shop")),
            ("gs://shop/a/b/", Ok("gs://shop/a/b")),
            ("az://box/a=1", Ok("az://box/a=1")),
            ("s3://shop/a//b", Err("empty part")),
            ("s3://shop/../b", Err("`..`")),
            ("s3:///a", Err("\"\" is no name of a bucket")),
            ("s3://sh op/a", Err("no name of a bucket")),
            ("s4://shop", Err("the scheme \"s4\" is not known")),
            ("data", Err("it has no scheme")),
        ] {
            match (Location::parse(text), expected) {
                (Ok(location), Ok(expected)) => assert_eq!(location.to_string(), expected),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.contains(expected) && error.contains("s3://BUCKET"), "{text}: {error}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn keys_lie_below_the_prefix() {
        let location = Location::parse("s3://shop/data").unwrap();
        assert_eq!(location.key("a/b"), "data/a/b");
        assert_eq!((location.path("data/a/b"), location.path("database/a")), (Some("a/b"), None));
        assert_eq!(location.shown("a"), "s3://shop/data/a");
        assert_eq!(Location::parse("s3://shop").unwrap().path("a"), Some("a"));
    }

    #[test]
    fn paths_are_no_urls() {
        for (text, expected) in [
            ("s3://shop/a", true),
            ("file:///a", true),
            ("a/b.csv", false),
            ("C:\\a", false),
            ("://a", false),
            ("a b://c", false),
        ] {
            assert_eq!(is_url(text), expected, "{text}");
        }
    }
}
