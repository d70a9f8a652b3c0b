//! The built web console inside the binary: hashed files for ever, `index.html` never from a cache.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// `console/dist`, built by `make`. Empty in a build without it.
#[derive(RustEmbed)]
#[folder = "../../console/dist"]
struct Files;

/// Nothing from elsewhere, no inline script and no inline style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-src 'self'; font-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>StreamFlow</title>\
<h1>StreamFlow is running</h1><p>This binary was built without the web console. Build both with <code>make build</code> \
(it needs Node 20 or newer), or ask the API: <a href=\"api/v1/query?query=up\">api/v1/query?query=up</a>, \
<a href=\"metrics\">metrics</a>.</p>";

/// Any path that no other route answers: a file of the console, or its page, whose script reads the path itself.
pub async fn serve(State(prefix): State<std::sync::Arc<str>>, method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    // What is asked of the API by mistake must not be answered with a page.
    if path.starts_with("api/") || path.starts_with("-/") {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    match Files::get(path).filter(|_| path != "index.html" && !path.is_empty()) {
        Some(file) => asset(path, file),
        None if path.contains('.') && !path.ends_with(".html") => {
            (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
        }
        None => page(&prefix),
    }
}

/// The console's page.
pub async fn home(State(prefix): State<std::sync::Arc<str>>) -> Response {
    page(&prefix)
}

fn asset(path: &str, file: EmbeddedFile) -> Response {
    let content_type = match path.rsplit('.').next().unwrap_or_default() {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    };
    // Vite names what it builds by its contents.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, file.data.into_owned()).into_response()
}

fn page(prefix: &str) -> Response {
    let html = match Files::get("index.html") {
        // Every address in the page is relative to this one, so that it works behind any path.
        Some(file) => {
            let page = String::from_utf8_lossy(&file.data);
            page.replacen("<head>", &format!("<head><base href=\"{prefix}/\">"), 1)
        }
        None => NOT_BUILT.to_owned(),
    };
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
