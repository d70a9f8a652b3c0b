//! JSON of samples and labels, written straight into the answer's bytes.
//!
//! A dashboard asks for millions of samples; a tree of values would cost more than evaluating the query. The
//! spelling is Prometheus's byte for byte: numbers as Go writes them, `<`, `>` and `&` escaped.

use std::io::Write as _;

use rayon::prelude::*;
use streamflow_gotext::{fixed, shortest_json};
use streamflow_histogram::{Bucket, Histogram};
use streamflow_promql::{RangeSeries, Value, VectorSample};
use streamflow_tsdb::Labels;

/// Writes `text` as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| STOPS[usize::from(byte)]) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let special = from.chars().next().expect("a byte that stops begins a character");
        let (this, after) = from.split_at(special.len_utf8());
        match special {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            other if needs_escape(other) => write!(out, "\\u{:04x}", u32::from(other)).expect(GROWS),
            _ => out.extend_from_slice(this.as_bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

const GROWS: &str = "a vector grows";

/// What Go's encoder escapes: also what a page of HTML or an old JavaScript would stumble over.
const fn needs_escape(c: char) -> bool {
    matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}') || c < ' '
}

/// The bytes that begin a character which may need it: bytes are looked at quicker than characters.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        stops[byte as usize] = needs_escape(byte as char);
        byte += 1;
    }
    // The two line ends behind ASCII begin with it, and so does other punctuation.
    stops[0xe2] = true;
    stops
};

/// Writes a sample value in Go's shortest form: an exponent from 1e21 up and below 1e-6.
pub fn number(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size < 1e15 && value.trunc() == value && (value != 0.0 || value.is_sign_positive()) {
        // Counters are whole numbers mostly, and whole numbers are quickest.
        #[expect(clippy::cast_possible_truncation, reason = "the value is whole and below 1e15")]
        integer(out, value as i64);
    } else {
        shortest_json(value).write(out);
    }
}

/// Writes a scalar's value: never with an exponent.
fn scalar(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(fixed(value, None).as_bytes());
}

fn integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes milliseconds as seconds: whole, or with exactly three decimals.
pub fn timestamp(out: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        out.push(b'-');
    }
    let ms = ms.unsigned_abs();
    integer(out, i64::try_from(ms / 1000).expect("a thousandth of a u64 fits"));
    if !ms.is_multiple_of(1000) {
        write!(out, ".{:03}", ms % 1000).expect(GROWS);
    }
}

/// Milliseconds as seconds without trailing zeros, as scalars and strings have them.
#[expect(clippy::cast_precision_loss, reason = "times beyond 2^53 ms are not of this calendar")]
fn seconds(out: &mut Vec<u8>, ms: i64) {
    write!(out, "{}", ms as f64 / 1000.0).expect(GROWS);
}

/// Writes labels as an object, in the order of their names.
pub fn labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    list(out, labels.iter(), |out, (name, value)| {
        string(out, name);
        out.push(b':');
        string(out, value);
    });
    out.push(b'}');
}

/// Writes items with commas between them.
pub fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

/// Writes `["a","b"]`.
pub fn strings<'a>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'a str>) {
    out.push(b'[');
    list(out, texts, string);
    out.push(b']');
}

/// Writes `"resultType":…,"result":…`; `time_ms` is the time of a scalar or string.
pub fn value(out: &mut Vec<u8>, value: &Value, time_ms: i64) {
    match value {
        Value::Scalar(number) => {
            out.extend_from_slice(b"\"resultType\":\"scalar\",\"result\":[");
            seconds(out, time_ms);
            out.extend_from_slice(b",\"");
            scalar(out, *number);
            out.extend_from_slice(b"\"]");
        }
        Value::String(text) => {
            out.extend_from_slice(b"\"resultType\":\"string\",\"result\":[");
            seconds(out, time_ms);
            out.push(b',');
            string(out, text);
            out.push(b']');
        }
        Value::Vector(samples) => {
            out.extend_from_slice(b"\"resultType\":\"vector\",\"result\":[");
            list(out, samples, vector_sample);
            out.push(b']');
        }
        Value::Matrix(series) => {
            out.extend_from_slice(MATRIX);
            let mut times = Times::default();
            list(out, series, |out, series| range_series(out, series, &mut times));
            out.push(b']');
        }
    }
}

/// What stands before the series of a matrix.
const MATRIX: &[u8] = b"\"resultType\":\"matrix\",\"result\":[";
/// Samples of a matrix that are written together.
const PIECE_SAMPLES: usize = 1 << 16;

