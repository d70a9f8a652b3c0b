//! From a store to a text.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use streamflow_exposition::HistoryWriter;
use streamflow_tsdb::{Db, Labels, METRIC_NAME, MatchOp, Matcher, NO_START, Samples, Series, is_stale};

/// Which samples are written.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Sets of matchers; a series that meets all of any set is meant, and every series where there is no set.
    pub sets: Vec<Vec<Matcher>>,
    /// The first time, in milliseconds since 1970.
    pub min_ms: i64,
    /// The last time, included.
    pub max_ms: i64,
}

/// What was written, and what OpenMetrics has no form for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Series with a sample in the text.
    pub series: u64,
    /// Samples in the text.
    pub samples: u64,
    /// Samples of them whose start timestamp is in the text too.
    pub starts: u64,
    /// Samples that are native histograms: left out.
    pub histograms: u64,
    /// The metrics that those are of.
    pub histogram_names: BTreeSet<String>,
    /// Markers that a series ended: left out.
    pub stale_markers: u64,
    /// Samples whose time is more than 2^50 milliseconds from 1970: left out.
    pub far_times: u64,
    /// Series without a metric name: left out.
    pub unnamed_series: u64,
    /// Series of which there are aggregates of samples that are gone: these are left out.
    pub aggregated_series: u64,
}

/// Writes the selected samples sorted by metric, series and time, and `# EOF` at the end. Memory holds the series of one
/// metric and the samples of one series. `told` gets how many metrics are written and how many there are.
///
/// A number comes back to the bit, but a NaN as OpenMetrics' only one.
///
/// # Errors
/// When the store cannot be read, or the text not written: then the text is not complete.
pub fn export(
    db: &Db,
    selection: &Selection,
    out: impl Write,
    mut told: impl FnMut(usize, usize),
) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let mut writer = HistoryWriter::new(out);
    let Selection { sets, min_ms, max_ms } = selection;
    exported.unnamed_series = of_name(db, selection, "")?.len() as u64;
    exported.aggregated_series =
        db.aggregated_series(sets, *min_ms, *max_ms).map_err(io::Error::other)?.len() as u64;
    let names = db.label_values(METRIC_NAME, sets, *min_ms, *max_ms).map_err(io::Error::other)?;
    let mut samples = Samples::default();
    for (done, name) in names.iter().enumerate() {
        told(done, names.len());
        for (labels, series) in of_name(db, selection, name)? {
            series.read(&mut samples).map_err(io::Error::other)?;
            write_series(name, &labels, &samples, &mut writer, &mut exported)?;
        }
    }
    writer.finish()?;
    Ok(exported)
}

/// The selected series of a metric, each once.
fn of_name(db: &Db, selection: &Selection, name: &str) -> io::Result<BTreeMap<Labels, Series>> {
    let named = Matcher::new(METRIC_NAME, MatchOp::Equal, name).map_err(io::Error::other)?;
    let all = [Vec::new()];
    let sets = if selection.sets.is_empty() { all.as_slice() } else { &selection.sets };
    let mut found = BTreeMap::new();
    for set in sets {
        let matchers: Vec<Matcher> = set.iter().chain([&named]).cloned().collect();
        let series = db.select(&matchers, selection.min_ms, selection.max_ms).map_err(io::Error::other)?;
        found.extend(series.into_iter().map(|series| (series.labels().clone(), series)));
    }
    Ok(found)
}

fn write_series(
    name: &str,
    labels: &Labels,
    samples: &Samples,
    writer: &mut HistoryWriter<impl Write>,
    exported: &mut Exported,
) -> io::Result<()> {
    let mut written = 0;
    let started = samples.has_starts();
    for (place, (timestamp, value)) in samples.iter().enumerate() {
        if is_stale(value) {
            exported.stale_markers += 1;
        } else if samples.histogram(value).is_some() {
            exported.histograms += 1;
        } else {
            match (written, started) {
                (0, true) => writer.started_series(name, labels)?,
                (0, false) => writer.series(name, labels)?,
                _ => {}
            }
            let has_form = writer.sample(timestamp, value)?;
            let start = samples.start(place);
            if has_form && start != NO_START && writer.start(timestamp, start)? {
                exported.starts += 1;
            }
            written += u64::from(has_form);
            exported.far_times += u64::from(!has_form);
        }
    }
    if !samples.histograms.is_empty() {
        exported.histogram_names.insert(name.to_owned());
    }
    exported.series += u64::from(written > 0);
    exported.samples += written;
    Ok(())
}
