//! A plain webhook: the JSON that Alertmanager posts to its webhook receivers, sent when an alert begins to fire, is
//! resolved, or has fired on for hours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamflow_tsdb::Labels;

use super::super::status::label_map;
use super::Notification;
use crate::go_json::rfc3339;

/// After this long an alert that still fires is told again.
const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 3600);

/// What the receiver was told and believes.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<Labels, Instant>);

impl Memory {
    /// The alerts that are news: the last word on each.
    pub fn news(&self, notifications: Vec<Arc<Notification>>, now: Instant) -> Vec<Arc<Notification>> {
        let mut last = BTreeMap::new();
        for notification in notifications {
            last.insert(notification.labels.clone(), notification);
        }
        last.retain(|labels, notification| match self.0.get(labels) {
            None => !notification.resolved,
            Some(told) => notification.resolved || now.duration_since(*told) >= REPEAT_INTERVAL,
        });
        last.into_values().collect()
    }

    /// The receiver took them.
    pub fn told(&mut self, notifications: &[Arc<Notification>], now: Instant) {
        for notification in notifications {
            if notification.resolved {
                self.0.remove(&notification.labels);
            } else {
                self.0.insert(notification.labels.clone(), now);
            }
        }
    }
}

/// Version 4 of Alertmanager's webhook message, with all alerts in one group.
pub fn body(notifications: &[Arc<Notification>], external_url: &str) -> Value {
    let status = |resolved: bool| if resolved { "resolved" } else { "firing" };
    let all_resolved = notifications.iter().all(|alert| alert.resolved);
    let alerts = notifications.iter().map(|alert| {
        json!({
            "status": status(alert.resolved),
            "labels": label_map(&alert.labels),
            "annotations": alert.annotations,
            "startsAt": rfc3339(Some(alert.starts_at_ms)),
            "endsAt": rfc3339(alert.resolved.then_some(alert.ends_at_ms)),
            "generatorURL": alert.generator_url,
        })
    });
    json!({
        "version": "4",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "status": status(all_resolved),
        "receiver": "streamflow",
        "groupLabels": {},
        "commonLabels": common(notifications.iter().map(|alert| label_map(&alert.labels))),
        "commonAnnotations": common(notifications.iter().map(|alert| alert.annotations.clone())),
        "externalURL": external_url,
        "alerts": alerts.collect::<Vec<_>>(),
    })
}

/// The entries that all have.
fn common(mut maps: impl Iterator<Item = BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let first = maps.next().unwrap_or_default();
    maps.fold(first, |mut common, map| {
        common.retain(|name, value| map.get(name) == Some(value));
        common
    })
}
