use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use streamflow_histogram::Histogram;
use streamflow_tsdb::{Db, Downsampling, Labels, Options, STALE_NAN, Samples};

use super::*;

const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_700_000_000_000;

/// Bits by series and time.
type Stored = BTreeMap<String, Vec<(i64, u64)>>;

fn store() -> Db {
    Db::in_memory(any_age())
}

fn any_age() -> Options {
    Options { out_of_order_window_ms: i64::MAX, ..Options::default() }
}

fn all() -> Selection {
    Selection { sets: Vec::new(), min_ms: i64::MIN, max_ms: i64::MAX }
}

fn stored(db: &Db) -> Stored {
    let mut samples = Samples::default();
    let series = db.select(&[], i64::MIN, i64::MAX).unwrap();
    let bits = |series: &streamflow_tsdb::Series| {
        series.read(&mut samples).unwrap();
        let values = samples.iter().map(|(time, value)| (time, value.to_bits())).collect();
        (series.labels().to_string(), values)
    };
    series.iter().map(bits).collect()
}

fn text_of(db: &Db) -> (String, Exported) {
    let mut text = Vec::new();
    let exported = export(db, &all(), &mut text, |_, _| {}).unwrap();
    (String::from_utf8(text).unwrap(), exported)
}

fn taken(db: &Db, text: &str) -> Result<Imported, Box<ImportError>> {
    taken_with(db, text, false)
}

fn taken_with(db: &Db, text: &str, start_timestamps: bool) -> Result<Imported, Box<ImportError>> {
    let how = Importing { now_ms: START_MS + 1000 * HOUR_MS, start_timestamps };
    import(db, text.as_bytes(), how, |_| {})
}

/// Counters and gauges of two days, each a scrape a minute, some milliseconds off.
fn filled(db: &Db) {
    let mut batch = db.batch();
    for (name, job) in [("Z", "api"), ("latency_sum", "web"), ("latency_sum", "api"), ("up", "api")] {
        let labels = Labels::new([("__name__", name), ("job", job), ("A", "first in the order of labels")]);
        for at in 0..2 * 24 * 60 {
            let time = START_MS + at * 60_000 + at % 7;
            batch.add(&labels, time, at as f64 / 7.0).unwrap();
        }
    }
    batch.commit().unwrap();
}

#[test]
fn what_is_exported_comes_back_to_the_bit_also_into_a_store_with_blocks() {
    let (source, dir) = (store(), tempfile::tempdir().unwrap());
    filled(&source);
    let (text, exported) = text_of(&source);
    assert_eq!((exported.series, exported.samples), (4, 4 * 2880));
    let target = Db::open(dir.path(), any_age()).unwrap();
    // Newer samples are there, in blocks.
    let newer = "up{job=\"api\"} 1 1700990000\nup{job=\"api\"} 1 1701990000\n# EOF\n";
    assert_eq!(taken(&target, newer).unwrap().samples, 2);
    let imported = taken(&target, &text).unwrap();
    assert_eq!((imported.samples, imported.present), (exported.samples, 0), "{imported:?}");
    assert_eq!(imported.oldest_ms, Some(START_MS));
    let again = taken(&target, &text).unwrap();
    assert_eq!((again.samples, again.present, again.refused.len()), (0, exported.samples, 0), "{again:?}");
    // A server opens the store with options of its own.
    target.close().unwrap();
    drop(target);
    let reopened = Db::open(dir.path(), Options::default()).unwrap();
    let mut found = stored(&reopened);
    found.remove("up{job=\"api\"}").unwrap();
    assert_eq!(found, stored(&source));
}

#[test]
fn families_stand_together_and_ranges_and_matchers_choose() {
    let source = store();
    filled(&source);
    let (text, _) = text_of(&source);
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let expected = ["# TYPE Z unknown", "# TYPE latency_sum unknown", "# TYPE up unknown", "# EOF"];
    assert_eq!(heads, expected);
    let set = |text: &str| streamflow_promql::parse_selector(text).unwrap();
    let selection = Selection {
        sets: vec![set("up"), set("{job=\"web\"}"), set("{job=~\"web|api\",__name__=\"up\"}")],
        min_ms: START_MS,
        max_ms: START_MS + 60_001,
    };
    let mut text = Vec::new();
    let exported = export(&source, &selection, &mut text, |_, _| {}).unwrap();
    assert_eq!((exported.series, exported.samples), (2, 4));
    let nothing = Selection { sets: vec![set("nothing")], ..all() };
    let mut text = Vec::new();
    assert_eq!(export(&source, &nothing, &mut text, |_, _| {}).unwrap(), Exported::default());
    assert_eq!(text, b"# EOF\n");
}

