//! What a store refused, in words for whoever can mend it.

use std::error::Error as _;
use std::fmt;

/// What is wrong, as far as it decides what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A setting or a name that cannot be meant.
    Settings,
    /// Nothing lies there.
    NotFound,
    /// There is no such bucket.
    NoBucket,
    /// The credentials are wrong, or do not allow it.
    Denied,
    /// The clocks of this machine and of the store are too far apart for signatures.
    ClockSkew,
    /// The bucket lies in another region.
    Region,
    /// The store cannot be reached, or does not answer in time.
    Unreachable,
    /// The store answers with errors of its own.
    Failing,
    /// Another writer was first.
    Lost,
    /// What came is not what was written.
    Damaged,
    /// This machine's disk refused.
    Disk,
    /// Anything else.
    Other,
}

impl Kind {
    /// As a metric or a check names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::NotFound => "not_found",
            Self::NoBucket => "no_bucket",
            Self::Denied => "denied",
            Self::ClockSkew => "clock_skew",
            Self::Region => "region",
            Self::Unreachable => "unreachable",
            Self::Failing => "failing",
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::Disk => "disk",
            Self::Other => "other",
        }
    }

    /// Whether the same request may do later.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::Failing)
    }
}

/// What could not be done, what was said to it, and what helps.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: Kind,
    what: String,
    reason: String,
    remedy: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl Error {
    /// An error in the words of the caller.
    pub fn new(
        kind: Kind,
        what: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, what: what.into(), reason: reason.into(), remedy: remedy.into() }
    }

    /// What is wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What could not be done and what was said to it.
    pub fn problem(&self) -> String {
        format!("{}: {}", self.what, self.reason)
    }

    /// What helps; empty where nobody knows.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    pub(crate) fn disk(what: String) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(Kind::Disk, what, error.to_string(), "")
    }
}

/// What the errors of one bucket say beside what the store said.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// The bucket as people write it.
    pub bucket: String,
    /// The credentials that are used, and where they are from.
    pub credentials: String,
    /// Where requests go.
    pub endpoint: String,
    /// The region that requests are signed for, where there is one.
    pub region: String,
}

impl Surroundings {
    /// What a store's error means. `what` says what was tried, such as `cannot read s3://shop/a`.
    pub fn explain(&self, what: String, error: &object_store::Error) -> Error {
        let said = Said::of(error);
        let kind = kind_of(error, &said);
        Error { kind, what, reason: said.words(error), remedy: self.remedy(kind, &said) }
    }

    fn remedy(&self, kind: Kind, said: &Said) -> String {
        let Self { bucket, credentials, endpoint, region } = self;
        match kind {
            Kind::NoBucket => format!(
                "is {bucket} the right bucket, and {endpoint} its store? StreamFlow makes no buckets and changed nothing"
            ),
            Kind::Denied => format!(
                "the request was made with {credentials}; give credentials that may list, read, write and delete there"
            ),
            Kind::ClockSkew => {
                let ours = said.request_time.clone().unwrap_or_else(|| jiff::Timestamp::now().to_string());
                let theirs = said.server_time.as_deref().unwrap_or("not told");
                format!(
                    "this machine's clock says {ours} and the store's says {theirs}: set this machine's clock (NTP)"
                )
            }
            Kind::Region => format!(
                "the request was signed for the region {region:?}; set AWS_REGION or storage.region to the bucket's own"
            ),
            Kind::Unreachable => format!("is {endpoint} reachable from here, and storage.endpoint right?"),
            Kind::Failing => "the store itself fails; try again later".to_owned(),
            _ => String::new(),
        }
    }
}

/// What a store's answer says of itself.
#[derive(Debug, Default)]
struct Said {
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    request_time: Option<String>,
    server_time: Option<String>,
}

/// Longest message of a store that is shown.
const MESSAGE_CHARS: usize = 300;

