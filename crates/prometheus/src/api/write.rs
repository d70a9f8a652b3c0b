//! `POST /api/v1/write`: samples that another server sends by remote write, in either version of the protocol.
//!
//! Samples that can be kept are kept; when others of the request cannot, the answer is 400 with the first reason,
//! which tells the sender not to send them again. Headers say how many were kept, as version 2 asks for.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use streamflow_exposition::MetricType;
use streamflow_exposition::remote_write::{
    Label, Meaning, NativeHistogram, Pair, Received, Sample, Series, TimeSeries, unpack,
};
use streamflow_histogram::Histogram;
use streamflow_tsdb::{AppendError, Batch, Labels, LabelsBuffer, LabelsRef, METRIC_NAME, NO_START, Value};

use super::error;
use super::metrics::Protocol;
use crate::clock::latest_ms;
use crate::exemplars::Exemplar;
use crate::{Handle, now_ms};

/// Which message a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// `POST /api/v1/write`
pub async fn write(State(server): State<Handle>, headers: HeaderMap, body: Body) -> Response {
    let version = match version(&headers) {
        Ok(version) => version,
        Err(reason) => return error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, &reason),
    };
    let body = match whole(body, server.0.settings.limits.write_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let stored = tokio::task::spawn_blocking(move || store(&server, version, &body));
    match stored.await {
        Ok(written) => written.response(),
        Err(_) => {
            error::plain(StatusCode::INTERNAL_SERVER_ERROR, "the write ended in a panic, which is a bug")
        }
    }
}

/// The body, if it is not larger than the limit.
pub(super) async fn whole(body: Body, limit: usize) -> Result<Bytes, Response> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the request body is larger than the {limit} bytes allowed");
            Err(error::plain(StatusCode::PAYLOAD_TOO_LARGE, &message))
        }
        Err(error) => Err(error::plain(StatusCode::BAD_REQUEST, &error.to_string())),
    }
}

/// The version of the message, compressed by snappy. Senders that say nothing mean the first.
fn version(headers: &HeaderMap) -> Result<Version, String> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = value(header::CONTENT_ENCODING);
    if !matches!(encoding, "" | "snappy") {
        return Err(format!("content encoding {encoding:?} is not accepted; expected snappy"));
    }
    let content_type = value(header::CONTENT_TYPE);
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    // curl and simple senders leave the type to their library.
    if matches!(media, "" | "application/x-www-form-urlencoded") {
        return Ok(Version::V1);
    }
    let message = parts.find_map(|part| part.strip_prefix("proto=")).unwrap_or("prometheus.WriteRequest");
    match (media, message.trim_matches('"')) {
        ("application/x-protobuf", "prometheus.WriteRequest") => Ok(Version::V1),
        ("application/x-protobuf", "io.prometheus.write.v2.Request") => Ok(Version::V2),
        _ => Err(format!(
            "content type {content_type:?} is not accepted; expected application/x-protobuf, alone or with \
             ;proto=io.prometheus.write.v2.Request"
        )),
    }
}

fn store(server: &Handle, version: Version, body: &[u8]) -> Written {
    let limits = &server.0.settings.limits.write;
    let message = match unpack(body, limits) {
        Ok(message) => message,
        Err(error) => return Written::refused(error.to_string()),
    };
    let received = match version {
        Version::V1 => Received::v1(&message, limits),
        Version::V2 => Received::v2(&message, limits),
    };
    let received = match received {
        Ok(received) => received,
        Err(error) => return Written::refused(error.to_string()),
    };
    let mut writer = Writer::new(server, Protocol::RemoteWrite);
    writer.batch.reserve(received.samples());
    received.series().for_each(|series| writer.received(series));
    for family in received.metadata() {
        let kind = MetricType::of_code(family.kind).as_str();
        server.0.told.tell(&family.metric_family_name, (kind, &family.help, &family.unit));
    }
    writer.commit()
}

/// Keeps what a series says of its family, whose name is that of the metric but for what histograms and summaries add to it.
fn tell(server: &Handle, name: &str, Meaning { kind, help, unit }: Meaning<'_>) {
    let kind = MetricType::of_code(kind);
    let has_parts = matches!(kind, MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary);
    let stem = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let family = stem.filter(|_| has_parts).unwrap_or(name);
    server.0.told.tell(family, (kind.as_str(), help, unit));
}

/// What of a request is kept.
pub(super) struct Writer<'a> {
    server: &'a Handle,
    by: Protocol,
    batch: Batch,
    labels: LabelsBuffer,
    /// Samples of later times are refused.
    latest_ms: i64,
    /// When the series at hand began, where its samples do not say; 0 where that is not known.
    created: i64,
    samples: u64,
    histograms: u64,
    exemplars: Vec<(Labels, Exemplar)>,
    first_refusal: Option<String>,
}

