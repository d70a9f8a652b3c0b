//! `POST /api/v1/read`: raw samples for another server, which has this one as `remote_read`.
//!
//! A stream of chunks is made while it is sent, so that an answer of any size takes little memory; samples are answered
//! whole, as many as a query may hold.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use streamflow_exposition::remote_read::{
    CHUNK_SAMPLES, Chunk, ChunkedReadResponse, ChunkedSeries, LabelMatcher, QueryResult, ReadRequest,
    ReadResponse, SAMPLES, STREAMED_XOR_CHUNKS, decode, encode, frame, sample,
};
use streamflow_exposition::remote_write::{Label, NativeHistogram, TimeSeries};
use streamflow_histogram::Histogram;
use streamflow_tsdb::{Labels, MatchOp, Matcher, Samples, Series, Value};
use tokio::sync::mpsc;

use super::error::{self, ApiError, ErrorKind};
use super::query_slots::Budget;
use super::write::whole;
use crate::Handle;

/// What a stream's answer is called.
pub(super) const STREAMED: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
/// Bytes of chunks after which a frame is sent: Prometheus's default.
const FRAME_BYTES: usize = 1 << 20;
/// Frames that wait for the client.
const FRAMES_WAITING: usize = 2;

/// A query of a request: its matchers, and the first and the last millisecond.
struct Selection {
    matchers: Vec<Matcher>,
    min_ms: i64,
    max_ms: i64,
}

