//! One line of a script: a series and its values.
//!
//! `metric{label="value"} 1 2 _ 3x2 0+10x5 stale {{schema:0 sum:1}}x3`

use std::sync::Arc;

use streamflow_gotext::unescape;
use streamflow_histogram::{Histogram, ResetHint};
use streamflow_tsdb::{Labels, METRIC_NAME, STALE_NAN};

use super::command::parse_duration;
use crate::parser::number;

/// A value in the sequence of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Float(f64),
    /// `_`: no sample at this place.
    Omitted,
    /// `{{…}}`: a native histogram.
    Histogram(Arc<Histogram>),
    /// `{{… counter_reset_hint:… }}`: one of which is said what is known of a reset.
    Hinted(Arc<Histogram>),
}

/// The most values one line may stand for.
const MAX_ITEMS: usize = 1_000_000;

/// A series and its values.
///
/// # Errors
/// What is wrong with the line.
pub(super) fn parse_series(line: &str) -> Result<(Labels, Vec<Item>), String> {
    let (labels, rest) = parse_metric(line)?;
    Ok((labels, parse_items(rest)?))
}

/// The labels that a line begins with, and what follows.
pub(super) fn parse_metric(line: &str) -> Result<(Labels, &str), String> {
    let line = line.trim_start();
    let name_end = line.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(name_end);
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !name.is_empty() {
        pairs.push((METRIC_NAME.into(), name.into()));
    }
    if let Some(inside) = rest.strip_prefix('{').filter(|inside| !inside.starts_with('{')) {
        rest = parse_labels(inside, &mut pairs)?;
    } else if name.is_empty() {
        return Err(format!("expected a series, got {line:?}"));
    }
    Ok((Labels::new(pairs.iter().map(|(name, value)| (name, value))), rest))
}

fn parse_labels<'l>(mut rest: &'l str, pairs: &mut Vec<(String, String)>) -> Result<&'l str, String> {
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let name;
        if rest.starts_with(['"', '\'', '`']) {
            (name, rest) = parse_quoted(rest)?;
        } else {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            name = rest[..end].to_owned();
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('=') {
            let (value, after) = parse_quoted(after.trim_start())?;
            pairs.push((name, value));
            rest = after;
        } else {
            pairs.push((METRIC_NAME.into(), name));
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err(format!("expected a comma or a closing brace, got {rest:?}")),
        }
    }
}

/// A quoted text with Go's escapes, and what follows.
pub(super) fn parse_quoted(text: &str) -> Result<(String, &str), String> {
    let mark = text.chars().next().filter(|c| "\"'`".contains(*c));
    let Some(mark) = mark else { return Err(format!("expected a quoted text, got {text:?}")) };
    let (inner, mut escaped) = (&text[1..], false);
    for (at, c) in inner.char_indices() {
        if c == mark && !escaped {
            let (inner, rest) = (&inner[..at], &inner[at + 1..]);
            if mark == '`' {
                return Ok((inner.to_owned(), rest));
            }
            let bytes = unescape(inner, mark).map_err(|_| format!("invalid escape in {text:?}"))?;
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        escaped = c == '\\' && !escaped && mark != '`';
    }
    Err(format!("unclosed quote in {text:?}"))
}

pub(super) fn parse_items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rest.starts_with("{{") {
            rest = parse_histograms(rest, &mut items)?;
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            parse_item(&rest[..end], &mut items)?;
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(items)
}

/// Start timestamps in milliseconds from the time of their samples: `_`, `_x3`, `-1m`, `-1mx3`, `-30s-1mx3`; none where a sample has
/// none.
pub(super) fn parse_starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts: Vec<Option<i64>> = Vec::new();
    for word in text.split_whitespace() {
        let (spelled, times) = match word.rsplit_once('x') {
            Some((spelled, times)) => (spelled, Some(parse_times(times)?)),
            None => (word, None),
        };
        let count = match (spelled, times) {
            (_, None) => 1,
            ("_", Some(times)) => times,
            (_, Some(times)) => times.saturating_add(1),
        };
        if count > MAX_ITEMS.saturating_sub(starts.len()) {
            return Err(format!("more than {MAX_ITEMS} values"));
        }
        if spelled == "_" {
            starts.extend(std::iter::repeat_n(None, count));
            continue;
        }
        let sign = spelled.char_indices().skip(1).find(|(_, c)| "+-".contains(*c));
        let (first, step) = spelled.split_at(sign.map_or(spelled.len(), |(at, _)| at));
        let distance = |text: &str| parse_duration(text.strip_prefix('+').unwrap_or(text));
        let step = if step.is_empty() { 0 } else { distance(step)? };
        let mut start = distance(first)?;
        for _ in 0..count {
            starts.push(Some(start));
            start = start.saturating_add(step);
        }
    }
    Ok(starts)
}