impl<'a> Writer<'a> {
    pub fn new(server: &'a Handle, by: Protocol) -> Self {
        let batch = server.0.db.batch();
        let latest_ms = latest_ms(now_ms());
        let (labels, samples, histograms, exemplars) = (LabelsBuffer::default(), 0, 0, Vec::new());
        let first_refusal = None;
        Self {
            server,
            by,
            batch,
            labels,
            latest_ms,
            created: 0,
            samples,
            histograms,
            exemplars,
            first_refusal,
        }
    }

    /// Adds a series as it was received, with its exemplars and what it says of its family.
    fn received(&mut self, series: Series<'_, '_>) {
        self.created = series.created();
        let pairs = series.labels().map_err(ToString::to_string);
        let Some(pairs) = self.series(pairs, series.samples(), series.histograms()) else { return };
        match series.meaning() {
            Some(Ok(meaning)) => tell(self.server, value_of(pairs, METRIC_NAME), *meaning),
            Some(Err(error)) => drop(self.first_refusal.get_or_insert(error.to_string())),
            None => {}
        }
        for (labels, value, timestamp) in series.exemplars() {
            match labels {
                Ok(labels) => self.exemplar(pairs, labels, value, timestamp),
                Err(error) => drop(self.first_refusal.get_or_insert(error.to_string())),
            }
        }
    }

    /// Adds a series that owns its texts, with its exemplars.
    pub fn time_series(&mut self, series: &TimeSeries) {
        let pairs = pairs_of(&series.labels);
        if self.series(Ok(&pairs), &series.samples, &series.histograms).is_some() {
            for exemplar in &series.exemplars {
                self.exemplar(&pairs, &pairs_of(&exemplar.labels), exemplar.value, exemplar.timestamp);
            }
        }
    }

    /// Adds the samples and the histograms of a series; gives its labels, if they are some.
    fn series<'p>(
        &mut self,
        pairs: Result<&'p [Pair<'p>], String>,
        samples: &[Sample],
        histograms: &[NativeHistogram],
    ) -> Option<&'p [Pair<'p>]> {
        let mut buffer = std::mem::take(&mut self.labels);
        let checked = pairs.and_then(|pairs| labels(pairs, &mut buffer).map(|labels| (pairs, labels)));
        let pairs = match checked {
            Ok((pairs, labels)) => {
                self.add(labels, samples, histograms);
                Some(pairs)
            }
            Err(reason) => {
                self.refuse("labels", samples.len() + histograms.len());
                self.first_refusal.get_or_insert(reason);
                None
            }
        };
        self.labels = buffer;
        pairs
    }

    fn add(&mut self, labels: LabelsRef<'_>, samples: &[Sample], histograms: &[NativeHistogram]) {
        let latest_ms = self.latest_ms;
        for sample in samples.iter().filter(|sample| sample.timestamp > latest_ms) {
            self.refuse_ahead(labels, sample.timestamp);
        }
        let in_time = samples.iter().filter(|sample| sample.timestamp <= latest_ms);
        let (starts, created) = (self.server.0.settings.start_timestamps, self.created);
        let samples = in_time.map(|sample| streamflow_tsdb::Sample {
            timestamp: sample.timestamp,
            start: start_of(starts, sample.start_timestamp, created),
            value: Value::Float(sample.value),
        });
        let (metrics, by) = (&self.server.0.metrics, self.by);
        self.samples += self.batch.add_all(labels, samples, |error| {
            metrics.count_refused(by, reason(&error), 1);
            self.first_refusal.get_or_insert_with(|| format!("{error}; series {}", labels.to_labels()));
        });
        for message in histograms {
            match message.read() {
                Ok(histogram) => self.histogram(labels, message, histogram),
                Err(error) => self.refuse_one(labels, "invalid_histogram", &error),
            }
        }
    }

    fn histogram(&mut self, labels: LabelsRef<'_>, message: &NativeHistogram, histogram: Histogram) {
        let timestamp = message.timestamp;
        if timestamp > self.latest_ms {
            return self.refuse_ahead(labels, timestamp);
        }
        let starts = self.server.0.settings.start_timestamps;
        let start = start_of(starts, message.start_timestamp, self.created);
        let value = Value::Histogram(Arc::new(histogram));
        match self.batch.add_sample(&labels.to_labels(), streamflow_tsdb::Sample { timestamp, start, value })
        {
            Ok(_) => self.histograms += 1,
            Err(error) => self.refuse_one(labels, reason(&error), &error),
        }
    }

    fn refuse_one(&mut self, labels: LabelsRef<'_>, reason: &str, error: &dyn std::error::Error) {
        self.refuse(reason, 1);
        self.first_refusal.get_or_insert_with(|| format!("{error}; series {}", labels.to_labels()));
    }

    fn refuse_ahead(&mut self, labels: LabelsRef<'_>, timestamp_ms: i64) {
        self.refuse("out_of_bounds", 1);
        let latest_ms = self.latest_ms;
        self.first_refusal.get_or_insert_with(|| {
            format!(
                "out of bounds: the sample's time {timestamp_ms} is more than ten minutes ahead of this server's clock; \
                 expected at most {latest_ms}; check the sender's clock; series {}",
                labels.to_labels()
            )
        });
    }

    /// One that is too far ahead is left out, as its sample is: the newest are kept, and it would stay the newest.
    fn exemplar(&mut self, series: &[Pair<'_>], labels: &[Pair<'_>], value: f64, timestamp_ms: i64) {
        if timestamp_ms > self.latest_ms {
            return;
        }
        let labels = Labels::new(labels.iter().copied());
        self.exemplars.push((Labels::new(series.iter().copied()), Exemplar { labels, value, timestamp_ms }));
    }

    fn refuse(&self, reason: &str, samples: usize) {
        self.server.0.metrics.count_refused(self.by, reason, u64::try_from(samples).unwrap_or(u64::MAX));
    }

    /// Makes the samples last; exemplars follow them.
    pub fn commit(self) -> Written {
        if let Err(error) = self.batch.commit() {
            tracing::error!("cannot keep samples that were sent: {error}");
            let refusal = Some((StatusCode::INTERNAL_SERVER_ERROR, error.to_string()));
            return Written { refusal, ..Written::default() };
        }
        self.server.0.metrics.count_written(self.by, self.samples + self.histograms);
        let kept = &self.server.0.exemplars;
        let exemplars =
            self.exemplars.into_iter().filter(|(series, one)| kept.add(series, one.clone())).count();
        let refusal = self.first_refusal.map(|reason| (StatusCode::BAD_REQUEST, reason));
        let (samples, histograms) = (self.samples, self.histograms);
        Written { samples, histograms, exemplars: exemplars as u64, refusal }
    }
}