impl Said {
    fn of(error: &object_store::Error) -> Self {
        let (mut text, mut source) = (error.to_string(), error.source());
        while let Some(inner) = source {
            text = inner.to_string();
            if text.contains("status code: ") {
                break;
            }
            source = inner.source();
        }
        let element = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            let (value, _) = rest.split_once(&format!("</{name}>"))?;
            Some(value.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS).collect())
        };
        let status = text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        Self {
            status,
            code: element("Code"),
            message: element("Message"),
            request_time: element("RequestTime"),
            server_time: element("ServerTime"),
        }
    }

    fn words(&self, error: &object_store::Error) -> String {
        let answered = self.status.map(|status| format!("the store answered {status}"));
        match (answered, &self.code, &self.message) {
            (Some(answered), Some(code), Some(message)) => format!("{answered} {code}: {message}"),
            (Some(answered), Some(code), None) => format!("{answered} {code}"),
            (Some(answered), None, _) => answered,
            (None, ..) => innermost(error),
        }
    }
}

/// The causes of an error that speak of the matter rather than of the library, the last two of them.
fn innermost(error: &object_store::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(inner) = source {
        causes.push(inner.to_string());
        source = inner.source();
    }
    let mut told: Vec<&str> = Vec::new();
    for cause in causes.iter().rev().take(2).rev() {
        let is_told = told.last().is_some_and(|last| last.contains(cause.as_str()));
        if !is_told {
            told.push(cause);
        }
    }
    told.join(": ")
}

fn kind_of(error: &object_store::Error, said: &Said) -> Kind {
    use object_store::Error as E;
    match said.code.as_deref() {
        Some("NoSuchBucket" | "ContainerNotFound") => return Kind::NoBucket,
        Some("RequestTimeTooSkewed") => return Kind::ClockSkew,
        Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            return Kind::Region;
        }
        Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => {
            return Kind::Denied;
        }
        _ => {}
    }
    match (error, said.status) {
        (E::NotFound { .. }, _) => Kind::NotFound,
        (E::AlreadyExists { .. } | E::Precondition { .. }, _) => Kind::Lost,
        (E::PermissionDenied { .. } | E::Unauthenticated { .. }, _) | (_, Some(401 | 403)) => Kind::Denied,
        (_, Some(500..=599)) => Kind::Failing,
        (_, Some(300..=399)) => Kind::Region,
        (_, Some(_)) => Kind::Other,
        (E::Generic { .. }, None) => {
            let text = innermost_all(error);
            // The library tells of a redirect without an address so, which is how S3 speaks of another region.
            if text.contains("redirect") { Kind::Region } else { of_transport(&text) }
        }
        _ => Kind::Other,
    }
}

fn of_transport(text: &str) -> Kind {
    const SIGNS: [&str; 8] =
        ["HTTP error", "error sending request", "timed out", "connect", "reset", "closed", "dns", "body"];
    if SIGNS.iter().any(|sign| text.contains(sign)) { Kind::Unreachable } else { Kind::Other }
}

fn innermost_all(error: &object_store::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(inner) = source {
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            bucket: "s3://shop".into(),
            credentials: "the key AKIA…WXYZ of AWS_ACCESS_KEY_ID".into(),
            endpoint: "http://127.0.0.1:9000".into(),
            region: "eu-west-1".into(),
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("Server returned non-2xx status code: {0}")]
    struct Answer(&'static str);

    #[test]
    fn each_refusal_says_what_helps() {
        let skewed = "403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.\
                      </Message><RequestTime>20260101T000000Z</RequestTime><ServerTime>2026-01-01T00:20:00Z</ServerTime>";
        for (answer, kind, expected) in [
            (skewed, Kind::ClockSkew, "20260101T000000Z and the store's says 2026-01-01T00:20:00Z"),
            ("404 Not Found: <Code>NoSuchBucket</Code>", Kind::NoBucket, "is s3://shop the right bucket"),
            ("403 Forbidden: <Code>AccessDenied</Code>", Kind::Denied, "AKIA…WXYZ of AWS_ACCESS_KEY_ID"),
            ("403 Forbidden: ", Kind::Denied, "the store answered 403; the request was made with"),
            ("503 Service Unavailable: ", Kind::Failing, "the store answered 503; the store itself fails"),
            ("301 Moved: <Code>PermanentRedirect</Code>", Kind::Region, "\"eu-west-1\"; set AWS_REGION"),
        ] {
            let error = object_store::Error::Generic { store: "S3", source: Box::new(Answer(answer)) };
            let told = surroundings().explain("cannot read s3://shop/a".into(), &error);
            assert_eq!(told.kind(), kind, "{answer}");
            assert!(told.to_string().starts_with("cannot read s3://shop/a: the store answered"), "{told}");
            assert!(told.to_string().contains(expected), "{told}");
        }
    }
}
