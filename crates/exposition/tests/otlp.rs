//! Requests of OTLP, in JSON and in the protobuf that OpenTelemetry's own library writes of it, and the series that they
//! become; `tools/golden/otlp.py` holds both.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::Value;
use streamflow_exposition::otlp::{
    Encoding, Request, Settings, Translation, decode, partial_success, translate,
};
use streamflow_exposition::remote_write::{Label, Limits, TimeSeries};
use streamflow_gotext::quote;

const STALE: u64 = 0x7ff0_0000_0000_0002;

fn settings(of: &Value) -> Settings {
    let texts = of["promoted"].as_array().map_or(&[][..], Vec::as_slice).iter();
    Settings {
        translation: match of["translation"].as_str() {
            None => Translation::UnderscoreEscapingWithSuffixes,
            Some("NoUTF8EscapingWithSuffixes") => Translation::NoUtf8EscapingWithSuffixes,
            Some("NoTranslation") => Translation::NoTranslation,
            Some(other) => panic!("{other}"),
        },
        promoted: texts.map(|text| text.as_str().unwrap().to_owned()).collect(),
        promote_all: of["promote_all"] == true,
        keep_identifying: of["keep_identifying"] == true,
        custom_bounds: of["custom_bounds"] == true,
    }
}

fn number(value: f64) -> String {
    if value.to_bits() == STALE { "stale".to_owned() } else { value.to_string() }
}

fn set(labels: &[Label]) -> String {
    let labels = labels.iter().filter(|label| label.name != "__name__");
    let labels: Vec<String> = labels.map(|label| format!("{}={}", label.name, quote(&label.value))).collect();
    format!("{{{}}}", labels.join(","))
}