/// The start timestamp of a sample: its own, else that of its series.
fn start_of(wanted: bool, own: i64, of_series: i64) -> i64 {
    match own {
        _ if !wanted => NO_START,
        0 => of_series,
        own => own,
    }
}

/// What became of a request.
#[derive(Default)]
pub(super) struct Written {
    samples: u64,
    histograms: u64,
    exemplars: u64,
    pub refusal: Option<(StatusCode, String)>,
}

impl Written {
    fn refused(reason: String) -> Self {
        Self { refusal: Some((StatusCode::BAD_REQUEST, reason)), ..Self::default() }
    }

    fn response(self) -> Response {
        let counts = [
            ("X-Prometheus-Remote-Write-Samples-Written", self.samples),
            ("X-Prometheus-Remote-Write-Histograms-Written", self.histograms),
            ("X-Prometheus-Remote-Write-Exemplars-Written", self.exemplars),
        ]
        .map(|(name, count)| (name, count.to_string()));
        match self.refusal {
            None => (StatusCode::NO_CONTENT, counts).into_response(),
            Some((status, message)) => (counts, error::plain(status, &message)).into_response(),
        }
    }
}

fn reason(error: &AppendError) -> &'static str {
    match error {
        AppendError::OutOfOrder { .. } => "out_of_order",
        AppendError::DuplicateTimestamp { .. } => "duplicate_timestamp",
        AppendError::TooOld { .. } => "too_old",
        AppendError::Histogram(_) => "invalid_histogram",
        AppendError::NoLabels => "labels",
        AppendError::UnknownSeries(_) => "unknown_series",
    }
}

/// The labels of a series; the error says what is wrong with them.
fn labels<'b>(pairs: &[Pair<'_>], buffer: &'b mut LabelsBuffer) -> Result<LabelsRef<'b>, String> {
    let labels = buffer.set(pairs);
    if labels.iter().count() == pairs.len() && pairs.iter().any(|(name, _)| *name == METRIC_NAME) {
        // As many as were given, one of them the metric's name: none is given twice.
        if pairs.iter().all(|(name, _)| !name.is_empty()) {
            return Ok(labels);
        }
    }
    let series = labels.to_labels();
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("label {:?} is given twice; series {series}", pair[0]));
    }
    if names.first().is_some_and(|name| name.is_empty()) {
        return Err(format!("a label without a name; series {series}"));
    }
    if series.get(METRIC_NAME).is_none() {
        return Err(format!("a series needs a metric name; series {series}"));
    }
    Ok(labels)
}

fn pairs_of(labels: &[Label]) -> Vec<Pair<'_>> {
    labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect()
}

fn value_of<'a>(pairs: &[Pair<'a>], name: &str) -> &'a str {
    pairs.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
}
