//! Cases: bodies one after the other, what is counted and what the store then holds.

use streamflow_tsdb::{MatchOp, Matcher, Options, Samples, Value, is_stale};

use super::super::metadata::Metadata;

use super::*;

struct Target {
    db: Db,
    config: ScrapeConfig,
    counters: Counters,
    cache: SeriesCache,
    families: Families,
    exemplars: Exemplars,
    now_ms: i64,
}

impl Target {
    fn new(yaml: &str) -> Self {
        let text = format!("scrape_configs: [{{job_name: j, {yaml}}}]");
        let (mut config, _) = streamflow_prometheus_yml::parse(&text, std::path::Path::new("")).unwrap();
        Target {
            db: Db::in_memory(Options::default()),
            config: config.scrape_configs.remove(0),
            counters: Counters::default(),
            cache: SeriesCache::default(),
            families: Families::default(),
            exemplars: Exemplars::default(),
            now_ms: 1_700_000_000_000,
        }
    }

    /// A scrape one second after the last.
    fn scrape(&mut self, body: &str) -> (Counts, Result<(), String>) {
        let format = if body.ends_with("# EOF\n") { Format::OpenMetrics } else { Format::Text };
        self.scrape_as(Wire::Text(format), body.as_bytes())
    }

    fn scrape_as(&mut self, wire: Wire, body: &[u8]) -> (Counts, Result<(), String>) {
        self.now_ms += 1000;
        let labels = Labels::new([("instance", "i"), ("job", "j")]);
        let Target { db, config, counters, cache, families, exemplars, now_ms } = self;
        let ingest = Ingest { db, config, labels: &labels, counters, exemplars, now_ms: *now_ms };
        let (counts, batch) = ingest.body(wire, body, cache, families);
        (
            counts,
            batch.map(|batch| {
                batch.commit().unwrap();
            }),
        )
    }

    fn ok(&mut self, body: &str) -> [u64; 4] {
        let (counts, result) = self.scrape(body);
        result.unwrap();
        [counts.scraped, counts.kept, counts.added, counts.refused]
    }

    fn error(&mut self, body: &str, expected: &str) -> [u64; 3] {
        let (counts, result) = self.scrape(body);
        let error = result.unwrap_err();
        assert!(error.contains(expected), "{error}");
        [counts.scraped, counts.kept, counts.added]
    }

    /// Series with their values of the last scrapes, `stale` for a marker.
    fn stored(&self) -> Vec<String> {
        let all = Matcher::new("__name__", MatchOp::NotEqual, "").unwrap();
        let series = self.db.select(&[all], i64::MIN, i64::MAX).unwrap();
        let shown = series.iter().map(|series| {
            let mut samples = Samples::default();
            series.read(&mut samples).unwrap();
            let value = |value: Value| match value {
                Value::Float(value) if is_stale(value) => "stale".to_owned(),
                Value::Float(value) => value.to_string(),
                Value::Histogram(histogram) => format!("({} of {})", histogram.count, histogram.schema),
            };
            let values: Vec<_> = samples.values().map(|(_, held)| value(held)).collect();
            format!("{} {}", series.labels().without(&["instance"]), values.join(" "))
        });
        shown.collect()
    }
}

