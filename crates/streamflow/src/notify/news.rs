//! Which ends of runs and which changes are news.

use serde_json::{Value, json};

use super::Channel;
use crate::config::News;
use crate::store::State;
use crate::store::notifications::{Kind, NewNotification, Reached};
use crate::store::production::ProductionChange;

/// Something to be told to whoever wants to hear of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub news: News,
    pub flow: String,
    period: Option<String>,
    /// What tells it from others of the same flow and period; of what is resolved, the problem.
    subject: String,
    at: String,
    body: Value,
}

/// What the state that a run came to means.
pub fn of_run(reached: &Reached) -> Vec<Item> {
    let item = |news, subject: &str| item(reached, news, subject);
    match reached.state {
        State::Failed | State::Crashed => vec![item(News::Failure, "failure")],
        State::Paused => vec![item(News::Approval, &format!("{} {}", reached.run, reached.message))],
        State::Completed => {
            let over = item(News::Resolved, News::Failure.as_str());
            match reached.state_name.as_str() {
                "NO_ACTION" => vec![over, item(News::Resolved, News::Decision.as_str())],
                name if is_decision(&reached.flow, name) => vec![over, item(News::Decision, name)],
                _ => vec![over],
            }
        }
        _ => Vec::new(),
    }
}

/// True for outcomes that say that something was or is to be done. An evaluation that could not be decided is none.
fn is_decision(flow: &str, name: &str) -> bool {
    match name {
        "RETRAINING_TRIGGERED" | "PROMOTED" | "BETTER" | "NOT_WORSE" | "WORSE" => true,
        "UNDECIDED" => flow != "evaluate_month",
        _ => false,
    }
}

fn item(reached: &Reached, news: News, subject: &str) -> Item {
    let Reached { run, flow, period, state_name, message, at, .. } = reached;
    let body = json!({
        "what": news.as_str(), "flow": flow, "period": period, "decision": state_name, "message": message,
        "run": run, "at": at,
    });
    Item {
        news,
        flow: flow.clone(),
        period: period.clone(),
        subject: subject.to_owned(),
        at: at.clone(),
        body,
    }
}

/// What a change of what is in production means.
pub fn of_change(entry: &ProductionChange) -> Option<Item> {
    let decision = match entry.action.as_str() {
        "promote" => "PROMOTED",
        "rollback" => "ROLLED_BACK",
        _ => return None,
    };
    let message = format!("{} is in production, by {}", entry.subject, entry.actor);
    let body = json!({
        "what": News::Promotion.as_str(), "decision": decision, "message": message, "run": entry.run_id, "at": entry.at,
    });
    Some(Item {
        news: News::Promotion,
        flow: String::new(),
        period: None,
        subject: entry.id.to_string(),
        at: entry.at.clone(),
        body,
    })
}

impl Item {
    /// As it is kept for a channel.
    pub fn for_channel<'a>(&'a self, channel: &'a Channel) -> NewNotification<'a> {
        let failure = News::Failure.as_str();
        NewNotification {
            channel: &channel.name,
            what: self.news.as_str(),
            flow: &self.flow,
            period: self.period.as_deref(),
            subject: &self.subject,
            body: &self.body,
            at: &self.at,
            is_of_period: self.news == News::Failure || self.subject == failure,
            kind: match self.news {
                News::Resolved => Kind::Over { is_told: channel.wants(News::Resolved) },
                _ => Kind::News,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_and_changes_mean() {
        for (flow, state, name, expected) in [
            ("monitor_month", State::Completed, "NO_ACTION", "resolved failure, resolved decision"),
            (
                "monitor_month",
                State::Completed,
                "RETRAINING_TRIGGERED",
                "resolved failure, decision RETRAINING_TRIGGERED",
            ),
            ("monthly", State::Completed, "UNDECIDED", "resolved failure, decision UNDECIDED"),
            ("evaluate_month", State::Completed, "UNDECIDED", "resolved failure"),
            ("monthly", State::Completed, "FIRST_VERSION", "resolved failure"),
            ("export", State::Completed, "Completed", "resolved failure"),
            ("export", State::Failed, "TimedOut", "failure failure"),
            ("export", State::Crashed, "Crashed", "failure failure"),
            ("monthly", State::Paused, "Suspended", "approval 7 promote?"),
            ("monthly", State::Cancelled, "Cancelled", ""),
        ] {
            let reached = Reached {
                transition: 1,
                run: 7,
                flow: flow.into(),
                period: None,
                state,
                state_name: name.into(),
                message: "promote?".into(),
                at: String::new(),
            };
            let found: Vec<String> = of_run(&reached)
                .iter()
                .map(|item| format!("{} {}", item.news.as_str(), item.subject))
                .collect();
            assert_eq!(found.join(", "), expected, "{flow} {name}");
        }
        for (action, expected) in
            [("promote", Some("PROMOTED")), ("rollback", Some("ROLLED_BACK")), ("pause", None)]
        {
            let entry = ProductionChange {
                id: 3,
                at: String::new(),
                actor: "anna".into(),
                action: action.into(),
                subject: "churn version 2".into(),
                run_id: None,
            };
            let found = of_change(&entry);
            assert_eq!(found.as_ref().and_then(|item| item.body["decision"].as_str()), expected);
            if let Some(item) = found {
                assert_eq!(item.body["message"], "churn version 2 is in production, by anna");
            }
        }
    }
}
