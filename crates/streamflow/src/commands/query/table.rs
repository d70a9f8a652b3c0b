//! An answer of the Prometheus API as text.

use std::cmp::Ordering;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement};
use serde_json::Value;

use super::{Range, chart};
use crate::terminal;

/// `range` and whether colours are shown: of a range query.
pub fn text(data: &Value, range: Option<(Range, bool)>) -> String {
    let result = &data["result"];
    match (data["resultType"].as_str(), range) {
        (Some("scalar" | "string"), _) => result[1].as_str().unwrap_or_default().to_owned(),
        _ if result.as_array().is_none_or(Vec::is_empty) => "No series.".to_owned(),
        (Some("matrix"), Some((range, colors))) => lines(result, range, colors),
        (Some("matrix"), None) => samples(result),
        _ => vector(result),
    }
}

fn vector(result: &Value) -> String {
    let mut table = terminal::table(["SERIES", "VALUE"]);
    for series in result.as_array().into_iter().flatten() {
        let sample = if series["histogram"].is_null() { &series["value"] } else { &series["histogram"] };
        let mut name = labels(&series["metric"]);
        for line in value(sample) {
            table.add_row([std::mem::take(&mut name), line]);
        }
    }
    right_aligned(&mut table, &[1]);
    table.to_string()
}

/// Raw samples of a range vector.
fn samples(result: &Value) -> String {
    let mut table = terminal::table(["SERIES", "TIME", "VALUE"]);
    for series in result.as_array().into_iter().flatten() {
        let mut name = labels(&series["metric"]);
        let all = ["values", "histograms"].map(|kind| series[kind].as_array());
        let mut samples: Vec<&Value> = all.into_iter().flatten().flatten().collect();
        samples.sort_by(|a, b| a[0].as_f64().partial_cmp(&b[0].as_f64()).unwrap_or(Ordering::Equal));
        for sample in samples {
            let mut at = time(sample[0].as_f64());
            for line in value(sample) {
                // Once for all its samples, and once for all lines of one.
                table.add_row([std::mem::take(&mut name), std::mem::take(&mut at), line]);
            }
        }
    }
    right_aligned(&mut table, &[2]);
    table.to_string()
}

/// The chart, and a row for each of its lines.
fn lines(result: &Value, range: Range, colors: bool) -> String {
    let mut lines = Vec::new();
    for series in result.as_array().into_iter().flatten() {
        let points = |samples: &Value, field: fn(&Value) -> &Value| -> Vec<(f64, f64)> {
            let point = |sample: &Value| {
                let value = field(sample).as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
                (sample[0].as_f64().unwrap_or(f64::NAN), value)
            };
            samples.as_array().into_iter().flatten().map(point).collect()
        };
        let name = labels(&series["metric"]);
        let numbers = points(&series["values"], |sample| &sample[1]);
        // A distribution is no line: how many observations it has is drawn.
        let counts = points(&series["histograms"], |sample| &sample[1]["count"]);
        if !counts.is_empty() {
            lines.push(chart::Line { name: format!("count of {name}"), points: counts });
        }
        if !numbers.is_empty() || series["histograms"].is_null() {
            lines.push(chart::Line { name, points: numbers });
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "times of this calendar")]
    let window = (range.start_ms as f64 / 1000.0, range.end_ms as f64 / 1000.0);
    let width = terminal::width();
    let chart = chart::Chart { lines: &lines, window, colors, width };
    let table = rows_of_lines(&chart, width);
    let mut text = chart.plot();
    text.push('\n');
    for (index, row) in table.lines().enumerate() {
        text.push('\n');
        // Beside the table rather than in it: the bytes of a colour have no width.
        match index.checked_sub(1) {
            Some(line) if colors => text.push_str(&chart.mark(line)),
            _ if colors => text.push(' '),
            _ => {}
        }
        text.push_str(&row);
    }
    text
}

/// Characters of a row beside the name, with and without the sparkline.
const BESIDE_NAME: [usize; 2] = [64, 40];
/// A name is not cut shorter.
const SHORTEST_NAME: usize = 16;

/// A row for each line, which is never wrapped: names are cut, and a narrow terminal gets no sparklines.
fn rows_of_lines(chart: &chart::Chart, width: Option<usize>) -> terminal::Rows {
    let width = width.unwrap_or(usize::MAX);
    let sparklines = width >= BESIDE_NAME[0] + SHORTEST_NAME;
    let longest = width.saturating_sub(BESIDE_NAME[usize::from(!sparklines)]).max(SHORTEST_NAME);
    let mut table = terminal::table(["SERIES", "OVER TIME", "LAST", "MIN", "MAX"]);
    table.set_content_arrangement(ContentArrangement::Disabled);
    for line in chart.lines {
        let (min, max) = line.extremes();
        let last = line.points.last().map_or(f64::NAN, |(_, value)| *value);
        let name = terminal::cut(&line.name, longest);
        table.add_row([name, chart.sparkline(line), short(last), short(min), short(max)]);
    }
    right_aligned(&mut table, &[2, 3, 4]);
    if let Some(column) = table.column_mut(1).filter(|_| !sparklines) {
        column.set_constraint(ColumnConstraint::Hidden);
    }
    table
}

