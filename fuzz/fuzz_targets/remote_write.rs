//! Any bytes as a remote write of either version, or as a remote read: an error, or a request that is read the same after it was written, and
//! labels that name what is in the table of symbols, and histograms that are the same after they were written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::remote_read;
use streamflow_exposition::remote_write::{Limits, NativeHistogram, decode, encode, v2};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { decoded_bytes: 1 << 20, messages: 10_000, named_bytes: 1 << 20 };
    let roomy = Limits { decoded_bytes: 1 << 30, messages: u64::MAX, named_bytes: 1 << 30 };
    if let Ok(request) = decode(bytes, &limits) {
        let written = encode(&request);
        let read = decode(&written, &roomy).expect("our own bytes");
        // Compared as bytes, because a NaN equals nothing.
        assert_eq!(encode(&read), written);
        let symbolized = v2::decode(&v2::encode(&request), &roomy).expect("our own bytes");
        let mut symbols = symbolized.symbols(&roomy);
        for (series, written) in symbolized.timeseries.iter().zip(&request.timeseries) {
            let labels = symbols.labels(&series.labels_refs).expect("our own table");
            let expected = written.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
            assert!(labels.into_iter().eq(expected));
        }
        request.timeseries.iter().for_each(|series| read_histograms(&series.histograms));
    }
    let _ = remote_read::decode(bytes, &limits);
    if let Ok(request) = v2::decode(bytes, &limits) {
        let mut symbols = request.symbols(&limits);
        for series in &request.timeseries {
            let _ = symbols.labels(&series.labels_refs);
            let _ = series.metadata.map(|metadata| symbols.metadata(&metadata).map(|_| ()));
            read_histograms(&series.histograms);
            for exemplar in &series.exemplars {
                let _ = symbols.labels(&exemplar.labels_refs);
            }
        }
    }
});

/// A histogram that is one is sent on as the same.
fn read_histograms(messages: &[NativeHistogram]) {
    for message in messages {
        if let Ok(histogram) = message.read() {
            let again = NativeHistogram::of(&histogram, message.timestamp).read().expect("our own message");
            assert!(again.same(&histogram));
        }
    }
}
