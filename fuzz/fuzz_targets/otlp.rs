//! Any bytes as a request of OTLP in either encoding: an error, or series, which say the same in both strategies but for
//! names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::otlp::{Encoding, Settings, Translation, decode, translate};
use streamflow_exposition::remote_write::Limits;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { decoded_bytes: 1 << 20, messages: 10_000, named_bytes: 8 << 20 };
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let Ok(request) = decode(bytes, encoding, &limits) else { continue };
        let escaped = Settings { promote_all: true, keep_identifying: true, ..Settings::default() };
        let plain = Settings { translation: Translation::NoTranslation, ..escaped.clone() };
        let found = [escaped, plain].map(|settings| translate(&request, &settings, &limits));
        let [Ok(escaped), Ok(plain)] = found else { continue };
        assert_eq!(escaped.refused, plain.refused);
        assert_eq!(escaped.series.len(), plain.series.len());
        for (one, other) in escaped.series.iter().zip(&plain.series) {
            let bits = |series: &streamflow_exposition::remote_write::TimeSeries| {
                series.samples.iter().map(|sample| (sample.timestamp, sample.value.to_bits())).collect::<Vec<_>>()
            };
            assert_eq!(bits(one), bits(other));
        }
    }
});
