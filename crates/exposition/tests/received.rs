//! What a receiver reads of a request is what the messages of Prometheus's definition say, as prost decodes them.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_exposition::BucketSpan;
use streamflow_exposition::remote_write::{
    self, Exemplar, Label, Limits, MetricMetadata, NativeHistogram, Pair, Received, Sample, Series,
    TimeSeries, WriteRequest, unpack, v2,
};

fn label() -> impl Strategy<Value = Label> {
    ("[a-c_ü]{0,3}", "\\PC{0,3}").prop_map(|(name, value)| Label { name, value })
}

fn sample() -> impl Strategy<Value = Sample> {
    (any::<f64>(), any::<i64>(), prop_oneof![Just(0), any::<i64>()])
        .prop_map(|(value, timestamp, start_timestamp)| Sample { value, timestamp, start_timestamp })
}

fn histogram() -> impl Strategy<Value = NativeHistogram> {
    (any::<Option<u64>>(), any::<f64>(), prop::collection::vec(any::<i64>(), 0..4), any::<i64>()).prop_map(
        |(count_int, sum, positive_deltas, timestamp)| NativeHistogram {
            count_int,
            sum,
            positive_spans: vec![BucketSpan { offset: 1, length: positive_deltas.len() as u32 }],
            positive_deltas,
            timestamp,
            ..NativeHistogram::default()
        },
    )
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    (prop::collection::vec(label(), 0..3), any::<f64>(), any::<i64>())
        .prop_map(|(labels, value, timestamp)| Exemplar { labels, value, timestamp })
}

fn series() -> impl Strategy<Value = TimeSeries> {
    use prop::collection::vec as list;
    (list(label(), 0..4), list(sample(), 0..4), list(exemplar(), 0..3), list(histogram(), 0..2)).prop_map(
        |(labels, samples, exemplars, histograms)| TimeSeries { labels, samples, exemplars, histograms },
    )
}

fn request() -> impl Strategy<Value = WriteRequest> {
    let metadata = (0..8_i32, "[a-c]{0,2}", ".{0,3}").prop_map(|(kind, metric_family_name, help)| {
        MetricMetadata { kind, metric_family_name, help, unit: "s".into() }
    });
    (prop::collection::vec(series(), 0..5), prop::collection::vec(metadata, 0..3))
        .prop_map(|(timeseries, metadata)| WriteRequest { timeseries, metadata })
}

