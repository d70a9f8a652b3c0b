//! `query`, `query_range`, `query_exemplars`, `format_query`.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use streamflow_promql::{
    Answer as QueryAnswer, Engine, EngineOptions, Query, SourceResolution, Value, parse,
};
use streamflow_tsdb::{Labels, Resolution};

use super::answer::{Answer, Success};
use super::error::ApiError;
use super::json;
use super::parameters::{Parameters, parse_duration};
use super::parse_query::selectors;
use super::query_slots::Budget;
use crate::exemplars::Exemplar;
use crate::{Handle, now_ms};

/// Most steps of a range query after its first.
pub const POINTS_MAX: usize = 11_000;
/// The warning beside an answer that `limit` has cut.
pub const TRUNCATED: &str = "results truncated due to limit";

/// What every query comes with.
struct QueryRequest {
    text: String,
    timeout: Duration,
    limit: Option<usize>,
    stats: bool,
    engine: Engine,
}

impl QueryRequest {
    fn read(server: &Handle, parameters: &Parameters) -> Result<Self, ApiError> {
        let most = server.0.settings.limits.query_timeout;
        let timeout = parameters.duration("timeout")?.map_or(most, |timeout| timeout.to_std().min(most));
        let options = server.engine_options();
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let lookback = parameters.duration("lookback_delta")?.map(|lookback| lookback.0 as i64);
        let lookback_ms = lookback.unwrap_or(options.lookback_ms);
        Ok(Self {
            text: parameters.get("query").to_owned(),
            timeout,
            limit: parameters.limit()?,
            stats: !parameters.get("stats").is_empty(),
            engine: Engine::new(EngineOptions {
                lookback_ms,
                max_source_resolution: source_resolution(parameters)?,
                ..options
            }),
        })
    }
}

/// `max_source_resolution`: Thanos's word for the coarsest aggregates that may stand in for samples that are gone. A duration
/// means the coarsest that is not longer.
fn source_resolution(parameters: &Parameters) -> Result<SourceResolution, ApiError> {
    const NAME: &str = "max_source_resolution";
    let text = parameters.get(NAME);
    if text.is_empty() || text == "auto" {
        return Ok(SourceResolution::Auto);
    }
    let longest = parse_duration(text).map_err(|_| {
        ApiError::invalid_parameter(NAME, &format!("{text:?} is none; expected 0s, 5m, 1h or auto"))
    })?;
    let is_at_least = |resolution: Resolution| longest.0 >= resolution.ms() as f64;
    Ok(if is_at_least(Resolution::OneHour) {
        SourceResolution::OneHour
    } else if is_at_least(Resolution::FiveMinutes) {
        SourceResolution::FiveMinutes
    } else {
        SourceResolution::Raw
    })
}

/// `GET|POST /api/v1/query`
pub async fn instant(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let time_ms = parameters.time_or("time", now_ms())?;
    let request = QueryRequest::read(&server, &parameters)?;
    run(server, request, time_ms, move |server, request, budget| {
        let engine = &request.engine;
        let query = Query::parse(engine, &request.text)?;
        Ok(query.instant(engine, &server.0.db, time_ms, &|| budget.stop())?)
    })
    .await
}

/// `GET|POST /api/v1/query_range`
pub async fn range(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let (start_ms, end_ms) = (parameters.time("start")?, parameters.time("end")?);
    // Of an end before the start Prometheus tells first, of a step that cannot be read second.
    let step = parameters.required_duration("step");
    let width = step.as_ref().map_or(f64::INFINITY, |step| step.0);
    let grid = Engine::new(server.engine_options()).grid(start_ms, end_ms, width)?;
    step?;
    let request = QueryRequest::read(&server, &parameters)?;
    run(server, request, end_ms, move |server, request, budget| {
        let engine = &request.engine;
        let query = Query::parse(engine, &request.text)?;
        let answer = query.range(engine, &server.0.db, grid, &|| budget.stop());
        answer.map_err(|error| match error {
            streamflow_promql::Error::BadData(reason) => ApiError::invalid_parameter("query", &reason),
            other => other.into(),
        })
    })
    .await
}

