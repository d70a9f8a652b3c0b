//! Any path with its query, and behind the first line any form: Prometheus's API answers, and never with a 500.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri, header};
use libfuzzer_sys::fuzz_target;
use streamflow_fuzz::{answer, runtime};
use streamflow_prometheus::{Server, Settings, Source};
use streamflow_tsdb::Labels;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Service {
    runtime: Runtime,
    router: Router,
    _server: Server,
    _folder: TempDir,
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let source = Source::BuiltIn { interval: Duration::from_secs(15), jobs: Vec::new(), rules: String::new() };
    let mut settings = Settings::new(folder.path().to_owned(), source);
    settings.query_max_samples = 100_000;
    settings.limits.query_timeout = Duration::from_secs(1);
    let runtime = runtime();
    let server = runtime.block_on(Server::open(settings)).expect("a store in an empty folder");
    let handle = server.handle();
    let mut batch = handle.db().batch();
    for (job, bound) in [("api", "0.5"), ("api", "+Inf"), ("db", "+Inf")] {
        let labels = Labels::new([("__name__", "x_bucket"), ("job", job), ("le", bound)]);
        for (time, value) in (0..60).zip([1.0, 2.5, f64::NAN, 7.0].iter().cycle()) {
            batch.add(&labels, time * 15_000, *value).expect("times that rise");
        }
    }
    batch.commit().expect("a log in the folder");
    Service { router: handle.router(), runtime, _server: server, _folder: folder }
});

fuzz_target!(|text: &str| {
    let (target, form) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(uri) = format!("/{target}").parse::<Uri>() else { return };
    // What is written would change the answers to the next input.
    if uri.path().ends_with("/write") {
        return;
    }
    let request = Request::builder().uri(uri).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.method(if form.is_empty() { "GET" } else { "POST" }).body(Body::from(form.to_owned()));
    let Ok(request) = request else { return };
    let (status, body) = answer(&SERVICE.runtime, &SERVICE.router, request);
    assert!(status.as_u16() != 500, "{status} {}", String::from_utf8_lossy(&body));
});
