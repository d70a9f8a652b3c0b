//! The `[notify.NAME]` sections of the configuration: who is told of decisions, failures, approvals and promotions.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// What a template may name.
pub const PLACEHOLDERS: [&str; 8] =
    ["{what}", "{flow}", "{period}", "{decision}", "{message}", "{run}", "{url}", "{at}"];

/// `[notify.NAME]`: one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyConfig {
    pub kind: ChannelKind,
    /// What is told.
    #[serde(default = "News::all")]
    pub on: Vec<News>,
    /// The flows of which it is told; none: all.
    #[serde(default)]
    pub flows: Vec<String>,
    /// The text, with placeholders.
    #[serde(default)]
    pub template: Option<String>,
    /// Variable with the URL of a webhook.
    #[serde(default)]
    pub url_env: Option<String>,
    /// File with the URL of a webhook.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// Variable with the key that signs the requests of a webhook.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// File with that key.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Host of the mail server.
    #[serde(default)]
    pub server: Option<String>,
    /// Port of the mail server; none: 587, 465 or 25, as `tls` says.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: MailTls,
    /// Who logs in at the mail server; none: nobody has to.
    #[serde(default)]
    pub user: Option<String>,
    /// Variable with that user's password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File with that password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Address of the sender.
    #[serde(default)]
    pub from: Option<String>,
    /// Addresses of the recipients.
    #[serde(default)]
    pub to: Vec<String>,
}

/// How a channel is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A webhook that takes `{"text": …}`, as Slack, Mattermost and Rocket.Chat do.
    Slack,
    /// A webhook that takes a JSON document of ours, signed.
    Webhook,
    /// E-mail.
    Mail,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// From the first command on that can be.
    #[default]
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

impl MailTls {
    /// The port that servers of this kind listen on.
    pub fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// What people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A run decided that something is to be done.
    Decision,
    /// A run failed, crashed or took too long.
    Failure,
    /// A run waits for an answer.
    Approval,
    /// Another version of the model is served.
    Promotion,
    /// A later run of the flow shows that a decision or a failure is over.
    Resolved,
}

impl News {
    fn all() -> Vec<Self> {
        vec![Self::Decision, Self::Failure, Self::Approval, Self::Promotion, Self::Resolved]
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Failure => "failure",
            Self::Approval => "approval",
            Self::Promotion => "promotion",
            Self::Resolved => "resolved",
        }
    }
}

impl NotifyConfig {
    /// Refuses what would only fail when there is something to tell.
    pub(super) fn check(&self, name: &str) -> anyhow::Result<()> {
        let of = |key: &str| format!("notify.{name}.{key}");
        if self.on.is_empty() {
            bail!("{} is empty, so nothing would be told; remove the section or the key", of("on"));
        }
        if let Some(template) = &self.template {
            check_template(template).with_context(|| of("template"))?;
        }
        self.check_keys(&of)?;
        match self.kind {
            ChannelKind::Slack | ChannelKind::Webhook => {
                one_of(&of, "url", self.url_env.as_deref(), self.url_file.as_deref())?;
            }
            ChannelKind::Mail => self.check_mail(&of)?,
        }
        if self.kind == ChannelKind::Webhook {
            one_of(&of, "secret", self.secret_env.as_deref(), self.secret_file.as_deref())?;
        }
        Ok(())
    }

    fn check_mail(&self, of: &impl Fn(&str) -> String) -> anyhow::Result<()> {
        if self.server.as_deref().is_none_or(|server| server.is_empty() || server.contains(['/', ':', ' '])) {
            bail!(
                "{} is no host; expected such as smtp.example.org, with {} beside it",
                of("server"),
                of("port")
            );
        }
        let address = |key: &str, text: &str| match text.parse::<lettre::message::Mailbox>() {
            Ok(_) => Ok(()),
            Err(_) => bail!("{} is {text:?}; expected an address such as ops@example.org", of(key)),
        };
        address("from", self.from.as_deref().unwrap_or_default())?;
        if self.to.is_empty() {
            bail!("{} names nobody", of("to"));
        }
        self.to.iter().try_for_each(|to| address("to", to))?;
        match self.user {
            Some(_) if self.tls == MailTls::None => {
                bail!("{} would send the password unencrypted; set tls to starttls or tls", of("user"))
            }
            Some(_) => one_of(of, "password", self.password_env.as_deref(), self.password_file.as_deref()),
            None => Ok(()),
        }
    }

