//! What the start timestamps of two samples that follow each other say of a counter.
//!
//! A counter began anew between them where the later one started behind the earlier one, or exactly at its time. Exactly there
//! starts too what is counted on with an unknown start: then the earlier one has no start, or its own time as such. Source:
//! Prometheus 3.14's script `start_timestamps.test`, and OpenTelemetry's data model on unknown starts.

use streamflow_tsdb::NO_START;

/// A sample's time and start timestamp.
pub(crate) type Started = (i64, i64);

/// Tells whether the counter began anew between the two.
pub(crate) fn began_anew((time_before, start_before): Started, (time, start): Started) -> bool {
    if start == NO_START || start >= time {
        return false;
    }
    let follows = start == time_before && start_before != NO_START && start_before < time_before;
    start > time_before || follows
}

/// Tells whether the later one started anew before the earlier one was taken: its sender is at odds with itself.
pub(crate) fn overlaps((time_before, start_before): Started, (_, start): Started) -> bool {
    start != NO_START && start < time_before && start != start_before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_starts_say() {
        let check = |before: Started, now: Started, anew: bool, overlap: bool| {
            assert_eq!(
                (began_anew(before, now), overlaps(before, now)),
                (anew, overlap),
                "{before:?} {now:?}"
            );
        };
        check((120, 0), (180, 0), false, false);
        check((120, 90), (180, 90), false, false);
        check((120, 90), (180, 121), true, false);
        check((120, 90), (180, 120), true, false);
        check((120, 0), (180, 120), false, false);
        check((120, 120), (180, 120), false, false);
        check((120, 150), (180, 120), false, false);
        check((120, 90), (180, 180), false, false);
        check((120, 90), (180, 200), false, false);
        check((120, 90), (180, 100), false, true);
        check((120, 0), (180, 100), false, true);
    }
}
