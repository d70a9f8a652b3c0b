//! gzip of answers.

use std::io::Write as _;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;

use super::error::ApiError;
use super::{notifications, read};

/// Smaller bodies fit a packet either way.
const SMALLEST_BYTES: usize = 1024;
/// Content types of answers that are sent piece by piece.
const STREAMS: [&str; 2] = [read::STREAMED, notifications::STREAMED];
/// From this size on compressing takes long enough to be done apart from the connections.
const LARGE_BYTES: usize = 32 << 10;

/// Compresses the answer when it is worth it and the client accepts it.
pub async fn gzip(request: Request, next: Next) -> Response {
    let accepted = accepts_gzip(request.headers());
    let response = next.run(request).await;
    // What is sent piece by piece is not collected first.
    let is_stream = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| STREAMS.iter().any(|one| kind == one));
    if !accepted || is_stream || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    match compressed(response).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn compressed(response: Response) -> Result<Response, ApiError> {
    let (mut head, body) = response.into_parts();
    // The answers of this API are whole in memory already: collecting copies nothing.
    let body = body.collect().await.map_err(ApiError::internal)?.to_bytes();
    if body.len() < SMALLEST_BYTES {
        return Ok(Response::from_parts(head, Body::from(body)));
    }
    let body = if body.len() < LARGE_BYTES {
        encode(&body)
    } else {
        tokio::task::spawn_blocking(move || encode(&body)).await.map_err(ApiError::internal)?
    };
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Ok(Response::from_parts(head, Body::from(body)))
}

fn encode(body: &Bytes) -> Vec<u8> {
    // The fastest level: samples shrink to a tenth at it already, and the client waits.
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("a vector grows")
}

/// Whether `Accept-Encoding` names gzip, or everything, with a quality above zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let quality = |wanted: &str| {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).find_map(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f64>);
            name.trim().eq_ignore_ascii_case(wanted).then(|| weight.unwrap_or(0.0))
        })
    };
    quality("gzip").or_else(|| quality("*")).is_some_and(|quality| quality > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_want_it() {
        for (accept, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("gzip;q=x", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(accepts_gzip(&headers), expected, "{accept}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