/// A line a sample, exemplars behind it.
fn lines(series: &[TimeSeries]) -> Vec<String> {
    let lines = series.iter().flat_map(|series| {
        let name = &series.labels.iter().find(|label| label.name == "__name__").unwrap().value;
        let mut labels = series.labels.clone();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        let exemplars: String = series
            .exemplars
            .iter()
            .map(|one| format!(" # {} {}@{}", set(&one.labels), number(one.value), one.timestamp))
            .collect();
        let labels = set(&labels);
        let numbers = series.samples.iter().map(|sample| (number(sample.value), sample.timestamp));
        let histograms = series.histograms.iter().map(|one| (one.read().unwrap().to_script(), one.timestamp));
        let samples: Vec<(String, i64)> = numbers.chain(histograms).collect();
        samples.into_iter().map(move |(value, at)| format!("{name}{labels} {value}@{at}{exemplars}"))
    });
    lines.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn requests_become_series() {
    let golden: Value = serde_json::from_str(include_str!("golden/otlp.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    let limits = Limits::default();
    for case in cases {
        let name = &case["name"];
        let json = decode(case["json"].to_string().as_bytes(), Encoding::Json, &limits).unwrap();
        let protobuf =
            decode(&bytes(case["protobuf"].as_str().unwrap()), Encoding::Protobuf, &limits).unwrap();
        // Compared as texts, because a NaN equals nothing.
        assert_eq!(format!("{json:?}"), format!("{protobuf:?}"), "{name}");
        let found = translate(&protobuf, &settings(&case["settings"]), &limits).unwrap();
        let expected: Vec<String> = serde_json::from_value(case["series"].clone()).unwrap();
        assert_eq!(lines(&found.series), expected, "{name}");
        let refused: Vec<String> =
            found.refused.iter().map(|one| format!("{} {}", one.reason, one.points)).collect();
        assert_eq!(Value::from(refused), case["refused"], "{name}");
    }
}

#[test]
fn buckets_become_coarser_and_have_an_end() {
    let translated = |point: &str| {
        let body = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"e","exponentialHistogram":
                {{"aggregationTemporality":2,"dataPoints":[{point}]}}}}]}}]}}]}}"#
        );
        let request = decode(body.as_bytes(), Encoding::Json, &Limits::default()).unwrap();
        translate(&request, &Settings::default(), &Limits::default()).unwrap()
    };
    // 4,096 buckets of the scale 20 are one of the scale 8, whatever its place.
    for (scale, offset, counts, schema, indices) in [
        (20, 4096, 4096, 8, vec![2]),
        (20, -4097, 4098, 8, vec![-1, 0, 1]),
        (9, -1, 2, 8, vec![0, 1]),
        (8, -1, 2, 8, vec![0, 1]),
        (-4, -1, 2, -4, vec![0, 1]),
        (i32::MAX, -5, 9, 8, vec![0, 1]),
    ] {
        let list = vec!["1"; counts].join(",");
        let found = translated(&format!(
            r#"{{"timeUnixNano":1,"count":{counts},"scale":{scale},"positive":{{"offset":{offset},"bucketCounts":[{list}]}}}}"#
        ));
        let histogram = found.series[0].histograms[0].read().unwrap();
        assert_eq!((histogram.schema, &histogram.positive.indices), (schema, &indices), "{scale} {offset}");
        assert_eq!(histogram.positive.counts.iter().sum::<f64>(), histogram.count);
    }
    let good = r#"{"timeUnixNano":1,"count":1,"negative":{"bucketCounts":[1]}}"#;
    for (point, reason) in [
        (r#"{"timeUnixNano":1,"scale":-5}"#, "the scale -5, expected -4 or more"),
        (
            r#"{"timeUnixNano":1,"positive":{"offset":2147483647,"bucketCounts":[1]}}"#,
            "a bucket with the number 2147483648, expected at most 2147483647",
        ),
    ] {
        let found = translated(&format!("{point},{good},{point}"));
        assert_eq!((found.series.len(), found.refused[0].points), (1, 2));
        let message = format!("metric \"e\" has an exponential histogram with {reason}");
        assert_eq!(found.refused[0].message, message);
    }
    // What no histogram is stays one for the receiver, which refuses it by name.
    let many = vec!["1"; 20_000].join(",");
    for (point, reason) in [
        (format!(r#"{{"timeUnixNano":1,"positive":{{"bucketCounts":[{many}]}}}}"#), "expected at most 16384"),
        (
            r#"{"timeUnixNano":1,"count":3,"zeroCount":1}"#.to_owned(),
            "a count of 3, expected the 1 of its buckets",
        ),
    ] {
        let error = translated(&point).series[0].histograms[0].read().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn json_is_read_as_other_senders_write_it() {
    let read = |body: &str| decode(body.as_bytes(), Encoding::Json, &Limits::default());
    let gauge = |point: &str| {
        let body = format!(
            r#"{{"resource_metrics":[{{"scope_metrics":[{{"metrics":[{{"name":"m","gauge":{{"data_points":[{point}]}}}}]}}],"unknown":{{}}}}]}}"#
        );
        let request = read(&body)?;
        Ok::<_, streamflow_exposition::Error>(request.resource_metrics[0].scope_metrics[0].metrics[0].clone())
    };
    for (point, int, double) in [
        (r#"{"as_int":5}"#, Some(5), None),
        (r#"{"asInt":"-9223372036854775808"}"#, Some(i64::MIN), None),
        (r#"{"asDouble":"Infinity"}"#, None, Some(f64::INFINITY)),
        (r#"{"asDouble":5}"#, None, Some(5.0)),
        (r#"{"asDouble":null}"#, None, None),
    ] {
        let metric = gauge(point).unwrap();
        let found = &metric.gauge.unwrap().data_points[0];
        assert_eq!((found.as_int, found.as_double), (int, double), "{point}");
    }
    let sum = read(
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE"}}]}]}]}"#,
    );
    let sum = sum.unwrap().resource_metrics[0].scope_metrics[0].metrics[0].sum.clone().unwrap();
    assert_eq!(sum.aggregation_temporality, 2);
    for (point, reason) in [
        (r#"{"asInt":1.5}"#, "1.5 is no whole number"),
        (r#"{"asInt":"9223372036854775808"}"#, "9223372036854775808 does not fit"),
        (r#"{"asDouble":"x"}"#, "\"x\" is no number"),
        (r#"{"timeUnixNano":"-1"}"#, "-1 does not fit"),
        (r#"{"exemplars":[{"traceId":"0g"}]}"#, "\"0g\" is not hexadecimal"),
        (r#"{"exemplars":[{"traceId":"abc"}]}"#, "\"abc\" is not hexadecimal"),
        (r#"{"attributes":[{"key":"a","value":{"bytesValue":"?"}}]}"#, "\"?\" is not base64"),
        (r#"{"attributes":5}"#, "expected a sequence"),
    ] {
        let error = gauge(point).unwrap_err().to_string();
        assert!(error.contains("no OTLP request in JSON") && error.contains(reason), "{error}");
    }
}

#[test]
fn limits_come_before_memory() {
    let roomy = Limits::default();
    let refused =
        |body: &[u8], encoding, limits: Limits| decode(body, encoding, &limits).unwrap_err().to_string();
    let bodies = [(Encoding::Protobuf, [0x0a, 0x00].repeat(11)), (Encoding::Json, b"{".repeat(11))];
    for (encoding, body) in bodies {
        let error = refused(&body, encoding, Limits { messages: 10, ..roomy });
        assert_eq!(error, "messages in the request are 11, expected at most 10");
        let error = refused(&body, encoding, Limits { decoded_bytes: 10, ..roomy });
        assert!(error.starts_with("bytes after decompression are "), "{error}");
    }
    // A long attribute of the resource becomes a label of every point.
    let point = r#"{"timeUnixNano":1,"asInt":1}"#;
    let body = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"a","value":{{"stringValue":"{}"}}}}]}},
            "scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{}]}}}}]}}]}}]}}"#,
        "x".repeat(1000),
        [point; 100].join(",")
    );
    let request = decode(body.as_bytes(), Encoding::Json, &roomy).unwrap();
    let settings = Settings { promote_all: true, ..Settings::default() };
    assert_eq!(translate(&request, &settings, &roomy).unwrap().series.len(), 100);
    let error = translate(&request, &settings, &Limits { named_bytes: 50_000, ..roomy }).unwrap_err();
    assert!(error.to_string().starts_with("bytes of labels and buckets of the request are "), "{error}");
    // From 1970 to 2262.
    let body = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name"},{"key":"a"}]},"scopeMetrics":[{"metrics":[
        {"gauge":{"dataPoints":[{"timeUnixNano":1},{"timeUnixNano":"9223372036854775807"}]}}]}]}]}"#;
    let request = decode(body.as_bytes(), Encoding::Json, &roomy).unwrap();
    let found = translate(&request, &Settings::default(), &roomy).unwrap();
    assert_eq!(found.series.last().unwrap().samples.len(), 10_001);
}

/// As deep as protobuf's own reader goes, and far deeper: never a panic, and a text of a bounded length.
#[test]
fn values_within_values_are_shown_to_a_depth() {
    let mut value: Vec<u8> = Vec::new();
    for _ in 0..30 {
        let list = [vec![0x0a, u8::try_from(value.len()).unwrap()], value].concat();
        value = [vec![0x2a, u8::try_from(list.len()).unwrap()], list].concat();
    }
    let nested = |field: u8, inner: &[u8]| {
        let length = u8::try_from(inner.len()).unwrap();
        [vec![field], if length < 128 { vec![length] } else { vec![length, 1] }, inner.to_vec()].concat()
    };
    let pair = nested(0x12, &value);
    let time = [0x19, 1, 0, 0, 0, 0, 0, 0, 0];
    let point = [nested(0x3a, &pair), time.to_vec()].concat();
    let metric = nested(0x2a, &nested(0x0a, &point));
    let body = nested(0x0a, &nested(0x12, &nested(0x12, &metric)));
    let request = decode(&body, Encoding::Protobuf, &Limits::default()).unwrap();
    let found = translate(
        &request,
        &Settings { translation: Translation::NoTranslation, ..Settings::default() },
        &Limits::default(),
    );
    let labels: BTreeMap<String, String> = found.unwrap().series[0]
        .labels
        .iter()
        .map(|label| (label.name.clone(), label.value.clone()))
        .collect();
    assert_eq!(labels[""], format!("{}null{}", "[".repeat(16), "]".repeat(16)));
}

#[test]
fn answers_say_what_was_left_out() {
    assert_eq!(
        String::from_utf8(partial_success(Encoding::Json, 3, "why")).unwrap(),
        r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"why"}}"#
    );
    assert_eq!(partial_success(Encoding::Protobuf, 3, "why"), b"\x0a\x07\x08\x03\x12\x03why");
    let error = decode(b"\xff", Encoding::Protobuf, &Limits::default()).unwrap_err();
    assert!(error.to_string().starts_with("the body is no OTLP request in protobuf: "), "{error}");
    assert_eq!(decode(b"", Encoding::Protobuf, &Limits::default()).unwrap(), Request::default());
}

#[test]
fn what_grows_alone_has_a_start() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"c","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
            {"startTimeUnixNano":"3000000","timeUnixNano":"9000000","asInt":"1"},
            {"startTimeUnixNano":"3000000","timeUnixNano":"10000000","flags":1}]}},
        {"name":"u","sum":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"3000000","timeUnixNano":"9000000","asInt":"1"}]}},
        {"name":"g","gauge":{"dataPoints":[{"startTimeUnixNano":"3000000","timeUnixNano":"9000000","asInt":"1"}]}},
        {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"4000000","timeUnixNano":"9000000","count":"1","bucketCounts":["1","0"],"explicitBounds":[1]}]}},
        {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"5000000","timeUnixNano":"9000000","count":"0"}]}},
        {"name":"s","summary":{"dataPoints":[{"startTimeUnixNano":"6000000","timeUnixNano":"9000000","count":"1"}]}}
    ]}]}]}"#;
    let request = decode(json.as_bytes(), Encoding::Json, &Limits::default()).unwrap();
    let found = translate(&request, &Settings::default(), &Limits::default()).unwrap();
    let starts: Vec<String> = found
        .series
        .iter()
        .map(|series| {
            let name = &series.labels.iter().find(|label| label.name == "__name__").unwrap().value;
            let numbers = series.samples.iter().map(|sample| sample.start_timestamp);
            let starts: Vec<i64> =
                numbers.chain(series.histograms.iter().map(|one| one.start_timestamp)).collect();
            format!("{name} {starts:?}")
        })
        .collect();
    let expected = [
        "c_total [3]",
        "c_total [0]",
        "u [0]",
        "g [0]",
        "h_count [4]",
        "h_bucket [4]",
        "h_bucket [4]",
        "e [5]",
        "s_sum [6]",
        "s_count [6]",
    ];
    assert_eq!(starts, expected);
}

