//! Steady traffic for the demonstration: a client that asks for predictions as a service's callers would.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Posts `bodies` in turn to `url/predict`, `rate` a second, until `shutdown`. Failures show in the server's metrics.
pub async fn send(url: String, bodies: Vec<String>, rate: u32, mut shutdown: watch::Receiver<bool>) {
    if rate == 0 || bodies.is_empty() {
        return;
    }
    let client = reqwest::Client::new();
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for body in bodies.iter().cycle() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        let request = client
            .post(format!("{url}/predict"))
            .header("content-type", "application/json")
            .timeout(Duration::from_secs(5))
            .body(body.clone());
        if let Err(error) = request.send().await {
            tracing::warn!("the demonstration's client got no answer: {error}");
        }
    }
}