async fn run(
    server: Handle,
    request: QueryRequest,
    time_ms: i64,
    evaluate: impl FnOnce(&Handle, &QueryRequest, &Budget) -> Result<QueryAnswer, ApiError> + Send + 'static,
) -> Answer {
    let timer = server.0.metrics.start_query();
    let worker = server.clone();
    let result = server.0.slots.run(request.timeout, move |budget| {
        let mut answer = evaluate(&worker, &request, budget)?;
        worker.0.metrics.count_older(answer.stats.aggregates_read);
        if truncate(&mut answer.value, request.limit) {
            answer.warnings.push(TRUNCATED.to_owned());
        }
        Ok(response(&answer, &request, time_ms, budget))
    });
    let result = result.await;
    timer.ended(result.is_ok());
    result
}

/// Cuts the series beyond `limit`.
fn truncate(value: &mut Value, limit: Option<usize>) -> bool {
    let Some(limit) = limit else { return false };
    let before = match value {
        Value::Vector(samples) => {
            let before = samples.len();
            samples.truncate(limit);
            before
        }
        Value::Matrix(series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
        Value::Scalar(_) | Value::String(_) => 0,
    };
    before > limit
}

fn response(answer: &QueryAnswer, request: &QueryRequest, time_ms: i64, budget: &Budget) -> Response {
    let evaluated = budget.elapsed();
    let success = Success::in_pieces(|out| {
        out.push(b'{');
        let pieces = match &answer.value {
            Value::Matrix(series) => json::matrix_pieces(out, series),
            _ => Vec::new(),
        };
        if pieces.is_empty() {
            json::value(out, &answer.value, time_ms);
        }
        pieces
    });
    let success = success.and(|out| {
        if request.stats {
            write_stats(out, answer, evaluated);
        }
        out.push(b'}');
    });
    success.beside("warnings", &answer.warnings).beside("infos", &answer.infos).into_response()
}

fn write_stats(out: &mut Vec<u8>, answer: &QueryAnswer, evaluated: Duration) {
    let seconds = evaluated.as_secs_f64();
    let stats = serde_json::json!({
        "timings": {
            "evalTotalTime": seconds,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": seconds,
            "execQueueTime": 0,
            "execTotalTime": seconds,
        },
        "samples": {
            "totalQueryableSamples": answer.stats.samples_read,
            "peakSamples": answer.stats.peak_samples,
        },
    });
    out.extend_from_slice(b",\"stats\":");
    out.extend_from_slice(stats.to_string().as_bytes());
}

/// `GET|POST /api/v1/query_exemplars`: the exemplars of all series that the query's selectors mean.
pub async fn exemplars(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let (start, end) = (parameters.time_or("start", i64::MIN)?, parameters.time_or("end", i64::MAX)?);
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let worker = server.clone();
    let work = move |_: &_| {
        let query = parse(parameters.get("query")).map_err(|error| ApiError::bad_data(error.to_string()))?;
        let found = worker.0.exemplars.select(&selectors(&query), start, end);
        Ok(Success::with(|out| write_exemplars(out, &found)).into_response())
    };
    server.in_query_slot(work).await
}

fn write_exemplars(out: &mut Vec<u8>, found: &[(Labels, Vec<Exemplar>)]) {
    out.push(b'[');
    json::list(out, found, |out, (series, exemplars)| {
        out.extend_from_slice(b"{\"seriesLabels\":");
        json::labels(out, series);
        out.extend_from_slice(b",\"exemplars\":[");
        json::list(out, exemplars, |out, exemplar| {
            out.extend_from_slice(b"{\"labels\":");
            json::labels(out, &exemplar.labels);
            out.extend_from_slice(b",\"value\":\"");
            json::number(out, exemplar.value);
            out.extend_from_slice(b"\",\"timestamp\":");
            json::timestamp(out, exemplar.timestamp_ms);
            out.push(b'}');
        });
        out.extend_from_slice(b"]}");
    });
    out.push(b']');
}

/// `GET|POST /api/v1/format_query`
pub async fn format(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let work = move |_: &_| {
        let formatted = streamflow_promql::format(&parse(parameters.get("query"))?);
        Ok(Success::with(|out| json::string(out, &formatted)).into_response())
    };
    server.in_query_slot(work).await
}
