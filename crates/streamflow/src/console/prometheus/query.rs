//! `query`, `query_range`, `query_exemplars`, `format_query`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use streamflow_promql::{Answer as QueryAnswer, Engine, EngineOptions, Query, Value, parse};

use super::PrometheusState;
use super::answer::{Answer, Success};
use super::error::ApiError;
use super::json;
use super::parameters::Parameters;
use super::query_slots::Budget;

/// Most steps of a range query after its first.
pub const POINTS_MAX: usize = 11_000;
/// The warning beside an answer that `limit` has cut.
pub const TRUNCATED: &str = "results truncated due to limit";

/// The system's clock, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What all queries are asked with.
struct Asked {
    query: String,
    timeout: Duration,
    limit: Option<usize>,
    stats: bool,
    engine: Option<Engine>,
}

impl Asked {
    fn read(state: &PrometheusState, parameters: &Parameters) -> Result<Self, ApiError> {
        let most = state.limits.query_timeout;
        let timeout = parameters.duration("timeout")?.map_or(most, |timeout| timeout.to_std().min(most));
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let engine = parameters.duration("lookback_delta")?.map(|lookback| {
            let lookback_ms = lookback.0 as i64;
            Engine::new(EngineOptions { lookback_ms, ..state.engine_options.clone() })
        });
        Ok(Self {
            query: parameters.get("query").to_owned(),
            timeout,
            limit: parameters.limit()?,
            stats: !parameters.get("stats").is_empty(),
            engine,
        })
    }
}

/// `GET|POST /api/v1/query`
pub async fn instant(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let time_ms = parameters.time_or("time", now_ms())?;
    let asked = Asked::read(&state, &parameters)?;
    run(state, asked, time_ms, move |state, asked, budget| {
        let engine = asked.engine.as_ref().unwrap_or(&state.engine);
        let query = Query::parse(engine, &asked.query)?;
        Ok(query.instant(engine, &state.db, time_ms, &|| budget.stop())?)
    })
    .await
}

/// `GET|POST /api/v1/query_range`
pub async fn range(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let (start_ms, end_ms) = (parameters.time("start")?, parameters.time("end")?);
    // Of an end before the start Prometheus tells first, of a step that cannot be read second.
    let step = parameters.required_duration("step");
    let grid = state.engine.grid(start_ms, end_ms, step.as_ref().map_or(f64::INFINITY, |step| step.0))?;
    step?;
    let asked = Asked::read(&state, &parameters)?;
    run(state, asked, end_ms, move |state, asked, budget| {
        let engine = asked.engine.as_ref().unwrap_or(&state.engine);
        let query = Query::parse(engine, &asked.query)?;
        Ok(query.range(engine, &state.db, grid, &|| budget.stop())?)
    })
    .await
}

async fn run(
    state: PrometheusState,
    asked: Asked,
    time_ms: i64,
    evaluate: impl FnOnce(&PrometheusState, &Asked, &Budget) -> Result<QueryAnswer, ApiError> + Send + 'static,
) -> Answer {
    let timer = state.metrics.start_query();
    let worker = state.clone();
    let result = state.slots.run(asked.timeout, move |budget| {
        let mut answer = evaluate(&worker, &asked, budget)?;
        if truncate(&mut answer.value, asked.limit) {
            answer.warnings.push(TRUNCATED.to_owned());
        }
        Ok(response(&answer, &asked, time_ms, budget))
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

fn response(answer: &QueryAnswer, asked: &Asked, time_ms: i64, budget: &Budget) -> Response {
    let evaluated = budget.elapsed();
    let success = Success::with(|out| {
        out.push(b'{');
        json::value(out, &answer.value, time_ms);
        if asked.stats {
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

/// `GET|POST /api/v1/query_exemplars`: checked as a query is; no exemplars are kept.
pub async fn exemplars(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let (start, end) = (parameters.time_or("start", i64::MIN)?, parameters.time_or("end", i64::MAX)?);
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let work = move |_: &_| {
        parse(parameters.get("query")).map_err(|error| ApiError::bad_data(error.to_string()))?;
        Ok(Success::with(|out| out.extend_from_slice(b"[]")).into_response())
    };
    state.slots.run(state.limits.query_timeout, work).await
}

/// `GET|POST /api/v1/format_query`
pub async fn format(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let work = move |_: &_| {
        let formatted = streamflow_promql::format(&parse(parameters.get("query"))?);
        Ok(Success::with(|out| json::string(out, &formatted)).into_response())
    };
    state.slots.run(state.limits.query_timeout, work).await
}
