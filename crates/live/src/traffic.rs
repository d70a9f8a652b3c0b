//! The mix of errors: what share of the requests names an unknown entity or is invalid.

use crate::judge::Judged;
use crate::minute::{Counters, Status};
use crate::statistic::{Measured, proportions};

/// A change of a share by this much is large.
const GATE: f64 = 0.05;

/// One kind of error in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorsLook {
    /// `unknown` (404) or `invalid` (400, 422).
    pub kind: &'static str,
    /// Its share of the requests in the window.
    pub share: f64,
    /// Its share at the same clock time of the last seven days.
    pub before: f64,
    /// The difference. Requests are counted, not entities: a caller that repeats itself counts each time.
    pub judged: Judged,
    /// The minute since 1970 from which on it has drifted.
    pub detected_since: Option<i64>,
}

/// Both kinds, compared with counters of before; none where a side has no request.
pub(crate) fn errors(live: &Counters, before: &Counters, threshold: f64) -> Vec<ErrorsLook> {
    let kinds = [("unknown", Status::Unknown), ("invalid", Status::Invalid)];
    let look = |(kind, status)| {
        let of = |counters: &Counters| (counters.requests_of(status) as f64, counters.requests() as f64);
        let ((errors, requests), (errors_before, requests_before)) = (of(live), of(before));
        let measured: Measured = proportions(errors_before, requests_before, errors, requests)?;
        let judged = Judged { measured, gate: GATE, threshold };
        let (share, before) = (errors / requests, errors_before / requests_before);
        Some(ErrorsLook { kind, share, before, judged, detected_since: None })
    };
    kinds.into_iter().filter_map(look).collect()
}