/// The same as [`value`] of a matrix, written on all cores: what follows what `out` has, in pieces; none where the matrix is
/// too small for that.
pub fn matrix_pieces(out: &mut Vec<u8>, series: &[RangeSeries]) -> Vec<Vec<u8>> {
    let samples: usize = series.iter().map(|series| series.samples.len()).sum();
    if samples < PIECE_SAMPLES {
        return Vec::new();
    }
    out.extend_from_slice(MATRIX);
    let of_piece = (PIECE_SAMPLES / (samples / series.len()).max(1)).max(1);
    let mut pieces = pieces(series, of_piece, |piece, out| {
        let mut times = Times::default();
        let samples: usize = piece.iter().map(|series| series.samples.len()).sum();
        out.reserve(samples * SAMPLE_BYTES);
        list(out, piece, |out, series| range_series(out, series, &mut times));
    });
    pieces.push(b"]".to_vec());
    pieces
}

/// Bytes that a sample takes mostly.
const SAMPLE_BYTES: usize = 32;

/// Pieces of a list of so many items each, on all cores; those behind the first begin with a comma.
pub fn pieces<T: Sync>(
    items: &[T],
    of_piece: usize,
    write: impl Fn(&[T], &mut Vec<u8>) + Sync,
) -> Vec<Vec<u8>> {
    let one = |(place, piece): (usize, &[T])| {
        let mut out = Vec::new();
        if place > 0 {
            out.push(b',');
        }
        write(piece, &mut out);
        out
    };
    items.par_chunks(of_piece).enumerate().map(one).collect()
}

