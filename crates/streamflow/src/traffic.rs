//! Steady traffic for the demonstration: a client that asks for predictions as a service's callers would.

use std::time::Duration;

use reqwest::Url;
use streamflow_outbound::client_of;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Whom the client asks for.
pub struct Callers {
    /// Bodies that are sent in turn.
    pub usual: Vec<String>,
    /// Those that are sent in their place once `has_drifted` is true.
    pub drifted: Vec<String>,
    pub has_drifted: watch::Receiver<bool>,
}

/// Posts bodies in turn to `predict` at `url`, `rate` a second, until `shutdown`. Failures show in the server's metrics.
pub async fn send(
    url: Url,
    callers: Callers,
    rate: u32,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let Callers { usual, drifted, has_drifted } = callers;
    if rate == 0 || usual.is_empty() {
        return Ok(());
    }
    let client = client_of(&url).timeout(Duration::from_secs(5)).build()?;
    let predict = url.join("predict")?;
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drifted = drifted.iter().cycle();
    for usual in usual.iter().cycle() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
        }
        let body = if *has_drifted.borrow() { drifted.next().unwrap_or(usual) } else { usual };
        let request =
            client.post(predict.clone()).header("content-type", "application/json").body(body.clone());
        if let Err(error) = request.send().await {
            tracing::warn!("the demonstration's client got no answer: {error}");
        }
    }
    Ok(())
}
