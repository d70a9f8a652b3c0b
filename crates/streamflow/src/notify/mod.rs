//! Tells people what runs came to: decisions, failures, questions, promotions, and that a problem is over.
//!
//! What is to be told is read from the log of transitions and from that of what is in production, so nothing is told of what was not
//! recorded, nothing is lost with a process, and no run waits for a channel. The outbox in the store holds it until a
//! channel has taken it.

mod channel;
mod mail;
mod message;
mod news;
mod secret;
mod webhook;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use channel::Channel;
pub use message::Message;

use crate::config::Config;
use crate::store::Store;
use crate::store::notifications::{Looked, Outgoing};
use crate::terminal::one_line;

/// How often the log is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time of one try.
pub const TRY_MAX: Duration = Duration::from_secs(10);
/// For how long a notification that a process has taken is left to it.
const TAKEN_FOR: SignedDuration = SignedDuration::from_secs(30);
/// Waits before the further tries in seconds; the last one repeats.
const DELAYS: [i64; 7] = [10, 30, 60, 300, 900, 1800, 3600];
/// How long a notification is tried.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Longest time that a command gives to what it has to tell.
const COMMAND_BUDGET: Duration = Duration::from_secs(5);

/// Everybody who is told, and what is left to be told to them. Cloning is cheap.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    channels: Vec<Channel>,
    /// Where people find the console.
    console: String,
}

impl Outbox {
    pub fn new(store: &Store, config: &Config) -> Self {
        let channels =
            config.notify.iter().map(|(name, settings)| Channel::new(name, settings, &config.base));
        Self { store: store.clone(), channels: channels.collect(), console: config.console.url() }
    }

    /// Marks what has happened so far as told, where nobody ever looked. To be called before what is to be told.
    pub async fn begin(&self) {
        if !self.channels.is_empty()
            && let Err(error) = self.store.looked_for_news().await
        {
            tracing::warn!("what happens now may be told to nobody: {error}");
        }
    }

    /// Tells what a command has done, unless a server is up that does; gives up after five seconds. What was not sent then
    /// is sent by the next command or server.
    pub async fn tell_within_budget(&self) {
        if self.channels.is_empty() {
            return;
        }
        let telling = async {
            self.collect().await?;
            if !self.store.has_notifier().await? {
                let mut sending = JoinSet::new();
                for channel in self.channels.clone() {
                    let outbox = self.clone();
                    sending.spawn(async move { outbox.send_due(&channel).await });
                }
                sending.join_all().await;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(COMMAND_BUDGET, telling).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("what happened was told to nobody: {}", one_line(&error)),
            Err(_) => tracing::warn!(
                "not everybody was told within {COMMAND_BUDGET:?}; the next command or `streamflow up` tries again"
            ),
        }
    }

    /// Puts what has happened since the last look into the outbox.
    async fn collect(&self) -> anyhow::Result<()> {
        let since = format!("{:.3}", Timestamp::now() - GIVE_UP_AFTER);
        for (channel, what, outcome) in self.store.give_up_notifications(&since).await? {
            tracing::error!("channel {channel} was not told of {what} within a day: {outcome}");
        }
        let from = self.store.looked_for_news().await?;
        let reached = self.store.reached_after(from.transition, &since).await?;
        let changes = self.store.production_changes_after(from.change, &since).await?;
        let to = Looked {
            transition: reached.last().map_or(from.transition, |last| last.transition),
            change: changes.last().map_or(from.change, |last| last.id),
        };
        if to == from {
            return Ok(());
        }
        let news: Vec<news::Item> =
            reached.iter().flat_map(news::of_run).chain(changes.iter().filter_map(news::of_change)).collect();
        let kept = self.channels.iter().flat_map(|channel| {
            news.iter().filter(|item| channel.hears_of(item)).map(|item| item.for_channel(channel))
        });
        // Where another process was faster, it has kept the same.
        self.store.keep_news(from, to, &kept.collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// Sends what is due to a channel, one after the other; after a failure the rest waits for the next look.
    async fn send_due(&self, channel: &Channel) {
        loop {
            let until = format!("{:.3}", Timestamp::now() + TAKEN_FOR);
            match self.store.take_notification(&channel.name, &until).await {
                Ok(Some(outgoing)) => {
                    if !self.send(channel, &outgoing).await {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    return tracing::warn!(
                        "what channel {} is to be told cannot be read: {error}",
                        channel.name
                    );
                }
            }
        }
    }

    /// True when the channel took it.
    async fn send(&self, channel: &Channel, outgoing: &Outgoing) -> bool {
        let Outgoing { id, body, tries } = outgoing;
        let message = Message::of(body, &self.console);
        let sent = match tokio::time::timeout(TRY_MAX, channel.send(&message, *id)).await {
            Ok(sent) => sent,
            Err(_) => Err(anyhow::anyhow!("no answer within {TRY_MAX:?}")),
        };
        let recorded = match &sent {
            Ok(answer) => self.store.end_notification(*id, answer).await,
            Err(error) => {
                let place = usize::try_from(tries - 1).unwrap_or(0).min(DELAYS.len() - 1);
                let delay = SignedDuration::from_secs(DELAYS[place]);
                let reason = one_line(error);
                tracing::warn!("channel {} was not told: {reason}; trying again in {delay:#}", channel.name);
                self.store
                    .postpone_notification(*id, &format!("{:.3}", Timestamp::now() + delay), &reason)
                    .await
            }
        };
        if let Err(error) = recorded {
            tracing::warn!("what became of a notification was not recorded: {error}");
        }
        sent.is_ok()
    }

    /// Collects and sends until `shutdown`.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        if self.channels.is_empty() {
            return;
        }
        let (mut sending, mut busy) = (JoinSet::new(), BTreeSet::new());
        let (mut told, mut is_known) = (String::new(), false);
        loop {
            let looked = async {
                if !is_known {
                    self.store.become_notifier().await?;
                    is_known = true;
                }
                self.collect().await
            };
            let wrong = looked.await.err().map(|error| one_line(&error)).unwrap_or_default();
            if !wrong.is_empty() && wrong != told {
                tracing::error!("notifications wait until that is mended: {wrong}");
            }
            told = wrong;
            // A channel that hangs keeps nobody else waiting.
            for channel in self.channels.iter().filter(|channel| busy.insert(channel.name.clone())) {
                let (outbox, channel) = (self.clone(), channel.clone());
                sending.spawn(async move {
                    outbox.send_due(&channel).await;
                    channel.name
                });
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            while let Some(ended) = sending.try_join_next() {
                busy.remove(&ended.unwrap_or_default());
            }
        }
    }
}