#[test]
fn what_has_no_form_is_counted_and_left_out() {
    let source = store();
    let mut batch = source.batch();
    let (up, native) = (Labels::new([("__name__", "up")]), Labels::new([("__name__", "native")]));
    for (time, value) in [(1, 1.0), (2, STALE_NAN), (3, -0.0), (1 << 51, 1.0)] {
        batch.add(&up, time, value).unwrap();
    }
    batch.add_histogram(&native, 1, Arc::new(Histogram::default())).unwrap();
    batch.add(&Labels::new([("job", "api")]), 1, 1.0).unwrap();
    batch.commit().unwrap();
    let (text, exported) = text_of(&source);
    let expected = Exported {
        series: 1,
        samples: 2,
        starts: 0,
        histograms: 1,
        histogram_names: ["native".to_owned()].into(),
        stale_markers: 1,
        far_times: 1,
        unnamed_series: 1,
        aggregated_series: 0,
    };
    assert_eq!(exported, expected);
    assert_eq!(text, "# TYPE up unknown\nup 1 0.001\nup -0 0.003\n# EOF\n");
}

/// Every sample with its start, by series.
fn started(db: &Db) -> BTreeMap<String, Vec<(i64, i64)>> {
    let mut samples = Samples::default();
    let series = db.select(&[], i64::MIN, i64::MAX).unwrap();
    let starts = |series: &streamflow_tsdb::Series| {
        series.read(&mut samples).unwrap();
        (
            series.labels().to_string(),
            samples.samples().map(|sample| (sample.timestamp, sample.start)).collect(),
        )
    };
    series.iter().map(starts).collect()
}

#[test]
fn start_timestamps_are_created_lines_and_come_back_where_they_are_wanted() {
    let source = store();
    let names = ["requests_total", "took_bucket", "took_count", "plain", "quantiles", "x_created"];
    let mut batch = source.batch();
    for (place, name) in names.into_iter().enumerate() {
        for job in ["api", "web"] {
            let labels = [("__name__", name), ("job", job), ("le", if place == 1 { "0.5" } else { "" })];
            let labels =
                Labels::new(labels.into_iter().chain([("quantile", if place == 4 { "0.5" } else { "" })]));
            for at in 0..2 * 24 * 60 {
                let timestamp = START_MS + at * 60_000 + at % 7;
                // Started anew now and then, and unknown at times.
                let start = if at % 50 == 3 { 0 } else { START_MS - 100_001 + at / 200 * 12_000_000 };
                let value = streamflow_tsdb::Value::Float(at as f64);
                batch.add_sample(&labels, streamflow_tsdb::Sample { timestamp, start, value }).unwrap();
            }
        }
    }
    batch.commit().unwrap();
    let (text, exported) = text_of(&source);
    assert_eq!((exported.samples, exported.starts), (12 * 2880, 12 * (2880 - 58)));
    let target = store();
    let imported = taken_with(&target, &text, true).unwrap();
    assert_eq!((imported.samples, imported.starts_unmatched), (exported.samples, 0), "{imported:?}");
    assert_eq!(started(&target), started(&source));
    assert_eq!(stored(&target), stored(&source));
    // Else the lines are series, as in Prometheus.
    let target = store();
    taken(&target, &text).unwrap();
    let names = started(&target);
    assert!(names.keys().any(|name| name.starts_with("requests_created")), "{:?}", names.keys());
    assert!(names.values().flatten().all(|(_, start)| *start == 0));
}

#[test]
fn a_start_that_no_sample_is_near_is_counted() {
    let db = store();
    let text = "# TYPE c counter\nc_created 1 100\nc_total 5 100\nc_created 1 200\n# EOF\n";
    let imported = taken_with(&db, text, true).unwrap();
    assert_eq!((imported.samples, imported.starts_unmatched), (1, 1));
    assert_eq!(started(&db), [("c_total".to_owned(), vec![(100_000, 1000)])].into());
}

#[test]
fn an_error_names_its_line_and_what_was_before_is_in() {
    for (text, samples, expected) in [
        ("a 1 2\na 1 3\n", 2, "the text ends after line 2 without # EOF: it was cut off"),
        ("a 1 2\na 1\n# EOF\n", 1, "line 2: expected a time in seconds after the value in \"a\""),
        ("a 1 2\na{b=\"c\",b=\"d\"} 1 3\n# EOF\n", 1, "line 2: expected each label once"),
        ("a 1 2\na x 3\n# EOF\n", 1, "line 2: expected a number"),
        ("# TYPE a gauge\n", 0, "the text ends after line 1"),
    ] {
        let db = store();
        let error = taken(&db, text).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{text:?}: {error}");
        assert_eq!(error.imported.samples, samples, "{text:?}");
        assert_eq!(stored(&db).values().map(Vec::len).sum::<usize>() as u64, samples);
    }
}

