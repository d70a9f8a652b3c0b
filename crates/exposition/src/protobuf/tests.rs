//! Families as messages, and what is found in them.

use std::fmt::Write as _;

use super::message::*;
use super::*;
use crate::event::Event;
use crate::native::BucketSpan;

fn body(families: &[MetricFamily]) -> Vec<u8> {
    families.iter().flat_map(|family| family.encode_length_delimited_to_vec()).collect()
}

/// What a text would say, a line for each event.
fn lines(body: &[u8], take: Take) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for family in Families::new(body, take) {
        for event in family?.events() {
            lines.push(match event {
                Event::Type { family, kind } => format!("# TYPE {family} {}", kind.as_str()),
                Event::Help { family, help } => format!("# HELP {family} {help}"),
                Event::Unit { family, unit } => format!("# UNIT {family} {unit}"),
                Event::Sample(sample) => {
                    let mut line = match &sample.histogram {
                        Some(histogram) => {
                            format!("{} {} of {}", sample.series, histogram.count, histogram.schema)
                        }
                        None => format!("{} {}", sample.series, sample.value),
                    };
                    if let Some(timestamp_ms) = sample.timestamp_ms {
                        write!(line, " @{timestamp_ms}").unwrap();
                    }
                    for exemplar in &sample.exemplars {
                        let labels: Vec<_> =
                            exemplar.labels().map(|(name, value)| format!("{name}={value}")).collect();
                        write!(
                            line,
                            " # {} {} {:?}",
                            labels.join(","),
                            exemplar.value,
                            exemplar.timestamp_ms
                        )
                        .unwrap();
                    }
                    line
                }
            });
        }
    }
    Ok(lines)
}

fn label(name: &str, value: &str) -> LabelPair {
    LabelPair { name: name.to_owned(), value: value.to_owned() }
}

fn family(name: &str, kind: i32, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily { name: name.to_owned(), kind, metric, ..MetricFamily::default() }
}

fn exemplar(value: f64) -> Exemplar {
    let timestamp = Some(Timestamp { seconds: 12, nanos: 345_678_901 });
    Exemplar { label: vec![label("trace", "x")], value, timestamp }
}

/// Classic buckets, and a native histogram of the same observations.
fn histogram() -> HistogramMessage {
    let bucket = |upper_bound: f64, cumulative_count: u64| Bucket {
        upper_bound,
        cumulative_count,
        ..Bucket::default()
    };
    HistogramMessage {
        sample_count: 5,
        sample_sum: 9.5,
        bucket: vec![bucket(1.0, 2), Bucket { exemplar: Some(Box::new(exemplar(1.5))), ..bucket(2.0, 4) }],
        schema: 0,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_span: vec![BucketSpan { offset: 0, length: 2 }, BucketSpan { offset: 1, length: 1 }],
        positive_delta: vec![1, 1, -1],
        ..HistogramMessage::default()
    }
}

fn of(kind: i32, histogram: HistogramMessage) -> Vec<u8> {
    body(&[family("h", kind, vec![Metric { histogram: Some(Box::new(histogram)), ..Metric::default() }])])
}

const NATIVE: Take = Take { native: true, classic: false, convert: false };

#[test]
fn every_type_is_told_as_a_text_tells_it() {
    let number = |value| Some(Number { value });
    let counter = Counter { value: 3.0, exemplar: Some(exemplar(0.5)), created_timestamp: None };
    let summary = Summary {
        sample_count: 2,
        sample_sum: 1.5,
        quantile: vec![Quantile { quantile: 0.5, value: f64::NAN }, Quantile { quantile: 1.0, value: 2.0 }],
        created_timestamp: None,
    };
    let families = [
        MetricFamily {
            help: "h".to_owned(),
            unit: "bytes".to_owned(),
            ..family(
                "g_bytes",
                GAUGE,
                vec![Metric { gauge: number(-0.5), timestamp_ms: 7, ..Metric::default() }],
            )
        },
        family(
            "c_total",
            COUNTER,
            vec![Metric {
                label: vec![label("a", "\"\n")],
                counter: Some(Box::new(counter)),
                ..Metric::default()
            }],
        ),
        family("s", SUMMARY, vec![Metric { summary: Some(Box::new(summary)), ..Metric::default() }]),
        family(
            "ü.x",
            3,
            vec![Metric { label: vec![label("ä b", "v")], untyped: number(1.0), ..Metric::default() }],
        ),
    ];
    assert_eq!(
        lines(&body(&families), Take::default()).unwrap(),
        [
            "# TYPE g_bytes gauge",
            "# HELP g_bytes h",
            "# UNIT g_bytes bytes",
            "g_bytes -0.5 @7",
            "# TYPE c_total counter",
            "c_total{a=\"\\\"\\n\"} 3 # trace=x 0.5 Some(12345)",
            "# TYPE s summary",
            "s_count 2",
            "s_sum 1.5",
            "s{quantile=\"0.5\"} NaN",
            "s{quantile=\"1.0\"} 2",
            "# TYPE ü.x unknown",
            "{\"ü.x\",\"ä b\"=\"v\"} 1",
        ]
    );
}

