//! `series`, `labels`, `label/NAME/values`: what there is to query.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use streamflow_promql::parse_selector;
use streamflow_tsdb::{Matcher, Texts};

use super::answer::{Answer, Success};
use super::error::ApiError;
use super::json;
use super::parameters::{Parameters, TIME_LIMIT_MS};
use super::query::TRUNCATED;
use crate::Handle;

const EMPTY_SELECTOR: &str = "match[] must contain at least one non-empty matcher";

/// Series that are written together,
const PIECE_SERIES: usize = 4096;
/// and the bytes that one takes mostly.
const SERIES_BYTES: usize = 128;

/// Selectors (a series of any of them is meant) and the time range, both ends included.
struct Selection {
    selectors: Vec<Vec<Matcher>>,
    min_ms: i64,
    max_ms: i64,
}

impl Selection {
    fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let selection = Self {
            selectors: selectors(parameters)?,
            min_ms: parameters.time_or("start", -TIME_LIMIT_MS)?,
            max_ms: parameters.time_or("end", TIME_LIMIT_MS)?,
        };
        Ok(selection)
    }
}

/// All `match[]`, as matchers.
///
/// # Errors
/// When one is no selector, or selects everything there is.
pub(super) fn selectors(parameters: &Parameters) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let selectors = parameters.all("match[]").map(|text| {
        let selector = parse_selector(text).map_err(|error| ApiError::bad_data(error.to_string()))?;
        if selector.iter().all(|matcher| matcher.matches("")) {
            return Err(ApiError::bad_data(EMPTY_SELECTOR));
        }
        Ok(selector)
    });
    selectors.collect()
}

/// `GET|POST /api/v1/series`
pub async fn series(State(server): State<Handle>, parameters: Parameters) -> Answer {
    parameters.well_formed()?;
    if parameters.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let limit = parameters.limit()?;
    // Only here does a bad selector name its parameter.
    selectors(&parameters).map_err(|error| ApiError::invalid_parameter("match[]", &error.message))?;
    let Selection { selectors, min_ms, max_ms } = Selection::read(&parameters)?;
    let worker = server.clone();
    let work = move |_: &_| {
        let mut series = worker.0.db.series(&selectors, min_ms, max_ms)?;
        let warnings = warnings(series.len(), limit);
        series.truncate(limit.unwrap_or(usize::MAX));
        let success = Success::in_pieces(|out| {
            out.push(b'[');
            json::pieces(&series, PIECE_SERIES, |piece, out| {
                out.reserve(piece.len() * SERIES_BYTES);
                json::list(out, piece, json::labels);
            })
        });
        Ok(success.and(|out| out.push(b']')).beside("warnings", &warnings).into_response())
    };
    server.in_query_slot(work).await
}

/// `GET|POST /api/v1/labels`
pub async fn label_names(State(server): State<Handle>, parameters: Parameters) -> Answer {
    parameters.well_formed()?;
    let limit = parameters.limit()?;
    let Selection { selectors, min_ms, max_ms } = Selection::read(&parameters)?;
    let worker = server.clone();
    let work = move |_: &_| Ok(texts(worker.0.db.label_names(&selectors, min_ms, max_ms)?, limit));
    server.in_query_slot(work).await.map(Success::into_response)
}

/// `GET /api/v1/label/NAME/values`
pub async fn label_values(
    State(server): State<Handle>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Answer {
    parameters.well_formed()?;
    let name = label_name(&name)?;
    let limit = parameters.limit()?;
    let Selection { selectors, min_ms, max_ms } = Selection::read(&parameters)?;
    let worker = server.clone();
    let work = move |_: &_| Ok(texts(worker.0.db.label_values(&name, &selectors, min_ms, max_ms)?, limit));
    server.in_query_slot(work).await.map(Success::into_response)
}

fn texts(mut texts: Texts, limit: Option<usize>) -> Success {
    let warnings = warnings(texts.len(), limit);
    texts.truncate(limit.unwrap_or(usize::MAX));
    Success::with(|out| json::strings(out, texts.iter())).beside("warnings", &warnings)
}

/// A warning when something of a list is lost to the limit.
fn warnings(length: usize, limit: Option<usize>) -> Vec<String> {
    limit.filter(|limit| length > *limit).map(|_| TRUNCATED.to_owned()).into_iter().collect()
}

/// The label that a path means: any name but the empty one.
fn label_name(path: &str) -> Result<String, ApiError> {
    let name = unescape(path);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    Ok(name)
}

/// `U__my_2e_label` is `my.label`. Anything else is the name itself.
fn unescape(name: &str) -> String {
    fn unescaped(escaped: &str) -> Option<String> {
        let mut name = String::with_capacity(escaped.len());
        let mut rest = escaped;
        while let Some((plain, after)) = rest.split_once('_') {
            name.push_str(plain);
            if let Some(after) = after.strip_prefix('_') {
                name.push('_');
                rest = after;
            } else {
                let (hex, after) = after.split_once('_')?;
                let well_formed = (1..=6).contains(&hex.len()) && !hex.starts_with('+');
                name.push(
                    u32::from_str_radix(hex, 16).ok().filter(|_| well_formed).and_then(char::from_u32)?,
                );
                rest = after;
            }
        }
        name.push_str(rest);
        Some(name)
    }
    name.strip_prefix("U__").and_then(unescaped).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn names_are_unescaped() {
        for (path, expected) in [
            ("job", "job"),
            ("U__my_2e_label", "my.label"),
            ("U__a__b", "a_b"),
            ("U___e9_t_e9_", "été"),
            ("U__", ""),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_2e", "U__a_2e"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_+2_", "U__a_+2_"),
        ] {
            assert_eq!(unescape(path), expected, "{path}");
        }
    }
}
