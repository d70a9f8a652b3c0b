//! What a channel is told, as text and as fields.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message. Fields that say nothing are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// `decision`, `failure`, `approval`, `promotion` or `resolved`.
    pub what: String,
    pub flow: String,
    /// The month that the run is about.
    pub period: Option<String>,
    /// The outcome in a word.
    pub decision: String,
    /// The outcome in a sentence.
    pub message: String,
    pub run: Option<i64>,
    /// When it happened.
    pub at: String,
    /// Where people find more.
    pub url: String,
}

impl Message {
    /// The message of a row of the outbox, with the address of its run in the console.
    pub fn of(body: &Value, console: &str) -> Self {
        let mut message: Self = serde_json::from_value(body.clone()).unwrap_or_default();
        message.url = match message.run {
            Some(run) => format!("{console}/runs/{run}"),
            None => format!("{console}/models"),
        };
        message
    }

    /// `monitor_month 2024-02-29: RETRAINING_TRIGGERED`.
    pub fn title(&self) -> String {
        let subject = [self.flow.as_str(), self.period.as_deref().unwrap_or_default()];
        let subject: Vec<&str> = subject.into_iter().filter(|word| !word.is_empty()).collect();
        match subject.is_empty() {
            true => self.decision.clone(),
            false => format!("{}: {}", subject.join(" "), self.decision),
        }
    }

    /// The text: the template with its placeholders filled, or what a person needs to know.
    pub fn text(&self, template: Option<&str>) -> String {
        match template {
            Some(template) => self.filled(template),
            None => [self.title(), self.message.clone(), self.url.clone()]
                .into_iter()
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    /// One pass, so that a placeholder in a message of a run stays what it is.
    fn filled(&self, template: &str) -> String {
        let run = self.run.map(|run| run.to_string()).unwrap_or_default();
        let value = |name: &str| {
            Some(match name {
                "what" => &self.what,
                "flow" => &self.flow,
                "period" => self.period.as_ref()?,
                "decision" => &self.decision,
                "message" => &self.message,
                "run" => &run,
                "url" => &self.url,
                "at" => &self.at,
                _ => return None,
            })
        };
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            text.push_str(value(name).map(String::as_str).unwrap_or_default());
            rest = after;
        }
        text + rest
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts() {
        let body = json!({"what": "decision", "flow": "monthly", "period": "2024-02-29", "decision": "WORSE",
            "message": "version 1 stays {run}", "run": 7, "at": "2024-03-01T06:00:00.000Z"});
        let run = Message::of(&body, "http://ops/sf");
        let by_hand =
            Message::of(&json!({"what": "promotion", "decision": "PROMOTED", "message": "m"}), "http://ops");
        for (message, template, expected) in [
            (&run, None, "monthly 2024-02-29: WORSE\nversion 1 stays {run}\nhttp://ops/sf/runs/7"),
            (&by_hand, None, "PROMOTED\nm\nhttp://ops/models"),
            (
                &run,
                Some("{what}/{flow}/{period}/{decision}/{run}/{at}/{url}"),
                "decision/monthly/2024-02-29/WORSE/7/2024-03-01T06:00:00.000Z/http://ops/sf/runs/7",
            ),
            (&run, Some("{message}!"), "version 1 stays {run}!"),
            (&by_hand, Some("{flow}{period}{run}."), "."),
            (&run, Some("no placeholder"), "no placeholder"),
        ] {
            assert_eq!(message.text(template), expected);
        }
    }
}
