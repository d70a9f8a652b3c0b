//! Writes a history, series by series.
//!
//! A sample with a start timestamp is followed by the `_created` line of its metric at its time, as OpenMetrics has it.

use std::io::{self, Write};

use streamflow_gotext::shortest;

use crate::line::{family_name, series};

/// Times beyond are not written: a reader's floating-point seconds do not tell their milliseconds apart.
const LIMIT_MS: u64 = 1 << 50;

/// Writes series with the times of their samples. All series of a name are given one after the other, the samples of a
/// series in the order of their times.
#[derive(Debug)]
pub struct HistoryWriter<W> {
    out: W,
    /// The line before the series of a name that was written last.
    head: String,
    /// The part of a line that names the series,
    series: String,
    /// and that of the line that says when it began.
    created: String,
    line: String,
}

impl<W: Write> HistoryWriter<W> {
    /// At the beginning of a text.
    pub fn new(out: W) -> Self {
        Self { out, head: String::new(), series: String::new(), created: String::new(), line: String::new() }
    }

    /// The samples that follow are of the series `name{labels}`; a pair `__name__` among the labels is left out.
    /// Before the first series of a name stands `# TYPE name unknown`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn series<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<()> {
        self.head(name, "unknown")?;
        self.series.clear();
        series(name, labels, &mut self.series);
        Ok(())
    }

    /// As [`HistoryWriter::series`], of a series whose samples may have starts: it is part of a counter, a histogram or a
    /// summary, and the line before it says so.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn started_series<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<()> {
        let labels: Vec<(&str, &str)> = labels.into_iter().collect();
        let (family, kind) = family(name, &labels);
        self.head(family, kind)?;
        self.series.clear();
        series(name, labels.iter().copied(), &mut self.series);
        self.created.clear();
        let of_metric = labels.into_iter().filter(|(label, _)| !["le", "quantile"].contains(label));
        series(&format!("{family}_created"), of_metric, &mut self.created);
        Ok(())
    }

    fn head(&mut self, family: &str, kind: &str) -> io::Result<()> {
        self.line.clear();
        self.line.push_str("# TYPE ");
        family_name(family, &mut self.line);
        self.line.push(' ');
        self.line.push_str(kind);
        self.line.push('\n');
        if self.line != self.head {
            self.out.write_all(self.line.as_bytes())?;
            self.head.clone_from(&self.line);
        }
        Ok(())
    }

    /// When what the sample at a time counts began, both in milliseconds since 1970; behind the sample. False as of
    /// [`HistoryWriter::sample`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn start(&mut self, timestamp_ms: i64, start_ms: i64) -> io::Result<bool> {
        self.line.clear();
        self.line.push_str(&self.created);
        for time in [start_ms, timestamp_ms] {
            self.line.push(' ');
            if !push_seconds(time, &mut self.line) {
                return Ok(false);
            }
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        Ok(true)
    }

    /// A sample of that series at a time in milliseconds since 1970. False, and nothing is written, where the time is
    /// more than 2^50 milliseconds from 1970, which seconds as a floating-point number do not hold to the millisecond.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sample(&mut self, timestamp_ms: i64, value: f64) -> io::Result<bool> {
        use std::fmt::Write as _;
        self.line.clear();
        self.line.push_str(&self.series);
        // Writing to a string cannot fail.
        let _ = write!(self.line, " {} ", shortest(value));
        if !push_seconds(timestamp_ms, &mut self.line) {
            return Ok(false);
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        Ok(true)
    }

    /// Ends the text and hands all of it on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"# EOF\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The family that a series with starts is of, and its type.
fn family<'n>(name: &'n str, labels: &[(&str, &str)]) -> (&'n str, &'static str) {
    if let Some(family) = name.strip_suffix("_total") {
        return (family, "counter");
    }
    if let Some(family) = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix)) {
        return (family, "histogram");
    }
    let is_summary = labels.iter().any(|(label, _)| *label == "quantile");
    (name, if is_summary { "summary" } else { "counter" })
}

/// Appends seconds with milliseconds. Prometheus cuts what it multiplies off towards zero, by which 0.29 s would be
/// 289 ms: such a time is written a tenth of a millisecond farther from zero.
fn push_seconds(ms: i64, line: &mut String) -> bool {
    use std::fmt::Write as _;
    let size = ms.unsigned_abs();
    if size > LIMIT_MS {
        return false;
    }
    let start = line.len();
    let sign = if ms < 0 { "-" } else { "" };
    let _ = write!(line, "{sign}{}.{:03}", size / 1000, size % 1000);
    let read = line[start..].parse::<f64>().map(|seconds| (seconds * 1000.0) as i64);
    if read != Ok(ms) {
        // From 2^44 ms on a tenth is lost in rounding, half of a millisecond is not.
        line.push(if size < 1 << 44 { '1' } else { '5' });
    }
    true
}
