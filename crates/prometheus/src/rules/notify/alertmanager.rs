//! The body of `POST /api/v2/alerts`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::status::label_map;
use super::Notification;
use crate::go_json::rfc3339;

/// One element an alert; labels and annotations without a value are left out, as Alertmanager refuses them.
pub fn body(notifications: &[Arc<Notification>]) -> Value {
    let alerts = notifications.iter().map(|alert| {
        let annotations: std::collections::BTreeMap<_, _> =
            alert.annotations.iter().filter(|(_, text)| !text.is_empty()).collect();
        json!({
            "labels": label_map(&alert.labels),
            "annotations": annotations,
            "startsAt": rfc3339(Some(alert.starts_at_ms)),
            "endsAt": rfc3339(Some(alert.ends_at_ms)),
            "generatorURL": alert.generator_url,
        })
    });
    Value::Array(alerts.collect())
}
