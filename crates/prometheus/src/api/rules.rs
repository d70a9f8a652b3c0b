//! `rules` and `alerts`.

use axum::extract::State;
use serde_json::json;

use super::answer::{Answer, Success};
use super::error::ApiError;
use super::parameters::Parameters;
use super::series::selectors;
use crate::Handle;
use crate::rules::status::RuleStatus;

/// `GET /api/v1/rules`
pub async fn rules(State(server): State<Handle>, parameters: Parameters) -> Answer {
    parameters.well_formed()?;
    let wanted = parameters.get("type").to_ascii_lowercase();
    if !matches!(wanted.as_str(), "" | "alert" | "record") {
        return Err(ApiError::invalid_parameter("type", &format!("not supported value {wanted:?}")));
    }
    let without_alerts = match parameters.get("exclude_alerts") {
        "" => false,
        text => text.parse().map_err(|_| {
            ApiError::invalid_parameter("exclude_alerts", &format!("{text:?} is neither true nor false"))
        })?,
    };
    let selectors = selectors(&parameters)?;
    let named = |parameter: &str, name: &str| {
        let mut names = parameters.all(parameter).peekable();
        names.peek().is_none() || names.any(|known| known == name)
    };
    let mut groups = server.0.rules.groups();
    groups.retain(|group| named("rule_group[]", &group.name) && named("file[]", &group.file));
    for group in &mut groups {
        group.rules.retain(|rule| {
            let of_type = match rule {
                RuleStatus::Alerting { .. } => wanted != "record",
                RuleStatus::Recording { .. } => wanted != "alert",
            };
            let matched = |selector: &Vec<streamflow_tsdb::Matcher>| {
                let value = |name: &str| rule.labels().get(name).cloned().unwrap_or_default();
                selector.iter().all(|matcher| matcher.matches(&value(matcher.name())))
            };
            of_type
                && named("rule_name[]", rule.name())
                && (selectors.is_empty() || selectors.iter().any(matched))
        });
        if without_alerts {
            for rule in &mut group.rules {
                if let RuleStatus::Alerting { alerts, .. } = rule {
                    alerts.clear();
                }
            }
        }
    }
    groups.retain(|group| !group.rules.is_empty());
    Success::of(&json!({ "groups": groups }))
}

/// `GET /api/v1/alerts`
pub async fn alerts(State(server): State<Handle>) -> Answer {
    Success::of(&json!({ "alerts": server.0.rules.alerts() }))
}