/// The times of a series as they are written before each value: those of the next series are mostly the same.
#[derive(Default)]
struct Times {
    ms: Vec<i64>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Times {
    fn set(&mut self, ms: &[i64]) {
        if self.ms == ms {
            return;
        }
        self.ms.clear();
        self.ms.extend_from_slice(ms);
        self.text.clear();
        self.ends.clear();
        for &ms in ms {
            self.text.push(b'[');
            timestamp(&mut self.text, ms);
            self.text.extend_from_slice(b",\"");
            self.ends.push(self.text.len());
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

fn vector_sample(out: &mut Vec<u8>, sample: &VectorSample) {
    out.extend_from_slice(b"{\"metric\":");
    labels(out, &sample.labels);
    match &sample.histogram {
        Some(histogram) => {
            out.extend_from_slice(b",\"histogram\":");
            histogram_point(out, sample.timestamp, histogram);
        }
        None => {
            out.extend_from_slice(b",\"value\":");
            point(out, sample.timestamp, sample.value);
        }
    }
    out.push(b'}');
}

fn range_series(out: &mut Vec<u8>, series: &RangeSeries, times: &mut Times) {
    out.extend_from_slice(b"{\"metric\":");
    labels(out, &series.labels);
    let samples = &series.samples;
    if samples.histograms.is_empty() {
        out.extend_from_slice(b",\"values\":[");
        times.set(&samples.timestamps);
        list(out, times.iter().zip(&samples.values), |out, (time, &value)| {
            out.extend_from_slice(time);
            number(out, value);
            out.extend_from_slice(b"\"]");
        });
        out.extend_from_slice(b"]}");
        return;
    }
    // Numbers stand beside histograms, each in the order of time.
    let number = |(ms, value): (i64, f64)| samples.histogram(value).is_none().then_some((ms, value));
    let mut numbers = samples.iter().filter_map(number).peekable();
    if numbers.peek().is_some() {
        out.extend_from_slice(b",\"values\":[");
        list(out, numbers, |out, (ms, value)| point(out, ms, value));
        out.push(b']');
    }
    out.extend_from_slice(b",\"histograms\":[");
    let histograms = samples.iter().filter_map(|(ms, value)| Some((ms, samples.histogram(value)?)));
    list(out, histograms, |out, (ms, histogram)| histogram_point(out, ms, histogram));
    out.extend_from_slice(b"]}");
}

fn histogram_point(out: &mut Vec<u8>, ms: i64, histogram: &Histogram) {
    out.push(b'[');
    timestamp(out, ms);
    out.extend_from_slice(b",{\"count\":");
    quoted(out, histogram.count);
    out.extend_from_slice(b",\"sum\":");
    quoted(out, histogram.sum);
    let mut buckets = histogram.buckets().filter(|bucket| bucket.count != 0.0).peekable();
    if buckets.peek().is_some() {
        out.extend_from_slice(b",\"buckets\":[");
        list(out, buckets, bucket);
        out.push(b']');
    }
    out.extend_from_slice(b"}]");
}

/// Writes `[rule,"lower","upper","count"]`; the rule says which ends are in it: 0 the upper, 1 the lower, 2 none, 3 both.
fn bucket(out: &mut Vec<u8>, bucket: Bucket) {
    let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => b'0',
        (true, false) => b'1',
        (false, false) => b'2',
        (true, true) => b'3',
    };
    out.extend_from_slice(&[b'[', rule]);
    for value in [bucket.lower, bucket.upper, bucket.count] {
        out.push(b',');
        quoted(out, value);
    }
    out.push(b']');
}

fn quoted(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    number(out, value);
    out.push(b'"');
}

fn point(out: &mut Vec<u8>, ms: i64, value: f64) {
    out.push(b'[');
    timestamp(out, ms);
    out.extend_from_slice(b",\"");
    number(out, value);
    out.extend_from_slice(b"\"]");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_go_s() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (21.5, "21.5"),
            (-3.0, "-3"),
            (1e15, "1000000000000000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-07"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(written(|out| number(out, value)), expected);
        }
        assert_eq!(written(|out| scalar(out, 1e-7)), "0.0000001");
        assert_eq!(written(|out| scalar(out, f64::NAN)), "NaN");
    }

    #[test]
    fn histograms_stand_beside_numbers() {
        use std::sync::Arc;
        use streamflow_histogram::Buckets;
        let side = |counts: &[f64]| Buckets { indices: vec![0, 1], counts: counts.to_vec() };
        let histogram = Arc::new(Histogram {
            count: 7.0,
            sum: -1.5,
            zero_threshold: 0.25,
            zero_count: 1.0,
            positive: side(&[2.0, 0.0]),
            negative: side(&[0.0, 4.0]),
            ..Histogram::default()
        });
        let mut samples = streamflow_tsdb::Samples::default();
        samples.push(1_000, 3.0);
        samples.push_histogram(2_500, Arc::clone(&histogram));
        let series = RangeSeries { labels: Labels::new([("a", "b")]), samples };
        let point = r#"{"count":"7","sum":"-1.5","buckets":[[1,"-2","-1","4"],[3,"-0.25","0.25","1"],[0,"0.5","1","2"]]}"#;
        assert_eq!(
            written(|out| range_series(out, &series, &mut Times::default())),
            format!(r#"{{"metric":{{"a":"b"}},"values":[[1,"3"]],"histograms":[[2.500,{point}]]}}"#)
        );
        let empty = Arc::new(Histogram::default());
        for (histogram, expected) in [(histogram, point), (empty, r#"{"count":"0","sum":"0"}"#)] {
            let sample = VectorSample {
                labels: Labels::default(),
                timestamp: 0,
                value: f64::NAN,
                histogram: Some(histogram),
            };
            assert_eq!(
                written(|out| vector_sample(out, &sample)),
                format!(r#"{{"metric":{{}},"histogram":[0,{expected}]}}"#)
            );
        }
    }

    #[test]
    fn pieces_are_what_is_written_at_once() {
        let series = |place: usize| {
            let timestamps: Vec<i64> = (0..700 + place as i64 / 9).map(|step| step * 1_500).collect();
            let values = timestamps.iter().map(|&time| time as f64 / 7.0 + place as f64).collect();
            let samples = streamflow_tsdb::Samples { timestamps, values, ..Default::default() };
            RangeSeries { labels: Labels::new([("place", place.to_string())]), samples }
        };
        let matrix: Vec<RangeSeries> = (0..300).map(series).collect();
        let pieces = written(|out| {
            let pieces = matrix_pieces(out, &matrix);
            assert!(pieces.len() > 3);
            out.extend(pieces.concat());
        });
        assert!(pieces == written(|out| value(out, &Value::Matrix(matrix.clone()), 0)));
        assert!(matrix_pieces(&mut Vec::new(), &matrix[..9]).is_empty());
    }

    #[test]
    fn times_are_whole_or_have_three_decimals() {
        for (ms, expected) in
            [(0, "0"), (1500, "1.500"), (-1500, "-1.500"), (-5, "-0.005"), (1_000, "1"), (12, "0.012")]
        {
            assert_eq!(written(|out| timestamp(out, ms)), expected);
        }
        assert!(written(|out| timestamp(out, i64::MIN)).starts_with("-9223372036854775.808"));
        assert_eq!(written(|out| seconds(out, 1500)), "1.5");
    }

    #[test]
    fn strings_are_escaped() {
        let text = "a\"b\\c\n\t\u{1}<é>&\u{2028}–\u{2029}€";
        let json = written(|out| string(out, text));
        assert_eq!(json, r#""a\"b\\c\n\t\u0001\u003cé\u003e\u0026\u2028–\u2029€""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