/// `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3`.
fn parse_histograms<'t>(text: &'t str, items: &mut Vec<Item>) -> Result<&'t str, String> {
    let (first, mut rest) = parse_histogram(text)?;
    let mut step = None;
    if let Some(sign @ ("+" | "-")) = rest.get(..1)
        && rest[1..].starts_with("{{")
    {
        let (item, after) = parse_histogram(&rest[1..])?;
        step = item.histogram().cloned().map(|histogram| (sign == "+", histogram));
        rest = after;
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let times = match rest[..end].strip_prefix('x') {
        Some(times) => parse_times(times)?.saturating_add(1),
        None => 1,
    };
    let mut item = first;
    let mut mixed = false;
    extend(items, times, |index| {
        if let (Some((adds, step)), true) = (&step, index > 0) {
            let next = item.histogram().map(|now| if *adds { now.plus(step) } else { now.minus(step) });
            match next {
                Some(Ok((histogram, _))) => item = Item::Histogram(Arc::new(histogram)),
                _ => mixed = true,
            }
        }
        item.clone()
    })?;
    if mixed {
        return Err(format!("histograms with exponential and with custom bounds in {text:?}"));
    }
    Ok(&rest[end..])
}

/// `{{…}}`, and what follows.
fn parse_histogram(text: &str) -> Result<(Item, &str), String> {
    let end = text.find("}}").ok_or_else(|| format!("unclosed histogram in {text:?}"))?;
    let (inside, rest) = (&text[2..end], &text[end + 2..]);
    let bad = |what: &str| format!("{what} in the histogram {:?}", &text[..end + 2]);
    let mut histogram = Histogram::default();
    let (mut hinted, mut offsets) = (false, [0, 0]);
    let mut open = inside.trim();
    while !open.is_empty() {
        let (key, after) = open.split_once(':').ok_or_else(|| bad("a word without value"))?;
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']').ok_or_else(|| bad("an unclosed list"))?,
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        let one = || parse_value(value.trim());
        let list = || value.split_whitespace().map(parse_value).collect::<Result<Vec<f64>, String>>();
        match key {
            "schema" => histogram.schema = parse_index(value)?,
            "sum" => histogram.sum = one()?,
            "count" => histogram.count = one()?,
            "z_bucket" => histogram.zero_count = one()?,
            "z_bucket_w" => histogram.zero_threshold = one()?,
            "custom_values" => histogram.custom_bounds = list()?,
            "buckets" => histogram.positive.counts = list()?,
            "n_buckets" => histogram.negative.counts = list()?,
            "offset" => offsets[0] = parse_index(value)?,
            "n_offset" => offsets[1] = parse_index(value)?,
            "counter_reset_hint" => {
                hinted = true;
                histogram.reset = parse_hint(value).ok_or_else(|| bad("an unknown hint"))?;
            }
            other => return Err(bad(&format!("the unknown word {other:?}"))),
        }
        open = after.trim_start();
    }
    for (side, offset) in [(&mut histogram.positive, offsets[0]), (&mut histogram.negative, offsets[1])] {
        side.indices = (0..side.counts.len()).map(|place| offset.saturating_add(place as i32)).collect();
    }
    let histogram = Arc::new(histogram);
    Ok((if hinted { Item::Hinted(histogram) } else { Item::Histogram(histogram) }, rest))
}

fn parse_index(text: &str) -> Result<i32, String> {
    text.trim().parse().map_err(|_| format!("invalid whole number {text:?}"))
}

fn parse_hint(text: &str) -> Option<ResetHint> {
    Some(match text {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NoReset,
        "gauge" => ResetHint::Gauge,
        _ => return None,
    })
}

impl Item {
    pub(super) fn histogram(&self) -> Option<&Arc<Histogram>> {
        match self {
            Item::Histogram(histogram) | Item::Hinted(histogram) => Some(histogram),
            Item::Float(_) | Item::Omitted => None,
        }
    }
}