/// OTLP's time of 0 is one that is not known.
#[test]
fn points_without_a_time_are_refused_and_the_others_kept() {
    let settings = Settings::default();
    for (kind, more, series) in [
        ("gauge", "", 1),
        ("sum", "\"aggregationTemporality\":2,", 1),
        ("histogram", "\"aggregationTemporality\":2,", 2),
        ("exponentialHistogram", "\"aggregationTemporality\":2,", 1),
        ("summary", "", 2),
    ] {
        let body = format!(
            r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name"}},{{"key":"a"}}]}},"scopeMetrics":
                [{{"metrics":[{{"name":"m","{kind}":{{{more}"dataPoints":[{{}},{{"timeUnixNano":"5000000"}},{{"timeUnixNano":0}}]}}}}]}}]}}]}}"#
        );
        let request = decode(body.as_bytes(), Encoding::Json, &Limits::default()).unwrap();
        let found = translate(&request, &settings, &Limits::default()).unwrap();
        let refused: Vec<_> = found.refused.iter().map(|one| (one.reason, one.points)).collect();
        assert_eq!(refused, [("no_time", 2)], "{kind}");
        assert!(found.refused[0].message.contains("metric \"m\" has points without a time"));
        // Beside them stands target_info, whose times are those of the points.
        assert_eq!(found.series.len(), series + 1, "{kind}");
        let mut times = found.series.iter().flat_map(|series| {
            let numbers = series.samples.iter().map(|sample| sample.timestamp);
            numbers.chain(series.histograms.iter().map(|histogram| histogram.timestamp)).collect::<Vec<_>>()
        });
        assert!(times.all(|time| time == 5), "{kind}");
    }
}

#[test]
fn a_list_is_no_request() {
    for body in ["[]", " [[]]", "null", "7", ""] {
        let error = decode(body.as_bytes(), Encoding::Json, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains("expected an object with resourceMetrics"), "{body}: {error}");
    }
}
