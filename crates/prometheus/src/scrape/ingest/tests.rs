//! Cases: bodies one after the other, what is counted and what the store then holds.

use streamflow_tsdb::{MatchOp, Matcher, Options, Samples, is_stale};

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
        self.now_ms += 1000;
        let labels = Labels::new([("instance", "i"), ("job", "j")]);
        let Target { db, config, counters, cache, families, exemplars, now_ms } = self;
        let ingest = Ingest { db, config, labels: &labels, counters, exemplars, now_ms: *now_ms };
        let (counts, batch) = ingest.body(Wire::Text(format), body.as_bytes(), cache, families);
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
            let value = |value: &f64| if is_stale(*value) { "stale".to_owned() } else { value.to_string() };
            let values: Vec<_> = samples.values.iter().map(value).collect();
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
    let error = format(fallback, "application/vnd.google.protobuf").unwrap_err();
    assert!(error.contains("protobuf, which is not read"), "{error}");
}