/// `1`, `_`, `stale`, `1x3`, `_x3`, `1+2x3`, `1-2x3`.
fn parse_item(text: &str, items: &mut Vec<Item>) -> Result<(), String> {
    if let Some(after) = text.strip_prefix('_') {
        let times = match after.strip_prefix('x') {
            Some(times) => parse_times(times)?,
            None if after.is_empty() => 1,
            None => return Err(format!("invalid value {text:?}")),
        };
        return extend(items, times, |_| Item::Omitted);
    }
    let repeated =
        text.rsplit_once('x').and_then(|(values, times)| Some((values, times.parse::<usize>().ok()?)));
    let Some((values, times)) = repeated.filter(|(values, _)| !values.is_empty()) else {
        items.push(Item::Float(parse_value(text)?));
        return Ok(());
    };
    // The sign of the step is the first one that does not belong to the start or to an exponent.
    let bytes = values.as_bytes();
    let sign = (1..bytes.len()).find(|&at| b"+-".contains(&bytes[at]) && !b"eE".contains(&bytes[at - 1]));
    let (start, step) = match sign {
        Some(at) => (parse_value(&values[..at])?, parse_value(&values[at..])?),
        None => (parse_value(values)?, 0.0),
    };
    let mut value = start;
    extend(items, times.saturating_add(1), |index| {
        if index > 0 {
            value += step;
        }
        Item::Float(if sign.is_none() { start } else { value })
    })
}

fn extend(items: &mut Vec<Item>, times: usize, item: impl FnMut(usize) -> Item) -> Result<(), String> {
    if times > MAX_ITEMS.saturating_sub(items.len()) {
        return Err(format!("more than {MAX_ITEMS} values"));
    }
    items.extend((0..times).map(item));
    Ok(())
}

fn parse_times(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("invalid repetition {text:?}"))
}

fn parse_value(text: &str) -> Result<f64, String> {
    if text == "stale" {
        return Ok(STALE_NAN);
    }
    number(text).map_err(|_| format!("invalid value {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        use Item::{Float, Omitted};
        let sum = |sum: f64| Item::Histogram(Arc::new(Histogram { sum, ..Histogram::default() }));
        let check = |line: &str, labels: &str, expected: &[Item]| {
            let (found, items) = parse_series(line).unwrap();
            assert_eq!((found.to_string().as_str(), items.as_slice()), (labels, expected), "{line}");
        };
        check("m 1 _ 2", "m", &[Float(1.0), Omitted, Float(2.0)]);
        check("m{a=\"b\", c='d'} 0+10x2", "m{a=\"b\", c=\"d\"}", &[Float(0.0), Float(10.0), Float(20.0)]);
        check("{} 1-1x1 5x1", "{}", &[Float(1.0), Float(0.0), Float(5.0), Float(5.0)]);
        check("{\"a.b\"} -1e-2+1e-2x1", "{__name__=\"a.b\"}", &[Float(-0.01), Float(0.0)]);
        check("m{} {{schema:0 sum:1}}x1 _x2", "m", &[sum(1.0), sum(1.0), Omitted, Omitted]);
        check(
            "m {{sum:1}}+{{sum:2}}x1 Inf 0xff",
            "m",
            &[sum(1.0), sum(3.0), Float(f64::INFINITY), Float(255.0)],
        );
    }

    #[test]
    fn starts() {
        let check = |text: &str, expected: &[Option<i64>]| {
            assert_eq!(parse_starts(text).unwrap(), expected, "{text}");
        };
        check("_ -30s-1mx2", &[None, Some(-30_000), Some(-90_000), Some(-150_000)]);
        check(
            "-0msx1 1ms _x2 +1m 0-1mx1",
            &[Some(0), Some(0), Some(1), None, None, Some(60_000), Some(0), Some(-60_000)],
        );
        for text in ["-1m-", "x3", "-1mx", "_x99999999999", "-1mx99999999999"] {
            assert!(parse_starts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bad_lines() {
        for line in
            ["", "m{", "m{a}}", "m{a=b} 1", "m 1x", "m foo", "m {{", "m 1x99999999999", "m{a=\"\\q\"} 1"]
        {
            assert!(parse_series(line).is_err(), "{line}");
        }
    }
}
