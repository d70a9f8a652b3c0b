//! One receiver of messages, as the configuration describes it.

use std::path::Path;

use anyhow::Context as _;

use super::mail::Mail;
use super::message::Message;
use super::news::Item;
use super::secret::Place;
use super::webhook::Webhook;
use crate::config::{ChannelKind, News, NotifyConfig};

/// A channel. Cloning is cheap enough for each message.
#[derive(Debug, Clone)]
pub struct Channel {
    pub name: String,
    on: Vec<News>,
    flows: Vec<String>,
    template: Option<String>,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Slack(Webhook),
    Webhook(Webhook),
    Mail(Mail),
}

impl Channel {
    /// A channel of the section `notify.NAME`; files in it are relative to `base`.
    pub fn new(name: &str, config: &NotifyConfig, base: &Path) -> Self {
        let webhook = || Webhook {
            url: Place::of(config.url_env.as_ref(), config.url_file.as_ref(), base),
            secret: Place::of(config.secret_env.as_ref(), config.secret_file.as_ref(), base),
        };
        let way = match config.kind {
            ChannelKind::Slack => Way::Slack(webhook()),
            ChannelKind::Webhook => Way::Webhook(webhook()),
            ChannelKind::Mail => Way::Mail(Mail::new(config, base)),
        };
        Self {
            name: name.to_owned(),
            on: config.on.clone(),
            flows: config.flows.clone(),
            template: config.template.clone(),
            way,
        }
    }

    pub fn wants(&self, news: News) -> bool {
        self.on.contains(&news)
    }

    /// True for what the channel is told, and for the end of what it was told. A promotion is of no flow.
    pub fn hears_of(&self, item: &Item) -> bool {
        let is_wanted = self.wants(item.news) || item.news == News::Resolved;
        is_wanted && (self.flows.is_empty() || item.flow.is_empty() || self.flows.contains(&item.flow))
    }

    /// Sends a message and gives what came back. `id` is the same at every try.
    ///
    /// # Errors
    /// A secret that is not there; a receiver that does not take the message. No error shows a secret.
    pub async fn send(&self, message: &Message, id: i64) -> anyhow::Result<String> {
        let text = message.text(self.template.as_deref());
        match &self.way {
            Way::Slack(webhook) => webhook.post_text(&text).await,
            Way::Webhook(webhook) => webhook.post_signed(message, &text, id).await,
            Way::Mail(mail) => mail.send(message, text, id).await,
        }
        .with_context(|| format!("notify.{}", self.name))
    }
}