/// `POST /api/v1/read`
pub async fn read(State(server): State<Handle>, body: Body) -> Response {
    let body = match whole(body, server.0.settings.limits.write_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let request = match decode(&body, &server.0.settings.limits.write) {
        Ok(request) => request,
        Err(error) => return error::plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let external = server.applied().external_labels.clone();
    let selections = match selections(&request, &external) {
        Ok(selections) => selections,
        Err(reason) => return error::plain(StatusCode::BAD_REQUEST, &reason),
    };
    match response_type(&request) {
        Some(STREAMED_XOR_CHUNKS) => streamed(server, selections, external),
        Some(_) => samples(server, selections, external).await,
        None => {
            let reason = format!(
                "none of the response types {:?} is answered; expected SAMPLES (0) or STREAMED_XOR_CHUNKS (1)",
                request.accepted_response_types
            );
            error::plain(StatusCode::BAD_REQUEST, &reason)
        }
    }
}

/// The first that is known; a request that names none wants samples.
fn response_type(request: &ReadRequest) -> Option<i32> {
    let accepted = &request.accepted_response_types;
    let mut known = accepted.iter().copied().filter(|kind| [SAMPLES, STREAMED_XOR_CHUNKS].contains(kind));
    if accepted.is_empty() { Some(SAMPLES) } else { known.next() }
}

fn selections(request: &ReadRequest, external: &Labels) -> Result<Vec<Selection>, String> {
    let selections = request.queries.iter().map(|query| {
        // Series here have no external labels, and the server that asks may ask for them.
        let asked = query.matchers.iter();
        let asked = asked.filter(|one| one.kind != 0 || external.get(&one.name) != Some(one.value.as_str()));
        let matchers = asked.map(matcher).collect::<Result<Vec<_>, _>>()?;
        Ok(Selection { matchers, min_ms: query.start_timestamp_ms, max_ms: query.end_timestamp_ms })
    });
    selections.collect()
}

fn matcher(asked: &LabelMatcher) -> Result<Matcher, String> {
    let op = match asked.kind {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        other => return Err(format!("the matcher type {other} is not known; expected 0 to 3")),
    };
    Matcher::new(&asked.name, op, &asked.value).map_err(|error| error.to_string())
}

/// The labels of a series with the external ones that it has not.
fn labels(series: &Labels, external: &Labels) -> Vec<Label> {
    let added = external.iter().filter(|(name, _)| series.get(name).is_none());
    let mut labels: Vec<Label> = series
        .iter()
        .chain(added)
        .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
        .collect();
    labels.sort_by(|a, b| a.name.cmp(&b.name));
    labels
}

fn checked(budget: &Budget) -> Result<(), ApiError> {
    match budget.stop() {
        None => Ok(()),
        Some(_) => {
            Err(ApiError::new(ErrorKind::Timeout, "the read took longer than it may, or its client has gone"))
        }
    }
}

/// Samples, and the buckets of those that are histograms.
fn weight(samples: &Samples) -> usize {
    let of = |histogram: &Arc<Histogram>| histogram.positive.counts.len() + histogram.negative.counts.len();
    samples.len() + samples.histograms.iter().map(of).sum::<usize>()
}

fn whole_series(labels: Vec<Label>, samples: &Samples) -> TimeSeries {
    let mut series = TimeSeries { labels, ..TimeSeries::default() };
    for (timestamp, value) in samples.values() {
        match value {
            Value::Float(value) => series.samples.push(sample((timestamp, value))),
            Value::Histogram(one) => series.histograms.push(NativeHistogram::of(&one, timestamp)),
        }
    }
    series
}

async fn samples(server: Handle, selections: Vec<Selection>, external: Labels) -> Response {
    let worker = server.clone();
    let limit = server.0.settings.query_max_samples;
    let work = move |budget: &Budget| {
        let (mut response, mut found, mut buffer) = (ReadResponse::default(), 0, Samples::default());
        for selection in selections {
            let mut result = QueryResult::default();
            for series in worker.0.db.select(&selection.matchers, selection.min_ms, selection.max_ms)? {
                checked(budget)?;
                series.read(&mut buffer)?;
                found += weight(&buffer);
                if found > limit {
                    let reason = format!(
                        "the read has more than {limit} samples and buckets; ask for fewer, or for a stream"
                    );
                    return Err(ApiError::bad_data(reason));
                }
                result.timeseries.push(whole_series(labels(series.labels(), &external), &buffer));
            }
            response.results.push(result);
        }
        Ok(encode(&response))
    };
    match server.in_query_slot(work).await {
        Ok(body) => {
            let headers =
                [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
            (headers, body).into_response()
        }
        Err(ApiError { kind: ErrorKind::BadData, message }) => {
            error::plain(StatusCode::BAD_REQUEST, &message)
        }
        Err(ApiError { kind: ErrorKind::Timeout, message }) => {
            error::plain(StatusCode::SERVICE_UNAVAILABLE, &message)
        }
        Err(ApiError { message, .. }) => error::plain(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

fn streamed(server: Handle, selections: Vec<Selection>, external: Labels) -> Response {
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING);
    tokio::spawn(async move {
        let (worker, frames) = (server.clone(), sender.clone());
        let work = move |budget: &Budget| {
            let send = |frame: Vec<u8>| {
                checked(budget)?;
                let sent = frames.blocking_send(Ok(frame.into()));
                sent.map_err(|_| ApiError::new(ErrorKind::Canceled, "the client has gone"))
            };
            for (index, selection) in selections.iter().enumerate() {
                let series = worker.0.db.select(&selection.matchers, selection.min_ms, selection.max_ms)?;
                for one in series {
                    stream_series(&one, index, &external, &send)?;
                }
            }
            Ok(())
        };
        if let Err(error) = server.in_query_slot(work).await {
            // What is cut off is no answer: the client sees a broken body.
            let _ = sender.send(Err(std::io::Error::other(error.message))).await;
        }
    });
    ([(header::CONTENT_TYPE, STREAMED)], Body::new(Frames(receiver))).into_response()
}

/// The frames of one series.
fn stream_series(
    series: &Series,
    query_index: usize,
    external: &Labels,
    send: &dyn Fn(Vec<u8>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let mut samples = Samples::default();
    series.read(&mut samples)?;
    let labels = labels(series.labels(), external);
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    let mut rest = chunks_of(&samples).peekable();
    while let Some(chunk) = rest.next() {
        bytes += chunk.data.len();
        chunks.push(chunk);
        if bytes >= FRAME_BYTES || rest.peek().is_none() {
            bytes = 0;
            let series = ChunkedSeries { labels: labels.clone(), chunks: std::mem::take(&mut chunks) };
            send(frame(&ChunkedReadResponse {
                chunked_series: vec![series],
                query_index: i64::try_from(query_index).unwrap_or(i64::MAX),
            }))?;
        }
    }
    Ok(())
}

/// Numbers that follow each other share chunks; a histogram has its own.
fn chunks_of(samples: &Samples) -> impl Iterator<Item = Chunk> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let (&timestamp, &first) = samples.timestamps.get(start).zip(samples.values.get(start))?;
        if let Some(histogram) = samples.histogram(first) {
            start += 1;
            return Some(Chunk::of_histogram(timestamp, histogram));
        }
        let rest = samples.iter().skip(start).take(CHUNK_SAMPLES);
        let numbers: Vec<(i64, f64)> =
            rest.take_while(|(_, value)| samples.histogram(*value).is_none()).collect();
        start += numbers.len();
        Some(Chunk::of(&numbers))
    })
}

/// A body of frames as they come.
struct Frames(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|frame| frame.map(|frame| frame.map(Frame::data)))
    }
}