#[test]
fn histograms_are_taken_as_it_is_asked() {
    let classic = [
        "h_count 5",
        "h_sum 9.5",
        "h_bucket{le=\"1.0\"} 2",
        "h_bucket{le=\"2.0\"} 4 # trace=x 1.5 Some(12345)",
        "h_bucket{le=\"+Inf\"} 5",
    ];
    let native = "h 5 of 0 # trace=x 1.5 Some(12345)";
    let check = |kind: i32, take: Take, histogram: HistogramMessage, expected: &[&str]| {
        assert_eq!(lines(&of(kind, histogram), take).unwrap()[1..], *expected, "{take:?}");
    };
    check(HISTOGRAM, Take::default(), histogram(), &classic);
    check(HISTOGRAM, NATIVE, histogram(), &[native]);
    check(HISTOGRAM, Take { classic: true, ..NATIVE }, histogram(), &[&[native], &classic[..]].concat());
    let convert = Take { convert: true, ..NATIVE };
    check(GAUGE_HISTOGRAM, convert, histogram(), &[native]);
    let of_classic =
        || HistogramMessage { zero_threshold: 0.0, zero_count: 0, positive_span: vec![], ..histogram() };
    check(HISTOGRAM, NATIVE, of_classic(), &classic);
    check(HISTOGRAM, convert, of_classic(), &["h 5 of -53 # trace=x 1.5 Some(12345)"]);
    // What cannot be converted stays what it is.
    let falling = HistogramMessage { sample_count: 3, ..of_classic() };
    let mut expected = classic;
    (expected[0], expected[4]) = ("h_count 3", "h_bucket{le=\"+Inf\"} 3");
    check(HISTOGRAM, convert, falling, &expected);
    // A native histogram without observations says what it is by a span of no bucket.
    let empty =
        HistogramMessage { positive_span: vec![BucketSpan::default()], ..HistogramMessage::default() };
    check(HISTOGRAM, NATIVE, empty, &["h 0 of 0"]);
    let floats = HistogramMessage {
        sample_count_float: 2.5,
        zero_count_float: 0.5,
        positive_count: vec![0.5, 1.0, 0.5],
        positive_delta: vec![],
        sample_count: 0,
        zero_count: 0,
        ..histogram()
    };
    check(HISTOGRAM, NATIVE, floats, &["h 2.5 of 0 # trace=x 1.5 Some(12345)"]);
}

#[test]
fn absurd_histograms_are_refused_by_name() {
    let check = |change: fn(&mut HistogramMessage), expected: &str| {
        let mut histogram = histogram();
        change(&mut histogram);
        let error = lines(&of(HISTOGRAM, histogram), NATIVE).unwrap_err().to_string();
        assert!(error.starts_with("native histogram with ") && error.contains(expected), "{error}");
        assert!(error.ends_with("in the family \"h\""), "{error}");
    };
    check(|h| h.schema = 9, "schema 9, expected -4 to 8, or -53 for custom bounds");
    check(|h| h.zero_threshold = -1.0, "zero threshold -1");
    check(|h| h.positive_span[1].offset = i32::MAX, "positive span 2 that ends at the bucket 2147483650");
    check(
        |h| h.positive_span[1].length = u32::MAX,
        "positive spans of 4294967297 buckets, expected at most 16384",
    );
    check(|h| h.positive_span[1].offset = -1, "positive span 2 with the offset -1");
    check(|h| h.positive_delta[1] = -2, "a positive count of 1-2");
    check(|h| h.sample_count = 4, "a count of 4, expected the 5 of its buckets");
    check(
        |h| (h.zero_count, h.sample_count) = (1 << 60, (1 << 60) + 3),
        "a count of 1152921504606846979, expected the 1152921504606846980 of its buckets",
    );
    check(|h| h.positive_count = vec![f64::NAN; 3], "bucket 0 with a count of NaN");
}

