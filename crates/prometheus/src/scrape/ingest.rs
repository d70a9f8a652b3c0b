//! Turns the body of an answer into samples in the store.
//!
//! A body is taken whole or not at all: after an error of syntax or a limit, what was added is rolled back (the batch
//! is dropped) and the series of the last complete scrape are marked stale. Samples that the store refuses for their
//! time are counted and do not fail the scrape. All of this is Prometheus's behaviour.

use std::borrow::Cow;
use std::collections::BTreeMap;

use streamflow_exposition::protobuf::{self, Take};
use streamflow_exposition::{Created, Event, Format, MetricType, Parser, Sample, UnknownFormat};
use streamflow_gotext::{is_legacy_name, open_metrics, parse_float};
use streamflow_prometheus_yml::{LabelMap, ScrapeConfig, ScrapeProtocol, relabel};
use streamflow_tsdb::{AppendError, Batch, Db, Labels, METRIC_NAME, NO_START, STALE_NAN, SeriesRef, Value};

use super::cache::{Known, SeriesCache};
use super::counters::Counters;
use super::metadata::Families;
use super::native::{Gathered, bounded};
use crate::clock::latest_ms;
use crate::exemplars::{Exemplar, Exemplars};

/// What a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Text(Format),
    Protobuf,
}

/// What a scrape found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub scraped: u64,
    /// After metric relabeling.
    pub kept: u64,
    pub added: u64,
    pub refused: u64,
}

/// What is needed to take bodies of one target.
pub(super) struct Ingest<'a> {
    pub db: &'a Db,
    pub config: &'a ScrapeConfig,
    /// The labels of the target.
    pub labels: &'a Labels,
    pub counters: &'a Counters,
    pub exemplars: &'a Exemplars,
    pub now_ms: i64,
}