fn right_aligned(table: &mut comfy_table::Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// `name{label="value"}`.
fn labels(metric: &Value) -> String {
    let pairs = metric.as_object().into_iter().flatten();
    let name = metric["__name__"].as_str().unwrap_or_default();
    let texts: Vec<String> = pairs
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={:?}", value.as_str().unwrap_or_default()))
        .collect();
    if texts.is_empty() && !name.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", texts.join(", "))
    }
}

/// A number; or, a line each, how many observations a native histogram has, their sum and its buckets.
fn value(sample: &Value) -> Vec<String> {
    if let Some(number) = sample[1].as_str() {
        return vec![number.to_owned()];
    }
    let field = |name: &str| sample[1][name].as_str().unwrap_or_default().to_owned();
    let mut parts = vec![format!("count {}", field("count")), format!("sum {}", field("sum"))];
    for bucket in sample[1]["buckets"].as_array().into_iter().flatten() {
        let (open, close) = match bucket[0].as_u64() {
            Some(0) => ('(', ']'),
            Some(1) => ('[', ')'),
            Some(3) => ('[', ']'),
            _ => ('(', ')'),
        };
        let [lower, upper, count] = [1, 2, 3].map(|place| bucket[place].as_str().unwrap_or_default());
        parts.push(format!("{open}{lower}, {upper}{close} {count}"));
    }
    parts
}

/// A number with as many digits as a glance takes in.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e7 || value.is_nan() || value.is_infinite() {
        format!("{value}")
    } else if (1e-3..1e7).contains(&size) {
        let decimals = if size >= 1000.0 {
            1
        } else if size >= 1.0 {
            3
        } else {
            5
        };
        let text = format!("{value:.decimals$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.3e}")
    }
}

/// UTC, with a fraction where there is one.
fn time(seconds: Option<f64>) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let ms = (seconds.unwrap_or_default() * 1000.0).round() as i64;
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_as_text() {
        let up = json!({"__name__": "up", "job": "api"});
        for (data, expected) in [
            (json!({"resultType": "scalar", "result": [4, "2"]}), "2"),
            (json!({"resultType": "string", "result": [4, "hi"]}), "hi"),
            (json!({"resultType": "vector", "result": []}), "No series."),
            (
                json!({"resultType": "vector", "result": [
                    {"metric": up, "value": [4, "1"]}, {"metric": {}, "value": [4, "12.5"]}]}),
                "SERIES VALUE\nup{job=\"api\"} 1\n{} 12.5",
            ),
            (
                json!({"resultType": "vector", "result": [{"metric": {"__name__": "h"}, "histogram": [4,
                    {"count": "3", "sum": "2.5", "buckets": [[3, "-1", "1", "1"], [0, "1", "2", "2"]]}]}]}),
                "SERIES VALUE\nh count 3\nsum 2.5\n[-1, 1] 1\n(1, 2] 2",
            ),
            (
                json!({"resultType": "matrix", "result": [{"metric": up, "values": [[0, "1"], [1.5, "NaN"]]}]}),
                "SERIES TIME VALUE\nup{job=\"api\"} 1970-01-01T00:00:00Z 1\n1970-01-01T00:00:01.5Z NaN",
            ),
        ] {
            let text = text(&data, None);
            let words: Vec<String> =
                text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            assert_eq!(words.join("\n"), expected);
        }
    }

    #[test]
    fn a_range_has_a_chart_and_a_row_for_each_series() {
        let range = Range { start_ms: 0, end_ms: 60_000, step_ms: 30_000 };
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"job": "a"}, "values": [[0, "0"], [30, "5"], [60, "10"]]},
            {"metric": {"job": "b"}, "values": [[60, "NaN"]]}]});
        let text = text(&data, Some((range, false)));
        assert!(text.contains("1970-01-01 00:00:00") && text.contains("00:01:00"), "{text}");
        let row = |name: &str| -> Vec<&str> {
            let row = text.lines().find(|line| line.contains(name)).unwrap();
            row.split_whitespace().rev().take(3).collect()
        };
        assert_eq!(row("{job=\"a\"}"), ["10", "0", "10"], "{text}");
        assert_eq!(row("{job=\"b\"}"), ["NaN", "NaN", "NaN"], "{text}");
    }

    #[test]
    fn the_count_of_a_native_histogram_is_a_line() {
        let range = Range { start_ms: 0, end_ms: 60_000, step_ms: 30_000 };
        let data = json!({"resultType": "matrix", "result": [{"metric": {"__name__": "h"},
            "values": [[0, "7"]], "histograms": [[30, {"count": "3", "sum": "1"}], [60, {"count": "9", "sum": "1"}]]}]});
        let text = text(&data, Some((range, false)));
        assert!(
            text.contains("count of h") && text.lines().any(|line| line.trim_start().starts_with("h ")),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in
            [(6.0, "6"), (0.033_333_33, "0.03333"), (1234.56, "1234.6"), (1.5, "1.5"), (1e-9, "1.000e-9")]
        {
            assert_eq!(short(value), expected);
        }
    }
}