#[test]
fn bodies_that_are_none_are_refused() {
    let whole =
        body(&[family("a", GAUGE, vec![Metric { gauge: Some(Number { value: 1.0 }), ..Metric::default() }])]);
    let refused = |bytes: &[u8]| lines(bytes, NATIVE).unwrap_err().to_string();
    assert_eq!(refused(&[0x80]), "family 1: expected the length of a family");
    assert_eq!(refused(&[&whole[..], &[5, 0]].concat()), "family 2: expected 5 bytes, and 1 are left");
    assert!(refused(&[2, 0x0a, 9]).starts_with("family 1: "), "{}", refused(&[2, 0x0a, 9]));
    let without = body(&[family("a", GAUGE, vec![Metric::default()])]);
    assert_eq!(refused(&without), "family 1: a metric of \"a\" without its gauge");
    // Two bytes a metric, much more in memory.
    let bomb = [0x22, 0x00].repeat(2_000_001);
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(bomb.len() as u64, &mut bytes);
    bytes.extend(bomb);
    assert_eq!(refused(&bytes), "messages in a family are 2000001, expected at most 2000000");
    for at in 0..whole.len() {
        let _ = lines(&whole[..at], NATIVE);
    }
}

/// The body that a Prometheus 3.5.3 answered at its `/metrics`, asked for protobuf.
#[test]
fn what_prometheus_says_of_itself_is_read() {
    let body = include_bytes!("../../tests/golden/prometheus-3.5.3.pb");
    let native = lines(body, NATIVE).unwrap();
    let classic = lines(body, Take::default()).unwrap();
    let of = |lines: &[String], part: &str| lines.iter().filter(|line| line.contains(part)).count();
    // Native histograms, and buckets of those that are classic alone.
    assert_eq!((of(&native, " of 3"), of(&native, "_bucket{")), (2, 109));
    assert_eq!((of(&classic, " of 3"), of(&classic, "_bucket{")), (0, 125));
    assert!(native.contains(&"prometheus_ready 1".to_owned()));
}

#[test]
fn what_was_created_has_a_start() {
    let at = |seconds: i64, nanos: i32| Some(Timestamp { seconds, nanos });
    let counter = |created_timestamp| Metric {
        counter: Some(Box::new(Counter { value: 1.0, created_timestamp, ..Counter::default() })),
        ..Metric::default()
    };
    let summary = Summary { created_timestamp: at(2, 1_000_000), ..Summary::default() };
    let native = HistogramMessage { created_timestamp: at(3, 999_999_999), ..histogram() };
    let families = [
        family(
            "c",
            COUNTER,
            vec![
                counter(at(1, 500_000_000)),
                counter(None),
                counter(at(0, 0)),
                counter(at(5, -1)),
                counter(at(i64::MAX, 0)),
            ],
        ),
        family("s", SUMMARY, vec![Metric { summary: Some(Box::new(summary)), ..Metric::default() }]),
        family("h", HISTOGRAM, vec![Metric { histogram: Some(Box::new(native)), ..Metric::default() }]),
    ];
    let body = body(&families);
    let starts = |take: Take| {
        let mut starts = Vec::new();
        for family in Families::new(&body, take) {
            for event in family.unwrap().events() {
                let Event::Sample(sample) = event else { continue };
                starts.push((sample.series.to_owned(), sample.start_ms));
            }
        }
        starts
    };
    let names = |of: Vec<(String, Option<i64>)>| {
        of.into_iter().map(|(name, start)| format!("{name} {start:?}")).collect::<Vec<_>>()
    };
    let common =
        ["c Some(1500)", "c None", "c None", "c None", "c None", "s_count Some(2001)", "s_sum Some(2001)"];
    assert_eq!(names(starts(NATIVE)), [&common[..], &["h Some(3999)"]].concat());
    let classic = names(starts(Take::default()));
    assert!(
        classic.len() > 9 && classic[7..].iter().all(|line| line.ends_with(" Some(3999)")),
        "{classic:?}"
    );
}