impl Ingest<'_> {
    /// What an answer of this type is read as.
    ///
    /// # Errors
    /// A type that names no format that is read, where the job says none to fall back to.
    pub fn format(&self, content_type: &str) -> Result<Wire, String> {
        let fallback = self.config.fallback_scrape_protocol;
        let wire = |protocol| match protocol {
            ScrapeProtocol::PrometheusText004 | ScrapeProtocol::PrometheusText100 => Wire::Text(Format::Text),
            ScrapeProtocol::OpenMetricsText001 | ScrapeProtocol::OpenMetricsText100 => {
                Wire::Text(Format::OpenMetrics)
            }
            ScrapeProtocol::PrometheusProto => Wire::Protobuf,
        };
        match Format::of_content_type(content_type) {
            Ok(format) => Ok(Wire::Text(format)),
            Err(UnknownFormat::Protobuf) => Ok(Wire::Protobuf),
            Err(unknown) => fallback.map(wire).ok_or_else(|| {
                let remedy = "let the target send the type of its format, or set fallback_scrape_protocol";
                format!("the content type {content_type:?} {unknown}; {remedy}")
            }),
        }
    }

    /// Adds the body to a batch; the counts hold for a body that is refused too.
    pub fn body(
        &self,
        wire: Wire,
        body: &[u8],
        cache: &mut SeriesCache,
        families: &mut Families,
    ) -> (Counts, Result<Batch, String>) {
        let mut counts = Counts::default();
        let mut batch = self.db.batch();
        cache.begin();
        families.begin();
        let mut taking = Taking {
            cache,
            families,
            batch: &mut batch,
            counts: &mut counts,
            exemplars: Vec::new(),
            stored: 0,
            of: (String::new(), MetricType::Unknown),
            created: Created::default(),
        };
        let taken = self.events(wire, body, &mut taking);
        let exemplars = taking.exemplars;
        if let Err(error) = taken {
            drop(batch);
            let mut batch = self.db.batch();
            self.fail(cache, &mut batch);
            // The report of a failed scrape goes with the markers.
            return (counts, batch.commit().map_err(|error| error.to_string()).and(Err(error)));
        }
        cache.end(|series, labels| self.mark_stale(&mut batch, series, labels));
        families.end();
        for (series, exemplar) in exemplars {
            let kept = self.exemplars.add(&series, exemplar);
            self.counters.exemplars.add(u64::from(kept));
        }
        (counts, Ok(batch))
    }

    /// Marks everything stale that the last complete scrape showed.
    pub fn fail(&self, cache: &mut SeriesCache, batch: &mut Batch) {
        if cache.fail(|series, labels| self.mark_stale(batch, series, labels)) {
            self.counters.cache_flush_forced.inc();
        }
    }

    fn mark_stale(&self, batch: &mut Batch, series: SeriesRef, labels: &Labels) {
        let added = match batch.add_ref(series, self.now_ms, STALE_NAN) {
            Err(AppendError::UnknownSeries(_)) => batch.add(labels, self.now_ms, STALE_NAN).map(|_| ()),
            added => added,
        };
        // Refused where the series has a newer sample already: then another target brought it.
        if added.is_ok() {
            self.counters.stale_markers.inc();
        }
    }

    fn events(&self, wire: Wire, body: &[u8], taking: &mut Taking) -> Result<(), String> {
        let native = &self.config.native;
        match wire {
            Wire::Text(format) => {
                taking.created = match format {
                    Format::OpenMetrics if self.config.start_timestamps => Created::of_text(body),
                    Format::OpenMetrics | Format::Text => Created::default(),
                };
                if native.enabled && native.convert_classic {
                    self.converted(Parser::new(format, body), taking)?;
                } else {
                    for event in Parser::new(format, body) {
                        let event = event.map_err(|error| error.to_string())?;
                        taking.started(event).map_or(Ok(()), |event| self.event(event, taking))?;
                    }
                }
            }
            Wire::Protobuf => {
                let (classic, convert) = (native.always_classic, native.convert_classic);
                let take = Take { native: native.enabled, classic, convert };
                for family in protobuf::Families::new(body, take) {
                    let family = family.map_err(|error| error.to_string())?;
                    family.events().try_for_each(|event| self.event(event, taking))?;
                }
            }
        }
        let limit = self.config.sample_limit;
        if limit > 0 && taking.counts.kept > limit && taking.stored == limit {
            self.counters.sample_limit.inc();
            let kept = taking.counts.kept;
            return Err(format!("sample limit exceeded: {kept} samples, the limit is {limit}"));
        }
        Ok(())
    }

    /// The events of a text whose classic histograms become native ones.
    fn converted(&self, parser: Parser, taking: &mut Taking) -> Result<(), String> {
        let mut gathered = Gathered::default();
        for event in parser {
            let event = event.map_err(|error| error.to_string())?;
            let Some(event) = taking.started(event) else { continue };
            if let (Event::Sample(sample), (family, MetricType::Histogram)) = (&event, &taking.of)
                && let Some(before) = gathered.take(family, sample)
            {
                self.gathered(&before, taking)?;
                continue;
            }
            if !matches!(event, Event::Sample(_)) {
                self.gathered(&gathered.end(), taking)?;
            }
            self.event(event, taking)?;
        }
        self.gathered(&gathered.end(), taking)
    }

    /// A classic histogram: as a native one, and as what it is where that is wanted or it cannot be converted.
    fn gathered(&self, gathered: &Gathered, taking: &mut Taking) -> Result<(), String> {
        let native = gathered.native();
        let keeps = native.is_none() || self.config.native.always_classic;
        if let Some(sample) = native {
            self.event(Event::Sample(sample), taking)?;
        }
        let samples = gathered.samples().iter().filter(|_| keeps);
        samples.cloned().try_for_each(|sample| self.event(Event::Sample(sample), taking))
    }

    fn event(&self, event: Event, taking: &mut Taking) -> Result<(), String> {
        match event {
            Event::Type { family, kind } => {
                taking.families.set_type(&family, kind.as_str());
                taking.of = (family.into_owned(), kind);
            }
            Event::Help { family, help } => taking.families.set_help(&family, &help),
            Event::Unit { family, unit } => taking.families.set_unit(&family, unit),
            Event::Sample(sample) => {
                taking.counts.scraped += 1;
                // Read on over the limit, so that the count is that of the whole body.
                let limit = self.config.sample_limit;
                let room = limit == 0 || taking.stored < limit;
                let typed = Typed { sample, of: taking.of.1 };
                let Taking { cache, batch, counts, exemplars, stored, .. } = taking;
                *stored += u64::from(self.sample(&typed, cache, batch, counts, room)?);
                self.exemplars(&typed.sample, cache, exemplars);
            }
        }
        Ok(())
    }

    /// The exemplars of a sample whose series is kept.
    fn exemplars(&self, sample: &Sample, cache: &mut SeriesCache, into: &mut Vec<(Labels, Exemplar)>) {
        if sample.exemplars.is_empty() {
            return;
        }
        let Some((entry, _)) = cache.get(sample.series) else { return };
        let Known::Series { labels: series, .. } = &entry.known else { return };
        let mut sent: Vec<Exemplar> = sample
            .exemplars
            .iter()
            .map(|sent| {
                let labels = Labels::new(sent.labels());
                let timestamp_ms = sent.timestamp_ms.unwrap_or(self.now_ms);
                Exemplar { labels, value: sent.value, timestamp_ms }
            })
            .collect();
        // Those of a histogram come in the order of its buckets, and older ones than the newest are not kept.
        sent.sort_by_key(|exemplar| exemplar.timestamp_ms);
        into.extend(sent.into_iter().map(|exemplar| (series.clone(), exemplar)));
    }

    /// Adds one sample; says whether it counts towards the limit.
    fn sample(
        &self,
        typed: &Typed,
        cache: &mut SeriesCache,
        batch: &mut Batch,
        counts: &mut Counts,
        room: bool,
    ) -> Result<bool, String> {
        let sample = &typed.sample;
        let histogram = sample.histogram.as_ref().map(|histogram| bounded(histogram, &self.config.native));
        let histogram = histogram.transpose().inspect_err(|_| self.counters.bucket_limit.inc())?;
        let own_time = sample.timestamp_ms.filter(|_| self.config.honor_timestamps);
        let timestamp = own_time.unwrap_or(self.now_ms);
        let start = sample.start_ms.filter(|_| self.config.start_timestamps).unwrap_or(NO_START);
        let value = histogram.map_or(Value::Float(sample.value), Value::Histogram);
        let stored = streamflow_tsdb::Sample { timestamp, start, value };
        let tracked = own_time.is_none() || self.config.track_timestamps_staleness;
        if let Some((entry, again)) = cache.get(sample.series) {
            let Known::Series { series, labels } = &mut entry.known else { return Ok(false) };
            entry.tracked = tracked;
            counts.kept += 1;
            if again && own_time.is_none() {
                counts.refused += 1;
                self.counters.duplicates.inc();
                return Ok(false);
            }
            if !room {
                return Ok(false);
            }
            let added = match self.in_time(timestamp) {
                true => batch.add_sample_ref(*series, stored.clone()),
                false => return Ok(self.refuse(None, counts)),
            };
            let added = match added {
                // The store forgot a series that had no samples for long.
                Err(AppendError::UnknownSeries(_)) => {
                    batch.add_sample(labels, stored).map(|found| *series = found)
                }
                added => added,
            };
            return Ok(added.map_or_else(|error| self.refuse(Some(&error), counts), |()| true));
        }
        let Some(labels) = self.labels_of(typed)? else {
            cache.insert(sample.series, Known::Dropped, false);
            return Ok(false);
        };
        counts.kept += 1;
        if !room {
            return Ok(false);
        }
        if !self.in_time(timestamp) {
            return Ok(self.refuse(None, counts));
        }
        match batch.add_sample(&labels, stored) {
            Ok(series) => {
                cache.insert(sample.series, Known::Series { series, labels }, tracked);
                counts.added += 1;
                Ok(true)
            }
            Err(error) => Ok(self.refuse(Some(&error), counts)),
        }
    }

    fn in_time(&self, timestamp: i64) -> bool {
        timestamp <= latest_ms(self.now_ms)
    }

    /// Counts a sample that the store refuses for its time (`None`: too far ahead).
    fn refuse(&self, error: Option<&AppendError>, counts: &mut Counts) -> bool {
        counts.refused += 1;
        match error {
            Some(AppendError::OutOfOrder { .. }) => self.counters.out_of_order.inc(),
            Some(AppendError::DuplicateTimestamp { .. }) => self.counters.duplicates.inc(),
            _ => self.counters.out_of_bounds.inc(),
        }
        false
    }

    /// The labels under which a sample is stored, or `None` when relabeling drops it.
    fn labels_of(&self, typed: &Typed) -> Result<Option<Labels>, String> {
        let sample = &typed.sample;
        let mut sent: BTreeMap<Cow<str>, Cow<str>> = BTreeMap::new();
        for (name, value) in sample.labels() {
            if name.is_empty() {
                return Err(format!("a label of {} has no name", shortened(sample.series)));
            }
            if sent.contains_key(&name) {
                return Err(format!("label name {name:?} is not unique in {}", shortened(sample.series)));
            }
            let value = typed.written(&name, value);
            sent.insert(name, value);
        }
        let sent = sent.into_iter().filter(|(_, value)| !value.is_empty());
        let mut labels: LabelMap =
            sent.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        add_target_labels(&mut labels, self.labels, self.config.honor_labels);
        if !relabel(&mut labels, &self.config.metric_relabel_configs) || labels.is_empty() {
            return Ok(None);
        }
        if !labels.contains_key(METRIC_NAME) {
            return Err(format!("{} has no metric name", shortened(sample.series)));
        }
        if self.config.legacy_names {
            check_legacy(&labels)?;
        }
        self.check_limits(&labels).inspect_err(|_| self.counters.label_limit.inc())?;
        Ok(Some(Labels::new(labels)))
    }

    fn check_limits(&self, labels: &LabelMap) -> Result<(), String> {
        let config = self.config;
        let metric = shortened(labels.get(METRIC_NAME).map_or("", String::as_str));
        let over = |found: usize, limit: u64| limit > 0 && found as u64 > limit;
        if over(labels.len(), config.label_limit) {
            let limit = config.label_limit;
            return Err(format!(
                "label_limit exceeded: {metric} has {} labels, the limit is {limit}",
                labels.len()
            ));
        }
        for (name, value) in labels {
            for (what, text, limit) in [
                ("label_name_length_limit", name, config.label_name_length_limit),
                ("label_value_length_limit", value, config.label_value_length_limit),
            ] {
                if over(text.len(), limit) {
                    let (length, name) = (text.len(), shortened(name));
                    return Err(format!(
                        "{what} exceeded: {metric}, label {name}: {length} bytes, the limit is {limit}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What a body becomes while it is read.
struct Taking<'a> {
    cache: &'a mut SeriesCache,
    families: &'a mut Families,
    batch: &'a mut Batch,
    counts: &'a mut Counts,
    exemplars: Vec<(Labels, Exemplar)>,
    /// Samples that count towards the limit.
    stored: u64,
    /// The family that was told last, and its type.
    of: (String, MetricType),
    /// Start timestamps that lines of their own give.
    created: Created,
}

impl Taking<'_> {
    /// The event with its start timestamp, if another line gives it one; `None` for that line.
    fn started<'e>(&self, event: Event<'e>) -> Option<Event<'e>> {
        match event {
            Event::Sample(sample) => self.created.started(&self.of, sample).map(Event::Sample),
            other => Some(other),
        }
    }
}

/// A sample with the type of the family that was told last.
struct Typed<'a> {
    sample: Sample<'a>,
    of: MetricType,
}

impl Typed<'_> {
    /// The value of a label. Bounds of buckets and quantiles are numbers that targets spell in several ways; here, as in
    /// Prometheus 3, they are spelled as OpenMetrics does, so that `1` and `1.0` are one series.
    fn written<'v>(&self, name: &str, value: Cow<'v, str>) -> Cow<'v, str> {
        let is_number = match name {
            "le" => matches!(self.of, MetricType::Histogram | MetricType::GaugeHistogram),
            "quantile" => self.of == MetricType::Summary,
            _ => false,
        };
        match parse_float(&value) {
            Ok(number) if is_number => Cow::Owned(open_metrics(number).to_string()),
            _ => value,
        }
    }
}

