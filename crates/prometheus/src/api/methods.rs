//! Which methods a route takes, and what the others are answered.

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::error;
use crate::Handle;

/// A route that is read by GET or, when the parameters are long, by POST.
pub fn get_or_post<T: 'static>(handler: impl Handler<T, Handle>) -> MethodRouter<Handle> {
    MethodRouter::new()
        .get(handler.clone())
        .post(handler)
        .head(async || refused("GET, OPTIONS, POST"))
        .fallback(async || refused("GET, OPTIONS, POST"))
}

/// A route that is read by GET only.
pub fn get<T: 'static>(handler: impl Handler<T, Handle>) -> MethodRouter<Handle> {
    MethodRouter::new()
        .get(handler)
        .head(async || refused("GET, OPTIONS"))
        .fallback(async || refused("GET, OPTIONS"))
}

/// A route that is written to.
pub fn post<T: 'static>(handler: impl Handler<T, Handle>) -> MethodRouter<Handle> {
    MethodRouter::new().post(handler).fallback(async || refused("OPTIONS, POST"))
}

/// A route that commands something.
pub fn post_or_put<T: 'static>(handler: impl Handler<T, Handle>) -> MethodRouter<Handle> {
    MethodRouter::new().post(handler.clone()).put(handler).fallback(async || refused("OPTIONS, POST, PUT"))
}

fn refused(allowed: &'static str) -> Response {
    let mut response = error::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Whether a browser sends this from a page of another site: such a request must not change anything.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    // What is no text names no host, so it is not taken for ours.
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text(header::ORIGIN) {
        // Programs send no Origin; browsers do with every request that is not GET or HEAD.
        None => false,
        Some(origin) => {
            // A proxy tells the host that the browser asked for.
            let asked =
                text(header::HeaderName::from_static("x-forwarded-host")).or_else(|| text(header::HOST));
            let site = origin.split_once("://").zip(asked);
            site.is_none_or(|((scheme, site), asked)| !is_same_host(scheme, site, asked))
        }
    }
}

/// Whether both name one host and port; a browser leaves the port out that the scheme has by default.
fn is_same_host(scheme: &str, one: &str, other: &str) -> bool {
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
    bare(one) == bare(other)
}

/// Refuses what a page of another origin sends: a browser marks it, and other clients send no such mark.
pub async fn same_origin(request: Request, next: Next) -> Response {
    if is_cross_site(request.headers()) {
        return error::plain(StatusCode::FORBIDDEN, "a page of another origin may only read");
    }
    next.run(request).await
}

/// Nothing is served at this path.
pub async fn not_found() -> Response {
    error::plain(StatusCode::NOT_FOUND, "404 page not found")
}

/// Lets pages of any origin read the API, as Prometheus does unless told otherwise, and answers OPTIONS.
///
/// Written here rather than taken from tower-http: a preflight is answered 204, and a request without an origin
/// gets no header.
pub async fn cross_origin(request: Request, next: Next) -> Response {
    let crosses = request.headers().contains_key(header::ORIGIN);
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    if crosses {
        let headers = response.headers_mut();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_apart() {
        for (sent, expected) in [
            (&[("host", "localhost:9090")][..], false),
            (&[("host", "localhost:9090"), ("origin", "http://localhost:9090")], false),
            (&[("host", "localhost:9090"), ("origin", "http://evil.example")], true),
            (&[("host", "localhost:9090"), ("origin", "null")], true),
            (&[("host", "ops.example:443"), ("origin", "https://ops.example")], false),
            (&[("host", "OPS.example"), ("origin", "http://ops.example")], false),
            (&[("host", "ops.example:80"), ("origin", "https://ops.example")], true),
            (&[("host", "ops.example:443"), ("origin", "http://ops.example")], true),
            (
                &[
                    ("host", "inner:9090"),
                    ("x-forwarded-host", "ops.example"),
                    ("origin", "https://ops.example"),
                ],
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_cross_site(&headers), expected, "{sent:?}");
        }
    }
}
