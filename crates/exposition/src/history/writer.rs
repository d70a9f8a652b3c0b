//! Writes a history, series by series.

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
    name: Option<String>,
    /// The part of a line that names the series.
    series: String,
    line: String,
}

impl<W: Write> HistoryWriter<W> {
    /// At the beginning of a text.
    pub fn new(out: W) -> Self {
        Self { out, name: None, series: String::new(), line: String::new() }
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
        if self.name.as_deref() != Some(name) {
            self.line.clear();
            self.line.push_str("# TYPE ");
            family_name(name, &mut self.line);
            self.line.push_str(" unknown\n");
            self.out.write_all(self.line.as_bytes())?;
            self.name = Some(name.to_owned());
        }
        self.series.clear();
        series(name, labels, &mut self.series);
        Ok(())
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