    /// Refuses keys that the kind of channel has no use for.
    fn check_keys(&self, of: &impl Fn(&str) -> String) -> anyhow::Result<()> {
        use ChannelKind::{Mail, Slack, Webhook};
        let keys: [(&str, bool, &[ChannelKind]); 12] = [
            ("url_env", self.url_env.is_some(), &[Slack, Webhook]),
            ("url_file", self.url_file.is_some(), &[Slack, Webhook]),
            ("secret_env", self.secret_env.is_some(), &[Webhook]),
            ("secret_file", self.secret_file.is_some(), &[Webhook]),
            ("server", self.server.is_some(), &[Mail]),
            ("port", self.port.is_some(), &[Mail]),
            ("tls", self.tls != MailTls::default(), &[Mail]),
            ("user", self.user.is_some(), &[Mail]),
            ("password_env", self.password_env.is_some(), &[Mail]),
            ("password_file", self.password_file.is_some(), &[Mail]),
            ("from", self.from.is_some(), &[Mail]),
            ("to", !self.to.is_empty(), &[Mail]),
        ];
        match keys.iter().find(|(_, is_set, kinds)| *is_set && !kinds.contains(&self.kind)) {
            Some((key, ..)) => bail!("{} is not for channels of this kind", of(key)),
            None => Ok(()),
        }
    }
}

/// Refuses a secret that is named nowhere or in two places.
fn one_of(
    of: &impl Fn(&str) -> String,
    what: &str,
    variable: Option<&str>,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let (env_key, file_key) = (of(&format!("{what}_env")), of(&format!("{what}_file")));
    match (variable, file) {
        (Some(name), None)
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
        {
            bail!("{env_key} is not the name of a variable; the {what} itself is kept out of this file")
        }
        (Some(_), None) | (None, Some(_)) => Ok(()),
        (None, None) => bail!(
            "{env_key} is missing: it names the variable that holds the {what}; {file_key} names a file"
        ),
        (Some(_), Some(_)) => bail!("{env_key} and {file_key} are both set; keep one"),
    }
}

/// Refuses placeholders that stand for nothing.
fn check_template(template: &str) -> anyhow::Result<()> {
    for (start, _) in template.match_indices('{') {
        let rest = &template[start..];
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        if !PLACEHOLDERS.contains(&&rest[..end]) {
            bail!("{:?} stands for nothing; expected {}", &rest[..end], PLACEHOLDERS.join(", "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_fail_later_is_refused_at_once() {
        let mail = "kind = \"mail\"\nserver = \"smtp.example.org\"\nfrom = \"StreamFlow <sf@example.org>\"\nto = [\"ops@example.org\"]\n";
        let hook = "kind = \"webhook\"\nurl_env = \"URL\"\n";
        for (toml, expected) in [
            ("kind = \"slack\"\nurl_env = \"SLACK_URL\"".to_owned(), ""),
            (
                "kind = \"slack\"\nurl_file = \"secrets/slack\"\non = [\"failure\"]\nflows = [\"monthly\"]"
                    .to_owned(),
                "",
            ),
            (
                format!("{hook}secret_file = \"secrets/key\"\ntemplate = \"{{flow}}: {{decision}} {{url}}\""),
                "",
            ),
            (mail.to_owned(), ""),
            (format!("{mail}user = \"sf\"\npassword_env = \"SMTP_PASSWORD\""), ""),
            (format!("{mail}user = \"sf\""), "notify.ops.password_env is missing"),
            (
                format!("{mail}user = \"sf\"\ntls = \"none\"\npassword_env = \"P\""),
                "the password unencrypted",
            ),
            (format!("{mail}url_env = \"URL\""), "notify.ops.url_env is not for channels of this kind"),
            (mail.replace("smtp.example.org", "smtp.example.org:25"), "notify.ops.server is no host"),
            (mail.replace("[\"ops@example.org\"]", "[\"ops\"]"), "notify.ops.to is \"ops\""),
            (mail.replace("[\"ops@example.org\"]", "[]"), "notify.ops.to names nobody"),
            ("kind = \"slack\"".to_owned(), "notify.ops.url_env is missing"),
            (
                "kind = \"slack\"\nurl_env = \"https://hooks.example/T0\"".to_owned(),
                "not the name of a variable",
            ),
            ("kind = \"slack\"\nurl_env = \"A\"\nurl_file = \"a\"".to_owned(), "both set"),
            (hook.to_owned(), "notify.ops.secret_env is missing"),
            (format!("{hook}secret_env = \"S\"\non = []"), "notify.ops.on is empty"),
            (format!("{hook}secret_env = \"S\"\ntemplate = \"{{month}}\""), "\"{month}\" stands for nothing"),
        ] {
            let config: NotifyConfig = toml::from_str(&toml).unwrap();
            let error = config.check("ops").err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{toml}: {error}");
        }
    }
}