#[test]
fn present_refused_and_out_of_order_samples_are_counted() {
    let db = store();
    assert_eq!(taken(&db, "a 1 100\na 3 300\n# EOF\n").unwrap().samples, 2);
    let text =
        "a 1 100\na 2 200\na 4 300\na 5 50\na 5 50\na 6 50\na{b=\"\"} 7 400 # {trace=\"x\"} 1\n# EOF\n";
    let imported = taken(&db, text).unwrap();
    assert_eq!((imported.samples, imported.present, imported.exemplars), (3, 2, 1), "{imported:?}");
    assert_eq!(imported.refused, [("another value at the same time", 2)].into());
    let values = [(50, 5.0), (100, 1.0), (200, 2.0), (300, 3.0), (400, 7.0)];
    let expected = values.map(|(seconds, value): (i64, f64)| (seconds * 1000, value.to_bits()));
    assert_eq!(stored(&db), [("a".to_owned(), expected.to_vec())].into());
}

#[test]
fn a_text_that_cannot_be_written_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let source = store();
    filled(&source);
    let error = export(&source, &all(), Full, |_, _| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn any_samples_come_back(
        series in proptest::collection::btree_map(
            ("[a-z_:]{1,6}|.{1,4}", proptest::collection::btree_map("[a-z]{1,3}|[^_]{1,4}", ".{1,5}", 0..3)),
            proptest::collection::btree_map(0_i64..4_000_000_000_000, any::<f64>(), 1..20),
            1..6,
        ),
        cut in any::<proptest::sample::Index>(),
    ) {
        let source = store();
        let mut batch = source.batch();
        for ((name, labels), samples) in &series {
            let labels = Labels::new(labels.iter().chain([(&"__name__".to_owned(), name)]));
            for (&time, &value) in samples {
                batch.add(&labels, time, if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0001) } else { value }).unwrap();
            }
        }
        batch.commit().unwrap();
        let (text, _) = text_of(&source);
        let target = store();
        let imported = taken(&target, &text).unwrap();
        prop_assert!(imported.refused.is_empty(), "{imported:?}");
        prop_assert_eq!(stored(&target), stored(&source));
        // A part of it is an error wherever it ends, and what is missing comes with the whole.
        let cut = text.floor_char_boundary(cut.index(text.len() - "\n".len()));
        let target = store();
        prop_assert!(taken(&target, &text[..cut]).is_err());
        taken(&target, &text).unwrap();
        prop_assert_eq!(stored(&target), stored(&source));
    }
}

/// promtool makes blocks of the text for a Prometheus: what it dumps of them is what was stored.
fn promtool_takes_it(promtool: &Path) {
    let (source, dir) = (store(), tempfile::tempdir().unwrap());
    filled(&source);
    std::fs::write(dir.path().join("text"), text_of(&source).0).unwrap();
    let arguments = ["tsdb", "create-blocks-from", "openmetrics", "text", "blocks"];
    let (is_content, said) = streamflow_oracles::run(promtool, dir.path(), &arguments);
    assert!(is_content, "{said}");
    // What reads a database wants its log too.
    std::fs::create_dir(dir.path().join("blocks/wal")).unwrap();
    let (is_content, dumped) = streamflow_oracles::run(promtool, dir.path(), &["tsdb", "dump", "blocks"]);
    assert!(is_content, "{dumped}");
    let mut found: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    for line in dumped.lines() {
        let (labels, rest) = line.rsplit_once("} ").unwrap();
        let (value, time) = rest.split_once(' ').unwrap();
        let sample = (time.parse().unwrap(), value.parse::<f64>().unwrap().to_bits());
        found.entry(labels.replace(", ", ",")).or_default().push(sample);
    }
    let named = |labels: &Labels| {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{{{}", pairs.join(","))
    };
    let mut samples = Samples::default();
    for series in source.select(&[], i64::MIN, i64::MAX).unwrap() {
        series.read(&mut samples).unwrap();
        let expected: Vec<(i64, u64)> = samples.iter().map(|(time, value)| (time, value.to_bits())).collect();
        assert_eq!(found.remove(&named(series.labels())), Some(expected), "{}", series.labels());
    }
    assert!(found.is_empty(), "{:?}", found.keys());
}

#[test]
fn promtool_makes_blocks_of_the_same_samples() {
    let left_out = "promtool 3 made no blocks of an export";
    let third = streamflow_oracles::prometheus_3(left_out).map(|program| program.with_file_name("promtool"));
    // Some packages of Prometheus 3 are without it.
    let third = third.filter(|promtool| promtool.is_file());
    for promtool in streamflow_oracles::promtool().into_iter().chain(third) {
        promtool_takes_it(&promtool);
    }
}

#[test]
fn an_export_says_of_how_many_series_it_left_aggregates_out() {
    let dir = tempfile::tempdir().unwrap();
    let keep = Some(1000 * HOUR_MS);
    let options = Options {
        retention_ms: Some(24 * HOUR_MS),
        downsampling: Downsampling { five_minutes_ms: keep, one_hour_ms: keep },
        ..any_age()
    };
    let db = Db::open(dir.path(), options).unwrap();
    filled(&db);
    db.maintain(START_MS + 48 * HOUR_MS).unwrap();
    let (_, exported) = text_of(&db);
    assert_eq!((exported.aggregated_series, exported.series), (4, 4));
    assert!(exported.samples > 0 && exported.samples < 4 * 1600, "{exported:?}");
}
