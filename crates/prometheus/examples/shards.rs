//! How fast remote write sends to a receiver that takes its time, by how many connections.
//!
//! `cargo run --release -p streamflow-prometheus --example shards -- [SAMPLES] [DELAY_MS]` writes samples of 1,000 series into a
//! store and waits until a receiver, which answers each request after a delay, has taken all of them: with one connection, with
//! ten from the start, and with as many as the sender finds right.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use streamflow_exposition::remote_write::{Limits, decode};
use streamflow_prometheus::{Server, Settings, Source};
use streamflow_tsdb::Labels;
use tokio::sync::watch;

const SERIES: u64 = 1000;
/// Between two samples of a series: what is written is what piled up over an outage.
const STEP_MS: u64 = 15_000;
/// Few, so that it is the receiver that is waited for.
const SAMPLES_PER_SEND: u64 = 100;

#[tokio::main]
async fn main() -> Result<(), Infallible> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let samples = arguments.next().unwrap_or(200_000).div_ceil(SERIES) * SERIES;
    let delay_ms = arguments.next().unwrap_or(50);
    for (what, shards) in [
        ("one connection", "max_shards: 1"),
        ("ten connections", "min_shards: 10, max_shards: 10"),
        ("as many as are right", "max_shards: 50"),
    ] {
        let (took, ended) = sent(samples, Duration::from_millis(delay_ms), shards).await;
        let rate = samples as f64 / took.as_secs_f64();
        println!("{what}: {samples} samples in {:.1} s, {rate:.0} a second, {ended}", took.as_secs_f64());
    }
    Ok(())
}

async fn sent(samples: u64, delay: Duration, shards: &str) -> (Duration, String) {
    let taken = Arc::new(AtomicU64::new(0));
    let url = receiver(Arc::clone(&taken), delay).await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::open(settings(dir.path(), &url, shards)).await.unwrap();
    let handle = server.handle();
    fill(&handle.db(), samples);
    let (stop, stopped) = watch::channel(false);
    let started = Instant::now();
    let running = tokio::spawn(server.run(stopped));
    while taken.load(Ordering::Relaxed) < samples {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = started.elapsed();
    stop.send_replace(true);
    running.await.unwrap().unwrap();
    (took, format!("with {shards}"))
}

fn settings(dir: &Path, url: &str, shards: &str) -> Settings {
    let file = dir.join("prometheus.yml");
    let queue = format!("max_samples_per_send: {SAMPLES_PER_SEND}, batch_send_deadline: 100ms, {shards}");
    std::fs::write(&file, format!("remote_write: [{{url: '{url}', queue_config: {{{queue}}}}}]\n")).unwrap();
    Settings::new(dir.join("data"), Source::File(file))
}

fn fill(db: &streamflow_tsdb::Db, samples: u64) {
    let now_ms = streamflow_prometheus::now_ms();
    let labels: Vec<Labels> =
        (0..SERIES).map(|n| Labels::new([("__name__", "m"), ("n", &n.to_string())])).collect();
    let steps = samples / SERIES;
    for step in 0..steps {
        let mut batch = db.batch();
        for labels in &labels {
            batch.add(labels, now_ms - ((steps - step) * STEP_MS) as i64, step as f64).unwrap();
        }
        batch.commit().unwrap();
    }
}

async fn receiver(taken: Arc<AtomicU64>, delay: Duration) -> String {
    let take = move |body: Bytes| {
        let taken = Arc::clone(&taken);
        async move {
            let request = decode(&body, &Limits::default()).unwrap();
            tokio::time::sleep(delay).await;
            let count: usize = request.timeseries.iter().map(|series| series.samples.len()).sum();
            taken.fetch_add(count as u64, Ordering::Relaxed);
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/write", listener.local_addr().unwrap());
    let app = Router::new().route("/write", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}