/// A request with some of its bytes changed, taken away or given twice.
fn damaged(bytes: &[u8], damage: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, kind, byte) in damage.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
        let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match kind % 4 {
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes.truncate(at.max(1)),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

fn owned(pairs: &[Pair<'_>]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

/// None where a text is no UTF-8, for which prost refuses the whole request.
fn of(series: Series<'_, '_>) -> Option<TimeSeries> {
    let whole = series.labels().is_ok() && series.exemplars().all(|(labels, ..)| labels.is_ok());
    whole.then(|| TimeSeries {
        labels: owned(series.labels().unwrap()),
        samples: series.samples().to_vec(),
        exemplars: series
            .exemplars()
            .map(|(labels, value, timestamp)| Exemplar { labels: owned(labels.unwrap()), value, timestamp })
            .collect(),
        histograms: series.histograms().to_vec(),
    })
}

/// The bytes of what was read, because a NaN equals nothing; groups, which no message of ours has, are refused.
fn check_v1(body: &[u8]) {
    let limits = Limits::default();
    let message = unpack(body, &limits).unwrap();
    let (ours, theirs) = (Received::v1(&message, &limits), remote_write::decode(body, &limits));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            let timeseries = ours.series().map(|series| of(series).unwrap()).collect();
            let read = WriteRequest { timeseries, metadata: ours.metadata().to_vec() };
            assert_eq!(remote_write::encode(&read), remote_write::encode(&theirs));
        }
        (Ok(ours), Err(error)) => {
            let texts = ours.series().any(|series| of(series).is_none());
            assert!(
                texts && error.to_string().contains("UTF-8"),
                "{ours:?} was taken, of which prost says {error}"
            );
        }
        (Err(error), Ok(theirs)) => assert!(error.to_string().contains("wire type"), "{error}: {theirs:?}"),
        (Err(_), Err(_)) => {}
    }
}

fn check_v2(body: &[u8]) {
    let limits = Limits::default();
    let message = unpack(body, &limits).unwrap();
    let (ours, theirs) = match (Received::v2(&message, &limits), v2::decode(body, &limits)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        // A symbol that is no UTF-8 may be one that no series names.
        (Ok(ours), Err(error)) => {
            return assert!(
                error.to_string().contains("UTF-8"),
                "{ours:?} was taken, of which prost says {error}"
            );
        }
        (Err(error), Ok(theirs)) => {
            return assert!(error.to_string().contains("wire type"), "{error}: {theirs:?}");
        }
        (Err(_), Err(_)) => return,
    };
    let text = |place: u32| theirs.symbols.get(place as usize).map(String::as_str);
    let named = |places: &[u32]| -> Option<Vec<(&str, &str)>> {
        let (pairs, []) = places.as_chunks::<2>() else { return None };
        pairs.iter().map(|[name, value]| text(*name).zip(text(*value))).collect()
    };
    assert_eq!(ours.series().len(), theirs.timeseries.len());
    for (ours, theirs) in ours.series().zip(&theirs.timeseries) {
        assert_eq!(ours.labels().map(<[_]>::to_vec).ok(), named(&theirs.labels_refs));
        assert_eq!(format!("{:?}", ours.samples()), format!("{:?}", theirs.samples));
        assert_eq!(format!("{:?}", ours.histograms()), format!("{:?}", theirs.histograms));
        assert_eq!(ours.created(), theirs.created_timestamp);
        let meaning = theirs
            .metadata
            .map(|metadata| (metadata.kind, text(metadata.help_ref).zip(text(metadata.unit_ref))));
        let read = ours.meaning().map(|meaning| meaning.as_ref().ok());
        assert_eq!(read.map(|read| read.is_some()), meaning.map(|(_, texts)| texts.is_some()));
        if let (Some(Some(ours)), Some((kind, Some(texts)))) = (read, meaning) {
            assert_eq!((ours.kind, (ours.help, ours.unit)), (kind, texts));
        }
        for ((labels, value, timestamp), theirs) in ours.exemplars().zip(&theirs.exemplars) {
            assert_eq!(labels.map(<[_]>::to_vec).ok(), named(&theirs.labels_refs));
            assert_eq!((value.to_bits(), timestamp), (theirs.value.to_bits(), theirs.timestamp));
        }
        assert_eq!(ours.exemplars().count(), theirs.exemplars.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_request_is_read_as_prost_reads_it(
        request in request(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 0..3),
    ) {
        for (body, check) in [
            (remote_write::encode(&request), check_v1 as fn(&[u8])),
            (v2::encode(&request), check_v2),
        ] {
            let whole = unpack(&body, &Limits::default()).unwrap();
            let packed = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
            check(&packed(&whole));
            check(&packed(&damaged(&whole, &damage)));
        }
    }
}

#[test]
fn a_request_holds_no_more_than_the_limits_allow() {
    let sample = Sample::new(1, 1.0);
    let series = TimeSeries {
        labels: vec![Label { name: "a".into(), value: "b".into() }],
        samples: vec![sample, sample],
        ..TimeSeries::default()
    };
    let request = WriteRequest { timeseries: vec![series.clone(), series], metadata: Vec::new() };
    let limits = |messages, named_bytes| Limits { messages, named_bytes, ..Limits::default() };
    let bytes = unpack(&remote_write::encode(&request), &Limits::default()).unwrap();
    assert_eq!(Received::v1(&bytes, &limits(8, 0)).unwrap().series().len(), 2);
    let refused = Received::v1(&bytes, &limits(7, 0)).unwrap_err().to_string();
    assert_eq!(refused, "messages in the request are 8, expected at most 7");
    // Three symbols, and four places where version 1 has two labels.
    let bytes = unpack(&v2::encode(&request), &Limits::default()).unwrap();
    let received = Received::v2(&bytes, &limits(13, 4)).unwrap();
    assert!(received.series().all(|series| series.labels().is_ok()));
    assert!(Received::v2(&bytes, &limits(12, 4)).is_err());
    let received = Received::v2(&bytes, &limits(13, 3)).unwrap();
    let labels: Vec<bool> = received.series().map(|series| series.labels().is_ok()).collect();
    assert_eq!(labels, [true, false]);
}

#[test]
fn places_outside_of_the_table_are_told_of_their_series_alone() {
    let request = |places: &[u32]| v2::Request {
        symbols: vec![String::new(), "abcd".to_owned()],
        timeseries: [places, &[0, 1]]
            .map(|places| v2::Series { labels_refs: places.to_vec(), ..v2::Series::default() })
            .to_vec(),
    };
    let read = |places: &[u32], named_bytes| -> Vec<Result<(), String>> {
        let bytes = prost::Message::encode_to_vec(&request(places));
        let received = Received::v2(&bytes, &Limits { named_bytes, ..Limits::default() }).unwrap();
        received.series().map(|series| series.labels().map(|_| ()).map_err(ToString::to_string)).collect()
    };
    assert_eq!(read(&[1, 1, 0, 0], 12), [Ok(()), Ok(())]);
    for (places, named_bytes, reason) in [
        (&[1, 2][..], 100, "the symbol 2 is not in the table of 2"),
        (&[u32::MAX, 0], 100, "the symbol 4294967295 is not in the table of 2"),
        (&[1], 100, "a label has a name and no value"),
        (&[1, 1, 1], 100, "a label has a name and no value"),
        (&[1, 1, 1, 1], 15, "bytes that symbols stand for are 16, expected at most 15"),
    ] {
        let read = read(places, named_bytes);
        assert_eq!(read[0], Err(reason.to_owned()), "{places:?}");
        assert!(named_bytes < 100 || read[1].is_ok(), "{places:?}");
    }
}

#[test]
fn a_text_that_is_no_utf_8_is_told_of_its_series_alone() {
    let series = |value: &str| TimeSeries {
        labels: vec![Label { name: "__name__".into(), value: value.into() }],
        ..TimeSeries::default()
    };
    let request = WriteRequest { timeseries: vec![series("bad"), series("good")], metadata: Vec::new() };
    let limits = Limits::default();
    for (body, version) in [(remote_write::encode(&request), 1), (v2::encode(&request), 2)] {
        let mut message = unpack(&body, &limits).unwrap();
        let at = message.windows(3).position(|bytes| bytes == b"bad").unwrap();
        message[at] = 0xff;
        let read =
            if version == 1 { Received::v1(&message, &limits) } else { Received::v2(&message, &limits) };
        let labels: Vec<_> = read
            .unwrap()
            .series()
            .map(|series| series.labels().map(owned).map_err(ToString::to_string))
            .collect();
        assert!(labels[0].as_ref().unwrap_err().contains("\"\\xffad\""), "{labels:?}");
        assert_eq!(labels[1], Ok(series("good").labels));
    }
}
