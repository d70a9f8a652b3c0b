//! Any bytes as a remote write of either version, or as a remote read: an error, or a request that is read the same after it was written,
//! as a receiver too, and histograms that are the same after they were written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::remote_read;
use streamflow_exposition::remote_write::{Limits, NativeHistogram, Received, WriteRequest, decode, encode, unpack, v2};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { decoded_bytes: 1 << 20, messages: 10_000, named_bytes: 1 << 20 };
    let roomy = Limits { decoded_bytes: 1 << 30, messages: u64::MAX, named_bytes: 1 << 30 };
    if let Ok(request) = decode(bytes, &limits) {
        let written = encode(&request);
        let read = decode(&written, &roomy).expect("our own bytes");
        // Compared as bytes, because a NaN equals nothing.
        assert_eq!(encode(&read), written);
        let message = unpack(&written, &roomy).expect("our own bytes");
        same_labels(&Received::v1(&message, &roomy).expect("our own bytes"), &request);
        let message = unpack(&v2::encode(&request), &roomy).expect("our own bytes");
        same_labels(&Received::v2(&message, &roomy).expect("our own bytes"), &request);
    }
    let _ = remote_read::decode(bytes, &limits);
    let Ok(message) = unpack(bytes, &limits) else { return };
    for received in [Received::v1(&message, &limits), Received::v2(&message, &limits)].into_iter().flatten() {
        for series in received.series() {
            let _ = (series.labels(), series.meaning(), series.samples());
            series.exemplars().for_each(|exemplar| drop(exemplar.0));
            read_histograms(series.histograms());
        }
    }
});

fn same_labels(received: &Received<'_>, request: &WriteRequest) {
    assert_eq!(received.series().len(), request.timeseries.len());
    for (series, written) in received.series().zip(&request.timeseries) {
        let expected = written.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
        assert!(series.labels().expect("our own table").iter().copied().eq(expected));
        assert_eq!(series.samples().len(), written.samples.len());
    }
}

/// A histogram that is one is sent on as the same.
fn read_histograms(messages: &[NativeHistogram]) {
    for message in messages {
        if let Ok(histogram) = message.read() {
            let again = NativeHistogram::of(&histogram, message.timestamp).read().expect("our own message");
            assert!(again.same(&histogram));
        }
    }
}
