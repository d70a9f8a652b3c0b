//! What the service tells of the bucket that its data directory lies in: in its metrics and at `/ready`.

use serde::Serialize;
use streamflow_bucket::{Counts, State};
use streamflow_exposition::Writer;
use utoipa::ToSchema;

/// How it goes with the bucket.
#[derive(Serialize, ToSchema)]
#[schema(as = Bucket)]
pub struct ReadyBucket {
    /// `followed`, or what is wrong: `denied`, `clock_skew`, `no_bucket`, `region`, `unreachable`, `failing`, `damaged`,
    /// `other`. What is served then is what was brought before.
    state: &'static str,
    /// What is wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl From<&Counts> for ReadyBucket {
    fn from(counts: &Counts) -> Self {
        match counts.state().fault {
            None => Self { state: "followed", trouble: None },
            Some((kind, trouble)) => Self { state: kind.name(), trouble: Some(trouble) },
        }
    }
}

/// Writes the metrics of the bucket.
pub fn write(counts: &Counts, text: &mut Writer) {
    let requests = counts.requests();
    let samples = requests.iter().map(|count| {
        (vec![("operation", count.operation), ("outcome", count.outcome)], count.requests as f64)
    });
    let help = "Requests to the object store, retries among them.";
    text.counters("streamflow_object_store_requests_total", help, samples);
    let State { fault, commits_lost, commits_made, fetched_bytes, sent_bytes } = counts.state();
    let commits = [("made", commits_made), ("lost", commits_lost)];
    let samples = commits.into_iter().map(|(outcome, count)| (vec![("outcome", outcome)], count as f64));
    let help = "Commits to the object store; lost are those that came after another writer's.";
    text.counters("streamflow_object_store_commits_total", help, samples);
    let bytes = [("fetched", fetched_bytes), ("sent", sent_bytes)];
    let samples = bytes.into_iter().map(|(direction, bytes)| (vec![("direction", direction)], bytes as f64));
    let help = "Bytes of objects that were fetched from the object store and sent to it.";
    text.counters("streamflow_object_store_bytes_total", help, samples);
    let help = "Whether the last exchange with the object store did what it was for.";
    text.gauge("streamflow_object_store_up", help, &[], f64::from(u8::from(fault.is_none())));
}
