//! `_created` lines of OpenMetrics: when counters, summaries and histograms began.
//!
//! A line `NAME_created` in a family `NAME` of one of these types is about all series of the family with its labels, `le` and
//! `quantile` aside. Source: OpenMetrics 1.0, and Prometheus 3.5 with its feature `created-timestamp-zero-ingestion`, which
//! looks from a series forward alone; here the line may stand before its series too.

use std::collections::HashMap;

use crate::event::{Event, MetricType, Sample};
use crate::format::Format;
use crate::labels::LabelPairs;
use crate::line;
use crate::parser::Parser;

const SUFFIX: &str = "_created";

/// The start timestamps that a text gives by `_created` lines.
#[derive(Debug, Default)]
pub struct Created {
    /// Milliseconds since 1970, by family and labels.
    starts: HashMap<String, i64>,
}

impl Created {
    /// Those of a whole OpenMetrics text; a line that is none ends the search.
    #[must_use]
    pub fn of_text(body: &[u8]) -> Self {
        let mut found = Self::default();
        if !body.windows(SUFFIX.len()).any(|bytes| bytes == SUFFIX.as_bytes()) {
            return found;
        }
        let mut family = (String::new(), MetricType::Unknown);
        for event in Parser::new(Format::OpenMetrics, body).map_while(Result::ok) {
            match event {
                Event::Type { family: name, kind } => family = (name.into_owned(), kind),
                Event::Sample(sample) => {
                    if let Some((key, start)) = Self::line(&family, &sample) {
                        found.starts.insert(key, start);
                    }
                }
                Event::Help { .. } | Event::Unit { .. } => {}
            }
        }
        found
    }

    /// What a `_created` line of a family is about, and the time in milliseconds that it gives; `None` for any other line.
    #[must_use]
    pub fn line((family, kind): &(String, MetricType), sample: &Sample) -> Option<(String, i64)> {
        if !has_starts(*kind) || !sample.series.contains(SUFFIX) {
            return None;
        }
        let seconds = Some(sample.value).filter(|seconds| seconds.is_finite())?;
        let is_created = |name: &str| name.strip_suffix(SUFFIX) == Some(family);
        key(family, sample.series, is_created).map(|key| (key, (seconds * 1000.0) as i64))
    }

    /// What the `_created` line of a series would be about; `None` for a series of a family that has no such line.
    #[must_use]
    pub fn about((family, kind): &(String, MetricType), series: &str) -> Option<String> {
        if !has_starts(*kind) {
            return None;
        }
        key(family, series, |name| name.starts_with(family.as_str()))
    }

    /// Gives a sample of a family its start; `None` for a `_created` line, which is no series then.
    #[must_use]
    pub fn started<'a>(&self, family: &(String, MetricType), mut sample: Sample<'a>) -> Option<Sample<'a>> {
        if self.starts.is_empty() {
            return Some(sample);
        }
        if Self::line(family, &sample).is_some() {
            return None;
        }
        let start = Self::about(family, sample.series).and_then(|key| self.starts.get(&key));
        sample.start_ms = start.copied().filter(|start| *start != 0);
        Some(sample)
    }
}

fn has_starts(kind: MetricType) -> bool {
    matches!(kind, MetricType::Counter | MetricType::Summary | MetricType::Histogram)
}

/// The family with the labels of a series in an order of their own, if its name is one that is meant.
fn key(family: &str, series: &str, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let mut pairs: Vec<_> = LabelPairs::of_series(series).collect();
    let (_, name) = pairs.iter().find(|(label, _)| label == "__name__")?;
    if !is_meant(name) {
        return None;
    }
    pairs.retain(|(label, value)| !["__name__", "le", "quantile"].contains(&&**label) && !value.is_empty());
    pairs.sort();
    let mut text = String::new();
    line::series(family, pairs.iter().map(|(label, value)| (&**label, &**value)), &mut text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series with their starts.
    fn told(body: &str) -> Vec<(String, Option<i64>)> {
        let created = Created::of_text(body.as_bytes());
        let mut family = (String::new(), MetricType::Unknown);
        let mut told = Vec::new();
        for event in Parser::new(Format::OpenMetrics, body.as_bytes()) {
            match event.unwrap() {
                Event::Type { family: name, kind } => family = (name.into_owned(), kind),
                Event::Sample(sample) => {
                    let sample = created.started(&family, sample);
                    told.extend(sample.map(|sample| (sample.series.to_owned(), sample.start_ms)));
                }
                Event::Help { .. } | Event::Unit { .. } => {}
            }
        }
        told
    }

    #[test]
    fn a_line_is_about_the_series_of_its_family_with_its_labels() {
        let body = concat!(
            "# TYPE c counter\nc_total{a=\"1\",b=\"2\"} 1\nc_created{b=\"2\",a=\"1\"} 1.5\nc_total{a=\"2\"} 1\n",
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 2\nh_sum 3\nh_created 2\n",
            "# TYPE s summary\ns_created 3\ns{quantile=\"0.5\"} 1\ns_count 1\n",
            "# TYPE g gauge\ng 1\ng_created 4\n",
            "# TYPE z counter\nz_total 1\nz_created 0\n# TYPE n counter\nn_total 1\nn_created NaN\n# EOF\n",
        );
        let expected = [
            ("c_total{a=\"1\",b=\"2\"}", Some(1500)),
            ("c_total{a=\"2\"}", None),
            ("h_bucket{le=\"1\"}", Some(2000)),
            ("h_count", Some(2000)),
            ("h_sum", Some(2000)),
            ("s{quantile=\"0.5\"}", Some(3000)),
            ("s_count", Some(3000)),
            ("g", None),
            ("g_created", None),
            ("z_total", None),
            ("n_total", None),
            ("n_created", None),
        ];
        assert_eq!(told(body), expected.map(|(series, start)| (series.to_owned(), start)));
    }

    #[test]
    fn a_text_without_such_lines_is_as_it_was() {
        let body = "# TYPE c counter\nc_total 1\n# TYPE x unknown\nx_created 1\n# EOF\n";
        assert_eq!(told(body), [("c_total".to_owned(), None), ("x_created".to_owned(), None)]);
        assert!(Created::of_text(b"# TYPE c counter\nc_created \xff").starts.is_empty());
    }
}
