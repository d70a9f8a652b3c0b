use proptest::prelude::*;

use super::*;
use crate::{Error, Event, Sample};

/// What a text says up to its end or an error, each sample as labels, time and bits; and the error.
fn read(text: &[u8]) -> (Vec<(String, i64, u64)>, Option<HistoryError>) {
    let (mut reader, mut found) = (HistoryReader::new(text), Vec::new());
    loop {
        match reader.next() {
            Ok(Some(Event::Sample(Sample { series, value, timestamp_ms, .. }))) => {
                found.push((series.to_owned(), timestamp_ms.unwrap(), value.to_bits()));
            }
            Ok(Some(_)) => {}
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

#[test]
fn families_are_headed_and_times_are_seconds() {
    let mut writer = HistoryWriter::new(Vec::new());
    writer.series("a.b", [("__name__", "a.b"), ("c", "\"\\\n")]).unwrap();
    assert!(writer.sample(-1, f64::NEG_INFINITY).unwrap());
    for job in ["api", "web"] {
        writer.series("up", [("job", job)]).unwrap();
        assert!(writer.sample(1_700_000_000_001, 1e6).unwrap());
    }
    assert!(!writer.sample(i64::MAX, 1.0).unwrap());
    let expected = concat!(
        "# TYPE \"a.b\" unknown\n{\"a.b\",c=\"\\\"\\\\\\n\"} -Inf -0.001\n",
        "# TYPE up unknown\nup{job=\"api\"} 1e+06 1700000000.001\nup{job=\"web\"} 1e+06 1700000000.001\n# EOF\n"
    );
    assert_eq!(String::from_utf8(writer.finish().unwrap()).unwrap(), expected);
}

#[test]
fn starts_are_lines_of_their_metric_behind_the_samples() {
    let mut writer = HistoryWriter::new(Vec::new());
    for (name, label, value) in [
        ("c_total", "a", "1"),
        ("h_bucket", "le", "0.5"),
        ("h_count", "a", "1"),
        ("s", "quantile", "0.5"),
        ("c", "a", "1"),
    ] {
        writer.started_series(name, [(label, value)]).unwrap();
        assert!(writer.sample(2_000, 5.0).unwrap() && writer.start(2_000, 290).unwrap());
        assert!(!writer.start(2_000, i64::MIN).unwrap());
    }
    writer.series("c", [("a", "2")]).unwrap();
    assert!(writer.sample(2_000, 1.0).unwrap());
    let expected = concat!(
        "# TYPE c counter\nc_total{a=\"1\"} 5 2.000\nc_created{a=\"1\"} 0.290 2.000\n",
        "# TYPE h histogram\nh_bucket{le=\"0.5\"} 5 2.000\nh_created 0.290 2.000\n",
        "h_count{a=\"1\"} 5 2.000\nh_created{a=\"1\"} 0.290 2.000\n",
        "# TYPE s summary\ns{quantile=\"0.5\"} 5 2.000\ns_created 0.290 2.000\n",
        "# TYPE c counter\nc{a=\"1\"} 5 2.000\nc_created{a=\"1\"} 0.290 2.000\n",
        "# TYPE c unknown\nc{a=\"2\"} 1 2.000\n# EOF\n",
    );
    assert_eq!(String::from_utf8(writer.finish().unwrap()).unwrap(), expected);
}

#[test]
fn faults_name_the_line_and_what_was_before_is_given() {
    for (text, samples, expected) in [
        ("", 0, "the text ends after line 0 without # EOF"),
        ("a 1 2\na 1 3\n", 2, "the text ends after line 2 without # EOF"),
        ("a 1 2\na 1", 1, "the text ends after line 2 without # EOF"),
        ("a 1 2\n# EO", 1, "the text ends after line 2 without # EOF"),
        ("a 1 2\n\n# EOF\n", 1, "line 2: expected a metric name or #"),
        ("a 1 2\na{ 1 2\n# EOF\n", 1, "line 2: expected a label name"),
        ("a 1 2\n# EOF\n\n", 1, "line 3: unexpected data after # EOF"),
        ("a 1 2\n# EOFa\n", 1, "line 2: "),
        ("a 1 2\n\u{0}\n# EOF\n", 1, "line 2: expected a metric name or #"),
    ] {
        let (found, error) = read(text.as_bytes());
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(found.len() == samples && error.starts_with(expected), "{text:?}: {found:?} {error}");
    }
    let long = format!("a 1 2\na{{b=\"{}\"}} 1 2\n# EOF\n", "x".repeat(1 << 20));
    let (_, error) = read(long.as_bytes());
    assert!(matches!(error, Some(HistoryError::Line(Error::Line { line: 2, .. }))), "{error:?}");
    for text in ["# EOF", "# EOF\n"] {
        assert!(matches!(read(text.as_bytes()), (found, None) if found.is_empty()));
    }
}

proptest! {
    #[test]
    fn every_time_and_number_comes_back(
        samples in proptest::collection::vec((-(1_i64 << 50)..=1 << 50, any::<f64>()), 1..40),
        near in proptest::collection::vec(0_i64..4_102_444_800_000, 1..200),
        labels in proptest::collection::btree_map("[a-z]{1,4}|.{1,6}", ".{1,8}", 0..4),
    ) {
        let mut writer = HistoryWriter::new(Vec::new());
        writer.series("x", labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))).unwrap();
        let samples: Vec<(i64, f64)> =
            samples.into_iter().chain(near.into_iter().map(|ms| (ms, 1.0))).collect();
        for &(ms, value) in &samples {
            prop_assert!(writer.sample(ms, value).unwrap());
        }
        let text = writer.finish().unwrap();
        let (found, error) = read(&text);
        prop_assert!(error.is_none(), "{error:?}");
        let found: Vec<(i64, u64)> = found.into_iter().map(|(_, ms, bits)| (ms, bits)).collect();
        let nan = 0x7ff8_0000_0000_0001;
        let bits = |value: f64| if value.is_nan() { nan } else { value.to_bits() };
        prop_assert_eq!(found, samples.iter().map(|&(ms, value)| (ms, bits(value))).collect::<Vec<_>>());
    }
}
