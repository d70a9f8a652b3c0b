//! What holds for every input.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use streamflow_exposition::{Event, Format, Parser, TextEncoder, remote_write};

/// Bytes that look like an exposition more often than random ones do.
fn almost_expositions() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "m", "a.b", "{", "}", "\"", "\\", "=", ",", " ", "\t", "\n", "\r", "1", "-1e9", "NaN", "+Inf", "# ",
        "#", "TYPE ", "HELP ", "UNIT ", "EOF", " # {", "counter", "a=\"b\"", "ü", "\0",
    ]);
    let piece = prop_oneof![8 => pieces.prop_map(|piece| piece.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 1..3)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn read_all(format: Format, body: &[u8]) {
    for event in Parser::new(format, body) {
        if let Ok(Event::Sample(sample)) = event {
            let mut labels = sample.labels();
            assert_eq!(labels.next().unwrap().0, "__name__");
            assert!(labels.count() < body.len());
            for exemplar in sample.exemplars {
                assert!(exemplar.labels().count() < body.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(body in prop_oneof![almost_expositions(), prop::collection::vec(any::<u8>(), 0..200)]) {
        read_all(Format::Text, &body);
        read_all(Format::OpenMetrics, &body);
        let _ = remote_write::decode(&body, &remote_write::Limits::default());
        let _ = remote_write::decode(&snap::raw::Encoder::new().compress_vec(&body).unwrap(), &remote_write::Limits::default());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_encoded_is_parsed(
        series in prop::collection::btree_map(
            // A name, and labels under other names.
            ("\\PC{1,8}|[a-z:_]{1,6}", prop::collection::btree_map("[a-z_.ü\"\\\\]{1,6}", any::<String>(), 0..4)),
            (any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()), prop::option::of(0..i64::MAX)),
            0..8,
        )
    ) {
        let mut encoder = TextEncoder::new();
        for ((name, labels), (value, timestamp_ms)) in &series {
            let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            encoder.sample(name, labels, *value, *timestamp_ms);
        }
        let text = encoder.finish();
        let mut read = BTreeMap::new();
        let mut families = Vec::new();
        for event in Parser::new(Format::Text, text.as_bytes()) {
            match event.unwrap() {
                Event::Type { family, .. } => families.push(family.into_owned()),
                Event::Sample(sample) => {
                    let mut labels = sample.labels().map(|(name, value)| (name.into_owned(), value.into_owned()));
                    let (_, name) = labels.next().unwrap();
                    read.insert((name, labels.collect::<BTreeMap<_, _>>()), (sample.value, sample.timestamp_ms));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(families.is_sorted(), "{families:?}");
        prop_assert_eq!(read, series);
    }
}