/// Refuses names that Prometheus 2 did not know, where the job says so.
fn check_legacy(labels: &LabelMap) -> Result<(), String> {
    for (name, value) in labels {
        let (text, is_metric) = if name == METRIC_NAME { (value, true) } else { (name, false) };
        if !is_legacy_name(text) || (!is_metric && text.contains(':')) {
            let what = if is_metric { "metric" } else { "label" };
            return Err(format!(
                "{what} name {:?} is none that metric_name_validation_scheme: legacy takes",
                shortened(text)
            ));
        }
    }
    Ok(())
}

/// Sets the target's labels; where both have one, the target's answer keeps its own (`honor`), or finds it again under
/// `exported_`.
fn add_target_labels(labels: &mut LabelMap, target: &Labels, honor: bool) {
    let mut conflicts = Vec::new();
    for (name, value) in target {
        if honor && labels.contains_key(name) {
            continue;
        }
        if let Some(sent) = labels.insert(name.to_owned(), value.to_owned()) {
            conflicts.push((name.to_owned(), sent));
        }
    }
    // Short names first: `exported_a` may itself be in conflict with what becomes of `a`.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (mut name, value) in conflicts {
        while labels.contains_key(&name) {
            name.insert_str(0, "exported_");
        }
        labels.insert(name, value);
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
