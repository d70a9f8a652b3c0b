//! SIGINT and SIGTERM for a command that runs a flow: the first asks the run to stop where nothing is half done, as a
//! worker of Prefect does to cancel it; the second ends the process.

use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::lease::StopSign;

/// The exit code of a process that a person has interrupted.
const INTERRUPTED: i32 = 130;

/// True after the first signal. There is one for the life of the process: what was asked of one run holds for the next.
fn asked() -> watch::Receiver<bool> {
    static ASKED: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    let listening = || {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return tracing::warn!("signals cannot be listened to; they end this process at once");
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if sender.send_replace(true) {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
        receiver
    };
    ASKED.get_or_init(listening).clone()
}

/// Resolves at the first signal.
pub async fn stopped() {
    if asked().wait_for(|asked| *asked).await.is_err() {
        std::future::pending().await
    }
}

/// A sign that is set at the first signal.
pub fn stop_sign() -> StopSign {
    let stop = StopSign::default();
    let sign = stop.clone();
    tokio::spawn(async move {
        stopped().await;
        sign.set();
    });
    stop
}