#[test]
fn series_that_vanish_are_marked_stale() {
    let mut target = Target::new("");
    assert_eq!(target.ok("a 1\nb{x=\"y\"} 2\n"), [2, 2, 2, 0]);
    assert_eq!(target.ok("a 2\n"), [1, 1, 0, 0]);
    assert_eq!(target.ok("a 3\n"), [1, 1, 0, 0]);
    // Another text of the same series is no new series that takes the old one's place.
    assert_eq!(target.ok("a{} 4\nb{x=\"y\"} 5\n"), [2, 2, 2, 0]);
    assert_eq!(target.stored(), [r#"a{job="j"} 1 2 3 4"#, r#"b{job="j", x="y"} 2 stale 5"#]);
}

#[test]
fn a_refused_body_leaves_nothing_but_markers() {
    let mut target = Target::new("");
    target.ok("a 1\nb 1\n");
    assert_eq!(target.error("a 2\nc 1\nb b b\n", "line 3"), [2, 2, 1]);
    assert_eq!(target.error("<html>", "line 1"), [0, 0, 0]);
    assert_eq!(target.stored(), [r#"a{job="j"} 1 stale"#, r#"b{job="j"} 1 stale"#]);
    target.ok("a 3\nb 3\nc 3\n");
    assert_eq!(target.stored(), [r#"a{job="j"} 1 stale 3"#, r#"b{job="j"} 1 stale 3"#, r#"c{job="j"} 3"#]);
}

#[test]
fn conflicting_labels() {
    let body = "m{job=\"x\",instance=\"y\",exported_job=\"z\"} 1\n";
    let mut target = Target::new("");
    target.ok(body);
    let expected = r#"m{exported_exported_job="x", exported_instance="y", exported_job="z", job="j"} 1"#;
    assert_eq!(target.stored(), [expected]);
    let mut target = Target::new("honor_labels: true");
    target.ok(body);
    assert_eq!(target.stored(), [r#"m{exported_job="z", job="x"} 1"#]);
}

#[test]
fn limits_fail_the_scrape() {
    let mut target = Target::new("sample_limit: 2");
    assert_eq!(
        target.error("a 1\nb 1\nc 1\nd 1\n", "sample limit exceeded: 4 samples, the limit is 2"),
        [4, 4, 2]
    );
    // Known by their texts since the scrape that failed.
    assert_eq!(target.ok("a 1\nb 1\n"), [2, 2, 0, 0]);
    let mut target = Target::new("label_limit: 4");
    assert_eq!(
        target.error("a{x=\"y\"} 1\nb{x=\"y\",z=\"w\"} 1\n", "label_limit exceeded: b has 5 labels"),
        [2, 1, 1]
    );
    let mut target = Target::new("label_name_length_limit: 8");
    target.error("a{abcdefghi=\"y\"} 1\n", "label_name_length_limit exceeded: a, label abcdefghi: 9 bytes");
    let mut target = Target::new("label_value_length_limit: 3");
    target.error("a{x=\"yyyy\"} 1\n", "label_value_length_limit exceeded: a, label x: 4 bytes");
    assert_eq!(target.counters.label_limit.get(), 1);
    assert!(target.stored().is_empty());
}

#[test]
fn duplicates_and_times() {
    let mut target = Target::new("");
    assert_eq!(target.ok("a 1\na 2\n"), [2, 2, 1, 1]);
    let now = target.now_ms;
    let times = format!("t 1 {now}\nt 2 {}\nt 0 {}\nf 1 {}\n", now + 500, now - 500, now + 3_600_000);
    assert_eq!(target.ok(&times), [4, 4, 1, 2]);
    assert_eq!((target.counters.out_of_order.get(), target.counters.out_of_bounds.get()), (1, 1));
    // Series with times of their own are not marked stale.
    target.ok("a 3\n");
    assert_eq!(target.stored(), [r#"a{job="j"} 1 stale 3"#, r#"t{job="j"} 1 2"#]);
    let mut target = Target::new("honor_timestamps: false");
    target.ok("t 1 5\n");
    target.ok("\n");
    assert_eq!(target.stored(), [r#"t{job="j"} 1 stale"#]);
}

#[test]
fn a_clock_that_jumps() {
    let mut target = Target::new("");
    target.ok("a 1\n");
    target.now_ms -= 60_000;
    assert_eq!(target.ok("a 2\n"), [1, 1, 0, 1]);
    target.now_ms += 120_000;
    target.ok("a 3\n");
    assert_eq!(target.stored(), [r#"a{job="j"} 1 3"#]);
    assert_eq!(target.counters.out_of_order.get(), 1);
}

#[test]
fn refused_labels_and_relabeling() {
    let mut target = Target::new("");
    target.error("a{x=\"1\",x=\"2\"} 1\n", "label name \"x\" is not unique");
    target.error("{\"a\",\"\"=\"x\"} 1\n", "has no name");
    target.error("{\"\"} 1\n", "has no metric name");
    let rules = "metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}, {regex: x, action: labeldrop}]";
    let mut target = Target::new(rules);
    assert_eq!(target.ok("go_a 1\na{x=\"y\"} 1\n"), [2, 1, 1, 0]);
    assert_eq!(target.ok("go_a 1\na{x=\"y\"} 2\n"), [2, 1, 0, 0]);
    assert_eq!(target.stored(), [r#"a{job="j"} 1 2"#]);
    let mut target = Target::new("metric_relabel_configs: [{regex: __name__, action: labeldrop}]");
    target.error("a 1\n", "has no metric name");
}

#[test]
fn a_family_that_changes_its_type() {
    let mut target = Target::new("");
    target.ok("# TYPE a counter\n# HELP a first\na 1\n");
    target.ok("# TYPE a gauge\na 2\n");
    let expected = Metadata { kind: "gauge", help: "first".to_owned(), unit: String::new() };
    assert_eq!(target.families.get("a"), Some(&expected));
    for _ in 0..11 {
        target.ok("b 1\n");
    }
    assert_eq!(target.families.iter().count(), 0);
}

#[test]
fn caches_stay_bounded() {
    let mut target = Target::new("");
    for scrape in 0..30 {
        let body: String = (0..100).map(|series| format!("m{{s=\"{scrape}_{series}\"}} 1\n")).collect();
        target.error(&(body + "!"), "line 101");
    }
    assert_eq!(target.counters.cache_flush_forced.get(), 2);
}

#[test]
fn bounds_and_quantiles_are_spelled_as_openmetrics_does() {
    let mut target = Target::new("honor_labels: false");
    target.ok("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"5e-05\"} 3\nh_bucket{le=\"x\"} 4\n\
               # TYPE s summary\ns{quantile=\"1\",le=\"1\"} 5\n# TYPE g gauge\ng{le=\"1\",quantile=\"1\"} 6\n");
    assert_eq!(
        target.stored(),
        [
            r#"g{job="j", le="1", quantile="1"} 6"#,
            r#"h_bucket{job="j", le="+Inf"} 2"#,
            r#"h_bucket{job="j", le="1.0"} 1"#,
            r#"h_bucket{job="j", le="5e-05"} 3"#,
            r#"h_bucket{job="j", le="x"} 4"#,
            r#"s{job="j", le="1", quantile="1.0"} 5"#,
        ]
    );
}

#[test]
fn names_of_any_text_are_kept_unless_the_job_refuses_them() {
    const BODY: &str = "{\"http.requests\",\"service.name\"=\"api\"} 1\n";
    let mut target = Target::new("honor_labels: false");
    target.ok(BODY);
    assert_eq!(target.stored(), [r#"{__name__="http.requests", job="j", "service.name"="api"} 1"#]);
    let legacy = "metric_name_validation_scheme: legacy, metric_name_escaping_scheme: underscores";
    let mut target = Target::new(legacy);
    target.error(BODY, "metric name \"http.requests\" is none that");
    target.error("a{\"b.c\"=\"d\"} 1\n", "label name \"b.c\" is none that");
    target.ok("a:b{c=\"d\"} 1\n");
}

#[test]
fn exemplars_are_kept_with_their_series() {
    let mut target = Target::new(
        "metric_relabel_configs: [{source_labels: [__name__], regex: dropped_total, action: drop}]",
    );
    target.ok("a_total 1 # {trace=\"x\"} 0.5 1700000000.25\ndropped_total 1 # {trace=\"y\"} 1\n# EOF\n");
    target.ok("a_total 2 # {trace=\"z\"} 0.75\n# EOF\n");
    target.error("a_total 3 # {trace=\"lost\"} 1\nbroken\n# EOF\n", "expected");
    let matcher = Matcher::new("__name__", MatchOp::NotEqual, "").unwrap();
    let found = target.exemplars.select(&[vec![matcher]], i64::MIN, i64::MAX);
    let [(series, exemplars)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(series.get("__name__"), Some("a_total"));
    let found: Vec<_> = exemplars
        .iter()
        .map(|exemplar| (exemplar.labels.to_string(), exemplar.value, exemplar.timestamp_ms))
        .collect();
    assert_eq!(
        found,
        [
            (r#"{trace="x"}"#.to_owned(), 0.5, 1_700_000_000_250),
            (r#"{trace="z"}"#.to_owned(), 0.75, 1_700_000_002_000)
        ]
    );
}

#[test]
fn answers_of_unknown_types_are_refused_unless_the_job_falls_back() {
    let format = |yaml: &str, content_type: &str| {
        let target = Target::new(yaml);
        let ingest = Ingest {
            db: &target.db,
            config: &target.config,
            labels: &Labels::default(),
            counters: &target.counters,
            exemplars: &target.exemplars,
            now_ms: 0,
        };
        ingest.format(content_type)
    };
    let strict = "honor_labels: false";
    let fallback = "fallback_scrape_protocol: OpenMetricsText1.0.0";
    assert_eq!(format(strict, "text/plain; version=0.0.4"), Ok(Wire::Text(Format::Text)));
    assert_eq!(format(fallback, "text/plain"), Ok(Wire::Text(Format::Text)));
    for content_type in ["", "text/html; charset=utf-8", "text/plain; x"] {
        assert_eq!(format(fallback, content_type), Ok(Wire::Text(Format::OpenMetrics)), "{content_type}");
        let error = format(strict, content_type).unwrap_err();
        assert!(error.contains("set fallback_scrape_protocol"), "{error}");
    }
    let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    assert_eq!(format(fallback, protobuf), Ok(Wire::Protobuf));
    assert_eq!(format("fallback_scrape_protocol: PrometheusProto", ""), Ok(Wire::Protobuf));
}

/// Two requests, one of 0.25 and one of 3 seconds, by protobuf as a client library sends it: 2 classic buckets, 2 native
/// ones of schema 3.
const PROTOBUF: &[u8] = include_bytes!("requests.pb");

#[test]
fn native_histograms_are_taken_where_the_job_says_so() {
    let classic = [
        r#"h_bucket{job="j", le="+Inf"} 2"#,
        r#"h_bucket{job="j", le="1.0"} 1"#,
        r#"h_count{job="j"} 2"#,
        r#"h_sum{job="j"} 3.25"#,
    ];
    for (yaml, expected) in [
        ("scheme: http", classic.to_vec()),
        ("scrape_native_histograms: true", vec![r#"h{job="j"} (2 of 3)"#]),
        (
            "scrape_native_histograms: true, always_scrape_classic_histograms: true",
            [&[r#"h{job="j"} (2 of 3)"#], &classic[..]].concat(),
        ),
        (
            "scrape_native_histograms: true, native_histogram_min_bucket_factor: 2",
            vec![r#"h{job="j"} (2 of 0)"#],
        ),
        ("scrape_native_histograms: true, native_histogram_bucket_limit: 2", vec![r#"h{job="j"} (2 of 3)"#]),
    ] {
        let mut target = Target::new(yaml);
        target.scrape_as(Wire::Protobuf, PROTOBUF).1.unwrap();
        assert_eq!(target.stored(), expected, "{yaml}");
    }
}

#[test]
fn native_histograms_that_vanish_are_marked_stale_and_absurd_ones_fail_the_scrape() {
    let mut target = Target::new("scrape_native_histograms: true");
    target.scrape_as(Wire::Protobuf, PROTOBUF).1.unwrap();
    target.scrape_as(Wire::Protobuf, b"").1.unwrap();
    target.scrape_as(Wire::Protobuf, PROTOBUF).1.unwrap();
    let mut absurd = PROTOBUF.to_vec();
    // The schema is the only byte after the tag 5 of the histogram.
    let place = absurd.windows(2).position(|pair| pair == [0x28, 0x06]).unwrap();
    absurd[place + 1] = 0x7e;
    let error = target.scrape_as(Wire::Protobuf, &absurd).1.unwrap_err();
    assert_eq!(
        error,
        "native histogram with schema 63, expected -4 to 8, or -53 for custom bounds, in the family \"h\""
    );
    assert_eq!(target.stored(), [r#"h{job="j"} (2 of 3) stale (2 of 3) stale"#]);
    let mut target = Target::new("scrape_native_histograms: true, native_histogram_bucket_limit: 1");
    // 0.25 and 3 lie on both sides of 1, which is a bound of every schema.
    let error = target.scrape_as(Wire::Protobuf, PROTOBUF).1.unwrap_err();
    assert_eq!(error, "native_histogram_bucket_limit exceeded: 2 buckets, the limit is 1");
    let text = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n";
    target.config.native.convert_classic = true;
    target.error(text, "native_histogram_bucket_limit exceeded: 2 buckets, the limit is 1");
    assert_eq!(target.counters.bucket_limit.get(), 2);
}

#[test]
fn classic_histograms_become_native_ones() {
    let text = "# TYPE h histogram\nh_bucket{le=\"1\",a=\"x\"} 1\nh_bucket{a=\"x\",le=\"+Inf\"} 2\nh_sum{a=\"x\"} 3\n\
                h_count{a=\"x\"} 2\nh_bucket{le=\"1\"} 2\nh_count 1\n# TYPE g gauge\ng_count 1\n# TYPE i histogram\n\
                i_count 0\ni_sum 0\n";
    let convert = "scrape_native_histograms: true, convert_classic_histograms_to_nhcb: true";
    let mut target = Target::new(convert);
    assert_eq!(target.ok(text), [5, 5, 5, 0]);
    // Of two observations up to 1 and one in all nothing can be made: they stay what they are.
    let kept = [r#"g_count{job="j"} 1"#, r#"h_bucket{job="j", le="1.0"} 2"#, r#"h_count{job="j"} 1"#];
    let converted = [r#"h{a="x", job="j"} (2 of -53)"#, r#"i{job="j"} (0 of -53)"#];
    let mut expected = [&kept[..], &converted].concat();
    expected.sort_unstable();
    let mut stored = target.stored();
    stored.sort_unstable();
    assert_eq!(stored, expected);
    let mut target = Target::new(&format!("{convert}, always_scrape_classic_histograms: true"));
    target.ok(text);
    assert_eq!(target.stored().len(), 5 + 6);
}

/// Series with the start of their last sample.
fn starts(target: &Target) -> Vec<String> {
    let series = target.db.select(&[], i64::MIN, i64::MAX).unwrap();
    let shown = series.iter().map(|series| {
        let mut samples = Samples::default();
        series.read(&mut samples).unwrap();
        let last = samples.samples().last().unwrap();
        format!("{} {}", series.labels().without(&["instance", "job"]), last.start)
    });
    shown.collect()
}

#[test]
fn start_timestamps_are_taken_where_they_are_wanted() {
    let text = "# TYPE c counter\nc_total 1\nc_created 1.5\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\nh_created 2.5\n# EOF\n";
    let mut target = Target::new("scheme: http");
    assert_eq!(target.ok(text), [6, 6, 6, 0]);
    let as_series =
        ["c_created 0", "c_total 0", "h_bucket{le=\"+Inf\"} 0", "h_count 0", "h_created 0", "h_sum 0"];
    assert_eq!(starts(&target), as_series);
    let mut target = Target::new("scheme: http");
    target.config.take_start_timestamps();
    assert_eq!(target.config.scrape_protocols[0], ScrapeProtocol::PrometheusProto);
    assert_eq!(target.ok(text), [4, 4, 4, 0]);
    let expected = ["c_total 1500", "h_bucket{le=\"+Inf\"} 2500", "h_count 2500", "h_sum 2500"];
    assert_eq!(starts(&target), expected);
    // The same series of a later scrape, whose counters began anew; the last one brings no start.
    assert_eq!(target.ok(&text.replace("1.5", "9").replace("h_created 2.5\n", "")), [4, 4, 0, 0]);
    assert_eq!(starts(&target)[..2], ["c_total 9000", "h_bucket{le=\"+Inf\"} 0"]);
    // A text of the old kind has no such lines.
    let mut target = Target::new("scheme: http");
    target.config.take_start_timestamps();
    target.ok("# TYPE c counter\nc 1\nc_created 2\n");
    assert_eq!(starts(&target), ["c 0", "c_created 0"]);
    let convert = "scrape_native_histograms: true, convert_classic_histograms_to_nhcb: true";
    let mut target = Target::new(convert);
    target.config.take_start_timestamps();
    target.ok(text);
    assert_eq!(starts(&target), ["c_total 1500", "h 2500"]);
}
