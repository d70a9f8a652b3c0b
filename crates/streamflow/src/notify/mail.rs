//! Messages by e-mail.

use std::path::Path;

use anyhow::Context as _;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::TRY_MAX;
use super::message as news;
use super::secret::Place;
use crate::config::{MailTls, NotifyConfig};

/// A mail server, who sends and who receives.
#[derive(Debug, Clone)]
pub struct Mail {
    server: String,
    port: u16,
    tls: MailTls,
    user: Option<String>,
    password: Option<Place>,
    from: String,
    to: Vec<String>,
}

impl Mail {
    pub fn new(config: &NotifyConfig, base: &Path) -> Self {
        Self {
            server: config.server.clone().unwrap_or_default(),
            port: config.port.unwrap_or(config.tls.port()),
            tls: config.tls,
            user: config.user.clone(),
            password: Place::of(config.password_env.as_ref(), config.password_file.as_ref(), base),
            from: config.from.clone().unwrap_or_default(),
            to: config.to.clone(),
        }
    }

    /// Sends a text and gives what the server said. `id` is the same at every try.
    pub async fn send(&self, message: &news::Message, text: String, id: i64) -> anyhow::Result<String> {
        let message = self.message(message, text, id)?;
        let transport = self.transport().await?;
        let answer =
            transport.send(message).await.with_context(|| format!("{}:{}", self.server, self.port))?;
        let words: Vec<&str> = answer.message().collect();
        Ok(format!("{} {}", answer.code(), words.join(" ")))
    }

    fn message(&self, news: &news::Message, text: String, id: i64) -> anyhow::Result<Message> {
        let mailbox = |text: &str| text.parse::<Mailbox>().with_context(|| format!("{text:?} is no address"));
        let from = mailbox(&self.from)?;
        let domain = from.email.domain().to_owned();
        let at: String = news.at.chars().filter(char::is_ascii_digit).collect();
        let mut builder: MessageBuilder = Message::builder()
            .from(from)
            .subject(format!("[StreamFlow] {}", news.title()))
            // A mail that arrives twice is shown once.
            .message_id(Some(format!("<streamflow-{id}-{at}@{domain}>")))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(mailbox(to)?);
        }
        Ok(builder.body(text)?)
    }

    async fn transport(&self) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
        let parameters = || TlsParameters::new(self.server.clone()).context("no TLS for the mail server");
        let tls = match self.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.server)
            .port(self.port)
            .tls(tls)
            .timeout(Some(TRY_MAX));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.read().await?));
        }
        Ok(builder.build())
    }
}
